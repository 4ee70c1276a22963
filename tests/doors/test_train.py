"""What nobody can mean is refused where a run begins: `finetune`, `pretrain`, `train`, `step`."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from support.refusals import refusal

from minisft import train
from minisft.config import TrainConfig
from minisft.data import Sequence
from minisft.optim import AdamW
from minisft.params import Params

SETTINGS = TrainConfig(max_steps=1)
NAN = float("nan")


@pytest.fixture
def finetune(theta, config, sequences):
    """One step of the tiny model, one argument of which is another."""

    def run(**changes):
        given = {"theta_hat": theta, "config": config, "sequences": sequences, "settings": SETTINGS} | changes
        return list(train.finetune(**given))

    return run


@pytest.fixture
def step(theta, config, ragged):
    def run(theta=theta, grad=None, batch=ragged, config=config, learning_rate=1e-3):
        grad = grad or theta.like()
        return train.step(theta, grad, AdamW(theta, SETTINGS), batch, config, SETTINGS, learning_rate)

    return run


# --- a run -----------------------------------------------------------------------------------------------------------


def test_parameters_of_whole_numbers_are_refused_since_they_would_train_nothing(theta, finetune):
    refusal(lambda: finetune(theta_hat=theta.astype(np.int64)), "real", "int64")


def test_complex_parameters_are_for_gradcheck_and_are_not_trained(theta, finetune):
    refusal(lambda: finetune(theta_hat=theta.astype(complex)), "theta", "real", "complex128")


@pytest.mark.parametrize("dtype", [int, bool, complex])
def test_pre_training_in_a_dtype_that_is_not_real_is_refused(config, sequences, dtype):
    refusal(lambda: list(train.pretrain(config, sequences, SETTINGS, dtype)), "real")


@pytest.mark.parametrize(
    "changes",
    [{"num_hidden_layers": 3}, {"num_hidden_layers": 1}, {"vocab_size": 400}, {"intermediate_size": 20}],
    ids=str,
)
def test_a_run_with_the_config_of_another_model_is_refused(config, finetune, changes):
    refusal(lambda: finetune(config=replace(config, **changes)), "theta", "shape of")


def test_a_run_of_an_untied_model_with_a_tied_config_is_refused_since_its_head_would_never_learn(finetune):
    refusal(lambda: finetune(theta_hat=random_theta(tiny_config(tied=False))), "theta", "lm_head.weight")


@pytest.mark.parametrize("settings", [SETTINGS, TrainConfig()], ids=["by steps", "by epochs"])
def test_a_run_without_sequences_is_refused_not_finished_at_once(finetune, settings):
    refusal(lambda: finetune(sequences=[], settings=settings), "sequences", "at least one")


def test_a_run_on_a_generator_is_refused_since_an_epoch_reads_it_again(finetune, sequences):
    refusal(lambda: finetune(sequences=iter(sequences)), "sequences", "list")


@pytest.mark.parametrize("wrong", [17, -1, -100])
@pytest.mark.parametrize("place", [0, 3])
def test_a_run_on_ids_outside_the_vocabulary_is_refused(finetune, wrong, place):
    ids = np.array([1, 2, 3, 4])
    ids[place] = wrong
    refusal(lambda: finetune(sequences=[Sequence(ids, np.arange(4) > 1, "data.jsonl:1")]), wrong)


def test_a_run_on_sequences_longer_than_the_context_is_refused(finetune):
    refusal(lambda: finetune(sequences=random_sequences(lengths=(18,))), "at most 16", 17)
    assert finetune(sequences=random_sequences(lengths=(17,)))[0].step == 1  # the last token is only predicted


def test_a_run_on_masks_of_0_and_1_is_refused(finetune):
    refusal(lambda: finetune(sequences=[Sequence(np.arange(4), np.array([0, 0, 1, 1]), "data.jsonl:1")]), "is_y")


@pytest.mark.parametrize("steps", [99, -1, 0.5, NAN])
def test_a_state_that_is_not_within_the_run_is_refused_not_taken_for_finished(theta, config, sequences, steps):
    state = replace(train.start(theta.copy(), SETTINGS), step=steps)
    refusal(lambda: list(train.train(state, config, sequences, SETTINGS)), "state.step")


def test_a_run_that_is_at_its_end_goes_nowhere(theta, config, sequences):
    state = replace(train.start(theta.copy(), SETTINGS), step=1)
    assert list(train.train(state, config, sequences, SETTINGS)) == []


# --- one step --------------------------------------------------------------------------------------------------------


def test_a_gradient_in_the_memory_of_theta_is_refused_since_zeroing_it_would_erase_theta(theta, step):
    before = theta.flat.copy()
    for grad in (theta, Params(theta.shapes, flat=theta.flat)):
        refusal(lambda grad=grad: step(grad=grad), "grad", "theta.like()")
    np.testing.assert_array_equal(theta.flat, before)


def test_a_gradient_of_another_model_is_refused(step):
    refusal(lambda: step(grad=random_theta(tiny_config(layers=1))), "grad", "model.layers.1")
    refusal(lambda: step(grad=random_theta(tiny_config(layers=3))), "grad", "model.layers.2")


def test_a_gradient_of_some_tensors_or_in_another_precision_is_fine(theta, step):
    assert step(grad=theta.part(["model.norm.weight"]))["grad_norm"] > 0
    assert step(grad=Params(theta.shapes, np.float32))["grad_norm"] > 0


@pytest.mark.parametrize("rate", [-1e-3, NAN, np.inf, None, "1e-3"])
def test_a_rate_that_would_go_uphill_or_nowhere_finite_is_refused(theta, step, rate):
    before = theta.flat.copy()
    refusal(lambda: step(learning_rate=rate), "learning_rate")
    np.testing.assert_array_equal(theta.flat, before)


def test_a_batch_with_a_mask_of_0_and_1_is_refused_since_all_of_it_would_count_as_x(ragged, step):
    refusal(lambda: step(batch=replace(ragged, is_y=ragged.is_y.astype(int))), "batch.is_y", "int64")


def test_a_batch_with_weights_in_a_column_is_refused(ragged, step):
    refusal(lambda: step(batch=replace(ragged, weights=np.ones((len(ragged.ids), 1)))), "weights", "(19, 1)")


def test_a_batch_with_ids_outside_the_vocabulary_is_refused(ragged, step):
    refusal(lambda: step(batch=replace(ragged, ids=ragged.ids + 17)), "ids", "0 to 16")


def test_weights_that_push_an_answer_down_are_no_mistake(ragged, step):
    """A lesson trains with them: −w makes y less probable."""
    assert step(batch=replace(ragged, weights=-ragged.weights))["loss"] < 0
