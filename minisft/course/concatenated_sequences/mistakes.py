"""Between a conversation and its weights: each mistake of notebook 03 as a function that makes it."""

import numpy as np

# --- ids, targets, weights of one conversation -----------------------------------------------------------------------


def marked(messages, encode, start, end, joined=False, newline="\n", spelled=False, header="\n"):
    """The ids of a conversation, and for each what it is: "x", "header", "y", "end", "newline", "end of x"."""
    runs = []
    for message in messages:
        role, content = message["role"], message["content"]
        x, y = ("header", "y") if role == "assistant" else ("x", "x")
        runs.append((encode("<|im_start|>") if spelled else [start], x))
        texts = [(role + header, x), (content, y)]
        runs += (
            [(encode(role + header + content), y)] if joined or y == "x" else [(encode(t), kind) for t, kind in texts]
        )
        runs.append((encode("<|im_end|>") if spelled else [end], "end" if y == "y" else "end of x"))
        runs.append((encode(newline), "newline" if y == "y" else "x"))
    ids = [i for part, _ in runs for i in part]
    return np.array(ids), np.array([kind for part, kind in runs for _ in part])


def shifted(ids, mask):
    return ids[:-1], ids[1:], 1.0 * mask[1:]


def spans(mask):
    """(first, last + 1) of each run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False]))
    return list(zip(edges[::2], edges[1::2]))


def trained(*kinds, turns=slice(None), cut=shifted, **ways):
    """The ids, targets and weights of a conversation in which these kinds of tokens are targets."""

    def laid_out(messages, encode, start, end):
        ids, what = marked(messages, encode, start, end, **ways)
        mask, kept = np.isin(what, kinds), np.zeros(len(ids), bool)
        for first, last in spans(mask)[turns]:
            kept[first:last] = mask[first:last]
        return cut(ids, kept)

    return laid_out


def without_last_end(messages, encode, start, end):
    """The last answer's end token is left out of the sequence, with the newline after it."""
    ids, what = marked(messages, encode, start, end)
    keep = slice(None, int(np.flatnonzero(what == "end")[-1]))
    return shifted(ids[keep], np.isin(what[keep], ("y", "end")))


EVERYTHING = ("x", "end of x", "header", "y", "end", "newline")
BUILD = {
    "the mask is aligned with the inputs, not the targets: row i predicts token i + 1, so the mask is cut with the "
    "targets": trained("y", "end", cut=lambda ids, m: (ids[:-1], ids[1:], 1.0 * m[:-1])),
    "there is no shift: the targets are the inputs, so each row is asked for the token it has just read": trained(
        "y", "end", cut=lambda ids, m: (ids[:-1], ids[:-1], 1.0 * m[:-1])
    ),
    "there is no shift: all n tokens are inputs and, in the same place, targets": trained(
        "y", "end", cut=lambda ids, m: (ids, ids, 1.0 * m)
    ),
    "the shift is made twice: row i is asked for token i + 2": trained(
        "y", "end", cut=lambda ids, m: (ids[:-2], ids[2:], 1.0 * m[2:])
    ),
    "the shift goes the wrong way: inputs and targets are exchanged": trained(
        "y", "end", cut=lambda ids, m: (ids[1:], ids[:-1], 1.0 * m[:-1])
    ),
    "the end token of the answer is masked, as happens where pad = eos and every pad is masked": trained("y"),
    "the end token is left out after the last answer": without_last_end,
    "the header of the answer is trained: it is given when the model answers, so it belongs to x": trained(
        "header", "y", "end"
    ),
    "the newline after the answer's end token is trained: the model has stopped before it": trained(
        "y", "end", "newline"
    ),
    "the prompt is not masked: this is log Pr(x, y)": trained(*EVERYTHING),
    "only the content of the prompt is masked; header and newline of an answer are trained": trained(
        "header", "y", "end", "newline"
    ),
    "the mask is inverted: x is trained, y is not": trained("x", "end of x", "header", "newline"),
    "every end token is trained, those of the user's and the system's turns too": trained("y", "end", "end of x"),
    "only the last answer is trained; every answer is a target": trained("y", "end", turns=slice(-1, None)),
    "only the first answer is trained; every answer is a target": trained("y", "end", turns=slice(1)),
    "the newline after an end token is missing": trained("y", "end", newline=""),
    "the special tokens are spelled out as text": trained("y", "end", spelled=True),
    "the newline after the role is missing": trained("y", "end", header=""),
    "header and content of an answer are encoded in one piece, and trained as one": trained("y", "end", joined=True),
    "the system's turn is left out": lambda messages, *rest: trained("y", "end")(
        [message for message in messages if message["role"] != "system"], *rest
    ),
    "the weights are those of a mean; asked for is the sum, the formula itself": trained(
        "y", "end", cut=lambda ids, m: (ids[:-1], ids[1:], m[1:] / m[1:].sum())
    ),
}


# --- weights of a step made of micro-batches -------------------------------------------------------------------------


def divided(by):
    """Weights m / (what `by` says of the list of micro-batches and one of them); where that is 0, 0."""
    return lambda parts: [np.where(m > 0, m, 0) / (by(parts, m) or 1.0) for m in parts]


