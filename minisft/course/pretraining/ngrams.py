"""What a text says about its tokens to one who only counts them: alone (unigrams), and in pairs (bigrams)."""

import numpy as np


def counts(documents, vocab_size):
    """How often each token is predicted, (V,), and how often b follows a, (V, V), in documents (arrays of ids)."""
    pairs = np.zeros((vocab_size, vocab_size))
    for ids in documents:
        np.add.at(pairs, (ids[:-1], ids[1:]), 1)
    return pairs.sum(0), pairs


def entropy(numbers):
    """Of the distribution that is proportional to these numbers, in nats; 0 log 0 = 0."""
    p = np.ravel(numbers) / np.sum(numbers)
    return -np.sum(p[p > 0] * np.log(p[p > 0]))


def distributions(documents, vocab_size):
    """What a model knows that has counted tokens, Pr(b) of shape (V,), or pairs, Pr(b | a) of shape (V, V).

    Nothing has probability 0: to what follows each a, one token is added that is shared out as Pr(b).
    """
    single, pairs = counts(documents, vocab_size)
    p = (single + 1 / vocab_size) / (single.sum() + 1)
    return p, (pairs + p) / (pairs.sum(1, keepdims=True) + 1)


def divergence(p, log_pi):
    """The mean of KL(p ‖ π) in nats over rows: p (N, V) or (V,) probabilities, log_pi (N, V)."""
    return float((p * (np.log(p) - log_pi)).sum(-1).mean())


def surprise(p_bigram, documents):
    """What a bigram model pays for documents, in nats, and for how many tokens."""
    paid = [-np.log(p_bigram[ids[:-1], ids[1:]]) for ids in documents]
    return float(sum(nats.sum() for nats in paid)), sum(map(len, paid))
