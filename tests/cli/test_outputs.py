"""No command writes onto, inside or over what it reads; and what can be known of an output is known before the work."""

import json
import os
import shlex
import shutil
from pathlib import Path

import pytest
from support.commandline import assert_refused, contents, conversation, minisft, read_rows, write_pairs, write_rows

from minisft import train
from minisft.formats import huggingface, resources
from minisft.runs import model_card


@pytest.fixture
def world(shared, tmp_path, monkeypatch):
    """model/ with a link and a hard link into it, data.jsonl in d/ with a link and a hard link to it; the cwd."""
    shutil.copytree(shared / "theta_hat", tmp_path / "model")
    (tmp_path / "d").mkdir()
    write_pairs(tmp_path / "d" / "data.jsonl")
    (tmp_path / "link_to_model").symlink_to("model")
    (tmp_path / "link_to_weights").symlink_to("model/model.safetensors")
    os.link(tmp_path / "model" / "tokenizer.json", tmp_path / "hard_link")
    (tmp_path / "link_to_data").symlink_to("d/data.jsonl")
    os.link(tmp_path / "d" / "data.jsonl", tmp_path / "hard_link_to_data")
    (tmp_path / "linked").mkdir()  # as in the cache of the hub
    for file in (tmp_path / "model").iterdir():
        (tmp_path / "linked" / file.name).symlink_to(file)
    (tmp_path / "files").mkdir()
    os.link(tmp_path / "d" / "data.jsonl", tmp_path / "files" / "metrics.jsonl")
    (tmp_path / "files2").mkdir()
    (tmp_path / "files2" / "README.md").symlink_to(tmp_path / "d" / "data.jsonl")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(world, capsys, monkeypatch):
    monkeypatch.setattr(train, "step", pytest.fail)

    def run(line, *words):
        before = contents(world)
        assert_refused(capsys, line, *words)
        assert contents(world) == before

    return run


FILES = [
    "model/config.json",
    "model/new.jsonl",
    "model/deeper/new.jsonl",
    "link_to_model/new.jsonl",
    "link_to_weights",
    "hard_link",
    "d/data.jsonl",
    "d/../d/data.jsonl",
    "link_to_data",
    "hard_link_to_data",
]


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("command", ["evaluate --per-example", "generate --max-new-tokens 1 --output"])
def test_a_file_of_rows_is_not_written_onto_or_into_what_is_read(refused, monkeypatch, command, path):
    monkeypatch.setattr("minisft.cli.commands.evaluate.evaluate", pytest.fail)
    monkeypatch.setattr("minisft.cli.commands.generate.generate", pytest.fail)
    for model in ("model", "linked") if "new" not in path else ("model", "link_to_model"):
        name, flag = command.split()[0], command.split()[-1]
        refused(f"{command} {path} --model {model} --data d/data.jsonl", flag, "read")
        assert name


@pytest.mark.parametrize("path", ["model/model.gguf", "link_to_model/model.gguf", "model/deeper/m.gguf"])
def test_export_does_not_write_into_the_model(refused, path):
    refused(f"export --model model --gguf {path}", "--gguf", "lies in the model that is read")


@pytest.mark.parametrize("how", ["", "--overwrite", "--resume"])
@pytest.mark.parametrize(
    ("output_dir", "words"),
    [
        ("d", "d holds the data that is read, d/data.jsonl"),
        ("d/../d", "holds the data that is read"),
        (".", ". holds the "),
        ("model", "model holds the model that is read"),
        ("model/out", "model/out lies in the model that is read"),
        ("link_to_model/out", "lies in the model that is read"),
        ("files", "files/metrics.jsonl is read, as d/data.jsonl"),
        ("files2", "files2/README.md is read, as d/data.jsonl"),
    ],
)
def test_a_run_goes_into_no_directory_that_holds_what_is_read(refused, output_dir, words, how):
    refused(f"sft --model model --data d/data.jsonl --output-dir {output_dir} {how}", "--output-dir", words)
    if "model" not in words:
        refused(f"pretrain --data d/data.jsonl --output-dir {output_dir} {how}", "--output-dir", words)


def test_evaluation_data_and_links_to_data_count_as_read(refused, world):
    (world / "out").mkdir()
    (world / "out" / "here.jsonl").symlink_to(world / "d" / "data.jsonl")
    line = "sft --model model --output-dir out --overwrite --data"
    refused(f"{line} out/here.jsonl", "out holds the data that is read")
    refused(f"{line} hard_link_to_data --eval-data out/here.jsonl", "out holds the data that is read")
    shutil.copytree(world / "model", world / "tokenizer")
    refused(
        "pretrain --data hard_link_to_data --tokenizer tokenizer --output-dir tokenizer --overwrite", "holds the model"
    )


def test_results_beside_the_data_and_the_model_are_fine(world):
    assert minisft(*shlex.split("evaluate --model model --data d/data.jsonl --per-example d/rows.jsonl")) == 0
    assert minisft(*shlex.split("sft --model model --data d/data.jsonl --output-dir d/out --max-steps 1")) == 0


def test_the_course_is_not_written_over_itself(capsys):
    before = contents(resources.notebooks())
    assert_refused(capsys, ["course", resources.notebooks(), "--overwrite"], "DIR", "read")
    assert contents(resources.notebooks()) == before


