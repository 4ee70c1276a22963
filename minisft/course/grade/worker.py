"""The process in which one answer runs: python -m minisft.course.grade.worker FILE SECONDS

It is started by `judging`, reads calls from its standard input and writes results to its standard output. The answer's
own input and output are nothing.
"""

import builtins
import importlib.machinery
import os
import sys
import traceback
from types import ModuleType

import numpy as np

from minisft.course.grade import guard, wire
from minisft.course.grade.values import Broken


class Judge(wire.Link):
    """The other end."""

    trusting = True

    def raised(self, message: dict) -> None:
        kind = getattr(builtins, str(message.get("error")), RuntimeError)
        plain = isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError)
        raise (kind if plain else RuntimeError)(message.get("text"))

    def run(self, function, arguments):
        with np.errstate(all="ignore"):
            return wire.written_out(function(*arguments))

    def told(self, error: BaseException) -> dict:
        return {"error": type(error).__name__, "text": wire.text_of(error) + place(error)}


def place(error: BaseException) -> str:
    """The line of the answer that led to an error."""
    lines = [frame.line for frame in traceback.extract_tb(error.__traceback__) if frame.filename == sys.argv[1]]
    return f", in the line `{lines[-1].strip()[:100]}`" if lines and lines[-1] else ""


def own_ends() -> Judge:
    """The streams of this process, which from now on are nowhere for everybody else."""
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    return Judge(reader, writer)


def answers(path: str) -> tuple:
    """Run the file, which ends in a tuple of the answers."""
    loader = importlib.machinery.SourceFileLoader("answer", path)
    module = ModuleType("answer")
    module.__file__ = path
    sys.modules["answer"] = module
    loader.exec_module(module)
    return module.answers_to_judge


def main() -> None:
    judge = own_ends()
    guard.limit(int(sys.argv[2]))
    sys.meta_path.insert(0, guard.NoChecks)
    guard.watch()
    judge.kept.append(lambda: list(answers(sys.argv[1])))
    while True:
        try:
            message, body = judge.receive()
        except Broken:
            os._exit(0)
        judge.serve(message, body)


if __name__ == "__main__":
    main()
