"""The files of a tokenizer, ours and those of others: what is read, what is written back, and what is refused."""

import json

import pytest
from support import small_tokenizer
from support.conversations import render
from support.refusals import refusal
from support.small_tokenizer import ASSISTANT, SYSTEM, USER, edit
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers

from minisft.formats.chat_templates import CHAT_TEMPLATE
from minisft.tokenizer import Tokenizer

PLAIN_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
tokenizer, directory = small_tokenizer.fixtures


def settings(directory, **changes):
    edit(directory / "tokenizer_config.json", lambda config: config.update(changes))


def without_template(directory, template=None):
    """The same model with its template elsewhere: the file removed, or replaced."""
    (directory / "chat_template.jinja").unlink()
    if template is not None:
        (directory / "chat_template.jinja").write_text(template)


# What is read, and written back


def test_a_saved_tokenizer_loads_as_the_same(tokenizer, directory):
    loaded = Tokenizer.load(directory)
    assert (loaded.source, loaded.config, loaded.template) == (tokenizer.source, tokenizer.config, tokenizer.template)
    assert render(loaded, [USER, ASSISTANT]) == render(tokenizer, [USER, ASSISTANT])


def test_saving_writes_three_files_and_the_context(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "new" / "model", model_max_length=64)
    assert sorted(path.name for path in (tmp_path / "new" / "model").iterdir()) == [
        "chat_template.jinja",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert json.loads((tmp_path / "new" / "model" / "tokenizer_config.json").read_text()) == {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": "<|endoftext|>",
        "pad_token": None,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 64,
    }


def test_a_foreign_tokenizer_and_its_template_are_written_back_unchanged(directory, tmp_path):
    edit(directory / "tokenizer.json", lambda value: value["added_tokens"][0].update(special=False))
    without_template(directory, PLAIN_CHATML)
    settings(directory, something="else", model_max_length=10)
    Tokenizer.load(directory).save(tmp_path / "again")
    for name in ("tokenizer.json", "chat_template.jinja"):
        assert (tmp_path / "again" / name).read_bytes() == (directory / name).read_bytes()
    read = [json.loads((path / "tokenizer_config.json").read_text()) for path in (directory, tmp_path / "again")]
    assert read[0] == read[1]


@pytest.mark.parametrize("eos", ["<|im_end|>", {"content": "<|im_end|>", "lstrip": False}])
@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json"])
def test_the_eos_token_is_a_string_or_an_object_in_either_file(directory, name, eos):
    settings(directory, eos_token=None)
    edit(directory / name, lambda value: value.update(eos_token=eos))
    assert Tokenizer.load(directory).eos_id == 2


def test_tokenizer_config_has_the_last_word_on_the_eos_token(directory):
    edit(directory / "special_tokens_map.json", lambda value: value.update(eos_token="<|im_end|>"))
    assert Tokenizer.load(directory).eos_id == 0


def test_an_eos_token_from_special_tokens_map_is_not_lost_when_saving(directory, tmp_path):
    (directory / "tokenizer_config.json").unlink()
    edit(directory / "special_tokens_map.json", lambda value: value.update(eos_token="<|im_end|>"))
    Tokenizer.load(directory).save(tmp_path / "again")
    (directory / "special_tokens_map.json").unlink()
    assert Tokenizer.load(tmp_path / "again").eos_id == 2
    assert Tokenizer.load(tmp_path / "again").config["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_a_model_without_a_template_gets_chatml(directory):
    without_template(directory)
    assert Tokenizer.load(directory).template == CHAT_TEMPLATE


@pytest.mark.parametrize("place", ["file", "config", "named"])
def test_a_template_is_found_in_its_file_or_in_tokenizer_config(directory, place):
    without_template(directory, PLAIN_CHATML if place == "file" else None)
    settings(
        directory,
        chat_template={
            "file": "ignored",
            "config": PLAIN_CHATML,
            "named": [{"name": "tool_use", "template": "another"}, {"name": "default", "template": PLAIN_CHATML}],
        }[place],
    )
    assert Tokenizer.load(directory).template == PLAIN_CHATML


@pytest.mark.parametrize(
    "turn", ["{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}", "<|im_start|>system\nBe kind.<|im_end|>\n"]
)
def test_a_default_system_turn_of_a_template_is_written_where_there_is_none(directory, turn):
    without_template(directory, "{% if messages[0]['role'] != 'system' %}" + turn + "{% endif %}" + PLAIN_CHATML)
    loaded, system = Tokenizer.load(directory), {"role": "system", "content": "Be kind."}
    assert render(loaded, [USER, ASSISTANT]) == render(loaded, [system, USER, ASSISTANT])
    assert render(loaded, [SYSTEM, USER, ASSISTANT]) != render(loaded, [USER, ASSISTANT])


# Refusals


def test_a_missing_tokenizer_is_refused(directory):
    (directory / "tokenizer.json").unlink()
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", "No such file")


@pytest.mark.parametrize("content", [b"", b'{"version": "1.0", "mod', b"{}", b"[1, 2]", b"\xff\xfe\x00", b"not json"])
def test_a_broken_tokenizer_is_refused(directory, content):
    (directory / "tokenizer.json").write_bytes(content)
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", "damaged")


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json"])
@pytest.mark.parametrize(
    "content, word",
    [
        (b"", "not valid JSON"),
        (b'{"eos_tok', "not valid JSON"),
        (b"[1]", "JSON object"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_broken_settings_are_refused(directory, name, content, word):
    settings(directory, eos_token=None)
    (directory / name).write_bytes(content)
    refusal(lambda: Tokenizer.load(directory), directory / name, word)


@pytest.mark.parametrize("eos", [None, 7, {"content": None}])
def test_a_tokenizer_without_an_eos_token_is_refused(directory, eos):
    settings(directory, eos_token=eos)
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer_config.json", "eos_token")


def test_an_eos_token_outside_the_vocabulary_is_refused(directory):
    settings(directory, eos_token="</s>")
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", '"</s>"', "eos_token")


@pytest.mark.parametrize("template", ["", " ", 7, {"default": PLAIN_CHATML}, "{% if", "{{ no.such.thing }}"])
def test_a_template_that_cannot_be_rendered_is_refused_when_a_conversation_is_and_not_before(directory, template):
    without_template(directory)
    settings(directory, chat_template=template)
    loaded = Tokenizer.load(directory)
    assert loaded.decode(loaded.encode("the cat")) == "the cat"
    assert loaded.stop_ids == [0]
    refusal(lambda: render(loaded, [USER, ASSISTANT]), directory / "tokenizer_config.json", "chat template")


def test_a_template_file_that_is_not_utf8_is_refused(directory):
    (directory / "chat_template.jinja").write_bytes(b"<|im_start|>\xff<|im_end|>")
    refusal(lambda: Tokenizer.load(directory), directory / "chat_template.jinja", "UTF-8")


@pytest.mark.parametrize("token", ["<|im_start|>", "<|im_end|>"])
def test_without_the_chatml_tokens_chat_is_refused_and_plain_text_works(directory, token):
    renamed = "<|another|>"

    def rename(value):
        value["model"]["vocab"][renamed] = value["model"]["vocab"].pop(token)
        [entry.update(content=renamed) for entry in value["added_tokens"] if entry["content"] == token]

    edit(directory / "tokenizer.json", rename)
    loaded = Tokenizer.load(directory)
    assert loaded.decode(loaded.encode("the cat")) == "the cat"
    assert loaded.end_of_turn_id == (None if token == "<|im_end|>" else 2)
    refusal(lambda: render(loaded, [USER]), "tokenizer.json", token, "cannot chat")


@pytest.mark.parametrize(
    "change",
    [
        lambda backend: setattr(backend, "pre_tokenizer", pre_tokenizers.ByteLevel(add_prefix_space=True)),
        lambda backend: setattr(backend, "normalizer", normalizers.Prepend("▁")),
    ],
)
def test_a_tokenizer_that_puts_a_space_before_every_text_is_refused(directory, change):
    backend = Backend.from_file(str(directory / "tokenizer.json"))
    change(backend)
    backend.save(str(directory / "tokenizer.json"))
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", "before every text")


def test_a_file_that_cannot_be_written_is_refused(tokenizer, tmp_path):
    (tmp_path / "file").write_text("in the way")
    refusal(
        lambda: tokenizer.save(tmp_path / "file" / "model"), tmp_path / "file" / "model" / "tokenizer.json", "written"
    )


def test_an_empty_vocabulary_is_refused(directory):
    empty = Backend(models.BPE())
    empty.pre_tokenizer = pre_tokenizers.ByteLevel()
    empty.save(str(directory / "tokenizer.json"))
    refusal(lambda: Tokenizer.load(directory), directory / "tokenizer.json", "eos_token")


@pytest.mark.parametrize("entry", [{"name": ["default"], "template": "x"}, {"name": {}}, 5, None, {"name": "default"}])
def test_a_list_of_templates_without_a_default_one_is_refused_whatever_the_names_are(directory, entry):
    without_template(directory)
    settings(directory, chat_template=[entry])
    if entry == {"name": "default"}:  # a name without a template: as if there were none
        assert Tokenizer.load(directory).template == CHAT_TEMPLATE
    else:
        refusal(
            lambda: render(Tokenizer.load(directory), [USER]), directory / "tokenizer_config.json", "no chat template"
        )
