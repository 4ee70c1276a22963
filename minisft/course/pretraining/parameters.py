"""How many parameters a model has, counted from its config."""

import numpy as np

from minisft import model
from minisft.config import ModelConfig
from minisft.course.grading.comparison import judge
from minisft.course.grading.exercise import exercise
from minisft.course.pretraining.mistakes import PARAMETERS


@exercise
def count_parameters(answer, seed=None):
    """The number of parameters of random configs: tied and untied, with head sizes apart from C / H."""
    rng = np.random.default_rng(seed)

    def config(tied, head_dim):
        C, F, V, G, R = (int(n) for n in rng.integers(2, 9, 5))
        layers, context = (int(n) for n in rng.integers(2, 6, 2))
        H = G * (R + 1)
        return ModelConfig(V + 20, C * H * 2, F + 40, layers, H, G, head_dim * (2 * C + 2), context, 1e-5, 1e4, tied)

    cases = [(config(tied, head_dim),) for tied in (True, False) for head_dim in (0, 1)]
    shapes = [sum(int(np.prod(shape)) for shape in model.shapes(case).values()) for (case,) in cases]
    right = {case: number for (case,), number in zip(cases, shapes)}
    praise = f"{len(cases)} configs, tied and untied: each the sum over all tensors; the largest has {max(shapes):,}"
    return judge(answer, right.get, cases, PARAMETERS, praise)
