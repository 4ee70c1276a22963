"""Nothing that stands in a file, is the name of one, or is answered by a model can act on the terminal."""

import json
import re
import shutil
import subprocess
from functools import partial

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.commandline import command, conversation, minisft, write_rows
from support.hostile import HOSTILE, TERMINAL
from support.terminal import on_a_terminal

from minisft.cli.console import Bar, Page, complain, print_table, say, show, show_answer
from minisft.errors import BREAKS, visible
from minisft.formats import rows

RICH = ["[bold]a[/bold]", "[/nothing]", "[link=http://example.org]a[/link]", ":smile:", "[[", "\\[red]", "[red]b"]
SPOKEN = {name: text for name, text in TERMINAL.items() if "\ud800" not in text}  # what has an encoding in UTF-8
STYLES = re.compile(r"\x1b\[[0-9;]*m")  # what rich itself sends for a table

each_attack = pytest.mark.parametrize("name", TERMINAL)


def acts(text):
    """The characters that a terminal might obey, without line breaks."""
    return [c for c in text if c != "\n" and visible(c) != c]


def as_file_name(text):
    return text.replace("/", "∕").replace("\x00", "").replace("\ud800", "\udc80")


# --- the ways to the terminal -----------------------------------------------------------------------------------------


@each_attack
def test_every_way_to_the_terminal_shows_what_it_is_given_and_lets_nothing_act(name, capsys):
    text = TERMINAL[name]
    say(text)
    complain(text, 2)
    show(text)
    show_answer(text)
    print_table(text, [text, text], [[text, 1]])
    print_table("", ["", ""], [[text, None]], ["bold"])
    Page().tell(text, text)
    with Bar(text, 1) as bar:
        bar.show(1, text)
    out, err = capsys.readouterr()
    assert not acts(out) and not acts(err)
    assert err.startswith(f"{visible(text)}\nminisft: error: ") and out.startswith(f"{visible(text)}\n")
    assert err.endswith(f"{visible(text)} 1/1  {visible(text)}\n")


@pytest.mark.parametrize("text", RICH)
def test_no_way_to_the_terminal_reads_the_markup_of_rich(text, capsys):
    show(text)
    show_answer(text)
    print_table(text, [text, ""], [[text, 1]], ["bold"])
    Page().tell(text, text)
    Page().print(text)
    out = capsys.readouterr().out
    assert out.count(text) == 2 + 3 + 2 + 1


def test_a_stream_of_an_answer_cut_anywhere_lets_no_sequence_through(capsys):
    text = "".join(TERMINAL.values())
    for piece in text:
        show_answer(piece, end="")
    assert capsys.readouterr().out == visible(text, BREAKS)


# --- commands, each on a terminal -------------------------------------------------------------------------------------

ANSWERING = """
from minisft import checkpoint, generate
from minisft.cli.commands import chat, generate as command
texts = iter({texts!r})
tokenizer = checkpoint.load({model!r})[2]
def ids():
    return [*tokenizer.encode(next(texts)), tokenizer.end_of_turn_id]
chat.decode = lambda *given, **more: ([(0, token)] for token in ids())
command.generate = lambda *given, **more: [generate.Answer(ids()[:-1], True)]
"""


@pytest.fixture
def answering(shared):
    """What makes the model answer these texts, one after the other, token by token."""
    return lambda *texts: ANSWERING.format(texts=texts, model=str(shared / "theta_hat"))


def test_chat_shows_every_answer_and_lets_none_act(base, answering):
    typed = "".join(f"{number}\n" for number in range(len(SPOKEN))) + "/exit\n"
    status, shown = on_a_terminal("chat", *base, typed=typed, first=answering(*SPOKEN.values()))
    assert status == 0 and not acts(shown)
    for text in SPOKEN.values():
        assert visible(text) in shown


def test_chat_asks_for_a_line_on_a_terminal_but_not_where_standard_output_is_for_json(base, answering, tmp_path):
    more = {"typed": "Hi\n/exit\n", "first": answering("Hello.")}
    assert "> " in on_a_terminal("chat", *base, **more)[1]
    with open(tmp_path / "out", "w+") as out:
        assert on_a_terminal("chat", *base, "--json", stdout=out, **more)[0] == 0
    assert len(json.loads((tmp_path / "out").read_text())["messages"]) == 2


def test_generate_shows_the_answer_with_its_own_lines_and_lets_it_not_act(base, answering):
    text = "".join(SPOKEN.values())
    status, shown = on_a_terminal("generate", *base, "--prompt", "Hi", first=answering(f"one\ntwo{text}"))
    assert (status, shown) == (0, f"one\ntwo{visible(text)}\n")


