"""Five wrong objectives: those still wrong are named, and no other."""

import numpy as np
import pytest

from course.solutions import solution
from minisft.course import three_tutors as check

from .conftest import NAME, each_seed, stub

NAMES = ("pair_of", "term", "counted", "loss_of", "mean")


def repaired(seed=None, **changed):
    answers = solution(NAME, "repaired") | changed
    return check.repaired(*(answers[name] for name in NAMES), seed=seed)


@each_seed
def test_the_five_repaired_functions_are_right(seed):
    assert repaired(seed).right is True


def flawed():
    """The five lines as the notebook prints them."""
    return {
        "pair_of": lambda question, answer: {"prompt": answer, "completion": question},
        "term": lambda log_prob_y: np.exp(log_prob_y.sum()),
        "counted": lambda is_y: 1.0 * ~is_y,
        "loss_of": lambda terms: terms.mean(),
        "mean": lambda slices: np.mean([terms.mean() for terms in slices]),
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_each_flaw_left_in_is_named_and_no_other(name, seed):
    verdict = repaired(seed, **{name: flawed()[name]})
    assert verdict.right is False and f"`{name}`: still" in verdict.text
    assert not any(f"`{other}`" in verdict.text for other in NAMES if other != name)


def test_all_five_flaws_left_in_are_named():
    assert repaired(0, **flawed()).text.count(": still") == 5


@pytest.mark.parametrize(
    "name, answer, words",
    [
        ("pair_of", lambda q, a: {"prompt": q, "completion": q + a}, "would be predicted too"),
        ("pair_of", lambda q, a: {"prompt": "", "completion": q + a}, "log Pr(x, y)"),
        ("pair_of", lambda q, a: {"prompt": q.strip(), "completion": a.strip()}, "stripped"),
        ("pair_of", lambda q, a: (q, a), "`pair_of`"),
        ("pair_of", lambda q, a: {"question": q, "answer": a}, "`pair_of`"),
        ("term", lambda v: v.mean(), "their sum"),
        ("term", lambda v: np.sum(np.exp(v)), "are added"),
        ("term", lambda v: v[:-1].sum(), "end token"),
        ("term", lambda v: v, "shape"),
        ("counted", lambda m: np.ones(len(m)), "x counts too"),
        ("counted", lambda m: m / m.sum(), "number of tokens"),
        ("counted", lambda m: -1.0 * m, "sign is turned"),
        ("loss_of", lambda v: -v.sum(), "the mean is wanted"),
        ("loss_of", lambda v: -np.log(-v).mean(), "`loss_of`"),
        ("loss_of", lambda v: -np.exp(v).mean(), "exp of the terms"),
        ("mean", lambda p: sum(v.sum() for v in p) / len(p), "number of slices"),
        ("mean", lambda p: sum(v.mean() for v in p), "are added"),
        ("mean", lambda p: sum(v.sum() for v in p), "divided by nothing"),
        ("mean", lambda p: sum(v.sum() for v in p) / (len(p) * len(p[0])), "size of the first"),
        ("mean", lambda p: np.mean(p), "`mean`"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_other_ways_to_repair_wrongly_are_named(name, answer, words, seed):
    verdict = repaired(seed, **{name: answer})
    assert verdict.right is False and words in verdict.text


def test_what_is_not_written_yet_is_listed_unless_something_is_wrong():
    assert repaired(**dict.fromkeys(NAMES, stub)) == (None, f"not written yet: {', '.join(NAMES)}")
    assert repaired(mean=stub) == (None, "not written yet: mean")
    assert repaired(mean=stub, loss_of=np.mean).right is False
