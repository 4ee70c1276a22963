# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 01_log_probability: one section an exercise.

# %% log_pr
# 1. Which row of the logits predicts token i? The one before it: row i has read ids[0] … ids[i]. Only tokens of
#    y count.
# 2. log Pr(y|x) = Σ_i log softmax(logits[i − 1])[ids[i]] over the i with is_y[i];  log softmax(z) = z − max z −
#    log Σ exp(z − max z)
# 3. rows = np.flatnonzero(is_y[1:])  # row i predicts token i + 1
import numpy as np


def log_pr(logits, ids, is_y):
    z = logits - logits.max(-1, keepdims=True)
    log_pi = z - np.log(np.exp(z).sum(-1, keepdims=True))
    rows = np.flatnonzero(is_y[1:])  # row i predicts token i + 1
    return log_pi[rows, ids[rows + 1]].sum()


# %% perplexity
# 1. log_probs[i] is about token i + 1, so the mask has to be shifted by one as well.
# 2. exp(− mean of log Pr over the tokens of y)
# 3. of_y = log_probs[is_y[1:]]
import numpy as np


def perplexity(log_probs, is_y):
    return np.exp(-log_probs[is_y[1:]].mean())


# %% answers
# 1. Grow all unfinished answers by every token, one token a round. Those that end with 0 are finished.
# 2. Pr(y) = Π_i next_pr(y_<i)[y_i];  unfinished = the sum over what has no 0 after `length` rounds
# 3. ended, open_now = {}, {(): 1.0}
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
# 1. The next distribution depends on what has been drawn so far. When does it stop? After a 0, or at `length`
#    tokens.
# 2. y_i ~ next_pr((y_1, …, y_{i−1}))
# 3. y = []
#    while len(y) < length and 0 not in y:
def draw(next_pr, rng, length):
    y = []
    while len(y) < length and 0 not in y:
        pi = next_pr(tuple(y))
        y.append(int(rng.choice(len(pi), p=pi)))
    return y
