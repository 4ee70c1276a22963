"""Beside PyTorch: this folder is collected only where that is installed (`pip install -e '.[test,parity]'`)."""

from importlib.util import find_spec

import pytest

from minisft import data
from minisft.formats import resources
from minisft.tokenizer import Tokenizer

collect_ignore_glob = [] if all(map(find_spec, ("torch", "transformers", "trl", "datasets"))) else ["*.py"]


def pytest_terminal_summary(terminalreporter):
    """The table of this run: a row for every quantity, with the largest difference over all tests."""
    if collect_ignore_glob:
        return
    from .measured import WORST

    if WORST:
        terminalreporter.section("minisft beside PyTorch: largest relative differences")
        for (beside, quantity), (difference, tolerance) in WORST.items():
            terminalreporter.line(f"{beside:<22}{quantity:<46}{difference:8.1e}   allowed {tolerance:.0e}")


@pytest.fixture(scope="session")
def tokenizer():
    """400 tokens: merges reach into ordinary words of the shipped text, and into runs of white space."""
    texts = [example.completion for example in data.read([resources.path("pretrain.jsonl")])[::10]]
    return Tokenizer.train(texts + ["one\n\n two\n\n\n   three\t\t\n  four\n \n five"] * 1000, 400)
