"""How θ moves from θ̂ through θ_t to θ̃, measured by its parameters, its predictions and its answers.

    distance      ‖θ_t − θ̂‖₂, for the whole vector and for every tensor
    line          (1 − α) θ̂ + α θ̃
    plane         θ̂ + a e₁ + b e₂:  e₁ from θ̂ to θ̃,  e₂ where the path strays furthest from that line
    divergence    KL(π_θ ‖ π_θ̂) = Σ_j π_θ(j) (log π_θ(j) − log π_θ̂(j)),  exact: the sum runs over the vocabulary

A distance between two θ says how far a run has gone; the divergence says how much of it can be noticed from outside.
The line is that of arXiv 1412.6544, the plane by the path's own directions that of arXiv 1712.09913.
"""

from dataclasses import dataclass

import numpy as np

from minisft import doors, evaluate, model, objective
from minisft.config import ModelConfig, number
from minisft.data import Batch, Example, Sequence, encode
from minisft.errors import MinisftError
from minisft.generate import Past
from minisft.params import Params
from minisft.tokenizer import Tokenizer


def norms(theta: Params) -> dict[str, float]:
    """‖θ‖₂ under "total", and that of every tensor under its name; float64 sums, in the units of θ."""
    squares = {name: float(np.square(view, dtype=np.float64).sum()) for name, view in theta.named.items()}
    return {"total": sum(squares.values()) ** 0.5} | {name: square**0.5 for name, square in squares.items()}


def distances(theta: Params, theta_hat: Params) -> dict[str, float]:
    """‖θ − θ̂‖₂ under "total", and that of every tensor under its name, in the units of θ; their squares add up.

    Raises MinisftError if θ and θ̂ do not have the same shapes.
    """
    side_by_side(theta, theta_hat)
    return norms(theta.at(theta.flat.astype(np.float64) - theta_hat.flat))


def line(theta_hat: Params, theta_tilde: Params, alpha: float) -> Params:
    """(1 − α) θ̂ + α θ̃ in the dtype of θ̂: equal to θ̂ at α = 0 and to θ̃ at α = 1; any other α is allowed too.

    Raises MinisftError if θ̂ and θ̃ do not have the same shapes.
    """
    doors.number("alpha", alpha, number())
    side_by_side(theta_tilde, theta_hat)
    flat = (1 - alpha) * theta_hat.flat.astype(np.float64) + alpha * theta_tilde.flat.astype(np.float64)
    return theta_hat.at(flat.astype(theta_hat.flat.dtype))


@dataclass(frozen=True)
class Plane:
    """A plane in the space of θ that holds θ̂ and θ̃; made by `plane`.

    theta_hat    θ̂, the point (0, 0)
    axes         (2, P) float64, orthonormal: e₁ from θ̂ to θ̃, and e₂
    coordinates  (T, 2) float64, in the units of θ: the recorded θ_t, projected onto the plane; θ̃ is (‖θ̃ − θ̂‖₂, 0)
    fraction     Σ_t ‖θ_t − θ̂, projected‖² / Σ_t ‖θ_t − θ̂‖²: how much of the path the plane holds, 1 if all of it
    """

    theta_hat: Params
    axes: np.ndarray
    coordinates: np.ndarray
    fraction: float

    def at(self, a: float, b: float) -> Params:
        """θ̂ + a e₁ + b e₂ in the dtype of θ̂; a and b in the units of θ. What to evaluate for a contour of −J."""
        doors.number("a", a, number())
        doors.number("b", b, number())
        flat = self.theta_hat.flat + a * self.axes[0] + b * self.axes[1]
        return self.theta_hat.at(flat.astype(self.theta_hat.flat.dtype))


def plane(theta_hat: Params, path: list[np.ndarray]) -> Plane:
    """The plane through θ̂ and θ̃ that comes closest to a recorded path, by the sum of squared distances.

    path  T vectors (P,), copies of `state.theta.flat` in the order of the run; the last is θ̃, the first may be θ̂

    e₁ = (θ̃ − θ̂) / ‖θ̃ − θ̂‖. The part of θ_t − θ̂ orthogonal to e₁ is row t of R (T, P). e₂ maximises Σ_t ⟨R_t, e₂⟩²: it
    is the first right singular vector of R, found from the small matrix R Rᵀ (T, T); of e₂ and −e₂, the one on whose
    side the path strays furthest. Needs memory for about 2 T P numbers in float64.
    Raises MinisftError if a vector is not as long as θ̂ or not finite, if θ̃ is θ̂, or if the path is straight, so that
    any e₂ would do.
    """
    doors.some("path", path)
    for i, vector in enumerate(path):
        if np.shape(vector) != theta_hat.flat.shape:
            raise MinisftError(
                f"path: vector {i} has shape {np.shape(vector)}, θ̂ has {theta_hat.flat.shape}; record "
                "state.theta.flat.copy() of runs of this model"
            )
        if not (np.isrealobj(vector) and np.isfinite(vector).all()):
            raise MinisftError(f"path: vector {i} is not real and finite; end the path before the run diverges")
    away = np.stack(path, dtype=np.float64)  # (T, P)
    away -= theta_hat.flat
    length = np.linalg.norm(away[-1])
    if not length:
        raise MinisftError("path: its last vector is θ̂ itself, so there is no direction to θ̃; end it with θ̃")
    first = away[-1] / length
    aside = np.outer(away @ first, first)
    np.subtract(away, aside, out=aside)
    squares, vectors = np.linalg.eigh(aside @ aside.T)  # ascending
    if squares[-1] <= 1e-24 * np.vdot(away, away):
        raise MinisftError(
            "path: θ_t never leaves the straight line from θ̂ to θ̃; record copies (state.theta.flat.copy()) on the way"
        )
    second = vectors[:, -1] @ aside
    second -= (second @ first) * first  # again, because of rounding
    second /= np.linalg.norm(second)
    b = away @ second
    second *= np.sign(b[np.abs(b).argmax()])
    axes = np.stack((first, second))
    coordinates = away @ axes.T
    return Plane(theta_hat, axes, coordinates, float(np.vdot(coordinates, coordinates) / np.vdot(away, away)))


