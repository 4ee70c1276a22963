"""log Pr of the tiny model and of pairs, from single rows of logits: what the four ways of notebook 02 are made of."""

import numpy as np

from minisft import gradcheck, model
from minisft.course.log_probability.tiny import TINY


def softmax(z):
    """(…, V) -> (…, V): each row sums to 1."""
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def next_token(theta, ids, config=TINY):
    """π(· | ids), (V,): the distribution of the token after these, by a pass that sees nothing else."""
    n = len(ids)
    z, _ = model.forward(theta, config, np.array(ids), np.array([0, n]), np.array([n - 1]))
    return softmax(z)[0]


def pr_of_string(theta, ids):
    """Pr of a whole string of the tiny model, its first token given."""
    return np.prod([next_token(theta, ids[:i])[ids[i]] for i in range(1, len(ids))])


def by_prefixes(theta, config, sequence):
    """log Pr(y|x) of one pair with a pass for each token of y."""
    places = np.flatnonzero(sequence.is_y)
    return sum(np.log(next_token(theta, sequence.ids[:i], config)[sequence.ids[i]]) for i in places)


def gradient_errors(loss, theta, config, batch):
    """{tensor: relative error of model.backward}, for a loss(z, targets, weights) -> (L, ∂L/∂z) behind the model."""
    rows = np.arange(len(batch.ids))

    def logits():
        return model.forward(theta, config, batch.ids, batch.starts, rows)

    z, cache = logits()
    grad = theta.like()
    model.backward(theta, grad, config, cache, loss(z, batch.targets, batch.weights)[1])
    tensors = [(name, theta.named[name], grad.named[name]) for name in theta.named]
    value = lambda: loss(logits()[0], batch.targets, batch.weights)[0]  # noqa: E731
    return gradcheck.errors(value, tensors, np.random.default_rng(0))
