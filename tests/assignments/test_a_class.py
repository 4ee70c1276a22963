"""A class hands in a whole notebook, each in another way: the points of nbgrader are the verdicts of `minisft grade`.

Needs the extra `nbgrader`.
"""

import pytest
from course.solutions import sections

from assignments.by_nbgrader import answered, hand_in, judged, nbgrader, points, wrong
from minisft.course import copies

pytest.importorskip("nbgrader")

NOTEBOOK = "01_log_probability"
SOLVED = sections(NOTEBOOK)
ALL = set(SOLVED)
BROKEN = (
    "%cd /",
    "import os\nos.environ.clear()",
    "def f(:",
    "while True:\n    pass",
    "check = None\nearned = points = 3\nlist = str = 4\nimport sys\nprint('hm', file=sys.stderr)",
    "quit()",
)
FORGED = "from minisft.course.grade import points\npoints.require = lambda *anything: None"
FILES = {"ipykernel_launcher.py": "import no_such", "random.py": "1 / 0", "minisft.py": "1 / 0"}


def code(text, **metadata):
    made = {"cell_type": "code", "execution_count": None, "outputs": [], "source": text, "metadata": metadata}
    return made | {"id": f"own{abs(hash(text)) % 10**6}"}


def place(written, name):
    names = [cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in written["cells"]]
    return names.index(name)


def class_of(release):
    """{student: what is handed in}"""
    solved = answered(release, SOLVED)
    cells, answer = solved["cells"], place(solved, "log_pr")
    right, bad = SOLVED["log_pr"], wrong(NOTEBOOK)["log_pr"]

    def copied(*texts):
        several = [cells[answer] | {"source": text, "id": f"copy{i}"} for i, text in enumerate(texts)]
        return cells[:answer] + several + cells[answer + 1 :]

    def after(*own):
        return [cells[0], *map(code, own), *cells[1:]]

    ways = {
        "Jürgen Größe-Müller": cells,
        "breaks all": after(*BROKEN),
        "deletes points": [cell for cell in cells if "points" not in cell["metadata"].get("nbgrader", {})],
        "loses metadata": [cell | {"metadata": {}} for cell in cells],
        "own marks": [*cells, code("1 / 0", nbgrader={"grade": True, "grade_id": "bonus", "points": 9})],
        "mends a copy": [*copied(bad, right), cells[place(solved, "log_pr-point")] | {"id": "again"}],
        "spoils a copy": copied(right, bad),
    }
    several = {student: solved | {"cells": way} for student, way in ways.items()}
    several["one of four"] = answered(release, {"draw": SOLVED["draw"]})
    several["broken"] = '{"cells": ['
    changes, forges = (answered(release, wrong(NOTEBOOK)) for _ in range(2))
    for name in ALL:
        cell = changes["cells"][place(changes, f"{name}-point")]
        cell["source"] = "assert True"
        cell["metadata"]["nbgrader"]["points"] = 100
        cell["metadata"]["tags"] = ["skip-execution"]
    forges["cells"].insert(1, code(FORGED))
    return several | {"changes": changes, "forges": forges}


NONE: set = set()
RIGHT = {"spoils a copy": ALL - {"log_pr"}, "one of four": {"draw"}}  # of the others: all
RIGHT |= {"broken": NONE, "changes": NONE, "forges": NONE}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """(the folder, {student: {exercise: points}}, what autograde said)."""
    folder = tmp_path_factory.mktemp("class")
    copies.write(folder, for_nbgrader=True)
    status, said = nbgrader(folder, "generate_assignment", NOTEBOOK)
    assert status == 0, said
    handed = class_of(folder / "release" / NOTEBOOK / f"{NOTEBOOK}.ipynb")
    for student, written in handed.items():
        path = hand_in(folder, student, NOTEBOOK, written)
        for name, text in FILES.items():
            path.with_name(name).write_text(text, encoding="utf-8")
    _, said = nbgrader(folder, "autograde", NOTEBOOK)
    return folder, {student: points(folder, NOTEBOOK, student) for student in handed}, said


def test_each_gets_the_points_of_the_answers_that_are_right(graded):
    _, found, said = graded
    for student, got in found.items():
        expected = RIGHT.get(student, ALL)
        assert got == {name: (float(name in expected), 1.0) for name in ALL}, f"{student}\n{said}"


def test_the_points_are_the_verdicts_of_grade(graded):
    folder, found, _ = graded
    verdicts = judged(folder)
    assert {s: {e: got[0] == 1 for e, got in of.items()} for s, of in found.items()} == {
        student: {exercise: right is True for exercise, right in of.items()} for student, of in verdicts.items()
    }


def test_only_what_is_no_notebook_is_named_as_an_error(graded):
    *_, said = graded
    assert "for student 'broken'" in said and said.count("There was an error processing assignment '") == 1


def test_feedback_says_what_is_wrong_and_the_export_has_the_sum(graded):
    folder, *_ = graded
    status, said = nbgrader(folder, "generate_feedback", NOTEBOOK)
    assert status == 0, said
    page = (folder / "feedback" / "one of four" / NOTEBOOK / f"{NOTEBOOK}.html").read_text(encoding="utf-8")
    assert "✗ not written yet" in page and "most recent call last" not in page
    assert nbgrader(folder, "export")[0] == 0
    rows = (folder / "grades.csv").read_text(encoding="utf-8")
    for student, total in (("Jürgen Größe-Müller", "4.0"), ("one of four", "1.0"), ("forges", "0.0")):
        (line,) = [line for line in rows.splitlines() if student in line]
        assert line.endswith(f"{total},4.0")
