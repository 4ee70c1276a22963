"""Text in an answer that a program left there, and that nobody would write: \\n as letters, &quot;, <p>, nan, {{name}}.

Each kind may be meant: in code, in an explanation, where a question asks for it. So each has words, and a row whose
question, or whose answer, has one of them is left alone.
"""

import re
from typing import NamedTuple

CODE = (
    r"```|`[^`\n]*\\|\bcode|program|script|function|regex|regular expression|\bescap|\bstring\b|path|latex"
    r"|json|yaml|csv"
)
WEB = r"<[a-z!/]|html|xml|css|svg|web ?page|website|\btags?\b|markup|entit|escap|```"
NOTHING = r"nan|null|none|undefined|n/a|#n/a|nil|todo|tbd|<nooutput>|\[object object\]|\.\.\.|…"
REPR = r"\[(?:'[^'\n]+'|\"[^\"\n]*'[^\"\n]*\")(?:, .*)?\]|\{'\w+': .*\}|b'(?:[^'\n]|\\')*'|b\"[^\"\n]*\""


class Kind(NamedTuple):
    """Something that a program leaves.

    signs   an answer without any of these has nothing of the kind, which is seen sooner
    found   what stands in the answer
    meant   what says in the question that it is meant;  itself: what says so in the rest of the answer
    """

    signs: tuple[str, ...]
    found: re.Pattern[str]
    meant: re.Pattern[str]
    itself: re.Pattern[str] | None = None


def kind(signs: tuple[str, ...], found: str, meant: str, itself: str = "") -> Kind:
    return Kind(
        signs, re.compile(found, re.DOTALL), re.compile(meant, re.I), re.compile(itself, re.I) if itself else None
    )


KINDS = [
    # the letters \ and n; before a small letter it may be LaTeX's \nabla, and inside of quotation marks code
    kind(
        ("\\n",),
        r"(?<![\\(\"'`])\\n(?=\\n|[A-Z0-9\-*#•]|\s|$)(?![^\n]*['\"]\))",
        rf"\\|{CODE}",
        rf"^\s*[{{\[]|\(['\"]|{CODE}",
    ),
    kind(
        ("\\u00", "\\x"),
        r"[A-Za-z]\\(?:u00[a-f89]|x[c-f])[0-9a-f]|\\(?:u00[a-f89]|x[c-f])[0-9a-f][a-z]",
        rf"\\|{CODE}|unicode",
        CODE,
    ),
    kind(("&",), r"&(?:amp|quot|lt|gt|nbsp|apos|#\d{2,4}|#x[0-9a-f]{2,4});", WEB, r"<[a-z!/]|html|xml|entit|```"),
    kind(
        ("<",),
        r"</?(?:p|br|div|span|li|ul|ol|h[1-6]|strong|em|td|tr|table)(?: [^<>]*)? ?/?>",
        WEB,
        "html|xml|web ?page|```",
    ),
    kind(
        ("{{",),
        r"\{\{ ?[a-z_]{2,30} ?\}\}",
        r"\{\{|template|placeholder|jinja|mustache|handlebars|\bvue\b|angular|merge",
        "```|jinja|template",
    ),
    kind((), rf"^\s*(?i:{NOTHING})\s*$", NOTHING.replace("none", r"\bnone\b").replace("|…", "").replace("nan|", "")),
    kind(
        ("'",),
        rf"^\s*(?:{REPR})\s*$",
        r"list|array|python|json|dict|tuple|\bsets?\b|code|output|format|[\[{]",
    ),
    kind(('""',), r"^\"(?:[^\"]|\"\")*\"\"(?:[^\"]|\"\")*\"$", "csv|quot"),
    kind(
        ("://",),
        r"^\s*https?://\S+\s*$",
        r"\burls?\b|links?|http|www|web|site|page|source|video|address|download|where",
    ),
    kind(
        ("s an ", "S AN", "s a ", "sorry"),
        r"(?i)\bas an? (?:ai|artificial intelligence)(?: language)? (?:model|assistant)\b"
        r"(?! (?:developed|named|made|built))|^i['’]m sorry, but i can(?:not|['’]t) (?:assist|fulfill|comply)",
        r"\bai\b|language model|you feel|who are you|your name",
    ),
]


def left(question: str, answer: str) -> str:
    """What a program left in an answer; nothing if it is meant."""
    for one in KINDS:
        if one.signs and not any(sign in answer for sign in one.signs):
            continue
        found = one.found.search(answer)
        if not found or one.meant.search(question):
            continue
        if not (one.itself and one.itself.search(answer[: found.start()] + answer[found.end() :])):
            return found[0].strip()
    return ""
