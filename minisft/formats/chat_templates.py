"""How a model writes a conversation: its chat template, rendered as transformers renders it, and where the answers are.

A template is a program that writes one text; it does not say which part of it is an answer. So it is rendered twice:
once as it is, and once with marks, characters for private use, on each side of what people wrote. Without its marks the
second text must be the first. Then

    … end of the message before | header | content | end token …
                                         ^                     ^
                                 y begins here           y ends here

y begins where the prompt for generation ends: the same template, asked for the next answer after the message before.
It ends with the first special token after the content. What the template writes in between of thoughts and calls of
tools is y too. Where one of this cannot be said, the conversation is refused.
"""

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from minisft.errors import MinisftError, one_line, quoted
from minisft.formats.added_tokens import Part, SpecialTokens
from minisft.formats.marks import THOUGHTS, Key, Marked, mark, prepared

# What `Tokenizer.render` does in ChatML, for other tools; for them y is what stands between {% generation %} and
# {% endgeneration %}.
CHAT_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}
            {{- message['content'] + '<|im_end|>' }}
        {%- endgeneration %}
    {%- else %}
        {{- message['content'] + '<|im_end|>' }}
    {%- endif %}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
TALK = [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 2, "abcd")]


class Answer(NamedTuple):
    """Where an answer stands in a text, its end token included; `wrong`: why that cannot be said."""

    message: int
    begin: int
    end: int
    wrong: str = ""


class Rendering(NamedTuple):
    """A conversation as its template writes it.

    parts    the text, cut at its special tokens
    answers  one a message of the assistant, in the order of the text
    """

    text: str
    parts: list[Part]
    answers: list[Answer]


