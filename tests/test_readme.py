"""README tells the truth about this code: every line it points to is there, and what it shows runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = re.findall(r"^\| .+ \| \[`(.+):(\d+)`\]\((.+)#L(\d+)\) \| `(.+)` \|$", README, re.MULTILINE)


def test_the_tour_is_found_in_the_readme():
    assert len(TOUR) >= 15


@pytest.mark.parametrize("shown, number, path, anchor, code", TOUR, ids=[f"{row[0]}:{row[1]}" for row in TOUR])
def test_every_row_of_the_tour_points_to_the_line_it_quotes(shown, number, path, anchor, code):
    assert path == f"minisft/{shown}" and number == anchor
    line = (ROOT / path).read_text(encoding="utf-8").split("\n")[int(number) - 1]
    assert line.split("  #")[0].strip() == code


def test_the_two_commands_stand_on_lines_of_their_own():
    lines = [line.strip() for line in README.split("\n")]
    assert lines.count("pip install . && minisft demo") == 1
    assert lines.count("pip install '.[test]' && pytest") == 1


def test_every_file_the_readme_links_to_is_there():
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_loop_shown_in_python_runs_as_printed(capsys):
    code = re.search(r"```python\n(.+?)```", README, re.DOTALL)[1]
    exec(compile(code.replace("max_steps=20", "max_steps=2"), "README.md", "exec"), {})
    steps = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [step for step, _ in steps] == ["1", "2"]
    assert all(float(loss) > 0 for _, loss in steps)
