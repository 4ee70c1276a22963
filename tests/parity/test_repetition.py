"""The repetition penalty is that of transformers: the same logits, and the same greedy answers."""

import numpy as np
import pytest

from minisft import checkpoint, model
from minisft.config import ModelConfig
from minisft.generate import generate, penalised
from minisft.params import Params
from minisft.tokenizer import Tokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize("penalty", [0.5, 1.0, 1.1, 3.0])
def test_the_logits_are_those_of_transformers(penalty):
    rng = np.random.default_rng(0)
    z, ids = rng.standard_normal((4, 50)), rng.integers(0, 50, (4, 30))
    z[0, :10] = 0.0
    processor = transformers.RepetitionPenaltyLogitsProcessor(float(penalty))
    theirs = processor(torch.tensor(ids), torch.tensor(z)).numpy()
    np.testing.assert_array_equal([penalised(row, list(so_far), penalty) for row, so_far in zip(z, ids)], theirs)


@pytest.mark.parametrize("penalty", [1.0, 1.3, 4.0])
def test_greedy_answers_are_those_of_transformers(tmp_path, penalty):
    config = ModelConfig(
        vocab_size=300,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
    )
    theta = Params.random(np.random.default_rng(0), model.shapes(config))
    checkpoint.save(tmp_path, theta, config, Tokenizer.train(["a text to learn from"] * 9, 300))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    for prompt in ([1, 2, 3], [7], [9, 9, 9, 200, 17]):
        given = torch.tensor([prompt])
        settings = {"do_sample": False, "max_new_tokens": 20, "eos_token_id": None, "pad_token_id": 0}
        out = theirs.generate(given, attention_mask=torch.ones_like(given), repetition_penalty=penalty, **settings)
        (answer,) = generate(theta, config, [prompt], 20, set(), repetition_penalty=penalty)
        assert answer.ids == out[0, len(prompt) :].tolist()
