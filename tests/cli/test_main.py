"""The command line: what each command prints for people and for programs, and what it writes."""

import io
import json
import shlex
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from support.commandline import (
    TEXTS,
    command,
    conversation,
    minisft,
    read_rows,
    subprocess_of,
    write_rows,
)

from minisft import checkpoint, data
from minisft.cli.commands import demo
from minisft.cli.console import print_json
from minisft.cli.main import COMMANDS, name_of, parser
from minisft.config import TrainConfig
from minisft.errors import MinisftError
from minisft.formats import rows
from minisft.runs import allocator

# --- the way in -------------------------------------------------------------------------------------------------------


def test_python_m_minisft_is_the_command(shared):
    done = subprocess_of("--version")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("minisft ")


@pytest.mark.parametrize("name", [name_of(command) for command in COMMANDS])
def test_every_command_has_a_help_with_an_example_that_parses(name, capsys):
    assert minisft(name, "--help") == 0
    text = capsys.readouterr().out
    examples = [line for line in text.splitlines() if line.startswith(f"  minisft {name}")]
    assert examples and text.isascii()
    for example in examples:
        parser().parse_args(shlex.split(example)[1:])


@pytest.mark.parametrize("name", ["sft", "pretrain"])
def test_defaults_are_those_of_the_library(name, shared):
    needed = ["--data", "x", "--output-dir", "y"] + (["--model", "z"] if name == "sft" else [])
    arguments = vars(parser().parse_args([name, *needed]))
    for field, value in vars(TrainConfig()).items():
        if field in arguments and arguments[field] is not None:
            assert arguments[field] == value, field
    follow = {"learning_rate", "max_steps"} | ({"lora_alpha"} if name == "sft" else set())  # from what else is given
    assert {field for field in vars(TrainConfig()) if arguments.get(field, 0) is None} == follow


def test_every_setting_of_a_run_is_a_flag_of_sft():
    line = ["sft", "--data", "x", "--output-dir", "y", "--model", "z"]
    assert set(vars(TrainConfig())) <= set(vars(parser().parse_args(line)))


def test_a_flag_given_twice_counts_the_last_time():
    line = "sft --model z --output-dir y --data a b --seed 1 --data c --seed 2"
    arguments = parser().parse_args(shlex.split(line))
    assert (arguments.data, arguments.seed) == (["c"], 2)


def test_demo_tells_the_story_and_json_of_it_is_its_table(tmp_path, monkeypatch, capsys, json_of):
    def demonstrate(output_dir, seed, console):
        console.print(f"{seed}: {output_dir.name}")
        return {"rows": []}

    monkeypatch.setattr(demo, "demonstrate", demonstrate)
    assert minisft("demo", "--output-dir", tmp_path / "out", "--seed", 3) == 0
    assert capsys.readouterr() == ("3: out\n", "")
    assert json_of("demo", "--output-dir", tmp_path / "out") == {"rows": []}


