"""Checks of rows that are alike: equal, nearly equal, at odds with each other, or of the test set."""

import math
import re
from collections import Counter
from unicodedata import normalize

from minisft.data import Example
from minisft.errors import quoted
from minisft.lab.doctor.alike import alike
from minisft.lab.doctor.case import Case, Turn, said, turns
from minisft.lab.doctor.findings import Found

TIMES = 4  # as often as the next answer
WORD = re.compile(r"\w+|[^\w\s.,;:?!\"'’“”…#*]")


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
    answered = [" ".join(turn.y for turn in turns(example)) for example in examples]
    pairs = alike([whole(example) for example in examples], answered)
    where = [examples[later].where for later, _ in pairs]
    like = f"{where[0]} is like {examples[pairs[0][1]].where}." if pairs else ""
    return Found(where, like)


def conflict(case: Case) -> Found:
    """Questions that have several answers, whatever their case and space, and the least that the loss can then be."""
    given = dict[str, set[tuple[str, str]]]()
    asked = [(turn, key(example, turn), example.where) for example, turns in case.turns for turn in turns if turn.x]
    for turn, question, _ in asked:
        given.setdefault(question, set()).add((turn.x, turn.y))
    several = {question for question, pairs in given.items() if len(pairs) > 1 and differ(pairs)}
    where = list(dict.fromkeys(where for _, question, where in asked if question in several))
    H, tokens = entropy(questions(case.data.examples)), sum(int(sequence.is_y[1:].sum()) for sequence in case.sequences)
    return Found(
        where,
        f"{len(several)} questions have several answers: no θ gets below {H:.4g} nats in all, "
        f"{H / max(tokens, 1):.4g} nats per token of y.",
    )


def differ(pairs: set[tuple[str, str]]) -> bool:
    """Whether one x has two y, or all of them together two that differ in more than case and space."""
    return len({x for x, _ in pairs}) < len(pairs) or len({normalised([y]) for _, y in pairs}) > 1


def key(example: Example, turn: Turn) -> str:
    """What asks for an answer, where neither case nor space counts."""
    return f"{example.tools} {normalised(turn.texts)}"


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
    """Rows of the test set that are in training: the question, in another frame too; all of it; or as a later turn."""
    if not case.tests.examples:
        return Found([])
    asked = {normalised(turn.texts) for _, row in case.turns for turn in row if turn.x}
    answered = {pair(turn) for _, row in case.turns for turn in row if turn.x}
    wholes = {normalised([whole(example)]) for example in case.data.examples}
    asking = [[turn for turn in turns(example) if turn.x] for example in case.tests.examples]
    own = worded([turn.texts for _, row in case.turns for turn in row if turn.x])
    other = worded([row[-1].texts for row in asking if row])
    wrapping = wrapped(own, other) | wrapped(other, own)
    wordings, where = {bare(words, wrapping) for words in own}, []
    for example, asks in zip(case.tests.examples, asking):
        known = normalised([whole(example)]) in wholes
        if asks:
            known |= normalised(asks[-1].texts) in asked or (len(asks) == 1 and pair(asks[0]) in answered)
            (words,) = worded([asks[-1].texts])
            known |= bare(words, wrapping) in wordings
        if known:
            where.append(example.where)
    return Found(where, f"{len(where)} of {len(case.tests.examples)} rows of the test set.")


def worded(questions: list[list[str]]) -> list[list[str]]:
    """The words and signs of questions, without case and punctuation."""
    return [WORD.findall("\n".join(texts).casefold()) for texts in questions]


def wrapped(questions: list[list[str]], others: list[list[str]]) -> set[str]:
    """The words that half of the questions have, and not a tenth of the others: “Question: … Answer:”."""
    often, seldom = (Counter(word for words in some for word in set(words)) for some in (questions, others))
    return {word for word, n in often.items() if 2 * n > len(questions) and 10 * seldom[word] < len(others)}


def bare(words: list[str], wrapping: set[str]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in wrapping)


def pair(turn: Turn) -> str:
    """A question with its answer, whatever was said before, but for the system turn."""
    return normalised([*turn.system, turn.texts[-1], turn.y])


def imbalance(case: Case) -> Found:
    """The rows that have the one answer which over half of all rows have, and no other nearly as often."""
    answers = [(normalised([turn.y]), example.where) for example, turns in case.turns for turn in turns]
    (answer, count), (_, next_one) = [*Counter(y for y, _ in answers).most_common(2), ("", 0), ("", 0)][:2]
    if count < 3 or count * 2 <= len(answers) or count < TIMES * next_one:
        return Found([])
    return Found([where for y, where in answers if y == answer], f"The answer is {quoted(answer)}.")


# --- what is compared -------------------------------------------------------------------------------------------------


def whole(example: Example) -> str:
    return "\n".join(text for _, text in said(example))


def normalised(texts: list[str]) -> str:
    """Texts in which neither case nor space counts."""
    text = "\n".join(texts)
    return " ".join((text if text.isascii() else normalize("NFKC", text)).casefold().split())
