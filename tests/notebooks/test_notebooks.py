"""The notebooks as they are committed: whole, with outputs, without solutions. They are read here, and not run."""

import ast
import json
import re
import sys
from itertools import pairwise

import pytest
from course.solutions import FOLDER, sections

NOTEBOOKS = FOLDER.parent
REAL = "11_a_real_model"  # needs a model that is installed separately
COURSE = [
    "00_start_here",
    "01_log_probability",
    "02_the_objective",
    "03_concatenated_sequences",
    "04_backprop_by_hand",
    "05_attention_by_hand",
    "06_pretraining",
    "07_three_states",
    "08_conditional_versus_joint",
    "09_three_tutors",
    "10_bug_lab",
    REAL,
    "12_lora",
]
CONCEPTS = {  # the notebook that shows each of the twenty
    "01_log_probability": [20],
    "02_the_objective": [1, 4, 10, 11, 17, 18],
    "03_concatenated_sequences": [2],
    "07_three_states": [5, 6, 7, 8, 9, 16],
    "08_conditional_versus_joint": [15, 19],
    "09_three_tutors": [3, 12, 13, 14],
}
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
READ = {name: json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")) for name in NAMES}
EXERCISES = [
    (name, cell["metadata"]["exercise"])
    for name, notebook in READ.items()
    for cell in notebook["cells"]
    if "exercise" in cell["metadata"]
]

each_notebook = pytest.mark.parametrize("name", NAMES)
each_exercise = pytest.mark.parametrize("name, exercise", EXERCISES, ids=lambda text: text)


def cells(name, kind):
    return [cell for cell in READ[name]["cells"] if cell["cell_type"] == kind]


def source(cell):
    return "".join(cell["source"])


def sources(name, kind):
    return [source(cell) for cell in cells(name, kind)]


def texts(name):
    """All that the outputs of a notebook show in letters."""
    for cell in cells(name, "code"):
        for output in cell["outputs"]:
            yield "".join(output.get("text", ""))
            yield from ("".join(text) for kind, text in output.get("data", {}).items() if kind.startswith("text/"))


def place(name, exercise):
    """The stub of an exercise, and the cell after it."""
    found = [i for i, cell in enumerate(READ[name]["cells"]) if cell["metadata"].get("exercise") == exercise]
    assert len(found) == 1, "an exercise has one stub"
    return READ[name]["cells"][found[0]], READ[name]["cells"][found[0] + 1]


# --- a notebook -------------------------------------------------------------------------------------------------------


def test_the_notebooks_of_the_course_are_all_there():
    assert NAMES == COURSE


@each_notebook
def test_a_notebook_has_the_format_4_5_and_every_cell_a_name_of_its_own(name):
    notebook = READ[name]
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[\w-]{1,64}", identity) for identity in names)
    common = {"cell_type", "id", "metadata", "source"}
    for cell in notebook["cells"]:
        assert cell.keys() == (common | {"outputs", "execution_count"} if cell["cell_type"] == "code" else common)
        assert cell["cell_type"] in ("code", "markdown")
        assert cell["metadata"].keys() <= {"exercise", "slideshow", "tags"}


@each_notebook
def test_it_has_been_run_from_top_to_bottom(name):
    counts = [cell["execution_count"] for cell in cells(name, "code")]
    assert counts == list(range(1, len(counts) + 1))
    assert any(cell["outputs"] for cell in cells(name, "code"))


@each_notebook
def test_nothing_it_shows_is_an_error_a_warning_or_a_wrong_answer(name):
    outputs = [output for cell in cells(name, "code") for output in cell["outputs"]]
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)
    for text in texts(name):
        assert "Warning" not in text and "✗" not in text, text


@each_notebook
def test_it_names_no_place_on_a_machine(name):
    for text in (*map(source, READ[name]["cells"]), *texts(name)):
        assert not re.search(r"(?<![\w.:/])/(work|home|tmp|root|Users|usr|opt|var)/|[A-Z]:\\\\?Users", text), text