def test_ctrl_c_outside_a_run_ends_quietly_with_130(base, pairs, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(rows, "collect", interrupt)
    assert minisft("evaluate", *base, *pairs) == 130
    assert capsys.readouterr().err == "minisft: interrupted\n"


@pytest.mark.parametrize(("line", "status"), [("inspect", 128 + signal.SIGPIPE), ("--help", 0)])
def test_a_reader_that_leaves_early_is_no_error_worth_words(base, pairs, line, status):
    flags = [*base, *pairs] if line == "inspect" else []
    process = subprocess.Popen(**command(line, *flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == status and err == ""


def test_a_reader_of_progress_that_leaves_early_does_not_stop_the_run(base, pairs, tmp_path):
    line = ["sft", *base, *pairs, "--output-dir", tmp_path / "out", "--max-steps", 3, "--json"]
    process = subprocess.Popen(**command(*line), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stderr.close()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and json.loads(out)["steps"] == 3


def test_the_allocator_is_told_to_keep_freed_arrays(base, pairs, monkeypatch):
    told = []
    monkeypatch.setattr(allocator, "keep_freed_arrays", lambda: told.append(True))
    assert minisft("inspect", *base, *pairs) == 0
    assert told == [True]


def test_what_is_not_finite_is_no_json():
    with pytest.raises(MinisftError, match="not finite"):
        print_json({"loss": float("nan")})


def test_a_terminal_that_cannot_show_a_character_shows_a_question_mark(base, pairs):
    more = command("inspect", *base, *pairs, "--example", 1)
    more["env"]["PYTHONIOENCODING"] = "ascii"
    done = subprocess.run(**more, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.isascii() and "?" in done.stdout


# --- sft and pretrain -------------------------------------------------------------------------------------------------


def test_sft_says_what_it_does_on_standard_error_and_what_came_out_on_standard_output(base, pairs, tmp_path, capsys):
    line = ["sft", *base, *pairs, "--output-dir", tmp_path / "out", "--logging-steps", 1, "--learning-rate", 0.02]
    assert minisft(*line, "--batch-size", 4, "--num-train-epochs", 1, "--loss-reduction", "sum") == 0
    out, err = capsys.readouterr()
    assert "9 examples, 3 steps; learning rate 0.02 (linear)" in err
    assert "step 3/3  loss (sum)" in err and "loss (sum)" in out
    logged = [text for text in err.splitlines() if "grad_norm" in text]
    assert [text.split()[1] for text in logged] == ["1", "2", "3"]


def test_a_loss_is_never_printed_without_its_reduction(base, pairs, tmp_path, capsys):
    line = ["--loss-reduction", "sequence_mean", "--prompt-loss-weight", 1, "--logging-steps", 1, "--max-steps", 2]
    assert minisft("sft", *base, *pairs, "--output-dir", tmp_path / "out", *line, "--eval-data", pairs[1]) == 0
    assert minisft("evaluate", *base, *pairs, "--max-new-tokens", 1) == 0
    assert minisft("inspect", *base, *pairs) == 0
    words = " ".join(capsys.readouterr()).replace("│", " ").split()
    for word, following in pairwise(words):
        if word in ("loss", "objective", "eval_loss"):
            assert following in ("(sequence_mean)", "(token_mean)"), (word, following)


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_standard_stream_is_no_reason_to_fail(base, pairs, tmp_path, monkeypatch, closed):
    monkeypatch.setattr(sys, ("stdin", "stdout", "stderr")[closed], None)
    assert minisft("sft", *base, *pairs, "--output-dir", tmp_path / "out", "--max-steps", 1) == 0
    if closed != 2:
        assert minisft("chat", *base) == 0


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_progress_is_a_bar(base, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    line = ["sft", *base, *pairs, "--output-dir", tmp_path / "out", "--max-steps", 20, "--logging-steps", 20]
    assert minisft(*line) == 0
    shown = sys.stderr.getvalue()
    assert "━" in shown and "20/20" in shown and "loss (token_mean)" in shown and "grad_norm" in shown
    assert "step 2/20  loss" not in shown  # nor the lines that there are elsewhere


def test_elsewhere_progress_is_a_line_for_each_tenth(base, pairs, tmp_path, capsys):
    assert minisft("sft", *base, *pairs, "--output-dir", tmp_path / "out", "--max-steps", 25) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    assert len(lines) == 10 and lines[-1].startswith("step 25/25  loss (token_mean) ")


def test_json_of_sft_sums_up_the_run(json_of, base, pairs, tmp_path):
    line = [*base, *pairs, "--output-dir", tmp_path / "out", "--max-steps", 2, "--logging-steps", 1]
    result = json_of("sft", *line, "--eval-data", pairs[1])
    last_step, evaluation = read_rows(tmp_path / "out" / "metrics.jsonl")[-2:]
    assert result["steps"] == 2 and result["loss"] == last_step["loss"] and result["loss_reduction"] == "token_mean"
    assert (
        result["examples"] == {"read": 9, "cut": 0, "dropped": 0, "skipped": 0} and result["steps_without_target"] == 0
    )
    assert result["eval_log_prob"] == evaluation["eval_log_prob"]
    assert json_of("evaluate", "--model", tmp_path / "out", *pairs)["log_prob"] == evaluation["eval_log_prob"]


def test_examples_that_are_cut_or_dropped_are_counted_and_reported(json_of, base, tmp_path, capsys):
    rows = [conversation("Hi", "x " * 99), conversation("Hi", "Yes.")]
    line = [*base, "--data", write_rows(tmp_path / "long.jsonl", rows), "--max-steps", 1, "--overwrite"]
    line += ["--output-dir", tmp_path / "out"]
    assert json_of("sft", *line)["examples"] == {"read": 2, "cut": 1, "dropped": 0, "skipped": 0}
    assert json_of("sft", *line, "--on-too-long", "drop")["examples"] == {
        "read": 2,
        "cut": 0,
        "dropped": 1,
        "skipped": 0,
    }
    assert minisft("sft", *line, "--on-too-long", "drop") == 0
    assert "1 of 2 examples were longer than --max-length and dropped" in capsys.readouterr().err


def test_steps_without_a_target_are_counted_and_warned_about(json_of, base, pairs, tmp_path, capsys, monkeypatch):
    encode = data.encode
    monkeypatch.setattr(data, "encode", lambda *a: (s := encode(*a))._replace(is_y=s.is_y & s.where.endswith(":1")))
    line = [*base, *pairs, "--output-dir", tmp_path / "out", "--batch-size", 3, "--num-train-epochs", 1]
    assert json_of("sft", *line)["steps_without_target"] == 2
    assert minisft("sft", *line, "--overwrite") == 0
    assert "warning: 2 steps had no targets" in capsys.readouterr().err


def test_a_shipped_model_goes_by_its_name(json_of, shared, pairs, monkeypatch):
    from minisft.formats import resources

    monkeypatch.setattr(resources, "path", lambda name="": shared / name)
    by_name = json_of("evaluate", "--model", "theta_hat", *pairs)
    assert by_name == json_of("evaluate", "--model", shared / "theta_hat", *pairs)


def test_pretrain_makes_a_model_of_the_sizes_asked_for(json_of, tmp_path):
    text = tmp_path / "book.txt"
    text.write_text("So we beat on, boats against the current. " * 9)
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    flags = [word for name, size in sizes.items() for word in (f"--{name.replace('_', '-')}", size)]
    line = ["--data", text, "--output-dir", tmp_path / "out", *flags, "--vocab-size", 270, "--max-steps", 1]
    assert json_of("pretrain", *line, "--max-position-embeddings", 32)["steps"] == 1
    _, config, tokenizer = checkpoint.load(tmp_path / "out")
    assert {name: getattr(config, name) for name in sizes} == sizes
    assert (config.intermediate_size, config.max_position_embeddings, config.vocab_size) == (64, 32, 270)
    record = json.loads((tmp_path / "out" / "train_config.json").read_text())
    assert record["intermediate_size"] == 64  # a default is written down as the number it became
    assert tokenizer.vocab_size == 270


def test_pretrain_learns_every_token_of_a_text_file_though_it_is_longer_than_the_context(json_of, tmp_path):
    text = tmp_path / "book.txt"
    text.write_text("So we beat on, boats against the current. " * 9)
    line = ["--data", text, "--output-dir", tmp_path / "out", "--hidden-size", 8, "--vocab-size", 270]
    json_of("pretrain", *line, "--max-length", 10, "--num-train-epochs", 1)
    _, _, tokenizer = checkpoint.load(tmp_path / "out")
    targets = sum(row["num_target_tokens"] for row in read_rows(tmp_path / "out" / "metrics.jsonl"))
    assert targets == len(tokenizer.encode(text.read_text())) + 1 - 1  # the end token more, the first token less


def test_pretrain_can_take_the_tokenizer_of_another_model(json_of, shared, tmp_path):
    line = ["--data", shared / "texts.jsonl", "--output-dir", tmp_path / "out", "--hidden-size", 8, "--max-steps", 1]
    json_of("pretrain", *line, "--tokenizer", shared / "theta_hat")
    one, other = (place / "tokenizer.json" for place in (shared / "theta_hat", tmp_path / "out"))
    assert one.read_bytes() == other.read_bytes()


def test_pretrain_evaluates_text_without_asking_it_anything(json_of, shared, tmp_path):
    line = ["--data", shared / "texts.jsonl", "--output-dir", tmp_path / "out", "--hidden-size", 8, "--max-steps", 1]
    result = json_of("pretrain", *line, "--eval-data", shared / "texts.jsonl")
    assert result["eval_num_examples"] == len(TEXTS) and result["eval_exact_match"] is None
