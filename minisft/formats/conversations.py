"""A conversation that its template has written, in tokens: runs of ids, each of x or of one answer.

The text between two special tokens is encoded in one piece, as transformers encodes it, but an answer apart from its
header, because that is how the model meets it when it answers. In ChatML the two differ where an answer begins with
white space. In any other template, where they differ, the conversation is refused.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from minisft.errors import MinisftError, quoted
from minisft.formats.added_tokens import Part
from minisft.formats.chat_templates import Rendering
from minisft.formats.marks import THOUGHTS

CHATML = ("<|im_start|>", "assistant\n")  # before an answer


class Runs:
    """Grows by one piece after the other: `made` is the list of (ids, of y?), one run for each answer of y.

    encode  (text, ids before it, limit) -> ids
    limit   how many ids there may be in all
    """

    def __init__(self, encode: Callable[[str, Sequence[int], int | None], list[int]], limit: int | None) -> None:
        self.encode, self.room = encode, limit
        self.made: list[tuple[list[int], bool]] = []
        self.owner: int | None = None  # the answer of y that the last run is; −1: it is of x
        self.last: list[int] = []  # the last id

    def add(self, ids: list[int], owner: int) -> None:
        ids = ids[: self.room]
        if owner != self.owner:
            self.made.append(([], owner >= 0))
            self.owner = owner
        self.made[-1][0].extend(ids)
        self.room = None if self.room is None else self.room - len(ids)
        self.last = ids[-1:] or self.last

    def add_text(self, text: str, owner: int) -> None:
        self.add(self.encode(text, self.last, self.room), owner)

    def add_answer(self, header: str, text: str, owner: int, chatml: bool, number: int) -> None:
        """A header and the beginning of an answer, with no special token between. Raises MinisftError: see above."""
        before = self.encode(header, self.last, self.room)
        answer = self.encode(text, before[-1:] or self.last, self.room)
        whole = None if chatml else self.encode(header + text, self.last, self.room)
        if whole is None or [*before, *answer][: len(whole)] == whole:
            self.add(before, -1)
            self.add(answer, owner)
        elif owner < 0:
            self.add(whole, -1)
        else:
            raise MinisftError(
                f"message {number}: behind {quoted(header[-20:])} the beginning of {quoted(text[:20])} has other "
                "tokens than when the model answers; begin the answer in another way, or use another template"
            )


def runs(
    rendering: Rendering,
    is_y: Sequence[bool],
    special: dict[str, int],
    encode: Callable[[str, Sequence[int], int | None], list[int]],
    limit: int | None,
) -> list[tuple[list[int], bool]]:
    """The runs of a conversation, cut after `limit` ids.

    is_y     for each message, whether what the assistant says belongs to y
    special  {special token: id}
    Raises MinisftError if the template does not say what of a message of y is y.
    """
    for answer in rendering.answers:
        if answer.wrong and is_y[answer.message]:
            raise MinisftError(
                f"message {answer.message + 1}: the chat template does not say what y is: {answer.wrong}; change the "
                "message, try --assistant-turns last, or use another template"
            )
    result, token = Runs(encode, limit), ""
    for part, at, message in with_answers(rendering):
        if result.room == 0:
            break
        owner = message if message >= 0 and is_y[message] else -1
        text = rendering.text[part.begin : part.end]
        if part.token:
            token = part.token
            result.add([special[token]], owner)
        elif at > part.begin:
            header, text = text[: at - part.begin], text[at - part.begin :]
            result.add_answer(header, text, owner, (token, header) == CHATML, message + 1)
        else:
            result.add_text(text, owner)
    return result.made


def with_answers(rendering: Rendering) -> Iterator[tuple[Part, int, int]]:
    """(part, where an answer begins in it, the message it belongs to, or −1) for the parts of a text."""
    answers = [answer for answer in rendering.answers if not answer.wrong]
    n = 0
    for part in rendering.parts:
        while n < len(answers) and answers[n].end <= part.begin:
            n += 1
        here = answers[n] if n < len(answers) else None
        if here and part.token and here.begin <= part.at:
            yield part, part.begin, here.message
        elif here and not part.token and here.begin < part.end:
            yield part, max(here.begin, part.begin), here.message
        else:
            yield part, part.begin, -1


def require_chatml(messages: Sequence[dict], tools: list | None, special: dict[str, int], path: str | Path) -> None:
    """Refuse what plain ChatML has no place for, and a vocabulary, of the file `path`, without its special tokens."""
    for token in ("<|im_start|>", "<|im_end|>"):
        if token not in special:
            raise MinisftError(
                f"{path}: has no {token}, so this model cannot chat in ChatML; use plain text, or a model with the "
                "tokens of its chat template"
            )
    for number, message in enumerate(messages, 1):
        for name in ("tool_calls", *THOUGHTS):
            if message.get(name):
                raise MinisftError(f"{name} of message {number}: ChatML leaves it out; remove it")
    if tools:
        raise MinisftError("tools: ChatML leaves them out; remove them, or use a model with a template for them")
