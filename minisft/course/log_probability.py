"""Checks of notebook 01: log Pr(y|x) from logits, perplexity, all answers of a small vocabulary, and drawing one."""

import numpy as np

from minisft.course.answer_trees import answers, draw
from minisft.course.grading.comparison import judge
from minisft.course.grading.verdict import Verdict, settle

__all__ = ["answers", "draw", "hardest", "log_pr", "perplexity", "reach", "underflow"]

# --- log Pr(y|x) from logits -----------------------------------------------------------------------------------------


def log_softmax(z, axis=-1):
    z = z - z.max(axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def terms(table, ids, is_y, ahead=1):
    """table[i, ids[i + ahead]] for the rows i whose token i + ahead belongs to y."""
    rows = np.flatnonzero(is_y[ahead:])
    return table[rows, ids[rows + ahead]]


def true_log_pr(logits, ids, is_y):
    return terms(log_softmax(logits), ids, is_y).sum()


def of_inputs(logits, ids, is_y):
    rows = np.flatnonzero(is_y[:-1])
    return log_softmax(logits)[rows, ids[rows + 1]].sum()


LOG_PR = {
    "no shift: row i is asked about ids[i], the token it has just read; it predicts ids[i + 1]": lambda z, ids, y: (
        terms(log_softmax(z), ids, y, 0).sum()
    ),
    "no shift of the tokens: the mask is cut with the targets, but row i is asked about ids[i]": lambda z, ids, y: (
        log_softmax(z)[:-1][y[1:], ids[:-1][y[1:]]].sum()
    ),
    "a double shift: row i predicts ids[i + 1], not ids[i + 2]": lambda z, ids, y: terms(
        log_softmax(z), ids, y, 2
    ).sum(),
    "the mask is aligned with the inputs, not the targets: row i counts if ids[i + 1] belongs to y": of_inputs,
    "the prompt is in the sum: this is log Pr of the whole sequence, rows that predict tokens of x do not count": (
        lambda z, ids, y: terms(log_softmax(z), ids, np.ones(len(ids), bool)).sum()
    ),
    "it is the mean over the tokens of y; log Pr(y|x) is their sum": lambda z, ids, y: terms(
        log_softmax(z), ids, y
    ).mean(),
    "the softmax runs over the positions (axis 0); it must run over the vocabulary, along a row": lambda z, ids, y: (
        terms(log_softmax(z, 0), ids, y).sum()
    ),
    "the softmax runs over the whole matrix; each row is a distribution of its own": lambda z, ids, y: terms(
        log_softmax(z, None), ids, y
    ).sum(),
    "it is Pr(y|x), the product of the probabilities; its logarithm is wanted": lambda z, ids, y: np.exp(
        terms(log_softmax(z), ids, y).sum()
    ),
    "the probabilities are added; add their logarithms": lambda z, ids, y: np.exp(terms(log_softmax(z), ids, y)).sum(),
    "the end token is left out: it is the last token of y, and is predicted like the others": lambda z, ids, y: terms(
        log_softmax(z), ids, y
    )[:-1].sum(),
    "the first token of y is left out: the last row of x predicts it": lambda z, ids, y: terms(log_softmax(z), ids, y)[
        1:
    ].sum(),
    "the logarithm is to base 2 (bits); natural logarithms (nats) are wanted": lambda z, ids, y: (
        true_log_pr(z, ids, y) / np.log(2)
    ),
    "the logarithm is to base 10; natural logarithms (nats) are wanted": lambda z, ids, y: (
        true_log_pr(z, ids, y) / np.log(10)
    ),
    "the sign is turned: this is the loss, −log Pr(y|x)": lambda z, ids, y: -true_log_pr(z, ids, y),
    "the logits are added as they are: without a softmax they are no probabilities": lambda z, ids, y: terms(
        z, ids, y
    ).sum(),
    "these are the likeliest tokens of each row; the targets are wanted, likely or not": lambda z, ids, y: (
        log_softmax(z)[:-1][y[1:]].max(-1).sum()
    ),
}


def conversation(rng, tail=2, size=1.0):
    """(logits, ids, is_y) of a prompt, an answer of at least 3 tokens, and `tail` tokens after it."""
    V, before, length = rng.integers([5, 2, 3], [9, 6, 7])
    n = before + length + tail
    positions = np.arange(n)
    is_y = (positions >= before) & (positions < before + length)
    return size * rng.standard_normal((n, V)), rng.integers(0, V, n), is_y


def log_pr(answer, seed=None) -> Verdict:
    """answer(logits (n, V), ids (n,), is_y (n,)) -> log Pr(y|x): with tokens after y, without, and large logits."""
    rng = np.random.default_rng(seed)
    praise = "log Pr(y|x) = Σ_i log Pr(y_i | x, y_<i): right for ragged sequences and for logits of any size"
    verdict = judge(answer, true_log_pr, [conversation(rng) for _ in range(4)], LOG_PR, praise)
    if not verdict.right:
        return verdict
    verdict = judge(answer, true_log_pr, [conversation(rng, tail=0) for _ in range(2)], {}, praise)
    if not verdict.right:
        return Verdict(False, f"right while tokens follow y, wrong where y ends the sequence: {verdict.text}")
    verdict = judge(answer, true_log_pr, [conversation(rng, size=1e3)], {}, praise)
    if not verdict.right:
        return Verdict(False, f"exp overflows: take the largest logit of each row off first ({verdict.text})")
    return verdict


# --- perplexity ------------------------------------------------------------------------------------------------------

PERPLEXITY = {
    "the sum is not divided by the number of tokens of y": lambda v, y: np.exp(-v[y[1:]].sum()),
    "the minus is missing: this is the geometric mean of the probabilities, one over the perplexity": lambda v, y: (
        np.exp(v[y[1:]].mean())
    ),
    "the mean runs over all tokens; only those of y count": lambda v, y: np.exp(-v.mean()),
    "the sum over y is divided by the number of all tokens": lambda v, y: np.exp(-v[y[1:]].sum() / len(v)),
    "the mask is aligned with the inputs: log_probs[i] belongs to token i + 1": lambda v, y: np.exp(-v[y[:-1]].mean()),
    "exp is missing: this is the loss a token": lambda v, y: -v[y[1:]].mean(),
    "2 to the power of nats: with natural logarithms the base is e": lambda v, y: 2 ** -v[y[1:]].mean(),
    "it is the mean of 1/Pr; the perplexity is exp of a mean of logarithms": lambda v, y: np.exp(-v[y[1:]]).mean(),
    "it is one over the mean probability; take the mean of the logarithms": lambda v, y: 1 / np.exp(v[y[1:]]).mean(),
}


def perplexity(answer, seed=None) -> Verdict:
    """answer(log_probs (n − 1,), is_y (n,)) -> exp(− mean of log Pr over the tokens of y)."""
    rng = np.random.default_rng(seed)
    cases = [conversation(rng) for _ in range(4)]
    cases = [(log_softmax(z)[np.arange(len(ids) - 1), ids[1:]], is_y) for z, ids, is_y in cases]
    praise = "a model that finds V tokens equally likely has perplexity V: yours counts choices a token"
    return judge(answer, lambda v, y: np.exp(-v[y[1:]].mean()), cases, PERPLEXITY, praise)


# --- quizzes ---------------------------------------------------------------------------------------------------------


def hardest(prediction, token_texts, log_probs) -> Verdict:
    """Which token of y has the smallest log Pr? token_texts and log_probs are those of y, in order."""
    worst, last = int(np.argmin(log_probs)), len(log_probs) - 1
    options = ("the first", "one in the middle", "the last")
    outcome = options[0 if worst == 0 else 2 if worst == last else 1]
    share = log_probs[worst] / np.sum(log_probs)
    happened = (
        f"The least expected token of y is number {worst + 1} of {last + 1}, {token_texts[worst]!r}: "
        f"{log_probs[worst]:.2f} nats, {share:.0%} of log Pr(y|x) = {np.sum(log_probs):.2f} nats."
    )
    return settle(prediction, options, outcome, happened)


def reach(prediction, before, after, row) -> Verdict:
    """Which rows change if the target of `row` is replaced? before, after: log Pr of every row (n,)."""
    difference = np.abs(after - before)
    moved = np.flatnonzero(difference > 1e-9)
    options = ("its own row only", "its own row and later ones", "all rows", "no row")
    kind = 3 if not len(moved) else 2 if moved[0] < row else 0 if moved[-1] == row else 1
    happened = (
        f"{len(moved)} of {len(before)} rows change: {', '.join(map(str, moved)) or 'none'}. The token is the "
        f"target of row {row} and an input of the rows behind it; the rows before it differ by "
        f"{difference[:row].max(initial=0):.0e}."
    )
    return settle(prediction, options, options[kind], happened)


def underflow(prediction, count) -> Verdict:
    """After how many tokens is the product 0? count: as it came out."""
    sizes = {"about 20": 20, "about 100": 100, "about 1000": 1000, "about 10000": 10000}
    outcome = min(sizes, key=lambda name: abs(np.log(count / sizes[name])))
    happened = f"The product is 0 from {count} tokens on."
    return settle(prediction, tuple(sizes), outcome, happened)
