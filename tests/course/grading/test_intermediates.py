"""Each value that a backward computes on its way is compared with the derivation, by its name."""

import sys
import warnings

import numpy as np
import pytest

from course.solutions import solution
from minisft.course import attention_by_hand, backprop_by_hand
from minisft.course.grading.excerpts import with_arguments


def inner(a, b):
    return (a * b).sum(-1, keepdims=True)


def mean_for_delta(q, k, v, P, do):
    dv = P.T @ do
    dP = do @ v.T
    delta = dP.mean(-1, keepdims=True)
    dS = P * (dP - delta)
    return dS @ k / np.sqrt(q.shape[-1]), dS.T @ q / np.sqrt(q.shape[-1]), dv


def scaled_scores_and_a_wrong_dv(q, k, v, P, do):
    d_P = do @ v.T
    δ = inner(P, d_P)
    d_S = P * (d_P - δ)
    d_S /= np.sqrt(q.shape[-1])
    return d_S @ k, d_S.T @ q, P @ do


def finished_in_place(p, g, cache, dy):
    """dx was right once: the line that goes on with it is the mistake, and it is not called dx."""
    g.weight += dy.T @ cache
    dx = dy @ p.weight
    dx += 1
    return dx


def in_place(q, k, v, P, do):
    """dP becomes dS in the place of dP; then dv is wrong."""
    dP = do @ v.T
    dP -= inner(P, dP)
    dP *= P
    return dP @ k / np.sqrt(q.shape[-1]), dP.T @ q / np.sqrt(q.shape[-1]), P @ do


def nameless(q, k, v, P, do):
    return q, k, v


def other_names(q, k, v, P, do):
    first = do @ v.T
    return first @ k, first.T @ q, P.T @ do


def row_by_row(p, g, cache, dy):
    """dn is that of one row: another thing than the derivation's."""
    r, _ = cache
    result = np.zeros_like(dy)
    for i in range(len(dy)):
        dn = p.weight * dy[i]
        result[i] = r[i] * dn
    return result


def gain_forgotten(p, g, cache, dy):
    r, n = cache
    g.weight += (dy * n).sum(0)
    dn = dy
    dr = inner(dn, n / r)
    return r * dn - dr * r**2 * n / n.shape[-1]


def silu_without_its_derivative(p, g, cache, dy):
    x, a, b, s = cache
    h = a * s * b
    dh = dy @ p.down_proj.weight
    g.down_proj.weight += dy.T @ h
    db = dh * a * s
    da = dh * b * s
    g.gate_proj.weight += da.T @ x
    g.up_proj.weight += db.T @ x
    return da @ p.gate_proj.weight + db @ p.up_proj.weight


def log_for_pi(cache, dJ):
    pi = cache.log_pi
    onehot = np.eye(pi.shape[-1])[cache.targets]
    return dJ * cache.weights[:, None] * (onehot - pi)


def forward_again(cache, dy):
    cos, sin = cache
    dy1, dy2 = np.split(dy, 2, axis=-1)
    c, s = cos[..., : dy1.shape[-1]], sin[..., dy1.shape[-1] :]
    dx1 = dy1 * c - dy2 * s
    dx2 = dy2 * c + dy1 * s
    return np.concatenate((dx1, dx2), -1)


def mean_kept(p, g, cache, dy):
    r, n = cache
    g.weight += (dy * n).sum(0)
    g.bias += dy.sum(0)
    dn = p.weight * dy
    dcentred = r * (dn - n * (dn * n).mean(-1, keepdims=True))
    return dcentred


def transposed(p, g, cache, dy):
    dW = cache.T @ dy
    g.weight += dW if dW.shape == g.weight.shape else dW.T
    return dy @ p.weight


def onehot_of_the_order(p, g, cache, dx):
    one_hot = np.eye(len(p.weight))[np.arange(len(cache))]
    g.weight += one_hot.T @ dx


