"""What nobody can mean is refused where numbers come in: `Params`, `model.forward`, `objective.forward`, `save`."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_theta, tiny_config
from support.examples import TEXTS
from support.refusals import refusal

from minisft import checkpoint, model, objective
from minisft.config import ModelConfig
from minisft.params import Params
from minisft.tokenizer import Tokenizer

SHAPES = {"model.a.weight": (2, 3), "model.b.weight": (4,)}
NAN = float("nan")


# --- one vector ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [np.zeros(9), np.zeros(11), np.zeros((10, 1)), np.zeros((1, 10)), [0.0] * 10], ids=str)
def test_a_vector_of_another_shape_is_refused_since_the_rest_of_it_would_be_nobody_s(flat):
    refusal(lambda: Params(SHAPES, flat=flat), "flat", "(10,)")


@pytest.mark.parametrize("dtype", [np.int64, np.int8, bool, object])
def test_parameters_are_real_or_complex_since_whole_ones_would_never_move(dtype):
    for call in (lambda: Params(SHAPES, dtype), lambda: Params(SHAPES).astype(dtype)):
        refusal(call, "flat", "real or complex", np.dtype(dtype).name)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex128])
def test_parameters_may_be_floats_of_any_size_and_complex_for_gradcheck(dtype):
    assert Params(SHAPES, dtype).flat.dtype == Params(SHAPES).astype(dtype).flat.dtype == dtype


# --- θ and config ----------------------------------------------------------------------------------------------------

FOREIGN = {
    "one layer too many": ({"num_hidden_layers": 3}, "model.layers.2"),
    "one layer too few": ({"num_hidden_layers": 1}, "model.layers.1"),
    "a head of its own": ({"tie_word_embeddings": False}, "lm_head.weight"),
    "another vocabulary": ({"vocab_size": 18}, "model.embed_tokens.weight"),
    "another inner size": ({"intermediate_size": 15}, "mlp"),
    "other heads": ({"num_attention_heads": 6, "head_dim": 4}, "k_proj"),
    "biases": ({"qkv_bias": True}, "bias"),
}


@pytest.mark.parametrize(("changes", "tensor"), FOREIGN.values(), ids=FOREIGN)
def test_a_config_that_is_not_of_these_parameters_is_refused_by_the_tensor_that_differs(config, theta, changes, tensor):
    """With three layers instead of two, rows would be picked in a layer that is not there, and all logits returned."""
    ids, starts = np.arange(5), np.array([0, 5])
    refusal(lambda: model.forward(theta, replace(config, **changes), ids, starts, np.arange(5)), "theta", tensor)


def test_an_untied_model_is_not_read_as_a_tied_one(config):
    theta = random_theta(tiny_config(tied=False))
    refusal(lambda: model.forward(theta, config, np.arange(5), np.array([0, 5]), np.arange(5)), "theta", "lm_head")


# --- what the model reads --------------------------------------------------------------------------------------------


@pytest.fixture
def forward(config, theta, ragged):
    """The model on the ragged batch of 19 rows, one argument of which is another."""

    def call(**changes):
        given = {"ids": ragged.ids, "starts": ragged.starts, "rows": np.array([0, 1])} | changes
        return model.forward(theta, config, **given)[0]

    return call


@pytest.mark.parametrize("wrong", [-1, -100, 17, 2**40])
def test_an_id_outside_the_vocabulary_is_refused(forward, ragged, wrong):
    ids = ragged.ids.copy()
    ids[3] = wrong
    refusal(lambda: forward(ids=ids), "ids", "0 to 16", wrong)


def test_ids_that_are_not_whole_numbers_in_one_dimension_are_refused_by_the_model(forward, ragged):
    for wrong in (ragged.ids * 1.0, ragged.ids > 3, ragged.ids[None], ragged.ids.astype(str)):
        refusal(lambda wrong=wrong: forward(ids=wrong), "ids", "whole numbers")


@pytest.mark.parametrize(
    "starts", [[0, 9, 6, 19], [0, 6, 6, 19], [0, 6, 12], [0, 6, 30], [1, 6, 19], [0], [-1, 19]], ids=str
)
def test_starts_that_do_not_cut_the_rows_into_sequences_are_refused(forward, starts):
    refusal(lambda: forward(starts=np.array(starts)), "starts")


@pytest.mark.parametrize("rows", [[3, 1], [3, 3, 4], [-1], [0, 19], [0] * 19, [1.0, 2.0]], ids=str)
def test_rows_that_do_not_increase_are_refused_since_the_last_block_would_mix_them_up(forward, rows):
    refusal(lambda: forward(rows=np.array(rows)), "rows")


def test_rows_as_true_and_false_are_refused_and_the_error_says_how_to_get_their_numbers(forward, ragged):
    """As 0 and 1 they would be rows 0 and 1; as many as ids, they would be all."""
    refusal(lambda: forward(rows=ragged.is_y), "rows", "np.flatnonzero")


def test_rows_of_any_whole_numbers_are_fine_and_so_is_none(forward):
    for rows in (np.array([2, 5], np.int32), np.array([2, 5], np.uint8), np.array([], int)):
        assert forward(rows=rows).shape == (len(rows), 17)


def test_a_sequence_longer_than_the_context_is_refused_since_such_positions_were_never_learned(config, theta):
    ids = np.zeros(17, int)
    assert model.forward(theta, config, ids[:16], np.array([0, 16]), np.array([15]))[0].shape == (1, 17)
    refusal(lambda: model.forward(theta, config, ids, np.array([0, 17]), np.array([16])), "starts", "at most 16", 17)


def test_complex_parameters_may_be_read_for_the_complex_step(config, theta, ragged):
    logits, _ = model.forward(theta.astype(complex), config, ragged.ids, ragged.starts, np.array([0]))
    assert logits.dtype == complex
    assert np.iscomplexobj(objective.forward(logits, np.array([1]), np.ones(1))[0])


# --- the objective ---------------------------------------------------------------------------------------------------

LOGITS = np.random.default_rng(0).standard_normal((4, 7))
TARGETS, WEIGHTS = np.array([1, 2, 3, 0]), np.ones(4)


@pytest.mark.parametrize("weights", [np.ones((4, 1)), np.ones((1, 4)), np.ones(1), 1.0, np.ones(3)], ids=np.shape)
def test_the_objective_broadcasts_no_weights(weights):
    """(4, 1) times (4,) is (4, 4): the sum would be four times too large."""
    refusal(lambda: objective.forward(LOGITS, TARGETS, weights), "weights", "(4,)")


@pytest.mark.parametrize("wrong", [-1, -100, 7])
def test_the_objective_refuses_a_target_outside_the_vocabulary(wrong):
    refusal(lambda: objective.forward(LOGITS, np.array([1, wrong, 3, 0]), WEIGHTS), "targets", "0 to 6", wrong)


@pytest.mark.parametrize("targets", [TARGETS[:3], TARGETS[:, None], np.eye(4, 7, dtype=int)], ids=np.shape)
def test_the_objective_refuses_any_other_than_one_target_for_each_row(targets):
    refusal(lambda: objective.forward(LOGITS, targets, WEIGHTS), "targets", "(4,)")


def test_the_objective_refuses_targets_that_are_not_whole_numbers():
    for wrong in (TARGETS * 1.0, TARGETS > 1):
        refusal(lambda wrong=wrong: objective.forward(LOGITS, wrong, WEIGHTS), "targets", "whole numbers")


def test_the_objective_refuses_logits_of_three_axes():
    refusal(lambda: objective.forward(np.zeros((2, 2, 7)), TARGETS[:2], WEIGHTS[:2]), "logits", "(M, V)")


# --- a model on disk -------------------------------------------------------------------------------------------------

CONFIG = ModelConfig(400, 8, 12, 2, 2, 1)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, 400)


@pytest.mark.parametrize(
    "changes", [{"num_hidden_layers": 3}, {"intermediate_size": 13}, {"tie_word_embeddings": False}]
)
def test_parameters_are_not_saved_with_the_config_of_another_model(tokenizer, tmp_path, changes):
    foreign = replace(CONFIG, **changes)
    refusal(lambda: checkpoint.save(tmp_path / "m", random_theta(CONFIG), foreign, tokenizer), "theta", "shape of")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("wrong", [NAN, np.inf])
def test_parameters_that_could_not_be_loaded_again_are_not_saved(tokenizer, tmp_path, wrong):
    theta = random_theta(CONFIG)
    theta.model.norm.weight[3] = wrong
    refusal(lambda: checkpoint.save(tmp_path / "m", theta, CONFIG, tokenizer), "model.norm.weight", "NaN or infinity")
    assert not (tmp_path / "m").exists()


def test_complex_parameters_and_a_tokenizer_with_too_many_ids_are_refused_before_anything_is_written(
    tokenizer, tmp_path
):
    theta, small = random_theta(CONFIG), replace(CONFIG, vocab_size=20)
    refusal(lambda: checkpoint.save(tmp_path / "m", theta.astype(complex), CONFIG, tokenizer), "theta", "real")
    refusal(lambda: checkpoint.save(tmp_path / "m", random_theta(small), small, tokenizer), "vocab_size")
    assert not (tmp_path / "m").exists()
