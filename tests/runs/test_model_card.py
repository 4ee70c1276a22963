"""README.md of a run: what the model is, in a form that people and programs read; another's is never touched."""

import hashlib
import json
import os
import time
from dataclasses import replace

import numpy as np
import pytest
from support.commandline import contents, minisft, read_rows, sft_line, write_rows

from minisft import checkpoint, model
from minisft.runs import directory, loop, model_card


def card_of(directory):
    return (directory / "README.md").read_text(encoding="utf-8")


def test_the_card_says_what_the_model_is_made_of(sft, shared, tmp_path):
    flags = ["--eval-data", shared / "train.jsonl", "--eval-steps", 3, "--train-only", "*.mlp.*", "model.norm.weight"]
    assert sft("out", *flags, "--loss-reduction", "sum") == 0
    text = card_of(tmp_path / "out")
    for line in (
        "library_name: minisft",
        'base_model: "theta_hat"',
        "| base model | `theta_hat` |",
        "| licence of the base model | not stated |",
        "| data | `train.jsonl` |",
        "| examples read, cut, dropped, skipped | 9, 0, 0, 0 |",
        "| steps | 6 |",
        "| held-out data | `train.jsonl` |",
        "| `--batch-size` | 2 |",
        "| `--learning-rate` | 0.001 |",
        "| `--train-only` | `*.mlp.*` `model.norm.weight` |",
        'model = AutoModelForCausalLM.from_pretrained("out")',
    ):
        assert line in text.splitlines(), line
    rows = read_rows(tmp_path / "out" / "metrics.jsonl")
    losses = [row["loss"] for row in rows if "loss" in row]
    assert f"| 1 to 2 | {(losses[0] + losses[1]) / 2:.4f} |" in text  # 6 steps in 5 parts: the first has two
    assert f"| 6 to 6 | {losses[-1]:.4f} |" in text
    last = rows[-1]
    assert f"| 6 | {last['eval_loss']:.4f} | {last['eval_exact_match']:.1%} | {last['eval_stop_rate']:.1%} |" in text


def test_of_the_usual_settings_the_card_says_only_what_a_reader_looks_for(sft, tmp_path):
    """Each setting says for itself, in TrainConfig, whether it is always shown, if it is changed, or never."""
    assert sft("usual") == 0
    changes = ["--no-shuffle", "--warmup-steps", 2, "--adam-beta2", 0.99, "--weight-decay", 0.1]
    assert sft("changed", *changes, "--gradient-accumulation-steps", 3) == 0
    rows = [
        {line for line in card_of(tmp_path / name).splitlines() if line.startswith("| `--")}
        for name in ("usual", "changed")
    ]
    names = "learning-rate batch-size optim max-grad-norm lr-scheduler-type prompt-loss-weight loss-reduction seed"
    assert {row.split("`")[1] for row in rows[0]} == {f"--{name}" for name in f"{names} max-length dtype".split()}
    assert rows[1] - rows[0] == {
        "| `--no-shuffle` | given |",
        "| `--warmup-steps` | 2 |",
        "| `--adam-beta2` | 0.99 |",
        "| `--weight-decay` | 0.1 |",
        "| `--gradient-accumulation-steps` | 3 |",
    }


def test_no_folder_of_the_machine_is_in_the_card(sft, shared, tmp_path):
    assert sft("out") == 0
    assert str(shared) not in card_of(tmp_path / "out") and str(tmp_path) not in card_of(tmp_path / "out")


def test_a_model_from_random_weights_has_no_base(shared):
    text = card_of(shared / "theta_hat")
    assert "| base model | none |" in text and "base_model" not in text and "license" not in text


