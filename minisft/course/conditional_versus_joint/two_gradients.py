"""∇ log Pr(x) and ∇ log Pr(y|x) of a batch, and the angle between them."""

from dataclasses import replace

import numpy as np

from minisft import data, model, train
from minisft.config import ModelConfig
from minisft.course.grading.arrays import two_vectors
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run, same
from minisft.data import Sequence
from minisft.params import Params


def part_of(theta, config, part, rows):
    """∇ Σ log Pr over the chosen rows (N,) bool."""
    grad = theta.like()
    train.value_and_grad(theta, grad, config, replace(part, weights=rows.astype(float)), dJ=1.0)
    return grad.flat


def both(theta, config, part):
    return np.stack([part_of(theta, config, part, rows) for rows in (~part.is_y, part.is_y)])


def angle_of(gradients):
    cosine = np.vdot(*gradients) / (np.linalg.norm(gradients[0]) * np.linalg.norm(gradients[1]))
    return np.degrees(np.arccos(cosine))


def of_inputs(theta, config, part):
    is_y = np.append(False, part.is_y[:-1])
    return np.stack([part_of(theta, config, part, rows) for rows in (~is_y, is_y)])


def other_rows(change):
    """The two gradients of a batch that is read wrongly."""
    return lambda theta, config, part: both(theta, config, change(part))


def without(rows):
    """The two gradients where some rows, given by `starts`, are left out."""

    def some(theta, config, part):
        kept = np.ones(len(part.is_y), bool)
        kept[rows(part.starts)] = False
        return np.stack([part_of(theta, config, part, kept & chosen) for chosen in (~part.is_y, part.is_y)])

    return some


def unit(theta, config, part):
    gradients = both(theta, config, part)
    return gradients / np.linalg.norm(gradients, axis=1, keepdims=True)


def means(theta, config, part):
    return both(theta, config, part) / np.array([[(~part.is_y).sum()], [part.is_y.sum()]])


GRADIENT_MISTAKES = {
    "the two are swapped: that of x comes first": lambda *a: both(*a)[::-1],
    "the sign is that of the loss: ∇ log Pr points uphill": lambda *a: -both(*a),
    "both are of the loss and swapped": lambda *a: -both(*a)[::-1],
    "the second still holds the first: backward adds to grad, so start from zeros again": lambda *a: np.cumsum(
        both(*a), 0
    ),
    "the first is ∇ log Pr(x, y), of all rows: take only those that predict x": lambda *a: np.stack(
        [both(*a).sum(0), both(*a)[1]]
    ),
    "both are one buffer, which holds the sum: grad.flat is no copy, and backward adds to it": lambda *a: np.stack(
        [both(*a).sum(0)] * 2
    ),
    "both are one buffer, which holds ∇ log Pr(y|x): grad.flat is no copy": lambda *a: np.stack([both(*a)[1]] * 2),
    "each is divided by the number of its rows: these are means, and means do not add up to the joint": means,
    "both are divided by the number of all rows: the sum is asked for, not the mean": lambda *a: (
        both(*a) / len(a[2].is_y)
    ),
    "the mask is aligned with the inputs, not the targets: row i belongs to y if the token it predicts does": of_inputs,
    "both are divided by the number of sequences: the sum over the batch is asked for": lambda *a: (
        both(*a) / (len(a[2].starts) - 1)
    ),
    "both are divided by their lengths: the gradients themselves are asked for": unit,
    "the sequences read one another: hand on `part.starts`": other_rows(lambda p: replace(p, starts=p.starts[[0, -1]])),
    "the targets are the inputs: each row predicts the token after its own": other_rows(
        lambda p: replace(p, targets=p.ids)
    ),
    "the last row of each sequence is left out": without(lambda starts: starts[1:] - 1),
    "the first row of each sequence is left out": without(lambda starts: starts[:-1]),
    "the first is of the loss, the second is not: one of them has the wrong sign": lambda *a: both(*a) * [[-1], [1]],
    "the second is of the loss, the first is not: one of them has the wrong sign": lambda *a: both(*a) * [[1], [-1]],
}
ANGLE_MISTAKES = {
    "the angle is in radians; degrees are asked for": lambda g: np.radians(angle_of(g)),
    "this is the cosine of the angle; np.arccos makes an angle of it": lambda g: np.cos(np.radians(angle_of(g))),
    "this is the dot product; the cosine is it divided by both norms": lambda g: np.vdot(*g),
    "this is the angle between ∇ log Pr(x, y) and ∇ log Pr(y|x)": lambda g: angle_of((g[0] + g[1], g[1])),
    "this is the angle between ∇ log Pr(x, y) and ∇ log Pr(x)": lambda g: angle_of((g[0] + g[1], g[0])),
    "this is the angle between two lines, at most 90°: the sign of the dot product is lost": lambda g: min(
        angle_of(g), 180 - angle_of(g)
    ),
    "np.arcsin makes another angle of the cosine than np.arccos": lambda g: 90 - angle_of(g),
    "the dot product is divided by one norm squared, not by both norms": lambda g: np.degrees(
        np.arccos(np.vdot(*g) / np.vdot(g[1], g[1]))
    ),
}


