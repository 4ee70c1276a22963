# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 02_the_objective: one section an exercise.

# %% J
# 1. One forward for each pair, of x and y laid end to end. Which rows predict the tokens of y?
# 2. J = Σ over pairs Σ_i log π(y_i | x, y_<i); row len(x) − 1 predicts the first token of y
# 3. ids = np.concatenate((x, y)); rows = np.arange(len(x) - 1, len(ids) - 1)
import numpy as np

from minisft import model


def J(theta, config, pairs):
    total = 0.0
    for x, y in pairs:
        ids = np.concatenate((x, y))
        rows = np.arange(len(x) - 1, len(ids) - 1)  # row i predicts token i + 1
        z, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), rows)
        z = z - z.max(-1, keepdims=True)
        log_pi = z - np.log(np.exp(z).sum(-1, keepdims=True))
        total += log_pi[np.arange(len(y)), y].sum()
    return total


# %% match
# 1. What kind is each thing: a function, a list, a vector of float, an array of tokens? x and y are parts of a
#    pair of D.
# 2. Of the two long vectors, one is the gradient at the other: along u = ∇/‖∇‖ the slope of J at θ is ‖∇‖. A
#    function (f, items) of Σ gives Σ f(v); argmax gives an item
# 3. functions = [letter for letter, thing in things.items() if callable(thing)]
import numpy as np


def match(things, log_pr):
    found, vectors, functions = {}, [], []
    for letter, thing in things.items():
        if callable(thing):
            functions.append(letter)
        elif isinstance(thing, list):
            found["D"] = letter
        elif thing.dtype.kind == "f":
            vectors.append(letter)
    pairs = things[found["D"]]
    for letter, thing in things.items():
        for number, symbol in enumerate(("x", "y")):
            if any(pair[number] is thing or np.array_equal(pair[number], thing) for pair in pairs):
                found.setdefault(symbol, letter)

    def J(flat):
        return sum(log_pr(flat, x, y) for x, y in pairs)

    def misfit(letter, other):  # is `other` the gradient at `letter`?
        at, u = things[letter], things[other] / np.linalg.norm(things[other])
        return abs((J(at + 1e-5 * u) - J(at - 1e-5 * u)) / 2e-5 / np.linalg.norm(things[other]) - 1)

    a, b = vectors
    found["θ"] = a if misfit(a, b) < misfit(b, a) else b
    for letter in functions:
        value = things[letter](lambda v: -((v - 3) ** 2) - 1, [2, 3, 5])
        if value == -8:
            found["Σ"] = letter
        if value == 3:
            found["argmax"] = letter
    return found


# %% missing
# 1. Change one entry of log_pr_y a little: how much does f move? Then another entry, then one of log_pr_x.
# 2. with Σ log Pr(y|x), every entry of log_pr_y has slope 1 and every entry of log_pr_x slope 0
# 3. log_x, log_y = np.full(n, -2.0), -np.arange(1.0, n + 1)
import numpy as np


def missing(f, n):
    log_x, log_y = np.full(n, -2.0), -np.arange(1.0, n + 1)

    def moved(k):
        up = log_y.copy()
        up[k] += 0.1
        return f(log_x, up) - f(log_x, log_y)

    gains = np.array([moved(k) for k in range(n)])
    if not gains.any():
        return "y|x"
    if (gains < 0).all():
        return "argmax"
    if (gains == 0).any():
        return "Σ"
    return "nothing" if np.allclose(gains, 0.1) else "log"


# %% optimum
# 1. Which π makes Σ counts log π largest, if π must sum to 1? Set the derivative by the logits to zero.
# 2. ∂/∂z_k Σ_j counts_j log π_j = counts_k − N π_k = 0
# 3. N = counts.sum()
def optimum(counts):
    return counts / counts.sum()


# %% one_step
# 1. J is divided by N. The gradient by the logits is frequency minus probability.
# 2. ∇_z J/N = counts / N − softmax(z)
# 3. pi = np.exp(z - z.max())
import numpy as np


def one_step(z, counts, eta):
    pi = np.exp(z - z.max())
    pi /= pi.sum()
    return z + eta * (counts / counts.sum() - pi)


# %% own_loss
# 1. Choose any loss that is smallest where the target is certain, then differentiate it through p = π(y).
# 2. ∂p/∂z = p (onehot(y) − π);  ∂L/∂z = (dL/dp) p (onehot(y) − π)
# 3. pi = np.exp(z - z.max()); pi /= pi.sum(); p = pi[y]
import numpy as np


def own_loss(z, y):
    """Focal loss with γ = 2: L = −(1 − p)² log p, p = π(y)."""
    pi = np.exp(z - z.max())
    pi /= pi.sum()
    p = pi[y]
    dL_dp = 2 * (1 - p) * np.log(p) - (1 - p) ** 2 / p
    return -((1 - p) ** 2) * np.log(p), dL_dp * p * (np.eye(len(z))[y] - pi)
