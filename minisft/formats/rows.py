"""Rows of data as people have them: JSON lines, or one JSON array, each row an Example in one of four forms.

    {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}
    {"prompt": "…", "completion": "…"}                              two texts as they are, or two lists of messages
    {"instruction": "…", "input": "…", "output": "…"}               Alpaca's form
    {"text": "…"}                                                   all of it is y

A row in any other form is refused, and the message names its file and line.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minisft.errors import MinisftError, one_line, quoted
from minisft.formats.files import read_stream


class Example(NamedTuple):
    """One line of data. Both parts are texts, or both are lists of messages; y is made of `completion` only."""

    prompt: Any  # str, or list[dict]; a union would ask every caller which of the two it is
    completion: Any  # the same
    where: str  # "file:line", for messages to the user


def read(paths: Sequence[str | Path], answered: bool = True) -> list[Example]:
    """Examples of one or more files, in order: JSON lines, or one JSON array of objects.

    answered  False: conversations may end with the user, and prompts need no completion (for `generate`)
    Raises MinisftError naming file and line (for an array: file and record).
    """
    examples = [example(row, where, answered) for path in paths for row, where in rows(path)]
    if not examples:
        raise MinisftError(f"{', '.join(map(str, paths))}: contains no example; give one JSON object per line")
    return examples


def content(path: str | Path) -> bytes:
    """A data file without the byte order mark that some editors put first."""
    return read_stream(path, "check --data").removeprefix(b"\xef\xbb\xbf")


def rows(path: str | Path) -> Iterator[tuple[Any, str]]:
    """(object, "file:line") for every row of a file; blank lines, a byte order mark and CRLF are accepted."""
    raw = content(path)
    if raw.lstrip().startswith(b"["):
        values = parse(raw, path)
        yield from ((row, f"{path}: record {number}") for number, row in enumerate(values, 1))
        return
    for number, line in enumerate(raw.split(b"\n"), 1):
        if line.strip():
            yield parse(line, f"{path}:{number}"), f"{path}:{number}"


def parse(raw: bytes, where: str | Path) -> Any:
    try:
        return json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MinisftError(f"{where}: is not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise MinisftError(
            f"{where}: is not JSON ({error.msg} at character {error.pos + 1}); one JSON object per line is expected"
        ) from None
    except (RecursionError, ValueError):
        raise MinisftError(f"{where}: is JSON nested too deeply, or has a number of thousands of digits") from None


def example(row: Any, where: str, answered: bool = True) -> Example:
    """The Example of one JSON object, in any of the four forms above."""
    if not isinstance(row, dict):
        raise MinisftError(f"{where}: a JSON object is expected, not {quoted(row)}")
    prompt: Any = []
    if "messages" in row:
        completion = row["messages"]
    elif "prompt" in row:
        prompt = row["prompt"]
        if "completion" not in row and answered:
            raise MinisftError(f'{where}: has "prompt" without "completion"; give both')
        completion = row.get("completion", type(prompt)())
        if type(prompt) is not type(completion) or not isinstance(prompt, (str, list)):
            raise MinisftError(f'{where}: "prompt" and "completion" must be two texts or two lists of messages')
    elif "instruction" in row:
        completion = alpaca(row, where, answered)
    elif "text" in row:
        prompt, completion = "", row["text"]
        if not isinstance(completion, str):
            raise MinisftError(f'{where}: "text" must be a text, not {quoted(completion)}')
    else:
        raise MinisftError(
            f"{where}: has none of the keys messages, prompt, instruction, text; its keys are "
            f"{one_line(', '.join(map(repr, row))) or 'none'}"
        )
    if isinstance(prompt, str):
        require_text(prompt, where)
        require_text(completion, where)
    else:
        require_conversation(prompt, completion, where, answered)
    return Example(prompt, completion, where)


def alpaca(row: dict, where: str, answered: bool) -> list[dict]:
    """instruction/input/output as a conversation of two turns; a blank line separates instruction and input."""
    for key in ("instruction", "input", "output")[: 3 if answered else 2]:
        if not isinstance(row.get(key, None if key == "output" else ""), str):
            raise MinisftError(f'{where}: "{key}" must be a text')
    question = "\n\n".join(part for part in (row["instruction"], row.get("input", "")) if part)
    messages = [{"role": "user", "content": question}]
    return [*messages, {"role": "assistant", "content": row["output"]}] if answered else messages


def require_text(text: str, where: str) -> None:
    """Refuse a text that UTF-8 cannot spell."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MinisftError(
            f"{where}: a text has a lone surrogate at character {error.start + 1}, which is not a Unicode character"
        ) from None


def require_conversation(prompt: list, completion: Any, where: str, answered: bool) -> None:
    """Refuse all but an optional system turn, then user and assistant in turn; if answered, the assistant last."""
    if not isinstance(completion, list):
        raise MinisftError(f'{where}: "messages" must be a list of messages')
    messages = prompt + completion
    if not messages:
        raise MinisftError(f"{where}: contains no message")
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise MinisftError(f'{where}: message {number} must be {{"role": …, "content": a text}}')
        role = message.get("role")
        if role not in ("system", "user", "assistant"):
            raise MinisftError(
                f"{where}: message {number} has the unknown role {quoted(role)}; use system, user or assistant"
            )
        require_text(message["content"], where)
    roles = [message["role"] for message in messages]
    turns = roles[1:] if roles[0] == "system" else roles
    wanted = ["user" if i % 2 == 0 else "assistant" for i in range(len(turns))]
    if turns != wanted or not turns:
        raise MinisftError(
            f"{where}: the roles are {one_line(', '.join(roles))}; after an optional system turn, user and assistant "
            "must take turns, the user first"
        )
    if answered and (roles[-1] != "assistant" or not completion):
        raise MinisftError(f"{where}: the conversation ends with {roles[-1]}; the last message must be the assistant's")


def read_documents(path: str | Path) -> list[Example]:
    """Pre-training text: the examples of a .json or .jsonl file; any other file is one document of plain text."""
    if Path(path).suffix in (".json", ".jsonl"):
        return read([path])
    raw = content(path)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise MinisftError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise MinisftError(f"{path}: contains no text")
    return [Example("", text, str(path))]