def case(rng):
    """A random model of float64 and a batch of three sequences, all weights 1."""
    sizes = {"vocab_size": 11, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2}
    config = ModelConfig(**sizes, num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=32)
    theta, sequences = Params.random(rng, model.shapes(config)), []
    for _ in range(3):
        n_x, n_y = rng.integers(2, 7, 2)
        sequences.append(Sequence(rng.integers(0, 11, n_x + n_y), np.arange(n_x + n_y) >= n_x, "random"))
    return theta, config, data.collate(sequences, 1.0, "sum", np.float64)


@exercise
def two_gradients(answer, seed=None):
    """The answer gives ∇ log Pr(x), ∇ log Pr(y|x) and the angle between them in degrees, of a batch."""
    rng = np.random.default_rng(seed)
    cases = [case(rng) for _ in range(2)]
    while not min(angles := [angle_of(both(*c)) for c in cases]) + 1 < 90 < max(angles) - 1:  # one of each side
        cases = [case(rng) for _ in range(2)]
    results = [run(answer, *c) for c in cases]
    theirs = [two_vectors(result, c[0].flat.size) for result, c in zip(results, cases)]

    def made_by(form):
        return all(same(form(*c), g) for c, g in zip(cases, theirs))

    if not made_by(both):
        for sentence, mistake in GRADIENT_MISTAKES.items():
            if made_by(mistake):
                return Verdict(False, sentence)
        off = np.linalg.norm(theirs[0] - both(*cases[0]), axis=1) / np.linalg.norm(both(*cases[0]), axis=1)
        return Verdict(False, f"off by {off[0]:.2g} of the length of ∇ log Pr(x), {off[1]:.2g} of ∇ log Pr(y|x)")
    found = [both(*c) for c in cases]
    try:
        angles = [float(result[2]) for result in results]
    except (TypeError, ValueError):
        return Verdict(
            False, f"both gradients are right, but the angle is {results[0][2]!r:.40}, not a number of degrees"
        )

    def angles_by(form):
        with np.errstate(all="ignore"):
            return np.allclose([form(g) for g in found], angles, rtol=1e-7, atol=1e-12, equal_nan=True)

    if angles_by(angle_of):
        return Verdict(True, "two gradients that add up to ∇ log Pr(x, y), and the angle between them")
    for sentence, mistake in ANGLE_MISTAKES.items():
        if angles_by(mistake):
            return Verdict(False, sentence)
    right, given = max(
        zip(map(angle_of, found), angles), key=lambda pair: abs(np.nan_to_num(np.subtract(*pair), nan=1e9))
    )
    return Verdict(False, f"both gradients are right, but the angle is {right:.6g}, not {given:.6g}")
