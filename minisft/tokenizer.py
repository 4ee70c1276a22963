"""Text ↔ token ids, and conversations as runs of ids.

The arithmetic of BPE is done by the `tokenizers` package; what is ours is where a text is cut. `render` spells a
conversation piece by piece; data.py decides which pieces belong to y.

There are two kinds: byte-level, where every byte of a text is spelled as a character, and SentencePiece's
(formats/sentencepiece.py), which puts a blank before a text.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, decoders, models, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from minisft.errors import MinisftError, one_line, quoted
from minisft.formats import sentencepiece, tokenizer_files, tokenizer_json
from minisft.formats.chat_templates import CHAT_TEMPLATE, CHATML, Dialect, default_system, dialect_of
from minisft.formats.files import json_bytes, read_bytes, write_atomically
from minisft.formats.native import native
from minisft.formats.windows import Window, lengths, paragraphs, windows

SPECIAL = (tokenizer_files.END_OF_TEXT, "<|im_start|>", "<|im_end|>")  # ids 0, 1, 2 of our own

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
        content = tokenizer_json.read(source, path)
        with native(path, *tokenizer_json.NOT_READ):
            self.backend = Backend.from_buffer(source)
            tokenizer_json.require_tokens(self.backend, path)
        self.source, self.config, self.template, self.path = source, config, template, path
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

        special = [
            token for token in (*SPECIAL, *self.dialect.special_tokens(), config["eos_token"]) if token in vocabulary
        ]
        self.sentencepiece = sentencepiece.BLANK in vocabulary
        with native(path, "its tokenizer fails"):
            self.prepare(special)
            begins = words("x", self.inside)
        added = self.backend.get_added_tokens_decoder()
        self.special_tokens = {token.content: i for i, token in added.items() if token.special}
        self.special_ids = set(self.special_tokens.values())
        names = sorted(self.special_tokens, key=len, reverse=True)
        self.special = re.compile(f"({'|'.join(map(re.escape, names))})")
        self.unknown = getattr(self.backend.model, "unk_token", None)  # stands for a character without a token
        self.unknown_id = self.special_tokens.get(self.unknown or "")
        # A blank after a word that was added belongs to none but the first window.
        whole = self.blank_before and self.begins_after_special and len(added) > len(self.special_ids)
        self.size, self.most = lengths(content, vocabulary, whole)

        if self.sentencepiece:
            self.characters = {" ", *(token for token in vocabulary if len(token) == 1)}  # never spelled as bytes
            fallback = vocabulary if getattr(self.backend.model, "byte_fallback", False) else ()
            self.unknown_bytes = {byte for token, byte in sentencepiece.BYTES.items() if token not in fallback}
        else:
            self.characters = set()
            self.unknown_bytes = {
                byte for char, byte in BYTES.items() if char not in vocabulary and b'"ByteLevel"' in source
            }
        if begins != ["x"]:
            raise MinisftError(
                f"{path}: adds something before every text, in a way that is not implemented; texts encoded piece by "
                "piece would change: use a model with another tokenizer"
            )

    def prepare(self, special: list[str]) -> None:
        """`backend` encodes a text that begins, `inside` one that goes on; neither has the settings of other tools."""
        self.backend.no_truncation()
        self.backend.no_padding()
        self.backend.post_processor = processors.Sequence([])  # some change where a token begins
        self.backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
        self.inside = sentencepiece.without_blank(self.backend) if self.sentencepiece else self.backend
        begun = self.backend.encode("x", add_special_tokens=False).ids
        self.blank_before = begun != self.inside.encode("x", add_special_tokens=False).ids
        again = self.backend.encode(self.config["eos_token"] + "x", add_special_tokens=False).ids[1:]
        self.begins_after_special = again == begun
        # A special token inside a text is encoded as text.
        self.backend.encode_special_tokens = self.inside.encode_special_tokens = True

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
            (part for text in texts for part in paragraphs(text)),
            trainers.BpeTrainer(
                vocab_size=vocab_size, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
            ),
        )
        return cls(backend.to_str(pretty=True).encode(), tokenizer_files.own_config())

    @classmethod
    def load(cls, directory: str | Path) -> "Tokenizer":
        """Read tokenizer.json and, if present, tokenizer_config.json, special_tokens_map.json, chat_template.jinja.

        A default system turn in the template is honoured; nothing is executed. Raises MinisftError naming the file if
        it is missing or broken, has no eos_token, or has a template in none of the dialects of formats/chat_templates.
        """
        directory = Path(directory)
        source = read_bytes(directory / "tokenizer.json")
        config, template, where = tokenizer_files.read(directory)
        return cls(source, config, template, dialect_of(template, where), directory / "tokenizer.json")

    def files(self, model_max_length: int | None = None) -> dict[str, bytes]:
        """The files of a tokenizer, as they were loaded; model_max_length, in tokens, replaces the one there."""
        config = self.config if model_max_length is None else self.config | {"model_max_length": model_max_length}
        settings, template = json_bytes(config), self.template.encode()
        return {"tokenizer.json": self.source, "tokenizer_config.json": settings, "chat_template.jinja": template}

    def save(self, directory: str | Path, model_max_length: int | None = None) -> None:
        """Write the `files`, each whole or not at all. Raises MinisftError naming one that cannot be written."""
        for name, content in self.files(model_max_length).items():
            write_atomically(Path(directory) / name, content)

    def encode(self, text: str, before: Sequence[int] = (), limit: int | None = None) -> list[int]:
        """The ids of a plain text: no BOS is added, and a special token in it is text like any other.

        before  the ids that precede it in its sequence: only where a text begins is a blank put before it
        limit   only the first ids, at most so many: no more of the text is encoded than they need
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
        backend, ids = self.backend if begins else self.inside, list[int]()
        with native(self.path, "its tokenizer fails on a text", "use another model"):
            for window in windows(text, backend, self.inside, self.size, self.most):
                ids += self.as_text(window, self.inside if ids else backend)
                if limit is not None and len(ids) >= limit:
                    break
        return ids[:limit]

    def as_text(self, window: Window, first: Backend) -> list[int]:
        """The ids of a window; what a vocabulary has as a special token and finds as a word is spelled out.

        first  what encodes its first character
        """
        ids = window.encoding.ids[: window.tokens]
        if self.special_ids.isdisjoint(ids):
            return ids
        spelled: list[int] = []
        for n, i in enumerate(ids):
            begin, end = window.encoding.token_to_chars(n) or (0, 0)
            written = window.text[begin:end]
            if i not in self.special_ids or (i == self.unknown_id and written != self.unknown):
                spelled.append(i)
                continue
            for k, char in enumerate(written):
                spelled += (first if n == k == 0 else self.inside).encode(char, add_special_tokens=False).ids
        for i in self.special_ids.intersection(spelled) - {self.unknown_id}:
            word = quoted(self.backend.id_to_token(i))
            raise MinisftError(f"text: {word} is a special token without another spelling; use another model")
        return spelled

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids as it stands in a sequence; special tokens, and ids beyond the vocabulary, are left out.

        So an answer keeps the blank it begins with, and the text at the beginning keeps the blank put before it.
        """
        ids = [int(i) for i in ids]
        if not self.sentencepiece:
            with native(self.path, "its tokenizer fails to decode", "use another model"):
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
        with native(self.path, "its tokenizer fails to decode", "use another model"):
            text = self.backend.decode([i], skip_special_tokens=False)
        if "\ufffd" in text and all(char in BYTES for char in token):
            text = bytes(BYTES[char] for char in token).decode(errors="backslashreplace")
        return text

    def render(
        self, messages: list[dict], is_y: list[bool], add_generation_prompt: bool = False, limit: int | None = None
    ) -> list[tuple[list[int], bool]]:
        """A conversation in the model's dialect as runs (ids, of y?); all ids in a row are the sequence.

        messages  {"role", "content"} each;  is_y: for each, whether its content belongs to y
        In ChatML it is <|im_start|>role\\ncontent<|im_end|>\\n for every message. An assistant's content and end token
        are a run of their own. With add_generation_prompt it ends where the assistant is to answer. With a limit it is
        cut after so many ids. Raises MinisftError if the vocabulary lacks a special token of the dialect.
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
        roles = {"assistant", *(message["role"] for message in messages)}
        # In turn a text, a special token, a text, …: what a user typed is joined to a text, so it stays text.
        headers = {role: self.special.split(d.before + role + d.after) for role in roles}
        *begin, last = self.special.split(d.begin)
        runs: list[tuple[list[str], bool]] = []
        for message, of_y in zip(messages, is_y):
            role, content = message["role"], message["content"]
            content = content.strip() if d.trims else content
            header = headers[role] if runs else [*begin, last + headers[role][0], *headers[role][1:]]
            if role == "assistant":  # header and content apart, as the model meets them
                runs.append((header, False))
                runs.append(([content, d.end], of_y))
            else:
                runs.append(([*header[:-1], header[-1] + content, d.end], of_y))
            runs.append(([d.then], False))
        if add_generation_prompt:
            runs.append((headers["assistant"], False))
        ids: list[int] = []
        return [(self.extend(ids, parts, limit), of_y) for parts, of_y in runs if limit is None or len(ids) < limit]

    def prompt(self, messages: list[dict]) -> list[int]:
        """The ids of a conversation up to the place where the assistant is to answer."""
        runs = self.render(messages, [False] * len(messages), add_generation_prompt=True)
        return [i for ids, _ in runs for i in ids]

    def extend(self, ids: list[int], parts: list[str], limit: int | None = None) -> list[int]:
        """Append the ids of parts, which are in turn a text, a special token, a text, …; returns the new ones.

        limit  how many there may be in all
        """
        length = len(ids)
        for n, part in enumerate(parts):
            room = None if limit is None else limit - len(ids)
            if room == 0:
                break
            ids += [self.special_tokens[part]] if n % 2 else self.encode(part, ids, room)
        return ids[length:]


def words(text: str, backend: Backend) -> list[str]:
    """What the merges are given of a text: its words, as a backend spells and separates them."""
    text = backend.normalizer.normalize_str(text) if backend.normalizer else text
    return [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(text)] if backend.pre_tokenizer else [text]
