"""Several ranks make the θ̃ of one process: by threads that stand for ranks."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_array_equal
from support.whole_runs import LENGTHS, SETTINGS, accumulated, assert_same_rows, run

from minisft import data, model, train
from minisft.config import REDUCTIONS
from minisft.errors import MinisftError
from minisft.parallel import Ranks


def in_threads(size, job):
    """[job(ranks) of rank 0, of rank 1, …]: threads with the three calls of MPI that are used; sums in their order."""
    meeting, sent, results = threading.Barrier(size, timeout=30), [None] * size, [None] * size

    def rank_of(number):
        def allreduce(in_place, vector):
            sent[number] = vector.copy()
            meeting.wait()
            vector[...] = sum(sent[1:], start=sent[0])
            meeting.wait()

        mpi = SimpleNamespace(IN_PLACE=None, COMM_WORLD=SimpleNamespace(Allreduce=allreduce))
        try:
            results[number] = job(Ranks(number, size, mpi))
        except MinisftError as error:
            results[number] = error

    threads = [threading.Thread(target=rank_of, args=[number]) for number in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# --- the same θ̃ -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("size", [2, 3, 5])
def test_several_ranks_come_to_the_theta_and_the_rows_of_one_process(config, theta, size, reduction):
    """Five ranks have only four sequences a step, and two in the last of an epoch: who has none adds 0."""
    sequences = random_sequences(lengths=LENGTHS)
    settings = replace(SETTINGS, loss_reduction=reduction, prompt_loss_weight=0.3)
    alone, rows = run(theta, config, sequences, settings)
    results = in_threads(size, lambda ranks: run(theta, config, sequences, settings, ranks))
    assert max(row["grad_norm"] for row in rows) > settings.max_grad_norm  # some are clipped
    for theta_tilde, rows_of_rank in results:
        assert np.abs(theta_tilde.flat - alone.flat).max() <= 1e-12 * np.abs(alone.flat).max()
        assert_same_rows(rows, rows_of_rank)
        assert theta_tilde.flat.tobytes() == results[0][0].flat.tobytes()


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_ranks_are_bit_for_bit_one_process_that_adds_up_their_slices(tied, dtype):
    config = tiny_config(tied)
    theta, sequences = random_theta(config).astype(dtype), random_sequences(lengths=LENGTHS)
    expected = accumulated(theta, config, sequences, SETTINGS)
    for theta_tilde, _ in in_threads(2, lambda ranks: run(theta, config, sequences, SETTINGS, ranks)):
        assert_array_equal(theta_tilde.flat, expected.flat)


def test_each_rank_computes_its_share_and_no_more(config, theta, monkeypatch):
    """In micro-batches of at most --batch-size: its memory does not grow with the step."""
    seen, forward = [], model.forward

    def spying_forward(theta, config, ids, starts, *rest):
        seen.append((threading.get_ident(), len(ids), len(starts) - 1))
        return forward(theta, config, ids, starts, *rest)

    monkeypatch.setattr(model, "forward", spying_forward)
    settings = replace(SETTINGS, batch_size=2, gradient_accumulation_steps=5, max_steps=1)
    in_threads(2, lambda ranks: run(theta, config, random_sequences(lengths=LENGTHS), settings, ranks))
    tokens = [sum(n for ident, n, _ in seen if ident == who) for who in {ident for ident, _, _ in seen}]
    assert sorted(tokens) == [23, 23]  # of 56 - 10 = 46
    assert max(count for _, _, count in seen) == 2


def test_pretraining_by_several_ranks_is_pretraining(config):
    settings, documents = replace(SETTINGS, seed=3), random_sequences(lengths=LENGTHS)
    *_, alone = train.pretrain(config, documents, settings, np.float64)

    def job(ranks):
        *_, state = train.pretrain(config, documents, settings, np.float64, ranks)
        return state.theta.flat

    for flat in in_threads(3, job):
        assert np.abs(flat - alone.theta.flat).max() <= 1e-12 * np.abs(flat).max()
        assert (flat != alone.theta.flat).any()  # three sums, not one process three times


def test_a_loss_that_is_not_finite_in_one_share_stops_all_ranks_with_the_same_words():
    """Token 16 is read in one sequence only, so one rank alone meets its infinite embedding."""
    config = tiny_config(tied=False)
    theta, sequences = random_theta(config), random_sequences(lengths=LENGTHS, vocabulary=16)
    theta.model.embed_tokens.weight[16] = np.inf
    sequences[0].ids[0] = 16
    settings = replace(SETTINGS, shuffle=False)
    results = in_threads(2, lambda ranks: run(theta, config, sequences, settings, ranks))
    assert all(isinstance(result, MinisftError) for result in results)
    assert str(results[0]) == str(results[1]) and str(results[0]).startswith("step 1: the loss is ")


# --- shares -----------------------------------------------------------------------------------------------------------


def test_every_sequence_has_one_taker_and_the_tokens_are_balanced():
    """By hand: 7 + 5 = 7 + 3 + 2; whoever takes them as they come has 7 + 7 and 2 + 5 + 3."""
    assert [sum(np.array((7, 2, 5, 7, 3))[Ranks(rank, 2).portion((7, 2, 5, 7, 3))]) for rank in (0, 1)] == [12, 12]
    rng = np.random.default_rng(0)
    for size in range(1, 6):
        lengths = rng.integers(1, 100, 20)
        shares = np.array([Ranks(rank, size).portion(lengths) for rank in range(size)])
        assert (shares.sum(0) == 1).all()
        loads = shares @ lengths
        assert loads.max() - loads.min() <= lengths.max()


def test_more_ranks_than_sequences_leave_some_without():
    assert [Ranks(rank, 3).portion([4, 6]) for rank in range(3)] == [[False, True], [True, False], [False, False]]


def test_a_share_of_a_batch_has_its_sequences_in_order_with_the_weights_they_have_in_the_whole(sequences):
    whole = data.collate(sequences, 0.3, "token_mean", np.float64)
    parts = list(whole.split(1))
    share = whole.only([True, False, True, True, False])
    for ours, part in zip(share.split(1), (parts[0], parts[2], parts[3]), strict=True):
        for name in vars(part):
            assert_array_equal(getattr(ours, name), getattr(part, name))
    assert list(whole.only([False] * 5).split(1)) == []
