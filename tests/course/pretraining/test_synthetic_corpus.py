"""The synthetic corpus: what it says, and how answers about it are judged."""

import numpy as np

from minisft import evaluate, model
from minisft.config import ModelConfig
from minisft.course.pretraining import synthetic_corpus
from minisft.tokenizer import Tokenizer


def test_the_small_world_has_one_thing_a_document_and_each_place_of_a_tale_once():
    world, documents = synthetic_corpus.make(np.random.default_rng(0), countries=3, tales=5, copies=2)
    assert len(documents) == 3 * 2 * 2 + 5 and all(len(sentences) == 4 for sentences in documents)
    for country in world:
        about = [d for d in documents if all(country["name"] in sentence for sentence in d)]
        assert len(about) == 4
    again, _ = synthetic_corpus.make(np.random.default_rng(0), countries=3, tales=5, copies=2)
    assert world == again


def test_the_right_country_is_found_in_an_answer_as_a_whole_word(monkeypatch):
    world, documents = synthetic_corpus.make(np.random.default_rng(0), countries=2, tales=0)
    words = Tokenizer.train(["\n".join(d) for d in documents], 300)
    config = ModelConfig(words.vocab_size, 8, 8, 1, 2, 1)
    theta = model.init(config, np.random.default_rng(0))
    assert synthetic_corpus.known(theta, config, words, world) == 0
    assert synthetic_corpus.copied(theta, config, words, documents, np.random.default_rng(0), 3) == 0
    names = synthetic_corpus.pairs(world)[3]
    said = [{"predicted": f"The sea of {name}{end}", "exact": False} for name, end in zip(names, [".", "lo.", "."] * 2)]
    monkeypatch.setattr(evaluate, "answers", lambda *arguments: said)
    assert synthetic_corpus.answered(theta, config, words, world) == (said, 0.0, 4 / 6)
