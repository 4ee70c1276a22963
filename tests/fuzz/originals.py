"""The real files that mutants are made of: small models of several families, as they lie on disk, in memory."""

import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from support import model_directory, small_sentencepiece
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from minisft import checkpoint
from minisft.config import ModelConfig, RopeScaling
from minisft.formats.gguf import read
from minisft.tokenizer import Tokenizer

try:
    from support import small_gguf
except BaseException:  # pytest's own way to say that the package is missing
    small_gguf = None

WORDS = read.WORDS % "{1,3}"


def files(directory):
    """{name: bytes} of the files in a directory."""
    return {path.name: path.read_bytes() for path in sorted(Path(directory).iterdir()) if path.is_file()}


@cache
def tokenizers():
    """{name: files}: byte-level in ChatML, SentencePiece's in Zephyr's dialect, cut by a pattern as in Llama 3."""
    with tempfile.TemporaryDirectory() as place:
        Tokenizer.train(["the cat sat on the mat", "user\n  the cat\nassistant"], 300).save(place + "/chatml")
        for form in ("prepend", "always"):
            small_sentencepiece.save(f"{place}/{form}", small_sentencepiece.backend(form))
        backend = Backend(models.BPE())
        cut = [pre_tokenizers.Split(Regex(WORDS), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
        backend.pre_tokenizer, backend.decoder = pre_tokenizers.Sequence(cut), decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, show_progress=False)
        backend.train_from_iterator(["the cat sat on the mat in 1984"], trainer)
        control = [AddedToken(token, special=True) for token in small_sentencepiece.LLAMA3_CONTROL]
        backend.add_special_tokens(control)
        names = {"bos_token": control[0].content, "eos_token": control[-1].content}
        small_sentencepiece.save(f"{place}/llama3", backend, small_sentencepiece.LLAMA3, **names)
        for form in ("prepend", "llama3"):
            (Path(place) / form / "special_tokens_map.json").write_text('{"eos_token": {"content": "</s>"}}')
        return {path.name: files(path) for path in sorted(Path(place).iterdir())}


@cache
def model():
    """The files of a model of 2 layers, with the tokenizer in ChatML."""
    with tempfile.TemporaryDirectory() as place:
        tokenizer = Tokenizer.train(["the cat"], 262)
        checkpoint.save(place, model_directory.random_theta(model_directory.CONFIG), model_directory.CONFIG, tokenizer)
        return files(place)


@cache
def sharded():
    """The same in two files with an index."""
    with tempfile.TemporaryDirectory() as place:
        for name, content in model().items():
            (Path(place) / name).write_bytes(content)
        model_directory.shard(Path(place))
        return files(place)


@cache
def configs():
    """Contents of config.json: of each family, and with each scaling of the rotation."""
    sizes = replace(model_directory.CONFIG, num_hidden_layers=1)
    variants: list[ModelConfig] = [
        sizes,
        replace(sizes, qkv_bias=True),
        replace(sizes, rope_scaling=RopeScaling(4.0)),
        replace(sizes, rope_scaling=RopeScaling(8.0, original_max_position_embeddings=32)),
    ]
    tokenizer = Tokenizer.train(["the cat"], 262)
    found = [json.loads(json.dumps(checkpoint.config_fields(config, tokenizer, "float32"))) for config in variants]
    mistral = {k: v for k, v in found[0].items() if k not in ("architectures", "attention_bias", "mlp_bias")}
    older = {k: v for k, v in found[0].items() if k != "rope_parameters"} | {
        "rope_theta": 1e4,
        "torch_dtype": "float16",
    }
    older |= {"rope_scaling": {"type": "linear", "factor": 2.0}, "bos_token_id": 1, "pretraining_tp": 1}
    return [*found, mistral | {"model_type": "mistral", "sliding_window": None}, older]


@cache
def ggufs():
    """Whole .gguf files: F32, blocks of small integers, and a tokenizer of SentencePiece's kind."""
    if small_gguf is None:
        return []
    config, result = replace(small_gguf.CONFIG, num_hidden_layers=1), []
    tokenizer = Tokenizer.train(small_gguf.TEXTS, 300)
    tokens, _ = small_sentencepiece.learned()
    tokens = [*small_sentencepiece.SPECIAL, *small_sentencepiece.BYTES, *tokens]
    pieces = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [-float(i) for i in range(len(tokens))],
        "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * (len(tokens) - 259)],
    }
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.gguf"
        for kind, fields in ((0, {}), (3, {}), (1, {"tokenizer.ggml.pre": "llama-bpe"}), (4, pieces)):
            sizes = replace(config, vocab_size=len(fields.get("tokenizer.ggml.tokens", tokenizer.backend.get_vocab())))
            theta = small_gguf.random_theta(sizes)
            drop = ("tokenizer.chat_template",) if fields is pieces else ()
            small_gguf.write(path, theta, sizes, tokenizer, small_gguf.KINDS[kind], drop, fields)
            result.append(path.read_bytes())
    return result
