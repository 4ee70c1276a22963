"""Answers to notebook 00."""

import numpy as np


def looped(predicted, expected):
    hits = 0
    for i in range(len(expected)):
        if predicted[i].strip() == expected[i].strip():
            hits += 1
    return hits / len(expected)


def consuming(predicted, expected):
    n = len(predicted)
    return sum(predicted.pop().strip() == expected.pop().strip() for _ in range(n)) / n


def as_sets(predicted, expected):
    return len({p.strip() for p in predicted} & {e.strip() for e in expected}) / len(expected)


RIGHT = {
    "exact_match": {
        "a loop": looped,
        "a mean of NumPy": lambda p, e: np.mean([a.strip() == b.strip() for a, b in zip(p, e)]),
        "arrays of texts": lambda p, e: (np.char.strip(np.array(p)) == np.char.strip(np.array(e))).mean(),
        "map": lambda p, e: sum(map(str.__eq__, map(str.strip, p), map(str.strip, e))) / len(p),
        "one minus the misses": lambda p, e: 1 - sum(a.strip() != b.strip() for a, b in zip(p, e)) / len(p),
        "an array without axes": lambda p, e: np.array(np.mean([a.strip() == b.strip() for a, b in zip(p, e)])),
    }
}
WRONG = {
    "exact_match": {
        "a count": lambda p, e: sum(a.strip() == b.strip() for a, b in zip(p, e)),
        "percent": lambda p, e: 100 * looped(p, e),
        "no strip": lambda p, e: sum(a == b for a, b in zip(p, e)) / len(p),
        "only the predicted are stripped": lambda p, e: np.mean([a.strip() == b for a, b in zip(p, e)]),
        "only the expected are stripped": lambda p, e: np.mean([a == b.strip() for a, b in zip(p, e)]),
        "spaces only": lambda p, e: np.mean([a.strip(" ") == b.strip(" ") for a, b in zip(p, e)]),
        "case is ignored": lambda p, e: np.mean([a.strip().lower() == b.strip().lower() for a, b in zip(p, e)]),
        "full stops are ignored": lambda p, e: np.mean([a.strip(" \n.") == b.strip(" \n.") for a, b in zip(p, e)]),
        "blanks inside are ignored": lambda p, e: np.mean([a.split() == b.split() for a, b in zip(p, e)]),
        "all blanks removed": lambda p, e: np.mean(["".join(a.split()) == "".join(b.split()) for a, b in zip(p, e)]),
        "contained": lambda p, e: np.mean([b.strip() in a for a, b in zip(p, e)]),
        "starts with": lambda p, e: np.mean([a.strip().startswith(b.strip()) for a, b in zip(p, e)]),
        "anywhere in the list": lambda p, e: np.mean([a.strip() in [b.strip() for b in e] for a in p]),
        "sets": as_sets,
        "one integer": lambda p, e: int(looped(p, e)),
        "rounded": lambda p, e: round(looped(p, e), 1),
        "all or nothing": lambda p, e: float(all(a.strip() == b.strip() for a, b in zip(p, e))),
        "the first word": lambda p, e: np.mean([a.split()[:1] == b.split()[:1] for a, b in zip(p, e)]),
        "the left end only": lambda p, e: np.mean([a.lstrip() == b.lstrip() for a, b in zip(p, e)]),
        "the right end only": lambda p, e: np.mean([a.rstrip() == b.rstrip() for a, b in zip(p, e)]),
        "the lists are emptied": consuming,
        "a list": lambda p, e: [a.strip() == b.strip() for a, b in zip(p, e)],
        "float16": lambda p, e: np.float16(looped(p, e)),
    }
}
