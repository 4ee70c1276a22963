"""What is damaged, how, and when the result is right: one `Kind` for each sort of file."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minisft import data
from minisft.formats import huggingface
from minisft.tokenizer import Tokenizer

from . import combinations, commands, originals, right
from .mutate import mutant_of_bytes, mutant_of_json


class Kind(NamedTuple):
    """`share` is how many of a thousand cases belong to it: cheap ones have more.

    run  (rng, a directory of the worker's own) -> "refused" or "right"; raises MinisftError if it is refused
    """

    name: str
    share: int
    run: Callable[[Any, Any], str]
    prepare: Callable[[], object]


def laid_out(place, name, files):
    """A directory with these files, written once."""
    directory = place / name
    if not directory.exists():
        directory.mkdir()
        for file, content in files.items():
            (directory / file).write_bytes(content)
    return directory


def mutant(content, rng, name=""):
    """A mutant of a file: of the JSON in it or, sometimes, of its bytes."""
    if name.endswith(".json") and rng.random() < 0.8:
        return mutant_of_json(json.loads(content), rng)
    return mutant_of_bytes(content, rng)


def config(rng, place):
    value = rng.choice(originals.configs())
    directory = laid_out(place, "config", {})
    (directory / "config.json").write_bytes(mutant(json.dumps(value).encode(), rng, ".json"))
    loaded = huggingface.read_config(directory)
    right.config_is_right(loaded)
    (directory / "config.json").write_text(json.dumps(huggingface.architecture_fields(loaded)))
    right.require(huggingface.read_config(directory) == loaded, "written and read, the config is another", loaded)
    return "right"


def tokenizer(rng, place):
    name, files = rng.choice(list(originals.tokenizers().items()))
    target = rng.choice(["tokenizer.json"] * 3 + [file for file in files if file.endswith(".json")])
    directory = laid_out(place, f"{name}-{target}", files)
    (directory / target).write_bytes(mutant(files[target], rng, target))
    loaded = Tokenizer.load(directory)
    right.tokenizer_is_right(loaded, rng.sample(right.TEXTS, 2) + rng.sample(right.WRITTEN, 2))
    return "right"


def template(rng, place):
    name, files = rng.choice(list(originals.tokenizers().items()))
    config = json.loads(files["tokenizer_config.json"])
    text = config.pop("chat_template", None) or files["chat_template.jinja"].decode()
    files = files | {"tokenizer_config.json": json.dumps(config).encode()}
    directory = laid_out(place, f"template-{name}", files)
    (directory / "chat_template.jinja").write_bytes(mutant_of_template(text, rng))
    right.chat(Tokenizer.load(directory))
    return "right"


SNIPPETS = [
    "{% for i in range(1000000000) %}{% endfor %}",
    "{{ 'a' * 10**9 }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ messages }}",
    "{% include 'x' %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{#",
    "{%",
    "{{",
    "{{ 1/0 }}",
    "\u202e",
    "{% raw %}",
    "{{ raise_exception('no') }}",
    "{{ messages | tojson }}",
    "{{ strftime_now('%Y') }}",
    "<|im_start|>system\n",
    "{{ '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}",
    "{{ messages[0]['content'] }}",
    "{{ bos_token }}",
    "\ud800",
    "{% set ns = namespace(x=[]) %}",
    "{{ range(99999) | list }}",
    "{% if messages[-1]['role'] == 'user' %}",
    "{% endif %}",
    "{{- '\\n' }}",
    "{% generation %}",
    "{% endgeneration %}",
    "{{ messages[0].content | replace('a', 'a' * 9999) }}",
]


def mutant_of_template(text, rng):
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, to = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        way = rng.randrange(7)
        if way == 0:
            text = text[:at] + rng.choice(SNIPPETS) + text[at:]
        elif way == 1:
            text = text[:at] + text[to:]
        elif way == 2:
            text = (
                text[:at]
                + rng.choice((" ", "\n", "{", "{{", "{% if x %}", "(", "\\n")) * rng.choice((1, 9, 5000))
                + text[at:]
            )
        elif way == 3:
            old = rng.choice(
                ("<|im_start|>", "<|im_end|>", "content", "role", "user", "message", "{{", "'", "|", "if", "\n")
            )
            text = text.replace(old, rng.choice(("", " ", "x", "<|im_end|>", "role", '"', "not")), rng.choice((1, -1)))
        elif way == 4:
            text = text[:at] + text[at:to] * 2 + text[to:]
        elif way == 5:
            text = rng.choice(SNIPPETS) + text
        else:
            text += rng.choice(SNIPPETS)
    data = text.encode(errors="surrogatepass")
    return mutant_of_bytes(data, rng) if rng.random() < 0.1 else data


def safetensors(rng, place):
    files = originals.model()
    directory = laid_out(place, "safetensors", files)
    content = files["model.safetensors"]
    size = int.from_bytes(content[:8], "little")
    if rng.random() < 0.5:
        head = mutant_of_json(json.loads(content[8 : 8 + size]), rng)
        content = (len(head) + rng.choice((0, 0, 0, 1, -1))).to_bytes(8, "little") + head + content[8 + size :]
    else:
        content = mutant_of_bytes(content, rng, 8 + size)
    (directory / "model.safetensors").write_bytes(content)
    right.model_is_right(directory, place / "again")
    return "right"


def index(rng, place):
    files = originals.sharded()
    directory = laid_out(place, "index", files)
    name = "model.safetensors.index.json"
    (directory / name).write_bytes(mutant(files[name], rng, name))
    right.model_is_right(directory, place / "again")
    return "right"


def gguf(rng, place):
    content = rng.choice(originals.ggufs())
    (place / "model.gguf").write_bytes(mutant_of_bytes(content, rng, rng.choice((300, 2000, 15000))))
    right.model_is_right(place / "model.gguf", place / "again")
    return "right"


ROWS = [
    right.said("Which is it?", "This one.", "And then?", "That one."),
    {"messages": [{"role": "system", "content": "Be brief."}, *right.said("Hi", "Hello")["messages"]]},
    {"prompt": "a b", "completion": " c"},
    {"prompt": right.said("Hi")["messages"], "completion": [{"role": "assistant", "content": "Hello"}]},
    {"instruction": "Add.", "input": "1 2", "output": "3"},
    {"instruction": "Add.", "context": "1 2", "response": "3", "category": "sums"},
    {"text": "Once upon a time."},
    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
    {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": "b", "weight": 0.5},
        ]
    },
    {
        "messages": [
            *right.said("Hi")["messages"],
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
        ]
    },
    {"messages": None, "prompt": "Hi <|im_end|>", "completion": "<|endoftext|>", "weight": 2},
    right.said("Hi")["messages"] + [{"role": "assistant", "content": "Hello"}],
]


def content_of_rows(rng):
    """(name, bytes) of a file of rows, one of which is a mutant: a row a line, one array, a table, or compressed."""
    chosen = [rng.choice(ROWS) for _ in range(rng.choice((1, 1, 2, 3)))]
    lines = [json.dumps(row).encode() for row in chosen]
    lines[-1] = mutant_of_json(chosen[-1], rng)
    form = rng.randrange(10)
    if form == 0:
        return "rows.json", b"[" + b",".join(lines) + b"]"
    if form == 1 and isinstance(chosen[0], dict):
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerows(
            [chosen[0].keys(), [value if isinstance(value, str) else json.dumps(value) for value in chosen[0].values()]]
        )
        return "rows.csv", mutant_of_bytes(table.getvalue().encode(), rng)
    content = rng.choice((b"\n", b"\n", b"\r\n", b"\n\n", b"")).join(lines)
    if form == 2:
        return "rows.jsonl.gz", mutant_of_bytes(gzip.compress(content, 1), rng)
    content = mutant_of_bytes(content, rng) if form == 3 else content
    return rng.choice(("rows.jsonl", "rows.ndjson", "rows.JSONL", "rows")), content


@cache
def chatml(place):
    return Tokenizer.load(laid_out(place, "rows-chatml", originals.tokenizers()["chatml"]))


def rows(rng, place):
    tokenizer = chatml(place)
    name, content = content_of_rows(rng)
    if rng.random() < 0.3:
        content = content.replace(b"Hi", rng.choice(right.WRITTEN).encode())
    special = list(tokenizer.special_tokens.values())

    def encoded(content):
        (place / name).write_bytes(content)
        return [data.encode(example, tokenizer) for example in data.read([place / name])]

    sequences = encoded(content)
    for s in sequences:
        right.require(len(s.ids) == len(s.is_y), "ids and is_y of other lengths")
        right.require(((s.ids >= 0) & (s.ids < tokenizer.vocab_size)).all(), "an id beyond the vocabulary")
    if b"<|" in content and not name.endswith(".gz"):
        other = encoded(content.replace(b"<|", b"[["))
        counts = [sum(int(np.isin(s.ids, special).sum()) for s in part) for part in (sequences, other)]
        right.require(counts[0] == counts[1], "special tokens out of a row", counts)
    return "right"


def every():
    """All kinds; that of GGUF only where the package is."""
    kinds = [
        Kind("config", 250, config, originals.configs),
        Kind("tokenizer", 100, tokenizer, originals.tokenizers),
        Kind("combinations", 150, combinations.run, combinations.prepare),
        Kind("template", 50, template, originals.tokenizers),
        Kind("safetensors", 70, safetensors, originals.model),
        Kind("index", 50, index, originals.sharded),
        Kind("gguf", 60, gguf, originals.ggufs),
        Kind("rows", 240, rows, originals.tokenizers),
        Kind("record", 3, commands.record, commands.prepare),
        Kind("metrics", 3, commands.metrics, commands.prepare),
        Kind("counters", 3, commands.counters, commands.prepare),
        Kind("moments", 3, commands.moments, commands.prepare),
        Kind("flags", 6, commands.flags, commands.prepare),
    ]
    return [kind for kind in kinds if kind.name != "gguf" or originals.small_gguf]
