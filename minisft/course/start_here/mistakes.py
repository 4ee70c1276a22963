"""What goes wrong in counting right answers: each mistake of notebook 00 as a function that makes it."""

import unicodedata

import numpy as np


def equal(p, e):
    return p.strip() == e.strip()


def bare(text):
    """Without its accents."""
    return unicodedata.normalize("NFKD", text.strip()).encode("ascii", "ignore")


def mean(right):
    """A way to count, as a fraction of the pairs at the same place."""
    return lambda predicted, expected: float(np.mean([right(p, e) for p, e in zip(predicted, expected)]))


def characters(predicted, expected):
    hits = [a == b for p, e in zip(predicted, expected) for a, b in zip(p.strip(), e.strip())]
    return float(np.mean(hits)) if hits else 0.0


def count(predicted, expected):
    return sum(map(equal, predicted, expected))


def of_those_answered(predicted, expected):
    answered = [(p, e) for p, e in zip(predicted, expected) if p.strip()]
    return sum(equal(p, e) for p, e in answered) / len(answered)


def anywhere(predicted, expected):
    return float(np.mean([p.strip() in [e.strip() for e in expected] for p in predicted]))


MISTAKES = {
    "it is the number of right answers: divide by how many there are": count,
    "it is in per cent: a fraction is a number from 0 to 1": lambda p, e: 100 * count(p, e) / len(e),
    "it is the fraction of wrong answers": mean(lambda p, e: not equal(p, e)),
    "a space or a line break at an end makes an answer wrong for you: strip both texts": mean(lambda p, e: p == e),
    "you strip what the model answered, but not the expected answer": mean(lambda p, e: p.strip() == e),
    "you strip the expected answer, but not what the model answered": mean(lambda p, e: p == e.strip()),
    "you strip only the end of the texts, not their beginning": mean(lambda p, e: p.rstrip() == e.rstrip()),
    "you strip only the beginning of the texts, not their end": mean(lambda p, e: p.lstrip() == e.lstrip()),
    "you strip spaces, but not line breaks": mean(lambda p, e: p.strip(" ") == e.strip(" ")),
    "you strip line breaks, but not spaces": mean(lambda p, e: p.strip("\n") == e.strip("\n")),
    "spaces and line breaks inside an answer count: only those at its ends do not": mean(
        lambda p, e: "".join(p.split()) == "".join(e.split())
    ),
    "spaces inside an answer count: strip takes away those at its ends only": mean(
        lambda p, e: equal(p.replace(" ", ""), e.replace(" ", ""))
    ),
    "line breaks inside an answer count: only those at its ends do not": mean(
        lambda p, e: equal(p.replace("\n", ""), e.replace("\n", ""))
    ),
    "the full stop at the end counts: only spaces and line breaks do not": mean(
        lambda p, e: p.strip(" \n.") == e.strip(" \n.")
    ),
    "quotes around an answer count: only spaces and line breaks do not": mean(
        lambda p, e: p.strip(" \n\"'") == e.strip(" \n\"'")
    ),
    "accents count: word for word means letter for letter": mean(lambda p, e: bare(p) == bare(e)),
    "the words may stand in any order for you: equal, not the same words": mean(
        lambda p, e: sorted(p.split()) == sorted(e.split())
    ),
    "only the lengths are compared": mean(lambda p, e: len(p.strip()) == len(e.strip())),
    "only the first words are compared": mean(lambda p, e: p.split()[:1] == e.split()[:1]),
    "only the last words are compared": mean(lambda p, e: p.split()[-1:] == e.split()[-1:]),
    "an answer that ends with the right one counts as right for you: equal, not contained": mean(
        lambda p, e: p.strip().endswith(e.strip())
    ),
    "an answer that begins with the right one counts as right for you: equal, not contained": mean(
        lambda p, e: p.strip().startswith(e.strip())
    ),
    "it divides by the different questions: a question that is asked twice counts twice": (
        lambda p, e: count(p, e) / len({text.strip() for text in e})
    ),
    "capital letters count: word for word means letter for letter": mean(lambda p, e: equal(p.lower(), e.lower())),
    "spaces inside an answer count: only those at its ends do not": mean(lambda p, e: p.split() == e.split()),
    "an answer that goes on after the right one counts as right for you: equal, not contained": mean(
        lambda p, e: e.strip() in p
    ),
    "an unfinished answer counts as right for you, even an empty one: equal, not contained": mean(
        lambda p, e: p.strip() in e
    ),
    "only the first pair is compared: is the `return` inside the loop?": lambda p, e: float(equal(p[0], e[0])),
    "it says whether all answers are right, not how many": lambda p, e: all(map(equal, p, e)),
    "an empty answer is an answer too, a wrong one: divide by the number of questions": of_those_answered,
    "the right answer to another question counts for you: compare the texts at the same place": anywhere,
    "it is the fraction of right characters: an answer is right as a whole, or it is wrong": characters,
}
