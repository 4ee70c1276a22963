"""How models write a conversation: the dialects that `Tokenizer.render` speaks, and which of them a template asks for.

A model's chat template is a program (in Jinja) that comes with it. It is read here, never executed: it must contain the
lines that write a turn, and nothing that would write more.
"""

import re
from pathlib import Path
from typing import NamedTuple

from minisft.errors import MinisftError

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


class Dialect(NamedTuple):
    """A conversation is `begin`, then for every message `before` role `after` content `end` `then`."""

    name: str
    begin: str
    before: str
    after: str
    end: str  # the last target of an answer; "": the tokenizer's eos_token
    then: str
    trims: bool  # white space around a content is removed
    has: tuple[str, ...]  # what a template of this dialect contains, in the spelling of `plain`
    has_not: tuple[str, ...]  # what would write something else

    def special_tokens(self) -> list[str]:
        """The special tokens that the vocabulary must have."""
        return [*re.findall(r"<\|\w+\|>", " ".join((self.begin, self.before, self.after))), self.end]


CHATML = Dialect(
    name="ChatML",
    begin="",
    before="<|im_start|>",
    after="\n",
    end="<|im_end|>",
    then="\n",
    trims=False,
    has=("<|im_start|>", "<|im_end|>"),
    has_not=("bos_token", "trim", "strip"),
)
ZEPHYR = Dialect(
    name="Zephyr",
    begin="",
    before="<|",
    after="|>\n",
    end="",
    then="\n",
    trims=False,
    # White space before {{ and after }} is written out, so nothing but the newlines may be there.
    has=(
        "%}\n{{'<|system|>\n'+message['content']+eos_token}}\n{%",
        "%}\n{{'<|user|>\n'+message['content']+eos_token}}\n{%",
        "%}\n{{'<|assistant|>\n'+message['content']+eos_token}}\n{%",
        "%}\n{{'<|assistant|>'}}\n{%",
    ),
    has_not=("bos_token", "trim", "strip", "messages[0]", "loop.first", "{%-"),
)
LLAMA3 = Dialect(
    name="Llama 3",
    begin="<|begin_of_text|>",
    before="<|start_header_id|>",
    after="<|end_header_id|>\n\n",
    end="<|eot_id|>",
    then="",
    trims=True,
    has=(
        "bos_token",
        "'<|start_header_id|>'+message['role']+'<|end_header_id|>\n\n'+message['content']|trim+'<|eot_id|>'",
        "'<|start_header_id|>assistant<|end_header_id|>\n\n'",
    ),
    # Llama 3.1 and later write a system turn of their own: the date, and how to call tools.
    has_not=("date_string", "strftime", "strip", "<|start_header_id|>system"),
)
DIALECTS = (CHATML, ZEPHYR, LLAMA3)

# A system turn spelled out in a ChatML template, in quotes or as bare text, for a conversation without one.
DEFAULT_SYSTEM = re.compile(
    r"""(['"])<\|im_start\|>system(?:\\n|\n)((?:(?!<\|im_start\|>)(?:\\.|(?!\1)[^\\]))*?)<\|im_end\|>"""
    r"""|(?<!['"])<\|im_start\|>system\n((?:(?!<\|im_start\|>)[^{}])*?)<\|im_end\|>""",
    re.DOTALL,
)


def dialect_of(template: object, path: str | Path) -> Dialect:
    """The dialect of a chat template. Raises MinisftError naming `path` if `render` would write something else."""
    text = plain(template) if isinstance(template, str) else ""
    for known in DIALECTS:
        if all(part in text for part in known.has):
            for word in known.has_not:
                if word in text:
                    raise MinisftError(
                        f"{path}: the chat template is {known.name} with {word}, which is not implemented; use a model "
                        f"with plain {known.name}, or replace the template"
                    )
            return known
    raise MinisftError(
        f"{path}: the chat template is not {', '.join(known.name for known in DIALECTS[:-1])} or {DIALECTS[-1].name}; "
        "use a model whose template is, or replace the template"
    )


def plain(template: str) -> str:
    """A template with one spelling of newlines, quotes and spaces, where several mean the same."""
    spelled = template.replace("\\n", "\n").replace('"', "'")
    # A run of blanks is looked at once, from its beginning: else a long one takes the square of its length.
    return re.sub(r"(?<=[+|])[ \t]+|(?<=\{\{)[ \t]+|(?<![ \t])[ \t]+(?=[+|]|\}\})", "", spelled)


def default_system(template: str) -> str | None:
    """The system text a template inserts into a conversation without one, or None."""
    found = DEFAULT_SYSTEM.search(template)
    if not found:
        return None
    if found[3] is not None:
        return found[3]
    return re.sub(r"\\(.)", lambda escape: {"n": "\n", "t": "\t"}.get(escape[1], escape[1]), found[2], flags=re.DOTALL)
