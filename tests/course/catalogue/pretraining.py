"""Answers to notebook 06."""

import itertools
import math
from collections import Counter

import numpy as np


def targets(lengths):
    return sum(n - 1 for n in lengths)


def uniform(count=targets, log=np.log, mean=lambda V, n: 1):
    def loss(vocab_size, lengths, reduction):
        n = count(lengths) if reduction == "sum" else mean(vocab_size, lengths)
        return n * log(vocab_size)

    return loss


def entropy(counter, log=math.log):
    total = sum(counter.values())
    return -sum(n / total * log(n / total) for n in counter.values())


def counted(documents, first=1, across=False, context=None):
    ids = [list(map(int, d)) for d in documents]
    if across:
        ids = [[t for d in ids for t in d]]
    singles = Counter(t for d in ids for t in d[first:])
    pairs = Counter(p for d in ids for p in itertools.pairwise(d))
    before = Counter(a for d in ids for a in d[:-1]) if context is None else context(ids)
    return singles, pairs, before


def entropies(change=lambda u, b: (u, b), bigram=lambda p, a: entropy(p) - entropy(a), unigram=entropy, **ways):
    def both(documents, vocab_size=None):
        singles, pairs, before = counted(documents, **ways)
        return change(unigram(singles), bigram(pairs, before))

    return both


def conditional(pairs, before):
    total = sum(pairs.values())
    return -sum(n / total * math.log(n / before[a]) for (a, _), n in pairs.items())


def by_matrix(documents, vocab_size):
    P = np.zeros((vocab_size, vocab_size))
    for d in documents:
        np.add.at(P, (np.asarray(d)[:-1], np.asarray(d)[1:]), 1)
    P /= P.sum()
    H = lambda p: -(p[p > 0] * np.log(p[p > 0])).sum()  # noqa: E731
    return np.array([H(P.sum(0)), H(P) - H(P.sum(1))])


def by_rows(documents, vocab_size):
    singles, pairs, before = counted(documents)
    total = sum(before.values())
    rows = {a: Counter({b: n for (c, b), n in pairs.items() if c == a}) for a in before}
    return entropy(singles), sum(n / total * entropy(rows[a]) for a, n in before.items())


def smoothed(documents, vocab_size):
    _, pairs, before = counted(documents)
    total = sum(pairs.values())
    return entropies()(documents)[0], -sum(
        n / total * math.log((n + 1) / (before[a] + vocab_size)) for (a, _), n in pairs.items()
    )


def with_vocabulary(function):
    """The check hands over documents and V; the text of the stub names the two as well."""
    return lambda documents, vocab_size: function(documents, vocab_size)


def parameters(C=lambda c: c.hidden_size, D=lambda c: c.head_dim, q=1, o=1, kv=2, mlp=3, norms=2, last=1, embed=1,
               G=lambda c: c.num_key_value_heads, head=lambda c: not c.tie_word_embeddings, L=lambda c: c.num_hidden_layers, plus=lambda c: 0):  # fmt: skip
    def count(c):
        H, size = c.num_attention_heads, C(c)
        layer = (q + o) * H * D(c) * size + kv * G(c) * D(c) * size + mlp * size * c.intermediate_size + norms * size
        return embed * c.vocab_size * size + L(c) * layer + last * size + head(c) * c.vocab_size * size + plus(c)

    return count


def listed(c):
    C, F, V, H, G, D = (
        c.hidden_size,
        c.intermediate_size,
        c.vocab_size,
        c.num_attention_heads,
        c.num_key_value_heads,
        c.head_dim,
    )
    shapes = [(V, C), (C,)] + [(V, C)] * (not c.tie_word_embeddings)
    for _ in range(c.num_hidden_layers):
        shapes += [(C,), (H * D, C), (G * D, C), (G * D, C), (C, H * D), (C,), (F, C), (F, C), (C, F)]
    return int(sum(map(np.prod, shapes)))


def by_model(c):
    from minisft import model

    return sum(math.prod(shape) for shape in model.shapes(c).values())


def by_vector(c):
    from minisft import model
    from minisft.params import Params

    return Params(model.shapes(c)).flat.size


def characters(n=lambda lengths: sum(lengths) - len(lengths), per=sum, made=lambda v: v):
    return lambda loss, lengths, chars: made(loss * n(lengths) / per(chars))


