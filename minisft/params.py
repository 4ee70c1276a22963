"""θ is ONE vector, seen three ways.

    theta.flat                                                 (P,) all of it: optimiser, distances, lines, checkpoints
    theta.named["model.layers.0.self_attn.q_proj.weight"]      by the checkpoint's name: files, tests
    theta.model.layers[0].self_attn.q_proj.weight              by the mathematics: layers

All three are views of the same memory. Gradients, moments and float64 twins are further vectors of the same shape. If
some tensors are frozen, the gradient has None in their place in the tree, and no memory for them. If all of θ̂ is, and
an adapter moves (adapter.py), flat and named hold the adapter alone, and the tree shows θ̂ as well.
"""

from collections.abc import Container, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minisft import doors


class Branch:
    """A node of the tree of names. Its leaves are views; rebinding one would detach it from θ, so that raises."""

    def __setattr__(self, name: str, value: object) -> None:
        if self.__dict__.get(name) is not value:  # `g.weight += d` ends in g.weight = g.weight: allowed
            raise AttributeError(f"'{name}' is a view of θ: write into it, theta.{name}[...] = value")


class Params(Branch):
    """One buffer and its named views.

    shapes  {name: shape}, in the order of the buffer; where the shape is None, the tree has None too
    flat    (P,) the buffer to use, or None for a new one of zeros of this dtype
    frozen  what the tree has instead of None where it can: the tensors of θ̂, which is shared and never modified
    numbers {name: number} likewise: what a layer needs to know and what does not move
    Raises MinisftError if flat has another size, or if it holds neither real nor complex numbers.
    """

    flat: np.ndarray
    spans: dict[str, slice]  # the place of each tensor in flat
    named: dict[str, np.ndarray]
    shapes: dict[str, tuple[int, ...] | None]
    model: Any  # the tree, by the mathematics
    lm_head: Any
    frozen: "Params | None"
    numbers: Mapping[str, float]

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...] | None],
        dtype: DTypeLike = np.float32,
        flat: np.ndarray | None = None,
        frozen: "Params | None" = None,
        numbers: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        sizes = {name: int(np.prod(shape)) for name, shape in shapes.items() if shape is not None}
        P = sum(sizes.values())
        flat = np.zeros(P, dtype) if flat is None else flat
        if np.shape(flat) != (P,) or getattr(flat, "dtype", np.dtype(object)).kind not in "fc":
            doors.refuse(
                "flat", f"an array of shape ({P},), real or complex", flat, "give one vector of floats for all tensors"
            )
        ends = np.cumsum(list(sizes.values()))
        spans = {name: slice(int(end) - size, int(end)) for (name, size), end in zip(sizes.items(), ends)}
        named = {name: flat[span].reshape(shapes[name]) for name, span in spans.items()}
        vars(self).update(flat=flat, spans=spans, named=named, shapes=dict(shapes))
        there = {**(frozen.named if frozen else {}), **numbers, **named}
        for name in shapes:
            *path, leaf = name.split(".")
            node: Branch = self
            for key in path:
                node = vars(node).setdefault(key, Branch())
            vars(node)[leaf] = there.get(name)
        listed(self)
        vars(self).update(frozen=frozen, numbers=numbers)

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        shapes: Mapping[str, tuple[int, ...] | None],
        numbers: Mapping[str, float] = MappingProxyType({}),
    ) -> "Params":
        """float64 parameters far from any initialisation: standard normal matrices / √(inputs), gains within ±2."""
        theta = cls(shapes, np.float64, numbers=numbers)
        for view in theta.named.values():
            scale = 1 / np.sqrt(view.shape[1]) if view.ndim == 2 else 1.0
            view[...] = scale * rng.standard_normal(view.shape)
        return theta

    @property
    def base(self) -> "Params":
        """The tensors of the model itself: θ, or θ̂ where an adapter moves."""
        return self.frozen or self

    def like(self) -> "Params":
        """Zeros of the same shapes and dtype: a gradient, a moment."""
        return Params(self.shapes, self.flat.dtype)

    def part(self, names: Container[str]) -> "Params":
        """Zeros for the tensors of these names only: a gradient when the others are frozen."""
        shapes = {name: shape if name in names else None for name, shape in self.shapes.items()}
        return Params(shapes, self.flat.dtype)

    def at(self, flat: np.ndarray) -> "Params":
        """The same tensors at another point: this vector (P,) is the buffer. What is frozen is shared."""
        return Params(self.shapes, flat=flat, frozen=self.frozen, numbers=self.numbers)

    def copy(self) -> "Params":
        """The same numbers in memory of its own."""
        return self.at(self.flat.copy())

    def astype(self, dtype: DTypeLike) -> "Params":
        """A copy in another dtype."""
        frozen = self.frozen and self.frozen.astype(dtype)
        return Params(self.shapes, flat=self.flat.astype(dtype), frozen=frozen, numbers=self.numbers)

    def __reduce__(self) -> tuple:  # copy.deepcopy would copy every view by itself, apart from the vector
        return Params, (self.shapes, None, self.flat, self.frozen, dict(self.numbers))


def listed(node: Branch) -> None:
    """Turn every branch whose names are 0, 1, 2, … into a list, so that theta.model.layers[0] works."""
    for name, child in vars(node).items():
        if isinstance(child, Branch):
            listed(child)
            keys = list(vars(child))
            if keys and all(key.isdigit() for key in keys):
                vars(node)[name] = [vars(child)[str(i)] for i in range(len(keys))]
