"""A symbol that is missing: a wrong diagnosis is told by a measurement."""

from course.solutions import solution
from minisft.course import the_objective as check

from .conftest import NOTEBOOK, named, wrong


def always(name):
    return lambda f, n: name


def confusing(one, other):
    """The right diagnosis, except that `one` is called `other`."""

    def missing(f, n):
        name = solution(NOTEBOOK, "missing")["missing"](f, n)
        return other if name == one else name

    return missing


MISSING = [
    (confusing("Σ", "log"), "it is 'Σ': 0.1 more in log Pr(y|x) of pair"),
    (confusing("log", "nothing"), "it is 'log': 0.1 more in log Pr(y|x) raises it by"),
    (confusing("y|x", "Σ"), "it is 'y|x': 0.1 more in log Pr(x)"),
    (confusing("argmax", "nothing"), "maximised, it lowers them all"),
    (confusing("nothing", "argmax"), "it is 'nothing': 0.1 more in log Pr(y|x) of any pair raises it by 0.100"),
    (always("nothing"), "you say 'nothing'"),
    (always("θ"), "'θ' is none of"),
    (always(["Σ"]), "is none of"),
    (lambda f, n: f(n), "it stops with TypeError"),
]


@named(MISSING)
def test_a_wrong_diagnosis_is_told_by_a_measurement(answer, words):
    wrong(check.missing, answer, words)
