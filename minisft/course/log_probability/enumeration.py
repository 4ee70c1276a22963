"""All answers over a small vocabulary, as a tree: list them all, or draw one.

A world is a function next_pr(y): the distribution (V,) of the next token for every tuple y of tokens so far; token 0
is the end token. Every path from the root to an end token is an answer, and its probability is a product.
"""

from typing import Any

import numpy as np

from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Stumbled, Verdict, run, same

END = 0


def story(rng, V):
    """next_pr(y): a distribution (V,) of the next token for every tuple y, made when it is first asked for."""
    known = {}

    def next_pr(y):
        y = tuple(int(i) for i in y)
        if y not in known:
            known[y] = np.random.default_rng([salt, len(y), *y]).dirichlet(np.full(V, 2.0))
        return known[y].copy()

    salt = int(rng.integers(1 << 30))
    return next_pr


def tree(next_pr, length, through_end=False, forget=False, to_end=True):
    """({answer: Pr}, mass of the unfinished) of at most `length` tokens; the options are mistakes."""
    ended, open_now = {}, {(): 1.0}
    for _ in range(length):
        grown = {}
        for y, pr in open_now.items():
            for token, p in enumerate(next_pr(() if forget else y)):
                if token == END:
                    ended[(*y, END)] = float(pr * p) if to_end else pr
                if token != END or through_end:
                    grown[(*y, token)] = float(pr * p)
        open_now = grown
    return ended, float(sum(open_now.values()))


def changed(change, **options):
    """A mistake: `tree`, and then something done to what it gives."""
    return lambda next_pr, length: change(*tree(next_pr, length, **options))


ANSWERS = {
    "Pr(end token | y) is missing from the product: an answer is over only when its end token is drawn": changed(
        lambda ended, rest: (ended, rest), to_end=False
    ),
    "it goes on behind the end token: an answer with the end token inside is no answer": changed(
        lambda ended, rest: (ended, rest), through_end=True
    ),
    "each token must be drawn given all before it: call next_pr(y) with the tokens so far, not always ()": changed(
        lambda ended, rest: (ended, rest), forget=True
    ),
    "answers of `length` tokens are missing: the end token counts as one, and so may be number `length`": (
        lambda next_pr, length: tree(next_pr, length - 1)
    ),
    "answers are too long: the end token counts as one of the `length` tokens": (
        lambda next_pr, length: tree(next_pr, length + 1)
    ),
    "the second value is the mass of the unfinished, 1 − Σ Pr, not the sum of those that have ended": changed(
        lambda ended, rest: (ended, 1 - rest)
    ),
    "the mass of the unfinished is missing": changed(lambda ended, rest: (ended, 0.0)),
    "the answers were made to sum to 1; Pr(y) is a product, and a part of the mass has not ended yet": changed(
        lambda ended, rest: ({y: pr / (1 - rest) for y, pr in ended.items()}, rest)
    ),
    "these are logarithms; probabilities are wanted": changed(
        lambda ended, rest: ({y: np.log(pr) for y, pr in ended.items()}, rest)
    ),
    "the end token is missing from the answers: the last token of each is 0": changed(
        lambda ended, rest: ({y[:-1]: pr for y, pr in ended.items()}, rest)
    ),
    "the shortest answer is missing: the end token alone": changed(
        lambda ended, rest: ({y: pr for y, pr in ended.items() if len(y) > 1}, rest)
    ),
}


@exercise
def answers(answer, seed=None) -> Verdict:
    """answer(next_pr, length) -> ({y: Pr(y)} of all answers of at most `length` tokens, the mass of all others)."""
    rng = np.random.default_rng(seed)
    cases = [(story(rng, V), length) for V, length in ((3, 4), (4, 3), (2, 5))]
    for case in cases:
        result = run(answer, *case)
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], dict)):
            return Verdict(False, "return two things: the dict {y: Pr(y)}, y a tuple, and the mass of the unfinished")
        total = np.sum(list(result[0].values()), dtype=float) + result[1]
        if same(result, tree(*case)):
            continue
        for sentence, mistake in ANSWERS.items():
            if same(result, mistake(*case)):
                return Verdict(False, sentence)
        return Verdict(False, differing(result, tree(*case), total))
    return Verdict(True, "every answer once, and Σ Pr(y) + the mass of the unfinished is 1: it is a distribution")


