"""Answers to notebook 11."""

import numpy as np


def longest(sequences):
    return max(len(ids) for ids, _ in sequences)


def labelled(fill=-100, keep=lambda ids, mask: mask, value=lambda ids: ids, width=longest, place=lambda n, width: 0):
    def labels(sequences, pad):
        result = np.full((len(sequences), width(sequences)), fill if not callable(fill) else fill(pad))
        for row, (ids, mask) in zip(result, sequences):
            at = place(len(ids), len(row))
            row[at : at + len(ids)] = np.where(keep(np.asarray(ids), np.asarray(mask)), value(np.asarray(ids)), -100)[
                : len(row) - at
            ]
        return result

    return labels


def lists(sequences, pad):
    n = longest(sequences)
    return [[int(i) if m else -100 for i, m in zip(ids, mask)] + [-100] * (n - len(ids)) for ids, mask in sequences]


def by_pad(where):
    """The usual ways that look at the id of the padding."""

    def labels(sequences, pad):
        n = longest(sequences)
        padded = np.array([[*ids, *[pad] * (n - len(ids))] for ids, _ in sequences])
        masks = np.array([[*mask, *[True] * (n - len(mask))] for _, mask in sequences])
        return where(padded, masks, pad)

    return labels


def padded_masks(sequences, pad):
    n = longest(sequences)
    ids, masks = (np.stack([np.pad(pair[k], (0, n - len(pair[k]))) for pair in sequences]) for k in (0, 1))
    return np.where(masks, ids, -100)


def shifted(sequences, pad):
    result = labelled()(sequences, pad)
    return np.concatenate((result[:, 1:], np.full((len(result), 1), -100)), 1)


def changing(sequences, pad):
    for ids, mask in sequences:
        ids[~mask] = -100
    return labelled()(sequences, pad)


RIGHT = {"labels": {"rows": labelled(), "lists": lists, "padded masks": padded_masks, "a tuple": lambda *a: tuple(map(tuple, lists(*a))),
                    "masked arrays": lambda s, pad: np.stack([np.r_[np.where(m, i, -100), np.full(longest(s) - len(i), -100)] for i, m in s])}}  # fmt: skip
WRONG = {
    "labels": {
        "the padding is learnt": labelled(fill=lambda pad: pad), "x too": labelled(keep=lambda i, m: m | True), "x alone": labelled(keep=lambda i, m: ~m), "pad is hidden everywhere": by_pad(lambda i, m, pad: np.where((i != pad) & m, i, -100)), "pad is hidden, x is not": by_pad(lambda i, m, pad: np.where(i != pad, i, -100)),
        "padding with True": by_pad(lambda i, m, pad: np.where(m, i, -100)), "on the left": labelled(place=lambda n, width: width - n), "shifted": shifted, "shifted the other way": lambda s, pad: np.roll(shifted(s, pad), 2, 1), "0 for −100": lambda s, pad: np.where(labelled()(s, pad) == -100, 0, labelled()(s, pad)), "−1 for −100": lambda s, pad: np.where(labelled()(s, pad) == -100, -1, labelled()(s, pad)),
        "the mask": lambda s, pad: (labelled()(s, pad) != -100).astype(int), "the shortest": labelled(width=lambda s: min(len(i) for i, _ in s)), "one too wide": labelled(width=lambda s: longest(s) + 1), "without the end": labelled(keep=lambda i, m: m & np.r_[m[1:], False]), "without the first": labelled(keep=lambda i, m: m & np.r_[False, m[:-1]]), "the last run": labelled(keep=lambda i, m: m & (np.arange(len(m)) > np.flatnonzero(~m).max(initial=-1))),
        "ragged": lambda s, pad: [np.where(m, i, -100).tolist() for i, m in s], "the first alone": lambda s, pad: labelled()(s, pad)[:1], "turned round": lambda s, pad: labelled()(s, pad)[::-1], "changes the ids": changing,
    }
}  # fmt: skip
