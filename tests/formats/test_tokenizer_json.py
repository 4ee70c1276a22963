"""What a tokenizer.json may ask for: what is not implemented, not bounded or in pieces is refused, and named."""

import json

import pytest
from support import small_sentencepiece, small_tokenizer
from support.commandline import minisft
from support.refusals import refusal
from support.small_tokenizer import edit
from tokenizers import Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from minisft.errors import quoted
from minisft.formats import tokenizer_json
from minisft.formats.gguf.read import WORDS
from minisft.formats.native import native
from minisft.tokenizer import Tokenizer

tokenizer, directory = small_tokenizer.fixtures
GPT_2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
BYTES_ONLY = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
NO_LENGTH = {"type": "Sequence", "pretokenizers": [{"type": "FixedLength", "length": 0}, BYTES_ONLY]}


def pattern(regex):
    return pre_tokenizers.Split(Regex(regex), "isolated")


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def in_turn(*steps, name="normalizers"):
    return {"type": "Sequence", name: list(steps)}


def refused(directory, *words, **parts):
    edit(directory / "tokenizer.json", lambda value: value.update(parts))
    return refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", *words)


# What is refused before the package sees it


@pytest.mark.parametrize(
    "model",
    [
        {"type": "WordLevel", "vocab": {"a": 0, "<|endoftext|>": 1}, "unk_token": "a"},
        {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "a", "continuing_subword_prefix": "##"},
        {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0], ["<|endoftext|>", -1.0]]},
    ],
    ids=lambda model: model["type"],
)
def test_a_model_other_than_bpe_is_refused(directory, model):
    refused(directory, f'"{model["type"]}"', "only BPE", model=model)


@pytest.mark.parametrize(
    "option", [{"dropout": 0.5}, {"continuing_subword_prefix": "##"}, {"end_of_word_suffix": "</w>"}], ids=str
)
def test_bpe_that_drops_merges_at_random_or_marks_the_parts_of_a_word_is_refused(directory, option):
    edit(directory / "tokenizer.json", lambda value: value["model"].update(option))
    refused(directory, *option)


@pytest.mark.parametrize("option", [{"dropout": None}, {"dropout": 0.0}, {"continuing_subword_prefix": ""}], ids=str)
def test_an_option_that_says_nothing_is_read(tokenizer, directory, option):
    edit(directory / "tokenizer.json", lambda value: value["model"].update(option))
    assert Tokenizer.load(directory).encode("the cat") == tokenizer.encode("the cat")


@pytest.mark.parametrize(
    "steps",
    [
        replace({"String": "a"}, "a" * 10**6),
        replace({"Regex": "x*"}, "a" * 10**4),
        replace({"String": ""}, "a" * 10**4),
        in_turn(*[replace({"String": " "}, "  ")] * 22),
        in_turn(in_turn(*[replace({"Regex": "a"}, "aa")] * 4), in_turn(*[replace({"Regex": "a"}, "aa")] * 4)),
        {"type": "Prepend", "prepend": "▁" * 10**4},
        replace({"String": "a"}, "a" * 10**6) | {"normalizers": []},  # no sequence, whatever else it has
        in_turn(*[{"type": "ByteLevel"}] * 20),
    ],
    ids=lambda steps: str(steps)[:60],
)
def test_a_normalizer_that_multiplies_a_text_is_refused(directory, steps):
    refused(directory, "normalizer", "memory", normalizer=steps)


def test_a_pre_tokenizer_that_spells_bytes_as_bytes_again_and_again_is_refused(directory):
    step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    refused(directory, "pre_tokenizer", "memory", pre_tokenizer=in_turn(*[step] * 20, name="pretokenizers"))


def test_a_decoder_that_multiplies_a_text_is_refused(directory):
    steps = [replace({"String": "a"}, "aa")] * 22
    refused(directory, "decoder", "memory", decoder=in_turn(*steps, name="decoders"))


def test_more_steps_than_any_model_has_are_refused(directory):
    refused(directory, "normalizer", "100000 steps", normalizer=in_turn(*[{"type": "NFC"}] * 100_000))


@pytest.mark.parametrize("part", tokenizer_json.PARTS)
@pytest.mark.parametrize("kind", ["Foo", None, 7, ["Prepend"], {}, "prepend", "Metaspaces", ""], ids=str)
def test_a_step_of_an_unknown_type_is_refused_whatever_its_fields_mean_to_the_package(directory, part, kind):
    """The package reads the first as a Prepend, whose growth nobody would have looked at."""
    step = {"type": kind, "prepend": "a" * 10**6, "pattern": {"String": "a"}, "content": "b"}
    refused(directory, part, "is not implemented", **{part: in_turn(step)} if part == "normalizer" else {part: step})
    del step["type"]
    refused(directory, part, "null is not implemented", **{part: step})


