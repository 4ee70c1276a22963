"""The predictions of notebook 10, settled by the recorded runs."""

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import Verdict, settle
from minisft.lab import prices
from minisft.lab.mistakes import MISTAKES

OFF = 0.1  # of exact match: ten points
PARTS = ["fewer than a quarter", "a quarter to a half", "more than a half"]


def costly() -> list[str]:
    """The mistakes after which exact match, as it is shown or as it is, is ten points off."""
    means = prices.prices()
    right, names = means["without"], ("exact_match", "true_exact_match")
    return [m.name for m in MISTAKES if any(abs(means[m.name][n] - right[n]) >= OFF for n in names)]


@quiz
def looks_healthy(prediction) -> Verdict:
    """With how many of the costly mistakes does the training loss fall like a healthy one?"""
    dear = costly()
    count = sum(prices.prices()[name]["looks_healthy"] for name in dear)
    outcome = PARTS[(count >= len(dear) / 4) + (count > len(dear) / 2)]
    happened = (
        f"{len(dear)} of {len(MISTAKES)} mistakes move exact match, as it is shown or as it is, by ten points or more; "
        f"with {count} of them the loss ends above 0 and below a quarter of where it began, in all three seeds."
    )
    return settle(prediction, PARTS, outcome, happened)


@quiz
def best_check(prediction, found: dict[str, dict[str, bool]]) -> Verdict:
    """Which check finds the most mistakes?

    found  {mistake: {check: whether it finds it}}
    """
    checks = list(next(iter(found.values())))
    count = {check: sum(of[check] for of in found.values()) for check in checks}
    alone = {check: sum(of[check] and sum(of.values()) == 1 for of in found.values()) for check in checks}
    said = "; ".join(f"{check} {count[check]}, alone {alone[check]}" for check in checks)
    by_none = sum(not any(of.values()) for of in found.values())
    happened = f"Of {len(found)} mistakes each finds: {said}. {by_none} are found by none."
    return settle(prediction, checks, max(count, key=lambda check: count[check]), happened)
