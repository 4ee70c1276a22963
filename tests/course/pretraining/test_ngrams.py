"""What counting says about a text."""

import numpy as np

from minisft.course.pretraining import mistakes, ngrams

from .conftest import H


def test_a_counted_model_has_the_loss_that_its_entropy_says():
    """Up to the one token that is shared out so that nothing has probability 0."""
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 4, 3000) for _ in range(3)]
    unigram, bigram = ngrams.distributions(documents, 4)
    nats, tokens = ngrams.surprise(bigram, documents)
    assert tokens == 3 * 2999 and abs(nats / tokens - mistakes.bigram(documents, 4)) < 1e-3
    np.testing.assert_allclose(bigram.sum(1), 1)
    assert abs(unigram.sum() - 1) < 1e-12 and (bigram > 0).all()


def test_the_divergence_is_zero_only_from_itself():
    p = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    assert ngrams.divergence(p, np.log(p)) == 0 < ngrams.divergence(p, np.log(p[::-1]))
    assert abs(ngrams.divergence(p[0], np.log(np.full((4, 3), 1 / 3))) - (np.log(3) - H(p[0]))) < 1e-12
