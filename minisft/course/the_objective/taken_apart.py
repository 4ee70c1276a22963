"""The loop of notebook 02 that a symbol can be taken out of: all of it but the gradient, which stands in the cell."""

from dataclasses import replace

import numpy as np

from minisft import evaluate, optim, train
from minisft.config import TrainConfig
from minisft.course.display import code

SETTINGS = TrainConfig(learning_rate=5e-4, max_steps=40, batch_size=8, loss_reduction="sum")
HEADINGS = {
    "argmax": "argmax → argmin",
    "Σ": "Σ → one pair",
    "log": "log → none",
    "y|x": "y|x → x",
    "θ̂": "start at θ̂ → random",
}


def score(theta, config, sequences):
    """The probability of a token of y, the geometric mean over all of them."""
    scored = evaluate.log_probs(theta, config, sequences)
    return float(np.exp(np.concatenate([v[s.is_y[1:]] for s, (v, _) in zip(sequences, scored)]).mean()))


def weighted_by_pr(cache, starts, rows):
    """The cache of the objective, each row weighted by Pr(y|x) of the pair it belongs to: ∇Pr = Pr ∇log Pr."""
    pair = np.searchsorted(starts, rows, side="right") - 1
    log_pr = np.bincount(pair, cache.log_pi[np.arange(len(rows)), cache.targets])
    return cache._replace(weights=np.exp(log_pr)[pair].astype(np.float32))


def run(gradient, start, pairs, held_out, config, seed, one_pair=False, steps=40, **switches):
    """(θ after the run, the curve [(t, score)], the norm of the first gradient).

    gradient(theta, grad, config, pairs, **switches) fills grad; one_pair: the same pair in every step.
    """
    settings = replace(SETTINGS, seed=seed, max_steps=steps)
    theta, grad = start.copy(), start.like()
    optimizer, curve, norms = optim.make(theta, settings), [(0, score(theta, config, held_out))], []
    for t in range(steps):
        epoch, k = divmod(t, len(pairs) // 8)
        order = train.order(len(pairs), settings, 0 if one_pair else epoch)
        chosen = [pairs[i] for i in (order[:1] if one_pair else order[8 * k : 8 * k + 8])]
        gradient(theta, grad, config, chosen, **switches)
        norms.append(optim.clip(grad, settings.max_grad_norm))
        optimizer.step(theta, grad, optim.learning_rate(settings, t, steps))
        if (t + 1) % 8 == 0:
            curve.append((t + 1, score(theta, config, held_out)))
    return theta, curve, norms[0]


def over_seeds(runs):
    """The curves of several runs as one: [(t, [score of each seed])]."""
    return [(points[0][0], [value for _, value in points]) for points in zip(*(curve for _, curve, _ in runs))]


def last_scores(runs):
    return [curve[-1][1] for _, curve, _ in runs]


def report(name, runs, config, tokenizer, held_out):
    """A row of a table: exact match of each seed in %, the mean first norm, what the last θ answers first."""
    exact = []
    for theta, _, _ in runs:
        replies = evaluate.answers(theta, config, tokenizer, held_out, max_new_tokens=32)
        exact.append(np.mean([reply["exact"] for reply in replies]))
        first = replies[0]["predicted"]
    percent = " ".join(f"{100 * value:.0f}" for value in exact)
    return [name, percent, f"{np.mean([norm for *_, norm in runs]):.1e}", code(repr(first[:48]))]
