"""J(θ), the sum over pairs of log Pr(y|x), from `model.forward` alone."""

import numpy as np

from minisft import model
from minisft.config import ModelConfig
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict
from minisft.course.the_objective.mistakes import J_MISTAKES, true_J
from minisft.params import Params


def small_model(rng):
    """θ far from any initialisation, and its config."""
    config = model_config(vocab_size=int(rng.integers(7, 12)))
    return Params.random(rng, model.shapes(config)), config


def model_config(vocab_size):
    sizes = {"hidden_size": 8, "intermediate_size": 10, "num_hidden_layers": 2, "max_position_embeddings": 64}
    return ModelConfig(vocab_size, num_attention_heads=2, num_key_value_heads=1, **sizes)


@exercise
def J(answer, seed=None) -> Verdict:
    """answer(theta, config, pairs) -> Σ log Pr(y|x) over pairs of arrays (x, y), each y with its end token."""
    rng = np.random.default_rng(seed)
    cases = []
    for count in (3, 1, 4):
        theta, config = small_model(rng)
        lengths = rng.permutation(np.arange(2, 2 + 2 * count)).reshape(count, 2)  # all different
        pairs = [tuple(rng.integers(1, config.vocab_size, n) for n in pair) for pair in lengths]
        cases.append((theta, config, pairs))
    pairs.append(pairs[1])  # D may hold a pair twice
    praise = "Σ_(x,y)∈D log Pr(y|x), from the logits alone: what `train` minimises under `sum` is minus this"
    return judge(answer, true_J, cases, J_MISTAKES, praise)
