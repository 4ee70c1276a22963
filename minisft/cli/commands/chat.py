"""Have a conversation in the terminal; leave with /exit or the end of the input.

example:
  minisft chat --model theta_tilde --system "Answer in one sentence."
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minisft import checkpoint
from minisft.cli import flags
from minisft.cli.console import print_json, say, show_answer
from minisft.cli.inputs import model_directory, sampling_of
from minisft.config import ModelConfig
from minisft.errors import MinisftError
from minisft.generate import before, decode
from minisft.params import Params
from minisft.runs.record import is_of_plain_text
from minisft.tokenizer import Tokenizer


def add_flags(parser: ArgumentParser) -> None:
    flags.model(parser)
    flags.option(parser, "--system", "begin with this system message", metavar="TEXT")
    flags.sampling(parser)
    flags.machine(parser)


def run(arguments: Namespace) -> None:
    source = model_directory(arguments.model)
    if is_of_plain_text(source):
        advice = "use minisft generate, or fine-tune it on messages"
        raise MinisftError(f"--model: {source} was trained on plain text and cannot chat; {advice}")
    theta, config, tokenizer = checkpoint.load(source, arguments.dtype)
    talk = Conversation(
        theta,
        config,
        tokenizer,
        arguments.system,
        arguments.max_new_tokens,
        sampling_of(arguments, tokenizer),
        say,
        arguments.stop,
    )
    asked_by_hand = sys.stdin and sys.stdin.isatty() and not arguments.json
    for question in lines("> " if asked_by_hand else ""):
        for piece in talk.answer(question):
            if not arguments.json:
                show_answer(piece, end="")
        if not arguments.json:
            show_answer("")
    if arguments.json:
        print_json({"messages": talk.messages})


def lines(prompt: str) -> Iterator[str]:
    """The lines that the user types, until /exit or the end of the input; empty ones are left out."""
    while True:
        try:
            line = input(prompt)
        except (EOFError, RuntimeError):  # the input has ended, or was closed from the start
            return
        if line.strip() == "/exit":
            return
        if line.strip():
            yield line


class Conversation:
    """What has been said so far, and the next answer, token by token. The oldest turns go when the context is full.

    sampling  the arguments of `decode` after stop_ids: temperature, top_k, top_p, rng, repetition_penalty, ended
    notice    is called with each line for the user that is not part of an answer
    stop      texts before which an answer ends: those of `ended`
    """

    def __init__(
        self,
        theta: Params,
        config: ModelConfig,
        tokenizer: Tokenizer,
        system: str | None,
        max_new_tokens: int,
        sampling: dict[str, Any],
        notice: Callable[[str], None],
        stop: Sequence[str] = (),
    ) -> None:
        self.theta, self.config, self.tokenizer = theta, config, tokenizer
        self.messages = [{"role": "system", "content": system}] if system is not None else []
        self.first = len(self.messages)  # messages before this one are never forgotten
        self.max_new_tokens, self.sampling, self.notice, self.stop = max_new_tokens, sampling, notice, stop
        self.prompt([*self.messages, {"role": "user", "content": ""}])  # what cannot work fails before any question

    def prompt(self, messages: list[dict]) -> list[int]:
        """The tokens that ask for the next answer to these messages."""
        return self.tokenizer.prompt(messages)

    def answer(self, question: str) -> Iterator[str]:
        """Yield the answer to a question in pieces of text, and remember both. A question too long is not asked."""
        prompt = self.ask(question)
        if prompt is None:
            return
        ids: list[int] = []
        said, token = "", None
        stop_ids = self.tokenizer.stop_ids
        for ((_, token),) in decode(self.theta, self.config, [prompt], self.max_new_tokens, stop_ids, **self.sampling):
            if token not in stop_ids:
                ids.append(token)
                text = certain(before(whole(self.tokenizer.decode(ids)), self.stop), self.stop)
                yield text[len(said) :]
                said = text
        everything = self.tokenizer.decode(ids)
        text = before(everything, self.stop)
        yield text[len(said) :]
        if token not in stop_ids and text == everything:
            self.notice(f"(cut off after {len(ids)} tokens)")
        self.messages.append({"role": "assistant", "content": text})

    def ask(self, question: str) -> list[int] | None:
        """Remember a question, and forget old turns until there is room for an answer: the prompt, or None.

        Room is the longest answer wanted, but no more than a quarter of the context. None: the question alone is longer
        than the context.
        """
        context = self.config.max_position_embeddings
        room = min(self.max_new_tokens, context // 4)
        system, turns = self.messages[: self.first], self.messages[self.first :]
        turns = [*turns, {"role": "user", "content": question}]
        forgotten = 0
        while len(prompt := self.prompt(system + turns)) + room > context and len(turns) > 1:
            turns, forgotten = turns[2:], forgotten + 1  # a question and its answer
        if len(prompt) >= context:
            self.notice(f"({len(prompt)} tokens do not fit the context of {context}; ask something shorter)")
            return None
        if forgotten:
            self.notice(
                f"(the context of {context} tokens is full: the oldest turns are forgotten, {forgotten} of them)"
            )
        self.messages = system + turns
        return prompt


def certain(text: str, stop: Sequence[str]) -> str:
    """The text without an end that may become one of the stop texts."""
    held = (n for end in stop for n in range(len(end) - 1, 0, -1) if text.endswith(end[:n]))
    return text[: len(text) - max(held, default=0)]


def whole(text: str) -> str:
    """The text without its last character, if only the first bytes of that one are there."""
    return text.rstrip("\ufffd")
