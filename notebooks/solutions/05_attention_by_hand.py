# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 05_attention_by_hand: one section an exercise.

# %% attention
# 1. Scores first, then the mask, then softmax along the keys. Large scores must not overflow.
# 2. P = softmax(q kᵀ / √D + mask)     o = P v;  the mask is −∞ where the key is later
# 3. T, D = q.shape
import numpy as np


def attention_forward(q, k, v):
    T, D = q.shape
    S = q @ k.T / np.sqrt(D)
    S = np.where(np.tril(np.ones((T, T), bool)), S, -np.inf)
    P = np.exp(S - S.max(-1, keepdims=True))
    P /= P.sum(-1, keepdims=True)
    return P @ v


# %% delta
# 1. One number for each query. P and dP are not there, but o = P v is.
# 2. δ = Σ_keys P ⊙ dP = ⟨do, P v⟩ = ⟨do, o⟩
# 3. the sum along the last axis of do * o
def delta(do, o):
    return (do * o).sum(-1)


# %% attention_backward
# 1. From the bottom up: o = P v, then the softmax, then the scores. Where does √D stand?
# 2. dv = Pᵀ do    dP = do vᵀ    dS = P ⊙ (dP − Σ_keys P ⊙ dP)    dq = dS k / √D    dk = dSᵀ q / √D
# 3. dv = P.T @ do
import numpy as np


def attention_backward(q, k, v, P, do):
    D = q.shape[-1]
    dv = P.T @ do
    dP = do @ v.T
    dS = P * (dP - (P * dP).sum(-1, keepdims=True))
    dq = dS @ k / np.sqrt(D)
    dk = dS.T @ q / np.sqrt(D)
    return dq, dk, dv


# %% rotary
# 1. A rotation is turned back by its transpose: the same lines with one other sign.
# 2. dx = dy ⊙ cos − swap_halves(dy) ⊙ sin
# 3. cos, sin = cache
import numpy as np


def rotary_backward(cache, dy):
    cos, sin = cache
    return dy * cos - np.roll(dy, dy.shape[-1] // 2, axis=-1) * sin


# %% shared
# 1. Which query heads read group 0? H / G neighbours. What one thing gives to several, comes back as a sum.
# 2. dk of group g = Σ over its H / G heads
# 3. T, H, D = dk.shape
def shared(dk, G):
    T, H, D = dk.shape
    return dk.reshape(T, G, H // G, D).sum(2)


# %% blind
# 1. When is the derivative along ones, or for constant rows, zero although the backward is wrong?
# 2. a softmax row with constant dP: P ⊙ (dP − Σ P dP) = 0
# 3. rows = np.arange(1.0, 5.0)[:, None]
import numpy as np


def blind():
    rows = np.arange(1.0, 5.0)[:, None]
    dP = rows * np.ones((4, 6))
    S = rows * np.ones((4, 6))
    w = np.full(6, 3.0)
    return dP, S, w
