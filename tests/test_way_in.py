"""The way in is the same on every system: one script of checks, commands for every shell, versions that are known."""

import os
import re
import tomllib
from pathlib import Path

import ci
import pytest
from support import systems
from test_pages import FENCED, INDENTED, PAGES, text_of

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads(text_of("pyproject.toml"))["project"]
NEEDS = [*PROJECT["dependencies"], *(need for extra in PROJECT["optional-dependencies"].values() for need in extra)]
KNOWN = dict(line.split("==") for line in text_of("constraints.txt").splitlines() if not line.startswith("#"))
PARTS = {part.__name__ for part in ci.PARTS}


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def test_the_bash_script_and_the_workflow_run_the_parts_of_one_script():
    assert "-m tests.ci" in text_of(".ci/run")
    runs = re.findall(r"- run: python -m tests\.ci(.*)", text_of(".github/workflows/tests.yml"))
    assert [] in [run.split() for run in runs]  # somewhere all of them
    assert {part for run in runs for part in run.split()} <= PARTS


def test_the_workflow_has_three_systems_and_every_python_from_the_oldest_that_is_promised():
    matrix = text_of(".github/workflows/tests.yml")
    assert re.search(r"system: \[(.*)\]", matrix)[1].split(", ") == ["ubuntu-latest", "macos-latest", "windows-latest"]
    versions = re.findall(r'"3\.(\d+)"', re.search(r"python: \[(.*)\]", matrix)[1])
    assert versions == ["11", "12", "13", "14"]
    assert PROJECT["requires-python"] == f">=3.{versions[0]}"


def test_every_part_says_what_it_is_for():
    assert all(part.__doc__ and part.__doc__.endswith(".") for part in ci.PARTS)


def test_the_two_commands_of_readme_are_run_as_they_stand():
    assert ci.readme_commands() == ["pip install . && minisft demo", 'pip install ".[test]" && pytest']


@pytest.mark.parametrize("page", PAGES)
def test_no_command_has_single_quotes_which_windows_takes_for_letters(page):
    outside = FENCED.sub("", PAGES[page])
    lines = [line for block in FENCED.findall(PAGES[page]) for line in block.splitlines()] + INDENTED.findall(outside)
    for line in lines:
        if re.match(r"(pip|minisft|python|pytest|jupyter|mpiexec|mkdocs) ", line):
            assert "'" not in line.partition("  #")[0], line


@pytest.mark.parametrize("need", NEEDS)
def test_every_package_has_a_version_that_is_known_to_work_and_is_allowed(need):
    name, _, lowest, exact = re.match(r"([\w.-]+)(>=([\d.]+)|==([\d.]+))?", need).groups()
    if need.endswith("sys_platform == 'win32'"):
        return  # nobody has tried it
    known = KNOWN[re.sub(r"[-_.]+", "-", name).lower()]
    assert numbers(known) >= numbers(lowest or "0")
    assert exact is None or known == exact


def test_nothing_that_is_kept_changes_its_line_endings_on_the_way_to_windows():
    assert "* -text" in text_of(".gitattributes").splitlines()


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem
)
def test_a_template_for_issues_has_what_the_platform_needs(path):
    written = path.read_text(encoding="utf-8")
    assert all(re.search(rf"^{key}: ?", written, re.MULTILINE) for key in ("name", "description", "body"))
    identifiers = re.findall(r"^    id: (\w+)$", written, re.MULTILINE)
    assert len(identifiers) == len(set(identifiers)) == written.count("  - type: ")


class Item:
    """A test as pytest collects it."""

    def __init__(self, function):
        self.function, self.markers = function, []

    def add_marker(self, marker):
        self.markers.append(marker.name)


def makes_a_pipe():
    os.mkfifo("pipe")


def writes_a_file():
    Path("file").write_text("a", encoding="utf-8")


def test_a_test_that_needs_posix_is_skipped_elsewhere_and_no_other_one():
    elsewhere, here = ([Item(makes_a_pipe), Item(writes_a_file)] for _ in range(2))
    systems.skip_what_needs_posix(elsewhere, posix=False)
    systems.skip_what_needs_posix(here, posix=True)
    assert [item.markers for item in elsewhere + here] == [["skip"], [], [], []]


def test_what_cannot_be_imported_elsewhere_is_there_and_listed():
    for pattern in systems.NOT_IMPORTABLE:
        assert list((ROOT / "tests").glob(pattern))
