"""The checks of notebook 12: right answers pass, stubs are met kindly, and mistakes are told by their names."""

import pytest

from course.catalogue.lora import WRONG
from course.solutions import solution
from minisft.course.lora import adapt, lora_backward, merge

CHECKS = {"lora_backward": lora_backward, "merge": merge, "adapt": adapt}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("exercise", CHECKS)
def test_the_solution_is_right(exercise, seed):
    verdict = CHECKS[exercise](solution("12_lora", exercise)[exercise], seed=seed)
    assert verdict.right is True, verdict


@pytest.mark.parametrize("exercise", CHECKS)
def test_a_stub_is_met_kindly(exercise):
    def stub(*arguments):
        raise NotImplementedError

    assert repr(CHECKS[exercise](stub, seed=0)).startswith("◌ not written yet")


SAID = {
    ("lora_backward", "no s in dA"): "g.lora_A: s is missing",
    ("lora_backward", "s twice"): "g.lora_A: it is multiplied by s twice",
    ("lora_backward", "a mean"): "g.lora_B: a mean over the rows is added",
    ("lora_backward", "dx is du"): "it ends at du",
    ("lora_backward", "overwritten"): "g.lora_A.weight is overwritten",
    ("lora_backward", "dB is not added"): "nothing is added to g.lora_B.weight",
    ("lora_backward", "sign turned"): "the sign of g.lora_A.weight is turned",
    ("merge", "no s"): "s is missing",
    ("merge", "root of r"): "that of rsLoRA",
    ("merge", "twice"): "ΔW is added twice",
    ("merge", "without W"): "this is ΔW alone",
    ("adapt", "too many"): "18,304 numbers, and 10,000 may move",
    ("adapt", "what the paper took"): "8,960 numbers; held-out loss",
    ("adapt", "no such map"): '"lm_head" is not a linear map of a block',
    ("adapt", "names alone"): "two things are wanted",
    ("adapt", "r of 1.5"): "r is a whole number",
}


@pytest.mark.parametrize("exercise, name", SAID)
def test_a_mistake_is_named(exercise, name):
    verdict = CHECKS[exercise](WRONG[exercise][name], seed=0)
    assert verdict.right is False and SAID[exercise, name] in verdict.text, verdict


def test_every_intermediate_value_of_the_gradient_is_looked_at_by_its_name():
    def first_wrong(p, g, x, dy):
        A, B, s = p.lora_A.weight, p.lora_B.weight, p.lora_alpha / len(p.lora_A.weight)
        u = x @ A.T
        du = 2 * s * dy @ B
        dB = s * dy.T @ u
        dA = du.T @ x
        g.lora_A.weight += dA
        g.lora_B.weight += dB
        return du @ A

    text = lora_backward(first_wrong, seed=0).text
    assert (
        "of your intermediate values s, u are right, the first that differs from the derivation is du, line 4" in text
    )
