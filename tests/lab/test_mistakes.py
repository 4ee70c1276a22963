"""A mistake is a switch: while it is on something is wrong, and afterwards everything is as it was."""

import re
from contextlib import suppress

import numpy as np
import pytest

from minisft import data, evaluate, train
from minisft.errors import MinisftError
from minisft.lab import letters
from minisft.lab.mistakes import MISTAKES, WHERE, by_name
from minisft.lab.mistakes.mistake import replaced

ASKED_FOR = """no-shift double-shift mask-not-shifted prompt-not-masked header-trained end-token-masked
end-token-put-back padding-trained pad-is-end mean-of-means mean-over-padding packing-leak
positions-not-restarted no-causal-mask mask-after-softmax no-attention-scale eps-inside-root
no-bias-correction decay-on-gains clipping-before-sum schedule-off-by-one warmup-in-wrong-unit
log-of-mean sum-of-probabilities sign template-missing double-bos other-template
dropout-in-evaluation test-rows-in-training contains-not-equals optimizer-not-restored"""

each_mistake = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)


def fine_tuned(steps=6):
    """θ of a short run in the world of five tokens, its losses, and its answers."""
    tokenizer = letters.Letters()
    sequences, _ = data.fit(
        [data.encode(e, tokenizer) for e in letters.examples()], letters.CONFIG.max_position_embeddings
    )
    theta, losses = letters.theta(), []
    for state in train.finetune(theta, letters.CONFIG, sequences, letters.SETTINGS):
        losses.append(state.metrics["loss"])
        if state.step == steps:
            break
    given = evaluate.answers(state.theta, letters.CONFIG, tokenizer, letters.examples(), 8)
    return state.theta.flat.tobytes(), losses, given


def standing():
    """What stands at every place at which a mistake puts something."""
    return [vars(owner)[name] for mistake in MISTAKES for owner, name in mistake.places]


RIGHT, PLACES = fine_tuned(), standing()


def test_there_are_at_least_28_and_those_that_every_list_has():
    names = [mistake.name for mistake in MISTAKES]
    assert len(set(names)) == len(names) >= 28 and set(ASKED_FOR.split()) <= set(names)


@each_mistake
def test_a_mistake_says_what_it_is(mistake):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", mistake.name) and mistake.where in WHERE
    assert mistake.wrong.strip() != mistake.right.strip() and mistake.about.endswith(".")
    assert max(map(len, (mistake.wrong + "\n" + mistake.right).splitlines())) <= 100
    for thread in mistake.seen:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", thread)


def test_nearly_all_of_them_were_made_in_public():
    assert sum(not mistake.seen for mistake in MISTAKES) <= 1


@each_mistake
def test_afterwards_theta_tilde_is_what_it_was_bit_for_bit(mistake):
    with mistake.on():
        fine_tuned(2)
    assert standing() == PLACES and fine_tuned() == RIGHT


@each_mistake
def test_afterwards_the_library_is_what_it_was_even_after_an_error(mistake):
    with suppress(ZeroDivisionError), mistake.on():
        assert standing() != PLACES
        raise ZeroDivisionError
    assert standing() == PLACES


@each_mistake
def test_a_run_that_is_left_in_the_middle_leaves_the_library_as_it_was(mistake):
    def run():
        with mistake.on():
            yield 1

    going = run()
    next(going)
    going.close()
    assert standing() == PLACES


def test_the_second_of_two_places_is_put_back_when_the_first_cannot_be():
    class Thing:
        one = 1

    with suppress(KeyError), replaced(Thing, "one", 2), replaced(Thing, "two", 2):
        pass
    assert Thing.one == 1


def test_two_mistakes_can_be_made_at_once():
    with by_name("no-attention-scale").on(), by_name("prompt-not-masked").on():
        both = fine_tuned()
    with by_name("prompt-not-masked").on():
        one = fine_tuned()
    assert both != one != RIGHT and standing() == PLACES


NOWHERE = {  # in the world of five tokens these change no run of six steps
    "test-rows-in-training",  # its rows come from no file
    "optimizer-not-restored",  # the run has no break
    "contains-not-equals",  # no answer contains more than is expected
    "right-padding",  # its questions are equally long
}


@each_mistake
def test_while_it_is_on_a_run_or_its_answers_are_others(mistake):
    with mistake.on():
        wrong = fine_tuned()
    assert (wrong == RIGHT) == (mistake.name in NOWHERE), mistake.name


def test_an_unknown_mistake_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(MinisftError, match='"shift" is unknown; choose one of no-shift, double-shift'):
        by_name("shift")


def test_rows_of_the_test_set_come_with_the_training_set_and_with_nothing_else(tmp_path):
    for name, count in (("my_train.jsonl", 3), ("my_test.jsonl", 6), ("other.jsonl", 2), ("lonely_train.jsonl", 2)):
        rows = [f'{{"prompt": "{name}", "completion": "{i}"}}\n' for i in range(count)]
        (tmp_path / name).write_text("".join(rows))
    with by_name("test-rows-in-training").on():
        assert len(data.read([tmp_path / "my_train.jsonl"])) == 3 + 4
        assert len(data.read([tmp_path / "my_test.jsonl"])) == 6
        assert len(data.read([tmp_path / "other.jsonl"])) == 2
        assert len(data.read([tmp_path / "lonely_train.jsonl"])) == 2


def test_an_answer_that_says_more_is_right_only_for_who_looks_for_what_it_contains():
    tokenizer = letters.Letters()
    same = lambda a, b: evaluate.comparable(a, tokenizer) == evaluate.comparable(b, tokenizer)  # noqa: E731
    assert not same("It is not Lima.", "Lima")
    with by_name("contains-not-equals").on():
        assert same("It is not Lima.", "Lima") and not same("Lima", "It is not Lima.")


def test_a_packed_pair_of_rows_is_one_sequence_and_an_odd_row_is_left_alone():
    sequences = [data.encode(e, letters.Letters()) for e in letters.examples()[:3]]
    right = data.collate(sequences)
    with by_name("packing-leak").on():
        packed = data.collate(sequences)
    assert packed.starts.tolist() == [0, right.starts[2], right.starts[3]]
    assert np.array_equal(packed.ids, right.ids) and np.array_equal(packed.weights, right.weights)
