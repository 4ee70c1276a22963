"""How much of a joint loss lies on y, and the weights of an objective under each reduction."""

import numpy as np

from minisft import data
from minisft.course.grading.arrays import numeric
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise

# --- the fraction of y ----------------------------------------------------------------------------------------------


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
    "this is the fraction of x": of_counts(lambda x, y, lam: lam * x / (lam * x + y)),
    "this is N_y / N_x: a fraction is a part of the whole, N_x and N_y together": of_counts(lambda x, y, lam: y / x),
    "this is N_y / (λ N_x): a fraction is a part of the whole": of_counts(lambda x, y, lam: y / (lam * x)),
    "λ is missing: a token of x counts λ, not 1": of_counts(lambda x, y, lam: y / (x + y)),
    "λ is applied to y; it is the weight of the tokens of x": of_counts(lambda x, y, lam: lam * y / (x + lam * y)),
    "λ is in the numerator: the tokens of y count 1": of_counts(lambda x, y, lam: lam * y / (lam * x + y)),
    "this is the mean of the fractions of the sequences: token_mean divides by the tokens of the whole step": (
        lambda masks, lam: np.mean([share([mask], lam) for mask in masks])
    ),
    "the last token of each sequence is left out, not the first: the first is given, the last is predicted": (
        lambda masks, lam: share([np.append(False, mask[:-1]) for mask in masks], lam)
    ),
    "one token is left out in all: every sequence has a first token that is given": (
        lambda masks, lam: share([np.concatenate(masks)], lam)
    ),
    "a first token is left out only where it is x: it is given, even where it is y": lambda masks, lam: (
        counts(masks, 0)[1] / (lam * counts(masks)[0] + counts(masks, 0)[1])
    ),
    "a sequence without y is left out: its tokens of x have weight, too": lambda masks, lam: share(
        [mask for mask in masks if mask[1:].any()], lam
    ),
    "what stands after y is left out: it counts as x": lambda masks, lam: share(
        [mask[: np.flatnonzero(mask).max(initial=-1) + 1] if mask.any() else mask for mask in masks], lam
    ),
    "only the first sequence is counted": lambda masks, lam: share(masks[:1], lam),
    "this is the weight of one token of y: how much lies on all of them?": of_counts(
        lambda x, y, lam: 1 / (lam * x + y)
    ),
    "it is in per cent: a fraction is a number from 0 to 1": lambda masks, lam: 100 * share(masks, lam),
    "λ is cut to at most 1: it may be larger": lambda masks, lam: share(masks, min(lam, 1)),
    "λ is squared": lambda masks, lam: share(masks, lam**2),
}


def drawn(rng, sizes, after):
    """For each (tokens of x, of y), and so many of x after it, the mask of a sequence."""
    return [np.repeat([False, True, False], (x, y, z)) for (x, y), z in zip(sizes, after)]


@exercise
def completion_share(answer, seed=None):
    """The answer gives the part of all weight in J that lies on y, under token_mean."""
    rng = np.random.default_rng(seed)
    cases = []
    for lam in (1.0, rng.uniform(0.05, 0.9), rng.uniform(1.5, 4)):
        lengths = rng.integers(2, 30, (4, 2))
        cases.append((drawn(rng, lengths, (0, 1, 0, 3)), float(lam)))  # behind an answer stands a line break
    document, question = np.ones(rng.integers(3, 9), bool), np.zeros(rng.integers(3, 9), bool)  # all y, and no y
    cases.append(([document, *drawn(rng, rng.integers(2, 9, (2, 2)), (1, 0)), question], float(rng.uniform(0.2, 0.8))))
    n_x, n_y = counts(cases[0][0])
    praise = f"N_y / (λ N_x + N_y), as here {n_y} / ({n_x} + {n_y}) = {share(*cases[0]):.3f} for λ = 1"
    return judge(numeric(answer), share, cases, SHARE_MISTAKES, praise)


# --- the weights -----------------------------------------------------------------------------------------------------


