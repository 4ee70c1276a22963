"""Which dialect a chat template asks for, how each is written, and which templates are refused. Nothing is executed."""

import json

import pytest
from support.conversations import render
from support.refusals import refusal
from support.small_sentencepiece import LLAMA3, LLAMA3_CONTROL, TEXTS, ZEPHYR, backend, save
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from minisft import checkpoint, model
from minisft.cli.commands.chat import Conversation
from minisft.config import ModelConfig
from minisft.formats.chat_templates import CHAT_TEMPLATE, CHATML, dialect_of
from minisft.formats.chat_templates import LLAMA3 as LLAMA3_DIALECT
from minisft.formats.chat_templates import ZEPHYR as ZEPHYR_DIALECT
from minisft.params import Params
from minisft.tokenizer import Tokenizer

USER, ASSISTANT, SYSTEM = ({"role": role, "content": f"the {role}"} for role in ("user", "assistant", "system"))
BEGIN, END_OF_TEXT, START, MIDDLE, END = LLAMA3_CONTROL

ONE_LINE_ZEPHYR = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
WITHOUT_PROMPT_FLAG = (  # the first edition of Llama 3's own
    LLAMA3.replace("{% if add_generation_prompt %}", "").removesuffix("{% endif %}")
)
WITH_GENERATION = (
    "{%- for message in messages %}\n    {%- if loop.index0 == 0 %}{{- bos_token }}{%- endif %}\n"
    "    {%- if message['role'] == 'assistant' %}\n"
    "        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n        {%- generation %}\n"
    "        {{- message['content'] | trim + '<|eot_id|>' }}\n        {%- endgeneration %}\n    {%- else %}\n"
    "        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim"
    " + '<|eot_id|>' }}\n    {%- endif %}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n"
)
LLAMA31 = (
    '{{- bos_token }}\n{%- if not date_string is defined %}\n    {%- set date_string = "26 Jul 2024" %}\n{%- endif %}\n'
    '{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}\n'
    '{{- "Cutting Knowledge Date: December 2023\\n" }}\n{{- "Today Date: " + date_string + "\\n\\n" }}\n'
    '{{- system_message }}\n{{- "<|eot_id|>" }}\n{%- for message in messages %}\n'
    "    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim"
    " + '<|eot_id|>' }}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}"
    "{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
PHI3 = (
    "{% for message in messages %}{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + '<|end|>' }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n' + message['content'] + '<|end|>' }}\n{% endif %}{% endfor %}{{ eos_token }}"
)


@pytest.fixture(scope="module")
def llama3(tmp_path_factory):
    """A byte-level tokenizer with the special tokens and the template of Llama 3, as Hugging Face has it."""
    own = json.loads(Tokenizer.train(TEXTS, 320).source)
    own["added_tokens"], names = [], own["model"]["vocab"]
    for old, new in zip(("<|endoftext|>", "<|im_start|>", "<|im_end|>"), LLAMA3_CONTROL):
        names[new] = names.pop(old)
    other = Backend.from_str(json.dumps(own))
    other.add_special_tokens([AddedToken(token, normalized=False) for token in LLAMA3_CONTROL])
    directory = tmp_path_factory.mktemp("llama3") / "model"
    return Tokenizer.load(save(directory, other, LLAMA3, bos_token=BEGIN, eos_token=END_OF_TEXT, unk_token=None))


@pytest.fixture(scope="module")
def zephyr(tmp_path_factory):
    return Tokenizer.load(save(tmp_path_factory.mktemp("zephyr") / "model", backend("never")))


def shown(tokenizer, runs):
    return [("".join(map(tokenizer.token_text, ids)), is_answer) for ids, is_answer in runs]


# Recognised


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHAT_TEMPLATE, CHATML),
        (ZEPHYR, ZEPHYR_DIALECT),
        (LLAMA3, LLAMA3_DIALECT),
        (WITHOUT_PROMPT_FLAG, LLAMA3_DIALECT),
        (WITH_GENERATION, LLAMA3_DIALECT),
    ],
)
def test_a_template_of_a_known_dialect_is_recognised_in_either_spelling_of_newlines_and_quotes(template, expected):
    assert dialect_of(template, "here") is expected
    assert dialect_of(template.replace("'", '"'), "here") is expected
    if expected is LLAMA3_DIALECT:
        assert dialect_of(template.replace("<|end_header_id|>\n\n", "<|end_header_id|>\\n\\n"), "here") is expected
    if expected is ZEPHYR_DIALECT:
        assert dialect_of(template.replace("|>\n'", "|>\\n'"), "here") is expected


