"""Rows of data as people have them, each an Example. data/README.md shows the forms; these are the keys of each:

    messages, or conversations                          TRL's and OpenAI's form, and ShareGPT's
    prompt, completion                                  two texts as they are, or two lists of messages
    instruction, input, output, history                 Alpaca's form
    instruction, context, response                      Dolly's form
    text                                                all of it is y

Every form may have `weight`; those that become conversations `system` and `tools`. A key without a value is absent. A
row in any other form is refused, and the message names its file and line; a key that nobody reads is counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from minisft.errors import MinisftError, one_line, quoted
from minisft.formats.messages import READ, messages_of, present, require_answer, require_text, weight_of
from minisft.formats.tables import parse, rows

FORMS = {  # its key -> all that is read of it
    "messages": {"messages", "system", "tools"},
    "conversations": {"conversations", "system", "tools"},
    "prompt": {"prompt", "completion", "system", "tools"},
    "instruction": {"instruction", "input", "output", "context", "response", "history", "system", "tools"},
    "text": {"text"},
}
ALWAYS = {"weight"}
NAMED = 20  # bad rows that a message names


class Example(NamedTuple):
    """One line of data. Both parts are texts, or both are lists of messages; y is made of `completion` only."""

    prompt: Any  # str, or list[dict]; a union would ask every caller which of the two it is
    completion: Any  # the same
    where: str  # "file:line", for messages to the user
    tools: list[dict] | None = None  # the functions that the model may call, as a chat template wants them
    weight: float = 1.0  # multiplies m of all of its tokens; a message may have its own as well


class Rows(NamedTuple):
    """What was found in files of data."""

    examples: list[Example]
    bad: list[str]  # the first rows that cannot be used: where each stands, and what is wrong
    num_bad: int
    unread: Counter[str]  # keys that nobody reads -> how many rows have them

    def require_good(self) -> None:
        """Raises MinisftError that names the bad rows, if there are any."""
        refuse(self.bad, self.num_bad, len(self.examples) + self.num_bad)


def refuse(bad: list[str], num_bad: int, total: int) -> None:
    if num_bad == 1:
        raise MinisftError(bad[0])
    if num_bad:
        named = "; ".join(one_line(message, 170) for message in bad[:NAMED])
        more = f"; and {num_bad - NAMED} more" if num_bad > NAMED else ""
        raise MinisftError(
            f"{num_bad} of {total} rows cannot be used: {named}{more}; mend them, or skip them with --on-bad-row skip"
        )


def collect(paths: Iterable[str | Path], answered: bool = True) -> Rows:
    """All rows of one or more files, in order. Raises MinisftError if a file cannot be read, or has no row at all.

    answered  False: conversations may end with the user, and prompts need no completion (for `generate`)
    """
    paths = list(paths)
    return gather((row for path in paths for row in rows(path)), answered, ", ".join(map(str, paths)))


def gather(given: Iterable[tuple[Any, str]], answered: bool, name: str) -> Rows:
    found = Rows([], [], 0, Counter())
    num_bad = 0
    for row, where in given:
        try:
            if isinstance(row, MinisftError):
                raise row
            found.examples.append(example(row, where, answered))
            found.unread.update(unread(row))
        except MinisftError as error:
            num_bad += 1
            if len(found.bad) < NAMED:
                found.bad.append(str(error))
    if not found.examples and not num_bad:
        raise MinisftError(f"{name}: contains no example; give one JSON object per line")
    return found._replace(num_bad=num_bad)


def read(paths: Iterable[str | Path], answered: bool = True) -> list[Example]:
    """Examples of one or more files, in order; what the files may hold is said in formats/tables.py.

    answered  False: conversations may end with the user, and prompts need no completion (for `generate`)
    Raises MinisftError naming file and line of all rows that cannot be used (the first 20, and how many more).
    """
    found = collect(paths, answered)
    found.require_good()
    return found.examples


# --- from a row to an example -----------------------------------------------------------------------------------------


def example(row: Any, where: str, answered: bool = True) -> Example:
    """The Example of one row, in any of the forms above. Raises MinisftError that begins with `where`."""
    try:
        if isinstance(row, list):  # of messages
            row = {"messages": row}
        if not isinstance(row, dict):
            raise MinisftError(f"a JSON object is expected, not {quoted(row)}")
        row = present(row)
        prompt, completion = parts(row, answered)
        if isinstance(completion, str):
            for key in ("system", "tools"):
                if row.get(key):
                    raise MinisftError(f'"{key}" is for a conversation, but this row is plain text; give messages')
            require_text(prompt)
            require_text(completion)
        else:
            prompt, completion = with_system(row, prompt, completion)
            require_answer(prompt, completion, answered)
        weight = weight_of({key: row[key] for key in ALWAYS & row.keys()})
        return Example(prompt, completion, where, tools_of(row), weight)
    except MinisftError as error:
        raise MinisftError(f"{where}: {error}") from None


def form_of(row: dict) -> str:
    """The key of FORMS by which a row is read. Raises MinisftError if there are two, or none."""
    found = [key for key in FORMS if key in row]
    if "completion" in row and found and "prompt" not in found:
        found.append("completion")
    if found == ["instruction", "text"]:  # Alpaca's own file has a third column with both in one text
        found.remove("text")
    if len(found) > 1:
        raise MinisftError(f'has both "{found[0]}" and "{found[1]}"; which is meant? Keep one of them')
    if not found:
        keys = one_line(", ".join(map(quoted, row))) or "none"
        raise MinisftError(f"has none of the keys {', '.join(FORMS)}; its keys are {keys}")
    return found[0]


def parts(row: dict, answered: bool) -> tuple[Any, Any]:
    """(prompt, completion): two texts, or two lists of messages."""
    form = form_of(row)
    if form in ("messages", "conversations"):
        return [], messages_of(row[form], form)
    if form == "instruction":
        return [], instruction(row, answered)
    if form == "text":
        return "", text_of(row, "text")
    prompt = row["prompt"]
    if "completion" not in row and answered:
        raise MinisftError('has "prompt" without "completion"; give both')
    completion = row.get("completion", type(prompt)())
    if type(prompt) is not type(completion) or not isinstance(prompt, (str, list)):
        raise MinisftError('"prompt" and "completion" must be two texts or two lists of messages')
    if isinstance(prompt, str):
        return prompt, completion
    both = messages_of(prompt + completion, "prompt")  # numbered through
    return both[: len(prompt)], both[len(prompt) :]


def text_of(row: dict, key: str, default: str | None = None) -> str:
    value = row.get(key, default)
    if not isinstance(value, str):
        raise MinisftError(f'"{key}" must be a text, not {quoted(value)}')
    return value


def instruction(row: dict, answered: bool) -> list[dict]:
    """Alpaca's and Dolly's forms as messages: earlier turns, the instruction and, below a blank line, the input."""
    asked = text_of(row, "instruction"), text_of(row, either(row, "input", "context"), "")
    turns = [{"role": "user", "content": "\n\n".join(text for text in asked if text)}]
    if answered:
        turns.append({"role": "assistant", "content": text_of(row, either(row, "output", "response"))})
    return messages_of([*earlier(row.get("history", [])), *turns], "history")


def either(row: dict, ours: str, other: str) -> str:
    """The one of two names of a thing under which a row has it. Raises MinisftError if it has both."""
    if row.get(ours) and row.get(other):
        raise MinisftError(f'has both "{ours}" and "{other}"; which is meant? Keep one of them')
    return other if row.get(other) or (other in row and ours not in row) else ours


def earlier(history: Any) -> Iterator[dict]:
    """The turns of Alpaca's column `history`: [question, answer] pairs."""
    wrong = MinisftError(f'"history" must be a list of [question, answer], not {quoted(history)}')
    for pair in history if isinstance(history, list) else [None]:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise wrong
        yield from ({"role": role, "content": text} for role, text in zip(("user", "assistant"), pair))


