"""What each position of a sequence receives from the loss: J and ∇J of a batch, as the notebook shows them."""

from dataclasses import replace

import numpy as np

from minisft import model, objective
from minisft.params import Params


def value_and_gradient(theta, config, part, every_row=False):
    """J and ∇J of one batch. Rows of weight 0 are left out, as in training, or kept if every_row."""
    rows = np.arange(len(part.ids)) if every_row else np.flatnonzero(part.weights)
    logits, c_model = model.forward(theta, config, part.ids, part.starts, rows)
    J, c_objective = objective.forward(logits, part.targets[rows], part.weights[rows])
    gradient = theta.like()
    model.backward(theta, gradient, config, c_model, objective.backward(c_objective, dJ=1.0))
    return float(J), gradient.flat


def at_each_position(theta, config, part):
    """Norms of ∂J/∂(…), (N,) each, at every row of a batch: logits, keys and values of the last block, embedding.

    Every row gets an embedding row of its own, a copy of its token's: then the gradient of that matrix is told apart
    by position, and the head, now a matrix of its own, adds nothing to it. Float64, and at most C and V rows.
    """
    N, E, config = len(part.ids), theta.model.embed_tokens.weight, replace(config, tie_word_embeddings=False)
    own = Params(model.shapes(config), E.dtype)
    for name, view in own.named.items():
        view[...] = E if name == "lm_head.weight" else theta.named[name]
    own.model.embed_tokens.weight[:N] = E[part.ids]
    grad = own.like()
    logits, cache = model.forward(own, config, np.arange(N), part.starts, np.arange(N))
    _, c_objective = objective.forward(logits, part.targets, part.weights)
    dlogits = objective.backward(c_objective, dJ=1.0)
    model.backward(own, grad, config, cache, dlogits)
    g, c = grad.model.layers[-1].self_attn, cache.blocks[-1].attention
    dk = np.linalg.lstsq(c.k_proj.T, g.k_proj.weight.T)[0]  # linear.backward made dW = dkᵀ x, so xᵀ dk = dWᵀ
    dv = np.linalg.lstsq(c.v_proj.T, g.v_proj.weight.T)[0]
    received = {"logits": dlogits, "keys": dk, "values": dv, "embedding": grad.model.embed_tokens.weight[:N]}
    return {name: np.linalg.norm(rows, axis=1) for name, rows in received.items()}
