"""Text ↔ token ids, and conversations as runs of ids.

The arithmetic of BPE is done by the `tokenizers` package; what is ours is where a text is cut. `render` spells a
conversation piece by piece; data.py decides which pieces belong to y.

There are two kinds: byte-level, where every byte of a text is spelled as a character, and SentencePiece's
(formats/sentencepiece.py), which puts a blank before a text.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from minisft.errors import MinisftError, one_line, quoted
from minisft.formats import sentencepiece
from minisft.formats.chat_templates import CHAT_TEMPLATE, CHATML, Dialect, default_system, dialect_of
from minisft.formats.files import read_bytes, read_json, read_text, write_atomically, write_json

END_OF_TEXT, START, END = SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")  # ids 0, 1, 2 of our own

# GPT-2's spelling of bytes in a vocabulary: a printable byte is itself, the n-th of the others is character 256 + n.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = {chr(byte): byte for byte in PRINTABLE}
BYTES |= {chr(256 + n): byte for n, byte in enumerate(byte for byte in range(256) if byte not in PRINTABLE)}


class Tokenizer:
    """BPE with special tokens: made by `Tokenizer.train` or `Tokenizer.load`.

    vocab_size      highest id + 1
    eos_id          the token after a document or a plain completion: tokenizer_config.json's `eos_token`
    end_of_turn_id  the last target of an answer; None in a vocabulary without it: such a model cannot chat
    """

    def __init__(
        self,
        source: bytes,
        config: dict,
        template: str = CHAT_TEMPLATE,
        dialect: Dialect = CHATML,
        path: str | Path = "tokenizer.json",
    ) -> None:
        """From the content of tokenizer.json and tokenizer_config.json; errors name `path`, the file of `source`."""
        try:
            self.backend = Backend.from_buffer(source)
        except Exception as error:  # the package raises nothing narrower
            raise MinisftError(
                f"{path}: is not a file of the tokenizers package ({one_line(error, 200)}); it is cut off, damaged "
                "or of another kind: copy it again"
            ) from error
        self.source, self.config, self.template = source, config, template
        vocabulary = self.backend.get_vocab()
        self.vocab_size = max(vocabulary.values(), default=-1) + 1
        if config["eos_token"] not in vocabulary:
            raise MinisftError(
                f"{path}: does not contain the eos_token {quoted(config['eos_token'])} of tokenizer_config.json; "
                "correct one of them"
            )
        self.eos_id = vocabulary[config["eos_token"]]
        self.dialect = dialect._replace(end=dialect.end or config["eos_token"])
        self.end_of_turn_id = vocabulary.get(self.dialect.end)
        self.default_system = default_system(template)

        self.backend.no_truncation()  # settings of other tools that such a file may carry
        self.backend.no_padding()
        special = [
            token for token in (*SPECIAL, *self.dialect.special_tokens(), config["eos_token"]) if token in vocabulary
        ]
        self.backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
        added = self.backend.get_added_tokens_decoder()
        self.special_tokens = {token.content: i for i, token in added.items() if token.special}
        self.special_ids = set(self.special_tokens.values())
        names = sorted(self.special_tokens, key=len, reverse=True)
        self.special = re.compile(f"({'|'.join(map(re.escape, names))})")

        self.sentencepiece = sentencepiece.BLANK in vocabulary
        self.inside = sentencepiece.without_blank(self.backend) if self.sentencepiece else self.backend
        again = self.backend.encode(config["eos_token"] + "x", add_special_tokens=False).ids[1:]
        self.begins_after_special = again == self.backend.encode("x", add_special_tokens=False).ids
        # A special token inside a text is encoded as text.
        self.backend.encode_special_tokens = self.inside.encode_special_tokens = True

        if self.sentencepiece:
            self.characters = {" ", *(token for token in vocabulary if len(token) == 1)}  # never spelled as bytes
            fallback = vocabulary if getattr(self.backend.model, "byte_fallback", False) else ()
            self.unknown_bytes = {byte for token, byte in sentencepiece.BYTES.items() if token not in fallback}
        else:
            self.characters = set()
            self.unknown_bytes = {
                byte for char, byte in BYTES.items() if char not in vocabulary and b'"ByteLevel"' in source
            }
        if words("x", self.inside) != ["x"]:
            raise MinisftError(
                f"{path}: adds something before every text, in a way that is not implemented; texts encoded piece by "
                "piece would change: use a model with another tokenizer"
            )

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "Tokenizer":
        """Learn at most vocab_size tokens from texts: the special tokens as 0, 1, 2, the 256 bytes, then merges.

        Digits stand alone, and words are cut as in GPT-2. The same texts give the same tokenizer. It has fewer tokens
        if the texts have nothing left to merge. Raises MinisftError if vocab_size has no room for the bytes.
        """
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        smallest = len(SPECIAL) + len(alphabet)
        if vocab_size < smallest:
            raise MinisftError(
                f"--vocab-size: {vocab_size} is too small; the 256 bytes and the special tokens "
                f"{' '.join(SPECIAL)} need {smallest}"
            )
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        backend.decoder = decoders.ByteLevel()
        backend.train_from_iterator(
            texts,
            trainers.BpeTrainer(
                vocab_size=vocab_size, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
            ),
        )
        return cls(backend.to_str(pretty=True).encode(), own_config())

    @classmethod
    def load(cls, directory: str | Path) -> "Tokenizer":
        """Read tokenizer.json and, if present, tokenizer_config.json, special_tokens_map.json, chat_template.jinja.

        A default system turn in the template is honoured; nothing is executed. Raises MinisftError naming the file if
        it is missing or broken, has no eos_token, or has a template in none of the dialects of formats/chat_templates.
        """
        directory = Path(directory)
        source = read_bytes(directory / "tokenizer.json")
        settings = directory / "tokenizer_config.json"
        config = read_json(settings) if settings.exists() else {}
        template, where = config.get("chat_template"), settings
        if isinstance(template, list):  # several templates with names
            named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
            template = named.get("default", "")
        if (directory / "chat_template.jinja").exists():
            where = directory / "chat_template.jinja"
            template = read_text(where)
        template = CHAT_TEMPLATE if template is None else template
        dialect = dialect_of(template, where)
        config = (config or own_config()) | {"eos_token": eos_token(directory, config)}
        return cls(source, config, template, dialect, directory / "tokenizer.json")

    def save(self, directory: str | Path, model_max_length: int | None = None) -> None:
        """Write tokenizer.json, tokenizer_config.json and chat_template.jinja, each whole or not at all.

        What was loaded is written back unchanged, except that model_max_length, in tokens, replaces the one in
        tokenizer_config.json. Raises MinisftError naming a file that cannot be written.
        """
        directory = Path(directory)
        config = self.config if model_max_length is None else self.config | {"model_max_length": model_max_length}
        write_atomically(directory / "tokenizer.json", self.source)
        write_json(directory / "tokenizer_config.json", config)
        write_atomically(directory / "chat_template.jinja", self.template.encode())

    def encode(self, text: str, before: Sequence[int] = ()) -> list[int]:
        """The ids of a plain text: no BOS is added, and a special token in it is text like any other.

        before  the ids that precede it in its sequence: only where a text begins is a blank put before it
        Raises MinisftError if the text contains a lone surrogate, or a byte without a token in a foreign vocabulary.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise MinisftError(
                f"text: {one_line(repr(text[error.start]))} at character {error.start} is half a character (a lone "
                "surrogate); remove it"
            ) from error
        unknown = self.unknown_bytes.intersection("".join(set(text) - self.characters).encode())
        if unknown:
            raise MinisftError(
                f"text: byte 0x{min(unknown):02x} of {quoted(text)} has no token in this vocabulary; remove it"
            )
        begins = not before or (self.begins_after_special and before[-1] in self.special_ids)
        backend = self.backend if begins else self.inside
        ids = backend.encode(text, add_special_tokens=False).ids
        if not self.special_ids.isdisjoint(ids):  # the vocabulary has it as a word, too: spell it out
            ids = backend.encode(text[0], add_special_tokens=False).ids
            ids += [i for char in text[1:] for i in self.inside.encode(char, add_special_tokens=False).ids]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids as it stands in a sequence; special tokens, and ids beyond the vocabulary, are left out.

        So an answer keeps the blank it begins with, and the text at the beginning keeps the blank put before it.
        """
        ids = [int(i) for i in ids]
        if not self.sentencepiece:
            return self.backend.decode(ids, skip_special_tokens=True)
        tokens = [self.backend.id_to_token(i) for i in ids if i not in self.special_ids]
        return b"".join(sentencepiece.spelled(token) for token in tokens if token is not None).decode(errors="replace")

    def token_text(self, i: int) -> str:
        """One token for display: its text, a byte that is only part of a character as \\xe2, an unused id as <7>."""
        token = self.backend.id_to_token(i)
        if token is None:
            return f"<{i}>"
        if self.sentencepiece:
            return sentencepiece.spelled(token).decode(errors="backslashreplace")
        text = self.backend.decode([i], skip_special_tokens=False)
        if "\ufffd" in text and all(char in BYTES for char in token):
            text = bytes(BYTES[char] for char in token).decode(errors="backslashreplace")
        return text

    def render(
        self, messages: list[dict], is_y: list[bool], add_generation_prompt: bool = False
    ) -> list[tuple[list[int], bool]]:
        """A conversation in the model's dialect as runs (ids, of y?); all ids in a row are the sequence.

        messages  {"role", "content"} each;  is_y: for each, whether its content belongs to y
        In ChatML it is <|im_start|>role\\ncontent<|im_end|>\\n for every message. An assistant's content and end token
        are a run of their own. With add_generation_prompt it ends where the assistant is to answer. Raises MinisftError
        if the vocabulary lacks a special token of the dialect.
        """
        d = self.dialect
        for token in d.special_tokens():
            if self.backend.token_to_id(token) is None:
                raise MinisftError(
                    f"tokenizer.json: has no {token}, so this model cannot chat in {d.name}; use plain text, or a "
                    "model with the tokens of its chat template"
                )
        if self.default_system is not None and messages[0]["role"] != "system":
            messages, is_y = [{"role": "system", "content": self.default_system}, *messages], [False, *is_y]
        runs: list[tuple[list[str], bool]] = []
        for message, of_y in zip(messages, is_y):
            role, content = message["role"], message["content"]
            content = content.strip() if d.trims else content
            # In turn a text, a special token, a text, …: what a user typed is joined to a text, so it stays text.
            header = self.special.split(("" if runs else d.begin) + d.before + role + d.after)
            if role == "assistant":  # header and content apart, as the model meets them
                runs.append((header, False))
                runs.append(([content, d.end], of_y))
            else:
                runs.append(([*header[:-1], header[-1] + content, d.end], of_y))
            runs.append(([d.then], False))
        if add_generation_prompt:
            runs.append((self.special.split(d.before + "assistant" + d.after), False))
        ids: list[int] = []
        return [(self.extend(ids, parts), of_y) for parts, of_y in runs]

    def prompt(self, messages: list[dict]) -> list[int]:
        """The ids of a conversation up to the place where the assistant is to answer."""
        runs = self.render(messages, [False] * len(messages), add_generation_prompt=True)
        return [i for ids, _ in runs for i in ids]

    def extend(self, ids: list[int], parts: list[str]) -> list[int]:
        """Append the ids of parts, which are in turn a text, a special token, a text, …; returns the new ones."""
        length = len(ids)
        for n, part in enumerate(parts):
            ids += [self.special_tokens[part]] if n % 2 else self.encode(part, ids)
        return ids[length:]


def own_config() -> dict:
    """The tokenizer_config.json of a tokenizer of ours; `save` adds the length of the model's context."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": END_OF_TEXT,
        "pad_token": None,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
    }


def eos_token(directory: Path, config: dict) -> str:
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


def words(text: str, backend: Backend) -> list[str]:
    """What the merges are given of a text: its words, as a backend spells and separates them."""
    text = backend.normalizer.normalize_str(text) if backend.normalizer else text
    return [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(text)] if backend.pre_tokenizer else [text]
