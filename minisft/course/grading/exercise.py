"""What every exercise and every prediction of the course has in common, whatever is judged.

An exercise is drawn from a fresh seed, which a verdict names; tries are kept, and lead to hints and to the solution.
"""

import functools
import hashlib
import inspect

import numpy as np

from minisft.course.grading import cases, progress
from minisft.course.grading.excerpts import described
from minisft.course.grading.help import Way, helped, notebook_of, ways
from minisft.course.grading.limits import allowance
from minisft.course.grading.verdict import Verdict, kindly


def exercise(check):
    """The check of an exercise: its arguments are answers, and at last a seed (None: a fresh one)."""
    asks, package, name = inspect.signature(check), check.__module__.split(".")[2], check.__name__

    @functools.wraps(check)
    def checked(*arguments, **options):
        given = asks.bind(*arguments, **options)
        fresh = given.arguments.get("seed") is None
        if fresh:
            given.arguments["seed"] = int(np.random.default_rng().integers(2**31))
        if any(getattr(answer, "__module__", "") == check.__module__ for answer in given.args):
            return Verdict(False, "this function is the check's own: write yours")
        with allowance():
            verdict = kindly(check)(*given.args, **given.kwargs)
        if verdict.right is False:
            cases.was_wrong()
            if fresh:
                seed = given.arguments["seed"]
                verdict = Verdict(False, f"{verdict.text} (seed {seed}: the same cases again with seed={seed})")
        return with_a_way_on(verdict, package, name, given.args)

    return checked


def with_a_way_on(verdict, package, name, answers):
    """The verdict kept as a try, and with the help that so many tries have earned."""
    notebook = notebook_of(package)
    tries = set()
    if verdict.right is not None:
        entry = {"right": verdict.right, "said": verdict.text.split(" (seed ")[0], "answer": digest(answers)}
        tries = {e.get("answer") for e in progress.note(notebook, "tries", name, entry) if e.get("right") is False}
    if verdict.right:
        return verdict
    return helped(verdict, ways(notebook).get(name, Way((), "")), len(tries))


def digest(answers) -> str:
    """A short name of what was written: the same for the same code, however often it is handed in."""
    texts = [written(answer) for answer in answers if callable(answer)]
    return hashlib.sha256("\n".join(texts or map(described, answers)).encode()).hexdigest()[:12]


def written(answer) -> str:
    try:
        return inspect.getsource(answer)
    except (OSError, TypeError):
        return spelled(getattr(answer, "__code__", None) or type(answer))


def spelled(code) -> str:
    """Compiled code, and that of the functions in it, as text."""
    inner = [spelled(c) if inspect.iscode(c) else repr(c) for c in getattr(code, "co_consts", ())]
    return f"{getattr(code, 'co_code', code)!r} {getattr(code, 'co_names', '')} {inner}"


def quiz(check):
    """The check of a prediction, which is its first argument, None as long as there is none."""
    package, name = check.__module__.split(".")[2], check.__name__

    @functools.wraps(check)
    def checked(prediction, *arguments, **options):
        verdict = kindly(check)(prediction, *arguments, **options)
        if verdict.right is not None:
            entry = {"right": verdict.right, "said": described(prediction)}
            progress.note(notebook_of(package), "predictions", name, entry)
        return verdict

    return checked
