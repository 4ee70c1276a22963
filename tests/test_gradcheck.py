"""The check itself: it finds wrong derivatives by name, leaves everything as it was, and is blind to some mistakes."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minisft import gradcheck
from minisft.layers import attention, linear, rmsnorm
from minisft.params import Params


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def changed(layer, **functions):
    """The layer with some of its functions replaced."""
    kept = {name: getattr(layer, name) for name in ("forward", "backward", "example")}
    return SimpleNamespace(**{"__name__": layer.__name__} | kept | functions)


def wrong_names(layer, rng):
    return {name for name, off in gradcheck.layer_errors(layer, rng).items() if off > 1e-6}


def softmax(z):
    pi = np.exp(z - z.max(-1, keepdims=True))
    pi /= pi.sum(-1, keepdims=True)
    return pi, pi


SOFTMAX = SimpleNamespace(
    __name__="softmax",
    forward=softmax,
    backward=lambda pi, dy: pi * (dy - np.vecdot(pi, dy, keepdims=True)),
    example=lambda rng: (None, (rng.standard_normal((4, 6)),)),
)


def test_the_slope_is_the_derivative_along_a_direction():
    x = np.array([1.0, 2.0, 3.0])
    u = np.array([1.0, 0.5, -2.0])
    # f = Σ x³: ⟨∇f, u⟩ = Σ 3x²u = 3 (1 + 4 · 0.5 − 9 · 2) = −45; the curve adds h² Σ u³ = −6.875 h²
    assert_allclose(gradcheck.slope(lambda: (x**3).sum(), x, u, step=1e-4), -45, rtol=1e-8)
    assert_allclose(gradcheck.slope(lambda: (x**3).sum(), x, u, step=1.0), -45 - 6.875, rtol=1e-12)


def test_the_complex_step_is_the_slope_to_rounding_and_leaves_the_value_real():
    """f = Σ x³ has the slope Σ 3x²u; the central difference is off by h² Σ u³ from the curve alone."""
    x, u = np.array([1.0, -2.0, 0.5]), np.array([0.3, 1.0, -2.0])
    value = x.astype(complex)
    assert_allclose(gradcheck.complex_slope(lambda: (value**3).sum(), value, u), (3 * x**2 * u).sum(), rtol=1e-15)
    assert_array_equal(value, x)


def test_the_complex_step_finds_and_names_a_mistake_too(rng):
    def wrong(p, g, cache, dy):
        dx = linear.backward(p, g, cache, dy)
        g.weight *= 1 + 1e-10  # far too little for a difference quotient
        return dx

    off = gradcheck.layer_errors(changed(linear, backward=wrong), rng, exact=True)
    assert {name for name, error in off.items() if error > 1e-12} == {"weight"}


def test_the_value_is_put_back_exactly(rng):
    """Adding and subtracting the step again would not do: x + h − h is not x."""
    x = rng.standard_normal(100) * 10.0 ** rng.integers(-20, 20, 100)
    kept = x.copy()
    gradcheck.slope(lambda: 0.0, x, rng.standard_normal(100))
    assert_array_equal(x, kept)
    gradcheck.errors(lambda: x.sum(), [("x", x, np.ones(100))], rng)
    assert_array_equal(x, kept)


def test_the_parameters_of_a_layer_are_put_back_exactly(rng):
    p, inputs = linear.example(rng)
    kept, x = p.flat.copy(), inputs[0].copy()
    gradcheck.layer_errors(changed(linear, example=lambda _: (p, inputs)), rng)
    assert_array_equal(p.flat, kept)
    assert_array_equal(inputs[0], x)


def test_a_right_gradient_has_an_error_near_0_a_wrong_one_an_error_of_its_size(rng):
    x = rng.standard_normal(50)
    assert gradcheck.error(lambda: (x**2).sum(), x, 2 * x, rng) < 1e-8
    # f is a square, so the numeric slope is exact and the error of (1 + a) ∇f is a |⟨∇f, u⟩| / ((1 + a) ‖∇f‖)
    u = np.random.default_rng(7).standard_normal(50)
    a = 1e-3
    by_hand = a * abs(2 * x @ u) / ((1 + a) * np.linalg.norm(2 * x))
    off = gradcheck.error(lambda: (x**2).sum(), x, (1 + a) * 2 * x, np.random.default_rng(7))
    assert_allclose(off, by_hand, rtol=1e-4)


def test_a_gradient_of_zero_of_a_constant_has_no_error(rng):
    assert gradcheck.error(lambda: 3.0, np.ones(4), np.zeros(4), rng) == 0


def test_a_gradient_left_at_zero_is_wrong_by_all_of_it(rng):
    x = rng.standard_normal(4)
    assert_allclose(gradcheck.error(lambda: (x**2).sum(), x, np.zeros(4), rng), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_or_a_value_that_is_not_finite_never_passes(rng, bad):
    """NaN compares false with everything; the largest of several errors must show it too, wherever it stands."""
    x = np.ones(4)
    one = np.array([0.0, bad, 0.0, 0.0])
    assert gradcheck.error(lambda: x.sum(), x, one, rng) == np.inf
    assert gradcheck.error(lambda: bad, x, np.ones(4), rng) == np.inf
    off = gradcheck.errors(lambda: x.sum(), [("right", x, np.ones(4)), ("wrong", x, one)], rng)
    assert max(off.values()) == np.inf


def test_the_error_is_relative_so_small_gradients_are_checked_too(rng):
    x = rng.standard_normal(10)
    assert gradcheck.error(lambda: 1e-12 * (x**2).sum(), x, 2e-12 * x, rng) < 1e-8
    assert gradcheck.error(lambda: 1e-12 * (x**2).sum(), x, -2e-12 * x, rng) > 0.1


def test_a_planted_mistake_is_found_and_named(rng):
    """γ taken out of the sum over channels: right where γ = 1, wrong elsewhere."""

    def backward(p, g, cache, dy):
        r, n = cache
        g.weight += (dy * n).sum(0)
        return p.weight * r * (dy - n * (np.vecdot(dy, n, keepdims=True) / n.shape[-1]))

    wrong = changed(rmsnorm, backward=backward)
    assert wrong_names(wrong, rng) == {"input"}
    with pytest.raises(AssertionError, match="rmsnorm: the derivative with respect to input is off"):
        gradcheck.check(wrong, rng)
    gradcheck.check(rmsnorm, rng)

    def ones(rng):
        p, inputs = rmsnorm.example(rng)
        p.weight[...] = 1
        return p, inputs

    assert wrong_names(changed(wrong, example=ones), rng) == set()  # so an example is random, never an initialisation


def test_a_missing_scale_in_attention_is_found_in_the_two_matrices_it_belongs_to(rng):
    """Without 1/√D in backward, the gradients of W_q and W_k are √D too large, and nothing else changes in them."""

    def backward(p, g, cache, dy):
        mine = p.like()
        dx = attention.backward(p, mine, cache, dy)
        mine.q_proj.weight *= cache.q.shape[-1] ** 0.5
        mine.k_proj.weight *= cache.q.shape[-1] ** 0.5
        g.flat += mine.flat
        return dx

    wrong = changed(attention, backward=backward)
    assert wrong_names(wrong, rng) == {"q_proj.weight", "k_proj.weight"}
    assert wrong_names(attention, rng) == set()


def test_a_wrong_gradient_of_the_input_is_found(rng):
    wrong = changed(linear, backward=lambda p, g, cache, dy: 1.001 * linear.backward(p, g, cache, dy))
    assert wrong_names(wrong, rng) == {"input"}


def test_a_forgotten_parameter_is_found(rng):
    def backward(p, g, cache, dy):
        return dy @ p.weight

    assert wrong_names(changed(linear, backward=backward), rng) == {"weight", "bias"}


def test_a_cotangent_of_ones_is_blind_on_a_softmax(rng):
    """Rows of a softmax sum to 1: their sum is constant, so with ones any backward agrees, zeros for example."""
    (z,) = SOFTMAX.example(rng)[1]
    dy, u = rng.standard_normal((2, *z.shape))
    blind = gradcheck.slope(lambda: softmax(z)[0].sum(), z, u)
    seeing = gradcheck.slope(lambda: (dy * softmax(z)[0]).sum(), z, u)
    assert abs(blind) < 1e-9  # rounding of sums near 4, divided by 2h
    assert abs(seeing) > 1e-2
    gradcheck.check(SOFTMAX, rng)
    with pytest.raises(AssertionError, match="input"):
        gradcheck.check(changed(SOFTMAX, backward=lambda pi, dy: np.zeros_like(dy)), rng)


def test_the_cotangent_is_random_so_that_nothing_cancels(rng):
    """y = (x, −x) has the sum 0, exactly; a cotangent of ones would let a backward of zeros pass."""
    opposite = SimpleNamespace(
        __name__="opposite",
        forward=lambda x: (np.concatenate((x, -x)), None),
        backward=lambda _, dy: dy[:1] - dy[1:],
        example=lambda rng: (None, (rng.standard_normal(1),)),
    )
    (x,) = opposite.example(rng)[1]
    assert gradcheck.error(lambda: opposite.forward(x)[0].sum(), x, np.zeros(1), rng) == 0
    gradcheck.check(opposite, rng)
    with pytest.raises(AssertionError, match="input"):
        gradcheck.check(SimpleNamespace(**vars(opposite) | {"backward": lambda _, dy: np.zeros(1)}), rng)


def test_it_cannot_see_a_wrong_forward_with_its_own_right_backward(rng):
    """Query head j reading key head j % G ("tile") instead of j // R is differentiated just as well.

    It takes a second forward to find it, as in the test of attention against loops.
    """
    p, (x, starts, cos, sin, rows) = attention.example(rng)
    order = [0, 2, 1, 3]  # 4 heads on 2: heads 0 and 2 read the first
    size = cos.shape[-1]
    channels = np.concatenate([np.arange(head * size, (head + 1) * size) for head in order])

    def tiled(p):
        twin = p.copy()
        twin.q_proj.weight[...] = p.q_proj.weight[channels]
        twin.o_proj.weight[...] = p.o_proj.weight[:, channels]
        return twin

    def backward(p, g, cache, dy):
        mine = p.like()
        dx = attention.backward(tiled(p), mine, cache, dy)
        mine.q_proj.weight[...] = mine.q_proj.weight[np.argsort(channels)]
        mine.o_proj.weight[...] = mine.o_proj.weight[:, np.argsort(channels)]
        g.flat += mine.flat
        return dx

    wrong = changed(attention, forward=lambda p, *inputs: attention.forward(tiled(p), *inputs), backward=backward)
    assert wrong_names(wrong, rng) == set()
    y, _ = attention.forward(p, x, starts, cos, sin, rows)
    assert np.abs(wrong.forward(p, x, starts, cos, sin, rows)[0] - y).max() > 1e-2


def test_it_cannot_see_a_gradient_that_is_set_instead_of_added(rng):
    """A fresh gradient is zero, so = and += agree; calling backward twice tells them apart."""

    def backward(p, g, cache, dy):
        g.weight[...], g.bias[...] = dy.T @ cache, dy.sum(0)
        return dy @ p.weight

    assert wrong_names(changed(linear, backward=backward), rng) == set()


def test_an_input_without_a_derivative_is_left_out(rng):
    table = Params.random(rng, {"weight": (7, 4)})
    layer = SimpleNamespace(
        __name__="lookup",
        forward=lambda p, ids: (p.weight[ids], ids),
        backward=lambda p, g, ids, dy: np.add.at(g.weight, ids, dy),
        example=lambda rng: (table, (np.array([3, 1, 3]),)),
    )
    off = gradcheck.layer_errors(layer, rng)
    assert off.keys() == {"weight"} and off["weight"] < 1e-8
