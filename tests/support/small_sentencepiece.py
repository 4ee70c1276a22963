"""A small tokenizer of SentencePiece's kind, as Llama 2 has a large one, and the chat templates of two models."""

import json
from functools import cache
from pathlib import Path

from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

SPECIAL = ["<unk>", "<s>", "</s>"]  # ids 0, 1, 2
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
FORMS = ("prepend", "always", "first", "never")  # how a blank is put before a text

ZEPHYR = (
    "{% for message in messages %}\n"
    "{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n"
    "{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n"
    "{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n"
    "{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LLAMA3_CONTROL = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
TEXTS = ["the cat sat on the mat in 1984, the hat", "user the cat assistant the mat", "  a    b <|user|> </s>"] * 20


@cache
def learned(texts=tuple(TEXTS), size=80):
    """(tokens, merges): characters and merges of the texts; a newline is among neither."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, show_progress=False))
    model = json.loads(backend.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [tuple(pair) for pair in model["merges"]]


def backend(form="prepend", byte_fallback=True, **options):
    """The tokenizer with its four steps, as in the files of Llama 2 ("prepend") and in newer ones."""
    tokens, merges = learned(**options)
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *BYTES, *tokens])}
    result = Backend(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback))
    if form == "prepend":
        result.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        result.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=form, split=False)
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    result.decoder = decoders.Sequence(parts)
    result.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    result.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return result


def save(directory, backend, template=ZEPHYR, **settings):
    """The files of a model's tokenizer, as others write them."""
    directory = Path(directory)
    directory.mkdir(exist_ok=True)
    backend.save(str(directory / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    config |= {"unk_token": "<unk>", "clean_up_tokenization_spaces": False, "chat_template": template}
    (directory / "tokenizer_config.json").write_text(json.dumps(config | settings), encoding="utf-8")
    return directory
