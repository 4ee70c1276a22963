"""Marks in what people wrote, so that it is found again in what a template makes of it.

Marks are characters for private use that the conversation does not have. One stands on each side of every content,
inside the white space around it, which a template may take away; and one before every special token that somebody
typed, so that it stays text.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minisft.errors import MinisftError, quoted
from minisft.formats.added_tokens import Part, SpecialTokens

THOUGHTS = ("reasoning_content", "thinking", "reasoning")  # names of one thing; templates know the first, or the second
PRIVATE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))


class Key(NamedTuple):
    """What was marked: a key of a message (counted from 0), or tool n as message −n."""

    message: int
    name: str

    def __str__(self) -> str:
        return self.name if self.message < 0 else f"{self.name} of message {self.message + 1}"


class Marked(NamedTuple):
    text: str  # without its marks
    parts: list[Part]
    keys: list[Key]  # what was marked
    begins: dict[Key | int, int]  # where a key, or the first of a message, begins
    ends: dict[Key | int, int]  # where a key, or the last of a message, ends
    twice: set[int]  # messages of which something is written twice


def mark(
    messages: Sequence[dict], tools: Any, special: SpecialTokens
) -> tuple[list[dict], list | None, Callable[[str], Marked]]:
    """The same messages and tools with marks in them, and what takes the marks out of the text made of these."""
    typed = {*json.dumps([messages, tools], ensure_ascii=False, default=str)}
    free = (chr(i) for some in PRIVATE for i in some if chr(i) not in typed)
    begin, end, guard = (next(free, "") for _ in range(3))
    if not guard:
        raise MinisftError("messages: use all characters for private use, so none is left to mark them; remove some")
    keys: list[Key] = []

    def spelled(text: str) -> str:  # a special token that somebody typed
        return special.anywhere.sub(guard, text)

    def inside(value: Any) -> Any:
        if isinstance(value, str):
            return spelled(value)
        if isinstance(value, dict):
            return {inside(key): inside(one) for key, one in value.items()}
        return [inside(one) for one in value] if isinstance(value, list) else value

    def around(text: str, message: int, name: str) -> str:
        core = text.strip()
        before, _, after = text.partition(core) if core else ("", "", text)
        keys.append(Key(message, name))
        n = len(keys) - 1
        return f"{spelled(before)}{begin}{n}{begin}{spelled(core)}{end}{n}{end}{spelled(after)}"

    def call(value: Any, message: int, name: str) -> Any:  # of a tool, or its description
        value = inside(value)
        holder = value.get("function", value) if isinstance(value, dict) else None
        if not isinstance(holder, dict) or not isinstance(holder.get("name"), str):
            raise MinisftError(f"{Key(message, name)}: {quoted(value)} does not name a function; give its name")
        holder["name"] = around(holder["name"].replace(guard, ""), message, name)
        return value

    written = []
    for i, message in enumerate(prepared(messages)):
        said: dict[str, Any] = {}
        for name, value in message.items():
            if name in ("content", "reasoning_content") and isinstance(value, str):
                alone = value or (name == "content" and not {"tool_calls", "reasoning_content"} & set(message))
                said[name] = around(value, i, name) if alone else value
            elif name == "tool_calls" and isinstance(value, list):
                said[name] = [call(one, i, f"{name}[{n}]") for n, one in enumerate(value)]
            else:
                said[name] = value if name == "role" else inside(value)
        if "reasoning_content" in said:
            said |= {name: said["reasoning_content"] for name in THOUGHTS if name in said}
        written.append(said)
    listed = [call(tool, -n, "tools") for n, tool in enumerate(tools, 1)] if tools else None
    return written, listed, lambda text: unmarked(text, (begin, end, guard), keys, special)


def unmarked(text: str, marks: tuple[str, str, str], keys: list[Key], special: SpecialTokens) -> Marked:
    """A text without its marks, and where they stood."""
    begin, end, guard = marks
    pieces, length, at = list[str](), 0, 0
    begins, ends, twice = dict[Key | int, int](), dict[Key | int, int](), set[int]()
    typed, seams = set[int](), set[int]()
    for found in re.finditer(f"{begin}([0-9]+){begin}|{end}([0-9]+){end}|{guard}", text):
        pieces.append(text[at : found.start()])
        length, at = length + len(pieces[-1]), found.end()
        seams.add(length)
        if found.lastindex is None:
            typed.add(length)
            continue
        key = keys[int(found[found.lastindex])]
        places = begins if found.lastindex == 1 else ends
        if key in places:
            twice.add(key.message)
        places[key] = length
        if key.message >= 0:
            places[key.message] = min(begins.get(key.message, length), length) if places is begins else length
    whole = "".join([*pieces, text[at:]])
    return Marked(whole, list(special.cut(whole, typed, seams)), keys, begins, ends, twice)


def prepared(messages: Sequence[dict]) -> list[dict]:
    """Messages as transformers gives them to a template: no empty keys, and thoughts under the names it looks for."""
    result = []
    for message in messages:
        message = {key: value for key, value in message.items() if value is not None}
        thoughts = next((message[name] for name in THOUGHTS if name in message), None)
        result.append(message if thoughts is None else {"thinking": thoughts, **message, THOUGHTS[0]: thoughts})
    return result
