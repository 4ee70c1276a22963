"""The labels of a padded batch as they should be, and each mistake in them as a function that makes it."""

import numpy as np

IGNORED = -100  # what trainers with labels write where nothing is predicted


def right_labels(sequences, pad):
    """Who is padding is known by position: all that lies behind the last token of a sequence."""
    result = np.full((len(sequences), max(len(ids) for ids, _ in sequences)), IGNORED)
    for row, (ids, mask) in zip(result, sequences):
        row[: len(ids)] = np.where(mask, ids, IGNORED)
    return result


def padded(sequences, pad):
    """(ids, mask) of the padded batch."""
    longest = max(len(ids) for ids, _ in sequences)
    ids = np.stack([np.append(ids, np.full(longest - len(ids), pad)) for ids, _ in sequences])
    return ids, np.stack([np.append(mask, np.zeros(longest - len(mask), bool)) for _, mask in sequences])


def by_token(sequences, pad):
    ids, mask = padded(sequences, pad)
    return np.where(mask & (ids != pad), ids, IGNORED)


def nothing_masked(sequences, pad):
    ids, _ = padded(sequences, pad)
    return ids


def only_padding(sequences, pad):
    ids, _ = padded(sequences, pad)
    inside = np.arange(ids.shape[1]) < np.array([len(ids) for ids, _ in sequences])[:, None]
    return np.where(inside, ids, IGNORED)


def token_instead_of_mask(sequences, pad):
    ids, _ = padded(sequences, pad)
    return np.where(ids != pad, ids, IGNORED)


def every_end(sequences, pad):
    ids, mask = padded(sequences, pad)
    return np.where(mask | (ids == pad), ids, IGNORED)


def pads_are_targets(sequences, pad):
    ids, _ = padded(sequences, pad)
    inside = np.arange(ids.shape[1]) < np.array([len(ids) for ids, _ in sequences])[:, None]
    return np.where(inside, right_labels(sequences, pad), pad)


def up_to_the_first(sequences, pad):
    ids, mask = padded(sequences, pad)
    return np.where(mask & (np.cumsum(ids == pad, 1) == 0), ids, IGNORED)


def left(sequences, pad):
    turned = [(ids[::-1], mask[::-1]) for ids, mask in sequences]
    return right_labels(turned, pad)[:, ::-1]


def shifted(sequences, pad):
    labels = right_labels(sequences, pad)
    return np.append(labels[:, 1:], np.full((len(labels), 1), IGNORED), 1)


def turned_mask(sequences, pad):
    return right_labels([(ids, ~mask) for ids, mask in sequences], pad)


def zeros(sequences, pad):
    labels = right_labels(sequences, pad)
    return np.where(labels == IGNORED, 0, labels)


def by_pad(sequences, pad):
    labels = right_labels(sequences, pad)
    return np.where(labels == IGNORED, pad, labels)


def by_trailing_pads(keep):
    """Who is padding is known by token: the pads at the end of a row, but for `keep` of them."""

    def labels(sequences, pad):
        ids, _ = padded(sequences, pad)
        behind = ids.shape[1] - np.cumprod((ids == pad)[:, ::-1], 1).sum(1) + keep
        inside = np.arange(ids.shape[1]) < behind[:, None]
        result = np.where(inside, right_labels(sequences, pad), IGNORED)
        for row, at in zip(result, behind - 1):
            if keep and at < len(row):
                row[at] = pad
        return result

    return labels


def from_the_first(sequences, pad):
    return right_labels([(ids, np.cumsum(mask) > 0) for ids, mask in sequences], pad)


def one_missing(first):
    """The labels without the first, or the last, of each row."""

    def labels(sequences, pad):
        result = right_labels(sequences, pad)
        for row in result:
            row[np.flatnonzero(row != IGNORED)[slice(1) if first else slice(-1, None)]] = IGNORED
        return result

    return labels


def without_the_first_column(sequences, pad):
    result = right_labels(sequences, pad)
    result[:, 0] = IGNORED
    return result


MISTAKES = {
    "nothing is labelled at all": lambda *a: np.full_like(right_labels(*a), IGNORED),
    "an answer has lost its end token: it has the id of the padding, but it is a token of y; the model would never "
    "learn to stop": by_token,
    "every token is a target, padding included": nothing_masked,
    "the tokens of x are targets: the mask is not used": only_padding,
    "the mask is not used: x is a target, and the end token of y, which has the id of the padding, is none": (
        token_instead_of_mask
    ),
    "the padding and the end of the user's turn became targets because they are the end token": every_end,
    "the padding is a target: the model would learn to write end tokens behind the end": pads_are_targets,
    "the first end token is taken for the beginning of the padding, but it ends a turn of x": up_to_the_first,
    "the padding is found by its token, from the end of a row: the end token of y goes with it": by_trailing_pads(0),
    "the padding is found by its token, and one is kept for the end: a row that ends in x gets a label": (
        by_trailing_pads(1)
    ),
    "all that stands behind the first token of y is labelled, x too": from_the_first,
    "the first token of y has no label": one_missing(True),
    "the last token of y has no label": one_missing(False),
    "the first column has no label: that the first token is not predicted is a matter of the shift": (
        without_the_first_column
    ),
    f"−1 stands where nothing is predicted; write {IGNORED}": lambda *a: np.where(
        right_labels(*a) == IGNORED, -1, right_labels(*a)
    ),
    "the padding stands on the left here; it is asked for on the right": left,
    "the labels are shifted; a label stands where its token stands, the loss does the shift": shifted,
    "the mask is turned round: x is labelled, y is not": turned_mask,
    f"0 stands where nothing is predicted, but 0 is a token as well; write {IGNORED}": zeros,
    f"the id of the padding stands where nothing is predicted; it is the end token, a target: write {IGNORED}": by_pad,
}
