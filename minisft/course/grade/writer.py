"""Values turned into the nodes of a message, as `wire` describes it."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from minisft.course.grade.values import DEEPEST, LARGEST, OBJECTS, RECORDS, Remote, Unfit, ours, shallow


class Writer:
    """Turns values into nodes. `objects` are those that the other side knows already, by their place."""

    def __init__(self, link: Any, known: list[Any] | None = None) -> None:
        self.link, self.size = link, 0
        self.nodes: list[Any] = []
        self.blobs: list[bytes] = []
        self.objects: list[Any] = list(known or [])
        self.places = {id(value): place for place, value in enumerate(self.objects)}
        self.views = known is not None  # a reply says which of its arrays are views of one another

    def item(self, value: Any, depth: int = 0) -> Any:
        if value is None or type(value) in (bool, int, float):
            return value
        if type(value) is str:
            return value
        if id(value) in self.places:
            return [self.places[id(value)]]
        if depth > DEEPEST:
            raise Unfit(f"containers in containers, {DEEPEST} deep")
        return [self.add(value, lambda: self.node(value, depth + 1))]

    def add(self, value: Any, make: Callable) -> int:
        place = len(self.objects)
        self.objects.append(value)
        self.places[id(value)] = place
        self.nodes.append(None)
        at = len(self.nodes) - 1
        self.nodes[at] = make()
        return place

    def blob(self, content: bytes) -> list[int]:
        if self.size + len(content) > LARGEST:
            raise Unfit(f"it is larger than {LARGEST >> 20} MB")
        self.blobs.append(content)
        self.size += len(content)
        return [self.size - len(content), len(content)]

    def items(self, values: Any, depth: int) -> list:
        return [self.item(value, depth) for value in values]

    def node(self, value: Any, depth: int) -> list:
        kind = type(value)
        if isinstance(value, np.ndarray) and value.dtype.kind in "biufcUS":
            return self.array(np.asarray(value))
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            return ["list", self.items(value.tolist() if value.ndim else [value.item()], depth)]
        if isinstance(value, np.generic) and value.dtype.kind in "biufcUS":
            return ["scalar", value.dtype.str, *self.blob(value.tobytes())]
        name = ours(kind)
        if name == "Params":
            shapes = [[n, s and list(s)] for n, s in value.shapes.items()]
            return ["params", shapes, self.item(value.flat, depth), *([n, float(x)] for n, x in value.numbers.items())]
        if name in RECORDS:
            return ["record", name, self.items((getattr(value, n) for n in fields(kind)), depth)]
        if name in OBJECTS:
            return ["object", name, [[n, self.item(v, depth)] for n, v in vars(value).items()]]
        if kind.__name__ == "Generator" and isinstance(value, np.random.Generator):
            return ["rng", int(value.integers(2**62))]
        if isinstance(value, tuple):
            names = list(getattr(kind, "_fields", ()))
            return ["tuple", self.items(value, depth), kind.__name__, names]
        if isinstance(value, (list, set, frozenset)):
            return [next(n for n in ("list", "set", "frozenset") if n in names_of(kind)), self.items(value, depth)]
        if isinstance(value, dict):
            return ["dict", [[self.item(k, depth), self.item(v, depth)] for k, v in value.items()]]
        if isinstance(value, (bool, int, float, str, Fraction, Decimal)):  # of a class of their own
            return ["plain", str.__str__(value) if isinstance(value, str) else plain(value)]
        if isinstance(value, complex):
            return ["complex", value.real, value.imag]
        if isinstance(value, (bytes, bytearray)):
            return ["bytes", *self.blob(bytes(value))]
        if value is ...:
            return ["ellipsis"]
        return self.foreign(value, depth)

    def foreign(self, value: Any, depth: int) -> list:
        """What stays here: a function, or a thing with all that it holds."""
        if isinstance(value, Remote):
            return ["yours", value.__dict__["__link"][1]]
        held = {} if callable(value) else getattr(value, "__dict__", {})
        shown = [[n, self.item(v, depth)] for n, v in held.items() if type(n) is str and not n.startswith("__")]
        return ["mine", self.link.keep(value), type(value).__name__, callable(value), shown]

    def array(self, value: np.ndarray) -> list:
        """Its bytes, or, in a reply, where it lies in the array that it is a view of."""
        root = value
        while self.views and isinstance(root.base, np.ndarray):
            root = root.base
        near = root is not value and (id(root) in self.places or root.nbytes <= 1 << 20)
        if near and root.flags.c_contiguous and root.dtype.kind in "biufcUS":
            offset = value.__array_interface__["data"][0] - root.__array_interface__["data"][0]
            place = self.places.get(id(root))
            if place is None:
                place = self.add(root, lambda: self.array(root))
            return ["view", place, value.dtype.str, list(value.shape), offset, list(value.strides)]
        return ["array", value.dtype.str, list(value.shape), *self.blob(value.tobytes())]

    def changes(self, before: list[tuple]) -> list:
        """What is no longer as it was in the arguments: [place, node]."""
        changed = []
        for place, then in before:
            value = self.objects[place]
            if isinstance(value, np.ndarray):
                if value.tobytes() != then:
                    changed.append([place, ["array", value.dtype.str, list(value.shape), *self.blob(value.tobytes())]])
            elif not identical(shallow(value), then):
                changed.append([place, self.node(value, 1)])
        return changed


def plain(value: Any) -> int | float:
    if isinstance(value, (Fraction, Decimal)):
        return float(value)
    return int.__int__(value) if isinstance(value, int) else float.__float__(value)


def fields(kind: Any) -> list[str]:
    return list(getattr(kind, "_fields", None) or kind.__dataclass_fields__)


def names_of(kind: type) -> set[str]:
    return {base.__name__ for base in kind.__mro__}


def identical(a: list, b: list) -> bool:
    return len(a) == len(b) and all(x is y or (type(x) is type(y) is int and x == y) for x, y in zip(a, b))
