"""One answer, judged: what is right, what is wrong, and what an answer does to get away with it."""

import os
import sys

import pytest

from minisft.course.grade import exercises, judging
from minisft.course.grade.answers import Missing, taken
from minisft.course.grading.verdict import Verdict
from tests.course.grade.made_up import CHECK, RIGHT, WRONG, cells, exercise
from tests.course.solutions import sections

ALL = [pytest.param(e, id=f"{e.notebook[:2]} {e.name}") for n in exercises.notebooks() for e in exercises.of(n)]


def judged(*sources, name="log_pr", notebook="01_log_probability", seed=0):
    wanted = exercise(name, notebook)
    try:
        return judging.verdict(taken(cells(*sources), wanted), wanted, seed)
    except Missing as missing:
        return Verdict(*missing.args)


def function(*lines):
    return "def log_pr(logits, ids, is_y):\n    " + "\n    ".join(lines)


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


ATTEMPTS = {
    "the check is replaced": ["from minisft.course import log_probability as check\ncheck.log_pr = lambda *a: (True, '')", WRONG],
    "NumPy is replaced": ["import numpy as np\nnp.allclose = np.array_equal = lambda *a, **k: True", function("np.abs = np.asarray = lambda *a, **k: 0", "return 0.0")],
    "functions of Python are replaced": ["import builtins", function("builtins.isinstance = lambda *a: True", "builtins.len = lambda a: 0", "return 0.0")],
    "the process is ended": ["import os", function("os._exit(0)")],
    "the interpreter is ended": ["import sys", function("sys.exit(0)")],
    "a thread ends the process": ["import os, threading", function("threading.Thread(target=os._exit, args=(0,)).start()", "return 0.0")],
    "at the end of the process": ["import atexit, os", function("atexit.register(os._exit, 0)", "print('✓ right')", "return 0.0")],
    "the frames are searched": [
        "import sys",
        function("f = sys._getframe()", "while f:", "    if 'ours' in f.f_locals: return f.f_locals['ours'][0]", "    f = f.f_back", "return 0.0"),
    ],
    "everything is traced": ["import sys", function("sys.settrace(lambda *a: None)", "sys.setprofile(lambda *a: None)", "return 0.0")],
    "a number that equals all": ["class E(float):\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0.0", function("return E(1)")],
    "an array that equals all": ["import numpy as np\nclass E(np.ndarray):\n    def __array_ufunc__(self, *a, **k): return np.zeros(())", function("return np.ones(()).view(E)")],
    "an address for an array": ["class E: pass", function("e = E()", "e.__array_interface__ = {'data': (64, False), 'shape': (), 'typestr': '<f8', 'version': 3}", "return e")],
    "a verdict is returned": [function("from minisft.course.grading.verdict import Verdict", "return Verdict(True, 'right')")],
    "a tuple like a verdict": ["from collections import namedtuple\nVerdict = namedtuple('Verdict', 'right text')", function("return Verdict(True, 'right')")],
    "an error that says it is right": ["class Stumbled(Exception): pass", function("raise Stumbled(True, 'right')")],
    "the reference is imported": [function("from minisft.course.log_probability.mistakes import right", "return right(logits, ids, is_y)")],
    "the reference by another door": ["from minisft.course import log_probability as check", function("return check.likelihood.true_log_pr(logits, ids, is_y)")],
    "the reference from its file": [
        function("from minisft.formats import resources", "import minisft.objective as o", "from pathlib import Path", "return len((Path(o.__file__).parent / 'course' / 'log_probability' / 'mistakes.py').read_text())")
    ],
    "the solution from its file": [
        function("from minisft.formats import resources", "space = {}", "exec((resources.notebooks() / 'solutions' / '01_log_probability.py').read_text().split('# %% perplexity')[0], space)", "return space['log_pr'](logits, ids, is_y)")
    ],
    "a reply is forged": [
        "import os, struct, json",
        function("m = json.dumps({'root': True, 'nodes': [], 'changes': []}).encode()", "for fd in range(3, 30):", "    try: os.write(fd, struct.pack('<II', len(m), 0) + m)", "    except OSError: pass", "return 0.0"),
    ],
    "the pipe is filled with rubbish": ["import os", function("for fd in range(3, 30):", "    try: os.write(fd, b'\\xff' * 100)", "    except OSError: pass", "return 0.0")],
    "the wire is replaced": [function("from minisft.course.grade import writer", "writer.Writer.item = lambda self, v, depth=0: True", "return 0.0")],
    "the parent is killed": ["import os", function("os.kill(os.getppid(), 9)", "return 0.0")],
    "everybody is killed": ["import os", function("os.kill(-1, 9)", "return 0.0")],
    "processes without end": ["import os", function("while True: os.fork()")],
    "a command is run": ["import subprocess", function("subprocess.run(['true'])", "return 0.0")],
    "a library of C is called": [function("import ctypes", "ctypes.CDLL(None)", "return 0.0")],
    "a connection is opened": [function("import socket", "socket.create_connection(('127.0.0.1', 9), 1)", "return 0.0")],
    "memory in one piece": ["import numpy as np", function("return np.ones(10**10).sum()")],
    "memory bit by bit": [function("a = []", "while True: a.append(bytes(10**7))")],
    "an array that is all one number": ["import numpy as np", function("return np.broadcast_to(1.0, (10**6, 10**6))")],
    "a large array": ["import numpy as np", function("return np.ones(10**7)")],
    "a long number": [function("return 10**100_000")],
    "lists in lists": [function("a = []", "for _ in range(10_000): a = [a]", "return a")],
    "a list in itself": [function("a = []", "a.append(a)", "return a")],
    "results without end": [function("while True: yield 1")],
    "arguments are changed": ["import numpy as np\n" + RIGHT.replace("    z =", "    ids[...] = 0\n    z =")],
    "not a number": [function("return float('nan')")],
    "nothing": [function("pass")],
    "no function": ["log_pr = 5"],
    "an error with an error": ["class E(Exception):\n    def __str__(self): raise SystemExit", function("raise E")],
    "a text that is no text": [function("raise ValueError('\\ud800')")],
    "what it needs does not run": ["n = 1 / 0", function("return n")],
    "lines that nest too deep": ["n = " + "-" * 100_000 + "1", function("return n")],
}  # fmt: skip


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_attempt_makes_a_wrong_answer_right(attempt):
    verdict = judged(*ATTEMPTS[attempt], CHECK)
    assert verdict.right is False and "✓" not in verdict.text, verdict


