"""θ̂ → θ_t → θ̃ measured: distances, lines, planes, KL, and one example watched."""

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_allclose, assert_array_equal

from minisft import evaluate, model, train, trajectory
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Example, Sequence, encode
from minisft.errors import MinisftError
from minisft.params import Params
from minisft.tokenizer import Tokenizer

SHAPES = {"a.weight": (2, 3), "b.weight": (4,)}


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return Params.random(rng, SHAPES), Params.random(rng, SHAPES)


# --- distances -------------------------------------------------------------------------------------------------------


def test_a_distance_is_the_root_of_the_sum_of_squared_differences():
    theta_hat = Params({"a": (2,), "b": (1,)}, flat=np.array([1.0, 1.0, 1.0]))
    theta = Params({"a": (2,), "b": (1,)}, flat=np.array([4.0, 5.0, 13.0]))
    assert trajectory.distances(theta, theta_hat) == {"total": 13.0, "a": 5.0, "b": 12.0}


def test_squared_distances_of_the_tensors_add_up_to_the_squared_total(theta, config):
    found = trajectory.distances(theta, random_theta(config, seed=1))
    assert list(found) == ["total", *model.shapes(config)]
    assert_allclose(sum(value**2 for name, value in found.items() if name != "total"), found["total"] ** 2, rtol=1e-12)
    assert min(found.values()) > 0


def test_a_distance_between_float32_parameters_is_computed_in_float64():
    """2^24 + 1 and 1 − 2^−30 are no float32: a sum of squares, and a difference, that float32 would round."""
    shapes = {"a": (2,), "b": (1,)}
    theta_hat = Params(shapes, flat=np.array([0, 0, 2**-30], np.float32))
    theta = Params(shapes, flat=np.array([2**12, 1, 1], np.float32))
    found = trajectory.distances(theta, theta_hat)
    assert found["a"] ** 2 == pytest.approx(2**24 + 1, rel=1e-12)
    assert found["b"] == pytest.approx(1 - 2**-30, rel=1e-12)


# --- the line --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ends_of_the_line_are_theta_hat_and_theta_tilde_bit_for_bit(pair, dtype):
    theta_hat, theta_tilde = (theta.astype(dtype) for theta in pair)
    for alpha, end in ((0.0, theta_hat), (np.float64(1), theta_tilde)):
        found = trajectory.line(theta_hat, theta_tilde, alpha)
        assert found.flat.dtype == dtype and found.flat.tobytes() == end.flat.tobytes()


def test_distances_along_the_line_grow_in_proportion_to_alpha(pair):
    whole = trajectory.distances(pair[1], pair[0])
    for alpha in (-0.5, 0.25, 2.0):
        found = trajectory.distances(trajectory.line(*pair, alpha), pair[0])
        assert found == pytest.approx({name: abs(alpha) * value for name, value in whole.items()}, rel=1e-12)


def test_a_point_of_the_line_shares_no_memory_with_its_ends(pair):
    kept = pair[0].flat.copy()
    trajectory.line(*pair, 0.0).flat[:] = 7
    assert_array_equal(pair[0].flat, kept)


# --- the plane -------------------------------------------------------------------------------------------------------