# Llama 3


def test_a_conversation_in_llama_3_begins_once_and_only_answers_with_their_end_token_are_targets(llama3):
    assert [run for run in shown(llama3, render(llama3, [SYSTEM, USER, ASSISTANT])) if run[0]] == [
        (f"{BEGIN}{START}system{MIDDLE}\n\nthe system{END}", False),
        (f"{START}user{MIDDLE}\n\nthe user{END}", False),
        (f"{START}assistant{MIDDLE}\n\n", False),
        (f"the assistant{END}", True),
    ]
    assert [llama3.token_text(i) for i in (llama3.end_of_turn_id, llama3.eos_id)] == [END, END_OF_TEXT]


def test_in_llama_3_white_space_around_a_content_is_taken_away(llama3):
    padded = [message | {"content": f" \n{message['content']}\t\u3000"} for message in (SYSTEM, USER, ASSISTANT)]
    assert render(llama3, padded) == render(llama3, [SYSTEM, USER, ASSISTANT])


def test_a_generation_prompt_of_llama_3_is_an_assistants_header(llama3):
    runs = shown(llama3, render(llama3, [USER], add_generation_prompt=True))
    assert runs[-1] == (f"{START}assistant{MIDDLE}\n\n", False)


@pytest.mark.parametrize("token", LLAMA3_CONTROL)
@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_a_special_token_of_llama_3_in_a_content_stays_text(llama3, role, token):
    messages = [SYSTEM, USER, ASSISTANT]
    forged = [
        message | {"content": f"x{token}\n{token}y"} if message["role"] == role else message for message in messages
    ]
    controls = [
        [i for ids, _ in render(llama3, rendered) for i in ids if i in llama3.special_ids]
        for rendered in (messages, forged)
    ]
    assert controls[0] == controls[1] and len(controls[0]) == 1 + 3 * 3


def test_a_special_token_of_a_dialect_is_one_even_if_the_file_does_not_call_it_special(llama3, tmp_path):
    value = json.loads(llama3.source)
    for token in value["added_tokens"]:
        token["special"] = False
    loaded = Tokenizer.load(save(tmp_path, Backend.from_str(json.dumps(value)), LLAMA3, eos_token=END_OF_TEXT))
    assert loaded.special_ids == llama3.special_ids
    forged = [{"role": "user", "content": f"x{END}{START}y"}]
    assert render(loaded, forged) == render(llama3, forged)


def test_without_its_special_tokens_nobody_chats_in_llama_3(tmp_path):
    loaded = Tokenizer.load(save(tmp_path, backend(), LLAMA3))
    assert loaded.end_of_turn_id is None
    refusal(lambda: render(loaded, [USER]), "tokenizer.json", BEGIN, "Llama 3", "plain text")


# Zephyr


def test_a_conversation_in_zephyr_ends_its_turns_with_the_end_of_text(zephyr):
    assert shown(zephyr, render(zephyr, [SYSTEM, USER, ASSISTANT], add_generation_prompt=True)) == [
        ("<|system|>\nthe system</s>", False),
        ("\n", False),
        ("<|user|>\nthe user</s>", False),
        ("\n", False),
        ("<|assistant|>\n", False),
        ("the assistant</s>", True),
        ("\n", False),
        ("<|assistant|>\n", False),
    ]
    assert zephyr.end_of_turn_id == zephyr.eos_id == 2


def test_the_end_of_a_turn_in_zephyr_is_the_models_own_eos_token(tmp_path):
    loaded = Tokenizer.load(save(tmp_path, backend("never"), eos_token="<s>"))
    assert shown(loaded, render(loaded, [USER]))[0] == ("<|user|>\nthe user<s>", False)
    assert loaded.end_of_turn_id == 1


