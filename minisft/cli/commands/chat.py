"""A conversation in the terminal; /exit or the end of input leaves.

example:
  minisft chat --model theta_tilde --system "Answer in one sentence."
"""

import sys
from collections.abc import Callable, Iterator

from minisft import checkpoint
from minisft.cli import flags
from minisft.cli.console import print_json, say, show_answer
from minisft.cli.inputs import model_directory, sampling_of
from minisft.config import ModelConfig
from minisft.generate import decode
from minisft.params import Params
from minisft.tokenizer import Tokenizer


def add_flags(parser):
    flags.model(parser)
    flags.option(parser, "--system", "a system turn to begin with", metavar="TEXT")
    flags.sampling(parser)
    flags.machine(parser)


def run(arguments):
    theta, config, tokenizer = checkpoint.load(model_directory(arguments.model), arguments.dtype)
    talk = Conversation(
        theta, config, tokenizer, arguments.system, arguments.max_new_tokens, sampling_of(arguments), say
    )
    for question in lines("> " if sys.stdin and sys.stdin.isatty() else ""):
        for piece in talk.answer(question):
            if not arguments.json:
                show_answer(piece, end="")
        if not arguments.json:
            show_answer("")
    if arguments.json:
        print_json({"messages": talk.messages})


def lines(prompt: str) -> Iterator[str]:
    """What the user types, until the end of input or /exit."""
    while True:
        try:
            line = input(prompt)
        except (EOFError, RuntimeError):  # the end of the input, or none from the start
            return
        if line.strip() == "/exit":
            return
        if line.strip():
            yield line


class Conversation:
    """A history of messages, answers token by token; the oldest turns go when the context is full.

    `answer` yields the next answer in pieces of text and remembers it.

    sampling  the arguments of `decode` after stop_ids: temperature, top_k, top_p, rng
    notice    called with a line for the user
    """

    def __init__(
        self,
        theta: Params,
        config: ModelConfig,
        tokenizer: Tokenizer,
        system: str | None,
        max_new_tokens: int,
        sampling: dict,
        notice: Callable[[str], None],
    ):
        self.theta, self.config, self.tokenizer = theta, config, tokenizer
        self.messages = [{"role": "system", "content": system}] if system is not None else []
        self.first = len(self.messages)  # what is before it is never forgotten
        self.max_new_tokens, self.sampling, self.notice = max_new_tokens, sampling, notice
        self.prompt([*self.messages, {"role": "user", "content": ""}])  # what cannot work says so before a question

    def prompt(self, messages) -> list[int]:
        return self.tokenizer.prompt(messages)

    def answer(self, question: str) -> Iterator[str]:
        """The answer to one more user turn. A question that cannot fit is not asked, with a notice."""
        prompt = self.ask(question)
        if prompt is None:
            return
        ids, said = [], ""
        stop_ids = {self.tokenizer.eos_id, self.tokenizer.end_of_turn_id}
        token = None
        for ((_, token),) in decode(self.theta, self.config, [prompt], self.max_new_tokens, stop_ids, **self.sampling):
            if token not in stop_ids:
                ids.append(token)
                text = whole(self.tokenizer.decode(ids))
                yield text[len(said) :]
                said = text
        text = self.tokenizer.decode(ids)
        yield text[len(said) :]
        if token not in stop_ids:
            self.notice(f"(cut off after {len(ids)} tokens)")
        self.messages.append({"role": "assistant", "content": text})

    def ask(self, question: str) -> list[int] | None:
        """Remember a question and forget turns until a quarter of the context is free: the prompt, or None."""
        context = self.config.max_position_embeddings
        room = min(self.max_new_tokens, context // 4)
        system, turns = (
            self.messages[: self.first],
            [*self.messages[self.first :], {"role": "user", "content": question}],
        )
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


def whole(text: str) -> str:
    """Text without a last character of which only the first bytes are there."""
    return text.rstrip("\ufffd")
