"""What resume passes over, moves aside or refuses: nothing that is there is lost."""

import json
import shutil

import pytest
from support.commandline import (
    assert_same_run,
    contents,
    minisft,
    sft_line,
)

from minisft.formats import huggingface
from minisft.runs.directory import RECORD


def test_rows_after_the_checkpoint_are_cut_off_and_half_a_row_too(sft, shared, tmp_path):
    flags = ["--save-steps", 4, "--eval-data", shared / "train.jsonl", "--eval-steps", 2]
    assert sft("whole", *flags) == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    (tmp_path / "parts" / "model.safetensors").unlink()
    with open(tmp_path / "parts" / "metrics.jsonl", "a") as file:
        file.write('{"step": 7, "lo')
    assert sft("parts", *flags, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("broken", ["model.safetensors", "optimizer.safetensors", "trainer_state.json", "config.json"])
def test_a_broken_checkpoint_is_passed_over_for_the_one_before(sft, tmp_path, capsys, broken):
    assert sft("whole", "--save-steps", 2) == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    path = tmp_path / "parts" / "checkpoint-6" / broken
    path.write_bytes(path.read_bytes()[:-20])
    resumes_after_step_4(sft, tmp_path, capsys)


def resumes_after_step_4(sft, tmp_path, capsys):
    """The run in parts/ has a checkpoint-6 that is not whole: it is kept, and the run comes to that in whole/."""
    broken = contents(tmp_path / "parts" / "checkpoint-6")
    (tmp_path / "parts" / "model.safetensors").unlink()
    capsys.readouterr()
    assert sft("parts", "--save-steps", 2, "--resume") == 0
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if "checkpoint-6" in line]
    assert len(lines) == 1 and lines[0].startswith("checkpoint-6 is not whole") and "after step 4" in said
    assert "passed over; it is now checkpoint-6.unreadable: " in lines[0]
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
    assert contents(tmp_path / "whole" / "checkpoint-6") == contents(tmp_path / "parts" / "checkpoint-6")
    assert contents(tmp_path / "parts" / "checkpoint-6.unreadable") == broken


def spoil_moments(path, name, value):
    counters = json.loads((path / "trainer_state.json").read_text())
    del counters["sha256"]  # as in version 0.1.0
    (path / "trainer_state.json").write_text(json.dumps(counters))
    path = path / "optimizer.safetensors"
    moments = dict(huggingface.read_tensors(path))
    moments[name][-1] = value
    huggingface.write_tensors(path, moments)


@pytest.mark.parametrize(
    ("name", "value"), [("m", "nan"), ("v", "nan"), ("m", "inf"), ("m", "-inf"), ("v", "inf"), ("v", "-1e-30")]
)
def test_a_checkpoint_with_moments_that_no_gradient_leads_to_is_not_whole(sft, tmp_path, capsys, name, value):
    assert sft("whole", "--save-steps", 2) == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    spoil_moments(tmp_path / "parts" / "checkpoint-6", name, float(value))
    resumes_after_step_4(sft, tmp_path, capsys)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
def test_a_checkpoint_of_which_one_bit_has_changed_is_not_whole(sft, tmp_path, capsys, name):
    assert sft("whole", "--save-steps", 2) == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    path = tmp_path / "parts" / "checkpoint-6" / name
    content = bytearray(path.read_bytes())
    content[-4] ^= 1  # the last bit of the last number
    path.write_bytes(content)
    resumes_after_step_4(sft, tmp_path, capsys)


