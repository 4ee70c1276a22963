"""From a conversation to ids, targets and weights."""

import re

import numpy as np

from minisft.course.concatenated_sequences.mistakes import BUILD, marked, trained
from minisft.course.grading.comparison import compare
from minisft.course.grading.exercise import exercise

START, END = 1, 2  # the special tokens of the conversations that checks make


def encode(text):
    """A toy tokenizer: words, single signs, and white space in one piece, as ids above those of the special tokens."""
    pieces = re.findall(r"\s+|\w+|[^\w\s]", text)
    return [3 + int.from_bytes(piece.encode()) % 999_983 for piece in pieces]


@exercise
def build(answer, seed=None):
    """Ids, targets and weights (sum, λ = 0) of conversations that differ in turns, system turn and white space."""
    rng = np.random.default_rng(seed)
    cases = [conversation(rng, *kind) for kind in ((1, False), (2, True), (3, False), (1, True), (2, False))]
    cases[2][0][1]["content"] = "\n  " + cases[2][0][1]["content"]  # an answer that begins with white space
    cases[4][0][3]["content"] = ""  # and an empty one

    def reason(case, part, row):
        ids, what = marked(*case)
        token = f" predicts token {row + 1}, which is {kinds[what[row + 1]]}" if row + 1 < len(ids) else " is too many"
        return f" (row {row}{token})" if part == "weights" else ""

    kinds = {"x": "of x", "header": "in the header of an answer", "y": "of y", "end": "the end token of an answer"}
    kinds |= {"newline": "the newline after an answer", "end of x": "an end token in x"}
    praise = "ids, targets and weights of 5 conversations, up to 3 turns: y and its end tokens have weight 1, x has 0"
    return compare(answer, trained("y", "end"), cases, BUILD, praise, ("ids", "targets", "weights"), reason)


def conversation(rng, turns, system):
    def text():
        return " ".join(rng.choice(["red", "ten", "who", "sea", "sun", "ice", "map", "owl"], rng.integers(2, 6))) + "."

    roles = ["system"] * system + ["user", "assistant"] * turns
    return [{"role": role, "content": text()} for role in roles], encode, START, END
