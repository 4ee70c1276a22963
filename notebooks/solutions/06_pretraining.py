# ruff: noqa: E402, F811  (each section stands alone)
# Solutions of 06_pretraining: one section an exercise.

# %% uniform_loss
# 1. What is log Pr of a token if all V are equally likely? How many tokens are predicted in a document of n?
# 2. token_mean: log V     sum: Σ (n − 1) log V
# 3. predicted = sum(n - 1 for n in lengths)
import numpy as np


def uniform_loss(vocab_size, lengths, reduction):
    predicted = sum(n - 1 for n in lengths)
    return np.log(vocab_size) if reduction == "token_mean" else predicted * np.log(vocab_size)


# %% entropies
# 1. Count pairs within a document only. The unigram is about what is predicted: the second of each pair.
# 2. H₁ = − Σ p(b) log p(b)     H₂ = − Σ p(a, b) log p(b | a)
# 3. pairs = np.zeros((vocab_size, vocab_size))
from itertools import pairwise

import numpy as np


def entropies(documents, vocab_size):
    pairs = np.zeros((vocab_size, vocab_size))
    for ids in documents:
        for a, b in pairwise(ids):
            pairs[a, b] += 1
    pairs /= pairs.sum()
    context, target = pairs.sum(1), pairs.sum(0)
    unigram = -sum(p * np.log(p) for p in target if p > 0)
    bigram = -sum(
        pairs[a, b] * np.log(pairs[a, b] / context[a])
        for a in range(vocab_size)
        for b in range(vocab_size)
        if pairs[a, b] > 0
    )
    return unigram, bigram


# %% count_parameters
# 1. Go through the names of the tensors of one layer: four matrices of attention, three of the MLP, two norms.
# 2. V C + layers · (2 C H D + 2 C G D + 3 C F + 2 C) + C, and V C more if the head is not tied
# 3. C, F = config.hidden_size, config.intermediate_size
def count_parameters(config):
    C, F = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    attention = C * queries + 2 * C * keys + queries * C
    layer = attention + 3 * C * F + 2 * C
    embedding = config.vocab_size * C
    head = 0 if config.tie_word_embeddings else embedding
    return embedding + config.num_hidden_layers * layer + C + head


# %% nats_per_character
# 1. The loss is a mean over predicted tokens. How many are there, and how many characters did they spell?
# 2. loss · Σ (n − 1) / Σ characters
# 3. predicted = sum(lengths) - len(lengths)
def nats_per_character(loss, lengths, characters):
    predicted = sum(lengths) - len(lengths)
    return loss * predicted / sum(characters)
