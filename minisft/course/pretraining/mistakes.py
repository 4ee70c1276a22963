"""What can go wrong in counting tokens and parameters: each mistake of notebook 06 as a function that makes it."""

import numpy as np

from minisft.course.pretraining.ngrams import counts, entropy

# --- the loss of a model that knows nothing --------------------------------------------------------------------------


def uniform(vocab_size, lengths, reduction):
    predicted = sum(lengths) - len(lengths)
    return np.log(vocab_size) * (predicted if reduction == "sum" else 1)


UNIFORM = {
    "these are bits; a loss is in nats: log is the natural logarithm": lambda V, n, r: uniform(V, n, r) / np.log(2),
    "that is the logarithm to base 10; a loss is in nats": lambda V, n, r: uniform(V, n, r) / np.log(10),
    "the sign is wrong: this is J, the loss is −J": lambda V, n, r: -uniform(V, n, r),
    "that is a probability, not minus its logarithm": lambda V, n, r: 1 / V * (sum(n) - len(n) if r == "sum" else 1),
    "under `sum` the loss is a sum over all predicted tokens, not their mean": lambda V, n, r: np.log(V),
    "under `token_mean` the loss is a mean, it does not grow with the text": lambda V, n, r: uniform(V, n, "sum"),
    "the first token of each document is given, not predicted": lambda V, n, r: (
        np.log(V) * (sum(n) if r == "sum" else 1)
    ),
    "every document has a first token that is given, not only the first document": lambda V, n, r: (
        np.log(V) * (sum(n) - 1 if r == "sum" else 1)
    ),
    "token_mean divides by the tokens that are predicted, not by all": lambda V, n, r: (
        uniform(V, n, "sum") if r == "sum" else uniform(V, n, "sum") / sum(n)
    ),
    "under `sum` each token counts, not each document": lambda V, n, r: np.log(V) * (len(n) if r == "sum" else 1),
}


# --- what counting reaches -------------------------------------------------------------------------------------------


def unigram(documents, vocab_size):
    return entropy(counts(documents, vocab_size)[0])


def bigram(documents, vocab_size):
    pairs = counts(documents, vocab_size)[1]
    return entropy(pairs) - entropy(pairs.sum(1))


def whole(documents):
    """All documents as one."""
    return [np.concatenate(documents)]


UNIGRAM = {
    "these are bits; a loss is in nats": lambda d, V: unigram(d, V) / np.log(2),
    "the sign is wrong: an entropy is not negative": lambda d, V: -unigram(d, V),
    "the first token of a document is counted, but it is given, not predicted": lambda d, V: entropy(
        np.bincount(np.concatenate(d), minlength=V)
    ),
    "the last token of a document is not counted, and its first is: those are the inputs": lambda d, V: entropy(
        counts(d, V)[1].sum(1)
    ),
    "it is the mean of the entropies of single documents; count over all of them": lambda d, V: np.mean(
        [unigram([one], V) for one in d]
    ),
    "it is log of the number of different tokens: how often each comes matters": lambda d, V: np.log(
        np.count_nonzero(counts(d, V)[0])
    ),
    "it is log V: nothing has been counted": lambda d, V: np.log(V),
    "it is the exponential of the entropy, the perplexity": lambda d, V: np.exp(unigram(d, V)),
}
BIGRAM = {
    "these are bits; a loss is in nats": lambda d, V: bigram(d, V) / np.log(2),
    "the sign is wrong: an entropy is not negative": lambda d, V: -bigram(d, V),
    "it is the entropy of pairs; what is asked is that of a token given the one before": lambda d, V: entropy(
        counts(d, V)[1]
    ),
    "pairs are counted across the border of two documents, which no row predicts": lambda d, V: bigram(whole(d), V),
    "the entropies of the contexts are averaged as if all were as frequent": lambda d, V: np.mean(
        [entropy(row) for row in counts(d, V)[1] if row.any()]
    ),
    "they are averaged over all V contexts, those never seen too": lambda d, V: (
        np.sum([entropy(row) for row in counts(d, V)[1] if row.any()]) / V
    ),
    "it is the entropy of a token given the one after it": lambda d, V: (
        entropy(counts(d, V)[1]) - entropy(counts(d, V)[0])
    ),
    "what is subtracted counts all tokens; only those that have a successor are contexts": lambda d, V: (
        entropy(counts(d, V)[1]) - entropy(np.bincount(np.concatenate(d), minlength=V))
    ),
    "it is the unigram entropy again": unigram,
    "it is the exponential of the entropy, the perplexity": lambda d, V: np.exp(bigram(d, V)),
}


