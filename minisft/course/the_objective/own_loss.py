"""A loss of the student's own: is its gradient that of L, does L fall when π(y) grows, and where does it lead?"""

import numpy as np

from minisft.course.grading.arrays import array
from minisft.course.grading.comparison import of_float32, whole
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Stumbled, Verdict, run, same

V = 5


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def value_and_gradient(answer, z, y):
    """What the student's loss gives: a number and an array like z. Raises Stumbled if it does not."""
    result = run(answer, z, y)
    if not (isinstance(result, tuple) and len(result) == 2):
        raise Stumbled(False, "return two things: L, a number, and its gradient by z")
    L, dz = (array(part, "L and its gradient must be numbers") for part in result)
    if L.shape:
        raise Stumbled(False, f"L is one number for one sample; this has the shape {L.shape}")
    if dz.shape != z.shape:
        raise Stumbled(False, f"the gradient must have the shape of z, {z.shape}; this has {dz.shape}")
    if not (np.isfinite(L) and np.isfinite(dz).all()):
        raise Stumbled(False, f"L or its gradient is not finite at z = {np.round(z, 2)}, y = {y}")
    return float(L), dz


def numeric(answer, z, y, h=1e-5):
    """Every partial derivative of the student's L by a central difference: (V,)."""
    steps = h * np.eye(len(z))
    return np.array(
        [(value_and_gradient(answer, z + e, y)[0] - value_and_gradient(answer, z - e, y)[0]) / (2 * h) for e in steps]
    )


def close(a, b):
    return np.linalg.norm(a - b) <= 1e-6 * max(np.linalg.norm(a), np.linalg.norm(b), 1e-6)


def wrong_gradient(points):
    """One sentence about gradients that are not those of L; points: [(z, y, theirs, true)]."""

    def always(formula):
        return all(close(formula(z, y, dz), true) for z, y, dz, true in points)

    ratios = [np.vdot(dz, true) / np.vdot(dz, dz) if dz.any() else 0.0 for _, _, dz, true in points]
    if not any(dz.any() for _, _, dz, _ in points):
        return "the gradient is 0, but L changes with z"
    if always(lambda z, y, dz: -dz):
        return "the sign is turned: this is −∂L/∂z, the direction in which L falls"
    if all(close(ratio * dz, true) for (_, _, dz, true), ratio in zip(points, ratios)):
        if np.allclose(ratios, ratios[0]):
            return f"the direction is right, but ∂L/∂z is {ratios[0]:.4g} times as large, at every z"
        return (
            "the direction is right, the size is not, by another factor at each z "
            f"({', '.join(f'{ratio:.3g}' for ratio in ratios[:3])}): a factor that depends on π was taken as a constant"
        )
    if always(lambda z, y, dz: softmax(z) * (dz - softmax(z) @ dz)):
        return "this is the derivative by π; by z it is π ⊙ (∂L/∂π − ⟨π, ∂L/∂π⟩), since every π depends on every z"
    if always(lambda z, y, dz: dz - softmax(z) * dz.sum()):
        return "this is the derivative by log π; by z it is ∂L/∂log π − π Σ ∂L/∂log π"
    if all(close(dz[y : y + 1], true[y : y + 1]) and not np.delete(dz, y).any() for _, y, dz, true in points):
        return "only the logit of the target has a derivative here; the others move π(y) too, by the softmax's sum"
    if all(close(np.delete(dz, y), np.delete(true, y)) for _, y, dz, true in points):
        return "all entries are right but that of the target y: is the one-hot term there?"
    _, y, dz, true = points[0]
    worst = int(np.abs(dz - true).argmax())
    text = f"entry {worst} is {dz[worst]:.6g}, the difference quotient of L says {true[worst]:.6g} (y = {y})"
    if abs(true.sum()) < 1e-6 < abs(dz.sum()):
        text += f"; the entries should sum to 0, since L depends on π alone, and sum to {dz.sum():.3g}"
    return text


@exercise
def own_loss(answer, seed=None) -> Verdict:
    """answer(z (V,), y) -> (L, ∂L/∂z): any L(sample) that falls when π(y) grows, and its gradient by the logits."""
    rng = np.random.default_rng(seed)
    points = []
    for _ in range(6):
        z, y = rng.standard_normal(V), int(rng.integers(V))
        points.append((z, y, value_and_gradient(answer, z, y)[1], numeric(answer, z, y)))
    if all(np.abs(true).max() < 1e-9 for *_, true in points):
        return Verdict(False, "L is the same for every z, so there is nothing to learn")
    if all(same(*(value_and_gradient(answer, z, k)[0] for k in (0, 1))) for z, *_ in points):
        return Verdict(False, "L is the same for every y: it never looks at the target")
    gradients = [dz for *_, dz, _ in points]
    if not any(map(whole, gradients)) and all(map(of_float32, gradients)):
        return Verdict(False, "the gradient is float32, with seven digits: compute in float64")
    if not all(close(dz, true) for _, _, dz, true in points):
        return Verdict(False, wrong_gradient(points))
    largest = max(np.linalg.norm(true) for *_, true in points)
    if any(np.abs(dz - true).max() > 1e-8 * largest for _, _, dz, true in points):
        return Verdict(False, "the gradient is right to a few digits only: is a float32 or a numerical one in the way?")
    z = np.zeros(V)
    likely, unlikely = (value_and_gradient(answer, z + size * np.eye(V)[0], 0)[0] for size in (3, -3))
    if likely >= unlikely:
        return Verdict(
            False, f"L grows with Pr(y), from {unlikely:.3g} to {likely:.3g}; it is minimised: turn its sign"
        )
    frequencies = np.array([0.6, 0.3, 0.1])
    found = trained(answer, frequencies)
    shown = ", ".join(f"{p:.3f}" for p in found)
    where = "the frequencies themselves" if np.abs(found - frequencies).max() < 2e-3 else "not at the frequencies"
    text = f"Trained on answers that come 60, 30 and 10 times of 100, it ends at {shown}: {where}"
    moved = [(value_and_gradient(answer, z + 1, y)[0], value_and_gradient(answer, z, y)[0]) for z, y, *_ in points]
    if not all(same(*two, rtol=1e-6) for two in moved):
        text += ". (It is no function of π: the same number added to all logits leaves π as it is, and moves L)"
    return Verdict(True, f"the gradient is that of L. {text}")


def trained(answer, frequencies, steps=600):
    """π after AdamW-like steps on Σ_y p(y) L(z, y), from z = 0."""
    z, m, v = np.zeros(len(frequencies)), 0.0, 0.0
    for t in range(1, steps + 1):
        dz = sum(p * value_and_gradient(answer, z, y)[1] for y, p in enumerate(frequencies))
        m, v = 0.9 * m + 0.1 * dz, 0.99 * v + 0.01 * dz**2
        rate = 0.1 * (1 - t / (steps + 1))
        z = z - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
    return softmax(z)
