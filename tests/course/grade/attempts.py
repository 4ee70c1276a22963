"""What an answer may do to be taken for a right one, or to do harm: {what it is: the cells above the check}."""

from course.grade.made_up import RIGHT, WRONG


def function(*lines):
    """An answer of these lines, to the exercise log_pr."""
    return "def log_pr(logits, ids, is_y):\n    " + "\n    ".join(lines)


ATTEMPTS = {
    "the check is replaced": [
        "from minisft.course import log_probability as check\ncheck.log_pr = lambda *a: (True, '')",
        WRONG,
    ],
    "NumPy is replaced": [
        "import numpy as np\nnp.allclose = np.array_equal = lambda *a, **k: True",
        function("np.abs = np.asarray = lambda *a, **k: 0", "return 0.0"),
    ],
    "functions of Python are replaced": [
        "import builtins",
        function("builtins.isinstance = lambda *a: True", "builtins.len = lambda a: 0", "return 0.0"),
    ],
    "the process is ended": ["import os", function("os._exit(0)")],
    "the interpreter is ended": ["import sys", function("sys.exit(0)")],
    "a thread ends the process": [
        "import os, threading",
        function("threading.Thread(target=os._exit, args=(0,)).start()", "return 0.0"),
    ],
    "at the end of the process": [
        "import atexit, os",
        function("atexit.register(os._exit, 0)", "print('✓ right')", "return 0.0"),
    ],
    "the frames are searched": [
        "import sys",
        function(
            "f = sys._getframe()",
            "while f:",
            "    if 'ours' in f.f_locals: return f.f_locals['ours'][0]",
            "    f = f.f_back",
            "return 0.0",
        ),
    ],
    "everything is traced": [
        "import sys",
        function("sys.settrace(lambda *a: None)", "sys.setprofile(lambda *a: None)", "return 0.0"),
    ],
    "a number that equals all": [
        "class E(float):\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0.0",
        function("return E(1)"),
    ],
    "an array that equals all": [
        "import numpy as np\nclass E(np.ndarray):\n    def __array_ufunc__(self, *a, **k): return np.zeros(())",
        function("return np.ones(()).view(E)"),
    ],
    "an address for an array": [
        "class E: pass",
        function(
            "e = E()",
            "e.__array_interface__ = {'data': (64, False), 'shape': (), 'typestr': '<f8', 'version': 3}",
            "return e",
        ),
    ],
    "a verdict is returned": [
        function("from minisft.course.grading.verdict import Verdict", "return Verdict(True, 'right')")
    ],
    "a tuple like a verdict": [
        "from collections import namedtuple\nVerdict = namedtuple('Verdict', 'right text')",
        function("return Verdict(True, 'right')"),
    ],
    "an error that says it is right": ["class Stumbled(Exception): pass", function("raise Stumbled(True, 'right')")],
    "the reference is imported": [
        function(
            "from minisft.course.log_probability.mistakes import true_log_pr", "return true_log_pr(logits, ids, is_y)"
        )
    ],
    "the reference by another door": [
        "from minisft.course import log_probability as check",
        function("return check.likelihood.true_log_pr(logits, ids, is_y)"),
    ],
    "the reference from its file": [
        function(
            "from minisft.formats import resources",
            "import minisft.objective as o",
            "from pathlib import Path",
            "return len((Path(o.__file__).parent / 'course' / 'log_probability' / 'mistakes.py').read_text())",
        )
    ],
    "the solution from its file": [
        function(
            "from minisft.formats import resources",
            "space = {}",
            "exec((resources.notebooks() / 'solutions' / '01_log_probability.py').read_text().split('# %% perplexity')[0], space)",
            "return space['log_pr'](logits, ids, is_y)",
        )
    ],
    "a reply is forged": [
        "import os, struct, json",
        function(
            "m = json.dumps({'root': True, 'nodes': [], 'changes': []}).encode()",
            "for fd in range(3, 30):",
            "    try: os.write(fd, struct.pack('<II', len(m), 0) + m)",
            "    except OSError: pass",
            "return 0.0",
        ),
    ],
    "the pipe is filled with rubbish": [
        "import os",
        function(
            "for fd in range(3, 30):", "    try: os.write(fd, b'\\xff' * 100)", "    except OSError: pass", "return 0.0"
        ),
    ],
    "the wire is replaced": [
        function(
            "from minisft.course.grade import writer",
            "writer.Writer.item = lambda self, v, depth=0: True",
            "return 0.0",
        )
    ],
    "the parent is killed": ["import os", function("os.kill(os.getppid(), 9)", "return 0.0")],
    "everybody is killed": ["import os", function("os.kill(-1, 9)", "return 0.0")],
    "processes without end": ["import os", function("while True: os.fork()")],
    "a command is run": ["import subprocess", function("subprocess.run(['true'])", "return 0.0")],
    "a library of C is called": [function("import ctypes", "ctypes.CDLL(None)", "return 0.0")],
    "a connection is opened": [
        function("import socket", "socket.create_connection(('127.0.0.1', 9), 1)", "return 0.0")
    ],
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
}
