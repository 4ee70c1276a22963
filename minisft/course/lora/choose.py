"""Which maps to adapt, and how thinly, if only so many numbers may move: judged by a run."""

from dataclasses import replace
from functools import lru_cache

from minisft import adapter, train
from minisft.course.grading.excerpts import described
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Stumbled, Verdict, run
from minisft.course.lora.experiment import SETTINGS, held_out, loss, pairs, theta_hat
from minisft.errors import MinisftError

BUDGET, STEPS, RATE = 10_000, 40, 4e-3
USUAL = ("q_proj", "v_proj"), 5  # what the paper adapted, as thickly as the budget allows
BETTER = 0.85  # of the loss that the usual choice reaches


@lru_cache
def held_out_loss(names: tuple, r: int, seed: int) -> float:
    """−log Pr of held-out answers after the run, in nats per token."""
    settings = replace(SETTINGS, max_steps=STEPS, learning_rate=RATE, seed=seed)
    settings = replace(settings, lora_r=r, lora_target_modules=names)
    theta, config, _ = theta_hat()
    *_, state = train.finetune(theta, config, pairs(), settings)
    return loss(adapter.merged(state.theta), held_out())


@lru_cache
def numbers(names: tuple, r: int) -> int:
    """How many numbers A and B have together. Raises MinisftError if a name means no linear map."""
    modules = adapter.chosen(theta_hat()[0], names, "target_modules")
    return sum(r * sum(adapter.linear_maps(theta_hat()[0])[module]) for module in modules)


@exercise
def adapt(answer, seed=None) -> Verdict:
    names, r = understood(run(answer))
    try:
        size = numbers(names, r)
    except MinisftError as error:
        return Verdict(False, str(error))
    if size > BUDGET:
        return Verdict(
            False, f"these A and B have {size:,} numbers, and {BUDGET:,} may move: fewer maps, or a smaller r"
        )
    mine, usual = (held_out_loss(*choice, seed % 2) for choice in ((names, r), USUAL))
    measured = (
        f"{size:,} numbers; held-out loss {mine:.3f}, that of q_proj and v_proj with r = 5 {usual:.3f} nats per token"
    )
    if mine > BETTER * usual:
        return Verdict(
            False, f"{measured}: at most {BETTER:.0%} of that is wanted. Where else could the numbers stand?"
        )
    return Verdict(True, measured)


def understood(result) -> tuple[tuple, int]:
    """(names, r). Raises Stumbled if they are not such."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Stumbled(False, f"two things are wanted, target_modules and r; this is {described(result)}")
    names, r = result
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (tuple, list)) or not names or not all(isinstance(name, str) for name in names):
        raise Stumbled(False, f"target_modules is a list of names; this is {described(names)}")
    if isinstance(r, bool) or not isinstance(r, int) or r < 1:
        raise Stumbled(False, f"r is a whole number, 1 or more; this is {described(r)}")
    return tuple(names), r
