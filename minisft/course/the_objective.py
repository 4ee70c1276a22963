"""Checks of notebook 02: J(θ) from the model alone, symbols matched with things, and what an objective lacks."""

import numpy as np

from minisft import model
from minisft.config import ModelConfig
from minisft.course.any_loss import one_step, optimum, own_loss
from minisft.course.boxes import boxes, kind, match, symbols, which_argmax
from minisft.course.grading.comparison import judge
from minisft.course.grading.verdict import Verdict, kindly, run, settle
from minisft.params import Params

__all__ = [
    "J",
    "boxes",
    "helped_most",
    "kind",
    "least_harm",
    "match",
    "missing",
    "one_step",
    "optimum",
    "own_loss",
    "symbols",
    "which_argmax",
]

# --- J(θ) from model.forward alone -----------------------------------------------------------------------------------


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


def pieces(theta, config, pairs, first=0, last=0, shift=1, normalise=log_softmax):
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


def small_model(rng):
    """θ far from any initialisation, and its config."""
    config = model_config(vocab_size=int(rng.integers(7, 12)))
    return Params.random(rng, model.shapes(config)), config


def model_config(vocab_size):
    sizes = {"hidden_size": 8, "intermediate_size": 10, "num_hidden_layers": 2, "max_position_embeddings": 64}
    return ModelConfig(vocab_size, num_attention_heads=2, num_key_value_heads=1, **sizes)


def J(answer, seed=None) -> Verdict:
    """answer(theta, config, pairs) -> Σ log Pr(y|x) over pairs of arrays (x, y), each y with its end token."""
    rng = np.random.default_rng(seed)
    cases = []
    for count in (3, 1, 4):
        theta, config = small_model(rng)
        lengths = rng.permutation(np.arange(2, 2 + 2 * count)).reshape(count, 2)  # all different
        pairs = [tuple(rng.integers(1, config.vocab_size, n) for n in pair) for pair in lengths]
        cases.append((theta, config, pairs))
    praise = "Σ_(x,y)∈D log Pr(y|x), from the logits alone: what `train` minimises under `sum` is minus this"
    return judge(answer, true_J, cases, J_MISTAKES, praise)


# --- which symbol is missing? ----------------------------------------------------------------------------------------

LACKING = {
    "nothing": lambda log_x, log_y, one: log_y.sum(),
    "Σ": lambda log_x, log_y, one: log_y[one],
    "log": lambda log_x, log_y, one: np.exp(log_y).sum(),
    "y|x": lambda log_x, log_y, one: log_x.sum(),
    "argmax": lambda log_x, log_y, one: -log_y.sum(),
}


def evidence(name, f, log_x, log_y, one):
    """A measurement that shows what f lacks."""

    def moved(which, k):
        a, b = log_x.copy(), log_y.copy()
        (a if which == "x" else b)[k] += 0.1
        return f(a, b) - f(log_x, log_y)

    other = (one + 1) % len(log_y)
    mine, others, of_x = moved("y", one), moved("y", other), moved("x", one)
    return (
        "0.1 more in "
        + {
            "nothing": f"log Pr(y|x) of any pair raises it by {mine:.3f}",
            "Σ": f"log Pr(y|x) of pair {one} raises it by {mine:.3f}, of pair {other} by {others:g}",
            "log": f"log Pr(y|x) raises it by {mine:.1e} for pair {one}, {others:.1e} for pair {other}: not the same",
            "y|x": f"log Pr(x) raises it by {of_x:.3f}, 0.1 more in log Pr(y|x) by {mine:g}",
            "argmax": f"log Pr(y|x) of any pair changes it by {mine:.3f}: maximised, it lowers them all",
        }[str(name)]
    )


@kindly
def missing(answer, seed=None) -> Verdict:
    """answer(f, n) -> what f lacks, a name of LACKING; f(log_pr_x, log_pr_y) is what a run maximises, over n pairs."""
    rng = np.random.default_rng(seed)
    said = []
    for name in rng.permutation([*LACKING, *LACKING]):
        n = int(rng.integers(3, 7))
        one = int(rng.integers(n))

        def f(log_x, log_y, name=name, one=one):
            return float(LACKING[name](np.asarray(log_x, float), np.asarray(log_y, float), one))

        said.append(run(answer, f, n))
        if not isinstance(said[-1], str) or said[-1] not in LACKING:
            return Verdict(False, f"{said[-1]!r} is none of {', '.join(LACKING)}")
        if said[-1] != name:
            log_x, log_y = -3 * rng.random(n) - 1, -3 * rng.random(n) - 1
            text = f"you say {said[-1]!r}, it is {str(name)!r}: {evidence(name, f, log_x, log_y, one)}"
            return Verdict(False, text)
    return Verdict(True, f"{len(said)} objectives, each known by what it does to a small change of one term")


# --- quizzes ---------------------------------------------------------------------------------------------------------


def least_harm(prediction, scores, intact) -> Verdict:
    """Without which symbol is the held-out score nearest to that of the whole formula? scores: {name: [seeds]}."""
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    outcome = min(means, key=lambda name: abs(means[name] - np.mean(intact)))
    shown = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    happened = f"Mean over {len(intact)} seeds; with every symbol {np.mean(intact):.3f}. Without: {shown}."
    return settle(prediction, tuple(scores), outcome, happened)


def helped_most(prediction, labels, changes, stepped) -> Verdict:
    """Which other pair does a step on pair `stepped` help most? changes (n,): of the log Pr(y|x) of each, in nats."""
    others = [i for i in range(len(labels)) if i != stepped]
    order = sorted(others, key=lambda i: -changes[i])
    happened = (
        f"A step on {labels[stepped]!r} moves its own log Pr(y|x) by {changes[stepped]:+.4f} nats; most helped is "
        f"{labels[order[0]]!r} ({changes[order[0]]:+.4f}), least {labels[order[-1]]!r} ({changes[order[-1]]:+.4f})."
    )
    return settle(prediction, tuple(labels[i] for i in others), labels[order[0]], happened)
