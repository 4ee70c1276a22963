"""What the doctor finds by asking θ̂, and by a rehearsal."""

import json

import numpy as np
import pytest
from support.commandline import conversation, minisft, write_rows
from support.doctored import HEALTHY, found, names, places

from minisft import checkpoint, data, train
from minisft.config import TrainConfig
from minisft.formats import resources
from minisft.lab.doctor.model_checks import REHEARSAL, UNDER_THETA

ATLAS = resources.path("atlas")
RIGHT = [json.loads(line) for line in resources.path("atlas_train.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """θ̃ that has learned the first 40 rows of the atlas, and these rows."""
    directory = tmp_path_factory.mktemp("learned")
    path = write_rows(directory / "rows.jsonl", RIGHT[:40])
    theta, config, tokenizer = checkpoint.load(ATLAS)
    sequences = [data.encode(example, tokenizer) for example in data.read([path])]
    *_, last = train.finetune(theta, config, sequences, TrainConfig(max_steps=120, batch_size=8))
    checkpoint.save(directory / "model", last.theta, config, tokenizer)
    return directory / "model", path


def with_answer(row, answer):
    return conversation(row["messages"][0]["content"], answer)


def test_wrong_facts_and_noise_are_surprising_and_right_answers_are_not(tmp_path):
    """θ̂ has read the facts, but never an answer in a conversation."""
    wrong = {
        4: "The currency of Azerbaijan is the Australian dollar.",
        3: "In Algeria, the main official language is Ukrainian.",
        88: "The capital of India is Sao Tome.",
        130: "xq zzv blorp 99",
    }
    rows = [with_answer(row, wrong.get(i, row["messages"][1]["content"])) for i, row in enumerate(RIGHT)]
    result = found(ATLAS, write_rows(tmp_path / "rows.jsonl", rows))
    assert sorted(places(result, "surprising")) == [i + 1 for i in sorted(wrong)]
    assert result["summary"]["sample"] == {"rows": 200, "of": 200, "seed": 0}


def test_what_the_model_has_learned_is_known(learned):
    model, rows = learned
    assert names(found(model, rows)) == ["known"]


def test_answers_that_all_begin_in_a_way_the_model_does_not_expect_start_badly(learned, tmp_path):
    model, _ = learned
    rows = [with_answer(row, "Q" + row["messages"][1]["content"]) for row in RIGHT[:40]]
    assert "starts-badly" in names(found(model, write_rows(tmp_path / "rows.jsonl", rows)))


def test_a_healthy_rehearsal_says_nothing(tmp_path):
    result = found(ATLAS, resources.path("atlas_train.jsonl"), rehearse=True)
    assert result["findings"] == [] and set(result["summary"]["checks"]) >= {check.name for check in REHEARSAL}
    assert {check.name for check in UNDER_THETA} <= set(result["summary"]["checks"])


def test_a_rate_a_hundred_times_too_low_or_a_hundred_times_too_high_is_told():
    rows = resources.path("atlas_train.jsonl")
    assert names(found(ATLAS, rows, rehearse=True, learning_rate=1e-5)) == ["rate-too-low"]
    assert "rate-too-high" in names(found(ATLAS, rows, rehearse=True, learning_rate=0.1))


def test_rows_that_no_rate_learns_do_not_overfit(tmp_path):
    """θ̂ whose embedding is 0 everywhere: all tokens look the same, and only their frequencies can be learned."""
    theta, config, tokenizer = checkpoint.load(ATLAS)
    theta.flat[:] = 0
    checkpoint.save(tmp_path / "model", theta, config, tokenizer)
    result = found(tmp_path / "model", resources.path("atlas_train.jsonl"), rehearse=True)
    assert "does-not-overfit" in names(result)


def test_a_model_whose_answers_are_all_cut_does_not_stop(tmp_path):
    rows = [conversation(f"Tell me of {q}", " ".join([a] * 9)) for q, a in HEALTHY]
    result = found(ATLAS, write_rows(tmp_path / "rows.jsonl", rows), rehearse=True, max_length=64)
    assert {"too-long", "does-not-stop"} <= set(names(result))


def test_conflicts_are_no_fault_of_the_rehearsal(tmp_path):
    """Eight answers to one question: the loss ends near their entropy, and not near 0."""
    rows = [conversation("Name a number.", f"{word} is one.") for word in ("One", "Two", "Six", "Ten")] * 2
    result = found(ATLAS, write_rows(tmp_path / "rows.jsonl", rows), rehearse=True)
    assert not {"does-not-overfit", "rate-too-low", "rate-too-high"} & set(names(result))


def test_the_sample_is_the_same_every_time(tmp_path):
    rng = np.random.default_rng(0)
    rows = [conversation(f"Say {n}.", " ".join(rng.permutation(["one", "two", "six", "ten"]))) for n in range(1200)]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    first, second = found(ATLAS, path), found(ATLAS, path)
    assert first == second and first["summary"]["sample"] == {"rows": 1000, "of": 1200, "seed": 0}


def test_the_command_says_what_was_asked_and_what_was_left_out(capsys):
    assert minisft("doctor", "--model", "atlas", "--data", resources.path("shop_train.jsonl")) == 0
    out = capsys.readouterr().out
    assert "80 rows: 0 errors, 0 warnings, 0 notes" in out and "under θ̂: 80 of 80 rows" in out
    assert "left out: rehearsal" in out
