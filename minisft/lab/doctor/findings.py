"""What a check is, and what comes of it: a finding, with lines, a reason, what to do, and what the mistake costs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from minisft.lab.doctor.case import Case

PRICES = Path(__file__).parents[1] / "prices.json"  # what each mistake costs, measured by the lab
NAMED = 20  # places that a finding names


class Found(NamedTuple):
    """What a check has found: nothing, if there is no place.

    where  "file:line" of each row, or the file of the model
    said   what is special about these, in one sentence
    """

    where: list[str]
    said: str = ""


class Check(NamedTuple):
    """One thing that can be wrong.

    severity  "error": the training, or its use, will be wrong; "warning": probably; "note"
    look      finds it in a case
    why, do   what it does to the model, and what to do about it
    mistake   its name in the lab's table of prices, if it was measured there
    """

    name: str
    severity: str
    look: Callable[["Case"], Found]
    why: str
    do: str
    mistake: str = ""


def finding(check: Check, found: Found) -> dict[str, Any]:
    """A finding as `minisft doctor --json` prints it."""
    return {
        "check": check.name,
        "severity": check.severity,
        "count": len(found.where),
        "where": found.where[:NAMED],
        "why": f"{found.said} {check.why}".strip(),
        "do": check.do,
        "price": price(check.mistake),
    }


def price(mistake: str) -> dict[str, Any] | None:
    """What a mistake cost in the lab, {"mistake", "with": {quantity: mean}, "without": {…}}; None: not measured."""
    prices = json.loads(PRICES.read_text(encoding="utf-8")) if PRICES.exists() else {}
    if mistake not in prices:
        return None
    return {"mistake": mistake, "with": prices[mistake], "without": prices.get("without", {})}
