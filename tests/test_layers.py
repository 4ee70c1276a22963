"""Every module of layers/, and the objective, is found by itself: a layer cannot be added untested."""

import inspect
from copy import deepcopy
from importlib import import_module
from itertools import pairwise
from pkgutil import iter_modules

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minisft import gradcheck, layers, objective
from minisft.config import RopeScaling
from minisft.layers import attention, embedding, rmsnorm, rotary, swiglu
from minisft.params import Params

LAYERS = [import_module(f"minisft.layers.{m.name}") for m in iter_modules(layers.__path__)] + [objective]
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda module: module.__name__.split(".")[-1])


def run(layer, seed=0, dtype=np.float64):
    """Forward and backward of the layer's example: (p, inputs, y, cache, dy, g, dx)."""
    rng = np.random.default_rng(seed)
    p, inputs = layer.example(rng)
    inputs = [a.astype(dtype) if getattr(a, "dtype", None) == np.float64 else a for a in inputs]
    p = p and p.astype(dtype)
    y, cache = layer.forward(*([p] if p else []), *inputs)
    dy = dtype(rng.standard_normal()) if np.ndim(y) == 0 else rng.standard_normal(y.shape).astype(dtype)
    g = p and p.like()
    dx = layer.backward(p, g, cache, dy) if p else layer.backward(cache, dy)
    return p, inputs, y, cache, dy, g, dx


@pytest.mark.parametrize("seed", range(5))
@each_layer
def test_backward_is_the_derivative_of_forward(layer, seed):
    gradcheck.check(layer, np.random.default_rng(seed), rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
@each_layer
def test_backward_is_the_complex_step_of_forward_to_rounding(layer, seed):
    """Sums of tens of products of numbers of order 1: a few hundred ε of 2e-16, relative to the gradient's norm."""
    off = gradcheck.layer_errors(layer, np.random.default_rng(seed), exact=True)
    assert max(off.values()) <= 1e-12, off


@each_layer
def test_backward_adds_to_the_gradient_so_twice_doubles_it(layer):
    p, _, _, cache, dy, g, _ = run(layer)
    if p is None:
        pytest.skip("no parameters")
    once = g.flat.copy()
    layer.backward(p, g, cache, dy)
    assert_array_equal(g.flat, 2 * once)


def leaves(value):
    """What a tuple or a list holds, however deep: arrays, numbers, slices."""
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, (tuple, list)) else [value]


@each_layer
def test_forward_and_backward_change_none_of_their_arguments(layer):
    rng = np.random.default_rng(0)
    p, inputs = layer.example(rng)
    first = deepcopy(inputs), p and p.flat.copy()
    y, cache = layer.forward(*([p] if p else []), *inputs)
    dy = rng.standard_normal(np.shape(y))
    kept = np.copy(dy)
    for _ in range(2):  # the second backward finds the cache as the first did
        last = layer.backward(p, p.like(), cache, dy) if p else layer.backward(cache, dy)
    again = layer.backward(p, p.like(), cache, dy) if p else layer.backward(cache, dy)
    for before, after in zip(leaves(first[0]), leaves(inputs), strict=True):
        assert_array_equal(before, after)
    if p is not None:
        assert_array_equal(first[1], p.flat)
    assert_array_equal(kept, dy)
    if last is not None:
        assert_array_equal(last, again)


@each_layer
def test_float32_in_gives_float32_out(layer):
    _, _, y, _, _, g, dx = run(layer, dtype=np.float32)
    assert y.dtype == np.float32
    assert dx is None or dx.dtype == np.float32
    assert g is None or g.flat.dtype == np.float32


@each_layer
def test_the_derivation_stands_in_the_docstring_and_backward_below_forward(layer):
    source = inspect.getsource(layer)
    assert len(layer.__doc__.splitlines()) >= 3
    assert source.index("def forward") < source.index("def backward") < source.index("def example")


def test_rmsnorm_makes_rows_of_root_mean_square_one_times_the_gain():
    x = np.array([[3.0, 4.0], [-6.0, 8.0]])  # root mean squares √12.5 and √50
    p = Params({"weight": (2,)}, np.float64)
    p.weight[...] = [1.0, -2.0]
    y, _ = rmsnorm.forward(p, x, eps=0.0)
    assert_allclose(y, [[3 / 12.5**0.5, -8 / 12.5**0.5], [-6 / 50**0.5, -16 / 50**0.5]], rtol=1e-14)


def test_the_epsilon_of_rmsnorm_is_added_to_the_mean_square_inside_the_root():
    p = Params({"weight": (2,)}, np.float64)
    p.weight[...] = 1
    y, _ = rmsnorm.forward(p, np.array([[4.0, -4.0], [0.0, 0.0]]), eps=9.0)
    assert_allclose(y, [[4 / 5, -4 / 5], [0, 0]], rtol=1e-14)  # √(16 + 9) = 5