# --- how many parameters ---------------------------------------------------------------------------------------------


def parameters(config, kv=None, matrices=3, norms=2, last_norm=True, biases=False, head=None, output=True, layers=None):
    C, F, V = config.hidden_size, config.intermediate_size, config.vocab_size
    HD = config.num_attention_heads * config.head_dim
    GD = HD if kv == "as queries" else config.num_key_value_heads * config.head_dim
    layer = C * HD + 2 * C * GD + output * HD * C + matrices * C * F + norms * C
    layer += (HD + 2 * GD + C + 2 * F + C) * biases
    heads = (not config.tie_word_embeddings) if head is None else head
    return V * C * (1 + heads) + (config.num_hidden_layers if layers is None else layers) * layer + last_norm * C


def square_heads(config):
    """The count for head_dim = C / H, whatever the config says."""
    C, H, G = config.hidden_size, config.num_attention_heads, config.num_key_value_heads
    HD = H * config.head_dim
    return parameters(config) + config.num_hidden_layers * (2 * C * (C - HD) + 2 * C * G * (C // H - config.head_dim))


PARAMETERS = {
    "the head is counted although it is tied: it is the embedding again, one matrix": lambda c: parameters(
        c, head=True
    ),
    "the head is left out although it is not tied: it is a matrix of its own": lambda c: parameters(c, head=False),
    "keys and values have as many heads as queries here; they have num_key_value_heads": lambda c: parameters(
        c, kv="as queries"
    ),
    "biases are counted; this model has none": lambda c: parameters(c, biases=True),
    "all norms are left out: each has a gain of C numbers": lambda c: parameters(c, norms=0, last_norm=False),
    "the norms of the layers are left out": lambda c: parameters(c, norms=0),
    "the last norm, after the layers, is left out": lambda c: parameters(c, last_norm=False),
    "a layer has two norms, one before attention and one before the MLP": lambda c: parameters(c, norms=1),
    "SwiGLU has three matrices: gate, up and down": lambda c: parameters(c, matrices=2),
    "the output projection of attention is left out": lambda c: parameters(c, output=False),
    "the layers are counted once: there are num_hidden_layers": lambda c: parameters(c, layers=1),
    "positions are counted; rotary positions have no parameters": lambda c: (
        parameters(c) + c.max_position_embeddings * c.hidden_size
    ),
    "the size of a head is taken for C / H; config says head_dim": square_heads,
    "the embedding is left out": lambda c: parameters(c) - c.vocab_size * c.hidden_size,
}


# --- losses of two tokenizers ----------------------------------------------------------------------------------------


def per_character(loss, lengths, characters):
    return loss * (sum(lengths) - len(lengths)) / sum(characters)


CHARACTERS = {
    "it is still nats per token": lambda loss, n, c: loss,
    "the first token of each document is given: it has no loss to count": lambda loss, n, c: loss * sum(n) / sum(c),
    "multiplied where it should be divided: more characters per token make a character cheaper": lambda loss, n, c: (
        loss * sum(c) / (sum(n) - len(n))
    ),
    "it is the mean over the documents; a long document has more to say": lambda loss, n, c: (
        loss * np.mean([(tokens - 1) / letters for tokens, letters in zip(n, c)])
    ),
    "it is the loss of all, not yet divided by the characters": lambda loss, n, c: loss * (sum(n) - len(n)),
    "the number of tokens is missing: the loss is the mean over the tokens": lambda loss, n, c: loss / sum(c),
    "these are bits; nats are asked": lambda loss, n, c: per_character(loss, n, c) / np.log(2),
}
