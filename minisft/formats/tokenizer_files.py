"""The files beside tokenizer.json: which tokens end a text, which were added, and the chat template."""

from pathlib import Path
from typing import Any

from minisft.config import is_whole
from minisft.errors import MinisftError, quoted
from minisft.formats.chat_templates import CHAT_TEMPLATE
from minisft.formats.files import read_json, read_text

END_OF_TEXT = "<|endoftext|>"  # in a vocabulary of ours


def own_config() -> dict[str, Any]:
    """The tokenizer_config.json of a tokenizer of ours; `Tokenizer.save` adds the length of the model's context."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": END_OF_TEXT,
        "pad_token": None,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
    }


def read(directory: Path) -> tuple[dict[str, Any], Any, Path]:
    """tokenizer_config.json with its eos_token as a string, the chat template, and the file it stands in.

    Raises MinisftError naming a file that is broken, or that names no eos_token.
    """
    settings = directory / "tokenizer_config.json"
    config = read_json(settings) if settings.exists() else {}
    template, where = config.get("chat_template"), settings
    if isinstance(template, list):  # several templates with names
        defaults = [entry for entry in template if isinstance(entry, dict) and entry.get("name") == "default"]
        template = defaults[-1].get("template") if defaults else ""
    if (directory / "chat_template.jinja").exists():
        where = directory / "chat_template.jinja"
        template = read_text(where)
    template = CHAT_TEMPLATE if template is None else template
    config = {**(config or own_config()), "eos_token": eos_token(directory, config)}
    if (directory / "special_tokens_map.json").exists():
        config = read_json(directory / "special_tokens_map.json") | config
    if (directory / "added_tokens.json").exists():
        added = read_json(directory / "added_tokens.json")
        listed = {str(i): {"content": token, "normalized": False} for token, i in added.items()}
        config["added_tokens_decoder"] = listed | config.get("added_tokens_decoder", {})
    return config, template, where


def eos_token(directory: Path, config: dict[str, Any]) -> str:
    """The eos_token, a string or {"content": string}: from tokenizer_config.json, else special_tokens_map.json."""
    token = config.get("eos_token")
    fallback = directory / "special_tokens_map.json"
    if token is None and fallback.exists():
        token = read_json(fallback).get("eos_token")
    if isinstance(token, dict):
        token = token.get("content")
    if not isinstance(token, str):
        raise MinisftError(
            f"{directory / 'tokenizer_config.json'}: does not name an eos_token; add the token that ends a text, "
            f'as "eos_token": "{END_OF_TEXT}"'
        )
    return token


def stops(directory: Path) -> list[int]:
    """The end tokens of an answer that generation_config.json lists. Raises MinisftError if they are not ids."""
    path = directory / "generation_config.json"
    listed = read_json(path).get("eos_token_id") if path.exists() else None
    listed = [] if listed is None else listed if isinstance(listed, list) else [listed]
    if not all(is_whole(i) and i >= 0 for i in listed):
        raise MinisftError(f"{path}: eos_token_id {quoted(listed)} is not an id or a list of ids; correct it")
    return listed
