"""What comes back from an answer's process and was not written by the worker: it is refused, and does no harm."""

import io
import json
import struct

import pytest

from minisft.course.grade.values import Broken, Unfit
from minisft.course.grade.wire import Link


def receive(head, body=b""):
    sent = head if isinstance(head, bytes) else json.dumps(head).encode()
    stream = io.BytesIO(struct.pack("<II", len(sent), len(body)) + sent + body)
    return Link(stream, io.BytesIO()).call(0, ())


def node(*parts):
    return {"root": [1], "nodes": [list(parts)], "changes": []}


def test_a_message_made_by_hand_is_a_value_like_any_other():
    assert receive({"root": True, "nodes": [], "changes": []}) is True
    assert receive(node("tuple", [1, 2], "Verdict", ["right", "text"])) == (1, 2)


FORGED = [
    b"",
    b"{",
    b"[]",
    b"[" * 10_000,
    b"{}",
    {"root": [9], "nodes": []},
    {"root": [0.5], "nodes": [], "changes": []},
]
FORGED += [
    {"root": {"a": 1}, "nodes": [], "changes": []},
    {"root": [1], "nodes": [["tuple", [[1]], "", []]], "changes": []},
]
FORGED += [{"root": 0, "nodes": [], "changes": [[5, ["list", []]]]}, {"root": 0, "nodes": [], "changes": [[-1, 0]]}]
FORGED += [
    {"call": 3, "root": 0, "nodes": []},
    {"call": "x", "root": 0, "nodes": []},
    {"call": -1, "root": [1], "nodes": [["list", []]]},
]
FORGED += [
    node(*parts)
    for parts in (
        ["array", "O", [1], 0, 8],
        ["array", "<f8", [1], 0, 8],
        ["array", "<f8,O", [1], 0, 0],
        ["array", "<f8", [-1], 0, -8],
        ["scalar", "V8", 0, 0],
        ["scalar", "<f8", 0, 0],
        ["view", 0, "<f8", [2], 0, [8]],
        ["view", 1, "<f8", [2], 0, [8]],
        ["params", [["a", [2]]], 3],
        ["params", [["__class__", [0]]], None],
        ["record", "State", []],
        ["record", "eval", []],
        ["record", "ModelConfig", [1]],
        ["object", "Params", []],
        ["object", "Popen", []],
        ["complex", []],
        ["bytes", 0, 9],
        ["yours", 0],
        ["yours", -1],
        ["mine", "x", "f", True, []],
        ["rng", -1],
        ["plain", [0]],
        ["pickle", "cos"],
        [],
        ["set", [[1]]],
        ["dict", [[{}, 1]]],
        ["frozenset", 5],
    )
]


@pytest.mark.parametrize("forged", FORGED, ids=lambda f: str(f)[:60])
def test_a_message_that_is_none_is_refused(forged):
    with pytest.raises(Broken):
        receive(forged)


def test_a_view_may_not_reach_beyond_the_array_it_is_a_view_of():
    for shape, offset, strides in (([3], 0, [8]), ([1], 16, [8]), ([2], 0, [16]), ([2], 0, [-8]), ([1], -8, [8])):
        forged = {
            "root": [1],
            "changes": [],
            "nodes": [["view", 2, "<f8", shape, offset, strides], ["array", "<f8", [2], 0, 16]],
        }
        with pytest.raises(Broken):
            receive(forged, bytes(16))


def test_a_message_that_is_cut_off_or_too_long_is_refused():
    for stream in (b"", b"\x01", struct.pack("<II", 5, 0) + b"{}", struct.pack("<II", 2**31, 0)):
        with pytest.raises(Broken):
            Link(io.BytesIO(stream), io.BytesIO()).call(0, ())


def test_what_cannot_be_sent_by_us_is_our_mistake():
    with pytest.raises(Unfit):
        Link(io.BytesIO(), io.BytesIO()).call(0, ("x" * (1 << 26),))
