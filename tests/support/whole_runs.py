"""Whole runs in tests: θ̃ and the rows of one, what two have in common, and one that adds up slices in every step."""

import numpy as np
from numpy.testing import assert_allclose

from minisft import optim, train
from minisft.config import TrainConfig
from minisft.parallel import ALONE, Ranks

LENGTHS = (7, 2, 5, 7, 3, 9, 4, 6, 5, 8)  # steps of 4 make 3 steps an epoch, the last of 2
SETTINGS = TrainConfig(learning_rate=0.01, batch_size=4, num_train_epochs=2, max_grad_norm=0.5)
COMPARED = ("loss", "objective", "grad_norm", "mean_token_accuracy", "prompt_loss", "completion_loss")


def run(theta, config, sequences, settings, ranks=ALONE):
    """θ̃ and the rows of a whole run."""
    rows = []
    for state in train.finetune(theta, config, sequences, settings, ranks):
        rows.append(state.metrics)
    return state.theta, rows


def assert_same_rows(one, other):
    """Counts are equal, what is measured to rounding; only the time differs."""
    assert len(one) == len(other)
    for row, same in zip(one, other, strict=True):
        assert row.keys() == same.keys()
        for name in row.keys() - {"tokens_per_second"}:
            if name.removeprefix("eval_") in (*COMPARED, "log_prob"):
                assert_allclose(same[name], row[name], rtol=1e-12)
            else:
                assert same[name] == row[name], name


def accumulated(theta, config, sequences, settings):
    """θ̃ of one process that adds up, in every step, the gradients of the two slices that two ranks would take."""
    theta = theta.copy()
    optimizer, total, grad = optim.make(theta, settings), train.steps_in(sequences, settings), theta.like()
    for t, (_, batch) in enumerate(train.batches(sequences, settings, dtype=theta.flat.dtype)):
        grad.flat[:] = 0
        for rank in range(2):
            own, of_slice = batch.only(Ranks(rank, 2).portion(np.diff(batch.starts))), theta.like()
            if len(own.ids):
                train.value_and_grad(theta, of_slice, config, own, dJ=-1.0)
            grad.flat += of_slice.flat
        optim.clip(grad, settings.max_grad_norm)
        optimizer.step(theta, grad, optim.learning_rate(settings, t, total))
    return theta
