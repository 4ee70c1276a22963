"""README tells the truth about this code: every line it points to is there, and it stays short enough to be read."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = re.findall(r"^\| .+ \| \[`(.+):(\d+)`\]\((.+)#L(\d+)\) \| `(.+)` \|$", README, re.MULTILINE)
DOORS = re.findall(r"^### (\w+ it)\n\n((?: {4}.+\n)+)", README, re.MULTILINE)


def test_it_has_at_most_8000_bytes():
    assert len(README.encode("utf-8")) <= 8000


def test_the_tour_is_found_in_the_readme():
    assert len(TOUR) >= 15


@pytest.mark.parametrize("shown, number, path, anchor, code", TOUR, ids=[f"{row[0]}:{row[1]}" for row in TOUR])
def test_every_row_of_the_tour_points_to_the_line_it_quotes(shown, number, path, anchor, code):
    assert path == f"minisft/{shown}" and number == anchor
    line = (ROOT / path).read_text(encoding="utf-8").split("\n")[int(number) - 1]
    assert line.split("  #")[0].strip() == code


def test_the_two_commands_stand_on_lines_of_their_own_in_quotes_that_every_shell_knows():
    lines = [line.strip() for line in README.split("\n")]
    assert [line for line in lines if re.match(r"pip install .* && ", line)] == [
        "pip install . && minisft demo",
        'pip install ".[test]" && pytest',
    ]


def test_there_are_three_doors_of_three_commands_each():
    assert [name for name, _ in DOORS] == ["Learn it", "Teach it", "Use it"]
    assert [len(commands.splitlines()) for _, commands in DOORS] == [3, 3, 3]