def with_system(row: dict, prompt: list, completion: list) -> tuple[list, list]:
    """The messages after the system turn that the row's column `system` asks for; an empty one asks for none."""
    system = text_of(row, "system", "")
    if not system:
        return prompt, completion
    if any(message["role"] == "system" for message in prompt + completion):
        raise MinisftError('has both "system" and a system message; which is meant? Keep one of them')
    turns = messages_of([{"role": "system", "content": system}], "system")
    return ([*turns, *prompt], completion) if prompt else ([], [*turns, *completion])


def tools_of(row: dict) -> list | None:
    """The column `tools`: a list, or the same as a text in JSON, as Arrow wants it; None if it is empty."""
    tools = row.get("tools")
    if isinstance(tools, str) and tools.strip():
        tools = parse(tools.encode("utf-8", "replace"), '"tools"')
    if tools and not isinstance(tools, list):
        raise MinisftError('"tools" must be a list of tools')
    return tools or None


def unread(row: Any) -> set[str]:
    """The keys of a row, and of its messages, that have a value which nobody reads."""
    row = {"messages": row} if isinstance(row, list) else present(row)
    form = form_of(row)
    talks = [row[key] for key in (form, "completion") if isinstance(row.get(key), list)]
    inner = {key for talk in talks for message in talk for key in present(message) if key not in READ}
    return (row.keys() - FORMS[form] - ALWAYS) | {f"messages: {key}" for key in inner}
