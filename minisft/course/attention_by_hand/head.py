"""One causal head by hand: its forward, its backward, and δ, judged by its definition and by the complex step."""

from copy import deepcopy

import numpy as np

from minisft import gradcheck
from minisft.course import own_attention
from minisft.course.attention_by_hand import mistakes
from minisft.course.grading.arrays import numeric, three_cotangents
from minisft.course.grading.cases import expected
from minisft.course.grading.comparison import difference, judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.gradients import TOLERANCE, multiple
from minisft.course.grading.intermediates import compared
from minisft.course.grading.verdict import Verdict, run, same


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


@exercise
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
    large = (300 * q, 300 * k, v)
    if verdict.right and not same(o := run(answer, *large), one_head(*large)):
        expected(large, one_head(*large), o)
        if np.isfinite(o).all():
            return Verdict(False, "right for small scores; among large ones the mask is no −∞: later keys get a share")
        return Verdict(False, "right, but exp overflows where logits are large: subtract the largest of each row first")
    return verdict


@exercise
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
        way = compared(answer, deepcopy((q, k, v, P, do)), head_steps(q, k, v, P, do))
        if wrong:
            expected((q, k, v, P, do), own_attention.one_head(q, k, v, P, do), tuple(found.values()))
            return Verdict(False, explained(found, wrong, (q, k, v, P, do)) + way)
        largest = max(largest, *errors.values())
    praise = f"dq, dk and dv are the derivatives; the largest error by the complex step is {largest:.0e}"
    return Verdict(True, praise + ("" if "differs" in way else way))


def head_steps(q, k, v, P, do):
    """The intermediate values of the derivation, by the names that it gives them; √D may divide dS, or dq and dk."""
    root = np.sqrt(q.shape[-1])
    dP, o = do @ v.T, P @ v
    delta = np.vecdot(do, o)
    dS = P * (dP - delta[:, None])
    last = {"dq": [dS @ k / root, dS @ k], "dk": [dS.T @ q / root, dS.T @ q]}
    return {"dv": P.T @ do, "o": o, "dP": dP, "delta": delta, "dS": [dS, dS / root]} | last


def explained(found, wrong, arguments):
    right = mistakes.wrong()(*arguments) | mistakes.wrong(v=lambda q, k, v, P, dS, do: P.T @ do)(*arguments)
    made = {sentence: mistake(*arguments) for sentence, mistake in mistakes.BACKWARD.items()}
    sentences = {}
    for name in wrong:
        known = [sentence for sentence, gradients in made.items() if same(gradients.get(name), found[name])]
        text = known[0] if known else multiple(name, found[name], right[name])
        sentences[text or f"d{name} is wrong: {difference(found[name], right[name], arguments[:1])}"] = None
    return "; ".join(sentences)


@exercise
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
