"""Checks of rows that are alike: equal, nearly equal, at odds with each other, or of the test set."""

import math
import re
from collections import Counter
from unicodedata import normalize

from minisft.data import Example
from minisft.errors import quoted
from minisft.lab.doctor.alike import alike
from minisft.lab.doctor.case import Case, said, turns
from minisft.lab.doctor.findings import Found


def duplicate(case: Case) -> Found:
    """Rows that are equal to an earlier one."""
    first, where, said_of = dict[str, str](), [], ""
    for example in case.data.examples:
        key = repr((example.prompt, example.completion, example.tools))
        if key in first:
            said_of = said_of or f"{example.where} is {first[key]} again."
            where.append(example.where)
        first.setdefault(key, example.where)
    return Found(where, said_of)


def near_duplicate(case: Case) -> Found:
    """Rows that are nearly an earlier one, of those that are not equal to one."""
    different = {repr(list(said(example))): example for example in reversed(case.data.examples)}
    examples = list(different.values())[::-1]
    pairs = alike([whole(example) for example in examples])
    where = [examples[later].where for later, _ in pairs]
    like = f"{where[0]} is like {examples[pairs[0][1]].where}." if pairs else ""
    return Found(where, like)


def conflict(case: Case) -> Found:
    """Questions that have several answers, and the least that the loss can then be."""
    counts = questions(case.data.examples)
    several = {x for x, answers in counts.items() if len(answers) > 1}
    where = [e.where for e in case.data.examples if any(turn.x in several for turn in turns(e))]
    H, tokens = entropy(counts), sum(int(sequence.is_y[1:].sum()) for sequence in case.sequences)
    return Found(
        where,
        f"{len(several)} questions have several answers: no θ gets below {H:.4g} nats in all, "
        f"{H / max(tokens, 1):.4g} nats per token of y.",
    )


def questions(examples: list[Example]) -> dict[str, Counter[str]]:
    """{x: how often each answer is given to it}, of all answers that count."""
    counts = dict[str, Counter[str]]()
    for turn in (turn for example in examples for turn in turns(example) if turn.x):
        counts.setdefault(turn.x, Counter())[turn.y] += 1
    return counts


def entropy(counts: dict[str, Counter[str]]) -> float:
    """What −Σ log Pr(y|x), in nats, is at least, whatever θ: with n(x, y) of n(x) answers to x being y,

    H = −Σ_x Σ_y n(x, y) log (n(x, y) / n(x))
    """
    total = 0.0
    for answers in counts.values():
        n = sum(answers.values())
        total -= sum(k * math.log(k / n) for k in answers.values())
    return total


def leak(case: Case) -> Found:
    """Rows of the test set whose question, or all of whose text, is in training."""
    asked = {normalised(turn.texts) for example in case.data.examples for turn in turns(example) if turn.x}
    wholes = {normalised([text]) for example in case.data.examples for text in [whole(example)]}
    where = []
    for example in case.tests.examples:
        questions = [normalised(turn.texts) for turn in turns(example) if turn.x]
        if (questions[-1:] and questions[-1] in asked) or normalised([whole(example)]) in wholes:
            where.append(example.where)
    return Found(where, f"{len(where)} of {len(case.tests.examples)} rows of the test set.")


def imbalance(case: Case) -> Found:
    """The rows that have the one answer which over half of all rows have."""
    answers = [(normalised([turn.y]), example.where) for example in case.data.examples for turn in turns(example)]
    (answer, count), *_ = Counter(y for y, _ in answers).most_common(1) or [("", 0)]
    if count < 3 or count * 2 <= len(answers):
        return Found([])
    return Found([where for y, where in answers if y == answer], f"The answer is {quoted(answer)}.")


# --- what is compared -------------------------------------------------------------------------------------------------


def whole(example: Example) -> str:
    return "\n".join(text for _, text in said(example))


def normalised(texts: list[str]) -> str:
    """Texts in which neither case nor space counts."""
    return re.sub(r"\s+", " ", normalize("NFKC", "\n".join(texts)).casefold()).strip()
