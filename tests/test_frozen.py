"""What is frozen is computed once: rows that enter the lowest trained block are kept from epoch to epoch."""

import json
import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from conftest import random_sequences, random_theta, tiny_config
from numpy.testing import assert_array_equal
from support import commandline
from support.commandline import assert_refused, assert_same_run, make_theta_hat, minisft, read_rows, sft_line
from test_families import KINDS

from minisft import frozen, model, train
from minisft.config import TrainConfig
from minisft.data import collate

LENGTHS = (7, 2, 5, 9, 3, 12, 4)
ROWS = sum(LENGTHS) - len(LENGTHS)
ROW = 10 * 8 / 1e6  # MB of a row of 10 float64
SETTINGS = TrainConfig(learning_rate=0.01, batch_size=2, num_train_epochs=3, seed=1)
UPPER = {
    "the last block": {"train_only": ("model.layers.2.*",)},
    "two blocks": {"train_only": ("model.layers.[12].mlp.*", "model.norm.weight")},
    "the last norm": {"train_only": ("model.norm.weight",)},
    "LoRA on the last block": {"lora_r": 2, "lora_target_modules": ("model.layers.2.mlp.up_proj",)},
    "LoRA, A and B of the last block": {"lora_r": 2, "train_only": ("model.layers.2.*",)},
}
each_choice = pytest.mark.parametrize("choice", UPPER.values(), ids=UPPER)
MODELS = {"llama": tiny_config(layers=3), "head of its own": tiny_config(tied=False, layers=3)}
MODELS |= {
    name: replace(config, num_hidden_layers=3, layer_types=config.layer_types and (*config.layer_types, kinds))
    for (name, config), kinds in zip(KINDS.items(), [""] * 2 + ["sliding_attention", "full_attention"])
}
each_model = pytest.mark.parametrize("config", MODELS.values(), ids=MODELS)


def finetuned(config, settings, sequences=None):
    sequences = sequences or random_sequences(lengths=LENGTHS)
    *_, state = train.finetune(random_theta(config), config, sequences, settings)
    return state


@pytest.fixture
def computed(monkeypatch):
    """The numbers of the blocks of three that are computed, in order, with how many rows: [(block, rows)]."""
    calls, original = [], model.through

    def noted(theta, config, i, x, *rest):
        calls.append((i, len(x)))
        return original(theta, config, i, x, *rest)

    monkeypatch.setattr(model, "through", noted)
    return calls


# --- the numbers ------------------------------------------------------------------------------------------------------


@each_choice
@each_model
def test_theta_tilde_is_that_without_the_cache_to_rounding(config, choice):
    settings = replace(SETTINGS, **choice)
    without = finetuned(config, replace(settings, cache_frozen=0))
    for room in (1024, 20 * ROW, 3 * ROW):  # all, some, one sequence or none
        kept = finetuned(config, replace(settings, cache_frozen=room))
        assert np.abs(kept.theta.flat - without.theta.flat).max() <= 1e-12 * np.abs(without.theta.flat).max()
        for name in ("loss", "grad_norm", "mean_token_accuracy"):
            assert kept.metrics[name] == pytest.approx(without.metrics[name], rel=1e-12)


@each_choice
@pytest.mark.parametrize("room", [1024, 20 * ROW])
def test_a_run_with_the_cache_is_itself_reproduced_bit_for_bit(choice, room, monkeypatch):
    monkeypatch.setattr(frozen, "GROUP", 8)  # several groups
    settings = replace(SETTINGS, **choice, cache_frozen=room)
    one, other = (finetuned(MODELS["llama"], settings).theta.flat for _ in range(2))
    assert_array_equal(one, other)


@each_model
@pytest.mark.parametrize("block", [1, 2, 3])
def test_the_model_goes_on_from_the_rows_of_a_batch_as_if_it_had_computed_them(config, block):
    """The same rows together, so no bit differs: logits, and the gradient of what is above."""
    theta, batch = random_theta(config), collate(random_sequences(), 0.3, dtype=np.float64)
    rows = np.flatnonzero(batch.weights)[::2]
    known = model.Below(block, model.rows_entering(theta, config, batch.ids, batch.starts, block))
    found = [model.forward(theta, config, batch.ids, batch.starts, rows, None, block, below) for below in (None, known)]
    assert_array_equal(found[0][0], found[1][0])
    names = [name for name in theta.named if name.startswith(("model.norm", "lm_head", "model.layers.2"))]
    names = names if block < 3 else [name for name in names if not name.startswith("model.layers")]
    grads = []
    for logits, cache in found:
        grads.append(theta.part(names))
        model.backward(theta, grads[-1], config, cache, np.cos(logits))
    assert_array_equal(grads[0].flat, grads[1].flat)
    assert grads[0].flat.any()


# --- the work ---------------------------------------------------------------------------------------------------------


