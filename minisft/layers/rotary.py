"""Rotary positions (RoPE, arXiv 2104.09864, eq. 34): a position becomes an angle, so q·k depends on distances only.

In the order of the Hugging Face files, channels c and c + D/2 of a head are one 2-vector (x₁, x₂); at position t it is
turned by the angle t ω_c, ω_c = base^(−2c/D):

    y  = x ⊙ (cos, cos) + (x₂, x₁) ⊙ (−sin, sin)
    dx = dy ⊙ (cos, cos) − (dy₂, dy₁) ⊙ (−sin, sin)                 the transpose of a rotation turns it back

For contexts longer than the T₀ of pre-training, Llama 3 slows the channels that turned seldom in T₀ by a factor f:

    ω ← ω (s + (1 − s) / f),   s = (T₀ ω / 2π − low) / (high − low), at least 0 and at most 1

x may be complex, for the complex step of gradcheck.py; the angles are real.
"""

import numpy as np


def frequencies(size, base, scaling=None):
    """ω (D/2,), in radians per position. scaling: None, or what has the fields of config.RopeScaling; T₀ = 0: s = 0."""
    omega = float(base) ** (-np.arange(0, size, 2) / size)
    if scaling:
        turns = scaling.original_max_position_embeddings * omega / (2 * np.pi)
        low, high = scaling.low_freq_factor, scaling.high_freq_factor
        s = np.clip((turns - low) / (high - low), 0, 1)
        omega *= s + (1 - s) / scaling.factor
    return omega


def tables(positions, size, base, dtype, scaling=None):
    """(cos, cos) and (−sin, sin) at these positions, each (N, 1, D). Computed in float64 whatever the dtype returned.

    positions  (N,) int, counted from the start of each sequence
    size       D, channels of a head;  base: of the frequencies;  scaling: see `frequencies`
    """
    angle = np.outer(positions, frequencies(size, base, scaling))  # (N, D/2), radians
    cos, sin = np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)
    return np.concatenate((cos, cos), -1)[:, None], np.concatenate((-sin, sin), -1)[:, None]


def swap_halves(x):
    """(x₁, x₂) -> (x₂, x₁): the halves of every head."""
    N, H, D = x.shape
    return x.reshape(N, H, 2, D // 2)[:, :, ::-1].reshape(N, H, D)


def forward(x, cos, sin):
    """x (N, H, D); cos and sin (N, 1, D), or (N, H, D): the same for every head."""
    y = x * cos + swap_halves(x) * sin
    return y, (cos, sin)


def backward(cache, dy):
    cos, sin = cache
    return dy * cos - swap_halves(dy) * sin  # (N, H, D)


def example(rng):
    cos, sin = tables(np.array([0, 1, 2, 0, 5]), 6, 100.0, np.float64)
    return None, (rng.standard_normal((5, 3, 6)), cos, sin)
