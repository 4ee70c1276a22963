"""A chat template is a program (in Jinja) that somebody else wrote: it is run here, in jinja2's sandbox, on a budget.

The sandbox keeps it from files, from the network and from Python's insides. The budget keeps it from filling the memory
or never ending: every round of a loop and every call costs `ROUND`, every character that is made costs 1. The names
that a template may use are those that transformers gives it.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import TemplateError, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

LONGEST = 10**5  # characters of a template
ROUND = 300
BASE, EACH = 10**8, 10**3  # what a rendering may cost: BASE, and EACH for a character of its data, 10 times for an item
WRITTEN = 100  # characters it may write for one of its data, and twice as many as a template may have

# Filters that cost no more than what they are given, and methods of texts that may make much of little.
FILTERS = set(
    """
    abs attr bool capitalize count d default dictsort e escape first float groupby indent int items join last length
    list lower map max min reject rejectattr replace reverse round safe select selectattr sort string sum title trim
    truncate unique upper
    """.split()  # noqa: SIM905
)
AT_ONCE = {"count", "d", "default", "first", "last", "length", "map", "reject", "rejectattr", "select", "selectattr"}
NOT_OF_TEXTS = {"center", "encode", "expandtabs", "format", "format_map", "ljust", "maketrans", "rjust", "translate"}
NOT_OF_TEXTS |= {"zfill"}


class TooMuch(TemplateError):
    """The budget is spent."""


class Generation(Extension):
    """{% generation %}…{% endgeneration %}, which marks answers for other tools, writes what stands in between."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class OwnNamespace(Namespace):
    """A namespace without names that begin with an underscore: those are Python's."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *given = args
        Namespace.__init__(self)
        for name, value in dict(*given, **kwargs).items():
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        if str(name).startswith("_"):
            raise SecurityError(f"{name} cannot be a name in a namespace")
        super().__setitem__(name, value)


class OwnDict:
    def __call__(self, *args: Any, **kwargs: Any) -> dict:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict:
        return dict.fromkeys(*args)


class Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
        self.left = 0
        kept = {name: self.counted(name, way) for name, way in self.filters.items() if name in FILTERS}
        self.filters = kept | {"tojson": self.tojson, "minisft_rounds": self.rounds, "minisft_made": self.made}
        self.globals = {
            "range": self.globals["range"],
            "dict": OwnDict(),
            "namespace": OwnNamespace,
            "raise_exception": raise_exception,
        }

    def template(self, source: str) -> Any:
        """The template with its costs written into it. Raises jinja2's errors."""
        if len(source) > LONGEST:
            raise TooMuch(f"it has {len(source):,} characters, more than {LONGEST:,}")
        tree = self.parse(source)
        for kind in (nodes.For, nodes.Concat, nodes.Output):
            for node in list(tree.find_all(kind)):
                if isinstance(node, nodes.For):
                    node.iter = priced("minisft_rounds", node.iter)
                elif isinstance(node, nodes.Concat):
                    node.nodes = [priced("minisft_made", nodes.Concat([priced("minisft_made", n) for n in node.nodes]))]
                elif isinstance(node, nodes.Output):
                    written = sum(len(n.data) for n in node.nodes if isinstance(n, nodes.TemplateData))
                    rest = [n if isinstance(n, nodes.TemplateData) else priced("minisft_made", n) for n in node.nodes]
                    node.nodes = [priced("minisft_made", nodes.Const(""), nodes.Const(written)), *rest]
        tree.set_environment(self)
        return self.from_string(tree)

    def render(self, template: Any, size: int, **names: Any) -> str:
        """What it writes, given its names, whose texts have `size` characters. Raises what it raises, and TooMuch."""
        self.left, most = BASE + EACH * size, 2 * LONGEST + WRITTEN * size
        pieces, length = [], 0
        for piece in template.generate(**names):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                raise TooMuch(f"it writes more than {most:,} characters")
        return "".join(pieces)

    # --- what things cost ---

    def spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise TooMuch("it would take too long, or write too much")

    def weigh(self, value: Any, each: int = 1) -> int:
        """The size of a value as a text, about. A list that stands in it twice counts twice."""
        self.spend(20)
        if isinstance(value, str):
            return len(value)
        if isinstance(value, dict):
            return each + sum(self.weigh(key) + self.weigh(one, each) for key, one in value.items())
        if isinstance(value, (list, tuple)):
            return each + sum(self.weigh(one, each) for one in value)
        return each

    @pass_context
    def rounds(self, context: Context, values: Iterable) -> Iterable:
        if isinstance(values, Undefined) or not values:
            return values  # and jinja2 says what is wrong with it
        return Rounds(self, values) if hasattr(values, "__len__") else self.one_by_one(values)

    def one_by_one(self, values: Iterable) -> Iterator:
        for value in values:
            self.spend(ROUND)
            yield value

    @pass_context
    def made(self, context: Context, value: Any, cost: int = 0) -> Any:
        self.spend(cost + (len(value) if isinstance(value, str) else self.weigh(value)))
        return value

    def counted(self, name: str, way: Callable) -> Callable:
        """A filter that costs what it is given; `join`, `replace` and `indent` what they make."""
        passes = [key for key in ("jinja_pass_arg",) if hasattr(way, key)]

        def paid(*args: Any, **kwargs: Any) -> Any:
            at = len(passes)
            value = args[at]
            if name in AT_ONCE:
                self.spend(ROUND)
                return way(*args, **kwargs)
            if name == "list":
                value = list(self.one_by_one(value)) if not hasattr(value, "__len__") else value
            elif name in ("join", "replace", "indent"):
                further = [*args[at + 1 :], *kwargs.values()]
                longest = max((n if isinstance(n, int) else self.weigh(n) for n in further), default=0)
                value = list(value) if name == "join" else value
                self.spend(self.weigh(value) * (1 + min(longest, 10**9)) if longest > 1 else 0)
            self.spend(ROUND + self.weigh(value))
            return way(*args[:at], value, *args[at + 1 :], **kwargs)

        for key in passes:
            setattr(paid, key, getattr(way, key))
        return paid

    def tojson(
        self,
        value: Any,
        ensure_ascii: bool = False,
        indent: int | str | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        """As transformers has it: plain JSON, not made safe for HTML."""
        width = len(indent) if isinstance(indent, str) else indent or 0
        self.spend((ROUND + self.weigh(value, 10)) * (1 + width))
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise SecurityError(f"{operator} is not available here")
        if operator == "*":
            sizes = [n if isinstance(n, int) else self.weigh(n) for n in (left, right) if not isinstance(n, float)]
            self.spend(abs(sizes[0]) * abs(sizes[1]) if len(sizes) == 2 else 0)
        result = self.binop_table[operator](left, right)
        self.spend(len(result) if isinstance(result, (str, list, tuple)) else 1)
        return result

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, (int, float)) or (isinstance(obj, str) and attr in NOT_OF_TEXTS):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Any:
        return None  # `is_safe_attribute` refuses it

    def call(self, context: Context, called: Any, *args: Any, **kwargs: Any) -> Any:
        self.spend(ROUND)
        text = called.__self__ if isinstance(called, (MethodType, BuiltinMethodType)) else None
        if isinstance(text, str):
            if called.__name__ == "replace" and len(args) > 1:
                self.spend(text.count(args[0]) * len(args[1]))
            elif called.__name__ == "join":
                args = (list(self.one_by_one(args[0])),)
                self.spend(self.weigh(args[0]) + len(text) * len(args[0]))
            self.spend(len(text))
        result = super().call(context, called, *args, **kwargs)
        self.spend(len(result) if isinstance(result, (str, list, tuple, range)) else 0)
        return result


class Rounds:
    """A list whose every round is paid for; it has the length of the list, which `loop.length` asks for."""

    def __init__(self, sandbox: Sandbox, values: Any) -> None:
        self.sandbox, self.values = sandbox, values

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator:
        return self.sandbox.one_by_one(self.values)


def priced(name: str, node: Any, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def raise_exception(message: str) -> None:
    raise TemplateError(message)