def test_a_key_that_comes_twice_is_refused(directory):
    """Python takes the last of them; others take the first."""
    path = directory / "tokenizer.json"
    twice = '"normalizer": {"type": "Prepend", "type": "NFC", "prepend": "a"}'
    path.write_text(path.read_text().replace('"normalizer": null', twice))
    refusal(lambda: Tokenizer.load(directory), path, "a key twice")


@pytest.mark.parametrize(
    ("content", "normalizer"),
    [
        ("\n", {"type": "Strip", "strip_left": True, "strip_right": True}),
        (" ", {"type": "Strip", "strip_left": False, "strip_right": True}),
        ("\u0301", {"type": "StripAccents"}),
        ("the", replace({"String": "the"}, "")),
        ("q", replace({"Regex": "[q-s]"}, "")),
    ],
)
def test_an_added_token_of_which_the_normalizer_leaves_nothing_is_refused(directory, content, normalizer):
    """The package would find it everywhere, again and again."""
    token = dict.fromkeys(("single_word", "lstrip", "rstrip", "special"), False) | {"id": 320, "content": content}

    def add(value):
        value["added_tokens"].append(token | {"normalized": True})
        value["normalizer"] = normalizer

    edit(directory / "tokenizer.json", add)
    refusal(
        lambda: Tokenizer.load(directory), directory / "tokenizer.json", "normalizer leaves nothing", quoted(content)
    )
    edit(directory / "tokenizer.json", lambda value: value["added_tokens"][-1].update(normalized=False))
    assert Tokenizer.load(directory).encode("cat")


@pytest.mark.parametrize("charsmap", ["", "AAAA", "/////wAAAAAA", "BAAAAP////8A"])
def test_a_table_of_characters_is_refused(directory, charsmap):
    refused(directory, "Precompiled", normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap})


@pytest.mark.parametrize(
    "steps",
    [
        None,
        in_turn(),
        in_turn({"type": "NFKC"}, {"type": "Lowercase"}),
        in_turn(replace({"String": "…"}, "..."), replace({"String": "``"}, '"')),
    ],
    ids=str,
)
def test_the_steps_of_models_that_exist_are_read(directory, steps):
    edit(directory / "tokenizer.json", lambda value: value.update(normalizer=steps))
    assert Tokenizer.load(directory).encode("the cat")


