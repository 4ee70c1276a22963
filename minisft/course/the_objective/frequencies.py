"""The tiny model learns one prompt with several answers: its distribution over answers becomes that of the data."""

import numpy as np

from minisft import train
from minisft.config import TrainConfig
from minisft.course.log_probability.tiny import TINY, as_sequence, pr, tiny_theta


def learn_frequencies(x, answers, counts, seed, steps=300):
    """[(t, Pr(y|x) of each answer)] every ten steps, from a random start, on data that hold each answer so often."""
    sequences = [as_sequence(x, y) for y, count in zip(answers, counts) for _ in range(count)]
    settings = TrainConfig(
        learning_rate=0.01, max_steps=steps, batch_size=len(sequences), loss_reduction="sum", seed=seed
    )
    start = tiny_theta(seed)
    path = [(0, pr(start, x, answers))]
    for state in train.finetune(start, TINY, sequences, settings):
        if state.step % 10 == 0:
            path.append((state.step, pr(state.theta, x, answers)))
    return path


def three_distances(pi, counts):
    """(−log likelihood per answer, cross-entropy, KL) of a distribution π (K,) and data with these counts."""
    p_hat = counts / counts.sum()
    likelihood = np.prod(np.repeat(pi, counts))
    return tuple(map(float, (-np.log(likelihood) / counts.sum(), -(p_hat @ np.log(pi)), p_hat @ np.log(p_hat / pi))))
