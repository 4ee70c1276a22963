"""A backward that is wrong by little, seldom, or beside its result: the layer is named all the same."""

import numpy as np
import pytest

from course.test_own_layers import SOLVED, losses
from minisft.course.own_layers import mine
from minisft.course.own_results import distance

BACKWARDS = {name: answer for name, answer in SOLVED.items() if name not in ("weights", "collate")}


@pytest.fixture(scope="module")
def of_the_library():
    return losses()


def altered(name, change):
    """The solution, and then change(result, arguments, number of the call), which gives the result."""
    calls = []

    def backward(*arguments):
        calls.append(name)
        return change(SOLVED[name](*arguments), arguments, len(calls))

    return backward


def scaled(where, factor):
    """A factor on a part of the result."""

    def change(result, arguments, call):
        result = result.copy()
        result[where] *= factor
        return result

    return change


def of_head(number, factor, only=lambda arguments: True):
    """A factor on dq, dk or dv, where the arguments are as `only` says."""

    def change(result, arguments, call):
        parts = list(result)
        parts[number] = parts[number] * (factor if only(arguments) else 1)
        return tuple(parts)

    return change


def mutating(number):
    """An argument is multiplied by 1.001 in its place after the result was made."""

    def change(result, arguments, call):
        argument = arguments[number]
        for array in argument if isinstance(argument, tuple) else [getattr(argument, "weight", argument)]:
            if array.dtype.kind == "f":
                array *= 1.001
        return result

    return change


BUFFER = {}


def into_one_buffer(result, arguments, call):
    buffer = BUFFER.setdefault(result.shape, np.empty_like(result))
    buffer[...] = result
    return buffer


def weight_of_zero(cache, dJ):
    dz = SOLVED["objective"](cache, dJ)
    return dz + 1e-3 * (cache.weights == 0)[:, None]


def keeps_dJ_at_minus_one(cache, dJ):
    return SOLVED["objective"](cache, -1.0)


def assigned_where_zero(p, g, cache, dy):
    """Only what is not yet there is added."""
    before = g.weight.copy()
    dx = SOLVED["linear"](p, g, cache, dy)
    g.weight[before != 0] *= 1 + 1e-6
    return dx


def small_rows_off(result, arguments, call):
    size = np.abs(result).max(-1, keepdims=True)
    return result * np.where(size < np.median(size), 1 + 1e-6, 1)


def without_eps(p, g, cache, dy):
    r, n = cache
    g.weight += (dy * n).sum(0)
    dn = p.weight * dy
    return r * (dn - n * (dn * n).sum(-1, keepdims=True) / (n * n).sum(-1, keepdims=True))


SUBTLE = [  # the layer, its backward, what is said
    ("linear", altered("linear", scaled(..., 1 + 1e-6)), "what it returns"),
    ("linear", altered("linear", scaled(0, 1 + 1e-6)), "what it returns"),
    ("linear", altered("linear", small_rows_off), "what it returns"),
    ("linear", altered("linear", lambda dx, a, call: dx.astype(np.float32)), "float32 where float64 is right"),
    ("linear", altered("linear", lambda dx, a, call: dx.astype(np.float32).astype(float)), "what it returns"),
    ("linear", altered("linear", lambda dx, a, call: dx + 0j), "complex128 where float64 is right"),
    ("linear", altered("linear", mutating(3)), "it changes dy"),
    ("linear", altered("linear", mutating(2)), "it changes the cache"),
    ("linear", altered("linear", mutating(0)), "it changes p.weight"),
    ("linear", altered("linear", into_one_buffer), "shares memory"),
    ("linear", altered("linear", lambda dx, a, call: dx * (1 if call < 20 else 1 + 1e-6)), "in call 20"),
    ("linear", altered("linear", lambda dx, a, call: dx * np.nan), "what it returns"),
    ("linear", altered("linear", lambda dx, a, call: 1e250 * dx), "what it returns"),
    ("linear", assigned_where_zero, "g.weight"),
    ("embedding", altered("embedding", mutating(3)), "it changes dy"),
    ("rmsnorm", without_eps, "what it returns"),
    ("rmsnorm", altered("rmsnorm", mutating(2)), "it changes the cache"),
    ("swiglu", altered("swiglu", scaled((0, 0), 1.001)), "what it returns"),
    ("swiglu", altered("swiglu", mutating(3)), "it changes dy"),
    ("objective", weight_of_zero, "with a weight of 0, which this run does not meet"),
    ("objective", keeps_dJ_at_minus_one, "with dJ = 0.7, which this run does not meet"),
    ("objective", altered("objective", lambda dz, a, call: dz.astype(np.float32)), "float32"),
    ("attention", altered("attention", of_head(0, 1.001)), "dq"),
    ("attention", altered("attention", of_head(1, 1.001, lambda a: len(a[0]) == 8)), "dk"),
    ("attention", altered("attention", of_head(2, 1.5, lambda a: len(a[0]) == 1)), "dv"),
    ("attention", altered("attention", mutating(4)), "it changes do"),
    ("attention", altered("attention", mutating(3)), "it changes P"),
    ("rotary", altered("rotary", scaled(np.s_[:, 1], 1.001)), "what it returns"),
    ("rotary", altered("rotary", scaled(np.s_[:, :, 5], 1 + 1e-7)), "what it returns"),
    ("rotary", altered("rotary", mutating(1)), "it changes dy"),
]


@pytest.mark.parametrize("name, backward, words", SUBTLE)
def test_a_backward_that_is_subtly_wrong_is_named_by_its_layer(name, backward, words, of_the_library):
    BUFFER.clear()
    with mine(**BACKWARDS | {name: backward}) as layers:
        curve = losses()
    verdict = layers.verdict(curve, of_the_library)
    assert verdict.right is False and f"the first layer that differs is {name}: " in verdict.text, verdict
    assert words in verdict.text, verdict
    assert [layer.name for layer in layers.layers if layer.wrong] == [name]


def test_right_backwards_are_right_in_the_cases_that_a_run_does_not_meet_too(of_the_library):
    with mine(**BACKWARDS) as layers:
        curve = losses()
    assert layers.verdict(curve, of_the_library).right is True and not any(layer.wrong for layer in layers.layers)


def test_a_curve_that_differs_is_never_the_librarys(of_the_library):
    with mine(**BACKWARDS) as layers:
        curve = losses()
    assert layers.verdict([*curve[:-1], curve[-1] + 0.01], of_the_library).right is False


def test_a_backward_may_name_the_parts_of_its_cache(of_the_library):
    """As in the exercise, where the cache of SwiGLU is a named tuple."""

    def swiglu(p, g, cache, dy):
        assert cache.s.shape == cache.a.shape == cache.b.shape
        return BACKWARDS["swiglu"](p, g, cache, dy)

    with mine(swiglu=swiglu) as layers:
        curve = losses()
    assert layers.verdict(curve, of_the_library).right is True


def test_a_small_row_is_compared_as_a_large_one_is_and_rounding_is_not_a_mistake():
    wanted = np.array([[1.0, 2.0], [1e-4, 2e-4]])
    wrong, rounded = wanted * [[1, 1], [1 + 1e-6, 1]], wanted + np.array([[0, 0], [1e-16, 0]])
    assert distance(wrong, wanted, wanted) > 1e-7 > 1e-9 > distance(rounded, wanted, wanted)