@pytest.mark.parametrize(
    "content",
    [
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"model": {"type": "BPE"}, "normalizer": ' + '{"type": "Sequence", "normalizers": [' * 400 + "]}" * 400 + "}",
        '{"model": []}',
        '{"model": {"type": "BPE", "vocab": {"a": ' + "9" * 5000 + '}, "merges": []}}',
        '{"model": {"type": "BPE", "vocab": {"a": NaN}, "merges": []}}',
        '{"model": {"type": "BPE", "merges": []}, "normalizer": {"type": "Sequence", "normalizers": 5}}',
        "[" * 100_000,
    ],
    ids=lambda content: content[:50],
)
def test_json_that_is_deep_huge_or_of_another_kind_is_refused(directory, content):
    (directory / "tokenizer.json").write_text(content)
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json")


# What the package does in a panic is named


def test_a_panic_of_the_package_is_no_exception_of_python_and_yet_refused(directory, capfd):
    regex = {"type": "Split", "pattern": {"Regex": "(a|a)*b|(x+x+)+y"}, "behavior": "Isolated", "invert": False}
    steps = in_turn(regex, BYTES_ONLY, name="pretokenizers")
    edit(directory / "tokenizer.json", lambda value: value.update(pre_tokenizer=steps))
    loaded = Tokenizer.load(directory)
    with pytest.raises(BaseException) as panic:
        loaded.backend.encode("x" * 40)
    assert not isinstance(panic.value, Exception)  # else nothing is tested
    refusal(lambda: loaded.encode("x" * 40), directory / "tokenizer.json", "fails on a text")


@pytest.mark.parametrize(
    "parts",
    [
        {"pre_tokenizer": NO_LENGTH},
        {"normalizer": replace({"String": ""}, "x")},
        {"normalizer": replace({"Regex": "("}, "x")},
        {"decoder": {"type": "Strip", "content": " ", "start": -1, "stop": 0}},
    ],
    ids=str,
)
def test_what_panics_or_fails_while_a_file_is_read_is_named(directory, parts, capfd):
    refused(directory, **parts)


def test_a_command_ends_in_one_line_of_ours_with_status_2(directory, tmp_path_factory, capfd):
    edit(directory / "tokenizer.json", lambda value: value.update(pre_tokenizer=NO_LENGTH))
    text, out = directory / "text.txt", tmp_path_factory.mktemp("out")
    text.write_text("the cat")
    assert minisft("pretrain", "--tokenizer", directory, "--data", text, "--output-dir", out) == 2
    ours = [line for line in capfd.readouterr().err.splitlines() if "minisft" in line and "error" in line]
    assert len(ours) == 1 and "tokenizer.json" in ours[0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_ctrl_c_an_exit_and_a_lack_of_memory_are_not_the_files_mistake(error):
    with pytest.raises(error), native("file", "is wrong"):
        raise error


# A special token in a text


def test_a_character_without_a_token_does_not_change_how_the_rest_is_spelled(tmp_path):
    """[UNK] is a special token, but no text spells it. Here the normalizer makes the character."""
    other = small_sentencepiece.backend("never")
    other.normalizer = normalizers.Replace("q", "東")
    value = json.loads(other.to_str())
    value["model"]["byte_fallback"] = False
    for byte in small_sentencepiece.BYTES:
        value["model"]["vocab"].setdefault(chr(int(byte[3:5], 16)), value["model"]["vocab"].pop(byte))
    small_sentencepiece.save(tmp_path, Backend.from_str(json.dumps(value)))
    loaded = Tokenizer.load(tmp_path)
    loaded.unknown_bytes = set()  # else the text would be refused
    assert loaded.encode("theqthe") == [*loaded.encode("the"), 0, *loaded.encode("the")]
    assert len(loaded.encode("the")) < 3


def test_a_character_that_is_itself_a_special_token_is_refused_in_a_text(directory):
    edit(directory / "tokenizer_config.json", lambda value: value.update(eos_token="."))
    loaded = Tokenizer.load(directory)
    assert loaded.eos_id == loaded.backend.token_to_id(".")
    assert loaded.encode("the cat")
    refusal(lambda: loaded.encode("the cat."), '"."', "special token")


# How far a word depends on what is around it


@pytest.mark.parametrize("digits", ["", "{1,3}"])
def test_the_patterns_of_models_that_exist_are_known(digits):
    backend = Backend(models.BPE())
    for steps in ([pattern(WORDS % digits)], [GPT_2], [pre_tokenizers.Digits(), GPT_2], [pattern(r"\p{N}{1,3}")]):
        backend.pre_tokenizer = pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(use_regex=False)])
        assert tokenizer_json.is_local(json.loads(backend.to_str()))


@pytest.mark.parametrize(
    "split",
    [
        pattern(r'".*?"|\s+|\S+'),  # a word may end anywhere behind
        pattern(r"(\w+ ){5}"),
        pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "contiguous"),
        pre_tokenizers.Split(Regex(r"\p{L}+"), "isolated", invert=True),
        pre_tokenizers.Split("ab", "isolated"),
        pre_tokenizers.UnicodeScripts(),
        pre_tokenizers.Sequence([GPT_2, pre_tokenizers.Digits()]),  # words of words
        pre_tokenizers.Sequence([pattern(WORDS % "{1,3}"), GPT_2]),
    ],
    ids=str,
)
def test_a_tokenizer_that_cuts_in_a_way_that_is_not_known_gets_the_text_whole(split):
    backend = Backend(models.BPE())
    backend.pre_tokenizer = split
    assert not tokenizer_json.is_local(json.loads(backend.to_str()))


@pytest.mark.parametrize(
    "normalizer",
    [
        normalizers.Strip(),
        normalizers.Replace(Regex(" +$"), ""),
        normalizers.Replace("ab", "c"),
        normalizers.BertNormalizer(),
        normalizers.Sequence([normalizers.NFC(), normalizers.Strip()]),
    ],
    ids=str,
)
def test_a_normalizer_that_looks_further_than_one_character_gets_the_text_whole(normalizer):
    backend = Backend(models.BPE())
    backend.normalizer = normalizer
    assert not tokenizer_json.is_local(json.loads(backend.to_str()))
