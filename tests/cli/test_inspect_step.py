"""`inspect --run DIR --step N`: one step of a run on the disk, taken apart."""

import pytest
from support.commandline import contents, minisft, read_rows

FLAGS = ["--max-steps", 9, "--batch-size", 2, "--gradient-accumulation-steps", 2, "--save-steps", 4]
FLAGS += ["--prompt-loss-weight", 0.25, "--warmup-steps", 2, "--weight-decay", 0.1]


@pytest.fixture
def run(shared, tmp_path):
    line = ["sft", "--model", shared / "theta_hat", "--data", shared / "train.jsonl", "--output-dir", tmp_path / "run"]
    assert minisft(*line, *FLAGS) == 0
    return tmp_path / "run"


@pytest.mark.parametrize("step", [1, 4, 5, 9])  # from the start, or from a checkpoint just before it or further back
def test_its_numbers_add_up_to_the_row_of_metrics_jsonl(run, step, json_of):
    before = contents(run)
    result = json_of("inspect", "--run", run, "--step", step)
    row = read_rows(run / "metrics.jsonl")[step - 1]
    assert result["metrics"] == row and result["t"] == row["step"] == step
    assert result["sums"]["loss"] == pytest.approx(row["loss"], rel=1e-5)  # float32
    assert result["sums"]["grad_norm"] == pytest.approx(row["grad_norm"], rel=1e-5)
    assert result["sums"]["num_target_tokens"] == row["num_target_tokens"]
    assert result["update"]["learning_rate"] == row["learning_rate"] and result["update"]["step"] == step
    assert contents(run) == before


def test_from_a_checkpoint_it_says_the_same_as_from_the_start(run, json_of):
    from_checkpoint = json_of("inspect", "--run", run, "--step", 7)
    for path in run.glob("checkpoint-*"):
        path.rename(run / f"set-aside-{path.name}")
    assert json_of("inspect", "--run", run, "--step", 7) == from_checkpoint


def test_for_people_it_shows_the_lines_of_the_library_and_the_sums(run, capsys):
    assert minisft("inspect", "--run", run, "--step", 3) == 0
    out = capsys.readouterr().out
    for shown in ("step 3: from θ_2 to θ_3", "minisft/objective.py:", "J = (weights * log_pi", "metrics.jsonl"):
        assert shown in out


@pytest.mark.parametrize(
    "flags, what",
    [
        (["--run", "RUN", "--step", 10], "--step: RUN has no step 10; it made the steps 1 to 9"),
        (["--run", "RUN"], "--step: is missing"),
        (["--step", 1], "--run: is missing"),
        (["--run", "RUN", "--step", 1, "--data", "texts.jsonl"], "--data: is not that of the run"),
        (["--run", "theta_hat", "--step", 1], "is not a run of minisft sft"),
        (["--run", "nowhere", "--step", 1], "train_config.json: cannot be read"),
        (["--model", "theta_hat"], "--data: is missing"),
        ([], "--model: is missing"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(run, shared, flags, what, capsys):
    places = {"RUN": run, "texts.jsonl": shared / "texts.jsonl", "theta_hat": shared / "theta_hat"}
    assert minisft("inspect", *(places.get(flag, flag) for flag in flags)) == 2
    message = capsys.readouterr().err
    assert what.replace("RUN", str(run)) in message and message.count("\n") == 1
