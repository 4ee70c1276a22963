"""The two oracles of notebook 04 on a layer: the central difference and the complex step."""

import numpy as np

from minisft import gradcheck
from minisft.course.display import table


def both(layer, seed=0):
    """A row for each tensor of a layer: the errors of its gradient by both. Raises AssertionError if one is large."""
    difference = gradcheck.layer_errors(layer, np.random.default_rng(seed))
    complex_step = gradcheck.layer_errors(layer, np.random.default_rng(seed), exact=True)
    assert max(difference.values()) < 1e-6 and max(complex_step.values()) < 1e-12
    return table(
        ["gradient by", "error by the central difference", "error by the complex step"],
        [[name, f"{off:.1e}", f"{complex_step[name]:.1e}"] for name, off in difference.items()],
    )
