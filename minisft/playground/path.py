"""The plane through θ̂ and θ_t that comes closest to the path, from inner products alone.

    a_s = θ_s − θ̂     G_st = ⟨a_s, a_t⟩               of the kept θ, the last of which is θ_t

`trajectory.plane` finds e₁, e₂ as vectors of the size of θ. A picture needs only the coordinates, and these are in G:

    ⟨a_s, e₁⟩ = G_st / √G_tt                          e₁ = a_t / ‖a_t‖
    R Rᵀ      = G − ⟨a, e₁⟩ ⟨a, e₁⟩ᵀ  =  U diag(λ) Uᵀ      R: what e₁ leaves of every a_s
    ⟨a_s, e₂⟩ = √λ₁ U_s1                              the first right singular vector of R is e₂

So a point that is added costs one inner product with every earlier one, and the run goes on meanwhile.
"""

import numpy as np

from minisft.params import Params


class Path:
    """The vectors a_s, and their inner products."""

    def __init__(self, theta_hat: Params) -> None:
        self.theta_hat = theta_hat
        self.steps: list[int] = []
        self.away: list[np.ndarray] = []
        self.gram = np.zeros((0, 0))

    def add(self, step: int, theta: Params) -> None:
        """Append θ_t to the path; what was there from `step` on is forgotten."""
        keep = [i for i, t in enumerate(self.steps) if t < step]
        self.steps, self.away = [self.steps[i] for i in keep], [self.away[i] for i in keep]
        away = theta.flat - self.theta_hat.flat
        inner = [float(np.dot(other, away)) for other in (*self.away, away)]
        gram = np.zeros((len(inner), len(inner)))
        gram[:-1, :-1] = self.gram[np.ix_(keep, keep)]
        gram[-1], gram[:, -1] = inner, inner
        self.steps, self.away, self.gram = [*self.steps, step], [*self.away, away], gram

    def thin(self, apart: int) -> None:
        """Keep every `apart`-th step only."""
        keep = [i for i, t in enumerate(self.steps) if t % apart == 0]
        self.steps, self.away = [self.steps[i] for i in keep], [self.away[i] for i in keep]
        self.gram = self.gram[np.ix_(keep, keep)]

    def coordinates(self) -> np.ndarray:
        """(T, 2): the path in the plane, in the units of θ; θ_t is (‖θ_t − θ̂‖, 0). Zeros while it has not moved."""
        length = np.sqrt(self.gram[-1, -1])
        if not length > 0:
            return np.zeros((len(self.gram), 2))
        a = self.gram[-1] / length
        squares, vectors = np.linalg.eigh(self.gram - np.outer(a, a))
        b = np.sqrt(max(squares[-1], 0.0)) * vectors[:, -1]
        return np.stack((a, b * (np.sign(b[np.abs(b).argmax()]) or 1)), axis=1)

    def event(self) -> dict:
        points = [[t, float(f"{a:.5g}"), float(f"{b:.5g}")] for t, (a, b) in zip(self.steps, self.coordinates())]
        return {"event": "path", "points": points}
