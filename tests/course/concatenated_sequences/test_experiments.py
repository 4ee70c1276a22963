"""What notebook 03 measures around its formulas."""

import numpy as np

from minisft import checkpoint, data
from minisft.course import concatenated_sequences as check
from minisft.formats import resources

THETA, CONFIG, TOKENIZER = checkpoint.load(resources.path("atlas"), np.float64)


def of_length(n):
    return data.Sequence(np.arange(n), np.arange(n) >= n - 2, "here")


def test_padding_is_what_the_longest_sequence_of_a_batch_leaves_empty():
    assert abs(check.padding([of_length(3), of_length(5)]) - 100 * 2 / 8) < 1e-12  # rows: 2 and 4, of 2 × 4
    assert check.padding([of_length(4)] * 3) == 0
    assert check.padding([of_length(3), of_length(5)], size=1) == 0


def test_the_rows_that_count_are_those_that_predict_a_token_of_y():
    shown = str(check.rows_that_count({"one": [of_length(2), of_length(8)]}))  # the first token is predicted by no row
    assert "| one | 4 | 1.5 | 38 % |" in shown


def test_a_row_of_the_picture_of_who_reads_whom_sums_to_1_and_stays_in_its_sequence():
    batch = data.collate([of_length(5), of_length(4)], 0.0, "sum", np.float64)
    apart = check.reading(THETA, CONFIG, batch, batch.starts)
    together = check.reading(THETA, CONFIG, batch, np.array([0, len(batch.ids)]))
    for found in (apart, together):
        assert np.allclose(found.sum(1), 1) and np.allclose(np.triu(found, 1), 0)
    assert (apart[3, :4] > 0).all()  # the last row of the first sequence reads all of it
    assert (apart[4:, :4] == 0).all() and (together[4:, :4] > 0).any()


def test_log_probs_from_a_row_with_other_ids_are_those_of_a_batch_made_of_them():
    first, second, other = of_length(5), of_length(4), of_length(5)._replace(ids=np.array([9, 8, 7, 6, 5]))
    batch, changed = (data.collate([s, second], 0.0, "sum", np.float64) for s in (first, other))
    found = check.log_probs_from(THETA, CONFIG, batch, 0, ids=changed.ids)
    assert np.array_equal(found[4:], check.log_probs_from(THETA, CONFIG, changed, 4))
    assert not np.array_equal(found[:3], check.log_probs_from(THETA, CONFIG, batch, 0)[:3])


def test_the_head_is_all_of_a_forward_if_the_vocabulary_is_endless():
    fractions = [check.fraction_of_the_head(THETA, CONFIG, size) for size in (0, CONFIG.vocab_size, 10**12)]
    assert fractions[0] == 0 and fractions[0] < fractions[1] < fractions[2] and fractions[2] > 0.999


def test_a_cut_before_a_space_keeps_the_ids_and_one_inside_a_word_may_not():
    kinds = check.seams(TOKENIZER, ["The capital of Peru is Lima."])
    assert all(kinds["before a space"]) and not all(kinds["inside a word"])
    assert {kind: len(same) for kind, same in kinds.items()} == {
        "before a space": 5,
        "after a space": 5,
        "inside a word": 17,
    }


def test_theta_hat_does_not_stop_and_does_not_expect_to():
    examples = data.read([resources.path("atlas_test.jsonl")])[:3]
    stopped, exact, likeliest, first = check.stopping(THETA, CONFIG, TOKENIZER, examples)
    assert (stopped, exact, likeliest) == (0, 0, 0) and isinstance(first, str)
    assert check.log_pr_of_end(THETA, CONFIG, [data.encode(e, TOKENIZER) for e in examples]) < -10


def test_a_distance_is_relative_to_the_largest_entry():
    assert check.distance(np.array([1.0, 4.5]), np.array([1.0, -4.0])) == 8.5 / 4
