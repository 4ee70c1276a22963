"""The pages tell the truth: what they link to is there, what they tell you to type is understood."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from minisft import __version__
from minisft.cli.main import parser
from minisft.lab.doctor.checks import CHECKS

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("benchmarks", "data", "docs", "minisft", "notebooks", "tests")
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for folder in (".", *(f"{name}/**" for name in FOLDERS))
    for path in sorted(ROOT.glob(f"{folder}/*.md"))
}
HOUSE, COURSE = PAGES["minisft/README.md"], PAGES["notebooks/README.md"]
FENCED, INDENTED = re.compile(r"^```\w*\n(.+?)^```", re.MULTILINE | re.DOTALL), re.compile(r"^ {4,}(.+)$", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")

each_page = pytest.mark.parametrize("page", PAGES)


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def commands(page, program):
    """(its words, whether it stands in a block of code) for each command of a page: program and arguments."""
    outside = FENCED.sub("", page)
    blocks = [line for block in FENCED.findall(page) for line in block.splitlines()] + INDENTED.findall(outside)
    spans = [code.replace("\\|", "|") for code in SPAN.findall(INDENTED.sub("", outside))]
    for line, in_block in [(line, True) for line in blocks] + [(span, False) for span in spans]:
        for command in re.split(r" (?:&&|\|\|) ", re.sub(r"\s#.*", "", line)):
            command = re.sub(r"^mpiexec -n \d+ ", "", command.strip())
            if command.startswith(f"{program} "):
                yield shlex.split(command), in_block


def links(page):
    """(what is shown, where it leads) for each link and picture; code is not looked at."""
    prose = SPAN.sub("code", INDENTED.sub("", FENCED.sub("", page)))
    return re.findall(r"(!?\[[^\]]*\])\(([^)\s]+)\)", prose)


def headings(page):
    """The anchors that a hosting platform gives to the headings of a page."""
    for heading in re.findall(r"^#+ (.+)$", FENCED.sub("", page), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# --- links ------------------------------------------------------------------------------------------------------------


@each_page
def test_every_link_leads_to_a_file_a_line_or_a_heading_that_is_there(page):
    for _, target in links(PAGES[page]):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert path.exists(), target
        if number := re.fullmatch(r"L(\d+)", anchor):
            assert int(number[1]) <= len(path.read_text(encoding="utf-8").splitlines()), target
        elif anchor:
            assert anchor in headings(path.read_text(encoding="utf-8")), target


def test_every_folder_has_a_page_and_readme_leads_to_it():
    targets = {target.partition("#")[0] for _, target in links(PAGES["README.md"])}
    for folder in FOLDERS:
        assert any(page.startswith(f"{folder}/") for page in targets & set(PAGES)), folder


@each_page
def test_every_picture_is_described_to_those_who_cannot_see_it(page):
    for shown, target in links(PAGES[page]):
        assert not shown.startswith("!") or len(shown.split()) >= 10, target


def test_every_picture_that_is_kept_is_shown_on_a_page():
    shown = {((ROOT / page).parent / target).resolve() for page in PAGES for _, target in links(PAGES[page])}
    for path in (ROOT / "data/pictures").iterdir():
        assert path in shown, path.name


# --- commands ---------------------------------------------------------------------------------------------------------


@each_page
def test_every_command_that_is_shown_is_one_that_minisft_understands(page):
    for (_, *arguments), in_block in commands(PAGES[page], "minisft"):
        if len(arguments) == 1 and not in_block:
            arguments = [*arguments, "--help"]  # a sentence may name a command; a block of code is typed as it is
        try:
            parser().parse_args(arguments)  # raises MinisftError
        except SystemExit as stop:
            assert stop.code == 0  # --help and --version say what they know, and end


def test_every_setting_worth_knowing_is_a_flag_of_sft(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["sft", "--help"])
    flags = r"--[a-z][a-z-]+"
    section = PAGES["docs/using.md"].split("## Settings worth knowing\n")[1].split("\n## ")[0]
    assert len(set(re.findall(flags, section))) >= 5
    assert set(re.findall(flags, section)) <= set(re.findall(flags, capsys.readouterr().out))


def test_the_page_in_front_of_a_run_lists_all_checks_of_the_doctor_in_their_order():
    section = PAGES["docs/before-you-train.md"].split("| group | checks |\n")[1].split("\n\n")[0]
    assert re.findall(r"`([a-z-]+)`", section.replace("`--rehearse`", "")) == [check.name for check in CHECKS]


@each_page
def test_every_file_of_the_repository_that_a_command_names_is_there(page):
    for program in ("minisft", "python", "pytest"):
        for words, _ in commands(PAGES[page], program):
            for word in words:
                if word.startswith(tuple(f"{folder}/" for folder in FOLDERS)):
                    assert (ROOT / word).exists(), word


def test_the_loop_shown_in_python_runs_as_printed(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    [code] = FENCED.findall(HOUSE)
    exec(compile(code.replace("max_steps=20", "max_steps=2"), "minisft/README.md", "exec"), {})
    steps = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [step for step, _ in steps] == ["1", "2"]
    assert all(float(loss) > 0 for _, loss in steps)


# --- what a page has to name ------------------------------------------------------------------------------------------


def test_every_file_and_folder_of_the_house_has_its_line():
    for path in (ROOT / "minisft").glob("*/__init__.py"):
        assert re.search(rf"^\| \[?`{path.parent.name}/`", HOUSE, re.MULTILINE), path.parent.name
    for path in (ROOT / "minisft").glob("*.py"):
        assert f"[`{path.name}`]({path.name})" in HOUSE, path.name


def test_every_notebook_has_its_row_in_the_course():
    rows = re.findall(r"^\| \[(\d\d) .+?\]\((\1_\w+\.ipynb)\) \| \S", COURSE, re.MULTILINE)
    assert [name for _, name in rows] == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_the_numbers_of_the_concepts_stand_on_the_page_of_the_course_alone_and_each_is_explained_there():
    number = r"\bC\d+\b"
    explained = re.findall(rf"^\| ({number}) \| \S", COURSE, re.MULTILINE)
    assert explained == [f"C{i}" for i in range(1, len(explained) + 1)]
    assert set(re.findall(number, COURSE)) <= set(explained)
    assert [page for page in PAGES if re.search(number, PAGES[page])] == ["notebooks/README.md"]


def test_the_version_and_its_date_are_the_same_wherever_they_stand():
    citation = dict(re.findall(r"^([\w-]+): \"?([^\"\n]+)\"?$", text_of("CITATION.cff"), re.MULTILINE))
    assert citation["version"] == __version__
    assert f"## [{__version__}] - {citation['date-released']}" in PAGES["CHANGELOG.md"]


def test_pre_commit_has_the_ruff_of_the_tests():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    [ruff] = [need for need in project["optional-dependencies"]["test"] if need.startswith("ruff==")]
    assert set(re.findall(r"\[(ruff.*?)\]", text_of(".pre-commit-config.yaml"))) == {ruff}
