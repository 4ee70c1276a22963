"""Names in a model card: whatever they hold, they are names in its table, its front matter and its lines of Python."""

import ast
import json
import os
import re

import pytest
from support.commandline import minisft, write_rows
from support.hostile import HOSTILE, MARKDOWN, Reader, blanks_as_one

from minisft.errors import visible
from minisft.runs import model_card

OUTPUT = {
    "python": '"); import os; os.system("touch hacked") #',
    "shell": "$(touch hacked); `touch hacked` & 'a' \"b\" -x",
    "yaml": "a: b #c, [d] {e} *f &g !h %i @j | > - ?",
    "quotes and backslashes": '\'"\\\\"\'\'\'"""\\n\\u0041\\',
    "emoji": "𝒳 😀 é",
    "python's fence": "```\nimport os\n```",
    "front matter": "---\nlicense: mit\n---",
    "blanks": " a  b ",
    "braces": "{title} {0} {{x}} %s",
}
NAMES = HOSTILE | OUTPUT
FACTS = {"loss_reduction": "token_mean", "examples": {"read": 9, "cut": 0, "dropped": 0}}
VERSIONS = {"versions": {"minisft": "1", "numpy": "2", "python": "3"}}


def as_file_name(text):
    """The nearest name that a file can have."""
    name = text.replace("/", "∕").replace("\x00", "").encode("utf-8", "surrogatepass").replace(b"\xed\xa0\x80", b"\xff")
    return os.fsdecode(name)


def front_matter_of(text):
    _, front, _ = re.split("^---\n", text, maxsplit=2, flags=re.MULTILINE)
    try:
        import yaml
    except ImportError:  # each line is a key, and a value that is one of JSON or plain
        pairs = dict(line.split(": ", 1) for line in front.splitlines())
        return {key: json.loads(value) if value[0] == '"' else value for key, value in pairs.items()}
    return yaml.safe_load(front)


def python_of(text):
    [block] = [token.content for token in MARKDOWN.parse(text) if token.info == "python"]
    return ast.parse(block).body


@pytest.fixture
def card(tmp_path):
    """The model card of a run in which everything that has a name has this one."""

    def make(name):
        directory = tmp_path / as_file_name(name)
        directory.mkdir()
        (directory / "config.json").write_text('{"model_type": "llama"}')
        record = FACTS | VERSIONS | {"model": name, "data": [name, name], "eval_data": [name], "train_only": [name]}
        return model_card.text(directory, record, [], 1, "mit"), directory.name

    return make


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_is_shown_as_it_stands_in_the_page(card, kind):
    text, directory = card(NAMES[kind])
    page = Reader(MARKDOWN.render(text.split("\n---\n", 1)[1]))
    shown, cells = visible(NAMES[kind]), [blanks_as_one(cell) for cell in page.texts]
    assert cells[0] == blanks_as_one(visible(directory))
    assert cells[1].startswith(blanks_as_one(f"{shown}, fine-tuned on answers. Made by minisft 1"))
    for fact, value in {
        "base model": shown,
        "data": f"{shown}, {shown}",
        "held-out data": shown,
        "--train-only": shown,
    }.items():
        assert cells[cells.index(fact) + 1] == blanks_as_one(value)
    assert cells[-1].startswith("or minisft chat --model ") and not page.mathematics
    assert page.names() <= {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "pre"}
    assert [attributes for _, attributes in page.tags if attributes] == [{"class": "language-python"}]


@pytest.mark.parametrize("kind", NAMES)
def test_the_lines_of_python_load_the_directory_of_that_very_name(card, kind):
    text, directory = card(NAMES[kind])
    [line, *calls] = python_of(text)
    assert isinstance(line, ast.ImportFrom) and line.module == "transformers"
    for call, loader in zip(calls, ("AutoTokenizer", "AutoModelForCausalLM"), strict=True):
        assert ast.unparse(call.value.func) == f"{loader}.from_pretrained" and not call.value.keywords
        assert [ast.literal_eval(argument) for argument in call.value.args] == [directory]


@pytest.mark.parametrize("kind", NAMES)
def test_the_front_matter_has_the_base_model_and_nothing_that_a_name_adds(card, kind):
    text, _ = card(NAMES[kind])
    front = front_matter_of(text)
    assert list(front) == ["library_name", "pipeline_tag", "tags", "base_model", "license"]
    assert front["base_model"] == visible(NAMES[kind]) and front["license"] == "mit"


@pytest.mark.parametrize("licence", ["no", "null", "1e3", "true", "3.0", "apache-2.0"])
def test_a_licence_stays_a_text_in_the_front_matter(card, tmp_path, licence):
    card("out")
    (tmp_path / "out" / "README.md").write_text(f"---\nlicense: {licence}\n---\n")
    assert model_card.licence(tmp_path / "out") == licence
    record = FACTS | VERSIONS | {"data": []}
    assert front_matter_of(model_card.text(tmp_path / "out", record, [], 1, licence))["license"] == licence


@pytest.mark.parametrize("kind", [*OUTPUT, "pipe", "two lines", "picture that fails", "colour"])
def test_a_run_between_files_of_such_names_has_a_card_that_holds_them(shared, tmp_path, kind):
    name = as_file_name(NAMES[kind])
    data = write_rows(tmp_path / f"{name}.jsonl", [{"prompt": "Hi", "completion": "Yes."}])
    out = tmp_path / "runs" / name
    line = ["--model", shared / "theta_hat", "--data", data, "--output-dir", out, "--max-steps", 1]
    assert minisft("sft", *line) == 0
    text = (out / "README.md").read_text(encoding="utf-8")
    assert ast.literal_eval(python_of(text)[1].value.args[0]) == name
    page = Reader(MARKDOWN.render(text.split("\n---\n", 1)[1]))
    assert blanks_as_one(visible(data.name)) in map(blanks_as_one, page.texts)