def test_inspect_shows_prompts_names_and_tokens_and_lets_none_act(base, tmp_path):
    text = "".join(SPOKEN.values())
    (tmp_path / as_file_name(text)[:60]).mkdir()
    path = write_rows(
        tmp_path / as_file_name(text)[:60] / "a.jsonl", [{"prompt": text[:30], "completion": text[30:60]}]
    )
    status, shown = on_a_terminal("inspect", *base, "--data", path)
    assert status == 0 and not acts(STYLES.sub("", shown))
    assert not {"\x1b[31m", "\x1bc", "\x9b"} & {found[0] for found in STYLES.finditer(shown)}
    for spelled in ("\\x1b", "\\x07"):
        assert spelled in shown


def test_the_bar_of_a_run_and_its_summary_let_no_name_act(base, pairs, tmp_path):
    out = tmp_path / as_file_name("".join(SPOKEN.values()))[:90]
    status, shown = on_a_terminal("sft", *base, *pairs, "--output-dir", out, "--max-steps", 2)
    assert status == 0 and "2/2" in shown
    ours = re.compile(r"\x1b\[(\?25[lh]|[0-9;]*m|2K|1A)|\r")  # the bar is drawn over itself
    assert not acts(ours.sub("", shown)) and "\x1b[31m" not in shown and "\x1b[?1049h" not in shown


# --- commands, in this process ----------------------------------------------------------------------------------------


@pytest.fixture
def hostile_model(shared, tmp_path):
    """A copy of theta_hat, and what changes one of its files."""
    shutil.copytree(shared / "theta_hat", tmp_path / "model")

    def change(name, text):
        path = tmp_path / "model" / name
        if name == "model.safetensors":
            save_file(load_file(path) | {text: np.zeros(1, np.float32)}, path)
        else:
            path.write_text(json.dumps(json.loads(path.read_text()) | text))
        return ["--model", tmp_path / "model"]

    return change


LONG = "x" * 10**6
WRONG = {
    "no object": lambda text: text,
    "no object, but a list": lambda text: [text],
    "text of no text": lambda text: {"text": [text]},
    "role": lambda text: {"messages": [{"role": text, "content": ""}]},
    "role of no text": lambda text: {"messages": [{"role": {text: text}, "content": ""}]},
    "keys": lambda text: {text: 1, f"{text}2": 2},
    "prompt": lambda text: {"prompt": text, "completion": []},
    "content": lambda text: {"messages": [{"role": "user", "content": [text]}]},
    "roles": lambda text: {"messages": [{"role": "user", "content": "Hi"}] * 10_000},
}
FIELDS = {
    "model_type": lambda text: {"model_type": text},
    "architectures": lambda text: {"architectures": [text]},
    "hidden_act": lambda text: {"hidden_act": text},
    "rope_scaling": lambda text: {"rope_scaling": {"rope_type": text}},
    "size": lambda text: {"hidden_size": text},
    "number": lambda text: {"rms_norm_eps": [text]},
    "attention_bias": lambda text: {"attention_bias": text},
}


@pytest.fixture
def refused(capsys):
    """A command is refused in one line that cannot act; returns it, without its beginning and without the paths."""

    def run(*arguments, without=()):
        capsys.readouterr()
        assert minisft(*arguments) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and not acts(err)
        for path in without:
            err = err.replace(str(path), "")
        return err.removeprefix("minisft: error: ")

    return run


@pytest.mark.parametrize("text", [LONG, *TERMINAL.values()], ids=["long", *TERMINAL])
def test_a_row_that_is_refused_is_quoted_briefly_and_cannot_act(refused, base, tmp_path, text):
    for wrong in WRONG.values():
        path = tmp_path / "a.jsonl"
        path.write_text(json.dumps(wrong(text)))
        assert len(refused("evaluate", *base, "--data", path, without=[path])) < 80 + 140