def test_rotary_scores_depend_on_the_distance_of_two_positions_only():
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((2, 1, 1, 8))

    def score(a, b):
        return (
            rotary.forward(q, *rotary.tables(np.array([a]), 8, 100.0, np.float64))[0]
            * rotary.forward(k, *rotary.tables(np.array([b]), 8, 100.0, np.float64))[0]
        ).sum()

    assert_allclose(score(7, 4), score(3, 0), rtol=1e-12)
    assert abs(score(7, 4) - score(7, 5)) > 1e-3


def test_rotary_turns_channels_c_and_c_plus_half_by_position_times_frequency():
    x = np.array([[[1.0, 1.0, 0.0, 0.0]]])  # (x₁, x₂) = ((1, 1), (0, 0)): two unit vectors
    y, _ = rotary.forward(x, *rotary.tables(np.array([3]), 4, 100.0, np.float64))
    assert_allclose(y[0, 0], [np.cos(3), np.cos(0.3), np.sin(3), np.sin(0.3)], rtol=1e-14)  # ω = 1, 100^(−1/2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rotary_tables_have_the_dtype_asked_for(dtype):
    assert {table.dtype for table in rotary.tables(np.arange(3), 6, 100.0, dtype)} == {np.dtype(dtype)}


def test_rotary_tables_in_float32_are_those_in_float64_rounded_however_far_the_position():
    positions = np.array([0, 3, 1_000_003])  # in float32 the angle itself would be off by up to 0.03
    for single, double in zip(*(rotary.tables(positions, 6, 100.0, dtype) for dtype in (np.float32, np.float64))):
        assert_array_equal(single, double.astype(np.float32))


def test_llama3_slows_long_waves_leaves_short_ones_and_changes_smoothly_between():
    """By cases and wavelengths, as its makers wrote it; here by how often a channel turns in T₀."""
    scaling, slowed = RopeScaling(8.0, 1.0, 4.0, 64), 0
    omega = rotary.frequencies(64, 1000.0)
    for before, after in zip(omega, rotary.frequencies(64, 1000.0, scaling), strict=True):
        wavelength = 2 * np.pi / before
        if wavelength < 64 / 4.0:
            expected = before
        elif wavelength > 64 / 1.0:
            expected, slowed = before / 8.0, slowed + 1
        else:
            smooth = (64 / wavelength - 1.0) / (4.0 - 1.0)
            expected = (1 - smooth) * before / 8.0 + smooth * before
        assert_allclose(after, expected, rtol=1e-14)
    assert 5 < slowed < 25  # all three cases were met


def test_linear_scaling_slows_every_wave_so_positions_are_divided():
    stretched = rotary.tables(np.array([0, 6, 30]), 8, 100.0, np.float64, RopeScaling(3.0))
    for table, expected in zip(stretched, rotary.tables(np.array([0, 2, 10]), 8, 100.0, np.float64)):
        assert_allclose(table, expected, atol=1e-14)


def test_swiglu_is_silu_of_the_gate_times_up_and_survives_huge_gates():
    p = Params({"gate_proj.weight": (2, 1), "up_proj.weight": (2, 1), "down_proj.weight": (1, 2)}, np.float64)
    p.gate_proj.weight[...] = [[1], [-1]]
    p.up_proj.weight[...] = 2
    p.down_proj.weight[...] = 1
    with np.errstate(over="raise"):
        y, _ = swiglu.forward(p, np.array([[1.0], [1000.0]]))
    e = np.e
    assert_allclose(y[:, 0], [2 * e / (1 + e) - 2 / (1 + e), 2e6], rtol=1e-14)  # 2 (σ(1) − σ(−1)); 1000 · 1 · 2000


def naive_attention(p, x, starts, theta):
    """Loops over sequences, heads and positions, as the formula is written; rotation by complex numbers."""
    D = 6
    H, G = len(p.q_proj.weight) // D, len(p.k_proj.weight) // D
    y = np.zeros_like(x)
    for first, last in pairwise(starts):
        for t in range(last - first):
            out = []
            for j in range(H):

                def rotated(weight, head, position, first=first):
                    a = weight[head * D : (head + 1) * D] @ x[first + position]
                    z = (a[:3] + 1j * a[3:]) * np.exp(1j * position * theta ** (-np.arange(0, D, 2) / D))
                    return np.concatenate((z.real, z.imag))

                q = rotated(p.q_proj.weight, j, t)
                group = j // (H // G)
                scores = np.exp([q @ rotated(p.k_proj.weight, group, i) / D**0.5 for i in range(t + 1)])
                v = [p.v_proj.weight[group * D : (group + 1) * D] @ x[first + i] for i in range(t + 1)]
                out.append((scores / scores.sum()) @ np.array(v))
            y[first + t] = p.o_proj.weight @ np.concatenate(out)
    return y


STARTS, POSITIONS = np.array([0, 4, 5, 8]), np.array([0, 1, 2, 3, 0, 0, 1, 2])  # of attention.example: 4 heads on 2


