"""The predictions of notebook 03 go by what was measured, and its figures can be drawn."""

import numpy as np
import pytest

from minisft import checkpoint, data, plots
from minisft.course import concatenated_sequences as check
from minisft.formats import resources


def test_the_gradient_at_the_prompts_embedding_is_what_was_measured():
    theta, config, tokenizer = checkpoint.load(resources.path("atlas"), np.float64)
    part = data.collate(
        [data.encode(data.read([resources.path("atlas_train.jsonl")])[0], tokenizer)], 0.0, "sum", float
    )
    received = check.at_each_position(theta, config, part)
    assert check.prompt_gradient("not zero", received, part.is_y).right is True
    assert check.prompt_gradient("zero", received, part.is_y).right is False
    assert check.prompt_gradient(None, received, part.is_y).right is None
    assert (received["logits"][~part.is_y] == 0).all()
    _, gradient = check.value_and_gradient(theta, config, part)  # the tied embedding: through the input and the head
    ids, lookup = np.unique(part.ids, return_inverse=True)
    assert received["embedding"].shape == lookup.shape and np.isfinite(gradient).all() and len(ids) < len(lookup)


@pytest.mark.parametrize(
    "prediction, rates, right",
    [
        ("it hardly stops", ([1, 1], [0.0, 0.1]), True),
        ("it stops as often", ([1, 1], [1, 1]), True),
        ("it stops less often", ([1, 1], [0.7, 0.7]), True),
        ("it stops as often", ([1, 1], [0, 0]), False),
        (None, ([1, 1], [0, 0]), None),
    ],
)
def test_the_quiz_about_the_end_token_goes_by_the_stop_rates(prediction, rates, right):
    assert check.end_token(prediction, *rates).right is right


def test_the_pictures_can_be_drawn():
    rows = plots.token_rows(["a", "$b", "c"], ["b", "c", "<|im_end|>"], np.array([0, 0.5, 1]), "rows")
    bars = plots.position_bars({"‖∂J/∂logits‖": np.array([0.0, 1]), "none": np.zeros(2)}, ["a", "b"], [False, True])
    pair = check.squares({"apart": np.eye(3), "together": np.ones((3, 3))}, np.array([0, 2, 3]), "share")
    assert all(len(figure._repr_png_()[0]) > 1000 for figure in (rows, bars, pair))
