"""A tiny θ̂ and nine pairs, as the page would learn them."""

import pytest

from minisft import data
from minisft.config import TrainConfig
from minisft.playground.choice import Choice
from minisft.playground.record import Recorder


@pytest.fixture
def settings():
    return TrainConfig(learning_rate=1e-3, max_steps=7, batch_size=2, prompt_loss_weight=0.5)


@pytest.fixture
def chosen(pairs, settings):
    examples = data.read([pairs[1]])
    return Choice("nine pairs", "pre-trained", settings, examples, examples[:5])


@pytest.fixture
def recorder(loaded, chosen):
    """θ̂ in float64."""
    return Recorder(*loaded, chosen)
