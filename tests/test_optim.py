"""Clipping, schedules, SGD and AdamW: against closed forms, and against the formulas one number at a time."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minisft import optim
from minisft.config import TrainConfig
from minisft.params import Params

SHAPES = {"matrix.weight": (3, 4), "gain.weight": (5,), "other.weight": (2, 2)}


def vector(values, shapes=SHAPES, dtype=np.float64):
    theta = Params(shapes, dtype)
    theta.flat[:] = values
    return theta


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def theta(rng):
    return Params.random(rng, SHAPES)


def adamw(theta, gradients, rates, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0):
    """One parameter, as arXiv 1711.05101 writes it: floats, no arrays."""
    m = v = 0.0
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        theta = theta - rate * decay * theta
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - rate * m_hat / (math.sqrt(v_hat) + epsilon)
    return theta


def run(optimizer, theta, gradients, rates):
    for g, rate in zip(gradients, rates, strict=True):
        optimizer.step(theta, vector(g, theta.shapes, theta.flat.dtype), rate)
    return theta.flat


# AdamW


def test_under_a_constant_gradient_every_step_of_adamw_is_the_rate_times_its_sign(theta, rng):
    """Then m̂ = g and v̂ = g² at every t, exactly because of the bias corrections: the step is η g / (|g| + ε)."""
    g = rng.uniform(0.1, 10, theta.flat.size) * rng.choice([-1, 1], theta.flat.size)
    optimizer = optim.AdamW(theta, TrainConfig())
    for _ in range(20):
        before = theta.flat.copy()
        optimizer.step(theta, vector(g), 1e-2)
        # β₂ = 0.999 costs three digits of 1 − β₂ᵗ at t = 1
        assert_allclose(theta.flat - before, -1e-2 * g / (np.abs(g) + 1e-8), rtol=1e-12)


def test_adamw_equals_its_formulas_one_number_at_a_time(theta, rng):
    settings = TrainConfig(adam_beta1=0.8, adam_beta2=0.95, adam_epsilon=1e-3, weight_decay=0.1)
    gradients, rates = rng.standard_normal((7, theta.flat.size)), rng.uniform(0, 0.1, 7)
    by_hand = [
        adamw(value, g, rates, 0.8, 0.95, 1e-3, 0.0 if 12 <= i < 17 else 0.1)  # 12 of a matrix, 5 gains, 4 of a matrix
        for i, (value, g) in enumerate(zip(theta.flat, gradients.T, strict=True))
    ]
    assert_allclose(run(optim.AdamW(theta, settings), theta, gradients, rates), by_hand, rtol=1e-12, atol=1e-14)


def test_epsilon_stands_outside_the_root():
    """g = 3, ε = 1: η · 3 / (3 + 1), not η · 3 / √(9 + 1)."""
    theta = vector(0.0)
    run(optim.AdamW(theta, TrainConfig(adam_epsilon=1.0)), theta, [3.0], [1.0])
    assert_allclose(theta.flat, -3 / 4, rtol=1e-12)


def test_moments_are_the_running_means_of_the_gradient_and_its_square():
    theta = vector(0.0)
    optimizer = optim.AdamW(theta, TrainConfig(adam_beta1=0.75, adam_beta2=0.5))
    run(optimizer, theta, [4.0, -2.0], [1e-3, 1e-3])
    # m: 0.25 · 4 = 1, then 0.75 · 1 − 0.25 · 2 = 0.25;  v: 0.5 · 16 = 8, then 0.5 · 8 + 0.5 · 4 = 6
    assert_array_equal(optimizer.moments["m"], np.full(21, 0.25))
    assert_array_equal(optimizer.moments["v"], np.full(21, 6.0))
    assert optimizer.updates == 2


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_decay_shrinks_matrices_and_not_the_gains_of_norms(theta, optimizer):
    """Under a gradient of zero nothing else moves: every step multiplies by 1 − ημ = 1 − 0.5 · 0.1."""
    before = theta.copy()
    run(optim.make(theta, TrainConfig(optim=optimizer, weight_decay=0.1)), theta, [0.0, 0.0], [0.5, 0.5])
    assert_allclose(theta.matrix.weight, 0.95**2 * before.matrix.weight, rtol=1e-14)
    assert_allclose(theta.other.weight, 0.95**2 * before.other.weight, rtol=1e-14)
    assert_array_equal(theta.gain.weight, before.gain.weight)


def test_embeddings_and_head_are_matrices_and_decay_like_the_others():
    theta = vector(1.0, {"model.embed_tokens.weight": (2, 3), "model.norm.weight": (4,), "lm_head.weight": (2, 3)})
    run(optim.AdamW(theta, TrainConfig(weight_decay=0.1)), theta, [0.0], [0.5])
    assert_allclose(theta.flat, np.repeat([0.95, 1, 0.95], [6, 4, 6]), rtol=1e-14)


def test_decay_is_decoupled_from_the_moments():
    """θ = 2, g = 1, η = ½, μ = ¼: 2 (1 − ⅛) − ½ · 1 = 1.25. As part of the gradient, decay would vanish in g / |g|."""
    theta = vector(2.0)
    optimizer = optim.AdamW(theta, TrainConfig(weight_decay=0.25))
    run(optimizer, theta, [1.0], [0.5])
    assert_allclose(theta.matrix.weight, 1.25, rtol=1e-7)  # up to ε
    assert_allclose(optimizer.moments["m"], 0.1, rtol=1e-14)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_rate_of_0_leaves_theta_as_it_is(theta, rng, optimizer):
    before = theta.flat.copy()
    made = optim.make(theta, TrainConfig(optim=optimizer, weight_decay=0.1))
    run(made, theta, rng.standard_normal((2, 21)), [0.0, 0.0])
    assert_array_equal(theta.flat, before)
    assert made.updates == 2  # but it counts, as in PyTorch


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("size", [optim.BLOCK - 1, optim.BLOCK, optim.BLOCK + 1, 2 * optim.BLOCK + 5])
def test_the_pieces_of_the_vector_do_not_matter(size, optimizer):
    """Element 5 of a long vector is moved as element 5 of a short one, and so is every other with the same numbers."""
    shapes = {"long.weight": (size, 1), "after.weight": (7,)}
    theta = vector(np.arange(size + 7) % 13, shapes)
    gradients = [(np.arange(size + 7) * (step + 3)) % 13 - 6.5 for step in range(3)]
    run(optim.make(theta, TrainConfig(optim=optimizer, weight_decay=0.1)), theta, gradients, [0.1] * 3)
    short = vector(np.arange(13), {"long.weight": (13, 1)})
    run(
        optim.make(short, TrainConfig(optim=optimizer, weight_decay=0.1)), short, [g[:13] for g in gradients], [0.1] * 3
    )
    assert_array_equal(theta.long.weight[:, 0], np.resize(short.flat, size))


def test_pieces_cover_the_vector_once_and_each_has_one_decay():
    theta = Params({"a": (optim.BLOCK + 3, 1), "b": (4,), "c": (2, 2), "d": (optim.BLOCK, 1)})
    place = np.arange(theta.flat.size)  # a moment that says where it is
    found = list(optim.pieces(theta, theta.like(), 0.5, place))
    assert [(m[0], m[-1] + 1) for _, _, m, _ in found] == [
        (0, optim.BLOCK),
        (optim.BLOCK, optim.BLOCK + 3),
        (optim.BLOCK + 3, optim.BLOCK + 7),
        (optim.BLOCK + 7, 2 * optim.BLOCK + 7),  # c and d: neighbours of one decay
        (2 * optim.BLOCK + 7, 2 * optim.BLOCK + 11),
    ]
    assert [decay for *_, decay in found] == [0.5, 0.5, 0.0, 0.5, 0.5]


def test_neighbours_in_the_gradient_that_are_none_in_theta_stay_apart():
    theta = Params({"a": (2, 2), "frozen": (3, 3), "c": (2, 2)})
    theta.flat[:] = np.arange(17)
    grad = theta.part(["a", "c"])
    assert [w.tolist() for w, *_ in optim.pieces(theta, grad, 0.5)] == [[0, 1, 2, 3], [13, 14, 15, 16]]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_optimizer_keeps_the_dtype_of_theta_and_the_gradient_as_it_is(optimizer, dtype, rng):
    theta, grad = vector(1.0, dtype=dtype), vector(rng.standard_normal(21), dtype=dtype)
    kept, made = grad.flat.copy(), optim.make(theta, TrainConfig(optim=optimizer, weight_decay=0.1))
    flat = theta.flat
    made.step(theta, grad, 0.1)
    assert theta.flat is flat and flat.dtype == dtype
    assert all(moment.dtype == dtype for moment in made.moments.values())
    assert_array_equal(grad.flat, kept)


# SGD


def test_sgd_is_theta_minus_the_rate_times_the_gradient(theta, rng):
    before, g = theta.flat.copy(), rng.standard_normal(21)
    optimizer = optim.SGD(theta, TrainConfig())
    run(optimizer, theta, [g, g], [0.25, 0.5])
    assert_allclose(theta.flat, before - 0.75 * g, rtol=1e-14)
    assert optimizer.moments == {} and optimizer.updates == 2


def test_the_optimizer_is_chosen_by_its_name(theta):
    assert isinstance(optim.make(theta, TrainConfig(optim="sgd")), optim.SGD)
    assert isinstance(optim.make(theta, TrainConfig(optim="adamw")), optim.AdamW)


# Clipping


def test_the_norm_is_over_all_tensors_together_and_before_clipping():
    grad = vector(0.0)
    grad.matrix.weight[0, 0], grad.gain.weight[1], grad.other.weight[1, 1] = 2, 3, 6
    assert optim.clip(grad, 1.0) == 7  # √(4 + 9 + 36)
    assert_allclose(grad.gain.weight[1], 3 / 7, rtol=1e-6)


def test_clipping_multiplies_by_min_of_1_and_c_over_norm_plus_1e_6():
    rng = np.random.default_rng(1)
    for _ in range(100):
        g, c = rng.standard_normal(21) * 10 ** rng.uniform(-7, 3), 10 ** rng.uniform(-7, 3)
        grad, norm = vector(g), math.sqrt(math.fsum(g * g))
        assert_allclose(optim.clip(grad, c), norm, rtol=1e-14)
        assert_allclose(grad.flat, g * min(1, c / (norm + 1e-6)), rtol=1e-13)


def test_the_1e_6_of_the_formula_is_in_it():
    """A gradient of norm 1e-6 and c = 1e-6: half is left, c / (norm + 1e-6) = 1/2."""
    grad = vector(0.0)
    grad.gain.weight[0] = 1e-6
    optim.clip(grad, 1e-6)
    assert_allclose(grad.gain.weight[0], 0.5e-6, rtol=1e-12)


def test_clipping_never_makes_a_gradient_longer():
    """A norm of 1e-6 is below c = 3e-6, and c / (norm + 1e-6) is 3/2."""
    grad = vector(0.0)
    grad.gain.weight[0] = 1e-6
    optim.clip(grad, 3e-6)
    assert grad.gain.weight[0] == 1e-6


def test_a_limit_of_0_switches_clipping_off(theta):
    kept = theta.flat.copy()
    assert_allclose(optim.clip(theta, 0.0), np.linalg.norm(kept))
    assert_array_equal(theta.flat, kept)


def test_a_gradient_of_zero_stays_zero():
    grad = vector(0.0)
    assert optim.clip(grad, 1.0) == 0
    assert_array_equal(grad.flat, 0)


# Schedules


def rates(kind, warmup, total, rate=1.0):
    settings = TrainConfig(learning_rate=rate, lr_scheduler_type=kind, warmup_steps=warmup)
    return [optim.learning_rate(settings, step, total) for step in range(total)]


HALF = math.sqrt(1 / 2)  # cos 45°


@pytest.mark.parametrize(
    ("kind", "warmup", "by_hand"),
    [
        ("constant", 0, [1, 1, 1, 1]),
        ("linear", 0, [1, 3 / 4, 2 / 4, 1 / 4]),
        ("cosine", 0, [1, (1 + HALF) / 2, 1 / 2, (1 - HALF) / 2]),
        ("constant", 2, [0, 1 / 2, 1, 1]),
        ("linear", 2, [0, 1 / 2, 1, 1 / 2]),
        ("cosine", 2, [0, 1 / 2, 1, 1 / 2]),
        ("linear", 4, [0, 1 / 4, 2 / 4, 3 / 4]),
        ("linear", 8, [0, 1 / 8, 2 / 8, 3 / 8]),  # the run ends on the ramp
        ("cosine", 3, [0, 1 / 3, 2 / 3, 1]),
    ],
)
def test_the_rate_of_every_step_is_that_of_the_formula(kind, warmup, by_hand):
    assert_allclose(rates(kind, warmup, 4), by_hand, atol=1e-15)
    assert_allclose(rates(kind, warmup, 4, rate=0.3), 0.3 * np.array(by_hand), atol=1e-15)


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
def test_the_first_warm_up_step_has_rate_0_and_without_warm_up_the_first_step_has_the_full_rate(kind):
    assert rates(kind, 1, 3)[0] == 0
    assert rates(kind, 1, 3)[1] == 1
    assert rates(kind, 0, 3)[0] == 1


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("warmup", [0, 1, 5, 20])
def test_a_rate_is_never_negative_and_never_above_the_full_rate(kind, warmup):
    assert all(0 <= rate <= 1 for rate in rates(kind, warmup, 20))


def test_a_run_of_one_step_has_the_full_rate():
    for kind in ("constant", "linear", "cosine"):
        assert rates(kind, 0, 1) == [1]
