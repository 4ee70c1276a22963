"""An adapter: the matrices A and B of LoRA (layers/lora.py) at some linear maps of a model that is itself frozen.

    θ = (θ̂, A_1, B_1, A_2, B_2, …)                only the A and B move: they are the vector, theta.flat
    W̃_i = W_i + (α / r) B_i A_i                    "merged": one whole model again, with the same logits

As A and B are all of the vector, so are they of the gradient, the optimiser's moments, the Allreduce and a checkpoint.
In the tree they stand beside the W that they add to, where linear.py finds them.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from minisft.config import ALL_LINEAR, TrainConfig
from minisft.errors import MinisftError, quoted
from minisft.params import Params

A, B, ALPHA = "lora_A.weight", "lora_B.weight", "lora_alpha"  # below the name of a module


def linear_maps(theta: Params) -> dict[str, tuple[int, ...]]:
    """{name of the module: (out, in)} of every linear map of the blocks."""
    matrices = {name: shape for name, shape in theta.base.shapes.items() if shape and len(shape) == 2}
    return {name.removesuffix(".weight"): s for name, s in matrices.items() if name.startswith("model.layers.")}


def chosen(theta: Params, names: Iterable[str], where: str = "--lora-target-modules") -> list[str]:
    """The modules that names mean: "all-linear", or each by its whole name or the end of it, as q_proj. In θ's order.

    Raises MinisftError, which begins with `where`, if a name means none.
    """
    known = linear_maps(theta)
    meant = {name: [m for m in known if name == ALL_LINEAR or f".{m}".endswith(f".{name}")] for name in names}
    for name, modules in meant.items():
        if not modules:
            ends = sorted({module.rpartition(".")[2] for module in known})
            raise MinisftError(
                f"{where}: {quoted(name)} is not a linear map of a block; use {ALL_LINEAR}, "
                f"{', '.join(ends)}, or a whole name such as {next(iter(known), 'none')}"
            )
    return [module for module in known if any(module in modules for modules in meant.values())]


def shapes(theta_hat: Params, modules: Iterable[str], r: int) -> dict[str, tuple[int, ...] | None]:
    """Those of θ̂ with an adapter at these modules, in the order of forward: A is (r, in), B is (out, r)."""
    maps, modules = linear_maps(theta_hat), set(modules)
    result: dict[str, tuple[int, ...] | None] = {}
    for name in theta_hat.shapes:
        result[name], module = None, name.removesuffix(".weight")
        if module in modules:
            out, width = maps[module]
            result |= {f"{module}.{A}": (r, width), f"{module}.{B}": (out, r), f"{module}.{ALPHA}": None}
    return result


def attach(theta_hat: Params, modules: Iterable[str], r: int, alpha: float) -> Params:
    """θ̂, frozen and shared, with ΔW = (α/r) B A at these modules: A (r, in) and B (out, r) are 0."""
    modules = list(modules)
    numbers = {f"{module}.{ALPHA}": alpha for module in modules}
    return Params(shapes(theta_hat, modules, r), theta_hat.flat.dtype, frozen=theta_hat, numbers=numbers)


def start(theta_hat: Params, settings: TrainConfig) -> Params:
    """θ_0: θ̂ with a new adapter, as PEFT draws it. A is uniform within ± 1 / √in, by the seed, and B is 0."""
    modules, r = chosen(theta_hat, settings.lora_target_modules), settings.lora_r
    theta, rng = attach(theta_hat, modules, r, settings.lora_alpha or 2 * r), np.random.default_rng(settings.seed)
    for name, view in theta.named.items():
        if name.endswith(A):
            view[...] = rng.uniform(-1, 1, view.shape) / math.sqrt(view.shape[1])
    return theta


def modules(theta: Params) -> list[str]:
    """The names of the linear maps with an adapter."""
    return [name.removesuffix(f".{ALPHA}") for name in theta.numbers]


def rank_and_alpha(theta: Params) -> tuple[int, float]:
    """r and α, which are the same for all of its maps."""
    module = modules(theta)[0]
    return len(theta.named[f"{module}.{A}"]), theta.numbers[f"{module}.{ALPHA}"]


def changes(theta: Params) -> Iterator[tuple[str, np.ndarray]]:
    """(name of W, ΔW (out, in)) of every linear map with an adapter; ΔW = (α / r) B A."""
    for module in modules(theta):
        a, b, alpha = theta.named[f"{module}.{A}"], theta.named[f"{module}.{B}"], theta.numbers[f"{module}.{ALPHA}"]
        yield f"{module}.weight", alpha / len(a) * (b @ a)


def merged(theta: Params, into: Params | None = None) -> Params:
    """One whole model: W + ΔW where there is an adapter, else the tensors of θ̂.

    into  θ̂ itself, to be overwritten; by default the model has a vector of its own
    """
    whole = theta.base.copy() if into is None else into
    for name, change in changes(theta):
        whole.named[name] += change
    return whole
