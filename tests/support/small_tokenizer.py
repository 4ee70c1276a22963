"""A small tokenizer of our own making, in memory and in a directory for a test to edit.

A file of tests that needs the two fixtures takes them by their names: `tokenizer, directory = fixtures`.
"""

import json

import pytest

from minisft.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat in 1984, the hat", "user\n  the cat\nassistant\n  the mat"] * 20
USER, ASSISTANT, SYSTEM = ({"role": role, "content": f"the {role}"} for role in ("user", "assistant", "system"))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, 320)


@pytest.fixture
def directory(tokenizer, tmp_path):
    """A saved tokenizer, for a test to edit."""
    tokenizer.save(tmp_path)
    return tmp_path


fixtures = tokenizer, directory


def edit(path, change):
    """Apply `change` to the object in a JSON file; the file need not exist."""
    value = json.loads(path.read_text()) if path.exists() else {}
    change(value)
    path.write_text(json.dumps(value))


def spelled(tokenizer, ids):
    return "".join(tokenizer.token_text(i) for i in ids)
