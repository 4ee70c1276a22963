"""What one step does for y: a step along ∇ log Pr(x), and the first step of a joint run beside a conditional one."""

import numpy as np

from minisft import data, evaluate
from minisft.course.conditional_versus_joint.experiment import gradient


def batch_of(pairs, tokenizer, seed: int, count: int = 8) -> data.Batch:
    """So many pairs drawn by the seed, all rows weighing 1."""
    some = np.random.default_rng(seed).choice(len(pairs), count, replace=False)
    return data.collate([data.encode(pairs[i], tokenizer) for i in some], 1.0, "sum", np.float64)


def gain_for_y(theta, config, part: data.Batch, size: float = 1e-6) -> list[float]:
    """[the angle between both gradients in degrees, ‖∇x‖ / ‖∇y‖, and the gain for y of a step along ∇x over that of a
    step along ∇y: by the formula, and of the steps taken, of length `size` times the gradient]."""
    of_x, of_y = (gradient(theta, part, chosen) for chosen in (~part.is_y, part.is_y))

    def log_pr_y(direction):
        moved = theta.copy()
        moved.flat += size * direction
        return evaluate.token_log_probs(moved, config, part)[0][part.is_y].sum()

    x, y, start = (log_pr_y(direction) for direction in (of_x, of_y, 0 * of_y))
    lengths = np.linalg.norm(of_x) / np.linalg.norm(of_y)
    by_formula = of_x @ of_y / (of_y @ of_y)
    return [
        float(v) for v in (np.degrees(np.arccos(by_formula / lengths)), lengths, by_formula, (x - start) / (y - start))
    ]


def joint_over_conditional(theta, part: data.Batch) -> dict[str, float]:
    """What the joint first step gains for y, as a fraction of what the conditional one of the same optimiser gains; and
    in which fraction of the entries ∇ log Pr(x) is the larger one."""
    of_x, of_y = (gradient(theta, part, chosen) for chosen in (~part.is_y, part.is_y))
    gain = of_y @ (of_x + of_y) / (of_y @ of_y)
    return {
        "SGD, sum": gain,
        "SGD, token_mean": gain * part.is_y.mean(),
        "AdamW, either": of_y @ np.sign(of_x + of_y) / np.abs(of_y).sum(),
        "entries": np.mean(abs(of_x) > abs(of_y)),
    }
