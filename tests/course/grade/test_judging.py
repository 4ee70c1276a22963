"""One answer, judged: what is right, what is wrong, and what an answer does to get away with it."""

import os
import sys
from pathlib import Path

import pytest

from course.grade.attempts import ATTEMPTS, function
from course.grade.made_up import CHECK, RIGHT, WRONG, cells, exercise
from course.solutions import sections
from minisft.course.grade import exercises, guard, judging
from minisft.course.grade.answers import Missing, taken
from minisft.course.grading.verdict import Verdict
from minisft.formats import resources

ALL = [pytest.param(e, id=f"{e.notebook[:2]} {e.name}") for n in exercises.notebooks() for e in exercises.of(n)]


def judged(*sources, name="log_pr", notebook="01_log_probability", seed=0):
    wanted = exercise(name, notebook)
    try:
        return judging.verdict(taken(cells(*sources), wanted), wanted, seed)
    except Missing as missing:
        return Verdict(*missing.args)


@pytest.mark.parametrize("wanted", ALL)
def test_the_solution_of_every_exercise_is_right(wanted):
    verdict = judged(sections(wanted.notebook)[wanted.name], name=wanted.name, notebook=wanted.notebook)
    assert verdict.right, verdict


@pytest.mark.parametrize("wanted", ALL)
def test_the_stub_of_every_exercise_is_not_written_yet(wanted):
    program = taken(exercises.installed(wanted.notebook), wanted)
    assert judging.verdict(program, wanted, 0).right is None


def test_a_mistake_is_told_in_the_words_of_the_check():
    shifted = RIGHT.replace("log_pi[rows, ids[rows + 1]]", "log_pi[rows + 1, ids[rows + 1]]")
    assert "no shift" in judged(shifted, CHECK).text


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_attempt_makes_a_wrong_answer_right(attempt):
    verdict = judged(*ATTEMPTS[attempt], CHECK)
    assert verdict.right is False and "✓" not in verdict.text, verdict


def test_an_answer_may_print_and_warn_and_keep_a_memory():
    noisy = "import warnings\nmemory = {}\n" + RIGHT.replace(
        "    z =", "    print('hi')\n    warnings.warn('x')\n    memory[1] = 1\n    z ="
    )
    assert judged(noisy, CHECK).right


@pytest.mark.parametrize("number", ["fractions.Fraction", "decimal.Decimal", "np.float64"])
def test_a_number_of_another_class_is_a_number_and_a_text_is_none(number):
    body = f"import decimal, fractions\n{RIGHT}\nright = log_pr\ndef log_pr(*a): return {number}(float(right(*a)))"
    assert judged(body, CHECK).right
    assert judged(body.replace(number, "repr"), CHECK).right is False


def test_solutions_and_neighbours_are_not_read_wherever_they_are(tmp_path):
    for path in (
        "notebooks/solutions/01_log_probability.py",
        "minisft/course/log_probability/mistakes.py",
        "ann/01.ipynb",
    ):
        copy = tmp_path / path
        copy.parent.mkdir(parents=True)
        copy.write_text(RIGHT)
        body = function(f"exec(open({str(copy)!r}).read(), space := {{}})", "return space['log_pr'](logits, ids, is_y)")
        assert "may not read" in judged(body, CHECK).text, path


