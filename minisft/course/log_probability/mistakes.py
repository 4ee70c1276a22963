"""log Pr(y|x) from logits as it should be, and each mistake in it and in the perplexity as a function that makes it."""

import numpy as np


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
