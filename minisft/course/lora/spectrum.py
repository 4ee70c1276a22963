"""The rank of a change: singular values of ΔW = θ̃ − θ̂, map by map, and what its largest ones alone can do."""

import numpy as np

from minisft import adapter
from minisft.params import Params


def singular_values(theta_tilde: Params, theta_hat: Params) -> dict[str, np.ndarray]:
    """{name of a linear map: the singular values of its ΔW, the largest first}, in float64."""
    return {name: np.linalg.svd(change, compute_uv=False) for name, change in changes(theta_tilde, theta_hat)}


def changes(theta_tilde: Params, theta_hat: Params):
    """(name, ΔW in float64) of every linear map of the blocks."""
    for module in adapter.linear_maps(theta_hat):
        name = f"{module}.weight"
        yield module, theta_tilde.named[name].astype(np.float64) - theta_hat.named[name]


def kept(values: dict[str, np.ndarray], r: int) -> float:
    """The fraction of Σ‖ΔW‖² over all maps that lies in the r largest singular values of each."""
    return sum(float((v[:r] ** 2).sum()) for v in values.values()) / sum(float((v**2).sum()) for v in values.values())


def cut(theta_tilde: Params, theta_hat: Params, r: int) -> Params:
    """θ̃, but with ΔW of each linear map cut to its r largest singular values: the best change of rank r (Eckart and
    Young)."""
    result = theta_tilde.copy()
    for module, change in changes(theta_tilde, theta_hat):
        left, values, right = np.linalg.svd(change, full_matrices=False)
        result.named[f"{module}.weight"][...] = (
            theta_hat.named[f"{module}.weight"] + left[:, :r] * values[:r] @ right[:r]
        )
    return result
