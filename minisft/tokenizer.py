"""Text ↔ token ids, and conversations as runs of ids.

The arithmetic of BPE is done by the `tokenizers` package; what is ours is where a text is cut. `render` spells a
conversation piece by piece; data.py decides which pieces belong to y. There are two kinds: byte-level, and
SentencePiece's (formats/sentencepiece.py), which puts a blank before a text.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from minisft.errors import MinisftError, one_line, quoted
from minisft.formats import added_tokens, conversations, sentencepiece, tokenizer_files, tokenizer_json
from minisft.formats.byte_level import BYTES, unknown_bytes
from minisft.formats.chat_templates import CHAT_TEMPLATE, ChatTemplate
from minisft.formats.files import json_bytes, read_bytes, write_atomically
from minisft.formats.native import native
from minisft.formats.windows import Window, lengths, paragraphs, windows

SPECIAL = (tokenizer_files.END_OF_TEXT, "<|im_start|>", "<|im_end|>")  # ids 0, 1, 2 of our own


class Tokenizer:
    """BPE with special tokens: made by `Tokenizer.train` or `Tokenizer.load`.

    vocab_size  highest id + 1
    prefix      the ids with which the tokenizer begins every plain text: BOS, or none
    eos_id      the token after a document or a plain completion: tokenizer_config.json's `eos_token`
    chat        the chat template, which is rendered when a conversation is
    """

    def __init__(
        self,
        source: bytes,
        config: dict,
        template: Any = CHAT_TEMPLATE,
        stops: Collection[int] = (),
        path: str | Path = "tokenizer.json",
        template_path: str | Path = "the chat template",
    ) -> None:
        """Of tokenizer.json and tokenizer_config.json; `stops`: the end tokens of generation_config.json.

        Errors name `path`, the file of `source`.
        """
        content = tokenizer_json.read(source, path)
        with native(path, *tokenizer_json.NOT_READ):
            self.backend = Backend.from_buffer(source)
            added_tokens.add(self.backend, config, path)
            tokenizer_json.require_tokens(self.backend, path)
        self.source, self.config, self.template, self.stops, self.path = source, config, template, stops, path
        vocabulary = self.backend.get_vocab()
        self.vocab_size = max(vocabulary.values(), default=-1) + 1
        if config["eos_token"] not in vocabulary:
            raise MinisftError(
                f"{path}: does not contain the eos_token {quoted(config['eos_token'])} of tokenizer_config.json; "
                "correct one of them"
            )
        self.eos_id = vocabulary[config["eos_token"]]
        names, written = added_tokens.roles(config), re.findall(r"<\|\w+\|>", str(template))
        special = [token for token in dict.fromkeys((*SPECIAL, *written, *names.values())) if token in vocabulary]
        self.sentencepiece = sentencepiece.BLANK in vocabulary
        with native(path, "its tokenizer fails"):
            self.prepare(special)
            begins = words("x", self.inside)
        added = self.backend.get_added_tokens_decoder()
        self.special = added_tokens.SpecialTokens(self.backend)
        self.special_tokens = self.special.ids
        self.special_ids = set(self.special_tokens.values())
        self.chat = ChatTemplate(template, template_path, self.special, names)
        self.unknown = getattr(self.backend.model, "unk_token", None)  # stands for a character without a token
        self.unknown_id = self.special_tokens.get(self.unknown or "")
        # A blank after a word that was added belongs to none but the first window.
        whole = self.blank_before and self.begins_after_special and len(added) > len(self.special_ids)
        self.size, self.most = lengths(content, vocabulary, whole)

        if self.sentencepiece:
            self.characters = {" ", *(token for token in vocabulary if len(token) == 1)}  # never spelled as bytes
            self.unknown_bytes = sentencepiece.unknown_bytes(vocabulary, self.backend)
        else:
            self.characters, self.unknown_bytes = set[str](), unknown_bytes(vocabulary)
        if begins != ["x"]:
            raise MinisftError(
                f"{path}: adds something before every text, in a way that is not implemented; texts encoded piece by "
                "piece would change: use a model with another tokenizer"
            )

    def prepare(self, special: list[str]) -> None:
        """`backend` encodes a text that begins, `inside` one that goes on; neither has the settings of other tools."""
        self.backend.no_truncation()
        self.backend.no_padding()
        begun, whole = (self.backend.encode("x", add_special_tokens=which).ids for which in (False, True))
        self.prefix = next((whole[:n] for n in range(len(whole)) if whole[n : n + len(begun)] == begun), [])
        self.backend.post_processor = processors.Sequence([])  # some change where a token begins
        added_tokens.make_special(self.backend, special)
        self.inside = sentencepiece.without_blank(self.backend) if self.sentencepiece else self.backend
        begun = self.backend.encode("x", add_special_tokens=False).ids
        self.blank_before = begun != self.inside.encode("x", add_special_tokens=False).ids
        again = self.backend.encode(self.config["eos_token"] + "x", add_special_tokens=False).ids[1:]
        self.begins_after_special = again == begun
        # A special token inside a text is encoded as text.
        self.backend.encode_special_tokens = self.inside.encode_special_tokens = True

    @cached_property
    def end_of_turn_id(self) -> int | None:
        """The last target of an answer; None if the vocabulary or the template has none: such a model cannot chat."""
        end = SPECIAL[2] if self.template == CHAT_TEMPLATE else next(iter(self.chat.ends), "")
        return self.special_tokens.get(end)

    @property
    def stop_ids(self) -> list[int]:
        """The tokens that end an answer: that of a turn, that of a text, and those of generation_config.json."""
        every = dict.fromkeys((self.end_of_turn_id, self.eos_id, *self.stops))
        return [i for i in every if i is not None]

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
        """Read tokenizer.json and the files beside it. Raises MinisftError naming one that is missing or broken.

        The chat template is not looked at before a conversation is rendered.
        """
        directory = Path(directory)
        source = read_bytes(directory / "tokenizer.json")
        config, template, where = tokenizer_files.read(directory)
        return cls(source, config, template, tokenizer_files.stops(directory), directory / "tokenizer.json", where)

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
        unknown = self.unknown_bytes and self.unknown_bytes.intersection("".join(set(text) - self.characters).encode())
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
        """The ids of a window; a special token found as a word is spelled out, or refused.

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
        self,
        messages: list[dict],
        is_y: list[bool],
        add_generation_prompt: bool = False,
        limit: int | None = None,
        tools: list | None = None,
    ) -> list[tuple[list[int], bool]]:
        """A conversation as runs (ids, of y?); all ids in a row are the sequence.

        messages  {"role", "content"} each;  is_y: for each of them, whether what the assistant says belongs to y
        Each message of y is one run, an answer with its end token, in their order. In ChatML a message is
        <|im_start|>role\\ncontent<|im_end|>\\n; any other chat template is rendered. With add_generation_prompt it ends
        where the assistant is to answer. With a limit it is cut after so many ids. Raises MinisftError if the template
        refuses the conversation, or does not say where an answer begins and ends.
        """
        if not (self.template == CHAT_TEMPLATE and self.special.plain):
            rendering = self.chat.render(messages, tools, add_generation_prompt)
            return conversations.runs(rendering, is_y, self.special_tokens, self.encode, limit)
        conversations.require_chatml(messages, tools, self.special_tokens, self.path)
        spelled: list[tuple[list[str], bool]] = []
        for message, of_y in zip(messages, is_y):
            role, content = message["role"], message["content"]
            if role == "assistant":  # header and content apart, as the model meets them
                spelled.append((["", "<|im_start|>", "assistant\n"], False))
                spelled.append(([content, "<|im_end|>"], of_y))
            else:
                spelled.append((["", "<|im_start|>", role + "\n" + content, "<|im_end|>"], False))
            spelled.append((["\n"], False))
        if add_generation_prompt:
            spelled.append((["", "<|im_start|>", "assistant\n"], False))
        ids: list[int] = []
        return [(self.extend(ids, parts, limit), of_y) for parts, of_y in spelled if limit is None or len(ids) < limit]

    def prompt(self, messages: list[dict], tools: list | None = None) -> list[int]:
        """The ids of a conversation up to the place where the assistant is to answer."""
        runs = self.render(messages, [False] * len(messages), add_generation_prompt=True, tools=tools)
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
