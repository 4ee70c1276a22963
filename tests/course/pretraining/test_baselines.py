"""Losses and entropies: each mistake is called by its name."""

import numpy as np
import pytest

from minisft.course import pretraining as check

from .conftest import H, predicted


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda V, n, r: np.log2(V) * (predicted(n) if r == "sum" else 1), "bits"),
        (lambda V, n, r: -np.log(1 / V) * (sum(n) if r == "sum" else 1), "first token of each document is given"),
        (lambda V, n, r: np.log(1 / V) * (predicted(n) if r == "sum" else 1), "the sign is wrong"),
        (lambda V, n, r: np.log(V), "not their mean"),
        (lambda V, n, r: np.log(V) * predicted(n), "does not grow"),
        (lambda V, n, r: np.log10(V) * (predicted(n) if r == "sum" else 1), "base 10"),
        (lambda V, n, r: np.log(V) * ((sum(n) - 1) if r == "sum" else 1), "not only the first document"),
        # not in the catalogue
        (lambda V, n, r: np.log(V - 3) * (predicted(n) if r == "sum" else 1), "is right"),
        (lambda V, n, r: np.log(V) * (predicted(n) if r == "mean" else 1), "not their mean"),
        (lambda V, n, r: np.log(V) * (predicted(n) + 1), "is right"),
        (lambda V, n, r: [np.log(V)] * predicted(n), "the shape"),
        (lambda V, n, r: np.exp(np.log(V)), "is right"),
        (lambda V, n, r: np.log(V) / r, "TypeError"),
    ],
)
def test_a_wrong_uniform_loss_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.uniform_loss(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


def table_of_pairs(documents, V):
    pairs = np.zeros((V, V))
    for ids in documents:
        for i in range(1, len(ids)):
            pairs[ids[i - 1], ids[i]] += 1
    return pairs


def from_pairs(unigram=None, bigram=None, joined=False):
    """A right answer with one part replaced, as a function of the pairs and of all tokens."""

    def entropies(documents, V):
        pairs = table_of_pairs([np.concatenate(documents)] if joined else documents, V)
        all_tokens = np.bincount(np.concatenate(documents), minlength=V)
        right = table_of_pairs(documents, V)
        h1 = unigram(right, all_tokens) if unigram else H(right.sum(0))
        return h1, bigram(pairs, all_tokens) if bigram else H(pairs) - H(pairs.sum(1))

    return entropies


def per_context(pairs):
    return [H(row) for row in pairs if row.any()]


@pytest.mark.parametrize(
    "answer, words",
    [
        (from_pairs(unigram=lambda pairs, tokens: H(tokens)), "unigram: the first token"),
        (from_pairs(unigram=lambda pairs, tokens: H(pairs.sum(0), np.log2)), "unigram: these are bits"),
        (from_pairs(unigram=lambda pairs, tokens: -H(pairs.sum(0))), "unigram: the sign"),
        (from_pairs(unigram=lambda pairs, tokens: H(pairs.sum(1))), "unigram: the last token"),
        (from_pairs(unigram=lambda pairs, tokens: np.log(len(tokens))), "unigram: it is log V"),
        (from_pairs(bigram=lambda pairs, tokens: H(pairs)), "bigram: it is the entropy of pairs"),
        (from_pairs(joined=True), "bigram: pairs are counted across the border"),
        (from_pairs(bigram=lambda pairs, tokens: np.mean(per_context(pairs))), "bigram: the entropies of the contexts"),
        (
            from_pairs(bigram=lambda pairs, tokens: H(pairs) - H(pairs.sum(0))),
            "the one after it",
        ),
        (from_pairs(bigram=lambda pairs, tokens: H(pairs) - H(tokens)), "bigram: what is subtracted"),
        (from_pairs(bigram=lambda pairs, tokens: np.exp(H(pairs) - H(pairs.sum(1)))), "bigram: it is the exponential"),
        # not in the catalogue
        (from_pairs(bigram=lambda pairs, tokens: H(pairs + 1) - H((pairs + 1).sum(1))), "bigram: on"),
        (from_pairs(bigram=lambda pairs, tokens: H(pairs) / 2), "bigram: on"),
        (from_pairs(bigram=lambda pairs, tokens: sum(per_context(pairs))), "bigram: on"),
        (from_pairs(unigram=lambda pairs, tokens: H(tokens, np.log2)), "unigram: on"),
        (from_pairs(unigram=lambda pairs, tokens: (tokens / tokens.sum()).max()), "unigram: on"),
        (lambda documents, V: H(np.bincount(np.concatenate(documents))), "should return two numbers"),
        (lambda documents, V: from_pairs()(documents, V)[::-1], "unigram: on"),
    ],
)
def test_wrong_entropies_are_called_by_their_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.entropies(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


def test_an_undefined_logarithm_is_wrong_and_shown():
    def entropies(documents, V):
        p = table_of_pairs(documents, V).sum(0)
        p = p / p.sum()
        return -(p * np.log(p)).sum(), 0.0

    assert "nan where" in check.entropies(entropies, seed=2).text


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda loss, n, c: loss * sum(n) / sum(c), "it has no loss to count"),
        (lambda loss, n, c: loss / sum(c) * predicted(n) / np.log(2), "bits"),
        (lambda loss, n, c: loss * sum(c) / predicted(n), "multiplied where"),
        (lambda loss, n, c: np.mean([loss * (a - 1) / b for a, b in zip(n, c)]), "mean over the documents"),
        (lambda loss, n, c: loss / sum(c), "number of tokens is missing"),
        (lambda loss, n, c: loss * predicted(n), "not yet divided"),
        (lambda loss, n, c: loss, "still nats per token"),
        # not in the catalogue
        (lambda loss, n, c: loss * (sum(n) - 1) / sum(c), "is right"),
        (lambda loss, n, c: loss * predicted(n) / (sum(c) + len(c)), "is right"),
        (lambda loss, n, c: -loss * predicted(n) / sum(c), "is right"),
        (lambda loss, n, c: [loss * (a - 1) / b for a, b in zip(n, c)], "the shape"),
        (lambda loss, n, c: np.exp(loss * predicted(n) / sum(c)), "is right"),
    ],
)
def test_a_wrong_loss_a_character_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.nats_per_character(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict
