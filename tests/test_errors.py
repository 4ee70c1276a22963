"""Mistakes of users: one line on standard error that says what, where and what to do; exit status 2; nothing changed on disk."""

import json
import shlex
import shutil
import struct
import subprocess

import numpy as np
import pytest
from commandline import command, contents, conversation, make_theta_hat, minisft, subprocess_of, write_pairs, write_rows

from minisft import checkpoint

LINES = {  # name of a data file: (its lines, what the error says of it)
    "broken_json": ([conversation("Hi", "Yes.")] * 6 + ['{"messages": [}'], "broken_json.jsonl:7: not JSON"),
    "no_messages": ([conversation("Hi", "Yes."), {"messages": []}], "no_messages.jsonl:2: no message"),
    "unknown_role": (
        [{"messages": [{"role": "robot", "content": "Hi"}]}],
        "unknown_role.jsonl:1: message 1 has the unknown role",
    ),
    "wrong_order": (
        [conversation("Hi", "A"), {"messages": [{"role": "assistant", "content": "B"}]}],
        "wrong_order.jsonl:2: roles",
    ),
    "ends_with_user": (
        [{"messages": [{"role": "user", "content": "Hi"}]}],
        "ends_with_user.jsonl:1: the conversation ends with user",
    ),
    "content_missing": ([{"messages": [{"role": "user"}]}], "content_missing.jsonl:1: message 1"),
    "content_null": ([{"messages": [{"role": "user", "content": None}]}], "content_null.jsonl:1: message 1"),
    "messages_no_list": ([{"messages": "Hi"}], "messages_no_list.jsonl:1:"),
    "message_no_object": ([{"messages": ["Hi"]}], "message_no_object.jsonl:1: message 1"),
    "no_completion": ([{"prompt": "Hi"}], "no_completion.jsonl:1:"),
    "mixed_forms": ([{"prompt": "Hi", "completion": []}], "mixed_forms.jsonl:1:"),
    "number": ([conversation("Hi", "Yes."), 7], "number.jsonl:2: a JSON object is expected"),
    "unknown_keys": ([{"question": "Hi"}], "unknown_keys.jsonl:1: none of the keys"),
    "text_number": ([{"text": 7}], "text_number.jsonl:1:"),
    "surrogate": (['{"text": "\\ud800"}'], "surrogate.jsonl:1: a lone surrogate"),
    "one_token": ([{"text": ""}], "one_token.jsonl:1: one token only"),
    "prompt_too_long": (
        [conversation("Hi", "Yes."), conversation("x " * 200, "Yes.")],
        "prompt_too_long.jsonl:2: the prompt leaves no room",
    ),
    "blank": (["", "  "], "blank.jsonl: no example in it"),
    "nested": (["[" * 100_000], "nested.jsonl"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A directory of good and bad files, and what it holds: no test may change that."""
    directory = tmp_path_factory.mktemp("world")
    make_theta_hat(directory)
    write_pairs(directory / "train.jsonl")
    write_rows(directory / "long.jsonl", [conversation("Hi", "Yes."), conversation("Hi", "x " * 200)])
    for name, (lines, _) in LINES.items():
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        (directory / f"{name}.jsonl").write_text(text)
    (directory / "latin1.jsonl").write_bytes(b'{"text": "ok"}\n{"text": "caf\xe9"}\n')
    (directory / "latin1.txt").write_bytes(b"ok\ncaf\xe9\n")
    (directory / "binary.jsonl").write_bytes(bytes(range(256)))
    (directory / "empty.jsonl").write_text("")
    (directory / "empty.txt").write_text("\n")
    (directory / "a_directory").mkdir()
    (directory / "a_directory" / "keep").write_text("")
    make_broken_models(directory)
    make_broken_runs(directory)
    return directory, contents(directory)


def make_broken_models(directory):
    """Copies of theta_hat, each with one thing wrong."""

    def broken(name):
        shutil.copytree(directory / "theta_hat", directory / name)
        return directory / name

    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (broken(f"no_{name.split('.')[0]}") / name).unlink()
        path = broken(f"cut_{name.split('.')[0]}") / name
        path.write_bytes(path.read_bytes()[:-30])
    (broken("foreign_weights") / "model.safetensors").write_bytes(b"PK\x03\x04 a pickle in a zip, say")
    (broken("bomb") / "model.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}")
    for field, value in (
        ("hidden_size", 32),
        ("num_hidden_layers", 2),
        ("vocab_size", 10),
        ("model_type", "gpt2"),
        ("hidden_size", "x"),
    ):
        path = broken(f"other_{field}_{value}") / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    theta, config, tokenizer = checkpoint.load(directory / "theta_hat")
    theta.named["model.norm.weight"][3] = np.nan
    checkpoint.save(broken("nan"), theta, config, tokenizer)
    theta.named["model.norm.weight"][:] = 3e38  # finite, but what is computed with it is not
    theta.named["model.embed_tokens.weight"] *= 1e3
    checkpoint.save(broken("huge"), theta, config, tokenizer)
    (broken("template") / "chat_template.jinja").write_text("{{ messages }}")


def make_broken_runs(directory):
    for name in ("a_run", "a_model", "cut_record"):
        shutil.copytree(directory / "theta_hat", directory / name)
    (directory / "a_model" / "train_config.json").unlink()
    (directory / "cut_record" / "train_config.json").write_text('{"command": "sft", ')
    inputs = ["--model", directory / "theta_hat", "--data", directory / "train.jsonl"]
    assert minisft("sft", *inputs, "--output-dir", directory / "bad_metrics", "--max-steps", 1) == 0
    (directory / "bad_metrics" / "metrics.jsonl").write_text("{}\n")


@pytest.fixture
def mistake(world, monkeypatch, capsys):
    """Run a command line in the world: it must end in 2, with one line that holds these words, and change nothing."""
    directory, before = world
    monkeypatch.chdir(directory)

    def run(line, *words):
        capsys.readouterr()
        assert minisft(*(shlex.split(line) if isinstance(line, str) else line)) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("minisft: error: ") and err.endswith("\n") and err.count("\n") == 1, err
        assert "Traceback" not in err and "None" not in err
        for word in words:
            assert word in err, err
        assert contents(directory) == before
        return err

    return run


SFT = "sft --model theta_hat --data train.jsonl --output-dir out"
PRETRAIN = "pretrain --data train.jsonl --output-dir out"
EVALUATE = "evaluate --model theta_hat --data train.jsonl"
GENERATE = "generate --model theta_hat --prompt Hi"
INSPECT = "inspect --model theta_hat --data train.jsonl"


# --- data -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINES)
def test_bad_data_is_named_with_its_line(mistake, name):
    for command in (SFT, EVALUATE, INSPECT, "gradcheck --model theta_hat"):
        mistake(f"{command} --data {name}.jsonl", LINES[name][1])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("latin1.jsonl", "latin1.jsonl:2: not UTF-8"),
        ("binary.jsonl", "binary.jsonl"),
        ("empty.jsonl", "empty.jsonl: no example"),
        ("missing.jsonl", "missing.jsonl: cannot be read"),
        ("a_directory", "a_directory: cannot be read"),
        ("theta_hat/model.safetensors", "theta_hat/model.safetensors"),
        ("train.jsonl missing.jsonl", "missing.jsonl: cannot be read"),
    ],
)
def test_data_that_is_no_data_is_named(mistake, name, words):
    for command in (SFT, EVALUATE, INSPECT, f"{SFT} --eval-data", f"{GENERATE.split(' --prompt')[0]} --output x"):
        mistake(f"{command} --data {name}" if "--eval-data" not in command else f"{command} {name}", words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("train.jsonl", "train.jsonl:1: not plain text"),
        ("latin1.txt", "latin1.txt:2: not UTF-8"),
        ("empty.txt", "empty.txt: no text"),
        ("missing.txt", "missing.txt: cannot be read"),
        ("a_directory", "a_directory: cannot be read"),
        ("one_token.jsonl", "one_token.jsonl:1: one token only"),
        ("texts.jsonl missing.txt", "missing.txt: cannot be read"),
    ],
)
def test_text_that_cannot_be_learned_is_named(mistake, name, words):
    mistake(f"{PRETRAIN} --data {name}", words)
    mistake(f"{PRETRAIN} --data texts.jsonl --eval-data {name}", words)


def test_an_example_that_is_too_long_is_named_if_that_is_an_error(mistake):
    for command in (SFT, EVALUATE, INSPECT):
        mistake(f"{command} --data long.jsonl --on-too-long error", "long.jsonl:2:", "--max-length 128")
        mistake(f"{command} --max-length 2 --on-too-long drop", "longer than --max-length 2 and were dropped")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"text": "Hi"}, "in.jsonl:2: the prompt has 0 tokens"),
        ({"prompt": ""}, "in.jsonl:2: the prompt has 0 tokens"),
        ({"prompt": "x " * 200}, "in.jsonl:2: the prompt has 400 tokens"),
    ],
)
def test_a_prompt_that_cannot_be_answered_is_named(mistake, tmp_path, rows, words):
    path = write_rows(tmp_path / "in.jsonl", [{"prompt": "Hi"}, rows])
    mistake(f"generate --model theta_hat --data {path} --output {tmp_path}/out.jsonl", words)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


# --- models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("missing", "--model: missing is neither a directory nor a shipped model; shipped models:"),
        ("train.jsonl", "--model: train.jsonl is neither"),
        ("a_directory", "a_directory/config.json"),
        ("no_config", "no_config/config.json"),
        ("cut_config", "cut_config/config.json"),
        ("no_model", "no_model/model.safetensors"),
        ("cut_model", "cut_model/model.safetensors"),
        ("foreign_weights", "foreign_weights/model.safetensors"),
        ("bomb", "bomb/model.safetensors"),
        ("no_tokenizer", "no_tokenizer/tokenizer.json"),
        ("cut_tokenizer", "cut_tokenizer/tokenizer.json"),
        ("other_hidden_size_32", "other_hidden_size_32/model.safetensors: tensor"),
        ("other_hidden_size_x", "other_hidden_size_x/config.json: hidden_size"),
        ("other_num_hidden_layers_2", "model.layers.1"),
        ("other_vocab_size_10", "vocab_size"),
        ("other_model_type_gpt2", "model_type"),
        ("nan", "nan/model.safetensors: tensor model.norm.weight has NaN"),
        ("template", "template/chat_template.jinja"),
    ],
)
def test_a_model_that_cannot_be_used_is_named_with_file_and_tensor(mistake, model, words):
    for command in (SFT, EVALUATE, GENERATE, INSPECT, "chat", "gradcheck --data train.jsonl"):
        mistake(f"{command} --model {model}", words)


def test_the_tokenizer_of_pretrain_is_checked_too(mistake):
    mistake(f"{PRETRAIN} --data texts.jsonl --tokenizer missing", "--tokenizer: missing is neither a directory")
    mistake(f"{PRETRAIN} --data texts.jsonl --tokenizer cut_tokenizer", "cut_tokenizer/tokenizer.json")


def test_a_model_whose_numbers_overflow_is_an_error_and_never_a_nan(mistake):
    for command in (EVALUATE, INSPECT, GENERATE, f"{GENERATE} --temperature 1", f"{EVALUATE} --json"):
        mistake(f"{command} --model huge", "not finite")


# --- flags ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "x", "", "nan", "99999999999999999999"])
def test_counts_are_positive_whole_numbers(mistake, value):
    for name in "batch-size gradient-accumulation-steps num-train-epochs max-steps save-steps logging-steps".split():
        mistake([*SFT.split(), f"--{name}", value], f"--{name}: ", repr(value))
    for name in "hidden-size num-hidden-layers num-attention-heads num-key-value-heads intermediate-size".split():
        mistake([*PRETRAIN.split(), f"--{name}", value], f"--{name}: ", repr(value))
    mistake([*GENERATE.split(), "--max-new-tokens", value], "--max-new-tokens: ", repr(value))


@pytest.mark.parametrize(
    "flags",
    """--learning-rate nan, --learning-rate 0, --learning-rate -1, --learning-rate inf, --prompt-loss-weight -1
    --prompt-loss-weight nan, --weight-decay -0.1, --max-grad-norm -1, --max-grad-norm inf, --adam-beta1 1
    --adam-beta2 -0.1, --adam-epsilon 0, --warmup-steps -1, --warmup-steps 0.5, --seed -1, --seed x, --max-length 1
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


# --- output -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output_dir", "words"),
    [
        ("train.jsonl", "--output-dir: train.jsonl is a file"),
        ("train.jsonl/out", "train.jsonl/out/train_config.json: cannot be written"),
        ("/dev/null/out", "/dev/null/out/train_config.json: cannot be written"),
        ("theta_hat", "--output-dir: theta_hat holds the model that is read"),
        ("a_run", "--output-dir: a_run already holds a run"),
        ("", "--output-dir: "),
    ],
)
def test_an_output_directory_that_cannot_be_used_is_named(mistake, output_dir, words):
    mistake([*SFT.split(), "--output-dir", output_dir], words)


@pytest.mark.parametrize(
    ("output_dir", "words"),
    [
        ("a_model", "--resume: a_model/train_config.json is missing"),
        ("cut_record", "cut_record/train_config.json: not valid JSON"),
        ("a_run", '--output-dir: the command is "sft", but was "pretrain" in the run of a_run/train_config.json'),
        ("bad_metrics", "bad_metrics/metrics.jsonl: "),
    ],
)
def test_a_run_that_cannot_go_on_is_refused(mistake, output_dir, words):
    mistake(f"{SFT} --max-steps 1 --resume --output-dir {output_dir}", words)


@pytest.mark.parametrize(
    "flag", [f"{EVALUATE} --per-example", "generate --model theta_hat --data train.jsonl --output"]
)
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("a_directory", "a_directory is a directory"),
        ("train.jsonl/x", "train.jsonl/x: cannot be written"),
        ("/dev/null/x", "/dev/null/x: cannot be written"),
        ("train.jsonl", "train.jsonl is read"),
        ("a_directory/../train.jsonl", "train.jsonl is read"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_before_anything_is_computed(mistake, monkeypatch, flag, path, words):
    monkeypatch.setattr("minisft.cli.generate", pytest.fail)
    monkeypatch.setattr("minisft.cli.evaluate", pytest.fail)
    mistake(f"{flag} {path}", words)


def test_a_full_disk_is_reported_like_any_other_mistake(world):
    """/dev/full takes the place of standard output: every write to it fails."""
    line = command("evaluate", "--model", world[0] / "theta_hat", "--data", world[0] / "train.jsonl", "--json")
    with open("/dev/full", "w") as full:
        done = subprocess.run(**line, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 2 and "No space left on device" in done.stderr and "Traceback" not in done.stderr


def test_a_message_is_one_line_whatever_the_names_of_files_hold(mistake):
    mistake(["evaluate", "--model", "theta_hat", "--data", "a\nb.jsonl"], "a b.jsonl")


def test_in_a_process_of_its_own_a_mistake_is_one_line_and_status_2(world):
    done = subprocess_of("sft", "--model", world[0] / "theta_hat", "--data", "missing", "--output-dir", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "minisft: error: missing: cannot be read (No such file or directory); check --data\n"
