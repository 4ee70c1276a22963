# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 09_three_tutors: one section an exercise.

# %% weights
def weights(is_y, starts):
    return is_y / (len(starts) - 1)


# %% probabilities
import numpy as np


def probabilities(log_probs, masks):
    return np.array([np.exp(values[mask[1:]].sum()) for values, mask in zip(log_probs, masks)])


# %% repaired
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
def example(who, things, has, gives):
    x = f"{who} has {has} {things} and gives {gives} away. How many {things} does {who} have now?\n"
    steps = [f"{has - i} - {gives - i}" for i in range(gives)]
    return {"prompt": x, "completion": f"{' = '.join(steps)} = {has - gives}, so the answer is {has - gives}."}


def J(log_prob_x, log_prob_y):
    return log_prob_y.sum()
