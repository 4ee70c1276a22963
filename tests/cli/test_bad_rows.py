"""What the command line says of rows: all bad ones at once, keys that nobody reads, special tokens in letters."""

import json

import pytest
from support.commandline import assert_refused, conversation, minisft, read_rows, write_rows

GOOD = conversation("Hi", "Yes.")


@pytest.fixture
def sft_on(base, tmp_path, capsys):
    """Run sft on these rows; returns (status, standard error)."""

    def run(rows, *flags):
        path = write_rows(tmp_path / "data.jsonl", rows)
        status = minisft("sft", *base, "--data", path, "--output-dir", tmp_path / "out", "--max-steps", 1, *flags)
        return status, capsys.readouterr().err

    return run


def test_three_bad_rows_of_twenty_are_all_named(base, tmp_path, capsys):
    rows = [GOOD] * 17
    rows[3:3] = [{"messages": [{"role": "robot", "content": "Hi"}]}]
    rows[9:9] = [{"prompt": "Hi"}]
    path = write_rows(tmp_path / "data.jsonl", [*rows, {"a": 1}])
    for command in ("sft --output-dir out", "evaluate", "inspect", "gradcheck", "generate --output out"):
        name, *more = command.split()
        words = [f"{path}:{line}: " for line in ((4, 20) if name == "generate" else (4, 10, 20))]
        assert_refused(capsys, [name, *base, "--data", path, *more], "of 20 rows", "--on-bad-row skip", *words)


def test_on_bad_row_skip_leaves_them_out_counts_them_and_says_so(sft_on, tmp_path):
    status, err = sft_on([GOOD, 7, GOOD, {"text": "\ud800"}], "--on-bad-row", "skip")
    assert status == 0
    assert f"warning: 2 of 4 rows cannot be used and are skipped, such as {tmp_path / 'data.jsonl'}:2: " in err
    record = json.loads((tmp_path / "out" / "train_config.json").read_text())
    assert record["examples"] == {"read": 2, "cut": 0, "dropped": 0, "skipped": 2}
    assert record["on_bad_row"] == "skip"
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| examples read, cut, dropped, skipped | 2, 0, 0, 2 |" in card and "| `--on-bad-row` | skip |" in card


def test_rows_that_the_template_refuses_are_bad_rows_too(sft_on):
    thinking = conversation("Hi", "Yes.")
    thinking["messages"][1]["reasoning_content"] = "Hm."
    status, err = sft_on([GOOD, thinking, thinking])
    assert status == 2 and "2 of 3 rows" in err and "data.jsonl:2: " in err and "reasoning_content" in err
    status, err = sft_on([GOOD, thinking], "--on-bad-row", "skip")
    assert status == 0 and "1 of 2 rows" in err


def test_if_all_rows_are_bad_there_is_nothing_to_skip_to(sft_on):
    status, err = sft_on([7, 8], "--on-bad-row", "skip")
    assert status == 2 and err.endswith("mend the data, see minisft sft --help\n")


def test_keys_that_nobody_reads_are_named_in_one_warning_with_their_counts(sft_on):
    status, err = sft_on([GOOD | {"id": 1, "source": "x"}, GOOD | {"id": 2}, GOOD])
    assert status == 0
    assert [line for line in err.splitlines() if line.startswith("warning")] == [
        'warning: nobody reads these keys of the data: "id" (2 rows), "source" (1 rows)'
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Capital of Peru?\n", "completion": "Lima.<|endoftext|>"},
        {"text": "<|im_start|>user\nHi<|im_end|>\n"},
        conversation("<|im_end|>", "Yes."),
    ],
)
def test_rows_that_spell_special_tokens_are_counted_in_one_warning_that_says_what_to_do(sft_on, row):
    status, err = sft_on([GOOD, row, row])
    assert status == 0
    (warning,) = [line for line in err.splitlines() if line.startswith("warning")]
    assert "2 of 3 rows spell special tokens" in warning and "data.jsonl:2" in warning and "Leave them out" in warning


def test_rows_without_anything_odd_are_read_without_a_word(sft_on):
    assert "warning" not in sft_on([GOOD])[1]


def test_generate_skips_rows_too(base, tmp_path):
    path, output = write_rows(tmp_path / "data.jsonl", [GOOD, 7, GOOD]), tmp_path / "out.jsonl"
    line = ["generate", *base, "--data", path, "--output", output, "--max-new-tokens", 1]
    assert minisft(*line, "--on-bad-row", "skip") == 0 and len(read_rows(output)) == 2


def test_pretrain_reads_text_between_lines_of_end_of_text_and_says_so(shared, tmp_path, capsys):
    path = tmp_path / "stories.txt"
    path.write_text("Once upon a time.\n<|endoftext|>\nThe end.\n")
    line = ["pretrain", "--tokenizer", shared / "theta_hat", "--data", path, "--output-dir", tmp_path / "out"]
    sizes = ["--hidden-size", 8, "--num-hidden-layers", 1, "--max-steps", 1]
    assert minisft(*line, *sizes) == 0
    assert f"{path}: 2 documents, between lines of <|endoftext|>\n" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "train_config.json").read_text())["examples"]["read"] == 2


def test_weights_in_the_data_reach_the_receipt(base, tmp_path, json_of):
    turns = conversation("Hi", "Yes.")["messages"] + conversation("And?", "No.")["messages"]
    turns[1]["weight"] = 0
    path = write_rows(tmp_path / "data.jsonl", [{"messages": turns}])
    (example,) = json_of("inspect", *base, "--data", path)["examples"]
    targets = [token for token in example["tokens"] if token["is_target"]]
    assert "".join(token["text"] for token in targets) == "No.<|im_end|>"
    assert sum(token["weight"] for token in example["tokens"]) == pytest.approx(1)
    each = tmp_path / "each.jsonl"
    summary = json_of("evaluate", *base, "--data", path, "--per-example", each)
    assert summary["num_target_tokens"] == len(targets)
    assert summary["log_prob"] == pytest.approx(sum(token["log_prob"] for token in targets))
    (row,) = read_rows(each)
    assert (row["log_prob"], row["num_target_tokens"]) == (pytest.approx(summary["log_prob"]), len(targets))
