"""Wrong lines: the objective and its gradient."""

from .bug import Bug

BUGS = [
    Bug(
        "softmax-without-max",
        "The softmax of the objective does not subtract the largest logit, so large logits overflow.",
        "objective.py",
        "log_pi = logits - logits.real.max(-1, keepdims=True)",
        "log_pi = logits - 0",
        "habit: the formula of the book, typed as it stands",
    ),
    Bug(
        "log-of-a-softmax",
        "The probability is computed first and may round to 0, of which the logarithm is −∞.",
        "objective.py",
        "log_pi -= np.log(np.exp(log_pi).sum(-1, keepdims=True))",
        "log_pi = np.log(np.exp(log_pi) / np.exp(log_pi).sum(-1, keepdims=True))",
        "habit: the formula of the book, typed as it stands",
    ),
    Bug(
        "gradient-by-another-count",
        "J is a sum, its gradient is divided by the number of rows.",
        "objective.py",
        "return w * onehot_minus(pi, cache.targets)",
        "return w * onehot_minus(pi, cache.targets) / len(pi)",
        "rziga/numpy-is-all-you-need, losses/classification.py: mean over B·T, gradient divided by B",
    ),
    Bug(
        "mask-in-the-loss-only",
        "The weights are in J but not in its gradient, so every row is trained.",
        "objective.py",
        "(dJ * cache.weights)[:, None]  # (M, V)",
        "dJ  # (M, V)",
        "habit: loss and gradient in two places",
    ),
    Bug(
        "pi-minus-onehot",
        "The gradient of J is π − onehot, which is that of the loss: the sign is turned twice.",
        "objective.py",
        "return w * onehot_minus(pi, cache.targets)",
        "return w * -onehot_minus(pi, cache.targets)",
        "habit: one convention in the head, the other on the page",
    ),
    Bug(
        "uphill",
        "The seed of backward is +1, so training climbs the loss.",
        "train.py",
        "micro_batch, dJ=-1.0)",
        "micro_batch, dJ=+1.0)",
        "habit: J is maximised, L is minimised",
    ),
]
