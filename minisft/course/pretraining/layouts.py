"""The same sentences in two layouts: a document for each, or four about the same country. What does a model learn?"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minisft import data, train
from minisft.config import ModelConfig, TrainConfig
from minisft.course.pretraining import synthetic_corpus
from minisft.tokenizer import Tokenizer

LAYOUTS = ("one sentence a document", "four sentences a document")
ASKED, TOKENS = 8, 500  # countries that fine-tuning asks about; tokens in a step of pre-training, nearly
PRETRAINING = TrainConfig(learning_rate=6e-3, max_steps=280, lr_scheduler_type="cosine", warmup_steps=20)
FINETUNING = TrainConfig(learning_rate=1e-3, max_steps=40, batch_size=16)


class Outcome(NamedTuple):
    """Fractions: the first two before fine-tuning, of the held-out countries; answers: what is said about these."""

    facts_known: float
    new_name_repeated: float
    right_country: float
    exact_answers: float
    answers: list


def read_and_asked(layout, seed) -> Outcome:
    """A world and its text of this seed, laid out so; pre-trained on it, then fine-tuned on half of its countries."""
    world, documents = synthetic_corpus.make(np.random.default_rng(seed), countries=16, tales=160)
    words = Tokenizer.train(["\n".join(sentences) for sentences in documents], 400)
    apart = [[sentence] for sentences in documents for sentence in sentences]
    texts = ["\n".join(sentences) for sentences in (apart if layout == LAYOUTS[0] else documents)]
    read = [data.encode(data.example({"text": text}, "small world"), words) for text in texts]
    size = round(TOKENS / np.mean([len(sequence.ids) for sequence in read]))
    config = ModelConfig(words.vocab_size, 64, 128, 2, 4, 2)
    *_, pretrained = train.pretrain(config, read, replace(PRETRAINING, batch_size=size, seed=seed))
    theta_hat, held_out = pretrained.theta, world[ASKED:]
    known = synthetic_corpus.known(theta_hat, config, words, held_out)
    copied = synthetic_corpus.copied(theta_hat, config, words, documents, np.random.default_rng(seed))
    pairs = [data.encode(pair, words) for pair in synthetic_corpus.pairs(world[:ASKED])[0]]
    *_, tuned = train.finetune(theta_hat, config, pairs, replace(FINETUNING, seed=seed))
    answers, exact, about = synthetic_corpus.answered(tuned.theta, config, words, held_out)
    return Outcome(known, copied, about, exact, answers)