def test_of_a_repository_only_its_parts_can_be_read_and_of_an_installation_all(monkeypatch, tmp_path):
    root, installed = (Path(os.path.realpath(path)) for path in (resources.HERE.parent, tmp_path / "site-packages"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(guard.sys, "path", [str(root), str(installed)])
    monkeypatch.setattr(guard.resources, "notebooks", lambda: root / "notebooks")
    assert f"{root}{os.sep}" not in guard.readable() and f"{root / 'minisft'}{os.sep}" in guard.readable()
    monkeypatch.setattr(guard.minisft, "__file__", str(installed / "minisft" / "__init__.py"))
    monkeypatch.setattr(guard.resources, "notebooks", lambda: installed / "minisft" / "notebooks")
    assert f"{installed}{os.sep}" in guard.readable()


@pytest.mark.parametrize(
    "line",
    [
        "import zoneinfo; zoneinfo.ZoneInfo('Europe/Rome')",
        "import statistics, csv",
        "open(__file__).read()",
        "import matplotlib.pyplot",
    ],
)
def test_what_python_and_the_library_need_can_be_read(line):
    assert judged(RIGHT.replace("    z =", f"    {line}\n    z ="), CHECK).right


@pytest.mark.parametrize(
    "lines",
    [("while True: pass",), ("while True:", "    try:", "        while True: pass", "    except BaseException: pass")],
)
def test_an_answer_without_an_end_is_stopped(monkeypatch, lines):
    monkeypatch.setattr(judging, "SECONDS", 2)
    verdict = judged(function(*lines), CHECK)
    assert verdict.right is False and "does a loop never end" in verdict.text


def test_an_answer_that_waits_is_stopped(monkeypatch):
    monkeypatch.setattr(judging, "PATIENCE", 3.0)
    assert "by the clock" in judged("import time", function("time.sleep(1000)"), CHECK).text


def test_where_the_system_does_not_bound_memory_the_judge_does(monkeypatch):
    monkeypatch.setattr(judging, "BOUNDED", False)
    monkeypatch.setattr(judging, "prefix", tuple)
    monkeypatch.setattr(judging.guard, "MEMORY", 200 << 20)  # far less than the bound that the process has itself
    greedy = function("import time", "a = b'x' * (400 << 20)", "time.sleep(1000)")
    assert judged(greedy, CHECK).text == "it was stopped when it had taken 200 MB of memory"
    assert judged(RIGHT, CHECK).right


def test_memory_that_nobody_can_tell_stops_nothing(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert judging.resident(os.getpid()) == 0


def test_no_file_is_written_or_deleted(tmp_path):
    precious = tmp_path / "grades.csv"
    precious.write_text("mine")
    for lines in (
        (f"open({str(precious)!r}, 'w').write('forged')",),
        (f"import os; os.remove({str(precious)!r})",),
        (f"import os; os.open({str(tmp_path / 'new')!r}, os.O_CREAT | os.O_WRONLY)",),
        (f"import shutil; shutil.rmtree({str(tmp_path)!r})",),
        (f"import pathlib; pathlib.Path({str(precious)!r}).rename({str(tmp_path / 'x')!r})",),
    ):
        assert "may not" in judged(function(*lines, "return 0.0"), CHECK).text, lines
    assert precious.read_text() == "mine" and list(tmp_path.iterdir()) == [precious]


@pytest.mark.skipif(sys.platform != "linux" or not judging.prefix(), reason="no namespaces here")
def test_an_answer_sees_neither_the_network_nor_other_processes():
    body = function(
        "import os",
        "names = [line.split(':')[0].strip() for line in open('/proc/self/net/dev')][2:]",
        "raise ValueError(f'{names} {os.getpid()} {os.getppid()}')",
    )
    text = judged(body, CHECK).text
    assert "['lo'] 1 0" in text, text


def test_without_namespaces_the_verdicts_are_the_same(monkeypatch):
    monkeypatch.setattr(judging, "prefix", tuple)
    assert judged(RIGHT, CHECK).right
    for attempt in ("the parent is killed", "a connection is opened", "processes without end", "the process is ended"):
        assert judged(*ATTEMPTS[attempt], CHECK).right is False


ELSEWHERE = f"""
import os, signal, sys
sys.path.append({os.path.dirname(os.path.dirname(judging.minisft.__file__))!r})
sys.modules["resource"] = None
vars(os).pop("sysconf", None)
vars(signal).pop("setitimer", None)
"""


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Neither namespaces, nor limits, nor a timer, nor the time that a process took."""
    (tmp_path / "sitecustomize.py").write_text(ELSEWHERE)
    monkeypatch.setattr(judging.minisft, "__file__", str(tmp_path / "minisft" / "__init__.py"))
    monkeypatch.setattr(judging, "prefix", tuple)
    monkeypatch.setattr(judging, "spent", float)


def test_without_any_limits_of_the_system_the_verdicts_are_the_same(elsewhere, monkeypatch):
    assert judged(RIGHT, CHECK).right and not judged(WRONG, CHECK).right
    asked = judged("import resource\n" + function("resource.getpid()"), CHECK)
    assert "what the answer needs does not run" in asked.text and "resource" in asked.text
    monkeypatch.setattr(judging, "PATIENCE", 4.0)
    assert "by the clock" in judged(function("while True: pass"), CHECK).text


def test_the_solutions_cannot_be_read_in_other_letters():
    """Where A is a, they have many names."""
    path = resources.notebooks().resolve() / "solutions" / "01_log_probability.py"
    for name in (path, str(path).upper(), os.path.relpath(path, "/")):
        assert (
            "may not read the solutions"
            in judged(function("import os; os.chdir('/')", f"open({str(name)!r})"), CHECK).text
        )


def test_no_process_and_no_folder_is_left_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(judging.tempfile, "tempdir", str(tmp_path))
    for answer in (RIGHT, WRONG, ATTEMPTS["the process is ended"][-1]):
        judged(answer, CHECK)
    assert not os.listdir(tmp_path)


def test_a_live_reference_is_found_as_in_the_notebook():
    go_on = sections("07_three_states")["stop_and_go"].partition("def go_on")[2]
    save = "from minisft import train\ndef save(state):\n    return {'theta': state.theta}\n\n\n"
    body = f"{save}def go_on{go_on}"
    assert "not a copy" in judged(body, name="stop_and_go", notebook="07_three_states").text


def test_an_update_in_place_is_found_as_in_the_notebook():
    body = sections("07_three_states")["climb"].replace("theta_hat.copy()", "theta_hat")
    assert "updated in place" in judged(body, name="climb", notebook="07_three_states").text
    body = sections("07_three_states")["climb"].replace("path.append(theta.copy())", "path.append(theta)")
    assert "one array" in judged(body, name="climb", notebook="07_three_states").text


def test_a_gradient_that_is_overwritten_is_found_as_in_the_notebook():
    body = sections("04_backprop_by_hand")["linear"].replace("g.weight +=", "g.weight[...] =")
    assert "overwritten" in judged(body, name="linear", notebook="04_backprop_by_hand").text


def test_the_same_seed_gives_the_same_verdict():
    assert judged(WRONG, CHECK, seed=5) == judged(WRONG, CHECK, seed=5) != judged(WRONG, CHECK, seed=6)


def test_what_an_answer_asks_of_the_judge_is_bounded(monkeypatch):
    monkeypatch.setattr(judging, "PATIENCE", 4.0)
    flood = "def draw(next_pr, rng, length):\n    while True: next_pr(())"
    assert judged(flood, name="draw").right is False
    huge = "import numpy as np\ndef identify(things, log_pi, prompt):\n"
    huge += "    v = next(t for t in things.values() if t.ndim == 1)\n"
    huge += "    return log_pi(v, np.zeros((1, 30_000), int))"
    assert judged(huge, name="identify", notebook="07_three_states").right is False


def test_the_tool_that_a_notebook_hands_out_is_there_and_no_other():
    softmax = "from minisft.course import attention_by_hand as check\n"
    softmax += sections("05_attention_by_hand")["attention"].replace(
        "    P /= P.sum(-1, keepdims=True)\n", "    P = check.softmax(S)\n"
    )
    assert judged(softmax, name="attention", notebook="05_attention_by_hand").right
    other = softmax.replace("check.softmax", "check.probabilities")
    assert "check.probabilities is not there" in judged(other, name="attention", notebook="05_attention_by_hand").text
