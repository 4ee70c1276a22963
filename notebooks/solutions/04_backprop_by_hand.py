# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 04_backprop_by_hand: one section an exercise.

# %% linear
# 1. What are the shapes of dy, x and W? Only one order of product gives (out, in). Others have added to g already.
# 2. dW = dyᵀ x     dx = dy W
# 3. g.weight += dy.T @ x
def linear_backward(p, g, cache, dy):
    x = cache
    g.weight += dy.T @ x
    return dy @ p.weight


# %% embedding
# 1. A token that occurs twice must add twice, and `+=` with repeated indices adds once.
# 2. dW = onehot(ids)ᵀ dx: row v of dW is the sum of the rows of dx whose id is v
# 3. np.add.at(…) adds repeated indices as often as they occur
import numpy as np


def embedding_backward(p, g, cache, dx):
    np.add.at(g.weight, cache, dx)


# %% rmsnorm
# 1. r depends on every channel of its row, so dx has a second term. One sum a row, not over everything.
# 2. dw = Σ_rows dy ⊙ n     dn = w ⊙ dy     dx = r (dn − n ⟨dn, n⟩ / C)
# 3. r, n = cache
import numpy as np


def rmsnorm_backward(p, g, cache, dy):
    r, n = cache
    g.weight += (dy * n).sum(0)
    dn = p.weight * dy
    return r * (dn - n * np.vecdot(dn, n, keepdims=True) / n.shape[-1])


# %% swiglu
# 1. Go back through h = u ⊙ b with u = a σ(a): two factors, two branches. x gets something from both.
# 2. db = dh ⊙ a s     da = dh ⊙ b (s + a s (1 − s))     dx = da W_gate + db W_up
# 3. x, a, b, s = cache
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
# 1. Which entries of z change log π(y)? All: the target up, each by its probability down.
# 2. dz = dJ w (onehot(y) − π)
# 3. pi = np.exp(cache.log_pi)
import numpy as np


def objective_backward(cache, dJ):
    pi = np.exp(cache.log_pi)
    onehot = np.eye(pi.shape[-1])[cache.targets]
    return dJ * cache.weights[:, None] * (onehot - pi)


# %% layer_norm
# 1. First as RMSNorm, then through the mean that was taken off.
# 2. dcentred = r (dn − n mean(dn ⊙ n))     dx = dcentred − mean(dcentred)     db = Σ_rows dy
# 3. r, n = cache
def layer_norm_backward(p, g, cache, dy):
    r, n = cache
    g.weight += (dy * n).sum(0)
    g.bias += dy.sum(0)
    dn = p.weight * dy
    dcentred = r * (dn - n * (dn * n).mean(-1, keepdims=True))
    return dcentred - dcentred.mean(-1, keepdims=True)
