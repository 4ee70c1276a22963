"""Embedding: row N of x is the row of W that token N names. The book writes it as a one-hot vector times W.

x  = onehot(ids) W
dW = onehot(ids)ᵀ dx                         a token that occurs twice adds twice; ids have no derivative

W may be complex, for the complex step of gradcheck.py.
"""

import numpy as np

from minisft.params import Params


def forward(p, ids):
    return p.weight.take(ids, axis=0), ids  # (N,) -> (N, C)


def backward(p, g, cache, dx):
    ids = cache
    if g.weight is None:  # frozen
        return
    order = np.argsort(ids, kind="stable")  # equal ids side by side: one sum for each token
    tokens, first = np.unique(ids[order], return_index=True)  # far faster than np.add.at, and the same sum
    g.weight[tokens] += np.add.reduceat(dx[order], first, axis=0)  # (N, C) -> (n, C)


def example(rng):
    return Params.random(rng, {"weight": (7, 4)}), (np.array([3, 1, 3, 0, 6, 3]),)
