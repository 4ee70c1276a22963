"""What notebook 11 asks for: the labels of a padded batch whose padding is the end token, and two predictions."""

import numpy as np

from minisft.course.grading.comparison import judge
from minisft.course.grading.verdict import Verdict, kindly, run, settle

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


MISTAKES = {
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
    "the padding stands on the left here; it is asked for on the right": left,
    "the labels are shifted; a label stands where its token stands, the loss does the shift": shifted,
    "the mask is turned round: x is labelled, y is not": turned_mask,
    f"0 stands where nothing is predicted, but 0 is a token as well; write {IGNORED}": zeros,
    f"the id of the padding stands where nothing is predicted; it is the end token, a target: write {IGNORED}": by_pad,
}


def conversation(rng, pad):
    """(ids, mask) of a conversation of one or two rounds: every turn ends with `pad`, only those of y count."""
    pieces, mask = [], []
    for is_y in [False, True] * rng.integers(1, 3):
        turn = np.append(rng.integers(pad + 1, 90, rng.integers(2, 6)), pad)
        pieces.append(turn)
        mask.append(np.full(len(turn), is_y))
    return np.concatenate(pieces), np.concatenate(mask)


@kindly
def labels(answer, seed=None):
    """Judge labels(sequences, pad) -> (S, longest) int."""
    rng = np.random.default_rng(seed)
    cases = []
    for count in (3, 4, 2):
        pad = int(rng.integers(2, 10))
        sequences = [conversation(rng, pad) for _ in range(count)]
        ids, mask = conversation(rng, pad)
        sequences.append((np.append(ids, [*ids, pad + 1, pad]), np.append(mask, [*mask, True, True])))  # the longest
        cases.append((sequences, pad))
    for case in cases:
        try:
            np.shape(run(answer, *case))
        except ValueError:
            return Verdict(False, "the rows are of different lengths: each is to be as long as the longest sequence")
    praise = "every token of y has its label, its end token too, and nothing else has one: not x, not the padding"
    return judge(answer, right_labels, cases, MISTAKES, praise)


PAYS = ("x", "y")


def who_pays(prediction, nats_x, nats_y):
    """Which part of the joint loss of real conversations is the larger one. Both in nats, as measured."""
    share = nats_x / (nats_x + nats_y)
    happened = f"Of −log Pr(x, y), {share:.0%} is −log Pr(x) and {1 - share:.0%} is −log Pr(y|x)."
    return settle(prediction, PAYS, "x" if nats_x > nats_y else "y", happened)


ENDS = ("as before", "never")


def without_ends(prediction, stopped_hat, stopped_tilde, end_hat, end_tilde):
    """What training without end tokens does to a model that knew how to stop.

    Stop rates and mean Pr(end token | x, y) of θ̂ and of θ̃, trained without end tokens: numbers from 0 to 1.
    """
    happened = (
        f"θ̂ stopped by itself in {stopped_hat:.0%} of its answers, θ̃ without end tokens in {stopped_tilde:.0%}; "
        f"Pr(end) after the right answer was {end_hat:.2f} and is {end_tilde:.1e}."
    )
    return settle(prediction, ENDS, "never" if stopped_tilde < stopped_hat / 4 else "as before", happened)
