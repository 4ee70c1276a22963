"""What the page asks for is checked like a file and like a flag."""

import json

import pytest

from minisft.config import TrainConfig
from minisft.errors import MinisftError
from minisft.playground import choice

ROW = {"prompt": "The sea is", "completion": " blue."}


@pytest.mark.parametrize("name", ["atlas", "shop", "sums", "support"])
def test_every_shipped_set_can_be_learned_and_asked(name):
    chosen = choice.choose({"data": name})
    assert chosen.examples and chosen.asked and chosen.asked is not chosen.examples


def test_what_the_page_does_not_set_is_as_in_sft():
    settings = choice.choose({}).settings
    shown = {name: getattr(settings, name) for name in choice.SETTINGS}
    assert settings == TrainConfig(**shown)


@pytest.mark.parametrize(
    "wanted, complaint",
    [
        ({"data": "../../etc/passwd"}, "data"),
        ({"data": ["atlas"]}, "data"),
        ({"start": "θ̃"}, "start"),
        ({"path": "/etc/passwd"}, "path"),
        ({"prompt_loss_weight": 1.1}, "prompt_loss_weight"),
        ({"prompt_loss_weight": None}, "prompt_loss_weight"),
        ({"prompt_loss_weight": True}, "prompt_loss_weight"),
        ({"learning_rate": 0}, "learning rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": "0.1"}, "learning_rate"),
        ({"max_steps": 0}, "max_steps"),
        ({"max_steps": 1.5}, "max_steps"),
        ({"max_steps": 10**9}, "max_steps"),
        ({"batch_size": 65}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"loss_reduction": "mean"}, "loss-reduction"),
        ({"optim": "lion"}, "optim"),
        ({"mistake": "shift"}, "mistake"),
        ({"mistake": None}, "mistake"),
        ({"mistake": ["no-shift"]}, "mistake"),
        ({"data": "pasted rows", "rows": ""}, "pasted rows"),
        ({"data": "pasted rows", "rows": 7}, "pasted rows"),
        ({"data": "pasted rows", "rows": json.dumps(ROW) + "\n{"}, "pasted rows:2"),
        ({"data": "pasted rows", "rows": '{"question": "Hi"}'}, "pasted rows:1"),
        ({"data": "pasted rows", "rows": "[]"}, "pasted rows"),
        ({"data": "pasted rows", "rows": (json.dumps(ROW) + "\n") * 1001}, "1000"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(wanted, complaint):
    with pytest.raises(MinisftError, match=complaint):
        choice.choose(wanted)


@pytest.mark.parametrize("text", [json.dumps(ROW), json.dumps([ROW, ROW]), f"\n{json.dumps(ROW)}\r\n\n"])
def test_pasted_rows_are_lines_or_one_array(text):
    chosen = choice.choose({"data": "pasted rows", "rows": text})
    assert chosen.examples[0][:2] == ("The sea is", " blue.")
    assert chosen.asked is chosen.examples


@pytest.mark.parametrize("question", ["x" * 2001, None, 3, ["Hi"]])
def test_a_question_is_a_text_of_bounded_length(question):
    with pytest.raises(MinisftError, match="question"):
        choice.asking(question, "")


def test_a_random_start_depends_on_the_seed_alone(loaded):
    theta_hat, config, _ = loaded
    one, same, other = (
        choice.theta_at_start(choice.choose({"start": "random", "seed": seed}), theta_hat, config) for seed in (1, 1, 2)
    )
    assert (one.flat == same.flat).all() and (one.flat != other.flat).any() and one.flat.dtype == theta_hat.flat.dtype
    assert choice.theta_at_start(choice.choose({}), theta_hat, config) is theta_hat