@each_notebook
def test_it_opens_with_title_formula_goals_time_and_prerequisites(name):
    opening = source(READ[name]["cells"][0])
    assert READ[name]["cells"][0]["cell_type"] == "markdown" and opening.startswith(f"# {name[:2]} ")
    assert "$" in opening
    for words in ("by the end", "minute", "prerequisite|before (it|this)|needs|builds on"):
        assert re.search(words, opening.lower()), words


@each_notebook
def test_it_imports_nothing_but_minisft_numpy_and_the_standard_library(name):
    for code in sources(name, "code"):
        for node in ast.walk(ast.parse(code)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {module.split(".")[0] for module in names} <= {"minisft", "numpy", *sys.stdlib_module_names}


@each_notebook
def test_what_it_links_to_goes_along_to_the_students(name):
    for text in sources(name, "markdown"):
        for target in re.findall(r"\]\(([^)\s]+)|(?:src|href)=\"([^\"]+)", text):
            target = "".join(target).split("#")[0]
            if target and not target.startswith(("http://", "https://", "attachment:", "data:")):
                assert (NOTEBOOKS / target).is_file() and "/" not in target and target.endswith(".ipynb"), target


@pytest.mark.parametrize("name, following", list(pairwise(COURSE)))
def test_the_last_text_leads_to_the_next_notebook(name, following):
    assert f"]({following}.ipynb)" in sources(name, "markdown")[-1]


def test_the_first_one_says_what_each_of_the_others_answers():
    listed = re.findall(r"^\| \[[^]]+\]\((\w+)\.ipynb\)", "\n".join(sources(COURSE[0], "markdown")), re.MULTILINE)
    assert listed == COURSE[1:]


@each_notebook
def test_it_is_small_enough_to_be_read_by_mail(name):
    assert (NOTEBOOKS / f"{name}.ipynb").stat().st_size <= 1_500_000


def test_the_one_about_a_real_model_does_nothing_without_it_but_define_and_check_the_exercise():
    loading, *others = sources(REAL, "code")
    assert "model_is_there = False" in loading
    for line in (line for code in others for line in ast.parse(code).body):
        asks = isinstance(line, ast.If) and ast.unparse(line.test) == "model_is_there" and not line.orelse
        assert asks or isinstance(line, (ast.FunctionDef, ast.Assign)) or ast.unparse(line) == "check.labels(labels)"


@pytest.mark.parametrize("name, number", [(name, number) for name in CONCEPTS for number in CONCEPTS[name]])
def test_a_concept_is_named_in_the_notebook_that_shows_it(name, number):
    if name not in READ:
        pytest.skip("not written yet")
    named = re.findall(r"\bC\d+\b", " ".join(re.findall(r"\(C\d[^()]*\)", " ".join(sources(name, "markdown")))))
    assert f"C{number}" in named


def test_the_twenty_concepts_have_a_notebook_each():
    assert sorted(number for numbers in CONCEPTS.values() for number in numbers) == list(range(1, 21))


# --- an exercise ------------------------------------------------------------------------------------------------------


@each_notebook
def test_every_exercise_has_a_solution_and_every_solution_an_exercise(name):
    exercises = [exercise for notebook, exercise in EXERCISES if notebook == name]
    solutions = list(sections(name)) if (FOLDER / f"{name}.py").exists() else []
    assert sorted(exercises) == sorted(solutions) and len(set(exercises)) == len(exercises)


def test_every_file_of_solutions_has_a_notebook():
    assert {path.stem for path in FOLDER.glob("*.py")} <= set(NAMES)


@each_exercise
def test_the_stub_is_met_kindly_in_the_cell_after_it(name, exercise):
    _, after = place(name, exercise)
    assert after["cell_type"] == "code"
    assert "".join(after["outputs"][-1]["data"]["text/plain"]).startswith("◌ not written yet")


def functions(code):
    """{name: its statements as text, without a docstring} of the functions of a cell, methods included."""
    found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    return {node.name: [ast.unparse(line) for line in node.body if not is_text(line)] for node in found}


def is_text(line):
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


@each_exercise
def test_a_stub_names_what_is_to_be_written_or_repaired_and_is_not_the_solution(name, exercise):
    """What stands below `raise NotImplementedError`, if anything, is to be repaired."""
    stub, _ = place(name, exercise)
    asked, solved = functions(source(stub)), functions(sections(name)[exercise])
    open_ones = {function: lines[1:] for function, lines in asked.items() if lines[:1] == ["raise NotImplementedError"]}
    assert open_ones and asked.keys() <= solved.keys(), "the functions of the solution have the names of the stub"
    assert all(lines != solved[function] for function, lines in open_ones.items())
    documented = [node for node in ast.walk(ast.parse(source(stub))) if isinstance(node, ast.FunctionDef)]
    assert all(ast.get_docstring(node) for node in documented if node.name in open_ones)


@each_exercise
def test_the_solution_of_an_exercise_stands_in_no_cell_of_the_notebook(name, exercise):
    stub, _ = place(name, exercise)
    given = functions(source(stub))
    shown = [lines for code in sources(name, "code") for lines in functions(code).values()]
    for function, lines in functions(sections(name)[exercise]).items():
        assert lines == given.get(function) or lines not in shown


# --- the page for teachers --------------------------------------------------------------------------------------------

TEACHERS = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COURSE)
def test_the_page_for_teachers_plans_and_measures_every_notebook(name):
    plan, measured = TEACHERS.split("## Time and memory")
    assert f"]({name}.ipynb)" in plan and re.search(rf"^\| {name[:2]} \|( [^|]+ \|)+$", measured, re.MULTILINE)


