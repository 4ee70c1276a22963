"""What is not even of the right kind is refused by the name of the argument, wherever it comes in."""

import numpy as np
import pytest
from support.refusals import refusal

from minisft import checkpoint, data, model, objective, train
from minisft.config import TrainConfig
from minisft.data import Sequence
from minisft.generate import Past, generate

NAN, INFINITY = float("nan"), float("inf")
LOGITS, TARGETS, WEIGHTS = np.zeros((3, 5)), np.array([0, 1, 2]), np.ones(3)


# --- the objective ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [NAN, INFINITY, -INFINITY])
@pytest.mark.parametrize("place", [0, 2])
def test_a_weight_that_is_not_finite_is_refused(wrong, place):
    weights = WEIGHTS.copy()
    weights[place] = wrong
    refusal(lambda: objective.forward(LOGITS, TARGETS, weights), "weights", "finite")


@pytest.mark.parametrize(
    "weights", [[1.0, 1.0, 1.0], (1, 1, 1), np.array(["a", "b", "c"]), np.array([None] * 3)], ids=str
)
def test_weights_that_are_not_an_array_of_numbers_are_refused(weights):
    refusal(lambda: objective.forward(LOGITS, TARGETS, weights), "weights")


@pytest.mark.parametrize(
    "logits", [[[0.0] * 5] * 3, None, 3, LOGITS.astype(int), LOGITS > 0, LOGITS.astype(object)], ids=str
)
def test_logits_that_are_not_an_array_of_real_numbers_are_refused(logits):
    refusal(lambda: objective.forward(logits, TARGETS, WEIGHTS), "logits")


def test_negative_weights_are_weights():
    J, _ = objective.forward(LOGITS, TARGETS, WEIGHTS)
    assert objective.forward(LOGITS, TARGETS, -WEIGHTS)[0] == -J


# --- the model --------------------------------------------------------------------------------------------------------


@pytest.fixture
def forward(config, theta):
    def call(**changes):
        given = {"ids": np.array([1, 2, 3]), "starts": np.array([0, 3]), "rows": np.array([2])} | changes
        return model.forward(theta, config, **given)

    return call


@pytest.mark.parametrize("starts", [[False], [0, 3], (0, 3), None, 3, np.array([False]), np.array([[0, 3]])], ids=str)
def test_starts_are_an_array_of_whole_numbers(forward, starts):
    refusal(lambda: forward(starts=starts), "starts")
    refusal(lambda: forward(starts=np.array([False]), ids=np.array([], int), rows=np.array([], int)), "starts")


@pytest.mark.parametrize("lowest", [-1, 3, 1.5, None, "0", NAN, True])
def test_the_lowest_block_is_one_of_the_model_or_the_one_above(forward, config, lowest):
    refusal(lambda: forward(lowest=lowest), "lowest")
    for possible in (0, config.num_hidden_layers, np.int64(1)):
        forward(lowest=possible)


def test_what_was_read_before_is_a_past_of_as_many_sequences(forward, config):
    for past in (7, [], {}, "past", (np.zeros(3), np.zeros(3)), Past(config, 2, 8, np.float64)):
        refusal(lambda past=past: forward(past=past), "past")
    forward(past=Past(config, 1, 8, np.float64))


# --- a batch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [2**24, 2**31, 2**40, 2**63 - 1])
@pytest.mark.parametrize("place", [0, 2])
def test_an_id_that_no_vocabulary_has_is_refused(wrong, place):
    ids = np.array([1, 2, 3])
    ids[place] = wrong
    refusal(lambda: data.collate([Sequence(ids, np.array([False, True, True]), "d:1")]), "ids", str(wrong))


def test_a_masked_array_is_refused_since_its_mask_would_be_lost():
    ids, is_y = np.array([1, 2, 3]), np.array([False, True, True])
    refusal(lambda: data.collate([Sequence(np.ma.array(ids, mask=is_y), is_y, "d:1")]), "d:1: ids", "mask")
    refusal(lambda: data.collate([Sequence(ids, np.ma.array(is_y, mask=is_y), "d:1")]), "d:1: is_y", "mask")


# --- answers, runs and files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-1, 17, 2**40])
def test_an_end_token_outside_the_vocabulary_is_refused(theta, config, wrong):
    refusal(lambda: generate(theta, config, [[1]], 2, {3, wrong}), "stop_ids", wrong)
    assert generate(theta, config, [[1]], 2, {16, None, np.int64(0)})


@pytest.mark.parametrize("wrong", [None, 3, {"*"}, {}])
def test_what_is_not_a_list_of_patterns_is_refused(wrong):
    refusal(lambda: TrainConfig(train_only=wrong), "--train-only")
    assert TrainConfig(train_only=[]).train_only == ()  # what JSON makes of ()


@pytest.mark.parametrize("wrong", [None, 3, {"max_steps": 1}, TrainConfig])
@pytest.mark.parametrize("name", ["theta_hat", "config", "settings"])
def test_a_run_names_what_it_was_not_given(theta, config, sequences, name, wrong):
    given = {"theta_hat": theta, "config": config, "sequences": sequences, "settings": TrainConfig(max_steps=1)}
    refusal(lambda: list(train.finetune(**given | {name: wrong})), name)
    if name != "theta_hat":
        given.pop("theta_hat")
        refusal(lambda: list(train.pretrain(**given | {name: wrong})), name)


@pytest.mark.parametrize("wrong", [None, 3, [], {}])
@pytest.mark.parametrize("name", ["directory", "theta", "config", "tokenizer"])
def test_save_names_what_it_was_not_given_and_writes_nothing(loaded, tmp_path, name, wrong):
    given = dict(zip(("theta", "config", "tokenizer"), loaded, strict=True)) | {"directory": tmp_path / "new"}
    refusal(lambda: checkpoint.save(**given | {name: wrong}), name)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("wrong", [None, 3, 1.5, [], b"bytes"])
def test_load_takes_a_path(wrong):
    refusal(lambda: checkpoint.load(wrong), "path")


@pytest.mark.parametrize("dtype", ["float16", np.float16, int, bool, complex, "none such", 3, []], ids=str)
def test_load_takes_a_precision_that_is_computed_in(shared, dtype):
    refusal(lambda: checkpoint.load(shared / "theta_hat", dtype), "dtype", "float32 or float64")
