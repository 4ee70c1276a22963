"""A GGUF file that minisft writes, as transformers reads it: tensors, logits, tokens, template.

transformers keeps no factor of a scaled rotation and no rule about digits from such a file, so there are neither here.
"""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from transformers import AutoModelForCausalLM, AutoTokenizer

from minisft import checkpoint, data
from minisft.formats import resources
from minisft.formats.gguf import write as gguf_export

from . import reference
from .measured import WORST, assert_close
from .test_files import CONFIG, our_logits, random_conversations, random_ids, random_texts, random_theta, rendered

if not all(map(find_spec, ("gguf", "accelerate"))):
    pytest.skip("needs gguf, accelerate", allow_module_level=True)

KINDS = {
    "tied": CONFIG,
    "untied": replace(CONFIG, tie_word_embeddings=False),
    "Qwen2": replace(CONFIG, hidden_size=24, qkv_bias=True),  # of which transformers takes D to be C / H
    "Qwen3": replace(CONFIG, hidden_size=24, head_dim=128, qk_norm="head"),  # of which it takes D to be 128
}


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """A folder with the shipped model as a file, and its tokenizer."""
    theta, config, tokenizer = checkpoint.load(resources.path("atlas"))
    folder = tmp_path_factory.mktemp("atlas")
    gguf_export.write(folder / "model.gguf", theta, config, tokenizer)
    return folder, tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_reads_the_same_tensors_and_computes_the_same_logits(kind, atlas, tmp_path):
    config, ids = replace(KINDS[kind], vocab_size=512), random_ids()
    theta = random_theta(config, np.float32)
    gguf_export.write(tmp_path / "model.gguf", theta, config, atlas[1])
    for dtype, allowed in ((np.float32, 1e-5), (np.float64, 1e-12)):
        name = np.dtype(dtype).name
        with reference.precisely(getattr(torch, name)):
            other = AutoModelForCausalLM.from_pretrained(
                tmp_path, gguf_file="model.gguf", dtype=getattr(torch, name), attn_implementation="eager"
            )
            logits = reference.logits_of(other.eval(), ids.tolist()).detach().numpy()
        loaded, read, _ = checkpoint.load(tmp_path / "model.gguf", dtype)
        its = {tensor: p.detach().numpy() for tensor, p in other.named_parameters()}
        assert set(its) == set(loaded.named)
        for tensor, view in loaded.named.items():
            assert_array_equal(view, its[tensor])
        assert_close(
            "from_pretrained", f"logits of a GGUF file, {name}", our_logits(loaded, read, ids), logits, allowed
        )


def test_transformers_reads_the_same_tokens_and_template(atlas):
    folder, tokenizer = atlas
    theirs = AutoTokenizer.from_pretrained(folder, gguf_file="model.gguf")
    texts = [text for text in random_texts(1000) if not any(char.isnumeric() for char in text)]
    different = [text for text in texts if tokenizer.encode(text) != theirs.encode(text, add_special_tokens=False)]
    WORST["from_pretrained", f"GGUF: texts with other ids, of {len(texts)}"] = len(different), 0
    assert len(texts) > 500 and not different
    assert theirs.chat_template == tokenizer.template
    assert (theirs.eos_token_id, theirs.bos_token_id) == (tokenizer.eos_id, None)
    for messages in random_conversations(50):
        if not any(char.isnumeric() for message in messages for char in message["content"]):
            ours = data.encode(data.Example([], messages, "here"), tokenizer)
            assert (ours.ids.tolist(), ours.is_y.tolist()) == rendered(theirs, messages)
