"""A conversation: a history of messages, answers token by token; the oldest turns go when the context is full."""

from collections.abc import Callable, Iterator

from minisft.config import ModelConfig
from minisft.generate import decode
from minisft.params import Params
from minisft.tokenizer import Tokenizer


class Conversation:
    """What was said so far. `answer` yields the next answer in pieces of text and remembers it.

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
        self.prompt()  # a model that cannot chat says so before the first question

    def prompt(self) -> list[int]:
        messages = self.messages or [{"role": "user", "content": ""}]
        return [i for ids, _ in self.tokenizer.render(messages, add_generation_prompt=True) for i in ids]

    def answer(self, question: str) -> Iterator[str]:
        """The answer to one more user turn. A question that fills the context by itself is noticed and not asked."""
        self.messages.append({"role": "user", "content": question})
        prompt = self.fit()
        if prompt is None:
            self.messages.pop()
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

    def fit(self) -> list[int] | None:
        """The prompt, after forgetting turns until a quarter of the context is free. None if it never fits."""
        context = self.config.max_position_embeddings
        room = min(self.max_new_tokens, context // 4)
        forgotten = 0
        while len(prompt := self.prompt()) + room > context and len(self.messages) > self.first + 1:
            del self.messages[self.first : self.first + 2]  # a question and its answer
            forgotten += 1
        if forgotten:
            self.notice(f"(the context of {context} tokens is full: the oldest {forgotten} turns are forgotten)")
        if len(prompt) < context:
            return prompt
        self.notice(f"({len(prompt)} tokens do not fit the context of {context}; ask something shorter)")
        return None


def whole(text: str) -> str:
    """Text without a last character of which only the first bytes are there."""
    return text.rstrip("\ufffd")


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
