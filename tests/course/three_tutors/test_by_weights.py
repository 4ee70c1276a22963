"""Training by any objective: with the weights of the batch it is finetune."""

from dataclasses import replace

import numpy as np

from minisft import data, model, train
from minisft.config import ModelConfig, TrainConfig
from minisft.course import three_tutors as check


def test_by_weights_with_the_weights_of_the_batch_is_finetune():
    config = ModelConfig(11, 8, 12, 2, 2, 1)
    rng = np.random.default_rng(0)
    theta_hat = model.init(config, rng, np.float64)
    lengths = [5, 7, 6, 9, 4]
    sequences = [data.Sequence(rng.integers(0, 11, n), np.arange(n) >= 2, "") for n in lengths]
    settings = TrainConfig(learning_rate=1e-2, max_steps=5, batch_size=2, loss_reduction="sum", max_grad_norm=0.0)
    (*_, usual) = train.finetune(theta_hat, config, sequences, settings)
    (*_, same) = check.by_weights(theta_hat, config, sequences, settings, lambda theta, batch: batch.weights)
    assert np.array_equal(usual.theta.flat, same.theta.flat) and same.step == 5
    (*_, other) = check.by_weights(theta_hat, config, sequences, settings, lambda theta, batch: -batch.weights)
    assert other.metrics["loss"] < 0 < same.metrics["loss"]
    ones = replace(settings, prompt_loss_weight=1.0)
    (*_, joint) = train.finetune(theta_hat, config, sequences, ones)
    (*_, all_rows) = check.by_weights(
        theta_hat, config, sequences, settings, lambda theta, batch: np.ones(len(batch.ids))
    )
    assert np.array_equal(joint.theta.flat, all_rows.theta.flat)