def every_row():
    """The arguments of attention's example, but all of its rows ask."""
    p, (x, _, cos, sin, _) = attention.example(np.random.default_rng(0))
    return p, x, attention.parts(POSITIONS, np.diff(STARTS), np.diff(STARTS), 2), cos, sin, slice(None)


@pytest.mark.parametrize("seed", range(3))
def test_attention_equals_the_formula_written_as_loops(seed):
    p, (x, parts, cos, sin, rows) = attention.example(np.random.default_rng(seed))
    y, _ = attention.forward(p, x, parts, cos, sin, rows)
    assert_allclose(y, naive_attention(p, x, STARTS, 100.0)[rows], rtol=1e-10, atol=1e-12)


def test_rows_of_attention_are_probabilities_and_never_look_ahead():
    _, cache = attention.forward(*every_row())
    assert [P.shape for P in cache.P] == [(2, 1, 8, 4), (2, 1, 2, 1), (2, 1, 6, 3)]  # 2 heads a group, side by side
    for P in cache.P:
        assert_allclose(P.sum(-1), 1, rtol=1e-14)
        for head in range(2):
            assert_array_equal(P[:, :, head::2], np.tril(P[:, :, head::2]))


def test_neighbours_of_one_length_and_long_sequences_in_blocks_give_what_one_sequence_at_a_time_gives(monkeypatch):
    """How the work is cut is a matter of speed alone: lengths 3, 3, 3, 7, 2, 2, of which some rows ask, or all."""
    rng = np.random.default_rng(3)
    p, (_, _, _, _, _) = attention.example(rng)
    starts = np.array([0, 3, 6, 9, 16, 18, 20])
    positions = np.arange(20) - np.repeat(starts[:-1], np.diff(starts))
    cos, sin = rotary.tables(positions, 6, 100.0, np.float64)
    x, dy = rng.standard_normal((20, 5)), rng.standard_normal((20, 5))
    for rows in (slice(None), np.array([0, 1, 2, 4, 5, 9, 10, 12, 15, 16, 17, 19])):
        found = []
        for queries in (64, 4, 1, 2):
            monkeypatch.setattr(attention, "QUERIES", queries)
            g = p.like()
            counts = np.diff(np.searchsorted(np.arange(20)[rows], starts))
            parts = attention.parts(positions[rows], counts, np.diff(starts), 2)
            y, cache = attention.forward(p, x, parts, cos, sin, rows)
            found.append((y, attention.backward(p, g, cache, dy[rows]), g.flat, len(cache.parts)))
        assert len({count for *_, count in found}) > 2
        for other in found[1:]:
            for ours, theirs in zip(other[:3], found[0]):
                assert_allclose(ours, theirs, rtol=0, atol=1e-13 * np.abs(theirs).max())


def test_a_long_sequence_leaves_out_the_keys_that_are_later_than_a_block_of_queries(monkeypatch):
    monkeypatch.setattr(attention, "QUERIES", 2)
    _, cache = attention.forward(*every_row())
    assert [P.shape[-2:] for P in cache.P] == [(4, 2), (4, 4), (2, 1), (4, 2), (2, 3)]


def test_neighbours_of_one_length_are_one_part_and_masks_are_views_of_one_triangle():
    n = attention.QUERIES
    counts = np.array([3, 3, 3, n, n, n + 1])
    positions = np.concatenate([np.arange(count) for count in counts])
    parts = attention.parts(positions, counts, counts, 2)
    assert [(part.S, part.T, part.alone) for part in parts] == [
        (3, 3, True),
        (2, n, True),
        (1, n, False),
        (1, n + 1, False),
    ]
    *several, last = parts
    assert all(np.shares_memory(part.mask, attention.causal(n + 1, np.inf)) for part in several)
    assert last.mask is None  # one query, at the end, sees all keys


def test_neighbours_that_ask_at_other_positions_have_masks_of_their_own():
    for positions in ([1, 2, 0, 2], [0, 2, 0, 2], [1, 2, 0, 1]):
        (part,) = attention.parts(np.array(positions), np.array([2, 2]), np.array([3, 3]), 1)
        seen = np.arange(part.T) <= np.array(positions).reshape(2, 2, 1)
        assert_array_equal(part.mask, np.where(seen, 0, -np.inf))


def test_huge_scores_of_attention_neither_overflow_nor_vanish():
    q = np.array([[[[1e4, 0.0], [-1e4, 0.0]]]])  # two queries; exp of their scores is infinite and 0
    k = np.array([[[[1.0, 0.0], [1.0, 0.0]]]])  # two keys that are equal
    assert_array_equal(attention.softmax(q @ k.swapaxes(-1, -2)), np.full((1, 1, 2, 2), 0.5))


def test_a_token_that_occurs_twice_receives_both_gradients():
    p = Params({"weight": (3, 2)}, np.float64)
    g = p.like()
    _, cache = embedding.forward(p, np.array([2, 0, 2]))
    embedding.backward(p, g, cache, np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    assert_array_equal(g.weight, [[3, 4], [0, 0], [6, 8]])
