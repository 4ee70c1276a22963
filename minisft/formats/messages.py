"""A conversation as people write it becomes messages {"role", "content", …}, each with the weight of its tokens.

Two spellings are read: {"role", "content"} and, as in ShareGPT, {"from", "value"}. What else a message has, such as
`tool_calls`, is handed on to the chat template. Errors name the message; where it stands, the caller says.
"""

import math
from typing import Any

from minisft.config import number
from minisft.errors import MinisftError, quoted

ROLES = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
ROLES |= {"developer": "system", "human": "user", "gpt": "assistant", "chatgpt": "assistant"}
SPELLINGS = {"role": "from", "content": "value"}
WEIGHTS = ("weight", "train", "loss", "masked")  # four names of one thing; several of them multiply
FOR_THE_TEMPLATE = ("tool_calls", "tool_call_id", "name", "reasoning_content", "thinking")
READ = {*SPELLINGS, *SPELLINGS.values(), *WEIGHTS, *FOR_THE_TEMPLATE}
HEAVIEST = number(low=0, high=10**6)  # more would leave nothing of the others in float32


def present(row: dict) -> dict:
    """A row or message without the keys that have no value: null, or NaN as pandas writes it."""
    return {
        key: value
        for key, value in row.items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    }


def messages_of(given: Any, name: str) -> list[dict]:
    """A list of messages, as `message_of` reads each. Raises MinisftError; `name` is the key it stands under."""
    if not isinstance(given, list):
        raise MinisftError(f'"{name}" must be a list of messages')
    return [message_of(message, place) for place, message in enumerate(given, 1)]


def message_of(given: Any, place: int) -> dict:
    """{"role", "content"} of one message, its `weight` if it has one, and all other keys as they are."""
    shape = f'message {place} must be {{"role": …, "content": a text}}'
    if not isinstance(given, dict):
        raise MinisftError(shape)
    given = present(given)
    for name, other in SPELLINGS.items():
        if name in given and other in given:
            raise MinisftError(f'message {place} has both "{name}" and "{other}"; which is meant? Keep one of them')
    role, content = (given.get(name, given.get(other)) for name, other in SPELLINGS.items())
    if content is None and "tool_calls" in given:
        content = ""
    if isinstance(content, list):
        content = "".join(text_of_part(part, place) for part in content)
    if not isinstance(content, str):
        raise MinisftError(shape)
    if not (isinstance(role, str) and role in ROLES):
        known = "system, developer, user, assistant or tool"
        raise MinisftError(f"message {place} has the unknown role {quoted(role)}; use {known}")
    require_text(content)
    own = {key: value for key, value in given.items() if key not in (*SPELLINGS, *SPELLINGS.values(), *WEIGHTS)}
    weighted = {"weight": weight_of(given)} if given.keys() & set(WEIGHTS) else {}
    return {"role": ROLES[role], "content": content} | own | weighted


def text_of_part(part: Any, place: int) -> str:
    """The text of one part of a content. Raises MinisftError naming any other type, such as an image."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind != "text" or not isinstance(part.get("text"), str):
        what = f"a part of type {quoted(kind)}" if kind not in (None, "text") else f"the part {quoted(part)}"
        raise MinisftError(f'message {place} has {what}; only {{"type": "text", "text": …}} can be read')
    return part["text"]


def weight_of(given: dict) -> float:
    """By what a message, or a row, multiplies m of its tokens: `weight`, `train` or `loss`, and 1 − `masked`."""
    product = 1.0
    for key in WEIGHTS:
        value = given.get(key, key != "masked")
        value = int(value) if isinstance(value, bool) else value
        wrong = HEAVIEST.complaint(value).rstrip()
        if not wrong and key == "masked" and value not in (0, 1):
            wrong = "is neither true nor false"
        if wrong:
            raise MinisftError(f'"{key}": {quoted(value)} {wrong}')
        product *= 1 - value if key == "masked" else value
    return product


def require_text(text: str) -> None:
    """Refuse a text that UTF-8 cannot spell."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MinisftError(
            f"a text has a lone surrogate at character {error.start + 1}, which is not a Unicode character"
        ) from None


def require_answer(prompt: list[dict], completion: list[dict], answered: bool) -> None:
    """Refuse a conversation that leaves nothing to learn (if `answered`: it must end with an answer) or to ask."""
    roles = [message["role"] for message in prompt + completion]
    if not roles:
        raise MinisftError("contains no message")
    if answered and (roles[-1] != "assistant" or not completion):
        raise MinisftError(f"the conversation ends with {roles[-1]}; the last message must be the assistant's")
    if not answered and roles == ["assistant"]:
        raise MinisftError("the conversation has an answer only, so nothing is asked; give a user's message")
