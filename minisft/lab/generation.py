"""Where {% generation %} … {% endgeneration %} of a chat template stand in what it writes: other trainers' y.

The two tags are replaced by a character each, for private use, and these are looked for in the text.
"""

import re
from functools import cached_property
from typing import Any

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from minisft.errors import MinisftError
from minisft.formats.chat_templates import ChatTemplate
from minisft.formats.marks import prepared
from minisft.formats.sandbox import Sandbox

BEGIN, END = "\U0010fffc", "\U0010fffd"
TAG = re.compile(r"\{%-?\s*generation\s*-?%\}")


class Marked(Extension):
    """{% generation %} that writes a character before and after what it holds."""

    tags = {"generation"}  # noqa: RUF012
    priority = 200  # after the sandbox's own

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return [nodes.Output([nodes.TemplateData(BEGIN)]), *body, nodes.Output([nodes.TemplateData(END)])]


class Spans(ChatTemplate):
    """A chat template that says where its {% generation %} blocks are."""

    def __init__(self, chat: ChatTemplate, source: str | None = None) -> None:
        """Of a template, or with another `source` in the same place."""
        super().__init__(chat.source if source is None else source, chat.path, chat.special, chat.names)
        self.day = chat.day

    @property
    def has_blocks(self) -> bool:
        """Whether it has such blocks."""
        return isinstance(self.source, str) and TAG.search(self.source) is not None

    @cached_property
    def program(self) -> tuple[Any, Any]:
        sandbox = Sandbox()
        sandbox.add_extension(Marked)
        return sandbox, sandbox.template(self.source)

    def spans(
        self, messages: list[dict], tools: Any = None, add_generation_prompt: bool = False
    ) -> tuple[str, list[tuple[int, int]]]:
        """The text of a conversation and the (begin, end) of its blocks. Raises MinisftError as `write`."""
        pieces = re.split(f"([{BEGIN}{END}])", self.write(prepared(messages), tools, add_generation_prompt))
        text, places = "", list[int]()
        for piece in pieces:
            if piece in (BEGIN, END):
                places.append(len(text))
            else:
                text += piece
        if len(places) % 2:
            raise MinisftError(f"{self.path}: a message has the character U+10FFFC or U+10FFFD; remove it")
        return text, list(zip(places[::2], places[1::2]))
