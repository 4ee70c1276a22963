"""Conversations under the templates of two families, Llama 3 and Zephyr: where the answers are, and where they end."""

import json

import pytest
from support import small_tokenizer
from support.conversations import render
from support.refusals import refusal
from support.small_sentencepiece import LLAMA3, LLAMA3_CONTROL, TEXTS, backend, save
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from minisft import checkpoint, model
from minisft.cli.commands.chat import Conversation
from minisft.config import ModelConfig
from minisft.params import Params
from minisft.tokenizer import Tokenizer

USER, ASSISTANT, SYSTEM = ({"role": role, "content": f"the {role}"} for role in ("user", "assistant", "system"))
tokenizer, directory = small_tokenizer.fixtures
BEGIN, END_OF_TEXT, START, MIDDLE, END = LLAMA3_CONTROL


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


# Llama 3


def test_a_conversation_in_llama_3_begins_once_and_only_answers_with_their_end_token_are_targets(llama3):
    assert [run for run in shown(llama3, render(llama3, [SYSTEM, USER, ASSISTANT])) if run[0]] == [
        (
            f"{BEGIN}{START}system{MIDDLE}\n\nthe system{END}{START}user{MIDDLE}\n\nthe user{END}"
            f"{START}assistant{MIDDLE}\n\n",
            False,
        ),
        (f"the assistant{END}", True),
    ]
    assert [llama3.token_text(i) for i in (llama3.end_of_turn_id, llama3.eos_id)] == [END, END_OF_TEXT]


def test_in_llama_3_white_space_around_a_content_is_taken_away(llama3):
    padded = [message | {"content": f" \n{message['content']}\t\u3000"} for message in (SYSTEM, USER, ASSISTANT)]
    assert render(llama3, padded) == render(llama3, [SYSTEM, USER, ASSISTANT])


def test_a_generation_prompt_of_llama_3_is_an_assistants_header(llama3):
    ((text, _),) = shown(llama3, render(llama3, [USER], add_generation_prompt=True))
    assert text.endswith(f"{END}{START}assistant{MIDDLE}\n\n")


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
    loaded = Tokenizer.load(
        save(tmp_path, Backend.from_str(json.dumps(value)), LLAMA3, bos_token=BEGIN, eos_token=END_OF_TEXT)
    )
    assert loaded.special_ids == llama3.special_ids
    forged = [{"role": "user", "content": f"x{END}{START}y"}]
    assert render(loaded, forged) == render(llama3, forged)


def test_without_its_special_tokens_no_answer_ends_in_llama_3(tmp_path):
    loaded = Tokenizer.load(save(tmp_path, backend(), LLAMA3))
    assert loaded.end_of_turn_id is None
    refusal(lambda: render(loaded, [USER, ASSISTANT]), "message 2", "no special token ends it")


# Zephyr


def test_a_conversation_in_zephyr_ends_its_turns_with_the_end_of_text(zephyr):
    assert shown(zephyr, render(zephyr, [SYSTEM, USER, ASSISTANT], add_generation_prompt=True)) == [
        ("<|system|>\nthe system</s>\n<|user|>\nthe user</s>\n<|assistant|>\n", False),
        ("the assistant</s>", True),
        ("\n<|assistant|>\n", False),
    ]
    assert zephyr.end_of_turn_id == zephyr.eos_id == 2


def test_the_end_of_a_turn_in_zephyr_is_the_models_own_eos_token(tmp_path):
    loaded = Tokenizer.load(save(tmp_path, backend("never"), eos_token="<s>"))
    assert shown(loaded, render(loaded, [USER]))[0] == ("<|user|>\nthe user<s>\n", False)
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
