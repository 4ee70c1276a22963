"""A run and what it answers, in a process of its own: what is done again and again in notebook 09."""

from typing import NamedTuple

from minisft import evaluate
from minisft.course.side_by_side import Finetuning, finetuned
from minisft.data import Example
from minisft.params import Params
from minisft.tokenizer import Tokenizer


class Learning(NamedTuple):
    """A run, and lists of questions for θ̃, its last look; an answer is cut after `longest` tokens."""

    run: Finetuning
    tokenizer: Tokenizer
    exams: tuple[list[Example], ...]
    longest: int


def learned(learning: Learning) -> tuple[dict[int, Params], list[list[dict | None]]]:
    """{t: θ_t} at the steps looked at, and the answers of θ̃ to each list of questions."""
    thetas = finetuned(learning.run)
    theta, config, longest = thetas[max(thetas)], learning.run.config, learning.longest
    return thetas, [evaluate.answers(theta, config, learning.tokenizer, exam, longest) for exam in learning.exams]