# --- what is found out before the first step --------------------------------------------------------------------------


def test_names_that_are_not_utf_8_and_half_characters_are_written_as_they_can_be(world):
    data = os.fsdecode(b"d/caf\xe9.jsonl")
    shutil.copy("d/data.jsonl", data)
    path = Path("model/tokenizer_config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"added": "\ud800", "b\udfff": [1]}))
    out = os.fsdecode(b"out\xff")
    line = ["sft", "--model", "model", "--data", data, "--eval-data", data, "--output-dir", out, "--max-steps", "2"]
    assert minisft(*line, "--save-steps", 1) == 0
    assert json.loads((Path(out) / "train_config.json").read_text())["data"] == [data]
    assert json.loads((Path(out) / "tokenizer_config.json").read_text())["added"] == "\ud800"
    assert (Path(out) / "README.md").exists()
    assert minisft(*line, "--save-steps", 1, "--resume") == 0
    assert minisft(*line, "--json", "--overwrite") == 0


def spoil_template(monkeypatch):
    path = Path("model/tokenizer_config.json")
    Path("model/chat_template.jinja").unlink()
    chatml = Path("out/chat_template.jinja").read_text()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": chatml + "{# \ud800 #}"}))


def spoil_card(monkeypatch):
    def broken(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(model_card, "write", broken)


def block(name):
    def spoil(monkeypatch):
        Path(f"out/{name}").unlink(missing_ok=True)
        Path(f"out/{name}").mkdir()

    return spoil


def number_that_is_infinite(monkeypatch):
    path = Path("model/tokenizer_config.json")
    path.write_text('{"x": 1e999, ' + path.read_text()[1:])


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_template,
        spoil_card,
        number_that_is_infinite,
        *map(block, ("tokenizer.json", "metrics.jsonl", "README.md")),
    ],
)
def test_what_cannot_be_written_is_known_before_the_first_step_and_before_the_old_run_goes(
    world, capsys, monkeypatch, spoil
):
    line = "sft --model model --data d/data.jsonl --output-dir out --max-steps 2 --save-steps 1"
    assert minisft(*line.split()) == 0
    spoil(monkeypatch)
    before = contents(world)
    monkeypatch.setattr(train, "step", pytest.fail)
    assert_refused(capsys, f"{line} --overwrite --seed 1")
    assert contents(world) == before


@pytest.mark.parametrize("name", ["tokenizer.json", "chat_template.jinja", "generation_config.json"])
def test_any_file_of_a_model_keeps_a_directory_from_being_written_to(world, capsys, name):
    Path("out").mkdir()
    Path(f"out/{name}").write_text("mine")
    assert_refused(capsys, "sft --model model --data d/data.jsonl --output-dir out", "already holds a run or a model")
    assert contents(world / "out") == {Path(name): b"mine"}


@pytest.mark.parametrize(
    "weight_map", [{"a": "mine-1.safetensors", "b": "mine-2.safetensors"}, {"a": "../d/x"}, 7, None]
)
def test_overwriting_a_sharded_model_removes_all_of_its_files_and_nothing_else(world, weight_map):
    Path("out").mkdir()
    for name in ("mine-1.safetensors", "mine-2.safetensors", "notes.safetensors", "model-1.safetensors"):
        Path(f"out/{name}").write_text("x")
    for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "special_tokens_map.json"):
        Path(f"out/{name}").write_text("x")
    Path("out/model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    Path("out/config.json").write_text("{}")
    Path("d/x").write_text("mine")
    line = "sft --model model --data d/data.jsonl --output-dir {} --max-steps 1 --overwrite"
    assert minisft(*line.format("fresh").split()) == 0 and minisft(*line.format("out").split()) == 0
    kept = {"notes.safetensors", "model-1.safetensors"}
    kept |= (
        set() if isinstance(weight_map, dict) and len(weight_map) == 2 else {"mine-1.safetensors", "mine-2.safetensors"}
    )
    assert set(os.listdir("out")) == set(os.listdir("fresh")) | kept
    assert list(huggingface.weight_files(Path("out"))) == [Path("out/model.safetensors")]
    assert Path("d/x").read_text() == "mine"


def test_rows_with_half_characters_are_written(world):
    """In a key that generate hands on."""
    row = conversation("Hi", "Yes.")
    row["messages"][0]["name"] = "\ud800"
    write_rows(world / "odd.jsonl", [row])
    assert minisft(*shlex.split("generate --model model --data odd.jsonl --max-new-tokens 1 --output a.jsonl")) == 0
    assert read_rows(world / "a.jsonl")[0]["prompt"][0]["name"] == "\ud800"


def test_rows_with_nan_in_them_are_one_line_and_no_file(world, capsys):
    row = conversation("Hi", "Yes.")
    row["messages"][0]["score"] = [float("nan")]
    write_rows(world / "odd.jsonl", [row])
    assert minisft(*shlex.split("generate --model model --data odd.jsonl --max-new-tokens 1 --output a.jsonl")) == 2
    assert "--output: a row has NaN" in capsys.readouterr().err and not (world / "a.jsonl").exists()
