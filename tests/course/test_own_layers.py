"""A student's backwards run the model: the library's curve, or the first layer that differs is named."""

import numpy as np
import pytest

from course.solutions import solution
from minisft import model, train
from minisft.config import ModelConfig, TrainConfig
from minisft.course.own_layers import FUNCTIONS, MODULES, mine
from minisft.data import Sequence

CONFIG = ModelConfig(
    vocab_size=11,
    hidden_size=8,
    intermediate_size=12,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=6,
    max_position_embeddings=80,
)
SETTINGS = TrainConfig(learning_rate=1e-2, max_steps=4, batch_size=3, warmup_steps=0, seed=0)
THETA = model.init(CONFIG, np.random.default_rng(1), np.float64)
THETA.flat[:] *= 10
SOLVED = {
    name: solution("04_backprop_by_hand", name)[f"{name}_backward"]
    for name in ("linear", "embedding", "rmsnorm", "swiglu", "objective")
} | {
    "rotary": solution("05_attention_by_hand", "rotary")["rotary_backward"],
    "attention": solution("05_attention_by_hand", "attention_backward")["attention_backward"],
}
SOLVED["weights"] = solution("03_concatenated_sequences", "step_weights")["step_weights"]
LIBRARY = {name: getattr(module, FUNCTIONS[name]) for name, module in MODULES.items()}


def collate(sequences):
    is_y = np.concatenate([s.is_y[1:] for s in sequences])
    ids, targets = (np.concatenate([s.ids[cut] for s in sequences]) for cut in (slice(-1), slice(1, None)))
    return ids, targets, is_y / is_y.sum(), np.cumsum([0, *(len(s.ids) - 1 for s in sequences)])


SOLVED["collate"] = collate


def sequences():
    """Lengths 1 to 70: more than one block of queries, and answers that end early, so that not all rows ask."""
    rng = np.random.default_rng(0)
    for n in (5, 2, 70, 9, 9, 5):
        is_y = np.arange(n) >= n // 2
        is_y[-1] = n % 2 == 0
        yield Sequence(rng.integers(0, 11, n), is_y, "")


def losses():
    return [state.metrics["loss"] for state in train.finetune(THETA, CONFIG, list(sequences()), SETTINGS)]


@pytest.fixture(scope="module")
def of_the_library():
    return losses()


@pytest.mark.parametrize(
    "names", [(), *[(name,) for name in SOLVED], tuple(SOLVED)[:-1]]
)  # a collate of one's own makes the weights
def test_right_backwards_run_the_model_as_the_library_does(names, of_the_library):
    with mine(**{name: SOLVED[name] for name in names}) as layers:
        curve = losses()
    verdict = layers.verdict(curve, of_the_library)
    assert np.allclose(curve, of_the_library, rtol=1e-12)
    assert verdict.right is (True if names else None) and all(name in verdict.text for name in names)


def others(name):
    """What makes its weights itself would leave no call of `weights`."""
    return {other: answer for other, answer in SOLVED.items() if other != "collate" or name != "weights"}


def scaled(name):
    """The solution, with one result a thousandth too large."""

    def wrong(*arguments):
        result = SOLVED[name](*arguments)
        if name == "embedding":
            arguments[1].weight[1] += 0.1
            return None
        if name == "collate":
            return result[0], result[1], 1.001 * result[2], result[3]
        return [1.001 * a for a in result] if isinstance(result, (tuple, list)) else 1.001 * result

    return wrong


@pytest.mark.parametrize("name", SOLVED)
def test_the_layer_that_differs_is_named(name, of_the_library):
    with mine(**others(name) | {name: scaled(name)}) as layers:
        curve = losses()
    verdict = layers.verdict(curve, of_the_library)
    assert verdict.right is False and f"the first layer that differs is {name}: " in verdict.text
    assert [layer.name for layer in layers.layers if layer.wrong] == [name]
    assert f"| {name} | yours |" in layers.table()


def unwritten(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("name", SOLVED)
def test_for_what_is_not_written_the_library_stands_in(name, of_the_library):
    with mine(**others(name) | {name: unwritten}) as layers:
        curve = losses()
    assert np.allclose(curve, of_the_library, rtol=1e-12)
    assert f"| {name} | the library's |" in layers.table() and layers.verdict(curve, of_the_library).right is True


@pytest.mark.parametrize("bad", [lambda *a: a[-1][0], lambda *a: 1 / 0, lambda *a: None, lambda: 1, lambda *a: "text"])
@pytest.mark.parametrize("name", ["linear", "attention", "swiglu"])
def test_what_stops_or_has_another_shape_is_said_and_the_library_goes_on(name, bad, of_the_library):
    with mine(**{name: bad}) as layers:
        curve = losses()
    assert np.allclose(curve, of_the_library, rtol=1e-12)
    verdict = layers.verdict(curve, of_the_library)
    assert verdict.right is False and name in verdict.text


def test_nothing_of_it_is_left_afterwards():
    with pytest.raises(ZeroDivisionError), mine(**SOLVED):
        assert MODULES["linear"].backward is not LIBRARY["linear"]
        1 / 0  # noqa: B018
    assert all(getattr(module, FUNCTIONS[name]) is LIBRARY[name] for name, module in MODULES.items())


def test_a_layer_that_it_does_not_know_is_told():
    with pytest.raises(TypeError, match="does not know softmax"):
        mine(softmax=unwritten)