def test_a_step_that_finds_its_rows_enters_no_block_below_the_lowest_trained_one(computed):
    finetuned(MODELS["llama"], replace(SETTINGS, **UPPER["the last block"]))
    assert [i for i, _ in computed if i < 2] == [0, 1]  # once, for all: before the first step
    assert [rows for i, rows in computed if i < 2] == [ROWS] * 2
    assert computed[:2] == [(0, ROWS), (1, ROWS)]
    assert len([i for i, _ in computed if i == 2]) == 3 * 4  # steps


def test_without_the_cache_every_step_computes_all_blocks(computed):
    finetuned(MODELS["llama"], replace(SETTINGS, **UPPER["the last block"], cache_frozen=0))
    assert [i for i, _ in computed] == [0, 1, 2] * 12


def test_of_a_step_that_finds_some_of_its_rows_only_the_others_are_computed(computed):
    settings = replace(SETTINGS, **UPPER["the last block"], shuffle=False, cache_frozen=(6 + 1 + 4) * ROW)
    finetuned(MODELS["llama"], settings)  # the first three of 7, 2, 5, 9, 3, 12, 4 tokens
    assert computed[:2] == [(0, 11), (1, 11)]
    of_epoch = [(2, 7), (0, 8), (1, 8), (2, 12), (0, 13), (1, 13), (2, 13), (0, 3), (1, 3), (2, 3)]
    assert computed[2:] == of_epoch * 3


def test_what_a_run_reads_once_is_not_kept(computed):
    settings = replace(SETTINGS, **UPPER["the last block"])
    finetuned(MODELS["llama"], replace(settings, num_train_epochs=1))
    assert [i for i, _ in computed] == [0, 1, 2] * 4
    computed.clear()
    finetuned(MODELS["llama"], replace(settings, max_steps=5, shuffle=False))  # an epoch of 4 steps, and one more
    assert computed[:2] == [(0, 6 + 1), (1, 6 + 1)] and (0, 12) in computed


def test_where_everything_moves_nothing_is_kept(computed, monkeypatch):
    monkeypatch.setattr(frozen, "remember", lambda *arguments: pytest.fail("remembered"))
    for choice in ({}, {"lora_r": 2}, {"train_only": ("model.embed_tokens.weight",)}, {"train_only": ("*.0.*",)}):
        finetuned(MODELS["llama"], replace(SETTINGS, **choice))


# --- the room ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [0, 5, 6, 7, 11, 12, ROWS - 1, ROWS])
def test_the_first_sequences_that_fit_are_kept_and_no_more(rows):
    config, sequences = MODELS["llama"], random_sequences(lengths=LENGTHS)
    theta, every = random_theta(config), np.full(len(LENGTHS), True)
    kept = frozen.fitting(theta, config, sequences, every, rows * ROW * (1 + 1e-12))
    assert kept == list(range(len(kept)))
    taken = sum(LENGTHS[i] - 1 for i in kept)
    assert taken <= rows and (len(kept) == len(LENGTHS) or taken + LENGTHS[len(kept)] - 1 > rows)
    held = [s.below.x for s in frozen.remember(theta, config, sequences, 1, kept) if s.below]
    assert sum(x.nbytes for x in held) == taken * 10 * 8 <= rows * 10 * 8