REDUCTIONS = ("sum", "token_mean", "sequence_mean")


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
    return {
        "sum": 1.0,
        "token_mean": max(m.sum(), 1),
        "sequence_mean": sequences_with(m, starts) * np.where(per > 0, per, 1),
    }[reduction]


def over_rows(mask, starts, lam, reduction):
    rows = {"sum": 1.0, "token_mean": len(mask), "sequence_mean": (len(starts) - 1) * lengths(starts)}
    return np.where(mask, 1.0, lam) / rows[reduction]


def at_least_one(mask, starts, lam, reduction):
    """Divisors that are never below 1: right as long as a token of y is there."""
    m = np.where(mask, 1.0, lam)
    total = {"sum": 1, "token_mean": m.sum(), "sequence_mean": each(m, starts)}[reduction]
    return m / np.maximum(total, 1) / (sequences_with(m, starts) if reduction == "sequence_mean" else 1)


def one_divisor(reduction, total):
    """Mistaken in the divisor of one reduction."""

    def wrong(mask, starts, lam, r):
        m = np.where(mask, 1.0, lam)
        return m / total(m, mask, starts) if r == reduction else true_weights(mask, starts, lam, r)

    return wrong


def sequences_with(m, starts):
    return max(np.count_nonzero(np.add.reduceat(np.asarray(m, float), starts[:-1])), 1)


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
    "the sign is turned: these are the weights of −J": lambda *a: -true_weights(*a),
    "a divisor is held at 1 or more: with λ alone, Σ m may lie between 0 and 1": at_least_one,
    "token_mean: a divisor held at 1 or more; with λ alone, Σ m may lie between 0 and 1": one_divisor(
        "token_mean", lambda m, mask, starts: max(m.sum(), 1)
    ),
    "sequence_mean: a divisor held at 1 or more; with λ alone, Σ m may lie between 0 and 1": one_divisor(
        "sequence_mean", lambda m, mask, starts: np.maximum(each(m, starts), 1) * sequences_with(m, starts)
    ),
    "token_mean: the divisor counts all rows, a token of x as 1; it counts λ": one_divisor(
        "token_mean", lambda m, mask, starts: len(m)
    ),
    "token_mean: the divisor counts the rows with any weight; it is Σ m, and a token of x counts λ in it": one_divisor(
        "token_mean", lambda m, mask, starts: max(np.count_nonzero(m), 1)
    ),
    "token_mean: the divisor counts y alone; a token of x counts λ in it": one_divisor(
        "token_mean", lambda m, mask, starts: max(mask.sum(), 1)
    ),
    "sequence_mean: a sequence is divided by its rows, not by its Σ m": one_divisor(
        "sequence_mean", lambda m, mask, starts: lengths(starts) * sequences_with(m, starts)
    ),
    "sequence_mean: divided by len(starts), which is one more than there are sequences": one_divisor(
        "sequence_mean", lambda m, mask, starts: np.where(each(m, starts) > 0, each(m, starts), 1) * len(starts)
    ),
    "λ is cut to at most 1: it may be larger": lambda mask, starts, lam, r: true_weights(mask, starts, min(lam, 1), r),
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
        cases += [(mask, starts, lam, reduction) for reduction in REDUCTIONS]
    praise = "m first, the divisor after: 1 on y, λ on x, in each reduction"
    verdict = judge(numeric(answer), true_weights, cases, WEIGHT_MISTAKES, praise)
    if not verdict.right:
        return verdict
    lam, starts = float(rng.uniform(0.01, 0.09)), np.array([0, 3, 8])
    cases = [(np.zeros(8, bool), starts, lam, reduction) for reduction in REDUCTIONS]  # no y: Σ m lies below 1
    lam, mask = float(rng.uniform(1.5, 4)), np.repeat([True, False, True, False], rng.integers(1, 5, 4))
    starts = np.array([0, np.flatnonzero(mask[1:] & ~mask[:-1])[0], len(mask)])
    cases += [(mask, starts, lam, reduction) for reduction in REDUCTIONS]  # λ above 1, and x behind y
    return judge(numeric(answer), true_weights, cases, WEIGHT_MISTAKES, praise)