def test_the_licence_is_that_which_the_card_of_the_base_states_and_is_handed_on(shared, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    for file in (shared / "theta_hat").iterdir():
        (base / file.name).write_bytes(file.read_bytes())
    (base / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n\nlicense: mit\n")
    line = ["--data", shared / "train.jsonl", "--max-steps", 1]
    assert minisft("sft", "--model", base, *line, "--output-dir", tmp_path / "one") == 0
    assert minisft("sft", "--model", tmp_path / "one", *line, "--output-dir", tmp_path / "two") == 0
    for name in ("one", "two"):
        assert "| licence of the base model | apache-2.0 |" in card_of(tmp_path / name)
        assert model_card.licence(tmp_path / name) == "apache-2.0"


@pytest.mark.parametrize(
    "readme",
    [
        "license: mit\n",
        "---\nlicense: [a,\n---\n",
        "---\nlicense:\n---\n",
        f"---\nlicense: {'x' * 99}\n---\n",
        "---\nlicense: mit\n",
    ],
)
def test_a_licence_that_is_not_plainly_stated_is_not_stated(tmp_path, readme):
    (tmp_path / "README.md").write_text(readme)
    assert model_card.licence(tmp_path) == "not stated"


def test_the_licence_of_a_gguf_file_is_its_own_field(tmp_path):
    def text(value):
        return len(value).to_bytes(8, "little") + value

    header = b"GGUF" + (3).to_bytes(4, "little") + (0).to_bytes(8, "little") + (1).to_bytes(8, "little")
    path = tmp_path / "model.gguf"
    path.write_bytes(header + text(b"general.license") + (8).to_bytes(4, "little") + text(b"apache-2.0"))
    assert model_card.licence(path) == "apache-2.0"


@pytest.mark.parametrize("readme", ["mine\n", "---\nlibrary_name: transformers\n---\n", "library_name: minisft\n"])
def test_a_readme_of_another_hand_is_neither_overwritten_nor_removed(sft, tmp_path, readme):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").write_text(readme)
    assert sft("out", "--save-steps", 3) == 0
    assert sft("out", "--overwrite") == 0
    assert sft("out", "--resume") == 0
    assert card_of(tmp_path / "out") == readme


def test_a_card_of_ours_is_replaced_by_that_of_the_next_run_and_removed_with_the_old_one(sft, tmp_path, monkeypatch):
    assert sft("out") == 0 and "| steps | 6 |" in card_of(tmp_path / "out")
    assert sft("out", "--overwrite", "--max-steps", 2) == 0
    assert "| steps | 2 |" in card_of(tmp_path / "out")
    directory.remove(tmp_path / "out")
    assert contents(tmp_path / "out") == {}


EDITS = {
    "a note at the end": lambda text: text + "\nTried it: good at capitals.\n",
    "a note at the beginning": lambda text: text.replace("---\n", "---\nlanguage: en\n", 1),
    "a word": lambda text: text.replace("Made by", "Kindly made by"),
    "line breaks of Windows": lambda text: text.replace("\n", "\r\n"),
    "a blank at the end": lambda text: text + " ",
    "a line less": lambda text: text[: text.rindex("\nor ")],
    "no checksum, as in version 0.1.0": lambda text: text[: text.rindex("<!--")],
    "the checksum of another text": lambda text: text.replace("SHA-256 of all above this line: ", "SHA-256: "),
    "all": lambda text: "mine",
    "nothing left": lambda text: "",
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_card_that_was_edited_stays_whatever_is_run_there_and_one_line_says_so(sft, tmp_path, capsys, edit):
    assert sft("out", "--save-steps", 3) == 0
    path = tmp_path / "out" / "README.md"
    edited = EDITS[edit](card_of(tmp_path / "out")).encode()
    path.write_bytes(edited)
    for flags in (["--resume"], ["--overwrite"], ["--overwrite", "--max-steps", 2]):
        capsys.readouterr()
        assert sft("out", "--save-steps", 3, *flags) == 0
        assert path.read_bytes() == edited and capsys.readouterr().err.count("README.md") == 1
    directory.remove(tmp_path / "out")
    assert list(contents(tmp_path / "out").values()) == [edited]


def test_a_card_as_it_was_written_is_replaced_without_a_word(sft, tmp_path, capsys):
    assert sft("out") == 0 and sft("out", "--overwrite", "--max-steps", 2) == 0
    assert "README.md" not in capsys.readouterr().err


def test_a_card_that_is_edited_during_the_run_stays_too(sft, tmp_path, capsys, monkeypatch):
    write = loop.write_row

    def interrupted(run, row, report):
        write(run, row, report)
        (tmp_path / "out" / "README.md").write_text("mine")
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "write_row", interrupted)
    assert sft("out") == 130
    assert card_of(tmp_path / "out") == "mine" and "README.md" in capsys.readouterr().err


def test_the_checksum_of_a_card_is_a_last_line_that_no_reader_sees(sft, tmp_path):
    assert sft("out") == 0
    text, last = card_of(tmp_path / "out")[:-1].rsplit("\n", 1)
    assert last == f"<!-- {last[5:-4]} -->" and hashlib.sha256(f"{text}\n".encode()).hexdigest() in last


@pytest.mark.parametrize(
    "readme", ["---" + "\n" * 10**6, "---\n" + "a\n---x\n" * 10**5, "---\n" + " " * 10**6, "<!--" * 10**6]
)
def test_a_long_readme_is_read_in_a_moment(tmp_path, readme):
    (tmp_path / "README.md").write_text(readme)
    began = time.process_time()
    assert model_card.licence(tmp_path) == "not stated" and not model_card.is_ours(tmp_path)
    assert time.process_time() - began < 2  # a tenth of a second; quadratic, it would be hours


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_readme_that_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "README.md")
    assert model_card.licence(tmp_path) == "not stated" and model_card.is_theirs(tmp_path)


def test_an_interrupted_run_has_the_card_of_the_steps_it_made(sft, tmp_path, monkeypatch):
    write = loop.write_row

    def interrupted(run, row, report):
        write(run, row, report)
        if row["step"] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "write_row", interrupted)
    assert sft("out") == 130
    assert "| steps | 3 |" in card_of(tmp_path / "out")


