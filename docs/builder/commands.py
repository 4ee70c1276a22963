"""The page of all commands and flags, from the parser itself."""

import argparse
from html import escape

from minisft.cli.main import parser


def page():
    top = parser()
    [commands] = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    parts = [f"# Commands\n\n{top.description} {top.epilog}.\n"]
    parts += [
        f"- [`minisft {name}`](#minisft-{name}): {cell(one.description)}" for name, one in commands.choices.items()
    ]
    for name, one in commands.choices.items():
        parts.append(f"\n## minisft {name}\n\n{cell(one.description)}\n\n```text\n{one.epilog.strip()}\n```\n")
        parts.append("| flag | value | meaning |\n|---|---|---|")
        parts += [row(one, action) for action in one._actions if not isinstance(action, argparse._HelpAction)]
    return "\n".join(parts) + "\n"


def row(command, action):
    """A flag, what it takes and what it means, as its help says."""
    show = command._get_formatter()
    values = show._format_args(action, action.metavar or action.dest.upper())
    if action.choices:
        values = ", ".join(map(str, action.choices)) + (" …" if action.nargs == "+" else "")
    if not action.option_strings:  # an argument without a flag
        flag, values = f"`{values}`", ""
    else:
        flag = f"`{action.option_strings[-1]}`" + (", needed" if action.required else "")
    return f"| {flag} | {'' if action.nargs == 0 else cell(values)} | {cell(show._expand_help(action))} |"


def cell(text):
    """Plain text in Markdown, in a cell of a table."""
    marks = {"|": "&#124;", "*": "&#42;", "_": "&#95;", "`": "&#96;", "[": "&#91;", "$": "&#36;"}
    return "".join(marks.get(letter, letter) for letter in escape(text, quote=False))
