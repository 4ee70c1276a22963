"""Whole runs in tests: θ̃ and the rows of one, what two have in common, and one that adds up slices in every step."""

import numpy as np
from numpy.testing import assert_allclose

from minisft import data, model, objective, optim, train
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
    optimizer, total = optim.make(theta, settings), train.steps_in(sequences, settings)
    grad, steps_an_epoch = theta.like(), -(-len(sequences) // settings.batch_size)
    for t in range(total):
        epoch, k = divmod(t, steps_an_epoch)
        order = train.order(len(sequences), settings, epoch)[k * settings.batch_size :][: settings.batch_size]
        whole = data.collate([sequences[i] for i in order], 0.0, settings.loss_reduction, theta.flat.dtype)
        grad.flat[:] = 0
        for rank in range(2):
            part, of_slice = whole.only(Ranks(rank, 2).portion(np.diff(whole.starts))), theta.like()
            rows = np.flatnonzero(part.weights)
            if len(part.ids):
                logits, cache = model.forward(theta, config, part.ids, part.starts, rows)
                _, c_objective = objective.forward(logits, part.targets[rows], part.weights[rows])
                model.backward(theta, of_slice, config, cache, objective.backward(c_objective, -1.0))
            grad.flat += of_slice.flat
        optim.clip(grad, settings.max_grad_norm)
        optimizer.step(theta, grad, optim.learning_rate(settings, t, total))
    return theta
