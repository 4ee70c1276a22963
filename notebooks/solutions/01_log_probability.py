# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 01_log_probability: one section an exercise.

# %% log_pr
import numpy as np


def log_pr(logits, ids, is_y):
    z = logits - logits.max(-1, keepdims=True)
    log_pi = z - np.log(np.exp(z).sum(-1, keepdims=True))
    rows = np.flatnonzero(is_y[1:])  # row i predicts token i + 1
    return log_pi[rows, ids[rows + 1]].sum()


# %% perplexity
import numpy as np


def perplexity(log_probs, is_y):
    return np.exp(-log_probs[is_y[1:]].mean())


# %% answers
def answers(next_pr, length):
    ended, open_now = {}, {(): 1.0}
    for _ in range(length):
        grown = {}
        for y, pr in open_now.items():
            for token, p in enumerate(next_pr(y)):
                (ended if token == 0 else grown)[(*y, token)] = pr * p
        open_now = grown
    return ended, sum(open_now.values())


# %% draw
def draw(next_pr, rng, length):
    y = []
    while len(y) < length and 0 not in y:
        pi = next_pr(tuple(y))
        y.append(int(rng.choice(len(pi), p=pi)))
    return y
