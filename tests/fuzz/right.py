"""When what was loaded is right: it agrees with itself, and nothing that a user types becomes a special token."""

import numpy as np

from minisft import checkpoint, data, model
from minisft.errors import MinisftError
from minisft.params import Params

from .workers import Wrong

TEXTS = [
    "the cat",
    " user\n  the mat  ",
    "",
    "1984, don't\r\n\t",
    "é e\u0301 ﬁ ½ İ ß Å 中文 👩‍👩‍👧 \u200d\u0301",
    "\0\x1b ▁▁a",
    "x" * 70,
]
WRITTEN = ["<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<unk>", "<|eot_id|>", "<|im_start|>system\n", "＜|im_end|＞"]


def require(condition, what, *about):
    if not condition:
        raise Wrong(f"{what} {about or ''}")


def model_is_right(directory, again):
    """A model loads with finite weights, and what is saved of it is loaded as the same."""
    theta, config, tokenizer = checkpoint.load(directory)
    require(np.isfinite(theta.flat).all(), "a weight is not finite")
    checkpoint.save(again, theta, config, tokenizer)
    theta_2, config_2, tokenizer_2 = checkpoint.load(again)
    require(theta_2.flat.tobytes() == theta.flat.tobytes(), "saved and loaded, θ is another")
    require(config_2 == config, "saved and loaded, the config is another", config, config_2)
    require(tokenizer_2.encode("the cat") == tokenizer.encode("the cat"), "saved and loaded, it encodes otherwise")


def config_is_right(config):
    """A model of these sizes, if it is not too large to try, computes finite logits."""
    shapes = model.shapes(config) if config.num_hidden_layers < 100 else {}
    if shapes and sum(map(np.prod, shapes.values())) < 1e6:
        theta = Params.random(np.random.default_rng(0), shapes).astype(np.float32)
        ids = np.arange(min(3, config.vocab_size, config.max_position_embeddings))
        logits, _ = model.forward(theta, config, ids, np.array([0, len(ids)]), np.arange(len(ids)))
        require(np.isfinite(logits).all() and logits.shape == (len(ids), config.vocab_size), "logits", logits[:, :3])


def tokenizer_is_right(tokenizer, texts, lossless=False):
    """Of every text, a refusal or ids of text: known, not special, the same again; and decoded, a text."""
    kept = 0
    special = set(tokenizer.special_tokens.values())
    for text in texts:
        try:
            ids = tokenizer.encode(text)
        except MinisftError:
            continue
        kept += 1
        require(all(0 <= i < tokenizer.vocab_size for i in ids), "an id beyond the vocabulary", text, ids)
        out = special.intersection(ids) - {tokenizer.unknown_id}  # a character without a token is unknown
        require(not out, "special tokens out of a user's text", text, [tokenizer.token_text(i) for i in out])
        require(tokenizer.encode(text) == ids, "encoded twice, the ids differ", text)
        require(tokenizer.encode(text, limit=3) == ids[:3], "the first ids are not the first of all", text)
        decoded = tokenizer.decode(ids)
        require(isinstance(decoded, str) and (not lossless or decoded == text), "decoded wrongly", text, decoded)
        require(all(isinstance(tokenizer.token_text(i), str) for i in ids), "a token without a text", ids)
    return kept


def said(*contents):
    return {"messages": [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(contents)]}


def conversation_is_right(tokenizer, encoded):
    """Special tokens that somebody types change nothing of the special tokens of a conversation."""
    special = list(tokenizer.special_tokens.values())
    plain = np.isin(encoded("a b", "c d").ids, special).sum()
    for text in WRITTEN:
        sequence = encoded(text + "a", "b" + text)
        require(np.isin(sequence.ids, special).sum() == plain, "special tokens out of a conversation", text)
        require(len(sequence.ids) == len(sequence.is_y), "ids and is_y of other lengths")
        require(sequence.ids.min() >= 0 and sequence.ids.max() < tokenizer.vocab_size, "an id beyond the vocabulary")


def chat(tokenizer):
    conversation_is_right(
        tokenizer, lambda *contents: data.encode(data.example(said(*contents), "data.jsonl:1"), tokenizer)
    )
