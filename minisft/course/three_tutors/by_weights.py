"""How to train by any objective: `finetune`, with a function that says the weights before every step."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from minisft import optim, train


def by_weights(theta_hat, config, sequences, settings, weigh: Callable) -> Iterator[train.State]:
    """`finetune` by any J = Σᵢ wᵢ log π(yᵢ): before every step, weigh(θ_t, batch) says the weights w (N,) of its rows.

    The batch is given with the weights of `sum` and λ = 0, its mask and its starts. Yields θ_t after every step.
    """
    state = train.start(theta_hat.copy(), settings)
    grad, dtype = state.theta.like(), state.theta.flat.dtype
    of_y = replace(settings, prompt_loss_weight=0.0, loss_reduction="sum")
    for t, (_, batch) in enumerate(train.batches(sequences, of_y, dtype=dtype)):
        batch = replace(batch, weights=np.asarray(weigh(state.theta, batch), dtype))
        rate = optim.learning_rate(settings, t, settings.max_steps)
        state.metrics = train.step(state.theta, grad, state.optimizer, batch, config, settings, rate)
        state.step += 1
        yield state
