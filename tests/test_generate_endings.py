"""What else ends an answer, or keeps it from repeating itself: stop texts and the repetition penalty."""

import numpy as np
import pytest
from conftest import random_theta, tiny_config
from numpy.testing import assert_array_equal
from support import examples
from support.refusals import refusal

from minisft.cli.commands.chat import certain
from minisft.generate import before, decode, ends_with, generate, penalised

tokenizer = examples.tokenizer
CONFIG = tiny_config()


def test_the_logits_of_ids_so_far_are_divided_by_the_penalty_or_multiplied_if_they_are_negative():
    z = np.array([2.0, -2.0, 1.0, 0.0, -1.0])
    assert_array_equal(penalised(z, [0, 1, 1, 3, 0], 2.0), [1.0, -4.0, 1.0, 0.0, -1.0])
    assert_array_equal(z, [2.0, -2.0, 1.0, 0.0, -1.0])  # as they were


def test_a_penalty_counts_the_prompt_and_the_answer_and_each_sequence_for_itself():
    theta, prompts = random_theta(CONFIG), [[1, 2, 3], [4, 5, 6, 7]]
    together = generate(theta, CONFIG, prompts, 8, set(), repetition_penalty=1e9)
    assert together == [generate(theta, CONFIG, [p], 8, set(), repetition_penalty=1e9)[0] for p in prompts]
    for prompt, answer in zip(prompts, together):  # hardly any logit that is not negative stays: nothing comes twice
        assert len({*prompt, *answer.ids}) == len(prompt) + 8


def test_a_penalty_of_1_changes_nothing():
    theta = random_theta(CONFIG)
    assert generate(theta, CONFIG, [[1, 2]], 9, set()) == generate(
        theta, CONFIG, [[1, 2]], 9, set(), repetition_penalty=1.0
    )


@pytest.mark.parametrize("penalty", [0, -1, np.nan, np.inf, "1"])
def test_a_penalty_that_is_not_a_positive_number_is_refused(penalty):
    call = decode(random_theta(CONFIG), CONFIG, [[1]], 1, set(), repetition_penalty=penalty)
    refusal(lambda: next(call), "repetition_penalty")


@pytest.mark.parametrize("stop", ["Paris", "s. F", "\n", "é", "東"])
def test_an_answer_ends_with_the_token_that_completes_a_stop_text(tokenizer, stop):
    ids = tokenizer.encode("In Paris. For\nexample, café 東京.")
    ended = ends_with([stop, "never"], tokenizer)
    first = next(n for n in range(len(ids) + 1) if stop in tokenizer.decode(ids[:n]))
    assert [n for n in range(first + 1) if ended(ids[:n])] == [first]


def test_special_tokens_between_its_letters_do_not_hide_a_stop_text(tokenizer):
    ended = ends_with(["ab"], tokenizer)
    assert ended([*tokenizer.encode("a"), tokenizer.eos_id, tokenizer.eos_id, *tokenizer.encode("b")])


def test_without_stop_texts_nothing_ends(tokenizer):
    assert not ends_with([], tokenizer)(tokenizer.encode("Paris"))


def test_an_answer_that_a_stop_text_ends_has_stopped_and_is_cut_before_it():
    scripted = {(3,): False, (3, 3): True}
    (answer,) = generate(
        random_theta(CONFIG), CONFIG, [[1]], 5, set(), ended=lambda ids: scripted.get(tuple(3 for _ in ids), False)
    )
    assert len(answer.ids) == 2 and answer.stopped
    assert before("one two three two", ["two", "three"]) == "one "
    assert before("one", []) == before("one", ["two"]) == "one"


def test_what_may_become_a_stop_text_is_not_shown_yet():
    assert certain("Hello, <", ["<end>"]) == "Hello, "
    assert certain("Hello, <en", ["<end>", "n!"]) == "Hello, "
    assert certain("Hello, <em", ["<end>"]) == "Hello, <em"
    assert certain("aa", ["aab"]) == "" and certain("aa", []) == "aa"
