"""minisft chat: line by line, whole characters, a memory as long as the context."""

import io
import sys

import pytest
from support.commandline import minisft, subprocess_of
from support.conversations import render

from minisft import checkpoint


@pytest.fixture
def talk(monkeypatch, base, capsys):
    """(status, standard output, standard error) of a chat in which these lines are typed; every answer is given."""

    def run(typed, answers, *flags):
        scripts, prompts = iter(answers), []

        def decode(theta, config, prompt, max_new_tokens, stop_ids, **sampling):
            prompts.append(prompt[0])
            _, _, tokenizer = checkpoint.load(base[1])
            for token in [*tokenizer.encode(next(scripts)), tokenizer.end_of_turn_id]:
                yield [(0, token)]

        monkeypatch.setattr("minisft.cli.commands.chat.decode", decode)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        status = minisft("chat", *base, *flags)
        return status, *capsys.readouterr(), prompts

    return run


def test_chat_answers_line_by_line_until_the_input_ends_or_exit(talk):
    assert talk("Hi\n\nWho?\n", ["Hello.", "Me."])[:3] == (0, "Hello.\nMe.\n", "")
    assert talk("Hi\n/exit\nWho?\n", ["Hello."])[:3] == (0, "Hello.\n", "")


def test_chat_ends_an_answer_before_a_stop_text_of_which_it_shows_nothing(talk, loaded):
    *_, tokenizer = loaded
    status, out, err, prompts = talk("Hi\nWho?\n", ["One. Two. Three.", "Me."], "--stop", "Two", "hree")
    assert (status, out, err) == (0, "One. \nMe.\n", "")
    assert "One. Two" not in tokenizer.decode(prompts[1]) and "One. " in tokenizer.decode(prompts[1])


def test_chat_remembers_what_was_said(talk, loaded):
    *_, tokenizer = loaded
    *_, prompts = talk("Hi\nWho?\n", ["Hello.", "Me."], "--system", "Be brief.")
    assert prompts[0] == chat_prompt(tokenizer, "Be brief.", [], "Hi")
    assert prompts[1] == chat_prompt(tokenizer, "Be brief.", [("Hi", "Hello.")], "Who?")


def test_chat_forgets_the_oldest_turns_when_the_context_is_full_and_says_so(talk, loaded):
    _, config, tokenizer = loaded
    said = [("One", "1"), ("Two", "2"), ("Three", "3"), ("Four", "4")]
    typed, answers = "".join(f"{question}\n" for question, _ in said), [answer for _, answer in said]
    status, out, err, prompts = talk(typed, answers, "--system", "S")
    assert (status, out) == (0, "1\n2\n3\n4\n") and "turns are forgotten" in err
    for t, prompt in enumerate(prompts):
        assert len(prompt) < config.max_position_embeddings
        assert prompt in [chat_prompt(tokenizer, "S", said[first:t], said[t][0]) for first in range(t + 1)]
    assert prompts[-1] != chat_prompt(tokenizer, "S", said[:3], "Four")


def chat_prompt(tokenizer, system, said, question):
    messages = [{"role": "system", "content": system}] if system else []
    for asked, answer in said:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    messages.append({"role": "user", "content": question})
    return [i for ids, _ in render(tokenizer, messages, add_generation_prompt=True) for i in ids]


def test_chat_refuses_a_line_that_never_fits_and_goes_on_without_it(talk, loaded):
    *_, tokenizer = loaded
    status, out, err, prompts = talk("Hi\n" + "x" * 200 + "\nWho?\n", ["Hello.", "Me."])
    assert (status, out.split()) == (0, ["Hello.", "Me."]) and "do not fit the context of 128" in err
    assert prompts[1] == chat_prompt(tokenizer, None, [("Hi", "Hello.")], "Who?")  # nothing is forgotten for it


def test_chat_streams_whole_characters_only(base, monkeypatch, loaded):
    _, _, tokenizer = loaded
    assert len(tokenizer.encode("😀")) > 1  # a character in several tokens
    ids = [*tokenizer.encode("a😀é"), tokenizer.end_of_turn_id]
    monkeypatch.setattr("minisft.cli.commands.chat.decode", lambda *a, **k: ([(0, token)] for token in ids))
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hi\n"))
    written = []
    monkeypatch.setattr("builtins.print", lambda *a, **k: written.append("".join(a)))
    assert minisft("chat", *base) == 0
    assert "".join(written) == "a😀é" and not any("\ufffd" in piece for piece in written)
    assert {"a", "😀", "é"} <= set(written)  # as soon as they are whole


def test_chat_shows_bytes_that_never_become_a_character_at_the_end(talk, base, monkeypatch, loaded, capsys):
    _, _, tokenizer = loaded
    ids = [tokenizer.encode("😀")[0], tokenizer.end_of_turn_id]
    monkeypatch.setattr("minisft.cli.commands.chat.decode", lambda *a, **k: ([(0, token)] for token in ids))
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hi\n"))
    assert minisft("chat", *base) == 0
    assert capsys.readouterr().out == "\ufffd\n"


def test_chat_works_in_a_pipe(base):
    done = subprocess_of("chat", *base, "--max-new-tokens", 4, input="Hi\nWho?\n/exit\n")
    assert done.returncode == 0 and done.stdout.count("\n") >= 2 and "Traceback" not in done.stderr


def test_json_of_chat_is_the_conversation(base, monkeypatch, json_of):
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hi\n"))
    messages = json_of("chat", *base, "--system", "S", "--max-new-tokens", 3)["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant"]
