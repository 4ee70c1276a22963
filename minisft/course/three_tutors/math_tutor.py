"""The math tutor: are x and y what they should be, is J log Pr(y|x), is the target reached?"""

import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from minisft.course.grading.arrays import numeric
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Stumbled, Verdict, run
from minisft.course.three_tutors.stories import PEOPLE, THINGS, Story

SIDE = r"\d+(?: *[-+] *\d+)*"  # of an equation
ANSWER = re.compile(r"(\d+) ([-+]) (\d+) = (\d+), so (\w+) (has|keeps) (\d+) (\w+)")  # of the shipped word problems
PARTS = (  # what is asked of such an answer
    "has the form a ± b = c, so …",
    "its a ± b is that of the problem",
    "its a ± b = c is true",
    "its c is the result",
)
FAULTS = (
    "right result",
    "does not stop",
    "another sum than the problem's",
    "a false equation",
    "another number at the end",
)
CHAIN = re.compile(rf"{SIDE}(?: *= *{SIDE})+")
J_MISTAKES = {
    "log Pr(x) is in it: this is the joint objective, and the tutor would learn to pose problems": lambda x, y: (
        x.sum() + y.sum()
    ),
    "this is log Pr(x): it trains the problems, not the answers": lambda x, y: x.sum(),
    "the mean over the tokens of y: log Pr(y|x) is their sum": lambda x, y: y.mean(),
    "Pr(y|x), not its logarithm": lambda x, y: np.exp(y.sum()),
    "the probabilities of the tokens are added: add their logarithms": lambda x, y: np.exp(y).sum(),
    "the sign is turned: J is maximised, and the trainer sets the minus": lambda x, y: -y.sum(),
    "the end token, the last of y, is left out: the tutor never learns to stop": lambda x, y: y[:-1].sum(),
    "log Pr(x) is taken off: given x, it is no part of log Pr(y|x)": lambda x, y: y.sum() - x.sum(),
    "only the last token of y counts: the steps are part of the answer": lambda x, y: y[-1],
}