def kl(theta: Params, theta_hat: Params, config: ModelConfig, sequences: list[Sequence], rows: str = "y") -> float:
    """KL(π_θ ‖ π_θ̂) of the next token, in nats per token: its mean over the rows that predict y, or over all rows.

    sequences  the contexts, in tokens: both models read the same ones, and nothing is sampled
    rows       "y", or "all": x and y
    It is 0 if and only if both models predict the same in these contexts. Sums are float64.
    Raises MinisftError if θ and θ̂ do not have the same shapes or do not fit config and sequences, if `rows` is unknown,
    if there is no such row, or if a logit is not finite.
    """
    alike(theta, theta_hat)
    doors.one_of("rows", rows, ("y", "all"))
    sequences = list(sequences)
    if not any(rows == "all" or s.is_y[1:].any() for s in sequences):
        raise MinisftError("sequences: none has a token of y to predict, so there is nothing to average")
    total, count = 0.0, 0
    for group in evaluate.groups(sequences, config):
        batch = evaluate.readable(theta, config, group)
        for (piece, past), (_, past_hat) in zip(*(evaluate.pieces(p, config, batch) for p in (theta, theta_hat))):
            chosen = np.flatnonzero(piece.is_y | (rows == "all"))
            log_pi = log_softmax(theta, config, piece, chosen, past)
            log_pi_hat = log_softmax(theta_hat, config, piece, chosen, past_hat)
            total += float((np.exp(log_pi) * (log_pi - log_pi_hat)).sum())  # (M, V) -> one number
            count += len(chosen)
    if not np.isfinite(total):
        raise MinisftError("theta: KL is not finite: the weights of a model are damaged or diverged; use another θ")
    return total / count


def log_softmax(
    theta: Params, config: ModelConfig, batch: Batch, rows: np.ndarray, past: Past | None = None
) -> np.ndarray:
    """log π_θ of the chosen rows of a batch: (M, V) float64, in nats."""
    logits, _ = model.forward(theta, config, batch.ids, batch.starts, rows, past, lowest=config.num_hidden_layers)
    return objective.forward(logits.astype(np.float64), batch.targets[rows], batch.weights[rows])[1].log_pi


def target(tokenizer: Tokenizer, example: Example) -> tuple[Sequence, list[str]]:
    """An example in tokens with its last answer as y, and the text of every token of that y: the columns of `watch`."""
    sequence = encode(example, tokenizer, "last")
    return sequence, [tokenizer.token_text(int(i)) for i in sequence.ids[1:][sequence.is_y[1:]]]


def watch(
    theta: Params, config: ModelConfig, tokenizer: Tokenizer, example: Example, max_new_tokens: int = 64
) -> tuple[np.ndarray, str]:
    """One example as θ_t sees it: log Pr(y_i | x, y_<i) in nats, a number per token of y, and the greedy answer ŷ_t.

    Call it at every t of interest, also at θ̂; np.stack of the first results is the heat map (T, n). ŷ_t is cut after
    max_new_tokens tokens, and empty if x fills the context. Raises MinisftError if x is empty.
    """
    sequence, _ = target(tokenizer, example)
    [(log_probs, _)] = evaluate.log_probs(theta, config, [sequence])
    [answer] = evaluate.answers(theta, config, tokenizer, [example], max_new_tokens)
    if answer is None:
        raise MinisftError(f"{example.where}: x is empty, so nothing is asked; give an example with a prompt")
    return log_probs[sequence.is_y[1:]], answer["predicted"]


def alike(theta: Params, theta_hat: Params) -> None:
    """Raises MinisftError if they are not real, or not parameters of the same shapes."""
    if not isinstance(theta_hat, Params):
        doors.refuse("theta_hat", "parameters (Params)", theta_hat, "make them with checkpoint.load or Params")
    doors.parameters("theta_hat", theta_hat, theta_hat.shapes)
    doors.parameters("theta", theta, theta_hat.shapes)


def side_by_side(theta: Params, theta_hat: Params) -> None:
    """Raises MinisftError as `alike`, or if one is an adapter and the other a whole model."""
    alike(theta, theta_hat)
    if theta.flat.shape != theta_hat.flat.shape:
        doors.refuse("theta", "a vector like that of theta_hat", theta.flat, "merge an adapter with adapter.merged")
