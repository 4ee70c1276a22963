"""The real chat templates that other packages carry, beside transformers: the same ids, or refused by name.

Those of TRL are always here; those of axolotl and unsloth if the packages are installed, without what they depend on.
"""

import ast
import json
import re
from collections import Counter
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from support.refusals import refusal
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend
from transformers import AutoTokenizer

from minisft import data
from minisft.errors import MinisftError
from minisft.tokenizer import Tokenizer

CONTROL = re.compile(
    r"<\|[^|<>\s']+\|>|<｜[^｜<>']+｜>|\[/?[A-Z_]+\]|\[\|\w+\|\]|</?s>|<(?:start|end)_of_(?:turn|utterance)>|<[A-Z]+_TOKEN>"
    r"|<turn\|>|<\|turn>|<bos>|<eos>"
)
ENDS = ["<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "<turn|>", "<｜end▁of▁sentence｜>", "<|eot|>"]
ENDS += ["<|END_OF_TURN_TOKEN|>", "<|end_of_text|>", "<end_of_utterance>", "[|endofturn|]", "</s>"]
BEGINS = ["<|begin_of_text|>", "<bos>", "<｜begin▁of▁sentence｜>", "<BOS_TOKEN>", "<|startoftext|>", "<s>"]
WORDS = (  # as Qwen2 cuts them
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def said(*texts, system=None):
    roles = ("user", "assistant") * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts)]
    return [{"role": "system", "content": system}, *messages] if system else messages


TALKS = {
    "one turn": said("Hi there", "Hello, you."),
    "three turns": said("Hi", "Hello", "And now?", "Now this.", "Bye", "Good bye"),
    "system": said("Hi", "Hello", system="Be brief."),
    "thoughts": said("What is 2+2?", "<think>\nTwo and two.\n</think>\n\nIt is 4."),
    "white space": said("  Hi \n", "\n  Hello  \n", "\n\nAnd", " b "),
    "repeated": said("a", "a", "a", "a"),
}


def folder(package):
    found = find_spec(package)
    return Path(found.origin).parent if found and found.origin else Path("nowhere")


def templates():
    """{name: template}"""
    files = [*(folder("trl") / "chat_templates").glob("*.jinja"), *folder("axolotl").glob("utils/**/*.jinja")]
    result = {f"{file.parents[1].name} {file.stem}": file.read_text() for file in sorted(files)}
    source = folder("unsloth") / "chat_templates.py"
    for node in ast.parse(source.read_text()).body if source.exists() else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            name, text = ast.unparse(node.targets[0]), node.value.value
            if name.endswith("_template") and "{%" in text:
                result[f"unsloth {name}"] = text.replace("{system_message}", "Be kind.")
    return result


TEMPLATES = templates()


@pytest.fixture(scope="module")
def backend():
    result = Backend(models.BPE())
    result.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    result.decoder = decoders.ByteLevel()
    texts = ["user assistant system model\n\n  Hello you, think\n And Good bye what is this"] * 20
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    result.train_from_iterator(texts, trainer)
    return result.to_str()


def both(source, template, directory):
    """(ours, transformers') of a tokenizer that has the special tokens which a template writes."""
    backend, eos = Backend.from_str(source), next((token for token in ENDS if token in template), ENDS[-1])
    bos = next((token for token in BEGINS if token in template), BEGINS[-1])
    special = dict.fromkeys(
        (*CONTROL.findall(template), bos, eos, "<|user|>", "<|assistant|>", "<|system|>", "<|end|>")
    )
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    backend.add_tokens([AddedToken(token, normalized=False) for token in ("<think>", "</think>")])
    backend.save(str(directory / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos, "pad_token": eos}
    (directory / "tokenizer_config.json").write_text(json.dumps(config | {"clean_up_tokenization_spaces": False}))
    (directory / "chat_template.jinja").write_text(template)
    return Tokenizer.load(directory), AutoTokenizer.from_pretrained(directory)


def ids_of(theirs, messages, asked=False):
    return theirs.apply_chat_template(messages, add_generation_prompt=asked)["input_ids"]


def prompts_of(theirs, messages):
    """{number of an answer: the ids that ask for it}, None where the template asks for none."""
    result = {}
    for i in (i for i, message in enumerate(messages) if message["role"] == "assistant"):
        try:
            result[i] = ids_of(theirs, messages[:i], asked=True)
        except Exception:
            result[i] = None
    return result


def is_plain(theirs, special, messages, ids, prompts):
    """Whether every prompt is a prefix and a special token ends every answer, with nothing but it in between."""
    for i, prompt in prompts.items():
        if prompt is None or ids[: len(prompt)] != prompt:
            return False
        rest = ids[len(prompt) :]
        end = next((n for n, token in enumerate(rest) if token in special), None)
        if end is None or "".join(theirs.decode(rest[:end]).split()) != "".join(messages[i]["content"].split()):
            return False
    return True


def judged(ours, theirs, name, messages):
    """What became of a conversation."""
    try:
        ids = ids_of(theirs, messages)
    except Exception:  # the template refuses it
        refusal(lambda: data.encode(data.Example([], messages, "here"), ours), "here: ")
        return {"refused by the template"}
    prompts = prompts_of(theirs, messages)
    plain = is_plain(theirs, ours.special_ids, messages, ids, prompts)
    outcome = {"rendered", *(["plain"] if plain else [])}
    try:
        sequence = data.encode(data.Example([], messages, "file:7"), ours)
    except MinisftError as error:
        assert str(error).startswith("file:7: ")
        return {*outcome, *(["plain, refused"] if plain else [])}
    found = sequence.ids.tolist()
    if name != "white space" or ours.decode(found) != ours.decode(ids):
        assert found == ids
        assert ours.prompt(messages[:-1]) == prompts[len(messages) - 1]
    bounds = [0, *(i for i in range(1, len(found)) if sequence.is_y[i] != sequence.is_y[i - 1]), len(found)]
    answers = [(a, b) for a, b in pairwise(bounds) if sequence.is_y[a]]
    assert len(answers) == len(prompts)
    for (begin, end), (i, prompt) in zip(answers, prompts.items()):
        assert found[end - 1] in ours.special_ids  # its end token, and nothing of another message
        text = "".join(map(ours.token_text, found[begin:end]))
        assert "".join(messages[i]["content"].split()).removeprefix("<think>") in "".join(text.split())
        if prompt is not None and found[: len(prompt)] == prompt and not plain:
            assert begin <= len(prompt)
        if plain and found == ids:  # the second opinion: y is what the rendering has more than the prompt
            assert begin == len(prompt)
            assert end == next(n for n in range(begin, len(found)) if found[n] in ours.special_ids) + 1
    return {*outcome, "read", *(["plain, read"] if plain else [])}


@pytest.fixture(scope="module")
def counts():
    return Counter()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_real_template_gives_the_ids_of_transformers_and_y_is_its_answers_or_it_is_refused(
    name, backend, counts, tmp_path
):
    ours, theirs = both(backend, TEMPLATES[name], tmp_path)
    for talk, messages in TALKS.items():
        counts.update(judged(ours, theirs, talk, messages))


def test_nine_in_ten_of_the_renderings_that_say_plainly_where_an_answer_is_are_read(counts):
    print(f"\n{len(TEMPLATES)} templates: {dict(counts)}")
    assert counts["rendered"] > 5 * len(TEMPLATES)
    assert counts["plain, read"] >= 0.9 * counts["plain"]
