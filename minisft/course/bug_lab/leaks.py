"""Exercise: a check of one's own, that finds whether sequences read one another, and accuses nothing else."""

from functools import partial

import numpy as np

from minisft import data
from minisft.course.grading.cases import expected
from minisft.course.grading.excerpts import described
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run
from minisft.lab import letters
from minisft.lab.experiment import during
from minisft.lab.mistakes import by_name
from minisft.verification import whole_model

LEAKS = {"packing-leak": "two rows are packed into one sequence without a mask"}
OTHERS = {  # wrong, but no sequence reads another
    None: "the library as it is",
    "prompt-not-masked": "the prompt is trained, too",
    "no-shift": "each token is its own target",
    "no-causal-mask": "a token sees those after it, in its own sequence",
    "positions-not-restarted": "positions run on from row to row",
}


@exercise
def leaks(answer, seed=None) -> Verdict:
    rng = np.random.default_rng(seed)
    two = both_ways(rng)
    said: dict[str | None, list[bool]] = {}
    for name in (*LEAKS, *OTHERS):
        for theta, sequences in two:
            with during(by_name(name) if name else None):
                J = partial(value, theta)
                says = run(answer, J, sequences)
            if not isinstance(says, (bool, np.bool_)):
                return Verdict(False, f"it returns {described(says)}: True or False is asked for")
            said.setdefault(name, []).append(bool(says))
            if says != (name in LEAKS):
                expected((J, sequences), name in LEAKS, says)
                return Verdict(False, complaint(name, said, answer, sequences))
    return Verdict(
        True, f"it finds the leak, and accuses none of {len(OTHERS)} others, the library as it is among them"
    )


def drawn(rng):
    """Four sequences of different lengths, made of letters."""
    tokenizer = letters.Letters()
    texts = ["".join(rng.choice(list(letters.LETTERS), n)) for n in rng.permutation(np.arange(2, 10))]
    return [data.encode(letters.example(x, y), tokenizer) for x, y in zip(texts[:4], texts[4:])]


def value(theta, chosen):
    """J: Σ log Pr(y|x) of the sequences, computed as one batch."""
    return float(whole_model.value(theta, letters.CONFIG, data.collate(list(chosen), 0.0, "sum", np.float64)))


def both_ways(rng):
    """Two (θ, sequences): in one the leak raises J of the batch, in the other it lowers it."""
    found = {}
    while len(found) < 2:
        theta, sequences = letters.theta(int(rng.integers(1000))), drawn(rng)
        with during(by_name("packing-leak")):
            found[bool(value(theta, sequences) > sum(value(theta, [s]) for s in sequences))] = theta, sequences
    return list(found.values())


def exact(chosen):
    """A J that adds up to the last bit: whole numbers."""
    return -float(sum(int(s.ids @ np.arange(1, len(s.ids) + 1)) for s in chosen))


def complaint(name, said, answer, sequences):
    if name in LEAKS:
        return f"it says False where {LEAKS[name]}: J of a sequence then depends on the one before it"
    if name is None:
        if run(answer, exact, sequences):
            return "it says True of the library as it is, and of a J that is exactly the sum of its parts, too"
        return (
            "it says True of the library as it is: sums of float64 in another order differ in the last digits, about "
            "1e-15 of their size"
        )
    return f"it says True where {OTHERS[name]}: that is wrong, too, but no sequence reads another"
