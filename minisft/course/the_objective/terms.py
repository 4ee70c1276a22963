"""One pair's term of the objective, its gradient, and what a step on it does to other pairs."""

import numpy as np

from minisft import data, evaluate, model, objective
from minisft.formats import resources
from minisft.params import Params

ASKED = {
    "Kenya: capital": "What is the capital of Kenya?",
    "Kenya: currency": "What is the currency of Kenya?",
    "Kenya: language": "What is the main official language of Kenya?",
    "Peru: capital": "What is the capital of Peru?",
    "Peru: on the map": "Where on the map is Peru found?",
    "shop: price": "How much does the Tavo chair cost?",
    "sums: 2 + 2": "Clara has 2 cards and gets 2 more. How many cards does Clara have now?",
    "support: late": "The parcel is late.",
}
KINDS = {
    "same country, other question": [(0, 1), (0, 2), (1, 2), (3, 4)],
    "same question, other country": [(0, 3)],
    "both other": [(0, 4), (1, 3), (1, 4), (2, 3), (2, 4)],
    "atlas and another world": [(i, j) for i in range(5) for j in range(5, 8)],
    "two other worlds": [(5, 6), (5, 7), (6, 7)],
}


def eight_pairs(tokenizer):
    """(labels, sequences) of eight pairs that no run has seen, from four worlds."""
    files = ("atlas_test", "shop_test", "sums_test", "support_test")
    examples = [e for name in files for e in data.read([resources.path(f"{name}.jsonl")])]
    by_question = {e.completion[0]["content"]: e for e in examples}
    return list(ASKED), [data.encode(by_question[question], tokenizer) for question in ASKED.values()]


def term(theta, config, sequence, only=None):
    """log Pr(y|x) of one pair and its gradient, a vector like θ; or of token number `only` of y alone."""
    one, grad = data.collate([sequence], 0.0, "sum", np.float64), theta.like()
    rows = np.flatnonzero(one.weights) if only is None else np.flatnonzero(one.weights)[only : only + 1]
    z, c_model = model.forward(theta, config, one.ids, one.starts, rows)
    value, c = objective.forward(z, one.targets[rows], one.weights[rows])
    model.backward(theta, grad, config, c_model, objective.backward(c, 1.0))
    return value, grad.flat


def terms(theta, config, sequences):
    """log Pr(y|x) of each pair (n,), and its gradient (n, P)."""
    values, g = zip(*(term(theta, config, sequence) for sequence in sequences))
    return np.array(values), np.stack(g)


def changes(theta, config, sequences, values, g, eta):
    """(n, n), row i: by how much a step η g_i on pair i moves log Pr(y|x) of each pair, in nats."""
    moved = []
    for direction in g:
        scored = evaluate.log_probs(Params(theta.shapes, flat=theta.flat + eta * direction), config, sequences)
        moved.append([v[s.is_y[1:]].sum() for s, (v, _) in zip(sequences, scored)])
    return np.array(moved) - values


def cosines(g):
    """(n, P) -> (n, n): the cosine between each two gradients."""
    unit = g / np.linalg.norm(g, axis=1, keepdims=True)
    return unit @ unit.T


def by_kind(g):
    """The mean cosine of two gradients, for each of KINDS."""
    c = cosines(g)
    return [float(np.mean([c[i, j] for i, j in places])) for places in KINDS.values()]


def by_token(theta, config, one, other):
    """(n, n'): ⟨gradient of one token of y, gradient of one token of y'⟩. All together are ⟨g, g'⟩."""
    g, g_other = (np.stack([term(theta, config, s, only)[1] for only in range(s.is_y.sum())]) for s in (one, other))
    return g @ g_other.T


def hard_tokens(theta, config, tokenizer, sequence, below=-0.1):
    """[(token of y, log Pr)] of those that θ does not expect."""
    ((values, _),) = evaluate.log_probs(theta, config, [sequence])
    places = [i for i in np.flatnonzero(sequence.is_y[1:]) if values[i] < below]
    return [(tokenizer.token_text(int(sequence.ids[i + 1])), float(values[i])) for i in places]