SAID = [
    (
        "attention_backward",
        mean_for_delta,
        "dv, dP are right, the first that differs from the derivation is delta, line 4",
    ),
    ("attention_backward", scaled_scores_and_a_wrong_dv, "; of your intermediate values dP, delta, dS are right"),
    ("attention_backward", in_place, "; of your intermediate values dP is right"),
    ("attention_backward", nameless, ""),
    ("attention_backward", other_names, ""),
    ("rmsnorm", row_by_row, ""),
    ("rmsnorm", gain_forgotten, "the first that differs from the derivation is dn, line 4"),
    (
        "swiglu",
        silu_without_its_derivative,
        "h, dh, db are right, the first that differs from the derivation is da, line 7",
    ),
    ("objective", log_for_pi, "the first that differs from the derivation is pi, line 2"),
    ("rotary", forward_again, "dy1, dy2 are right, the first that differs from the derivation is dx1, line 5"),
    ("layer_norm", mean_kept, "dn, dcentred are right"),
    ("linear", transposed, "the first that differs from the derivation is dW, line 2"),
    ("linear", finished_in_place, "; of your intermediate values dx is right"),
    ("embedding", onehot_of_the_order, "the first that differs from the derivation is onehot, line 2"),
]


def check_of(exercise):
    package = attention_by_hand if hasattr(attention_by_hand, exercise) else backprop_by_hand
    return getattr(package, exercise)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("exercise, answer, words", SAID)
def test_the_first_value_that_differs_is_named_with_its_line(exercise, answer, words, seed):
    verdict = check_of(exercise)(answer, seed)
    assert verdict.right is False and words in verdict.text, verdict
    assert words or "intermediate" not in verdict.text, verdict


NAMES = {"linear": "", "embedding": "", "rmsnorm": "dn", "swiglu": "h, dh, db, da", "objective": "pi, onehot"}
NAMES |= {"layer_norm": "dn, dcentred", "rotary": "", "attention_backward": "dv, dP, dS, dq, dk"}


@pytest.mark.parametrize("exercise", NAMES)
def test_a_right_answer_is_told_which_of_its_values_are_those_of_the_derivation(exercise):
    notebook = "05_attention_by_hand" if hasattr(attention_by_hand, exercise) else "04_backprop_by_hand"
    namespace = solution(notebook, exercise)
    function = next(value for name, value in namespace.items() if name.endswith("backward"))
    verdict = check_of(exercise)(function, 0)
    assert verdict.right is True
    assert (f"of your intermediate values {NAMES[exercise]} " in verdict.text) == bool(NAMES[exercise]), verdict


def test_a_name_that_means_another_thing_does_not_spoil_a_right_answer():
    def answer(p, g, cache, dy):
        r, n = cache
        g.weight += (dy * n).sum(0)
        dn = dy  # the gain comes later
        return r * (p.weight * dn - n * inner(p.weight * dn, n) / n.shape[-1])

    verdict = backprop_by_hand.rmsnorm(answer, 0)
    assert verdict.right is True and "differs" not in verdict.text


def test_values_are_found_beside_what_python_warns_about(tmp_path):
    """LaTeX in a string that is not raw. In these tests a warning is an error."""
    file, space = tmp_path / "answer.py", {}
    file.write_text('def backward(p, g, cache, dy):\n    "\\lambda"\n    dx = dy @ p.weight\n    return dx\n')
    with warnings.catch_warnings(action="ignore"):
        exec(compile(file.read_text(), file, "exec"), space)
    verdict = backprop_by_hand.linear(space["backward"], 0)
    assert verdict.right is False and "of your intermediate values dx is right" in verdict.text


@pytest.mark.skipif(sys.version_info < (3, 14), reason="there a function with such a note cannot be defined")
def test_a_note_of_a_type_that_is_not_there_does_no_harm():
    def answer(p: Nothing, g, cache, dy) -> Nowhere:  # noqa: F821
        g.weight += dy.T @ cache
        dx = dy @ p.weight
        return dx

    verdict = backprop_by_hand.linear(answer, 0)
    assert verdict.right is True and "dx" in verdict.text
    assert with_arguments(answer, [1, "a"]) == "\n    arguments: 1, 'a'"


def test_an_answer_that_is_no_function_of_python_is_judged_without_them():
    class Callable:
        def __call__(self, cache, dJ):
            return 0 * cache.log_pi

    verdict = backprop_by_hand.objective(Callable(), 0)
    assert verdict.right is False and "intermediate" not in verdict.text