def differing(theirs, ours, total):
    """A sentence about a table of answers that no catalogue has."""
    missing, more = ours[0].keys() - theirs[0].keys(), theirs[0].keys() - ours[0].keys()
    if missing or more:
        lack = f"{min(missing)} is missing" if missing else f"{min(more, key=str)} is no answer of that length"
        return f"{len(theirs[0])} answers where there are {len(ours[0])}: {lack}"
    off = [y for y in ours[0] if not same(theirs[0][y], ours[0][y])]
    if off:
        y = off[0]
        return f"Pr{y} is {theirs[0][y]:.6g} where {ours[0][y]:.6g} is right; all together sum to {total:.6g}"
    return f"the mass of the unfinished is {theirs[1]:.6g} where {ours[1]:.6g} is right"


# --- drawing ---------------------------------------------------------------------------------------------------------

DRAWS = 3000


def whole(next_pr, length, **options):
    """{what a draw of at most `length` tokens can be: its probability}: answers, and those cut off without an end."""
    ended, level = {}, {(): 1.0}
    sharpen, flat = options.pop("power", 1.0), options.pop("flat", False)
    for _ in range(length):
        grown = {}
        for y, pr in level.items():
            pi = np.ones_like(next_pr(())) if flat else next_pr(() if options.get("forget") else y) ** sharpen
            for token, p in enumerate(pi / pi.sum()):
                stop = token == END and not options.get("through_end")
                (ended if stop else grown)[(*y, token)] = pr * p
        level = grown
    return ended | level


WRONG_DRAWS: dict[str, dict[str, Any]] = {
    "all tokens are drawn equally often: use the probabilities next_pr gives": {"flat": True},
    "every token is drawn as if it were the first: call next_pr with the tokens drawn so far": {"forget": True},
    "it goes on behind the end token: stop as soon as 0 is drawn": {"through_end": True},
    "the likely tokens come too often, as if π were squared (a temperature of ½): draw from π itself": {"power": 2.0},
    "the unlikely tokens come too often, as if a root of π were taken (a temperature of 2)": {"power": 0.5},
}


def fits(counts, expected):
    """Could these counts be draws from this distribution? χ² within six of its standard deviations."""
    if counts.keys() - expected.keys():
        return False
    wanted = np.array([DRAWS * p for p in expected.values()])
    found = np.array([counts.get(y, 0) for y in expected])
    large = wanted > 5  # the rest together are one more outcome
    wanted = np.r_[wanted[large], wanted[~large].sum()]
    found = np.r_[found[large], found[~large].sum()]
    freedom = len(wanted) - 1
    return ((found - wanted) ** 2 / np.maximum(wanted, 1)).sum() < freedom + 6 * np.sqrt(2 * freedom) + 10


@exercise
def draw(answer, seed=None) -> Verdict:
    """answer(next_pr, rng, length) -> a list of tokens, drawn one after the other; judged by its frequencies."""
    rng = np.random.default_rng(seed)
    next_pr, length = story(rng, 3), 3
    expected, drawn = whole(next_pr, length), []
    for _ in range(DRAWS):
        y = run(answer, next_pr, rng, length)
        try:
            drawn.append(tuple(int(token) for token in y))
        except (TypeError, ValueError):
            raise Stumbled(False, f"it returns {y!r}; return the list of the tokens drawn, the end token too") from None
        if len(drawn) == 50 and len(set(drawn)) == 1:
            raise Stumbled(False, always_the_same(next_pr, drawn[0]))
    counts = {y: drawn.count(y) for y in set(drawn)}
    if fits(counts, expected):
        return Verdict(True, f"{DRAWS} draws have the frequencies of the tree: Pr(y) is how often y is drawn")
    for sentence, options in WRONG_DRAWS.items():
        if fits(counts, whole(next_pr, length, **options)):
            return Verdict(False, sentence)
    if fits(counts, {y[:-1] if y[-1] == END else y: p for y, p in expected.items()}):
        return Verdict(False, "the end token is missing from what is returned: it is drawn like any other token of y")
    longest = max(map(len, counts))
    if longest != length:
        return Verdict(False, f"the longest draw has {longest} tokens; with length {length} it is cut off at {length}")
    y = max(expected, key=lambda y: abs(counts.get(y, 0) / DRAWS - expected[y]))
    return Verdict(
        False, f"{list(y)} comes in {counts.get(y, 0) / DRAWS:.1%} of the draws; its probability is {expected[y]:.1%}"
    )


def always_the_same(next_pr, y):
    if not y:
        return "it returns an empty list: nothing is drawn, not even the end token"
    greedy = ()
    while len(greedy) < len(y):
        greedy += (int(next_pr(greedy).argmax()),)
    if y == greedy:
        return "it always takes the likeliest token (argmax): that is greedy decoding, nothing is drawn"
    return f"50 draws, and always {list(y)}: draw from the rng that is given, do not make a new one in every call"
