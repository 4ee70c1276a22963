"""Texts that are nearly equal, found without comparing each with each.

The shingles of a text are its runs of 5 characters, where neither case nor punctuation counts. Two texts are alike if
their sets of shingles are:

    J(A, B) = |A ∩ B| / |A ∪ B| ≥ 0.8

and all numbers in them are the same: another number is another fact. What many texts have in common, a system turn or
the wording of a task, is left out of the sets, unless nothing else is in them; with it J must be as large, too. Under a
random order of all shingles the first one of A is the first one of B with probability J (Broder, "On the resemblance
and containment of documents", 1997). Of 96 orders, 5 at a time make a bucket; texts that share one of the 19 buckets
are compared. A pair with J = 0.8 shares one with probability 1 − (1 − 0.8⁵)¹⁹ = 0.9995. In a bucket each text meets the
few before it, so the work grows with the number of texts and not with its square.
"""

import re
from collections.abc import Iterator

import numpy as np

LENGTH, LEAST, HALF, MANY = 5, 0.8, 0.5, 0.1  # characters of a shingle; J of texts, of answers; of the texts
NUMBER = re.compile(r"\d+")
ROWS, BUCKETS, BEFORE = 5, 19, 8  # orders a bucket, buckets, texts that one meets in a bucket
SEED = 0x9E3779B97F4A7C15


def alike(texts: list[str], answers: list[str]) -> list[tuple[int, int]]:
    """(number of a text, number of an earlier one that it is like), at most one pair a text, in order.

    answers    of each text its y, which must be half alike, too: many questions about one page are no duplicates
    """
    shorts = [short(text) for text in texts]
    numbers = [tuple(NUMBER.findall(text)) for text in texts]
    common = boilerplate(shorts)
    signatures = [signature(shingles(text, common)) for text in shorts]
    found: dict[int, int] = {}
    for later, before in candidates(signatures):
        if later not in found and numbers[later] == numbers[before]:
            pair = shorts[later], shorts[before]
            whole, own = (resemblance(*(shingles(text, left_out) for text in pair)) for left_out in (None, common))
            of_answers = resemblance(*(shingles(short(answers[i])) for i in (later, before)))
            if min(whole, own) >= LEAST and of_answers >= HALF:
                found[later] = before
    return sorted(found.items())


def resemblance(one: np.ndarray, other: np.ndarray) -> float:
    """J of two sets of shingles."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


def boilerplate(shorts: list[str]) -> np.ndarray:
    """The shingles that a tenth of the texts have, and at least 8 of them, counted in up to 500: sorted, uint64."""
    some = shorts[:: len(shorts) // 500 + 1]
    if not some:
        return np.empty(0, np.uint64)
    each, counts = np.unique(np.concatenate([shingles(text) for text in some]), return_counts=True)
    return each[counts >= max(MANY * len(some), 8)]


def short(text: str) -> str:
    """A text without case and punctuation, with one blank between words."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def shingles(text: str, common: np.ndarray | None = None) -> np.ndarray:
    """The set of a text's shingles without the common ones, each as a 64-bit number: (n,) uint64, sorted."""
    codes = np.frombuffer(text.ljust(LENGTH).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    n = len(codes) - LENGTH + 1
    hashes = np.zeros(n, np.uint64)
    for i in range(LENGTH):  # a polynomial in a large odd number, modulo 2⁶⁴
        hashes = hashes * np.uint64(SEED) + codes[i : i + n]
    hashes ^= hashes >> np.uint64(29)
    own = np.unique(hashes * np.uint64(0xBF58476D1CE4E5B9))
    if common is None or not len(common):
        return own
    rest = own[common[np.minimum(np.searchsorted(common, own), len(common) - 1)] != own]
    return rest if len(rest) else own


def signature(shingles: np.ndarray) -> np.ndarray:
    """For each bucket what stands for its ROWS first shingles: (BUCKETS,) uint64."""
    orders = np.arange(1, ROWS * BUCKETS + 1, dtype=np.uint64) * np.uint64(2 * SEED % 2**64 + 1) | np.uint64(1)
    firsts = np.full(ROWS * BUCKETS, 2**64 - 1, np.uint64)
    for part in range(0, len(shingles), 256):  # keeps (shingles, orders) small
        mixed = shingles[part : part + 256, None] * orders
        mixed ^= mixed >> np.uint64(32)
        np.minimum(firsts, mixed.min(0), out=firsts)
    powers = np.uint64(SEED) ** np.arange(ROWS, dtype=np.uint64)
    return (firsts.reshape(BUCKETS, ROWS) * powers).sum(1, dtype=np.uint64)


def candidates(signatures: list[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Pairs (later, earlier) of texts that share a bucket."""
    if not signatures:
        return
    for column in np.stack(signatures).T:
        order = np.argsort(column, kind="stable")
        for step in range(1, BEFORE + 1):
            same = np.flatnonzero(column[order[step:]] == column[order[:-step]])
            yield from zip(order[same + step].tolist(), order[same].tolist())
