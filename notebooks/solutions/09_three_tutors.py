# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 09_three_tutors: one section an exercise.

# %% weights
# 1. Which division makes a sum over tokens a mean over pairs?
# 2. w = 1/S on y, 0 elsewhere
# 3. pairs = len(starts) - 1
def weights(is_y, starts):
    return is_y / (len(starts) - 1)


# %% probabilities
# 1. log_probs[i] is about token i + 1. Add before exp.
# 2. Pr(y|x) = exp Σ log Pr(y_i | x, y_<i)
# 3. for values, mask in zip(log_probs, masks): … mask[1:] …
import numpy as np


def probabilities(log_probs, masks):
    return np.array([np.exp(values[mask[1:]].sum()) for values, mask in zip(log_probs, masks)])


# %% repaired
# 1. Five flaws, one function each: who is asked, log or not, which tokens, which sign, whose mean.
# 2. minimise − (1/S) Σ_pairs Σ_i log Pr(y_i | x, y_<i)
# 3. return {"prompt": question, "completion": answer}
import numpy as np


def pair_of(question, answer):
    return {"prompt": question, "completion": answer}


def term(log_prob_y):
    return log_prob_y.sum()


def counted(is_y):
    return 1.0 * is_y


def loss_of(terms):
    return -terms.mean()


def mean(slices):
    return np.concatenate(slices).mean()


# %% tutor
# 1. y shows the steps from the text of the stub on and ends with the result. What would the tutor be asked to
#    say: x, too?
# 2. J = Σ log Pr over the tokens of y
# 3. x = f"{who} has {has} {things} and gives {gives} away. How many {things} does {who} have now?\n"
def example(who, things, has, gives):
    x = f"{who} has {has} {things} and gives {gives} away. How many {things} does {who} have now?\n"
    steps = [f"{has - i} - {gives - i}" for i in range(gives)]
    return {"prompt": x, "completion": f"{' = '.join(steps)} = {has - gives}, so the answer is {has - gives}."}


def J(log_prob_x, log_prob_y):
    return log_prob_y.sum()
