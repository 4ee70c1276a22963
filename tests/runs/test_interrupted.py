"""A run that is interrupted or diverges ends in one line, and the θ of its last good step is saved."""

import signal
import subprocess

import numpy as np
import pytest
from support.commandline import assert_same_run, command, contents, read_rows, sft_line, wait_for

from minisft import checkpoint, optim, train
from minisft.runs import checkpoints, loop


def test_after_ctrl_c_in_a_step_theta_is_that_of_the_step_before(sft, tmp_path, monkeypatch, capsys):
    """Pressed where it does the most harm: in the middle of an update, with half of θ moved."""
    assert sft("whole", "--save-steps", 1) == 0
    step, calls = optim.AdamW.step, []

    def interrupted(optimizer, theta, *arguments):
        calls.append(1)
        if len(calls) == 4:
            theta.flat[: theta.flat.size // 2] += 1
            raise KeyboardInterrupt
        step(optimizer, theta, *arguments)

    monkeypatch.setattr(optim.AdamW, "step", interrupted)
    assert sft("stopped") == 130
    assert "after step 3" in (said := capsys.readouterr().err) and "nothing to --resume from" in said
    saved, expected = (tmp_path / place / "model.safetensors" for place in ("stopped", "whole/checkpoint-3"))
    assert saved.read_bytes() == expected.read_bytes()
    assert len(read_rows(tmp_path / "stopped" / "metrics.jsonl")) == 3
    before = contents(tmp_path)
    monkeypatch.setattr(optim.AdamW, "step", step)
    assert sft("stopped", "--resume") == 2  # the moments are half those of the next step
    assert "no checkpoint to go on from" in capsys.readouterr().err and contents(tmp_path) == before


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_waits_for_the_row_of_the_step_unless_pressed_twice(presses, sft, tmp_path, monkeypatch, capsys):
    """θ, the message and metrics.jsonl say the same, whenever the key is pressed."""
    step, calls = train.step, []

    def pressed(theta, *arguments):
        calls.append(1)
        for _ in range(presses if len(calls) == 4 else 0):
            signal.raise_signal(signal.SIGINT)
        return step(theta, *arguments)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(train, "step", pressed)
        assert sft("stopped") == 130
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    made = 4 if presses == 1 else 3
    assert f"after step {made}" in capsys.readouterr().err
    assert len(read_rows(tmp_path / "stopped" / "metrics.jsonl")) == made
    assert (tmp_path / "stopped" / "checkpoint-4").exists() == (presses == 1)


FLAGS = {
    "plain": [],
    "every few steps": ["--save-steps", 4, "--eval-steps", 2],
    "at the step": ["--save-steps", 3, "--eval-steps", 3],
    "in float64": ["--dtype", "float64", "--warmup-steps", 2],
    "SGD": ["--optim", "sgd", "--lr-scheduler-type", "cosine"],
    "frozen": ["--train-only", "*norm*"],
    "LoRA": ["--lora-r", 2],
}


@pytest.mark.parametrize("where", ["in the step", "in the evaluation", "while saving"])
@pytest.mark.parametrize("kind", FLAGS)
def test_a_run_goes_on_bit_for_bit_after_ctrl_c(kind, where, sft, shared, tmp_path, monkeypatch, capsys):
    """Pressed again and again, in every step: the same line ends in the run that nobody interrupted."""
    flags = [*FLAGS[kind], "--eval-data", shared / "train.jsonl"]
    assert sft("whole", *flags) == 0
    module, name = {"in the step": (train, "step"), "in the evaluation": (loop, "evaluate")}.get(
        where, (loop, "save_model")
    )
    original, seen = getattr(module, name), set()

    def pressed(*arguments):
        if where == "in the step":
            signal.raise_signal(signal.SIGINT)
        elif (step := arguments[1].step) not in seen:  # the second time, it comes to its end
            seen.add(step)
            raise KeyboardInterrupt
        return original(*arguments)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, pressed)
            for _ in range(10):
                status = sft("parts", *flags, "--resume")
                if status == 0 or "is finished" in capsys.readouterr().err:
                    break
                assert status == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert sft("parts", *flags, "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_ctrl_c_before_the_first_step_leaves_a_run_that_can_be_repeated(sft, tmp_path, monkeypatch, capsys):
    assert sft("whole") == 0
    with monkeypatch.context() as patch:
        patch.setattr(train, "step", interrupt)
        assert sft("parts") == 130
    assert "no step was made yet, so nothing is saved" in capsys.readouterr().err
    assert sft("parts", "--resume") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def interrupt(*arguments):
    raise KeyboardInterrupt


def test_ctrl_c_on_a_disk_with_room_for_theta_alone_saves_theta(sft, tmp_path, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    def pressed(theta, *arguments, step=train.step):
        signal.raise_signal(signal.SIGINT)
        return step(theta, *arguments)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(checkpoints.os, "rename", full)
        monkeypatch.setattr(train, "step", pressed)
        assert sft("out") == 2
    finally:
        signal.signal(signal.SIGINT, before)
    assert "checkpoint-1: cannot be written" in capsys.readouterr().err
    assert checkpoint.load(tmp_path / "out") and not list((tmp_path / "out").glob(".*"))


def test_ctrl_c_saves_theta_in_a_process_of_its_own(shared, tmp_path):
    line = sft_line(shared, tmp_path / "out", "--max-steps", 100000, "--lr-scheduler-type", "constant")
    process = subprocess.Popen(
        **command(*line),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background inherit "ignore"
    )
    metrics = tmp_path / "out" / "metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.stat().st_size > 2000, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    steps = len(read_rows(metrics))
    assert out == "" and err.splitlines()[-1].startswith("minisft: interrupted")
    assert "Traceback" not in err and checkpoint.load(tmp_path / "out")
    assert f"after step {steps} is saved in {tmp_path / 'out'}" in err


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_theta(
    sft, shared, tmp_path, monkeypatch, capsys
):
    assert sft("whole", "--save-steps", 1) == 0
    step, calls = train.step, []

    def diverging(theta, *arguments):
        calls.append(1)
        if len(calls) == 4:
            theta.flat[:] = np.nan  # the fourth loss, at θ_3, is not finite; so θ_2 is the last good one
        return step(theta, *arguments)

    monkeypatch.setattr(train, "step", diverging)
    assert sft("stopped") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("minisft: error: step 4: the loss is nan") and "train.jsonl:" in error
    assert error.endswith(f"the last good parameters are saved in {tmp_path / 'stopped'}")
    saved, expected = (tmp_path / place / "model.safetensors" for place in ("stopped", "whole/checkpoint-2"))
    assert saved.read_bytes() == expected.read_bytes()


def test_an_update_that_makes_theta_infinite_is_noticed_even_in_the_last_step(sft, tmp_path, capsys):
    assert sft("out", "--learning-rate", 1e300, "--max-steps", 1) == 2
    assert "not finite" in capsys.readouterr().err
    theta, _, _ = checkpoint.load(tmp_path / "out")
    assert np.isfinite(theta.flat).all()