RIGHT = {
    "uniform_loss": {
        "a sum": uniform(), "−log": lambda V, n, r: -math.log(1 / V) * (1 if r == "token_mean" else sum(n) - len(n)),
        "log of a power": lambda V, n, r: (targets(n) if r == "sum" else 1) * math.log2(V) / math.log2(math.e),
        "an array": lambda V, n, r: np.log(np.full(targets(n), V)).sum() if r == "sum" else np.log(np.full(targets(n), V)).mean(),
        "a dictionary": lambda V, n, r: {"sum": targets(n), "token_mean": 1}[r] * np.log(V), "a 0-d array": lambda V, n, r: np.array(uniform()(V, n, r)),
    },
    "entropies": {"counters": entropies(), "a matrix": by_matrix, "row by row": by_rows, "conditional": entropies(bigram=conditional), "a list": entropies(lambda u, b: [u, b])},
    "count_parameters": {"a formula": parameters(), "listed": listed, "the shapes": by_model, "the vector": by_vector, "a float": lambda c: float(listed(c))},
    "nats_per_character": {"a formula": characters(), "a sum": characters(targets), "an array": lambda loss, n, c: loss * (np.array(n) - 1).sum() / np.sum(c), "a quotient of means": lambda loss, n, c: loss / (np.mean(c) / (np.mean(n) - 1)), "one by one": lambda loss, n, c: math.fsum(loss * (k - 1) for k in n) / math.fsum(c)},
}  # fmt: skip
WRONG = {
    "uniform_loss": {
        "always the mean": lambda V, n, r: np.log(V), "always the sum": lambda V, n, r: targets(n) * np.log(V), "all tokens": uniform(sum), "the two exchanged": lambda V, n, r: uniform()(V, n, "sum" if r == "token_mean" else "token_mean"),
        "one given in all": uniform(lambda n: sum(n) - 1), "end tokens, too": uniform(lambda n: sum(n) - 2 * len(n)), "documents": uniform(len), "the longest": uniform(lambda n: max(n) - 1), "bits": uniform(log=np.log2), "log10": uniform(log=np.log10),
        "V": uniform(log=lambda V: V), "the sign": uniform(log=lambda V: -np.log(V)), "1/V": uniform(log=lambda V: 1 / V), "log(V − 1)": uniform(log=lambda V: np.log(V - 1)), "the mean by documents": uniform(mean=lambda V, n: targets(n) / len(n)), "a mean over all tokens": uniform(mean=lambda V, n: targets(n) / sum(n)),
        "float32": uniform(log=lambda V: np.log(np.float32(V))),
    },
    "entropies": {
        "exchanged": entropies(lambda u, b: (b, u)), "bits": entropies(lambda u, b: (u / math.log(2), b / math.log(2))), "pairs": entropies(bigram=lambda p, a: entropy(p)), "first tokens, too": entropies(first=0), "across documents": entropies(across=True), "twice the same": entropies(lambda u, b: (u, u)),
        "the sign": entropies(lambda u, b: (-u, -b)), "perplexities": entropies(lambda u, b: (math.exp(u), math.exp(b))), "minus the unigram": lambda d, V: (lambda s, p, a: (entropy(s), entropy(p) - entropy(s)))(*counted(d)), "log V": lambda d, V: (math.log(V), entropies()(d)[1]), "smoothed": smoothed,
        "rows weigh the same": lambda d, V: (entropies()(d)[0], float(np.mean([entropy(Counter({b: n for (c, b), n in counted(d)[1].items() if c == a})) for a in counted(d)[2]]))), "distinct pairs": entropies(bigram=lambda p, a: math.log(len(p)) - entropy(a)), "one number": lambda d, V: entropies()(d)[1],
        "contexts with the last token": entropies(context=lambda ids: Counter(t for d in ids for t in d)), "in all, not a token": lambda d, V: tuple(h * targets(map(len, d)) for h in entropies()(d)), "half": entropies(lambda u, b: (u, b / 2)), "float32": entropies(lambda u, b: (np.float32(u), np.float32(b))),
        "documents one by one": lambda d, V: tuple(np.mean([entropies()([one]) for one in d if len(one) > 1], 0)),
    },
    "count_parameters": {
        "no last norm": parameters(last=0), "no norms": parameters(norms=0), "one norm": parameters(norms=1), "no o": parameters(o=0), "no q": parameters(q=0), "k only": parameters(kv=1), "as many heads": parameters(G=lambda c: c.num_attention_heads), "one key head": parameters(G=lambda c: 1), "two matrices": parameters(mlp=2), "four matrices": parameters(mlp=4),
        "C / H": parameters(D=lambda c: c.hidden_size // c.num_attention_heads), "always a head": parameters(head=lambda c: 1), "never a head": parameters(head=lambda c: 0), "tied means one more": parameters(head=lambda c: c.tie_word_embeddings), "one layer": parameters(L=lambda c: 1), "one layer more": parameters(L=lambda c: c.num_hidden_layers + 1),
        "no embedding": parameters(embed=0), "positions": parameters(plus=lambda c: c.max_position_embeddings * c.hidden_size), "biases": parameters(plus=lambda c: c.num_hidden_layers * c.hidden_size), "in millions": lambda c: listed(c) / 1e6, "bytes": lambda c: 4 * listed(c), "12 L C²": lambda c: 12 * c.num_hidden_layers * c.hidden_size**2,
    },
    "nats_per_character": {
        "all tokens": characters(sum), "one given in all": characters(lambda n: sum(n) - 1), "the other way": lambda loss, n, c: loss * sum(c) / targets(n), "not by tokens": lambda loss, n, c: loss / sum(c), "loss": lambda loss, n, c: loss, "a mean of quotients": lambda loss, n, c: loss * np.mean([(k - 1) / m for k, m in zip(n, c)]), "bits": characters(made=lambda v: v / math.log(2)),
        "documents": characters(len), "end tokens, too": characters(lambda n: sum(n) - 2 * len(n)), "a list": lambda loss, n, c: [loss * (k - 1) / m for k, m in zip(n, c)], "the first document": lambda loss, n, c: loss * (n[0] - 1) / c[0], "exp": characters(made=np.exp), "the sign": characters(made=lambda v: -v), "characters less one": characters(per=lambda c: sum(c) - len(c)),
        "tokens a character": lambda loss, n, c: targets(n) / sum(c), "the longest": lambda loss, n, c: loss * (max(n) - 1) / max(c), "float32": characters(made=np.float32),
    },
}  # fmt: skip