class ChatTemplate:
    """The template of a model.

    source   what the file says; nothing is done with it before a conversation is rendered
    path     where it stands, for messages
    special  the special tokens of the vocabulary
    names    what the template finds under bos_token, eos_token and so on
    day      what it finds as today
    """

    def __init__(self, source: Any, path: str | Path, special: SpecialTokens, names: dict[str, str]) -> None:
        self.source, self.path, self.special, self.names = source, path, special, names
        self.day = date.today()

    @cached_property
    def program(self) -> tuple[Any, Any]:
        from minisft.formats.sandbox import Sandbox  # jinja2, which plain text does not need

        sandbox = Sandbox()
        return sandbox, sandbox.template(self.source)

    def write(self, messages: Sequence[dict], tools: Any = None, add_generation_prompt: bool = False) -> str:
        """The text of a conversation. Raises MinisftError with the template's own words if it fails."""
        if not isinstance(self.source, str) or not self.source.strip():
            raise MinisftError(f"{self.path}: has no chat template; use plain text, or a model with one")
        try:
            sandbox, program = self.program
            return sandbox.render(
                program,
                len(json.dumps([messages, tools], default=str)),
                messages=messages,
                tools=tools,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                strftime_now=datetime.combine(self.day, time()).strftime,
                **self.names,
            )
        except Exception as error:  # a template may do anything
            place = line_of(error)
            raise MinisftError(
                f"{self.path}{place}: the chat template refuses the conversation, or fails "
                f"({one_line(error, 200) or type(error).__name__}); change the conversation, or use another template"
            ) from error

    def render(self, messages: Sequence[dict], tools: Any = None, add_generation_prompt: bool = False) -> Rendering:
        """A conversation, its special tokens and its answers. Raises MinisftError if something of it is left out."""
        plain = self.write(prepared(messages), tools, add_generation_prompt)
        marked = self.marked(messages, tools, add_generation_prompt)
        if marked.text != plain:
            raise MinisftError(
                f"{self.path}: the chat template writes a text otherwise if it is marked, so nobody can tell where an "
                "answer begins; use another template"
            )
        for key in marked.keys:
            if key not in marked.ends and not (key.name == THOUGHTS[0] and any(t in self.source for t in THOUGHTS)):
                raise MinisftError(
                    f"{key}: the chat template of {self.path} leaves it out; remove it, or use another one"
                )
        answers = list(self.answers(messages, tools, marked))
        places = [answer.begin for answer in answers if not answer.wrong]
        if len(set(self.ends)) > 1:
            answers = [a._replace(wrong=f"answers end with {' or '.join(map(quoted, self.ends))}") for a in answers]
        if places != sorted(places):
            answers = [a._replace(wrong="the messages are written in another order") for a in answers]
        return Rendering(marked.text, marked.parts, answers)

    @cached_property
    def ends(self) -> list[str]:
        """The tokens that end the two answers of a short conversation, or the one of a shorter one, or none."""
        for talk in (TALK, TALK[:2]):
            try:
                marked = self.marked(talk, None, False)
                answers = list(self.answers(talk, None, marked))
            except MinisftError:
                continue
            if all(answer.end for answer in answers):
                last = {part.end: part.token for part in marked.parts if part.token}
                return [last[answer.end] for answer in answers]
        return []

    # --- where the answers are ---

    def answers(self, messages: Sequence[dict], tools: Any, marked: Marked) -> Iterator[Answer]:
        """One Answer a message of the assistant."""
        turns = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        latest = {messages[i - 1]["role"]: i for i in turns if i}
        prompts = {role: self.after(messages[:i], tools, True) for role, i in latest.items()}
        tokens = [part for part in marked.parts if part.token]
        places, missing = [part.at for part in tokens], set(marked.keys) - set(marked.ends)
        others = {part.token for part in tokens if part.at < marked.ends.get(turns[0] - 1, 0)} if turns else set()
        for i in turns:
            first, last, before = marked.begins.get(i), marked.ends.get(i), marked.ends.get(i - 1, 0)
            if last is None or i in marked.twice or before > last:
                yield Answer(i, 0, 0, "its text is written nowhere, twice, or before the message before it")
                continue
            header = marked.text[before : last if first is None else first]
            prompt = prompts[messages[i - 1]["role"]] if i else header
            if prompt.strip():  # the white space before it may be that of the message before
                before, header, prompt = before + len(header) - len(header.lstrip()), header.lstrip(), prompt.lstrip()
            if header.startswith(prompt):
                begin = before + len(prompt)
            elif prompt.startswith(header) and first is not None:
                begin = first  # the prompt goes on with the answer's first words, such as <think>
            else:
                yield Answer(
                    i, 0, 0, f"it begins with {quoted(header)}, the prompt for generation with {quoted(prompt)}"
                )
                continue
            n = bisect_left(places, last)
            calls = messages[i].get("tool_calls")
            while calls and n < len(tokens) and tokens[n].token not in (*self.ends, self.names.get("eos_token")):
                n += 1
            following = marked.begins.get(i + 1, marked.ends.get(i + 1, len(marked.text) + 1))
            if n == len(tokens) or tokens[n].at >= following:
                yield Answer(i, 0, 0, "no special token ends it")
                continue
            wrong = ""
            written = "".join(marked.text[before : marked.ends.get(Key(i, "content"), last)].split())
            if not written.endswith("".join((messages[i].get("content") or "").split())):
                wrong = "a part of it, such as its thoughts, is left out or changed"
            if Key(i, THOUGHTS[0]) in missing:
                wrong = "its thoughts are left out"
            header_tokens = {part.token for part in tokens[bisect_left(places, begin) : bisect_left(places, last)]}
            if header_tokens & others and not self.asks(messages[:i], tools):
                wrong = "the prompt for generation does not hold its header"
            yield Answer(i, begin, tokens[n].end, wrong)

    def marked(self, messages: Sequence[dict], tools: Any, add_generation_prompt: bool) -> Marked:
        """What is written of a conversation with marks, and where they were."""
        written, listed, unmark = mark(messages, tools, self.special)
        return unmark(self.write(written, listed, add_generation_prompt))

    def after(self, messages: Sequence[dict], tools: Any, add_generation_prompt: bool) -> str:
        """What is written after the last message."""
        marked = self.marked(messages, tools, add_generation_prompt)
        return marked.text[marked.ends.get(len(messages) - 1, 0) :]

    def asks(self, messages: Sequence[dict], tools: Any) -> bool:
        """Whether the template writes a prompt for generation."""
        return not messages or self.after(messages, tools, True) != self.after(messages, tools, False)


def line_of(error: BaseException) -> str:
    """ ":12", the line of a template where something went wrong, or nothing."""
    line, trace = getattr(error, "lineno", None), error.__traceback__
    while trace and not isinstance(error, SyntaxError):
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == "<template>" else line
        trace = trace.tb_next
    return f":{line}" if line else ""