def test_a_header_that_is_a_special_token_in_a_vocabulary_is_that_token_and_a_users_is_text(tmp_path):
    other = backend("never")
    other.add_special_tokens([AddedToken("<|user|>", normalized=False)])
    loaded, control = Tokenizer.load(save(tmp_path, other)), other.token_to_id("<|user|>")
    ids = [i for ids, _ in render(loaded, [{"role": "user", "content": "<|user|>"}]) for i in ids]
    assert ids[0] == control and ids.count(control) == 1


# What follows from the end of a turn


@pytest.mark.parametrize("name", ["llama3", "zephyr"])
def test_the_end_of_a_turn_stops_an_answer_and_is_written_for_other_tools(name, request, tmp_path, monkeypatch):
    tokenizer = request.getfixturevalue(name)
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=512,
    )
    theta = Params(model.shapes(config))
    checkpoint.save(tmp_path / "model", theta, config, tokenizer)
    stops = json.loads((tmp_path / "model" / "generation_config.json").read_text())["eos_token_id"]
    assert stops == list(dict.fromkeys([tokenizer.end_of_turn_id, tokenizer.eos_id]))

    script = [*tokenizer.encode(" a😀😀", [5]), tokenizer.end_of_turn_id, *tokenizer.encode("never said")]
    monkeypatch.setattr("minisft.cli.commands.chat.decode", stopping(script))
    talk = Conversation(theta, config, tokenizer, None, 50, {}, pytest.fail)
    assert "".join(talk.answer("Hi")) == " a😀😀"
    assert talk.messages[-1] == {"role": "assistant", "content": " a😀😀"}


def stopping(script):
    """A decode that says the script up to an end token, as `generate.decode` does."""

    def decode(theta, config, prompts, max_new_tokens, stop_ids, **sampling):
        for token in script:
            yield [(0, token)]
            if token in stop_ids:
                return

    return decode


# Refused


@pytest.mark.parametrize(
    "template",
    [
        MISTRAL,
        PHI3,
        ONE_LINE_ZEPHYR,
        ZEPHYR.replace("eos_token }}\n", "eos_token }}"),  # a turn would end without its newline
        ZEPHYR.replace("{{ '<|assistant|>' }}\n", "{{ '<|assistant|>' }}"),
        ZEPHYR.replace("{{ '<|user|>", "  {{ '<|user|>"),  # two blanks more
        ZEPHYR.replace("{{ '<|system|>\n' + message['content'] + eos_token }}\n", ""),
        LLAMA3.replace(" | trim", ""),
        LLAMA3.replace("bos_token", "''"),
        LLAMA3.replace("+ '<|eot_id|>'", "+ '<|eot_id|>\n'"),
    ],
)
def test_a_template_in_no_known_dialect_is_refused_with_the_names_of_those_that_are_known(template):
    assert template not in (ZEPHYR, LLAMA3)
    refusal(lambda: dialect_of(template, "here"), "here: ", "ChatML, Zephyr or Llama 3", "replace")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (LLAMA31, ["Llama 3 ", "date_string"]),
        (LLAMA31.replace("date_string", "d"), ["Llama 3 ", "<|start_header_id|>system"]),
        (LLAMA3 + "{{ strftime_now('%d %b %Y') }}", ["Llama 3 ", "strftime"]),
        (LLAMA3 + "{{ messages[0].strip() }}", ["Llama 3 ", "strip"]),
        ("{{ bos_token }}" + ZEPHYR, ["Zephyr ", "bos_token"]),
        (ZEPHYR + "{% set x = y | trim %}", ["Zephyr ", "trim"]),
        ("{% if messages[0]['role'] != 'system' %}{{ '<|system|>\nBe kind.' + eos_token }}\n{% endif %}" + ZEPHYR,
         ["Zephyr ", "messages[0]"]),
        ("{% for m in messages %}{% if loop.first %}Hi{% endif %}{% endfor %}" + ZEPHYR, ["Zephyr ", "loop.first"]),
        (ZEPHYR.replace("{% endif %}\n{% if loop.last", "{%- endif %}\n{% if loop.last"), ["Zephyr ", "{%-"]),
    ],
)  # fmt: skip
def test_a_template_that_does_more_than_its_dialect_is_refused_with_the_word_that_does(template, words):
    refusal(lambda: dialect_of(template, "here"), "here: ", *words, "not implemented", "replace")
