"""θ is one vector with named views."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minisft.params import Params

SHAPES = {
    "model.embed_tokens.weight": (3, 2),
    "model.layers.0.self_attn.q_proj.weight": (4, 2),
    "model.layers.0.input_layernorm.weight": (2,),
    "model.layers.1.self_attn.q_proj.weight": (4, 2),
    "model.layers.1.input_layernorm.weight": (2,),
}
SIZE = 6 + 8 + 2 + 8 + 2


@pytest.fixture
def theta():
    """Every element is its own position in the vector."""
    theta = Params(SHAPES, np.float64)
    theta.flat[:] = np.arange(SIZE)
    return theta


def assert_one_vector(theta):
    """What is written into the vector is read by name and through the tree."""
    theta.flat[:] = 7
    for name, view in theta.named.items():
        assert (view == 7).all(), name
        assert np.shares_memory(view, theta.flat)
    assert (theta.model.layers[1].self_attn.q_proj.weight == 7).all()


def test_the_three_views_are_the_same_memory(theta):
    name = "model.layers.1.self_attn.q_proj.weight"
    assert theta.model.layers[1].self_attn.q_proj.weight is theta.named[name]
    theta.flat[theta.spans[name]] = 5
    assert_array_equal(theta.named[name], np.full((4, 2), 5.0))
    theta.model.layers[1].self_attn.q_proj.weight[2, 1] = -1
    assert theta.flat[16 + 2 * 2 + 1] == -1  # the tensors before it have 6 + 8 + 2 elements
    assert_one_vector(theta)


def test_tensors_lie_in_the_order_given_row_by_row_with_nothing_between(theta):
    assert theta.flat.shape == (SIZE,)
    assert [(span.start, span.stop) for span in theta.spans.values()] == [(0, 6), (6, 14), (14, 16), (16, 24), (24, 26)]
    assert_array_equal(theta.model.embed_tokens.weight, [[0, 1], [2, 3], [4, 5]])
    assert_array_equal(np.concatenate([view.ravel() for view in theta.named.values()]), theta.flat)


def test_names_and_shapes_are_those_given(theta):
    assert theta.shapes == SHAPES
    assert list(theta.named) == list(SHAPES)


def test_a_new_vector_is_zero_and_float32():
    theta = Params(SHAPES)
    assert theta.flat.dtype == np.float32
    assert_array_equal(theta.flat, 0)


def test_a_given_vector_is_used_and_not_copied():
    flat = np.zeros(SIZE)
    theta = Params(SHAPES, flat=flat)
    assert theta.flat is flat
    assert_one_vector(theta)


def test_rebinding_a_view_raises_since_it_would_detach_it(theta):
    p = theta.model.layers[0].input_layernorm
    for node, name in ((p, "weight"), (p, "bias"), (theta, "flat"), (theta, "named"), (theta, "model")):
        with pytest.raises(AttributeError, match="view of θ"):
            setattr(node, name, np.zeros(2))
    assert_array_equal(theta.flat, np.arange(SIZE))
    assert_one_vector(theta)


def test_adding_in_place_writes_into_the_vector(theta):
    p = theta.model.layers[0].input_layernorm
    p.weight += np.array([100.0, 200.0])
    p.weight *= 2
    assert_array_equal(theta.flat[14:16], [2 * (14 + 100), 2 * (15 + 200)])
    assert_one_vector(theta)


def test_layers_are_a_list_in_numerical_order():
    theta = Params({f"layers.{i}.weight": (1,) for i in (0, 10, 2, 1, 9, 3, 4, 5, 6, 7, 8)})
    for i in range(11):
        assert theta.layers[i].weight is theta.named[f"layers.{i}.weight"]
    assert len(theta.layers) == 11


def test_like_is_zeros_of_the_same_shapes_and_dtype_in_memory_of_its_own(theta):
    g = theta.like()
    assert g.shapes == theta.shapes and g.flat.dtype == np.float64
    assert_array_equal(g.flat, 0)
    assert theta.astype(np.float32).like().flat.dtype == np.float32
    assert_one_vector(g)
    assert_array_equal(theta.flat, np.arange(SIZE))


def test_a_part_has_memory_for_the_tensors_of_its_names_only_and_none_in_place_of_the_others(theta):
    chosen = ["model.embed_tokens.weight", "model.layers.1.input_layernorm.weight"]
    part = theta.part(chosen)
    assert list(part.named) == chosen and part.flat.shape == (6 + 2,) and part.flat.dtype == np.float64
    assert [(span.start, span.stop) for span in part.spans.values()] == [(0, 6), (6, 8)]
    assert part.model.layers[0].input_layernorm.weight is None
    assert part.model.layers[1].self_attn.q_proj.weight is None
    part.model.layers[1].input_layernorm.weight[:] = 3
    assert_array_equal(part.flat, [0, 0, 0, 0, 0, 0, 3, 3])
    for twin in (part.like(), part.copy(), part.astype(np.float32), copy.deepcopy(part)):
        assert twin.shapes == part.shapes and list(twin.named) == chosen
    assert_array_equal(theta.flat, np.arange(SIZE))


def test_a_copy_has_the_same_values_in_memory_of_its_own(theta):
    twin = theta.copy()
    assert_array_equal(twin.flat, np.arange(SIZE))
    assert twin.flat.dtype == np.float64
    assert_one_vector(twin)
    assert_array_equal(theta.flat, np.arange(SIZE))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_astype_is_a_copy_in_another_dtype(theta, dtype):
    twin = theta.astype(dtype)
    assert twin.flat.dtype == dtype and all(view.dtype == dtype for view in twin.named.values())
    assert_array_equal(twin.flat, np.arange(SIZE))
    assert_one_vector(twin)
    assert_array_equal(theta.flat, np.arange(SIZE))


def test_a_deep_copy_is_one_vector_too(theta):
    twin = copy.deepcopy(theta)
    assert_array_equal(twin.flat, np.arange(SIZE))
    assert_one_vector(twin)
    assert_array_equal(theta.flat, np.arange(SIZE))


def test_random_parameters_are_far_from_an_initialisation():
    shapes = {"gain": (1000,), "matrix": (100, 400)}
    theta = Params.random(np.random.default_rng(0), shapes)
    assert theta.flat.dtype == np.float64
    assert np.abs(theta.gain - 1).max() > 1  # not the gains of 1 that hide mistakes
    # The standard error of the standard deviation of n normal numbers is σ/√(2n); five of them.
    assert abs(theta.gain.std() - 1) < 5 / 2000**0.5
    assert abs(theta.matrix.std() - 1 / 20) < 5 / 20 / 80000**0.5  # 1/√400 inputs
    assert_array_equal(theta.flat, Params.random(np.random.default_rng(0), shapes).flat)
    assert (theta.flat != Params.random(np.random.default_rng(1), shapes).flat).all()