STEP = {
    "this is the mean of means: each micro-batch is divided by its own sum and then by their number, so a token among "
    "few counts more than one among many": divided(lambda parts, m: m.sum() * len(parts)),
    "each micro-batch is divided by its own sum, never by their number: the step is that many times too large": divided(
        lambda parts, m: m.sum()
    ),
    "this is the mean of means over the micro-batches that have a target": divided(
        lambda parts, m: m.sum() * sum(part.any() for part in parts)
    ),
    "it is divided by all rows, those of weight 0 too: long prompts make the step small": divided(
        lambda parts, m: sum(map(len, parts))
    ),
    "it is divided by the number of rows with m > 0, not by the sum of m: with λ = 0.1 a row counts a tenth": divided(
        lambda parts, m: sum(np.count_nonzero(part) for part in parts)
    ),
    "it is divided twice: by the sum over the step and by the number of micro-batches": divided(
        lambda parts, m: sum(part.sum() for part in parts) * len(parts)
    ),
    "it is divided by the number of micro-batches alone": divided(lambda parts, m: len(parts)),
    "it is divided by 1 where the sum of m is less: with λ = 0.1 and few rows it may be, and 1 is no limit": divided(
        lambda parts, m: max(sum(part.sum() for part in parts), 1)
    ),
    "nothing is divided: these are the weights of `sum`": divided(lambda parts, m: 1.0),
    "m is lost: every row that counts gets the same weight": lambda parts: [
        (m > 0) / max(sum(np.count_nonzero(part) for part in parts), 1) for m in parts
    ],
}


# --- sequences side by side ------------------------------------------------------------------------------------------


def side_by_side(positions=lambda own, row: own, allowed=lambda same, i, j: same & (j <= i), starts=lambda s: s):
    def laid_out(lengths):
        bounds = np.cumsum([0, *lengths])
        row, number = np.arange(bounds[-1]), np.repeat(np.arange(len(lengths)), lengths)
        together = number[:, None] == number
        return starts(bounds), positions(row - bounds[number], row), 1.0 * allowed(together, row[:, None], row)

    return laid_out


LAYOUT = {
    "the positions run on through the batch: each sequence begins at 0": side_by_side(lambda own, row: row),
    "the positions begin at 1: the first token of a sequence stands at 0": side_by_side(lambda own, row: own + 1),
    "a row may read the sequences before its own: they leak into it": side_by_side(allowed=lambda s, i, j: j <= i),
    "positions run on, and a row may read the sequences before its own: one long text, not a batch": side_by_side(
        lambda own, row: row, lambda s, i, j: j <= i
    ),
    "a row may read what follows it: then the answer is copied, not predicted": side_by_side(allowed=lambda s, i, j: s),
    "allowed is transposed: rows ask, columns are read, so column j ≤ row i": side_by_side(
        allowed=lambda s, i, j: s & (j >= i)
    ),
    "a row may not read itself: it knows only what stood before its own token": side_by_side(
        allowed=lambda s, i, j: s & (j < i)
    ),
    "every row may read every row": side_by_side(allowed=lambda s, i, j: s | True),
    "starts lacks its last entry, the end of the last sequence": side_by_side(starts=lambda s: s[:-1]),
    "starts lacks its first entry, 0": side_by_side(starts=lambda s: s[1:]),
    "allowed is inverted: it is True where a row may read": side_by_side(allowed=lambda s, i, j: ~(s & (j <= i))),
}


# --- one pass a turn -------------------------------------------------------------------------------------------------


def per_turn(keep=lambda first, last, previous: (0, last), target=lambda first, last: (first, last), earlier=False):
    def passes(ids, mask):
        result, previous = [], 0
        for first, last in spans(mask):
            begin, stop = keep(first, last, previous)
            m = mask.copy() if earlier else np.zeros(len(ids), bool)
            m[slice(*target(first, last))] = True
            result.append((ids[begin:stop], m[begin:stop]))
            previous = last
        return result

    return passes


TURNS = {
    "earlier answers stay targets, so the first is counted in every pass": per_turn(earlier=True),
    "the turns before are cut away: y_k is given all that precedes it, answers included": per_turn(
        keep=lambda first, last, previous: (previous, last)
    ),
    "the prompt is cut away: what is left is Pr(y), not Pr(y | x)": per_turn(
        keep=lambda first, last, previous: (first, last)
    ),
    "the last token of each answer, its end token, is cut off": per_turn(
        keep=lambda first, last, previous: (0, last - 1)
    ),
    "the end token stays in, but is no target": per_turn(target=lambda first, last: (first, last - 1)),
    "the first token of each answer is no target": per_turn(target=lambda first, last: (first + 1, last)),
    "all tokens of a pass are targets: this is log Pr(x, y)": per_turn(target=lambda first, last: (0, last)),
    "it is one pass over everything, the form to be taken apart: make one pass for each answer": lambda ids, mask: [
        (ids, mask)
    ],
    "only the last answer has a pass": lambda ids, mask: per_turn()(ids, mask)[-1:],
}
