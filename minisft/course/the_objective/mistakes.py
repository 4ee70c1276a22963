"""J(θ) as it should be, and each mistake in it as a function of (theta, config, pairs) that makes it."""

import numpy as np

from minisft import model


def logits_of(theta, config, ids, starts=None):
    starts = np.array([0, len(ids)]) if starts is None else starts
    return model.forward(theta, config, ids, starts, np.arange(len(ids)))[0]


def log_softmax(z, axis=-1):
    z = z - z.max(axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def tables(theta, config, pairs, normalise=log_softmax):
    """For each pair: the log-probabilities that row i gives to every token, the sequence, and the length of x."""
    for x, y in pairs:
        ids = np.concatenate((x, y))
        yield normalise(logits_of(theta, config, ids)), ids, len(x)


def pieces(theta, config, pairs, *, first=0, last=0, shift=1, normalise=log_softmax):
    """[log Pr of the tokens of y] for each pair; the options are mistakes."""
    result = []
    for table, ids, begin in tables(theta, config, pairs, normalise):
        rows = np.arange(begin + first, len(ids) - last) - 1
        result.append(table[rows, ids[np.minimum(rows + shift, len(ids) - 1)]])
    return result


def true_J(theta, config, pairs):
    return sum(piece.sum() for piece in pieces(theta, config, pairs))


def in_one_sequence(theta, config, pairs):
    """Without `starts`: every pair reads all pairs before it."""
    ids = np.concatenate([part for pair in pairs for part in pair])
    is_y = np.concatenate([np.arange(len(x) + len(y)) >= len(x) for x, y in pairs])
    rows = np.flatnonzero(is_y[1:])
    return log_softmax(logits_of(theta, config, ids))[rows, ids[rows + 1]].sum()


def without_x(theta, config, pairs):
    """log Pr of y by itself, its first token given."""
    tables_of_y = ((log_softmax(logits_of(theta, config, y)), y) for _, y in pairs)
    return sum(table[np.arange(len(y) - 1), y[1:]].sum() for table, y in tables_of_y)


def joint(theta, config, pairs):
    return sum(t[np.arange(len(ids) - 1), ids[1:]].sum() for t, ids, _ in tables(theta, config, pairs))


J_MISTAKES = {
    "it is the mean over the pairs; the objective is the sum": lambda *a: true_J(*a) / len(a[2]),
    "it is the mean over the tokens; the objective is the sum": lambda *a: true_J(*a) / sum(len(y) for _, y in a[2]),
    "it is the sum of the means of the pairs: each log Pr(y|x) is a sum over its tokens": lambda *a: sum(
        piece.mean() for piece in pieces(*a)
    ),
    "no shift: row i predicts token i + 1, not the token i it has read": lambda *a: sum(
        piece.sum() for piece in pieces(*a, shift=0)
    ),
    "no shift: the rows of y are asked for the tokens they have read": lambda *a: sum(
        t[np.arange(n, len(ids)), ids[n:]].sum() for t, ids, n in tables(*a)
    ),
    "the tokens of x are in the sum: this is log Pr(x, y), without the first token": joint,
    "the first token of y is left out: the last token of x predicts it": lambda *a: sum(
        piece.sum() for piece in pieces(*a, first=1)
    ),
    "the end token is left out: it is the last token of y": lambda *a: sum(piece.sum() for piece in pieces(*a, last=1)),
    "x is not given: the model must read x before y, although only y is in the sum": without_x,
    "the pairs see each other: one pass over all of them needs `starts` where each begins": in_one_sequence,
    "the log is missing: this is Σ Pr(y|x)": lambda *a: sum(np.exp(piece.sum()) for piece in pieces(*a)),
    "the log stands before the Σ: this is log Σ Pr(y|x)": lambda *a: np.log(
        sum(np.exp(piece.sum()) for piece in pieces(*a))
    ),
    "probabilities of tokens are added; add their logarithms": lambda *a: sum(
        np.exp(piece).sum() for piece in pieces(*a)
    ),
    "a pair that D holds twice is counted once: it is two terms of the sum": lambda theta, config, pairs: true_J(
        theta, config, list({tuple(map(bytes, pair)): pair for pair in pairs}.values())
    ),
    "this is Σ log Pr(x); log Pr(y|x) is asked for": lambda *a: joint(*a) - true_J(*a),
    "these are bits; nats are asked for": lambda *a: true_J(*a) / np.log(2),
    "it is the term of the first pair only": lambda *a: pieces(*a)[0].sum(),
    "it is the term of the last pair only": lambda *a: pieces(*a)[-1].sum(),
    "the sign is turned: this is the loss, −J": lambda *a: -true_J(*a),
    "the logits are added as they are: without a softmax they are no log-probabilities": lambda *a: sum(
        piece.sum() for piece in pieces(*a, normalise=lambda z: z)
    ),
    "the softmax runs over the positions; it must run over the vocabulary": lambda *a: sum(
        piece.sum() for piece in pieces(*a, normalise=lambda z: log_softmax(z, 0))
    ),
}