def test_names_cannot_break_the_table_or_the_front_matter(shared, tmp_path):
    data = write_rows(tmp_path / "a|b.jsonl", [{"prompt": "Hi", "completion": "Yes."}])
    model = tmp_path / "a: b"
    model.mkdir()
    for file in (shared / "theta_hat").iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    line = ["--model", model, "--data", data, "--output-dir", tmp_path / "out", "--max-steps", 1]
    assert minisft("sft", *line) == 0
    text = card_of(tmp_path / "out")
    assert "<code>a&#124;b.jsonl</code>" in text and f"base_model: {json.dumps('a: b')}" in text


def test_the_line_of_a_run_again_writes_the_same_card(sft, shared, tmp_path):
    assert sft("out") == 0
    before = card_of(tmp_path / "out")
    assert minisft(*sft_line(shared, tmp_path / "out", "--overwrite")) == 0
    assert card_of(tmp_path / "out") == before


def test_a_model_with_biases_is_tagged_as_the_qwen2_that_it_is(shared, tmp_path):
    _, config, tokenizer = checkpoint.load(shared / "theta_hat")
    config = replace(config, qkv_bias=True)
    checkpoint.save(tmp_path / "base", model.init(config, np.random.default_rng(0)), config, tokenizer)
    line = ["--data", shared / "train.jsonl", "--output-dir", tmp_path / "out", "--max-steps", 1]
    assert minisft("sft", "--model", tmp_path / "base", *line) == 0
    assert "tags: [qwen2, minisft]" in card_of(tmp_path / "out").splitlines()
    assert "tags: [llama, minisft]" in card_of(shared / "theta_hat").splitlines()
    theta, trained, _ = checkpoint.load(tmp_path / "out")
    assert trained == config
    assert all(theta.named[name].any() for name in theta.named if name.endswith(".bias"))