def numbers(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", text)]


def value(side: str) -> int:
    """Of a sum or difference of whole numbers such as 7 - 3."""
    return sum(int(term) for term in re.findall(r"[-+]?\d+", side.replace(" ", "")))


def chains(text: str) -> list[list[str]]:
    """The equations of a text, each as its sides: "7 - 2 = 6 - 1 = 5" is ["7 - 2", "6 - 1", "5"]."""
    return [[side.strip() for side in found[0].split("=")] for found in CHAIN.finditer(text)]


def right_result(text: str, result: int) -> bool:
    """Is the last number of an answer the result?"""
    return numbers(text)[-1:] == [result]


def wrong_step(text: str) -> str:
    """The first equation of a text that does not hold, or ""."""
    for sides in chains(text):
        for one, other in pairwise(sides):
            if value(one) != value(other):
                return f"{one} = {other}"
    return ""


def taken_apart(predicted: str, expected: str) -> tuple[bool, bool, bool, bool]:
    """Of one answer to a shipped word problem: whether each of PARTS holds."""
    found, wanted = (ANSWER.match(text) for text in (predicted, expected))
    if not (found and wanted):
        return False, False, False, False
    a, sign, b, c = found.groups()[:4]
    return True, (a, sign, b) == wanted.groups()[:3], value(f"{a}{sign}{b}") == int(c), c == wanted[4]


def first_fault(story: Story, answer: dict, right: bool) -> str:
    """Where an answer to a story goes wrong first: one of FAULTS."""
    kind, names, numbers = story
    if right:
        return FAULTS[0]
    if not answer["stopped"]:
        return FAULTS[1]
    if "=" in answer["predicted"] and not answer["predicted"].startswith(kind(*names, *numbers)[1][0] + " "):
        return FAULTS[2]
    return FAULTS[3] if wrong_step(answer["predicted"]) else FAULTS[4]


def fault(example, who: str, things: str, has: int, gives: int) -> str:
    """What is wrong with the pair of one problem, in a sentence, or "" if nothing is."""
    if not (isinstance(example, dict) and all(isinstance(example.get(key), str) for key in ("prompt", "completion"))):
        return 'a pair is {"prompt": x, "completion": y}, two texts'
    x, y, result = example["prompt"], example["completion"], has - gives
    if "?" in y and "?" not in x:
        return "x and y are swapped: x is the problem, y the steps and the result"
    if "=" in x:
        return "the steps stand in x: what is in x is given, and never learned"
    if not {has, gives} <= set(numbers(x)):
        return f"x does not state the problem: {has} and {gives} must be in it"
    if len(numbers(x)) > 2:
        return f"x gives more than the problem: its numbers are {numbers(x)}, and only {has} and {gives} are known"
    if who not in x or things not in x:
        return f"x does not tell the story: who ({who}), and of what ({things})"
    wanted = f"{who} has {has} {things} and gives {gives} away. How many {things} does {who} have now?\n"
    if x == wanted.rstrip():
        return "x has no line break at its end: x and y are concatenated as they are, and would run together"
    if x != wanted:
        return f"x is another story than the one that is asked for, {wanted!r}"
    if "<|" in y:
        return "the end token is written as text: `data.encode` appends the real one"
    if "?" in y:
        return "the problem stands in y as well: it would be predicted, as in the joint objective"
    if "−" in y or "–" in y:
        return "the minus of y is another character than the - of the text"
    if not numbers(y):
        return "y has no number: neither steps nor a result"
    if result not in numbers(y):
        return f"the result is missing from y: {has} - {gives} is {result}"
    chain = CHAIN.search(y)
    if not chain:
        return "y states the result without a step: `a - b = …` is missing"
    if result in numbers(y[: chain.start()]):
        return f"the result, {result}, stands before the steps: there it has to be known by heart"
    if wrong_step(y):
        return f"a step is false: {wrong_step(y)}"
    said = [word for word in PEOPLE + THINGS if word not in (who, things) and re.search(rf"\b{word}\b", y)]
    if said:
        return f"y tells of {said[0]}, and the problem does not: it is about {who}'s {things}"
    strange = set(numbers(CHAIN.sub("", y))) - {has, gives, result}
    if strange:
        return f"y tells of {min(strange)}, which is neither in the problem nor its result"
    sides = chains(y)[0]
    if len(set(sides)) < len(sides):
        return f"a side stands there twice: {' = '.join(sides)} takes no step"
    if value(sides[0]) != result or numbers(sides[0]) != [has, gives]:
        return f"the steps do not begin with the problem, {has} - {gives}, but with {sides[0]}"
    if gives > 1 and not any(len(numbers(side)) == 2 and numbers(side)[1] for side in sides[1:]):
        return f"one step only: {' = '.join(sides)} has to be known by heart, and held-out problems are not"
    if not right_result(y, result):
        return f"y must end with the result: its last number is {numbers(y)[-1]}, not {result}"
    return ""


@exercise
def tutor(example: Callable, J: Callable, seed=None) -> Verdict:
    """example(who, things, has, gives) -> {"prompt": x, "completion": y};  J(log_prob_x, log_prob_y) -> log Pr(y|x)."""
    rng = np.random.default_rng(seed)
    shown = set()
    for has, gives in ((9, 4), (int(rng.integers(11, 18)), int(rng.integers(2, 9))), (6, 1), (8, 5)):
        who, things = str(rng.choice(["Anna", "Hugo", "Emma"])), str(rng.choice(["cups", "pens", "books"]))
        pair = run(example, who, things, has, gives)
        said = fault(pair, who, things, has, gives)
        if said:
            raise Stumbled(False, f"`example`, for {who}'s {has} {things}, {gives} given away: {said}")
        shown.add(pair["completion"])
    cases = [tuple(np.log(rng.uniform(0.2, 0.9, size)) for size in (5 + i, 4 + 2 * i)) for i in range(3)]
    verdict = judge(numeric(J), lambda x, y: y.sum(), cases, J_MISTAKES, "")
    if verdict.right is not True:
        return Verdict(verdict.right, f"`J`: {verdict.text}")
    return Verdict(True, "x poses the problem, y takes true steps to its result, J is log Pr(y|x). Now train by it:")


def target(verdict: Verdict, held_out: Callable, wanted: float) -> Verdict:
    """Does the tutor, once it is written, reach the target? held_out() trains, and says how many results are right."""
    if verdict.right is not True:
        return Verdict(None, "nothing to train yet: the check above comes first")
    reached = held_out()
    if reached >= wanted:
        return Verdict(
            True, f"{reached:.0%} of the held-out problems end in the right result; {wanted:.0%} was the target"
        )
    return Verdict(
        False,
        f"{reached:.0%} of the held-out problems, and {wanted:.0%} is the target: are the steps small enough that each "
        "is met often, and the words those of the text?",
    )
