"""What notebook 07 measures of θ_t."""

import numpy as np
import pytest

from minisft import checkpoint, data, model, train, trajectory
from minisft.config import TrainConfig
from minisft.course.three_states import SMALL, measures
from minisft.data import Sequence
from minisft.formats import resources
from minisft.params import Params

RNG = np.random.default_rng(0)
THETA = Params.random(RNG, model.shapes(SMALL))
SEQUENCES = [Sequence(RNG.integers(0, SMALL.vocab_size, 6), np.arange(6) >= 3, "here") for _ in range(4)]


class Here:
    map = staticmethod(map)


def test_ranks_alone_decide_a_rank_correlation():
    assert measures.rank_correlation([1, 5, 2], [10, 1000, 20]) == pytest.approx(1)
    assert measures.rank_correlation([1, 2, 3], [5, 5, 1]) == pytest.approx(-np.sqrt(0.75))
    assert np.isnan(measures.rank_correlation([1, 2], [3, 3]))


def test_the_record_of_a_run_begins_at_its_start_and_holds_the_states_of_finetune():
    settings = TrainConfig(learning_rate=0.01, max_steps=3, batch_size=2)
    [run] = measures.record(Here, SMALL, [(THETA, SEQUENCES, settings)], (2, 3))
    states = {s.step: s.theta.flat.tobytes() for s in train.finetune(THETA, SMALL, SEQUENCES, settings)}
    assert list(run) == [0, 2, 3] and run[0] is THETA
    assert all(run[t].flat.tobytes() == states[t] for t in (2, 3))


def test_a_random_walk_lies_in_its_plane_wholly_after_two_steps_and_less_after_many():
    assert measures.in_a_plane_by_chance(np.ones(2), 500) == pytest.approx(1)
    assert measures.in_a_plane_by_chance(np.ones(30), 500) < 1


def test_the_divergences_at_x_and_y_add_up_to_that_of_all_rows():
    other = THETA.copy()
    other.flat[:] += 0.1 * RNG.standard_normal(other.flat.size)
    of_y, of_x, of_text = measures.divergences(other, THETA, SMALL, SEQUENCES, SEQUENCES)
    n_y, n = 3 * len(SEQUENCES), 5 * len(SEQUENCES)
    assert of_text == pytest.approx((n_y * of_y + (n - n_y) * of_x) / n)
    assert of_text == pytest.approx(trajectory.kl(other, THETA, SMALL, SEQUENCES, "all"))


def test_at_the_end_the_likeliest_other_token_is_another_one():
    pi = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
    ends = np.array([0, 0])
    entropy = np.exp(-(pi * np.log(pi)).sum(-1)).mean()
    assert measures.at_the_end(np.log(pi), ends) == pytest.approx([0.4, 0.45, entropy])


def test_tables_of_tensors_have_every_layer_and_the_extremes():
    theta, config, tokenizer = checkpoint.load(resources.path("atlas"))
    moved = {name: float(i + 1) for i, name in enumerate(theta.named)}
    values, rows, columns = measures.by_tensor(moved)
    assert values.shape == (config.num_hidden_layers, 9) == (len(rows), len(columns))
    assert values[1, 1] == moved["model.layers.1.self_attn.q_proj.weight"]
    *_, lowest, highest = measures.of_a_number(theta, moved, rates=2.0)
    assert lowest[3] < highest[3] and lowest[4] == lowest[3] / 2
    part = data.collate([data.encode(data.read([resources.path("atlas_train.jsonl")])[0], tokenizer)])
    log_pi = trajectory.log_softmax(theta, config, part, np.arange(len(part.ids)))
    found = measures.most_changed(part, np.arange(len(part.ids)) * 1.0, log_pi, log_pi, tokenizer, count=3)
    assert [row[3] for row in found] == sorted((row[3] for row in found), reverse=True)
    assert not any(part.is_y[int(row[3])] for row in found)
