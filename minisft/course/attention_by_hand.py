"""Checks of notebook 05: attention and its backward by hand, and tests of gradients that see nothing."""

import numpy as np

from minisft import gradcheck
from minisft.course import attention_mistakes as mistakes
from minisft.course.grading.arrays import array, numeric, several, three_cotangents
from minisft.course.grading.comparison import difference, judge
from minisft.course.grading.gradients import TOLERANCE, case, judge_backward, multiple
from minisft.course.grading.verdict import Stumbled, Verdict, kindly, run, same, settle
from minisft.layers import rmsnorm
from minisft.layers import rotary as rotary_layer


def softmax(S):
    """Along the last axis, of complex numbers too."""
    e = np.exp(S - S.real.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def probabilities(q, k):
    """P of one causal head: from the loop over its definition, row by row."""
    rows = [softmax(q[t] @ k[: t + 1].T / np.sqrt(q.shape[-1])) for t in range(len(q))]
    return np.array([np.pad(row, (0, len(q) - len(row))) for row in rows])


def one_head(q, k, v):
    return probabilities(q, k) @ v


@kindly
def attention(answer, seed=None):
    """One causal head, compared with its definition; at last with logits so large that exp overflows."""
    answer = numeric(answer)
    rng = np.random.default_rng(seed)
    cases = [tuple(rng.standard_normal((3, T, D))) for T, D in ((5, 4), (7, 3), (1, 4))]
    verdict = judge(answer, one_head, cases, mistakes.FORWARD, "o is P v of a causal softmax")
    if verdict.right is False:
        o = run(answer, *cases[0])
        if np.shape(o) == np.shape(cases[0][0]) and same(o[1:], o[1:]) and np.isnan(o[0]).all():  # NaN equals nothing
            return Verdict(False, "the mask is off by one: the first query has no key left, and 0 / 0 is not a number")
        return verdict
    q, k, v = cases[0]
    if verdict.right and not same(run(answer, 300 * q, 300 * k, v), one_head(300 * q, 300 * k, v)):
        return Verdict(False, "right, but exp overflows where logits are large: subtract the largest of each row first")
    return verdict


@kindly
@np.errstate(all="ignore")
def attention_backward(answer, seed=None):
    """dq, dk, dv of one head, by the complex step."""
    rng = np.random.default_rng(seed)
    largest = 0.0
    for T, D in ((5, 3), (4, 6)):
        q, k, v, do = rng.standard_normal((4, T, D))
        P = probabilities(q, k)
        found = three_cotangents(run(answer, q, k, v, P, do), q.shape)
        twins = {name: value.astype(complex) for name, value in zip("qkv", (q, k, v))}
        pairs = [(name, twins[name], found[name]) for name in "qkv"]
        errors = gradcheck.complex_errors(lambda do=do, twins=twins: (do * one_head(**twins)).sum(), pairs, rng)
        wrong = [name for name, off in errors.items() if not off <= TOLERANCE]
        if wrong:
            return Verdict(False, explained(found, wrong, (q, k, v, P, do)))
        largest = max(largest, *errors.values())
    return Verdict(True, f"dq, dk and dv are the derivatives; the largest error by the complex step is {largest:.0e}")


def explained(found, wrong, arguments):
    right = mistakes.wrong()(*arguments) | mistakes.wrong(v=lambda q, k, v, P, dS, do: P.T @ do)(*arguments)
    made = {sentence: mistake(*arguments) for sentence, mistake in mistakes.BACKWARD.items()}
    sentences = {}
    for name in wrong:
        known = [sentence for sentence, gradients in made.items() if same(gradients.get(name), found[name])]
        text = known[0] if known else multiple(name, found[name], right[name])
        sentences[text or f"d{name} is wrong: {difference(found[name], right[name], arguments[:1])}"] = None
    return "; ".join(sentences)


def delta(answer, seed=None):
    """δ from do and o, compared with its definition, the sum over the keys."""
    rng = np.random.default_rng(seed)

    def attended(T, H, D):
        return rng.dirichlet(np.ones(T), (T, H)), rng.standard_normal((T, H, D)), rng.standard_normal((T, H, D))

    cases, sums = [], []
    for P, v, do in (attended(5, 3, 4), attended(4, 2, 6)):
        by_head = P.swapaxes(0, 1), v.swapaxes(0, 1), do.swapaxes(0, 1)  # (H, T, …)
        cases.append((do, (by_head[0] @ by_head[1]).swapaxes(0, 1)))
        sums.append((by_head[0] * (by_head[2] @ by_head[1].swapaxes(1, 2))).sum(-1).T)
    defined = iter(sums)  # judge asks for the right answers in the order of the cases
    return judge(
        numeric(answer), lambda do, o: next(defined), cases, mistakes.DELTA, "⟨do, o⟩ is Σ P ⊙ dP over the keys"
    )


def rotary(answer, seed=None):
    rng = np.random.default_rng(seed)
    cases = [case(rotary_layer, rng, *in_position(rng, D)) for D in (6, 8)]
    return judge_backward(answer, cases, mistakes.ROTARY, "dx is the derivative: the rotation turned back", rng)


def in_position(rng, D):
    """No parameters, six rows of 3 heads, and tables of two sequences."""
    cos, sin = rotary_layer.tables(np.array([0, 1, 2, 3, 0, 5]), D, 100.0, np.float64)
    return None, rng.standard_normal((6, 3, D)), cos, sin


def shared(answer, seed=None):
    """Judged by the identity that makes it the transpose of np.repeat: ⟨repeat(k), d⟩ = ⟨k, answer(d)⟩ for every k."""
    rng = np.random.default_rng(seed)
    cases = [(rng.standard_normal((5, H, 4)), G) for H, G in ((6, 2), (6, 3), (4, 4))]

    def transpose(d, G):
        T, H, D = d.shape
        k = np.eye(T * G * D).reshape(-1, T, G, D)  # every unit vector
        return (np.repeat(k, H // G, axis=2) * d).sum((1, 2, 3)).reshape(T, G, D)

    praise = "⟨repeat(k), dk⟩ = ⟨k, sums(dk)⟩ for every k: the gradients of shared heads add"
    return judge(numeric(answer), transpose, cases, mistakes.SHARED, praise)


# --- blind tests ------------------------------------------------------------------------------------------------------

BLIND = 1e-8  # a gap that passes for rounding


def gap(forward, x, dx, dy, rng):
    """|⟨dx, u⟩ − slope of ⟨dy, forward(x)⟩ along u| / ‖dy‖, along one random direction u, by the complex step."""
    u, z = rng.standard_normal(x.shape), x.astype(complex)
    slope = gradcheck.complex_slope(lambda: (dy * forward(z)).sum(), z, u)
    return float(abs((dx * u).sum() - slope) / np.linalg.norm(dy))


def zeros_gap(dP, rng):
    """Of a softmax whose backward returns zeros."""
    S = rng.standard_normal(dP.shape)
    return gap(softmax, S, np.zeros_like(S), dP, rng)


def mean_gap(S, rng):
    """Of a softmax whose backward subtracts the mean of dP, not δ."""
    dP = rng.standard_normal(S.shape)
    return gap(softmax, S, softmax(S) * (dP - dP.mean(-1, keepdims=True)), dP, rng)


def gain_gap(w, rng):
    """Of RMSNorm with its gain pulled out of the sum over channels."""
    p, (_, eps) = rmsnorm.example(rng)
    twin, x, dy = p.astype(complex), *rng.standard_normal((2, 5, 6))
    p.weight[...] = twin.weight[...] = w
    r, n = rmsnorm.forward(p, x, eps)[1]
    dx = r * w * (dy - n * np.vecdot(dy, n, keepdims=True) / 6)
    return gap(lambda x: rmsnorm.forward(twin, x, eps)[0], x, dx, dy, rng)


TESTS = (  # name, shape, its gap, what makes it blind
    ("dP", (4, 6), zeros_gap, "a constant in every row: Σ P = 1 does not move"),
    ("S", (4, 6), mean_gap, "equal logits in every row: P is uniform, and the mean of dP is δ"),
    ("w", (6,), gain_gap, "equal gains: then they can be pulled out of the sum"),
)


def blind_spot(name, value, shape) -> str | None:
    """Why these inputs are none that were asked for, or None."""
    if np.shape(value) != shape:
        return f"{name} has the shape {np.shape(value)}; asked for is {shape}"
    if not np.all(np.isfinite(value)):
        return f"{name} has entries that are not finite: then the slope is none, and nothing has been tested"
    if not np.any(value):
        return f"{name} is zero everywhere: that is too blind; give numbers"
    if np.abs(value).max() < 0.1:
        return f"{name} is so small that rounding hides the mistake, not the mathematics: make it of order 1"
    if name == "w":
        return "a gain of 1 was shown above: find another blind point" if np.any(np.isclose(value, 1)) else None
    return f"{name} is the same number everywhere: give rows of different numbers" if np.ptp(value) < 1e-3 else None


@kindly
def blind(answer, seed=None):
    """The inputs dP, S, w of three tests, each of which then passes on a wrong gradient; all else is random."""
    rng = np.random.default_rng(seed)
    result = several(run(answer), len(TESTS), "it does not return three arrays: dP, S, w")
    measured = []
    for (name, shape, test, why), value in zip(TESTS, result):
        value = array(value, f"{name} is not an array of numbers")
        if objection := blind_spot(name, value, shape):
            raise Stumbled(False, objection)
        off, honest = test(value, rng), max(test(rng.standard_normal(shape), rng) for _ in range(5))
        if off > BLIND:
            raise Stumbled(
                False, f"with your {name} the wrong gradient is found: the gap is {off:.1e}; {hint(name, value)}"
            )
        measured.append(f"{name} ({why}): gap {off:.0e}, in five honest tests up to {honest:.1g}")
    return Verdict(True, "three wrong gradients pass. " + "; ".join(measured))


def hint(name, value):
    if name == "w":
        return "the gain may leave the sum only if it does not vary inside it"
    if np.allclose(value, value[:1]):
        return f"the columns of your {name} are constant; the softmax runs along the rows"
    return {
        "dP": "for which dP is ⟨dP, P⟩ constant, whatever P is?",
        "S": "for which P is δ = Σ P ⊙ dP the mean of dP?",
    }[name]


# --- quizzes ----------------------------------------------------------------------------------------------------------


def restart(prediction, off):
    """Positions count on through the batch instead of restarting at 0: how far does the output of attention move?"""
    outcome = "only by rounding" if off < 1e-9 else "a lot"
    happened = (
        f"The outputs differ by {off:.0e} of their size. Counting on moves all positions of a sequence by one number, "
        "and q·k depends on distances only."
    )
    return settle(prediction, ("a lot", "only by rounding"), outcome, happened)


def changed_rows(prediction, changes):
    """One token in the middle of a sequence is replaced: which rows of the logits change?

    changes  (T,) largest change of each row's logits, row `place` being that of the token
    """
    moved = np.flatnonzero(changes)
    first, last = int(moved[0]), int(moved[-1])
    place = len(changes) // 2
    outcome = {
        (place, len(changes) - 1): "its own and the later ones",
        (place, place): "its own only",
        (0, len(changes) - 1): "all",
    }.get((first, last), "others")
    still = len(changes) - len(moved)
    happened = f"Rows {first} to {last} of {len(changes)} changed; the {still} others are equal bit for bit."
    return settle(prediction, ("its own only", "its own and the later ones", "all"), outcome, happened)