def test_an_answer_may_print_and_warn_and_keep_a_memory():
    noisy = "import warnings\nmemory = {}\n" + RIGHT.replace(
        "    z =", "    print('hi')\n    warnings.warn('x')\n    memory[1] = 1\n    z ="
    )
    assert judged(noisy, CHECK).right


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
    assert "waits" in judged("import time", function("time.sleep(1000)"), CHECK).text


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
        "import os", "names = os.listdir('/sys/class/net')", "raise ValueError(f'{names} {os.getpid()} {os.getppid()}')"
    )
    text = judged(body, CHECK).text
    assert " 1 0" in text and "eth" not in text, text


def test_without_namespaces_the_verdicts_are_the_same(monkeypatch):
    monkeypatch.setattr(judging, "prefix", tuple)
    assert judged(RIGHT, CHECK).right
    for attempt in ("the parent is killed", "a connection is opened", "processes without end", "the process is ended"):
        assert judged(*ATTEMPTS[attempt], CHECK).right is False


def test_no_process_and_no_folder_is_left_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(judging.tempfile, "tempdir", str(tmp_path))
    for answer in (RIGHT, WRONG, ATTEMPTS["the process is ended"][-1]):
        judged(answer, CHECK)
    assert not os.listdir(tmp_path)


def test_a_live_reference_is_found_as_in_the_notebook():
    go_on = sections("07_three_states")["stop_and_go"].partition("def go_on")[2]
    body = (
        "from minisft import train\ndef save(state):\n    return {'theta': state.theta, 'moments': state.optimizer.moments, 'updates': 1, 'step': 1, 'num_tokens': 1}\n\n\ndef go_on"
        + go_on
    )
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
