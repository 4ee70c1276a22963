"""The checks of notebook 11: labels of a padded batch, and two quizzes."""

import numpy as np
import pytest

from course.solutions import solution
from minisft.course import real_model as check

SEEDS = range(5)


@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_the_solution_is_right(seed):
    verdict = check.labels(solution("11_a_real_model", "labels")["labels"], seed)
    assert verdict.right is True and "its end token too" in verdict.text


def stub(sequences, pad):
    raise NotImplementedError


def test_the_stub_is_not_written_yet():
    assert check.labels(stub).right is None


def in_lists(sequences, pad):
    longest = max(len(ids) for ids, mask in sequences)
    rows = [[int(i) if y else -100 for i, y in zip(ids, mask)] for ids, mask in sequences]
    return [row + [-100] * (longest - len(row)) for row in rows]


def test_another_right_way_is_right():
    assert check.labels(in_lists).right is True


def fill(rows, value):
    longest = max(map(len, rows))
    return np.array([[*row, *[value] * (longest - len(row))] for row in rows])


def trap(sequences, pad):
    ids = fill([ids for ids, _ in sequences], pad)
    result = np.where(fill([mask for _, mask in sequences], False), ids, -100)
    result[ids == pad] = -100
    return result


def all_ids(sequences, pad):
    return fill([ids for ids, _ in sequences], pad)


def x_too(sequences, pad):
    return fill([ids for ids, _ in sequences], -100)


def not_pad(sequences, pad):
    result = fill([ids for ids, _ in sequences], pad)
    result[result == pad] = -100
    return result


def ends_of_all(sequences, pad):
    return fill([[i if y or i == pad else -100 for i, y in zip(ids, mask)] for ids, mask in sequences], pad)


def padding_counts(sequences, pad):
    return fill([[i if y else -100 for i, y in zip(ids, mask)] for ids, mask in sequences], pad)


def cut_at_the_first(sequences, pad):
    rows = []
    for ids, mask in sequences:
        length = list(ids).index(pad)
        rows.append([i if y and k < length else -100 for k, (i, y) in enumerate(zip(ids, mask))])
    return fill(rows, -100)


def on_the_left(sequences, pad):
    longest = max(len(ids) for ids, _ in sequences)
    rows = [[i if y else -100 for i, y in zip(ids, mask)] for ids, mask in sequences]
    return np.array([[-100] * (longest - len(row)) + row for row in rows])


def moved_one(sequences, pad):
    rows = [[i if y else -100 for i, y in zip(ids[1:], mask[1:])] + [-100] for ids, mask in sequences]
    return fill(rows, -100)


def inverted(sequences, pad):
    return fill([[-100 if y else i for i, y in zip(ids, mask)] for ids, mask in sequences], -100)


def zero(sequences, pad):
    return fill([[i if y else 0 for i, y in zip(ids, mask)] for ids, mask in sequences], 0)


def pad_for_ignored(sequences, pad):
    return fill([[i if y else pad for i, y in zip(ids, mask)] for ids, mask in sequences], pad)


NAMED = {
    trap: "lost its end token",
    all_ids: "every token is a target",
    x_too: "the tokens of x are targets",
    not_pad: "the end token of y, which has the id of the padding, is none",
    ends_of_all: "the end of the user's turn",
    padding_counts: "the padding is a target",
    cut_at_the_first: "it ends a turn of x",
    on_the_left: "on the right",
    moved_one: "the labels are shifted",
    inverted: "the mask is turned round",
    zero: "0 is a token as well",
    pad_for_ignored: "it is the end token, a target",
}


@pytest.mark.parametrize("answer", NAMED, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_answer_is_told_which_mistake_it_makes(answer, seed):
    verdict = check.labels(answer, seed)
    assert verdict.right is False and NAMED[answer] in verdict.text


def ragged(sequences, pad):
    return [[int(i) if y else -100 for i, y in zip(ids, mask)] for ids, mask in sequences]


def the_mask(sequences, pad):
    return fill([mask for _, mask in sequences], False)


def one_too_long(sequences, pad):
    return np.pad(in_lists(sequences, pad), ((0, 0), (0, 1)), constant_values=-100)


def last_answer_only(sequences, pad):
    result = np.array(in_lists(sequences, pad))
    result[:, :5] = -100
    return result


def writes_into_its_arguments(sequences, pad):
    for ids, mask in sequences:
        ids[~mask] = -100
    return fill([ids for ids, _ in sequences], -100)


def minus_one(sequences, pad):
    return np.where(np.array(in_lists(sequences, pad)) == -100, -1, in_lists(sequences, pad))


def mask_only(sequences, pad):
    return None


OTHERS = {
    ragged: "the rows are of different lengths",
    the_mask: "of the type bool",
    one_too_long: "the shape is",
    last_answer_only: "is right",
    writes_into_its_arguments: "changes its argument number 1",
    minus_one: "−1 stands where nothing is predicted",
    mask_only: "it returns nothing",
}


@pytest.mark.parametrize("answer", OTHERS, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_mistake_that_no_catalogue_has_is_shown_on_a_case(answer, seed):
    verdict = check.labels(answer, seed)
    assert verdict.right is False and OTHERS[answer] in verdict.text


@pytest.mark.parametrize("nats_x, nats_y, outcome", [(300.0, 100.0, "x"), (100.0, 300.0, "y")])
def test_who_pays_is_decided_by_what_was_measured(nats_x, nats_y, outcome):
    assert check.who_pays(None, nats_x, nats_y).right is None
    for prediction in check.PAYS:
        assert check.who_pays(prediction, nats_x, nats_y).right is (prediction == outcome)
    assert "75% is" in check.who_pays(outcome, nats_x, nats_y).text


@pytest.mark.parametrize("stopped, outcome", [(0.0, "never"), (0.5, "as before")])
def test_the_quiz_about_the_end_is_decided_by_what_was_measured(stopped, outcome):
    assert check.without_ends(None, 0.5, stopped, 0.4, 1e-4).right is None
    for prediction in check.ENDS:
        assert check.without_ends(prediction, 0.5, stopped, 0.4, 1e-4).right is (prediction == outcome)
    assert f"in {stopped:.0%}; Pr(end)" in check.without_ends(outcome, 0.5, stopped, 0.4, 1e-4).text