def test_memory_measured_stays_within_the_room_but_for_what_a_step_takes_anyway():
    config = replace(tiny_config(layers=3), hidden_size=128, head_dim=4, max_position_embeddings=64)
    theta, sequences = random_theta(config).astype(np.float32), random_sequences(lengths=(60,) * 200)
    rows, room = 200 * 59, 3.0  # of 6.04 MB
    grad = theta.part(["model.layers.2.mlp.up_proj.weight"])

    def peak(work):
        tracemalloc.start()
        result = work()
        held, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return result, held / 1e6, most / 1e6

    kept = frozen.fitting(theta, config, sequences, np.full(200, True), room)
    for _ in range(2):  # the first time, NumPy keeps things of its own
        result, held, most = peak(lambda: frozen.remember(theta, config, sequences, 2, kept))
    assert 0.9 * room < held <= room + 0.1  # and the list of sequences
    batch = collate(sequences[: frozen.GROUP // 59])
    _, _, of_step = peak(lambda: train.value_and_grad(theta, grad, config, batch, -1.0))
    assert most <= held + of_step  # a group takes no more than a step of as many rows
    assert rows * 128 * 4 / 1e6 > 2 * room and sum(s.below is None for s in result) > 90


def test_groups_have_at_most_so_many_rows_or_are_one_sequence():
    ends = np.cumsum([0, 3, 3, 2, 9, 1, 1, 1, 8])
    assert [(g.start, g.stop) for g in frozen.groups(ends)] == [(0, 8)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen, "GROUP", 8)
        assert [(g.start, g.stop) for g in frozen.groups(ends)] == [(0, 3), (3, 4), (4, 7), (7, 8)]


def test_what_is_not_finite_below_is_said_by_the_first_loss():
    config = MODELS["llama"]
    theta = random_theta(config)
    theta.model.layers[0].mlp.down_proj.weight[...] = 1e300
    theta.model.layers[0].mlp.up_proj.weight[...] = 1e300
    with pytest.raises(train.MinisftError, match=r"^step 1: the loss is "):
        *_, _ = train.finetune(
            theta, config, random_sequences(lengths=LENGTHS), replace(SETTINGS, **UPPER["the last block"])
        )


# --- runs -------------------------------------------------------------------------------------------------------------

FLAGS = ["--train-only", "model.layers.1.*", "model.norm.weight"]


@pytest.fixture(scope="module")
def two_blocks(shared, tmp_path_factory):
    """shared, but θ̂ has two blocks."""
    place = tmp_path_factory.mktemp("two_blocks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commandline, "SIZES", [*commandline.SIZES, "--num-hidden-layers", 2])  # the last one counts
        make_theta_hat(place)
    shutil.copy(shared / "train.jsonl", place)
    return place


@pytest.mark.parametrize("choice", [FLAGS, ["--lora-r", 2, "--lora-target-modules", "model.layers.1.mlp.up_proj"]])
@pytest.mark.parametrize("room", ["1024", "0.01"])
def test_a_run_resumed_after_any_step_ends_in_the_same_bytes(two_blocks, tmp_path, choice, room):
    flags = [*choice, "--cache-frozen", room, "--save-steps", 1, "--max-steps", 12]
    assert minisft(*sft_line(two_blocks, tmp_path / "whole", *flags)) == 0
    for last in (1, 7, 11):
        shutil.copytree(tmp_path / "whole", tmp_path / "parts")
        for number in range(last + 1, 13):
            shutil.rmtree(tmp_path / "parts" / f"checkpoint-{number}")
        for path in (tmp_path / "parts").glob("*model.safetensors"):
            path.unlink()
        assert minisft(*sft_line(two_blocks, tmp_path / "parts", *flags, "--resume")) == 0
        assert_same_run(tmp_path / "whole", tmp_path / "parts")
        shutil.rmtree(tmp_path / "parts")


def test_the_room_is_recorded_and_another_one_refused_when_resuming(two_blocks, tmp_path, capsys):
    line = sft_line(two_blocks, tmp_path / "out", *FLAGS, "--save-steps", 3)
    assert minisft(*line, "--cache-frozen", 5) == 0
    assert json.loads((tmp_path / "out" / "train_config.json").read_text())["cache_frozen"] == 5
    said = "--cache-frozen is 1024, but was 5"
    assert_refused(capsys, [str(word) for word in [*line, "--resume"]], said)


@pytest.mark.parametrize("room", ["-1", "nan", "inf", "much"])
def test_a_room_that_is_no_number_is_refused(two_blocks, tmp_path, capsys, room):
    line = sft_line(two_blocks, tmp_path / "out", *FLAGS, f"--cache-frozen={room}")
    assert_refused(capsys, [str(word) for word in line], "--cache-frozen")


def test_held_out_data_are_measured_the_same_and_their_frozen_blocks_computed_once(two_blocks, tmp_path, computed):
    flags = [*FLAGS, "--dtype", "float64", "--eval-data", two_blocks / "train.jsonl", "--eval-steps", 2]
    rows, below = {}, {}
    for room in ("0", "1024"):
        computed.clear()
        assert minisft(*sft_line(two_blocks, tmp_path / room, *flags, "--cache-frozen", room)) == 0
        rows[room] = [row for row in read_rows(tmp_path / room / "metrics.jsonl") if "eval_loss" in row]
        below[room] = [size for i, size in computed if i == 0 and size == 360]  # the 9 pairs together; not what answers
    assert len(rows["0"]) == len(rows["1024"]) == 3
    for one, other in zip(rows["0"], rows["1024"], strict=True):
        assert one["eval_loss"] == pytest.approx(other["eval_loss"], rel=1e-12)
        assert one["eval_exact_match"] == other["eval_exact_match"]
    assert len(below["0"]) == 3 and len(below["1024"]) == 1


def test_what_is_learned_and_what_is_held_out_share_the_room(two_blocks, tmp_path, monkeypatch):
    kept, remember = [], frozen.remember

    def noted(theta, config, sequences, block, chosen, *rest):
        result = remember(theta, config, sequences, block, chosen, *rest)
        kept.append(sum(s.below.x.nbytes for s in result if s.below))
        return result

    monkeypatch.setattr(frozen, "remember", noted)
    flags = [*FLAGS, "--eval-data", two_blocks / "train.jsonl", "--eval-steps", 2, "--max-steps", 12]
    assert minisft(*sft_line(two_blocks, tmp_path / "all", *flags)) == 0
    (of_learned, of_held_out), _ = kept[:2], kept.clear()
    assert of_learned == of_held_out > 0
    assert minisft(*sft_line(two_blocks, tmp_path / "some", *flags, "--cache-frozen", 1.5 * of_learned / 1e6)) == 0
    assert kept[0] == of_learned and 0.2 * of_learned < kept[1] <= 0.5 * of_learned
