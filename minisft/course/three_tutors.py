"""The checks of notebook 09: objectives for a shop and its customers, wrong ones, and how to train by any of them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from minisft import data, optim, train
from minisft.course.grading.arrays import numeric
from minisft.course.grading.comparison import judge
from minisft.course.grading.verdict import Verdict, settle


def by_weights(theta_hat, config, sequences, settings, weigh: Callable) -> Iterator[train.State]:
    """`finetune` by any J = Σᵢ wᵢ log π(yᵢ): before every step, weigh(θ_t, batch) says the weights w (N,) of its rows.

    The batch is given with the weights of `sum` and λ = 0, its mask and its starts. Yields θ_t after every step.
    """
    state = train.start(theta_hat.copy(), settings)
    grad, size = state.theta.like(), settings.batch_size
    for t in range(settings.max_steps):
        epoch, k = divmod(t, math.ceil(len(sequences) / size))
        order = train.order(len(sequences), settings, epoch)
        batch = data.batch([sequences[i] for i in order[k * size : (k + 1) * size]], 0.0, "sum", state.theta.flat.dtype)
        batch = replace(batch, weights=np.asarray(weigh(state.theta, batch), state.theta.flat.dtype))
        rate = optim.learning_rate(settings, t, settings.max_steps)
        state.metrics = train.step(state.theta, grad, state.optimizer, batch, config, settings, rate)
        state.step += 1
        yield state


# --- quizzes ---------------------------------------------------------------------------------------------------------

BANDS = ("below 40 %", "40 to 80 %", "above 80 %")
SHARES = ("all on the most frequent answer", "equal shares", "the shares of the data")
FALLING = ("none", "one or two", "three or four")


def spread(shares) -> str:
    return f"{np.mean(shares):.0%} ({', '.join(f'{share:.0%}' for share in shares)})"


def best(prediction, scores: dict[str, list[float]], why: str) -> Verdict:
    """Which of several is best on held-out questions? scores: {name: a share for each seed}."""
    outcome = max(scores, key=lambda name: np.mean(scores[name]))
    others = max(max(values) for name, values in scores.items() if name != outcome)
    clear = "its worst seed beats the best of all others" if min(scores[outcome]) > others else "yet the seeds overlap"
    measured = "; ".join(f"{name}: {spread(values)}" for name, values in scores.items())
    return settle(prediction, tuple(scores), outcome, f"Held out, three seeds: {measured}; {clear}. {why}")


def band(prediction, shares: list[float], why: str) -> Verdict:
    """In which band is the mean of a share over the seeds?"""
    outcome = BANDS[int(np.mean(shares) >= 0.4) + int(np.mean(shares) > 0.8)]
    return settle(prediction, BANDS, outcome, f"It is {spread(shares)}. {why}")


def nearest_shares(prediction, model: list[np.ndarray], frequency: list[np.ndarray]) -> Verdict:
    """What a model's probabilities of the answers look like: for each topic Pr(answer) (k,), and the frequencies (k,).

    The distance is half the sum of absolute differences between shares, averaged over the topics.
    """
    guesses = {
        SHARES[0]: lambda f: (f == f.max()) / np.count_nonzero(f == f.max()),
        SHARES[1]: lambda f: np.full(len(f), 1 / len(f)),
        SHARES[2]: lambda f: f,
    }
    distance = {
        name: np.mean([0.5 * np.abs(p / p.sum() - guess(f)).sum() for p, f in zip(model, frequency)])
        for name, guess in guesses.items()
    }
    measured = ", ".join(f"{value:.2f} from {name}" for name, value in distance.items())
    why = "A sum of log Pr over all pairs is largest where the model gives each answer its share of the data."
    return settle(prediction, SHARES, min(distance, key=distance.get), f"The model's shares lie {measured}. {why}")


def falling(prediction, own: dict[str, tuple[float, float]]) -> Verdict:
    """Of how many wrong objectives does the loss fall? own: {name: (its own loss under θ̂, under θ̃)}, in nats.

    A loss falls if it loses at least a tenth of a nat.
    """
    fell = [name for name, (before, after) in own.items() if after < before - 0.1]
    outcome = FALLING[(len(fell) + 1) // 2]
    what = f"It falls for {len(fell)} of {len(own)}: {', '.join(fell) or 'none'}. "
    return settle(prediction, FALLING, outcome, what + "A falling loss says that some objective is met, not which one.")


# --- the weights of the shop's objective -----------------------------------------------------------------------------


def mean_over_pairs(is_y, starts):
    return is_y / (len(starts) - 1)


def pairs_of(is_y, starts):
    """The number of the pair of each row, and how many rows of y that pair has."""
    pair = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return pair, np.bincount(pair, is_y)[pair]


def without_the_last(is_y):
    """The same mask, but for the last row of each run."""
    return is_y & np.append(is_y[1:], False)


WEIGHTS = {
    "w is 1 on x too: this is the joint objective, log Pr(x, y)": lambda m, s: np.ones(len(m)) / (len(s) - 1),
    "w is 1 on x and 0 on y: this trains the questions, log Pr(x)": lambda m, s: ~m / (len(s) - 1),
    "the sum over the pairs is not divided by their number S": lambda m, s: m.astype(float),
    "you divide by the number of tokens of y (token_mean); the mean runs over the pairs": lambda m, s: m / m.sum(),
    "you divide by the number of all rows; the mean runs over the pairs": lambda m, s: m / len(m),
    "each pair is divided by its own number of tokens: then its term is no longer log Pr(y|x)": lambda m, s: (
        m / (len(s) - 1) / pairs_of(m, s)[1]
    ),
    "each pair is divided by its number of tokens, and not by the number of pairs": lambda m, s: m / pairs_of(m, s)[1],
    "S is len(starts) − 1: `starts` has one entry more than there are pairs": lambda m, s: m / len(s),
    "the end token has weight 0: a model trained so never learns to stop": lambda m, s: (
        without_the_last(m) / (len(s) - 1)
    ),
    "the mask is shifted once more: is_y[i] is about the token that row i predicts already": lambda m, s: (
        np.append(m[1:], False) / (len(s) - 1)
    ),
    "the mask is shifted to the right: row i then counts if the token it reads belongs to y": lambda m, s: (
        np.append(False, m[:-1]) / (len(s) - 1)
    ),
    "the sign is turned: J is maximised, and the trainer sets the minus": lambda m, s: m / (1 - len(s)),
}


def weights(answer, seed=None) -> Verdict:
    """answer(is_y (N,), starts (S + 1,)) -> w (N,) with Σ w log π = the mean over the pairs of log Pr(y|x)."""
    rng = np.random.default_rng(seed)
    cases = []
    for pairs in (3, 5, 4):
        lengths = zip(rng.integers(2, 6, pairs), rng.permutation(9)[:pairs] + 2)
        masks = [np.repeat([False, True, False], (x, y, 1)) for x, y in lengths]  # a line break ends it
        cases.append((np.concatenate(masks), np.cumsum([0, *map(len, masks)])))
    praise = "Σ w log π is the mean of log Pr(y|x) over the pairs: each pair counts once, a long answer as a whole"
    return judge(numeric(answer), mean_over_pairs, cases, WEIGHTS, praise)


# --- Pr(answer | enquiry) --------------------------------------------------------------------------------------------


def of_y(log_probs, masks):
    return [v[m[1:]] for v, m in zip(log_probs, masks)]


def right_probabilities(log_probs, masks):
    return np.array([np.exp(v.sum()) for v in of_y(log_probs, masks)])


def each(f, part=of_y):
    """A way to make one number a sequence of the log-probabilities that `part` picks."""
    return lambda log_probs, masks: np.array([f(v) for v in part(log_probs, masks)])


def normalised(log_probs, masks):
    p = right_probabilities(log_probs, masks)
    return p / p.sum()


PROBABILITIES = {
    "these are log-probabilities: exp is missing": each(np.sum),
    "the end token is left out: this is the probability that the model begins so, not that it then stops": each(
        lambda v: np.exp(v[:-1].sum())
    ),
    "the prompt is in the sum: this is Pr(enquiry, answer)": each(lambda v: np.exp(v.sum()), lambda v, m: v),
    "divided by the number of tokens: this is the mean probability of a token, not of the answer": each(
        lambda v: np.exp(v.mean())
    ),
    "made to sum to 1 over the candidates: the model may say something else, and that must stay missing": normalised,
    "a softmax over the means of the candidates: these are shares among them, not the model's probabilities": (
        lambda v, m: each(lambda u: np.exp(u.mean()))(v, m) / each(lambda u: np.exp(u.mean()))(v, m).sum()
    ),
    "the probabilities of the tokens are added; they are to be multiplied": each(lambda v: np.exp(v).sum()),
    "the mean of the tokens' probabilities is no probability of the answer: multiply them": each(
        lambda v: np.exp(v).mean()
    ),
    "the mask is aligned with the inputs: log_probs[k][i] is about token i + 1, so take mask[1:]": each(
        lambda v: np.exp(v.sum()), lambda v, m: [a[b[:-1]] for a, b in zip(v, m)]
    ),
    "the tokens of x are taken, not those of y": each(
        lambda v: np.exp(v.sum()), lambda v, m: [a[~b[1:]] for a, b in zip(v, m)]
    ),
    "the first token of the answer is left out": each(lambda v: np.exp(v[1:].sum())),
    "only the last token, the end token, is taken": each(lambda v: np.exp(v[-1])),
    "only the least likely token is taken: the probability is the product of all": each(lambda v: np.exp(v.min())),
    "10 or 2 to the power of nats: with natural logarithms the base is e": each(lambda v: 2 ** v.sum()),
}


def probabilities(answer, seed=None) -> Verdict:
    """answer(log_probs, masks) -> Pr(answer k | enquiry) (K,), from lists of (n − 1,) and of (n,)."""
    rng = np.random.default_rng(seed)
    cases = []
    for candidates in (2, 3, 4):
        x = int(rng.integers(3, 7))
        masks = [np.repeat([False, True, False], (x, rng.integers(3, 8), 1)) for _ in range(candidates)]
        cases.append(([np.log(rng.uniform(0.2, 0.9, len(mask) - 1)) for mask in masks], masks))
    praise = "each answer with its end token, in all its tokens; what is missing to 1 is what else the model may say"
    return judge(numeric(answer), right_probabilities, cases, PROBABILITIES, praise)
