"""The commands take an adapter's directory after --model as they take the merged model, and `merge` writes that."""

import io
import json
import shutil

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from support.commandline import assert_refused, contents, minisft, sft_line

from minisft import adapter, checkpoint


@pytest.fixture(scope="module")
def place(shared, tmp_path_factory):
    """adapter/ and merged/, the same model, of float64."""
    here = tmp_path_factory.mktemp("adapters")
    flags = ["--lora-r", 2, "--dtype", "float64", "--learning-rate", 0.05, "--save-steps", 4]
    assert minisft(*sft_line(shared, here / "adapter", *flags)) == 0
    assert minisft("merge", "--adapter", here / "adapter", "--output-dir", here / "merged", "--dtype", "float64") == 0
    return here


@pytest.fixture
def both(place):
    return place / "adapter", place / "merged"


def refused(capsys, *line, words):
    assert_refused(capsys, [str(word) for word in line], *words)


# --- merge ------------------------------------------------------------------------------------------------------------


def test_merge_writes_a_whole_model_of_w_plus_s_b_a(place, shared):
    theta_hat, config, tokenizer = checkpoint.load(shared / "theta_hat", np.float64)
    whole, its_config, its_tokenizer = checkpoint.load(place / "merged", np.float64)
    expected = adapter.merged(checkpoint.load_adapter(place / "adapter", theta_hat))
    assert_array_equal(whole.flat, expected.flat)
    assert its_config == config and its_tokenizer.source == tokenizer.source
    assert not list((place / "merged").glob("adapter*"))
    assert (whole.flat != theta_hat.flat).any()


def test_merge_leaves_adapter_and_base_as_they_are_and_says_what_it_did(place, shared, tmp_path, json_of, capsys):
    before = contents(place / "adapter"), contents(shared / "theta_hat")
    found = json_of("merge", "--adapter", place / "adapter", "--output-dir", tmp_path / "one")
    size = checkpoint.load(shared / "theta_hat")[0].flat.size
    assert found == {"output_dir": str(tmp_path / "one"), "num_parameters": size, "r": 2, "alpha": 4, "maps": 7}
    assert minisft("merge", "--adapter", place / "adapter", "--output-dir", tmp_path / "two") == 0
    assert f"{size:,} parameters, 7 linear maps of which have changed by 4/2 B A" in capsys.readouterr().out
    assert (contents(place / "adapter"), contents(shared / "theta_hat")) == before
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_base_may_be_given_where_the_adapter_names_none_or_another(place, shared, tmp_path, capsys):
    moved, line = tmp_path / "moved", ["merge", "--adapter", tmp_path / "moved", "--output-dir", tmp_path / "out"]
    shutil.copytree(place / "adapter", moved)
    path = moved / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": None}))
    refused(capsys, *line, words=["base_model_name_or_path is empty", f"minisft merge --model BASE --adapter {moved}"])
    assert minisft(*line, "--model", shared / "theta_hat", "--dtype", "float64") == 0
    assert contents(tmp_path / "out") == contents(place / "merged")


def test_merge_writes_into_no_directory_that_holds_a_model_or_a_run_and_into_nothing_it_reads(place, shared, capsys):
    for target in (place / "merged", place / "adapter", shared / "theta_hat", shared / "train.jsonl"):
        before = contents(place), contents(shared)
        refused(capsys, "merge", "--adapter", place / "adapter", "--output-dir", target, words=["--output-dir"])
        assert (contents(place), contents(shared)) == before


def test_merge_of_a_whole_model_is_refused(shared, tmp_path, capsys):
    line = ["merge", "--adapter", shared / "theta_hat", "--output-dir", tmp_path / "out"]
    refused(capsys, *line, words=["has no adapter_config.json; give the directory of an adapter"])
    assert not (tmp_path / "out").exists()


# --- the commands -----------------------------------------------------------------------------------------------------


def test_evaluate_generate_and_inspect_say_of_an_adapter_what_they_say_of_the_merged_model(both, pairs, json_of):
    lines = [
        ["evaluate", *pairs, "--max-new-tokens", 4, "--dtype", "float64"],
        ["generate", "--prompt", "What is", "--max-new-tokens", 6, "--dtype", "float64"],
        ["inspect", *pairs, "--example", 1, "--dtype", "float64"],
    ]
    for command, *flags in lines:
        of_adapter, of_merged = (json_of(command, "--model", model, *flags) for model in both)
        assert of_adapter == of_merged


def test_one_can_chat_with_an_adapter(both, monkeypatch, json_of):
    said = []
    for model in both:
        monkeypatch.setattr("sys.stdin", io.StringIO("Hi\n"))
        said.append(json_of("chat", "--model", model, "--max-new-tokens", 5, "--dtype", "float64"))
    assert said[0] == said[1] and len(said[0]["messages"]) == 2


def test_export_writes_the_same_file_of_both(both, tmp_path):
    pytest.importorskip("gguf")
    files = [tmp_path / "adapter.gguf", tmp_path / "merged.gguf"]
    for model, file in zip(both, files):
        assert minisft("export", "--model", model, "--gguf", file) == 0
    found = [checkpoint.load(file)[0].flat for file in files]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-6 * np.abs(found[0]).max())  # merged in float32, or before


def test_gradcheck_looks_at_a_and_b_of_an_adapter_beside_the_frozen_w(both, pairs, json_of):
    found = json_of("gradcheck", "--model", both[0], *pairs)
    names = {check["tensor"] for check in found["checks"]}
    assert found["passed"] and len(names) == 2 * 7 and all("lora_" in name for name in names)


def test_gradcheck_without_a_model_checks_the_layer_of_lora_too(json_of):
    found = json_of("gradcheck")
    names = {check["tensor"] for check in found["checks"]}
    assert {"layers.lora lora_A.weight", "layers.lora lora_B.weight", "layers.lora input"} <= names


def test_a_step_of_a_run_of_an_adapter_is_taken_apart_and_adds_up(both, json_of):
    for step in (1, 3, 6):  # before and after checkpoint-4
        event = json_of("inspect", "--run", both[0], "--step", step)
        for name in ("loss", "num_target_tokens", "grad_norm"):
            assert event["sums"][name] == pytest.approx(event["metrics"][name], rel=1e-9)
        assert len(event["tensors"]) == 2 * 7 and all("lora_" in name for name, *_ in event["tensors"])


def test_a_step_of_a_run_that_went_on_from_an_adapter_is_taken_apart(both, shared, tmp_path, json_of):
    assert minisft(*sft_line(shared, tmp_path / "on", "--adapter", both[0], "--dtype", "float64")) == 0
    event = json_of("inspect", "--run", tmp_path / "on", "--step", 2)
    assert event["sums"]["loss"] == pytest.approx(event["metrics"]["loss"], rel=1e-9)


def test_an_adapter_whose_base_is_gone_is_refused_by_every_command_in_one_line(both, pairs, tmp_path, capsys):
    moved = tmp_path / "moved"
    shutil.copytree(both[0], moved)
    path = moved / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": "/nowhere"}))
    lines = [["evaluate", *pairs], ["generate", "--prompt", "Hi"], ["inspect", *pairs], ["gradcheck", *pairs], ["chat"]]
    for command, *flags in [*lines, ["export", "--gguf", tmp_path / "x.gguf"]]:
        words = ["base_model_name_or_path", '"/nowhere" is not a model here']
        refused(capsys, command, "--model", moved, *flags, words=words)
