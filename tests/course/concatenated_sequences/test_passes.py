"""One pass per turn: each mistake is called by its name."""

from itertools import pairwise

import numpy as np
import pytest

from minisft.course import concatenated_sequences as check

from .conftest import solved


def ends(mask):
    return [i + 1 for i in range(len(mask)) if mask[i] and (i + 1 == len(mask) or not mask[i + 1])]


def begins(mask):
    return [i for i in range(len(mask)) if mask[i] and not mask[i - 1]]


def alone(mask, a, b):
    m = np.zeros(len(mask), bool)
    m[a:b] = True
    return m


def history_trained(ids, mask):
    return [(ids[:b], mask[:b]) for b in ends(mask)]


def history_lost(ids, mask):
    cuts = [0, *ends(mask)]
    return [(ids[a:b], mask[a:b]) for a, b in pairwise(cuts)]


def prompt_lost(ids, mask):
    return [(ids[a:b], mask[a:b]) for a, b in zip(begins(mask), ends(mask))]


def end_cut(ids, mask):
    return [(ids[: b - 1], alone(mask, a, b)[: b - 1]) for a, b in zip(begins(mask), ends(mask))]


def all_trained(ids, mask):
    return [(ids[:b], np.ones(b, bool)) for b in ends(mask)]


def prompts_dropped(ids, mask):
    """Answers before are kept, the user's words are not."""
    return [(ids[:b][mask[:b]], alone(mask, a, b)[:b][mask[:b]]) for a, b in zip(begins(mask), ends(mask))]


def end_of_the_row_forgotten(ids, mask):
    """An answer ends where the mask falls, and behind the last token it does not fall."""
    return [(ids[:b], alone(mask, a, b)[:b]) for a, b in zip(begins(mask), ends(mask)) if b < len(mask)]


@pytest.mark.parametrize(
    "answer, words",
    [
        (history_trained, "counted in every pass"),
        (history_lost, "turns before are cut away"),
        (prompt_lost, "prompt is cut away"),
        (end_cut, "end token, is cut off"),
        (lambda ids, mask: [(ids, mask)], "one pass over everything"),
        (lambda ids, mask: solved("passes")(ids, mask)[-1:], "only the last answer"),
        (all_trained, "this is log Pr(x, y)"),
        # not in the catalogue
        (prompts_dropped, "is right"),
        (lambda ids, mask: [(ids, alone(mask, a, a + 1)) for a in begins(mask)], "is right"),
        (lambda ids, mask: [(ids[:b], mask) for b in ends(mask)], "not as long as its ids"),
        (lambda ids, mask: solved("passes")(ids, mask)[:1] * 2, "make one for each"),
        (end_of_the_row_forgotten, "make one for each"),
        (lambda ids, mask: [ids[:b] for b in ends(mask)], "pairs (ids, mask)"),
        (lambda ids, mask: [(ids + 100, mask)], "ids that the conversation does not have"),
    ],
)
def test_wrong_passes_are_called_by_their_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.passes(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


def test_passes_that_keep_what_follows_their_answer_are_right_too():
    """A causal model does not see it, so log Pr is the same."""
    uncut = lambda ids, mask: [(ids, alone(mask, a, b)) for a, b in zip(begins(mask), ends(mask))]  # noqa: E731
    assert check.passes(uncut, seed=0).right is True
