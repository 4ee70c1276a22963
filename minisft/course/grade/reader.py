"""The nodes of a message turned into values, each of them checked."""

import math
import re
from collections import namedtuple
from functools import cache
from typing import Any

import numpy as np

from minisft.course.grade.values import (
    DEEPEST,
    DTYPE,
    LARGEST,
    NAME,
    OBJECTS,
    RECORDS,
    Broken,
    Remote,
    RemoteFunction,
    filled,
    ours,
    shallow,
    the,
)

MISSING = object()
TENSOR = re.compile(r"[A-Za-z]\w*(\.[A-Za-z0-9]\w*)*")


class Reader:
    """Turns the nodes of a message into values. `known` are the objects of the call that it replies to."""

    def __init__(self, link: Any, message: dict, body: memoryview, known: list[Any]) -> None:
        self.link, self.body, self.known = link, body, len(known)
        nodes = message.get("nodes")
        if not isinstance(nodes, list):
            raise Broken("a message without nodes")
        self.nodes: list[Any] = nodes
        self.objects: list[Any] = [*known, *[MISSING] * len(self.nodes)]

    def item(self, item: Any, depth: int = 0) -> Any:
        """Raises Broken for whatever is not as a Writer makes it."""
        if item is None or isinstance(item, (bool, int, float, str)):
            return item
        if not (isinstance(item, list) and len(item) == 1 and type(item[0]) is int) or depth > DEEPEST:
            raise Broken("a value that is none")
        place = item[0]
        if not 0 <= place < len(self.objects):
            raise Broken("a place that is none")
        if self.objects[place] is MISSING:
            try:
                self.build(place, self.nodes[place - self.known], depth + 1)
            except Broken:
                raise
            except Exception as error:  # whatever Python, NumPy or a class of ours has against it
                raise Broken(f"a value that is none, {type(error).__name__}") from None
        if self.objects[place] is MISSING:
            raise Broken("a value that holds itself")
        return self.objects[place]

    def build(self, place: int, node: list, depth: int) -> None:
        kind, *rest = node
        if kind in ("list", "dict"):  # they may hold themselves
            self.objects[place] = [] if kind == "list" else {}
            self.fill(self.objects[place], node, depth)
        else:
            self.objects[place] = self.made(kind, rest, depth)

    def fill(self, target: Any, node: list, depth: int) -> None:
        if isinstance(target, list):
            target[:] = [self.item(value, depth) for value in node[1]]
        else:
            pairs = [(self.item(key, depth), self.item(value, depth)) for key, value in node[1]]
            target.clear()
            target.update(pairs)

    def made(self, kind: str, rest: list, depth: int) -> Any:
        if kind == "array":
            dtype, shape, start, size = rest
            return self.numbers(dtype, start, size).reshape(shape).copy()  # its own memory: a view knows it by that
        if kind == "scalar":
            return self.numbers(*rest)[0]
        if kind == "view":
            place, dtype, shape, offset, strides = rest
            if math.prod(shape) * 16 > LARGEST:
                raise Broken("an array that is too large")
            root = self.item([place], depth)
            if not isinstance(root, np.ndarray):
                raise Broken("a view of no array")
            root = np.ascontiguousarray(root).reshape(-1).view(np.uint8)
            return np.ndarray(shape, self.dtype(dtype), root, offset, strides)
        if kind == "tuple":
            values, name, names = rest
            made = tuple(self.item(value, depth) for value in values)
            return record(name, tuple(names))(*made) if names and self.link.trusting else made
        if kind in ("set", "frozenset"):
            return {"set": set, "frozenset": frozenset}[kind](self.item(value, depth) for value in rest[0])
        if kind == "params":
            tensors, flat, *numbers = rest
            if not all(TENSOR.fullmatch(name) for name, _ in [*tensors, *numbers]):
                raise Broken("a name that is none")
            shapes = {name: shape and tuple(shape) for name, shape in tensors}
            given = {name: float(number) for name, number in numbers}
            return the("Params")(shapes, flat=self.item(flat, depth), numbers=given)
        if kind == "record":
            return the(rest[0], RECORDS)(*(self.item(value, depth) for value in rest[1]))
        if kind == "object":
            return filled(the(rest[0], OBJECTS), self.attributes(rest[1], depth))
        if kind == "rng":
            return np.random.default_rng(rest[0])
        if kind == "plain" and isinstance(rest[0], (bool, int, float, str)):
            return rest[0]
        if kind == "complex":
            return complex(*rest)
        if kind == "bytes":
            return self.content(*rest).tobytes()
        if kind == "ellipsis":
            return ...
        if kind == "yours" and rest[0] >= 0:
            return self.link.kept[rest[0]]
        if kind == "mine":
            number, name, can_be_called, held = rest
            remote = (RemoteFunction if can_be_called else Remote)(self.link, int(number), str(name)[:60])
            vars(remote).update(self.attributes(held, depth))
            return remote
        raise Broken("a kind that is none")

    def attributes(self, pairs: list, depth: int) -> dict:
        """Names that Python or NumPy would read a meaning into stay away."""
        return {name: self.item(value, depth) for name, value in pairs if NAME.fullmatch(name)}

    def dtype(self, text: str) -> np.dtype:
        if not DTYPE.fullmatch(text):
            raise Broken("a dtype that is none")
        return np.dtype(text)

    def numbers(self, dtype: str, start: int, size: int) -> np.ndarray:
        return np.frombuffer(self.content(start, size), self.dtype(dtype))

    def content(self, start: int, size: int) -> memoryview:
        if not 0 <= start <= start + size <= len(self.body):
            raise Broken("bytes that are not there")
        return self.body[start : start + size]

    # --- arguments that a call changes --------------------------------------------------------------------------------

    def contents(self) -> list[tuple]:
        """(place, what is in it) of all that an answer could change."""
        return [
            (place, value.tobytes() if isinstance(value, np.ndarray) else shallow(value))
            for place, value in enumerate(self.objects)
            if isinstance(value, (np.ndarray, list, dict)) or ours(type(value)) in OBJECTS
        ]

    def apply(self, changes: Any) -> None:
        """What the other side has changed in our arguments, it has changed in ours."""
        if not isinstance(changes, list):
            raise Broken("changes that are none")
        for change in changes:
            try:
                place, node = change
                if not 0 <= place < self.known:
                    raise Broken("a change of nothing")
                target = self.objects[place]
                if isinstance(target, np.ndarray):
                    new = self.made("array", node[1:], 1)
                    if new.shape != target.shape or new.dtype != target.dtype:
                        raise Broken("a change of another shape")
                    target[...] = new
                elif isinstance(target, (list, dict)) and node[0] == type(target).__name__:
                    self.fill(target, node, 1)
                elif ours(type(target)) in OBJECTS and node[0] == "object":
                    vars(target).update(self.attributes(node[2], 1))
                else:
                    raise Broken("a change of what cannot be changed")
            except Broken:
                raise
            except Exception as error:
                raise Broken(f"a change that is none, {type(error).__name__}") from None


@cache
def record(name: str, names: tuple) -> type:
    made: Any = namedtuple(name, names)  # type: ignore[misc]
    return made
