"""How to train by any objective: `finetune`, with a function that says the weights before every step."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from minisft import data, optim, train


def by_weights(theta_hat, config, sequences, settings, weigh: Callable) -> Iterator[train.State]:
    """`finetune` by any J = Σᵢ wᵢ log π(yᵢ): before every step, weigh(θ_t, batch) says the weights w (N,) of its rows.

    The batch is given with the weights of `sum` and λ = 0, its mask and its starts. Yields θ_t after every step.
    """
    state = train.start(theta_hat.copy(), settings)
    grad, size = state.theta.like(), settings.batch_size
    for t in range(settings.max_steps):
        epoch, k = divmod(t, math.ceil(len(sequences) / size))
        order = train.order(len(sequences), settings, epoch)
        batch = data.collate(
            [sequences[i] for i in order[k * size : (k + 1) * size]], 0.0, "sum", state.theta.flat.dtype
        )
        batch = replace(batch, weights=np.asarray(weigh(state.theta, batch), state.theta.flat.dtype))
        rate = optim.learning_rate(settings, t, settings.max_steps)
        state.metrics = train.step(state.theta, grad, state.optimizer, batch, config, settings, rate)
        state.step += 1
        yield state
