"""Which channels are a pair: the two halves of a head, as in this library, or neighbours."""

import numpy as np

from minisft.layers import rotary


def angles(positions, D, base):
    """(T, D/2): by how much each pair of channels is turned at each position, in radians."""
    return np.outer(positions, rotary.frequencies(D, base))


def halves(x, D, base):
    """x (T, D) at positions 0, 1, …: channel c turns with c + D/2."""
    cos, sin = rotary.tables(np.arange(len(x)), D, base, np.float64)
    return rotary.forward(x[:, None], cos, sin)[0][:, 0]


def neighbours(x, D, base):
    """The same rotation with channels 2c and 2c + 1 as the real and the imaginary part of a number."""
    turned = (x[:, 0::2] + 1j * x[:, 1::2]) * np.exp(1j * angles(np.arange(len(x)), D, base))
    return np.stack((turned.real, turned.imag), -1).reshape(len(x), D)


def side_by_side(x):
    """The channels in the other order, 0, D/2, 1, D/2 + 1, …: the two of a pair next to each other."""
    T, D = x.shape
    return x.reshape(T, 2, D // 2).swapaxes(1, 2).reshape(T, D)