def test_a_checkpoint_of_an_earlier_version_which_has_no_checksums_goes_on(sft, tmp_path):
    assert sft("whole", "--save-steps", 4) == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    (tmp_path / "parts" / "model.safetensors").unlink()
    path = tmp_path / "parts" / "checkpoint-4" / "trainer_state.json"
    counters = json.loads(path.read_text())
    assert set(counters.pop("sha256")) == {"model", "moments"}
    path.write_text(json.dumps(counters))
    assert sft("parts", "--save-steps", 4, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize(
    "counters",
    [
        {"sha256": None},
        {"sha256": {}},
        {"step": 5},
        {"step": 6.0},
        {"step": None},
        {"updates": 0},
        {"updates": 7},
        {"updates": -6},
        {"updates": True},
        {"updates": 10**30},
        {"num_tokens": 0},
        {"num_tokens": 10**30},
        {"num_tokens": "300"},
    ],
)
def test_a_checkpoint_whose_counters_do_not_fit_is_not_whole(sft, tmp_path, capsys, counters):
    assert sft("whole", "--save-steps", 2) == 0
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    path = tmp_path / "parts" / "checkpoint-6" / "trainer_state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | counters))
    resumes_after_step_4(sft, tmp_path, capsys)


def test_what_is_moved_aside_takes_no_name_that_is_there(sft, tmp_path):
    assert sft("out", "--save-steps", 2) == 0
    (tmp_path / "out" / "checkpoint-6.unreadable").mkdir()
    (tmp_path / "out" / "checkpoint-6-2.unreadable").symlink_to("nowhere")
    (tmp_path / "out" / "checkpoint-6" / "model.safetensors").write_bytes(b"cut")
    (tmp_path / "out" / "model.safetensors").unlink()
    assert sft("out", "--save-steps", 2, "--resume") == 0
    assert (tmp_path / "out" / "checkpoint-6-3.unreadable" / "model.safetensors").read_bytes() == b"cut"
    assert not list((tmp_path / "out" / "checkpoint-6.unreadable").iterdir())


@pytest.mark.parametrize("broken", ["model.safetensors", "optimizer.safetensors", "trainer_state.json", "config.json"])
def test_if_no_checkpoint_is_whole_resuming_is_refused_and_nothing_is_deleted(sft, tmp_path, capsys, broken):
    assert sft("out", "--save-steps", 3) == 0
    (tmp_path / "out" / "model.safetensors").unlink()
    for step in (3, 6):
        (tmp_path / "out" / f"checkpoint-{step}" / broken).unlink()
    before = contents(tmp_path)
    assert sft("out", "--save-steps", 3, "--resume") == 2
    assert "--resume: no checkpoint in" in (said := capsys.readouterr().err) and "checkpoint-6" in said
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rms_norm_eps", 1e-6),
        ("rope_theta", 500000.0),
        ("initializer_range", 0.5),
        ("max_position_embeddings", 64),
        ("rope_scaling", {"rope_type": "linear", "factor": 2.0}),
    ],
)
@pytest.mark.parametrize("save", [(), ("--save-steps", 3)])
def test_when_the_config_of_the_base_has_changed_resuming_is_refused_naming_it(
    shared, tmp_path, capsys, field, value, save
):
    shutil.copytree(shared, tmp_path / "moved")
    line = sft_line(tmp_path / "moved", tmp_path / "out", "--max-length", 60, *save)
    assert minisft(*line) == 0
    path = tmp_path / "moved" / "theta_hat" / "config.json"
    config = json.loads(path.read_text())
    if field == "rope_theta":
        config["rope_parameters"][field] = value
    path.write_text(json.dumps(config | {field: value}))
    before = contents(tmp_path)
    assert minisft(*line, "--resume") == 2
    assert f"--model: {field.replace('theta', 'base')} of its config.json is" in capsys.readouterr().err
    assert contents(tmp_path) == before


DAMAGE = {
    "cut in the middle": lambda lines: [*lines[:2], lines[2][:20], *lines[3:]],
    "a row lost": lambda lines: lines[:1] + lines[2:],
    "a row twice": lambda lines: lines[:2] + lines[1:],
    "all lost": lambda lines: [],
    "zeros": lambda lines: [*lines[:2], "\0" * 20, *lines[3:]],
    "not UTF-8": lambda lines: [*lines[:2], "\udcff", *lines[3:]],
    "nested": lambda lines: ["[" * 100_000, *lines],
    "no step": lambda lines: ["{}", *lines],
    "no object": lambda lines: ["7", *lines],
    "a loss in words": lambda lines: [lines[0].replace('"loss": ', '"loss": "5", "was": '), *lines[1:]],
    "a loss that is null": lambda lines: [lines[0].replace('"loss": ', '"loss": null, "was": '), *lines[1:]],
    "tokens that are a list": lambda lines: [
        *lines[:-1],
        lines[-1].replace('"num_tokens": ', '"num_tokens": [], "was": '),
    ],
    "tokens under another name": lambda lines: [lines[0].replace("num_tokens", "tokens"), *lines[1:]],
    "NaN": lambda lines: [lines[0].replace('"grad_norm": ', '"grad_norm": NaN, "was": '), *lines[1:]],
    "a held-out loss that is null": lambda lines: [*lines, '{"step": 6, "eval_loss": null}'],
    "a step that is no number": lambda lines: ['{"step": true}', *lines],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_metrics_are_refused_on_resume_in_one_line_and_nothing_changes(sft, tmp_path, capsys, kind):
    assert sft("out", "--save-steps", 4) == 0
    (tmp_path / "out" / "model.safetensors").unlink()
    path = tmp_path / "out" / "metrics.jsonl"
    lines = DAMAGE[kind](path.read_text().splitlines())
    path.write_bytes("".join(line + "\n" for line in lines).encode(errors="surrogateescape"))
    before = contents(tmp_path)
    capsys.readouterr()
    assert sft("out", "--save-steps", 4, "--resume") == 2
    said = capsys.readouterr().err
    assert said.startswith(f"minisft: error: {path}:") and said.count("\n") == 1 and "--overwrite" in said
    assert contents(tmp_path) == before


def test_theta_of_a_run_that_cannot_go_on_is_not_overwritten_by_resume(sft, tmp_path, capsys):
    assert sft("out", "--learning-rate", 1e300) == 2
    before = contents(tmp_path)
    assert sft("out", "--learning-rate", 1e300, "--resume") == 2
    assert "holds θ of a run that was stopped, but no checkpoint" in capsys.readouterr().err
    assert contents(tmp_path) == before
    assert sft("out", "--overwrite") == 0


def test_a_run_of_another_number_of_ranks_says_that_the_bytes_will_differ(sft, tmp_path, capsys):
    assert sft("out", "--save-steps", 4) == 0
    path = tmp_path / "out" / RECORD
    assert json.loads(path.read_text())["ranks"] == 1
    path.write_text(json.dumps(json.loads(path.read_text()) | {"ranks": 2}))
    (tmp_path / "out" / "model.safetensors").unlink()
    capsys.readouterr()
    assert sft("out", "--save-steps", 4, "--resume") == 0
    assert "ranks so far: 2, from here on: 1; θ̃ will be the same to rounding" in capsys.readouterr().err
    assert json.loads(path.read_text())["ranks"] == 1
