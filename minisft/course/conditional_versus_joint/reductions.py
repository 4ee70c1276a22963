"""How much of a joint loss lies on y, and the weights of an objective under each reduction."""

import numpy as np

from minisft import data
from minisft.course.grading.arrays import numeric
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise

# --- the share of y --------------------------------------------------------------------------------------------------


def share(masks, prompt_loss_weight):
    n_y = sum(int(mask[1:].sum()) for mask in masks)
    n_x = sum(int((~mask[1:]).sum()) for mask in masks)
    return n_y / (prompt_loss_weight * n_x + n_y)


def counts(masks, first=1):
    return sum(int((~m[first:]).sum()) for m in masks), sum(int(m[first:].sum()) for m in masks)


def of_counts(form, first=1):
    return lambda masks, lam: form(*counts(masks, first), lam)


SHARE_MISTAKES = {
    "the first token of each sequence is counted; it is given, not predicted": of_counts(
        lambda x, y, lam: y / (lam * x + y), 0
    ),
    "this is the share of x": of_counts(lambda x, y, lam: lam * x / (lam * x + y)),
    "this is N_y / N_x: a share is a part of the whole, N_x and N_y together": of_counts(lambda x, y, lam: y / x),
    "this is N_y / (λ N_x): a share is a part of the whole": of_counts(lambda x, y, lam: y / (lam * x)),
    "λ is missing: a token of x counts λ, not 1": of_counts(lambda x, y, lam: y / (x + y)),
    "λ is applied to y; it is the weight of the tokens of x": of_counts(lambda x, y, lam: lam * y / (x + lam * y)),
    "λ is in the numerator: the tokens of y count 1": of_counts(lambda x, y, lam: lam * y / (lam * x + y)),
    "this is the mean of the shares of the sequences: token_mean divides by the tokens of the whole step": (
        lambda masks, lam: np.mean([share([mask], lam) for mask in masks])
    ),
}


@exercise
def completion_share(answer, seed=None):
    """The answer gives the part of all weight in J that lies on y, under token_mean."""
    rng = np.random.default_rng(seed)
    cases = []
    for lam in (1.0, rng.uniform(0.05, 0.9)):
        lengths = rng.integers(2, 30, (4, 2))
        cases.append(([np.arange(x + y) >= x for x, y in lengths], float(lam)))
    n_x, n_y = counts(cases[0][0])
    praise = f"N_y / (λ N_x + N_y), as here {n_y} / ({n_x} + {n_y}) = {share(*cases[0]):.3f} for λ = 1"
    return judge(numeric(answer), share, cases, SHARE_MISTAKES, praise)


# --- the weights -----------------------------------------------------------------------------------------------------


def true_weights(mask, starts, lam, reduction):
    return data.weights(np.where(mask, 1.0, lam), starts, reduction)


def lengths(starts):
    return np.repeat(np.diff(starts), np.diff(starts))


def each(values, starts):
    """The sum over its sequence, for every row."""
    return np.repeat(np.add.reduceat(np.asarray(values, float), starts[:-1]), np.diff(starts))


def after_normalising(mask, starts, lam, reduction):
    """λ comes too late: the normaliser has counted y alone."""
    return true_weights(mask, starts, 0.0, reduction) + lam * ~mask / divisor(mask, starts, reduction)


def divisor(m, starts, reduction):
    per = each(m, starts)
    sequences = np.count_nonzero(np.add.reduceat(np.asarray(m, float), starts[:-1]))
    return {"sum": 1.0, "token_mean": max(m.sum(), 1), "sequence_mean": sequences * np.where(per > 0, per, 1)}[
        reduction
    ]


def over_rows(mask, starts, lam, reduction):
    rows = {"sum": 1.0, "token_mean": len(mask), "sequence_mean": (len(starts) - 1) * lengths(starts)}
    return np.where(mask, 1.0, lam) / rows[reduction]


def without_share(mask, starts, lam, reduction):
    w = true_weights(mask, starts, lam, reduction)
    m = np.where(mask, 1.0, lam)
    return w * np.count_nonzero(np.add.reduceat(m, starts[:-1])) if reduction == "sequence_mean" else w


def of_all_sequences(mask, starts, lam, reduction):
    if reduction != "sequence_mean":
        return true_weights(mask, starts, lam, reduction)
    m = np.where(mask, 1.0, lam)
    return m / np.where(each(m, starts) > 0, each(m, starts), 1) / (len(starts) - 1)


def others_right(reduction, instead):
    """Mistaken in one reduction only."""
    return lambda mask, starts, lam, r: true_weights(mask, starts, lam, instead if r == reduction else r)


def boundary(mask):
    """The last row of x, which predicts the first token of y, taken for x."""
    return mask & np.append(False, mask[:-1])


WEIGHT_MISTAKES = {
    "λ is applied to y; it is the weight of the tokens of x": lambda mask, starts, lam, r: true_weights(
        ~mask, starts, lam, r
    ),
    "λ is applied after normalising: the divisor has to count a token of x as λ, or the weights do not sum to 1": (
        after_normalising
    ),
    "the divisor counts all rows; each row counts as much as its m: 1 on y, λ on x": over_rows,
    "the mask is aligned with the inputs: `mask` is of the targets already, so do not shift it": lambda mask, *a: (
        true_weights(np.append(False, mask[:-1]), *a)
    ),
    "the boundary is off by one: the row that predicts the first token of y has weight λ": (
        lambda mask, *a: true_weights(boundary(mask), *a)
    ),
    "λ is missing: x has weight 0": lambda mask, starts, lam, r: true_weights(mask, starts, 0.0, r),
    "λ is missing: x has weight 1": lambda mask, starts, lam, r: true_weights(mask, starts, 1.0, r),
    "sequence_mean: each sequence has weight 1; divide by the number of sequences too": without_share,
    "sequence_mean: a sequence without any weight is no part of the mean": of_all_sequences,
    "sequence_mean does what token_mean does": others_right("sequence_mean", "token_mean"),
    "token_mean does what sequence_mean does": others_right("token_mean", "sequence_mean"),
    "token_mean is not normalised": others_right("token_mean", "sum"),
    "sum is normalised; it is the formula itself, w = m": others_right("sum", "token_mean"),
}


@exercise
def weigh(answer, seed=None):
    """The answer gives w of a batch for a λ and a reduction."""
    rng = np.random.default_rng(seed)
    cases = []
    for lam in (float(rng.uniform(0.05, 0.9)), 0.0):
        sizes = rng.integers(2, 9, (4, 2))
        mask = np.concatenate([np.arange(x + y) >= x for x, y in sizes] + [np.zeros(3, bool)])  # and one without y
        starts = np.cumsum([0, *sizes.sum(1), 3])
        cases += [(mask, starts, lam, reduction) for reduction in ("sum", "token_mean", "sequence_mean")]
    praise = "m first, the divisor after: 1 on y, λ on x, in each reduction"
    return judge(numeric(answer), true_weights, cases, WEIGHT_MISTAKES, praise, rtol=1e-9)