def test_what_the_page_for_teachers_links_to_is_there():
    for target in re.findall(r"\]\((?!http)([^)#]+)", TEACHERS):
        assert (NOTEBOOKS / target).exists(), target


def test_the_mistakes_on_the_page_for_teachers_are_said_by_a_check():
    checks = " ".join(path.read_text(encoding="utf-8") for path in (NOTEBOOKS.parent / "minisft/course").rglob("*.py"))
    quoted = re.findall(r"^\| [\d, ]+ \| \"(.+?)\" \|", TEACHERS, re.MULTILINE)
    assert len(quoted) >= 10
    for sentence in quoted:
        assert sentence.replace("\\|", "|") in checks, sentence


# --- on the projector -------------------------------------------------------------------------------------------------


@each_notebook
def test_a_cell_fits_on_a_slide_but_for_a_stub_that_is_the_code_to_repair(name):
    cells_ = [cell for cell in cells(name, "code") if "exercise" not in cell["metadata"]]
    assert [source(cell) for cell in cells_ if len(source(cell).splitlines()) > 15] == []


@each_notebook
def test_every_picture_has_a_text_alternative(name):
    outputs = [output for cell in cells(name, "code") for output in cell["outputs"]]
    shown = [o["metadata"].get("image/png", {}) for o in outputs if "image/png" in o.get("data", {})]
    assert shown and all(len(of.get("alt", "").split()) > 5 for of in shown)


@each_notebook
def test_an_exercise_says_how_hard_it_is_and_how_long_it_takes(name):
    headings = [
        line for text in sources(name, "markdown") for line in text.splitlines() if re.match("#+ Exercise", line)
    ]
    assert headings and [h for h in headings if not re.search(r"\((●○○|●●○|●●●), \d+ min(, on paper)?\)", h)] == []


@each_notebook
def test_it_says_at_its_end_what_was_shown_and_where_to_go(name):
    *_, last = sources(name, "markdown")
    assert any(re.search("^## Recap", text, re.MULTILINE) for text in sources(name, "markdown"))
    assert re.search(r"\]\(\d\d_\w+\.ipynb\)", last)