def in_a_plane(theta_hat, coordinates, seed=0):
    """Vectors at the given coordinates of a random plane through θ̂, and its orthonormal axes (2, P)."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((theta_hat.flat.size, 2)))[0].T
    return [theta_hat.flat + np.array(point) @ axes for point in coordinates], axes


def test_a_path_in_a_plane_is_reproduced_exactly(pair):
    coordinates = [(0, 0), (1, 3), (2, 4), (5, 1), (6, 0)]
    path, axes = in_a_plane(pair[0], coordinates)
    found = trajectory.plane(pair[0], path)
    assert_allclose(found.axes, axes, atol=1e-14)
    assert_allclose(found.coordinates, coordinates, atol=1e-13)
    assert found.fraction == pytest.approx(1, rel=1e-14)
    for vector, point in zip(path, found.coordinates):
        assert_allclose(found.at(*point).flat, vector, atol=1e-13)


def test_the_axes_are_orthonormal_and_the_first_leads_from_theta_hat_to_theta_tilde(pair):
    rng = np.random.default_rng(1)
    path = [pair[0].flat + t * rng.standard_normal(10) for t in range(6)]
    found = trajectory.plane(pair[0], path)
    assert_allclose(found.axes @ found.axes.T, np.eye(2), atol=1e-14)
    length = np.linalg.norm(path[-1] - pair[0].flat)
    assert_allclose(found.coordinates[[0, -1]], [(0, 0), (length, 0)], atol=1e-13)
    assert_allclose(found.at(length, 0).flat, path[-1], atol=1e-13)


def test_the_second_axis_is_the_direction_in_which_the_path_strays_furthest_from_the_line():
    """Beside e₁ the path goes 3 and 4 along one direction and 1 along another: the first is chosen."""
    theta_hat = Params({"a": (4,)}, np.float64)
    path = [np.array(v, float) for v in [(1, -3, 0, 0), (2, 1, 1, 0), (3, -4, 1, 0), (6, 0, 0, 0)]]
    found = trajectory.plane(theta_hat, path)
    rest = np.array([(-3, 0), (1, 1), (-4, 1)])
    best = np.linalg.svd(rest)[2][0]  # an independent way to it
    assert_allclose(abs(found.axes[1, 1:3] @ best), 1, rtol=1e-12)
    assert_allclose(found.fraction, 1 - np.linalg.svd(rest)[1][1] ** 2 / sum(v @ v for v in path), rtol=1e-12)
    assert found.coordinates[np.abs(found.coordinates[:, 1]).argmax(), 1] > 0


def test_the_plane_of_a_float32_run_has_float64_axes_and_float32_points():
    config = tiny_config()
    theta_hat = random_theta(config).astype(np.float32)
    path = [theta_hat.flat.copy()]
    for state in train.finetune(theta_hat, config, random_sequences(), TrainConfig(learning_rate=0.01, max_steps=4)):
        path.append(state.theta.flat.copy())
    found = trajectory.plane(theta_hat, path)
    assert found.axes.dtype == found.coordinates.dtype == np.float64 and 0.5 < found.fraction <= 1
    assert found.at(1.0, 2.0).flat.dtype == np.float32
    assert found.at(0.0, 0.0).flat.tobytes() == theta_hat.flat.tobytes()


def test_a_path_without_a_plane_is_an_error_that_says_so(pair):
    theta_hat, theta_tilde = pair
    straight = [trajectory.line(*pair, alpha).flat for alpha in (0, 0.5, 1)]
    same_memory = [theta_tilde.flat] * 3  # the classic mistake: no copy
    for path, what in (
        (straight, "straight line"),
        (same_memory, "record copies"),
        ([theta_tilde.flat, theta_hat.flat], "is θ̂ itself"),
        ([theta_tilde.flat, theta_tilde.flat[:3]], "vector 1 has shape"),
    ):
        with pytest.raises(MinisftError, match=what):
            trajectory.plane(theta_hat, path)


# --- KL --------------------------------------------------------------------------------------------------------------


def test_the_kl_of_equal_models_is_exactly_zero(theta, config, sequences):
    assert trajectory.kl(theta, theta.copy(), config, sequences) == 0.0


@pytest.mark.parametrize("at_a_time", [8, 2])  # several passes; several of one sequence
@pytest.mark.parametrize("rows", ["y", "all"])
def test_the_kl_is_the_mean_over_rows_of_a_sum_over_the_vocabulary(
    theta, config, sequences, rows, at_a_time, monkeypatch
):
    monkeypatch.setattr(evaluate, "LOGITS", at_a_time * config.vocab_size)
    theta_hat = random_theta(config, seed=1)
    terms = []
    for s in sequences:
        for i in range(1, len(s.ids)):
            if s.is_y[i] or rows == "all":
                p, q = (prediction(theta_, config, s.ids[:i]) for theta_ in (theta, theta_hat))
                terms.append(sum(p[v] * np.log(p[v] / q[v]) for v in range(config.vocab_size)))
    assert_allclose(trajectory.kl(theta, theta_hat, config, sequences, rows), np.mean(terms), rtol=1e-12)


def prediction(theta, config, ids):
    """π_θ(· | ids) of one context by itself: (V,)."""
    logits, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.array([len(ids) - 1]))
    return np.exp(logits[0]) / np.exp(logits[0]).sum()


def test_the_kl_of_two_models_that_ignore_the_context_is_the_closed_form():
    """Embedding rows ±(1, 0), gain (g, 0), no attention, no MLP: norm(x) = (±√2 g, 0), and the head makes logits of it.

    All tokens read have embedding (1, 0), so logits are √2 g W₁ whatever the context; eps is too small to matter.
    """
    config = ModelConfig(3, 2, 1, 1, 1, 1, rms_norm_eps=1e-300, tie_word_embeddings=False)
    distributions = np.array([[0.5, 0.25, 0.25], [0.1, 0.3, 0.6]])
    thetas = []
    for p in distributions:
        theta = Params(model.shapes(config), np.float64)
        theta.model.embed_tokens.weight[:, 0] = 1
        theta.model.norm.weight[:] = 1 / 2**0.5
        theta.lm_head.weight[:, 0] = np.log(p)
        thetas.append(theta)
    sequences = [Sequence(np.array([0, 1, 2, 1]), np.array([False, False, True, True]), "here")]
    expected = 0.5 * np.log(0.5 / 0.1) + 0.25 * np.log(0.25 / 0.3) + 0.25 * np.log(0.25 / 0.6)
    assert trajectory.kl(thetas[0], thetas[1], config, sequences) == pytest.approx(expected, rel=1e-12)
    backwards = 0.1 * np.log(0.1 / 0.5) + 0.3 * np.log(0.3 / 0.25) + 0.6 * np.log(0.6 / 0.25)
    assert trajectory.kl(thetas[1], thetas[0], config, sequences) == pytest.approx(backwards, rel=1e-12)


def test_the_kl_of_float32_models_is_not_negative_even_where_they_hardly_differ(theta, config, sequences):
    theta_hat = theta.astype(np.float32)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        near = Params(
            theta.shapes, flat=theta_hat.flat * (1 + 1e-5 * rng.standard_normal(theta.flat.size)).astype(np.float32)
        )
        assert 0 < trajectory.kl(near, theta_hat, config, sequences) < 1e-6


def test_the_kl_refuses_what_it_cannot_average(theta, config, sequences):
    no_y = [Sequence(s.ids, np.zeros(len(s.ids), bool), s.where) for s in sequences]
    with pytest.raises(MinisftError, match="choose y or all"):
        trajectory.kl(theta, theta, config, sequences, rows="x")
    for given in (no_y, []):
        with pytest.raises(MinisftError, match="nothing to average"):
            trajectory.kl(theta, theta, config, given)
    assert trajectory.kl(theta, theta, config, no_y, rows="all") == 0.0


def test_parameters_of_another_model_are_refused_by_name(theta, config, sequences):
    other = random_theta(tiny_config(layers=1))
    for call in (
        lambda: trajectory.distances(theta, other),
        lambda: trajectory.line(theta, other, 0.5),
        lambda: trajectory.kl(theta, other, config, sequences),
    ):
        with pytest.raises(MinisftError, match=r"shape of model\.layers\.1\.input_layernorm\.weight"):
            call()


# --- one example, watched --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chat():
    """A tokenizer, a random model of its vocabulary, and a conversation of two turns."""
    tokenizer = Tokenizer.train(["one two three four five six seven"] * 3, 280)
    config = ModelConfig(tokenizer.vocab_size, 8, 8, 1, 2, 1)
    messages = [
        {"role": "user", "content": "one?"},
        {"role": "assistant", "content": "two."},
        {"role": "user", "content": "three?"},
        {"role": "assistant", "content": "four five."},
    ]
    return tokenizer, config, random_theta(config), Example([], messages, "data.jsonl:1")


def test_a_watched_example_gives_one_log_probability_for_each_token_of_its_last_answer(chat):
    tokenizer, config, theta, example = chat
    log_probs, _ = trajectory.watch(theta, config, tokenizer, example)
    sequence, texts = trajectory.target(tokenizer, example)
    assert "".join(texts) == "four five.<|im_end|>"
    assert_array_equal(sequence.ids, encode(example, tokenizer).ids)
    expected = [
        np.log(prediction(theta, config, sequence.ids[:i])[sequence.ids[i]])
        for i in np.flatnonzero(sequence.is_y)  # y_i | x, y_<i
    ]
    assert_allclose(log_probs, expected, rtol=1e-10)
    assert len(log_probs) == len(texts)


def test_the_watched_answer_is_the_one_that_evaluation_counts(chat):
    tokenizer, config, theta, example = chat
    _, predicted = trajectory.watch(theta, config, tokenizer, example, max_new_tokens=5)
    assert predicted == evaluate.answers(theta, config, tokenizer, [example], 5)[0]["predicted"]


def test_an_example_that_asks_nothing_cannot_be_watched(chat):
    tokenizer, config, theta, _ = chat
    with pytest.raises(MinisftError, match=r"notes\.jsonl:3.*x is empty"):
        trajectory.watch(theta, config, tokenizer, Example("", "some text", "notes.jsonl:3"))


def test_watching_a_run_shows_the_answer_become_likelier_and_then_given(chat):
    tokenizer, config, _, example = chat
    theta_hat = model.init(config, np.random.default_rng(0))
    settings = TrainConfig(learning_rate=0.03, max_steps=40, lr_scheduler_type="constant")
    seen = [trajectory.watch(theta_hat, config, tokenizer, example)]
    for state in train.finetune(theta_hat, config, [encode(example, tokenizer)], settings):
        if state.step % 20 == 0:
            seen.append(trajectory.watch(state.theta, config, tokenizer, example))
    totals = np.stack([log_probs for log_probs, _ in seen]).sum(1)
    assert totals[0] < totals[-1] < 0
    assert seen[0][1] != "four five." and seen[-1][1] == "four five."
