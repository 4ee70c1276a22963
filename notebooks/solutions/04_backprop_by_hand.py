# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 04_backprop_by_hand: one section an exercise.

# %% linear
def linear_backward(p, g, cache, dy):
    x = cache
    g.weight += dy.T @ x
    return dy @ p.weight


# %% embedding
import numpy as np


def embedding_backward(p, g, cache, dx):
    np.add.at(g.weight, cache, dx)


# %% rmsnorm
import numpy as np


def rmsnorm_backward(p, g, cache, dy):
    r, n = cache
    g.weight += (dy * n).sum(0)
    dn = p.weight * dy
    return r * (dn - n * np.vecdot(dn, n, keepdims=True) / n.shape[-1])


# %% swiglu
def swiglu_backward(p, g, cache, dy):
    x, a, b, s = cache
    h = a * s * b
    g.down_proj.weight += dy.T @ h
    dh = dy @ p.down_proj.weight
    db = dh * a * s
    da = dh * b * (s + a * s * (1 - s))
    g.gate_proj.weight += da.T @ x
    g.up_proj.weight += db.T @ x
    return da @ p.gate_proj.weight + db @ p.up_proj.weight


# %% objective
import numpy as np


def objective_backward(cache, dJ):
    pi = np.exp(cache.log_pi)
    onehot = np.eye(pi.shape[-1])[cache.targets]
    return dJ * cache.weights[:, None] * (onehot - pi)


# %% layer_norm
def layer_norm_backward(p, g, cache, dy):
    r, n = cache
    g.weight += (dy * n).sum(0)
    g.bias += dy.sum(0)
    dn = p.weight * dy
    dz = r * (dn - n * (dn * n).mean(-1, keepdims=True))
    return dz - dz.mean(-1, keepdims=True)
