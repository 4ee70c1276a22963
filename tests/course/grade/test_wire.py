"""Plain data between two processes: what arrives, what stays where it is, and what is refused."""

import io
import threading

import numpy as np
import pytest

from minisft import data, optim, train
from minisft.config import ModelConfig, TrainConfig
from minisft.course.grade.values import Broken, Remote
from minisft.course.grade.wire import Link
from minisft.params import Params


class Worker(Link):
    trusting = True


class Pipe(io.RawIOBase):
    """Two threads in place of two processes."""

    def __init__(self):
        self.content, self.filled, self.over = bytearray(), threading.Condition(), False

    def write(self, content):
        with self.filled:
            self.content += content
            self.filled.notify()

    def read(self, size):
        with self.filled:
            self.filled.wait_for(lambda: len(self.content) >= size or self.over, 10)
            found, self.content = bytes(self.content[:size]), self.content[size:]
            return found

    def flush(self):
        pass


@pytest.fixture
def there():
    """there(function, *arguments): what a function on the other side gives."""
    to, back = Pipe(), Pipe()
    judge, worker = Link(back, to), Worker(to, back)

    def work():
        while True:
            try:
                worker.serve(*worker.receive())
            except Broken:
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield lambda function, *arguments: judge.call(worker.keep(function), arguments)
    to.over = True
    with to.filled:
        to.filled.notify()
    thread.join(10)


VALUES = [None, True, 3, -2.5, float("inf"), "λ", "", 10**30, (1, "a"), [1, [2]], {"a": 1, (0, 1): 2.0}, {1, 2}]
VALUES += [frozenset({3}), 1 + 2j, b"\x00\xff", ..., np.float32(3), np.int64(7), np.True_]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_arrives_as_it_was(there, value):
    found = there(lambda v: v, value)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "f4", ">f8", "c16", "U3", "S2"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3)])
def test_an_array_arrives_with_its_dtype_and_shape(there, dtype, shape):
    value = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    found = there(lambda v: v.copy(), value)
    assert found.dtype == value.dtype and found.shape == value.shape and (found == value).all()


def test_an_array_in_any_order_arrives(there):
    a = np.arange(24.0).reshape(2, 3, 4)
    for view in (a.T, a[:, ::-1], a[..., 1], np.asfortranarray(a), np.broadcast_to(a[0, 0], (5, 4))):
        np.testing.assert_array_equal(there(lambda v: v[::-1], view), view[::-1])


def test_what_is_met_twice_is_one_object(there):
    a = np.ones(2)
    assert there(lambda p, q: p is q, a, a) and not there(lambda p, q: p is q, a, a.copy())
    first, second = there(lambda v: [v + 1] * 2, a)
    assert first is second


def test_views_of_one_array_still_share_its_memory(there):
    def windows(v):
        path = np.zeros((3, 2))
        return [path[0], path[1:], path]

    first, rest, whole = there(windows, 0)
    assert np.shares_memory(first, whole) and np.shares_memory(rest, whole) and not np.shares_memory(first, rest)


def test_an_argument_that_is_returned_is_known_as_that_argument(there):
    theta, lot = np.zeros(3), [1]
    assert there(lambda t, _: t, theta, lot) is theta and there(lambda _, x: x, theta, lot) is lot
    assert np.shares_memory(there(lambda t, _: t[1:], theta, lot), theta)


def test_what_is_changed_in_an_argument_is_changed_here(there):
    def change(a, some, table, p):
        a += 1
        some.append(2)
        table["b"] = a
        p.weight[0] = 7

    a, some, table, p = np.zeros(2), [1], {"a": 0}, Params({"weight": (2,)}, np.float64)
    there(change, a, some, table, p)
    assert a.tolist() == [1, 1] and some == [1, 2] and p.weight.tolist() == [7, 0] and table["b"] is a


def test_classes_of_the_library_arrive_as_themselves(there):
    config = ModelConfig(11, 8, 12, 1, 2, 1, max_position_embeddings=16)
    theta = Params({"a": (2, 2), "b": None, "c": (1,)}, np.float64)
    settings = TrainConfig(max_steps=3)
    state = train.State(4, theta, optim.AdamW(theta, settings))
    sequence = data.Sequence(np.arange(3), np.arange(3) > 1, "here")
    batch = data.collate([sequence], 0.0, "sum", np.float64)
    assert there(lambda c, s: (c == ModelConfig(**vars(c)), s.max_steps), config, settings) == (True, 3)
    assert there(lambda s: (s.optimizer.updates, type(s).__name__, s.theta.flat.size), state) == (0, "State", 5)
    assert there(lambda s, b: (len(s.part(slice(1)).ids), len(list(b.split(1)))), sequence, batch) == (1, 1)
    assert there(lambda s: s, state) is state
    back = there(lambda t: t.copy(), theta)
    assert isinstance(back, Params) and back.shapes == theta.shapes and back.flat.dtype == np.float64


def test_a_function_is_called_where_it_is_and_may_call_back(there):
    asked = []

    def f(v):
        asked.append(v)
        return 2 * v

    assert there(lambda g, h: g(h, 3) + 1, lambda h, v: h(v) * 10, f) == 61 and asked == [3]


def test_a_generator_of_random_numbers_is_another_one_in_every_call(there):
    rng = np.random.default_rng(0)
    assert there(lambda r: r.random(), rng) != there(lambda r: r.random(), rng)


def test_an_iterator_is_written_out(there):
    assert there(lambda: (i for i in range(3))) == [0, 1, 2]


def test_what_is_no_data_stays_there_and_can_be_handed_back(there):
    class Saved:
        def __init__(self):
            self.theta, self.__array_interface__ = np.ones(2), {"data": (0, False)}

    kept = there(Saved)
    assert isinstance(kept, Remote) and vars(kept)["theta"].tolist() == [1, 1] and not callable(kept)
    assert not hasattr(kept, "__array_interface__") and there(lambda s: type(s) is Saved, kept)


def test_a_tuple_with_names_is_plain_when_an_answer_made_it(there):
    sequence = data.Sequence(np.arange(2), np.arange(2) > 0, "here")
    assert there(lambda s: s.where, sequence) == "here"


def test_a_number_of_a_class_of_its_own_is_the_number(there):
    class Equal(float):
        def __eq__(self, other):
            return True

        __hash__ = float.__hash__

    class Mine(np.ndarray):
        def __array_ufunc__(self, *_, **__):
            return np.zeros(())

    assert type(there(lambda: Equal(3))) is float and there(lambda: Equal(3)) != 4
    assert type(there(lambda: np.ones(2).view(Mine))) is np.ndarray


def test_lists_that_hold_themselves_arrive(there):
    def circle():
        a = []
        a.append(a)
        return a

    found = there(circle)
    assert found[0] is found


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.ones(10**7),
        lambda: "x" * (1 << 26),
        lambda: ["x"] * (1 << 20),
        lambda: iter(int, 1),
        lambda: [b"x" * (1 << 20)] * 1 + [bytes(1 << 25)],
        lambda: __import__("functools").reduce(lambda a, _: [a], range(5000), []),
    ],
)
def test_what_is_too_large_or_too_deep_is_not_sent(there, make):
    with pytest.raises(Broken, match="Unfit"):
        there(make)


def test_a_view_that_pretends_to_be_large_is_refused(there):
    with pytest.raises(Broken):
        there(lambda: np.broadcast_to(np.zeros(()), (10**6, 10**6)))
