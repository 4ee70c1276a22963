"""`inspect --as trl`: our y and TRL's, and the exit status."""

import json
import sys

import pytest
from support.commandline import assert_refused, conversation, minisft, write_rows

TALK = conversation("Who?", "Me.")


@pytest.fixture
def asked(shared, tmp_path, capsys):
    """The exit status, and what --json prints."""

    def ask(rows, *flags):
        data = write_rows(tmp_path / "rows.jsonl", rows)
        status = minisft("inspect", "--model", shared / "theta_hat", "--data", data, "--as", "trl", "--json", *flags)
        return status, json.loads(capsys.readouterr().out)

    return ask


def marked(report, name):
    return "".join(token["text"] for token in report["examples"][0]["tokens"] if token[name])


def test_all_tokens_of_a_conversation_are_trained_unless_trl_is_told_otherwise(asked):
    status, report = asked([TALK])
    assert status == 3 and report["differing"] == 1
    assert marked(report, "trl") == "user\nWho?<|im_end|>\n<|im_start|>assistant\nMe.<|im_end|>\n"
    assert marked(report, "minisft") == "Me.<|im_end|>"


def test_white_space_after_an_end_token_is_a_note_and_no_difference(asked):
    pair = {"prompt": TALK["messages"][:1], "completion": TALK["messages"][1:]}
    status, report = asked([pair])
    assert status == 0 and report["differing"] == 0
    assert marked(report, "trl") == "Me.<|im_end|>\n" and marked(report, "note") == "\n"


@pytest.mark.parametrize("flags", [["--assistant-only-loss"], ["--assistant_only_loss", "True"]])
def test_the_flags_of_trl_are_read_in_its_spelling(asked, flags):
    assert asked([TALK], *flags)[0] == 0


def test_a_weight_of_zero_that_trl_does_not_read_is_a_difference(asked):
    status, report = asked([TALK | {"weight": 0}], "--assistant-only-loss")
    assert status == 3 and marked(report, "differs") == "Me.<|im_end|>"


def test_max_length_cuts_both_and_a_row_that_packing_splits_goes_on_after_it(asked):
    rows, flags = [conversation("Who?", "Me and you. " * 5)], ["--assistant-only-loss", "--max-length", 40]
    assert asked(rows, *flags)[0] == 0
    status, report = asked(rows, *flags, "--packing", "--packing-strategy", "bfd_split")
    tokens = report["examples"][0]["tokens"]
    assert status == 3 and not any(token["differs"] for token in tokens[:40])
    assert tokens[40]["trl"] is False and tokens[41]["differs"]  # the first of a piece is predicted by nobody


def test_a_row_that_trl_cannot_read_is_told(asked):
    status, report = asked([{"instruction": "Who?", "output": "Me."}])
    assert status == 3 and "TRL cannot read" in report["examples"][0]["trl_refuses"]


def test_trl_is_not_imported(asked):
    before = {"trl", "torch", "transformers"} & set(sys.modules)
    asked([TALK])
    assert {"trl", "torch", "transformers"} & set(sys.modules) == before


def test_elsewhere_these_flags_are_refused_as_before(capsys, shared):
    assert_refused(capsys, "sft --model atlas --data x --output-dir y --packing", "--packing: is a flag of TRL's")


def test_for_people_the_differing_tokens_are_marked(shared, tmp_path, capsys):
    data = write_rows(tmp_path / "rows.jsonl", [TALK])
    assert minisft("inspect", "--model", shared / "theta_hat", "--data", data, "--as", "trl") == 3
    out = capsys.readouterr().out
    assert "differs" in out and "y differs in 1 of 1 rows" in out