@pytest.mark.parametrize("text", [LONG, *TERMINAL.values()], ids=["long", *TERMINAL])
def test_a_model_that_is_refused_is_quoted_briefly_and_cannot_act(refused, hostile_model, pairs, tmp_path, text):
    check = partial(refused, "evaluate", *pairs, without=[tmp_path / "model"])
    (path, before) = (tmp_path / "model" / "config.json", (tmp_path / "model" / "config.json").read_text())
    for field in FIELDS.values():
        assert len(check(*hostile_model("config.json", field(text)))) < 80 + 140
        path.write_text(before)
    assert len(check(*hostile_model("tokenizer_config.json", {"eos_token": text}))) < 80 + 140
    shutil.copy(pairs[1].parent / "theta_hat" / "tokenizer_config.json", tmp_path / "model")
    if "\ud800" not in text:  # the package writes no such name
        assert len(check(*hostile_model("model.safetensors", text))) < 80 + 140
    index = {"weight_map": {"a": f"{text}.safetensors"}}
    (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / "model.safetensors.index.json").write_text(json.dumps(index))
    assert len(check("--model", tmp_path / "model")) < 80 + 140


@each_attack
def test_a_file_or_a_flag_that_is_refused_is_named_and_cannot_act(refused, base, pairs, name):
    text = as_file_name(TERMINAL[name])
    for line in (
        ["evaluate", *base, "--data", text],
        ["evaluate", "--model", text, *pairs],
        ["evaluate", *base, *pairs, "--seed", text],
        ["evaluate", *base, *pairs, f"--{text}"],
        ["evaluate", *base, *pairs, "--dtype", text],
        ["evaluate", *base, *pairs, "--max-length", text],
        ["evaluate", *base, *pairs, "--per-example", f"{pairs[1]}/{text}"],
        ["sft", *base, *pairs, "--output-dir", f"{pairs[1]}/{text}"],
        ["sft", *base, *pairs, "--output-dir", "x", "--train-only", text],
        ["export", *base, "--gguf", text],
        ["course", f"{pairs[1]}/{text}"],
        [text],
    ):
        said = refused(*line).replace("\\\\", "\\")  # argparse quotes once more
        assert all(visible(part) in said for part in text.splitlines()), said


def test_a_mistake_of_ours_is_reported_and_cannot_act(base, pairs, monkeypatch, capsys):
    def fail(*arguments):
        raise RuntimeError("".join(HOSTILE.values()))

    monkeypatch.setattr(rows, "collect", fail)
    assert minisft("evaluate", *base, *pairs) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback") and "RuntimeError" in err and not acts(err)


@pytest.mark.parametrize("text", RICH)
def test_names_of_directories_are_no_markup_of_rich(base, pairs, tmp_path, capsys, text):
    out = tmp_path / as_file_name(text)
    assert minisft("sft", *base, *pairs, "--output-dir", out, "--max-steps", 1) == 0
    assert out.name in capsys.readouterr().out.replace("\n", "")


# --- streams that are closed ------------------------------------------------------------------------------------------


def closed(stream, *arguments, typed=""):
    """(exit status, standard output, standard error) of a command that is started with one of the two closed."""
    more = command(*arguments)
    more["args"] = ["sh", "-c", f'exec "$0" "$@" {stream}>&-', *more["args"]]
    done = subprocess.run(**more, input=typed, capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def lines(base, pairs, tmp_path):
    """A command line of every command that says something on the way."""
    rows = write_rows(tmp_path / "long.jsonl", [conversation("Hi", "x " * 99)] * 3)
    return {
        "sft": ["sft", *base, "--data", rows, "--output-dir", tmp_path / "out", "--max-steps", 3, "--logging-steps", 1],
        "evaluate": ["evaluate", *base, "--data", rows, "--max-new-tokens", 1],
        "inspect": ["inspect", *base, "--data", rows],
        "generate": ["generate", *base, *pairs, "--output", tmp_path / "out.jsonl", "--max-new-tokens", 1],
        "chat": ["chat", *base, "--max-new-tokens", 1],
    }


@pytest.mark.parametrize("name", ["sft", "evaluate", "inspect", "generate", "chat"])
def test_where_standard_error_is_closed_standard_output_is_the_json_and_nothing_else(lines, name):
    status, out, err = closed(2, *lines[name], "--json", typed="Hi\n" + "x" * 300 + "\n")
    assert (status, err) == (0, "") and isinstance(json.loads(out), dict) and out.count("\n") == 1


@pytest.mark.parametrize("name", ["sft", "evaluate", "inspect", "generate"])
def test_where_standard_output_is_closed_progress_goes_to_standard_error_alone(lines, name):
    line = [*lines[name], "--overwrite"] if name == "sft" else lines[name]
    (status, out, said), (_, _, usual) = (closed(stream, *line, typed="Hi\n") for stream in (1, 9))
    assert (status, out) == (0, "") and said.count("\n") == usual.count("\n")
