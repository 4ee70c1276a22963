"""Which check finds which mistake: every cell of the table is run here."""

import numpy as np
import pytest

from minisft import data, evaluate
from minisft.lab import checks, letters, prices
from minisft.lab.mistakes import MISTAKES, by_name


def test_of_the_library_as_it_is_no_check_says_anything():
    assert not any(checks.found(None).values())


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_each_check_finds_what_the_table_says_and_nothing_else(mistake):
    assert checks.found(mistake) == prices.runs()[mistake.name]["found"]


@pytest.mark.parametrize(
    "name, invariance",
    [
        ("mean-of-means", "how a step is split"),
        ("packing-leak", "who else is in the batch"),
        ("optimizer-not-restored", "a break"),
        ("no-causal-mask", "what comes later"),
        ("right-padding", "the other questions"),
        ("dropout-in-evaluation", "asking twice"),
    ],
)
def test_each_invariance_has_a_mistake_that_it_finds(name, invariance):
    with by_name(name).on():
        assert checks.INVARIANCES[invariance]()


def test_each_check_finds_something_and_no_check_finds_everything():
    found = [prices.runs()[mistake.name]["found"] for mistake in MISTAKES]
    for check in found[0]:
        assert 0 < sum(of[check] for of in found) < len(found)


# --- the world of five tokens -----------------------------------------------------------------------------------------


def test_the_letters_are_encoded_and_decoded():
    tokenizer = letters.Letters()
    for text in ("", "a", "cab", "bbc"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert set(tokenizer.encode("It is 9 o'clock.")) <= {1, 2, 3}


def test_eight_different_questions_have_an_answer_each_that_can_be_learned():
    questions = [example.completion[0]["content"] for example in letters.examples()]
    assert len(set(questions)) == 8


def test_what_is_asked_is_what_was_trained_up_to_the_answer():
    tokenizer = letters.Letters()
    for example in letters.examples():
        sequence, (asked, _) = data.encode(example, tokenizer), evaluate.question(example, tokenizer)
        assert sequence.ids[: len(asked)].tolist() == asked
        assert np.array_equal(sequence.is_y, np.arange(len(sequence.ids)) >= len(asked))
        assert sequence.ids[-1] == 0 in tokenizer.stop_ids


def test_all_that_can_be_drawn_has_the_probability_of_one():
    """Σ over y of at most 3 letters of Pr(y, end), and what is longer or ends a document, is 1."""
    tokenizer, theta = letters.Letters(), letters.theta()
    asked, _ = evaluate.question(letters.example("ab", ""), tokenizer)
    drawn = checks.by_drawing(theta, asked)
    assert len(drawn) == 1 + 3 + 9 + 27 and 0 < sum(drawn.values()) < 1
