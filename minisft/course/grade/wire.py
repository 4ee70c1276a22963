"""Plain data between the process that judges and the one in which an answer runs, in both directions.

A message is a line of JSON and the bytes of its arrays. Its `nodes` are the objects in it that are more than a number
or a text; everything else refers to them by [place], so an object that is met twice arrives as one object. A reply may
refer to the arguments of its call: what a function returns of its own arguments is known as such on the other side, and
what it has changed in them is told. A function, and anything that is not data, stays where it is: the other side gets a
Remote, which can be called and handed back.

What arrives may have been made by anybody. It is checked as it is read, and becomes numbers, texts, arrays and
containers of them, nothing else: no code, no class, no pickle.
"""

import json
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO

from minisft.course.grade.reader import Reader
from minisft.course.grade.values import ENTRIES, LARGEST, LONGEST, Broken, Unfit
from minisft.course.grade.writer import Writer


class Link:
    """One end. `kept` are the functions and things of this side that the other one knows, by their number.

    trusting  whether the other side may name the fields of tuples
    """

    trusting = False

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self.reader, self.writer = reader, writer
        self.kept: list[Any] = []

    def send(self, message: dict, blobs: list[bytes]) -> None:
        head = json.dumps(message).encode()
        if len(head) > LONGEST:
            raise Unfit(f"its lists and texts are longer than {LONGEST >> 20} MB: return arrays")
        self.writer.write(struct.pack("<II", len(head), sum(map(len, blobs))) + head + b"".join(blobs))
        self.writer.flush()

    def receive(self) -> tuple[dict, memoryview]:
        """Raises Broken."""
        try:
            sizes = struct.unpack("<II", self.exactly(8))
            if sizes[0] > LONGEST or sizes[1] > LARGEST:
                raise Broken("a message that is too large")
            head, body = (self.exactly(size) for size in sizes)
            message = json.loads(head)
        except (OSError, ValueError, RecursionError) as error:
            raise Broken(type(error).__name__) from None
        if not isinstance(message, dict):
            raise Broken("a message that is none")
        return message, memoryview(body)

    def exactly(self, size: int) -> bytes:
        found = self.reader.read(size)
        if len(found) < size:
            raise Broken("nothing more")
        return found

    def keep(self, value: Any) -> int:
        for number, other in enumerate(self.kept):
            if other is value:
                return number
        self.kept.append(value)
        return len(self.kept) - 1

    # --- calls ----------------------------------------------------------------------------------------------------

    def call(self, number: int, arguments: tuple) -> Any:
        """A function of the other side. While it runs, it may call functions of this side."""
        sent = Writer(self)
        root = sent.item(list(arguments))
        self.send({"call": number, "root": root, "nodes": sent.nodes}, sent.blobs)
        while True:
            message, body = self.receive()
            if "call" in message:
                self.serve(message, body)
            elif "error" in message:
                self.raised(message)
            else:
                reply = Reader(self, message, body, sent.objects)
                reply.apply(message.get("changes"))
                return reply.item(message.get("root"))

    def raised(self, message: dict) -> None:
        """Raises what the other side's function raised."""
        raise Broken(str(message.get("error")))

    def serve(self, message: dict, body: memoryview) -> None:
        """Answer one call of the other side."""
        found = Reader(self, message, body, [])
        number = message["call"]
        if not (isinstance(number, int) and 0 <= number < len(self.kept)):
            raise Broken("a call of nothing")
        arguments = found.item(message.get("root"))
        before = found.contents()
        try:
            reply = Writer(self, found.objects)
            root = reply.item(written_out(self.run(self.kept[number], arguments)))
            changes = reply.changes(before)
            self.send({"root": root, "nodes": reply.nodes, "changes": changes}, reply.blobs)
        except Broken:
            raise
        except BaseException as error:
            self.send(self.told(error), [])

    def run(self, function: Callable, arguments: list) -> Any:
        return function(*arguments)

    def told(self, error: BaseException) -> dict:
        return {"error": type(error).__name__, "text": text_of(error)}


def text_of(error: BaseException) -> str:
    try:
        return str(error)[:1000]
    except BaseException:  # a __str__ of the answer's own
        return ""


def written_out(result: Any) -> Any:
    """A result; an iterator as the list of what it gives. Raises Unfit if that has no end."""
    if not isinstance(result, Iterator):
        return result
    entries = list(islice(result, ENTRIES + 1))
    if len(entries) > ENTRIES:
        raise Unfit(f"it gives more than {ENTRIES:,} values, perhaps without an end")
    return entries
