"""Flags with values that make no sense: refused in one line that names the flag, before anything is written."""

import shutil

import pytest
from support.commandline import (
    EVALUATE,
    GENERATE,
    INSPECT,
    PRETRAIN,
    SFT,
    assert_refused,
    contents,
    conversation,
    write_rows,
)


@pytest.fixture
def mistake(shared, tmp_path, monkeypatch, capsys):
    """Run a command line where the good files are: it must be refused with these words, and change nothing."""
    shutil.copytree(shared, tmp_path, dirs_exist_ok=True)
    write_rows(tmp_path / "long.jsonl", [conversation("Hi", "Yes."), conversation("Hi", "x " * 200)])
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(line, *words):
        assert_refused(capsys, line, *words)
        assert contents(tmp_path) == before

    return run


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "x", "", "nan", "99999999999999999999"])
def test_counts_are_positive_whole_numbers(mistake, value):
    for name in ("batch-size", "gradient-accumulation-steps", "max-steps", "save-steps", "early-stopping-patience"):
        mistake([*SFT.split(), f"--{name}", value], f"--{name}: ", repr(value))
    for name in ("hidden-size", "num-hidden-layers", "num-attention-heads", "intermediate-size"):
        mistake([*PRETRAIN.split(), f"--{name}", value], f"--{name}: ", repr(value))
    mistake([*GENERATE.split(), "--max-new-tokens", value], "--max-new-tokens: ", repr(value))


@pytest.mark.parametrize(
    "flags",
    """--learning-rate nan, --learning-rate 0, --learning-rate -1, --learning-rate inf, --prompt-loss-weight -1
    --prompt-loss-weight nan, --prompt-loss-weight 1001, --weight-decay -0.1, --max-grad-norm -1, --max-grad-norm inf
    --adam-beta1 1
    --adam-beta2 -0.1, --adam-epsilon 0, --warmup-steps -1, --warmup-ratio 1, --seed -1
    --num-train-epochs 0, --num-train-epochs nan, --on-bad-row drop, --seed x, --max-length 1
    --max-length 129, --max-length -5, --loss-reduction mean, --assistant-turns first, --on-too-long truncate
    --dtype float16, --optim adam, --lr-scheduler-type step""".replace("\n", ",").split(","),
)
def test_settings_out_of_range_are_refused_by_the_name_of_the_flag(mistake, flags):
    mistake(f"{SFT} {flags}", flags.split()[0] + ": ", flags.split()[1])


@pytest.mark.parametrize(
    "line",
    [
        "generate --temperature -1",
        "generate --temperature nan",
        "generate --top-p 0",
        "generate --top-p 1.1",
        "generate --top-k -1",
        "generate --seed -1",
        "chat --max-new-tokens 0",
        "inspect --example 99",
        "inspect --example -1",
        "inspect --max-length 1",
        "inspect --max-length 129",
        "evaluate --prompt-loss-weight inf",
        "evaluate --prompt-loss-weight 1001",
        "evaluate --max-length 129",
        "evaluate --max-new-tokens 0",
        "gradcheck --seed -1",
        "demo --seed -1",
        "pretrain --vocab-size 258",
        "pretrain --vocab-size 9999999999",
        "pretrain --hidden-size 9999999",
        "pretrain --max-position-embeddings 1",
        "pretrain --max-length 300",
    ],
)
def test_other_flags_out_of_range_are_refused_by_their_name(mistake, line):
    name, flag, value = line.split()
    start = {"generate": GENERATE, "chat": "chat --model theta_hat", "inspect": INSPECT, "evaluate": EVALUATE}
    start |= {"gradcheck": "gradcheck", "demo": "demo", "pretrain": f"{PRETRAIN} --data texts.jsonl"}
    mistake(f"{start[name]} {flag} {value}", f"{flag}: ", value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--num-attention-heads 3", ("--hidden-size", "--num-attention-heads 3")),
        ("--num-attention-heads 3 --hidden-size 30", ("--num-attention-heads", "--num-key-value-heads 2")),
        ("--hidden-size 12", ("head_dim",)),
        ("--vocab-size 300 --tokenizer theta_hat", ("--vocab-size", "--tokenizer")),
    ],
)
def test_sizes_that_do_not_fit_together_are_named(mistake, flags, words):
    mistake(f"{PRETRAIN} --data texts.jsonl {flags}", *words)


def test_a_model_beyond_the_memory_of_the_machine_is_refused_in_words(mistake):
    sizes = "--hidden-size 1000000 --num-attention-heads 4 --intermediate-size 1000000 --num-hidden-layers 99"
    mistake(f"{PRETRAIN} --data texts.jsonl {sizes}", "not enough memory")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "COMMAND"),
        ("train", "train"),
        ("sft", "--model, --data, --output-dir"),
        (f"{SFT} --epochs 3", "--epochs 3"),
        (f"{SFT} --batch 3", "--batch 3"),  # no guessing what an abbreviation means
        (f"{SFT} --batch-size", "--batch-size: expected one argument"),
        (f"{SFT} --resume --overwrite", "--overwrite: not allowed with argument --resume"),
        (f"{SFT} --eval-steps 2", "--eval-steps: "),
        ("generate --model theta_hat", "--prompt --data"),
        (f"{GENERATE} --data train.jsonl --output x", "--data: not allowed with argument --prompt"),
        ("generate --model theta_hat --data train.jsonl", "--output: is missing"),
        (f"{GENERATE} --output x", "--output: "),
        ("generate --model theta_hat --data train.jsonl --output x --raw", "--raw: "),
        ("generate --model theta_hat --raw --prompt ''", "--prompt: the prompt has 0 tokens"),
        (f"generate --model theta_hat --prompt '{'x ' * 200}'", "--prompt: the prompt has"),
        ("gradcheck --model theta_hat", "--data"),
        ("gradcheck --data train.jsonl", "--data"),
        (
            "inspect --model theta_hat --data long.jsonl --on-too-long drop --example 1",
            "--example: long.jsonl:2 was dropped",
        ),
    ],
)
def test_commands_that_make_no_sense_are_refused_in_one_line(mistake, line, words):
    mistake(line, words)


def test_half_a_character_on_the_command_line_is_refused(mistake):
    mistake(["generate", "--model", "theta_hat", "--prompt", "caf\udce9"], "surrogate")
    mistake(["chat", "--model", "theta_hat", "--system", "caf\udce9"], "surrogate")
