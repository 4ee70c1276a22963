"""Text ↔ token ids, and conversations as runs of ids that know whether they are an answer.

The arithmetic of byte-level BPE is the `tokenizers` package's; what is ours is where a text is cut. The mask of
fine-tuning is born here: `render` returns a conversation piece by piece, each with True (y) or False (x).
"""

import re
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from minisft.errors import MinisftError
from minisft.files import read_bytes, read_json, read_text, write_atomically, write_json

END_OF_TEXT, START, END = CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")  # ids 0, 1, 2 of our own

# What `Tokenizer.render` does, for other tools; they read the mask between {% generation %} and {% endgeneration %}.
CHAT_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' }}
    {%- if message['role'] == 'assistant' %}
        {%- generation %}
            {{- message['content'] + '<|im_end|>' }}
        {%- endgeneration %}
    {%- else %}
        {{- message['content'] + '<|im_end|>' }}
    {%- endif %}
    {{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

# A system turn spelled out in a template, in quotes or as bare text: inserted into a conversation that has none.
DEFAULT_SYSTEM = re.compile(
    r"""(['"])<\|im_start\|>system(?:\\n|\n)((?:\\.|(?!\1)[^\\])*?)<\|im_end\|>"""
    r"""|(?<!['"])<\|im_start\|>system\n([^{}]*?)<\|im_end\|>""",
    re.DOTALL,
)

# GPT-2's spelling of bytes in a vocabulary: a printable byte is itself, the n-th of the others is character 256 + n.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = {chr(byte): byte for byte in PRINTABLE}
BYTES |= {chr(256 + n): byte for n, byte in enumerate(byte for byte in range(256) if byte not in PRINTABLE)}


class Tokenizer:
    """Byte-level BPE with control tokens: made by `Tokenizer.train` or `Tokenizer.load`.

    vocab_size      highest id + 1
    eos_id          the token after a document or a plain completion: tokenizer_config.json's `eos_token`
    end_of_turn_id  `<|im_end|>`, the last target of an answer; None in a vocabulary without it, which cannot chat
    """

    def __init__(self, source: bytes, config: dict, template: str = CHAT_TEMPLATE, path="tokenizer.json"):
        """From the content of tokenizer.json and tokenizer_config.json; errors name `path`, the file of `source`."""
        try:
            self.backend = Backend.from_buffer(source)
        except Exception as error:  # the package raises nothing narrower
            raise MinisftError(
                f"{path}: not a file of the tokenizers package ({one_line(error)}); it is cut off, damaged "
                "or of another kind: copy it again"
            ) from error
        self.source, self.config, self.template = source, config, template
        vocabulary = self.backend.get_vocab()
        self.vocab_size = max(vocabulary.values(), default=-1) + 1
        self.eos_id = vocabulary.get(config["eos_token"])
        if self.eos_id is None:
            raise MinisftError(
                f"{path}: does not hold the eos_token {config['eos_token']!r} of tokenizer_config.json; "
                "correct one of them"
            )
        self.start_of_turn_id, self.end_of_turn_id = vocabulary.get(START), vocabulary.get(END)
        self.default_system = default_system(template)

        self.backend.no_truncation()  # settings of other tools that such a file may carry
        self.backend.no_padding()
        control = [token for token in (*CONTROL, config["eos_token"]) if token in vocabulary]
        self.backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
        self.backend.encode_special_tokens = True  # a control token in a text is encoded as text
        self.control_ids = {i for i, token in self.backend.get_added_tokens_decoder().items() if token.special}
        self.unknown_bytes = {
            byte for char, byte in BYTES.items() if char not in vocabulary and b'"ByteLevel"' in source
        }
        if self.backend.encode("x", add_special_tokens=False).tokens != ["x"]:
            raise MinisftError(
                f"{path}: adds something before every text, as SentencePiece's leading space; texts that are "
                "encoded piece by piece would change: use a model with a byte-level tokenizer"
            )

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "Tokenizer":
        """Learn at most vocab_size tokens from texts: the control tokens as 0, 1, 2, the 256 bytes, then merges.

        Digits stand alone, words are cut as in GPT-2. The same texts give the same tokenizer. Fewer tokens come out
        where the texts have nothing left to merge. Raises MinisftError if vocab_size has no room for the bytes.
        """
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        smallest = len(CONTROL) + len(alphabet)
        if vocab_size < smallest:
            raise MinisftError(
                f"--vocab-size: {vocab_size} is too small; {smallest} tokens are the 256 bytes and the "
                f"control tokens {' '.join(CONTROL)}"
            )
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        backend.decoder = decoders.ByteLevel()
        backend.train_from_iterator(
            texts,
            trainers.BpeTrainer(
                vocab_size=vocab_size, special_tokens=list(CONTROL), initial_alphabet=alphabet, show_progress=False
            ),
        )
        return cls(backend.to_str(pretty=True).encode(), own_config())

    @classmethod
    def load(cls, directory) -> "Tokenizer":
        """Read tokenizer.json and, if present, tokenizer_config.json, special_tokens_map.json, chat_template.jinja.

        A default system turn in the template is honoured; nothing is executed. Raises MinisftError naming the file if
        it is missing, broken, has no eos_token, or holds a template that is not ChatML.
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
        if template is not None:
            require_chatml(template, where)
        config = (config or own_config()) | {"eos_token": eos_token(directory, config)}
        return cls(source, config, CHAT_TEMPLATE if template is None else template, directory / "tokenizer.json")

    def save(self, directory, model_max_length: int | None = None):
        """Write tokenizer.json, tokenizer_config.json and chat_template.jinja, each whole or not at all.

        What was loaded is written back unchanged, except that model_max_length, in tokens, takes the place of the one
        in tokenizer_config.json. Raises MinisftError naming a file that cannot be written.
        """
        directory = Path(directory)
        config = self.config if model_max_length is None else self.config | {"model_max_length": model_max_length}
        write_atomically(directory / "tokenizer.json", self.source)
        write_json(directory / "tokenizer_config.json", config)
        write_atomically(directory / "chat_template.jinja", self.template.encode())

    def encode(self, text: str) -> list[int]:
        """The ids of a plain text: no BOS is added, and a control token in it is text like any other.

        Raises MinisftError if the text holds a lone surrogate, or a byte that a foreign vocabulary has no token for.
        """
        try:
            unknown = self.unknown_bytes.intersection(text.encode())
        except UnicodeEncodeError as error:
            raise MinisftError(
                f"text: {text[error.start]!r} at character {error.start} is half a character (a lone "
                "surrogate); remove it"
            ) from error
        if unknown:
            raise MinisftError(
                f"text: byte 0x{min(unknown):02x} of {text[:40]!r} has no token in this vocabulary; remove it"
            )
        ids = self.backend.encode(text, add_special_tokens=False).ids
        if not self.control_ids.isdisjoint(ids):  # a vocabulary that finds it as a word: spell it out
            ids = [i for char in text for i in self.backend.encode(char, add_special_tokens=False).ids]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; control tokens, and ids beyond the vocabulary, are left out."""
        return self.backend.decode([int(i) for i in ids], skip_special_tokens=True)

    def token_text(self, i: int) -> str:
        """One token for display: its text, a byte that is only part of a character as \\xe2, an unused id as <7>."""
        token = self.backend.id_to_token(i)
        if token is None:
            return f"<{i}>"
        text = self.backend.decode([i], skip_special_tokens=False)
        if "\ufffd" in text and all(char in BYTES for char in token):
            text = bytes(BYTES[char] for char in token).decode(errors="backslashreplace")
        return text

    def render(self, messages: list[dict], add_generation_prompt: bool = False) -> list[tuple[list[int], bool]]:
        """A conversation in ChatML as runs (ids, is_answer); the ids of all runs in a row are the sequence.

        <|im_start|>role\\ncontent<|im_end|>\\n for every message {"role", "content"}. An assistant's content with its
        <|im_end|> is a run of its own with True. With add_generation_prompt it ends where the assistant is to answer.
        Raises MinisftError if the vocabulary has no <|im_start|> or <|im_end|>.
        """
        if self.start_of_turn_id is None or self.end_of_turn_id is None:
            raise MinisftError(
                f"tokenizer.json: has no {START} or no {END}, so this model cannot chat; use plain text, "
                "or a model with the ChatML tokens"
            )
        start, end = [self.start_of_turn_id], [self.end_of_turn_id]
        if self.default_system is not None and messages[0]["role"] != "system":
            messages = [{"role": "system", "content": self.default_system}, *messages]
        runs = []
        for message in messages:
            role, content = message["role"], message["content"]
            if role == "assistant":  # header and content apart: as the model meets them
                runs.append((start + self.encode("assistant\n"), False))
                runs.append((self.encode(content) + end, True))
            else:
                runs.append((start + self.encode(f"{role}\n{content}") + end, False))
            runs.append((self.encode("\n"), False))
        if add_generation_prompt:
            runs.append((start + self.encode("assistant\n"), False))
        return runs


def own_config():
    """The tokenizer_config.json of a tokenizer of ours; `save` adds the model's context."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": END_OF_TEXT,
        "pad_token": None,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
    }


def eos_token(directory, config):
    """The eos_token, a string or {"content": string}: from tokenizer_config.json, else special_tokens_map.json."""
    token = config.get("eos_token")
    fallback = directory / "special_tokens_map.json"
    if token is None and fallback.exists():
        token = read_json(fallback).get("eos_token")
    if isinstance(token, dict):
        token = token.get("content")
    if not isinstance(token, str):
        raise MinisftError(
            f"{directory / 'tokenizer_config.json'}: names no eos_token; add the token that ends a text, "
            f'as "eos_token": "{END_OF_TEXT}"'
        )
    return token


def require_chatml(template, path):
    """Refuse a chat template that `render` would not follow; it is read, never executed."""
    if not isinstance(template, str) or START not in template or END not in template:
        raise MinisftError(
            f"{path}: the chat template is not ChatML ({START}role … {END}); use a model whose template is"
        )
    for word in ("bos_token", "trim", "strip"):
        if word in template:
            raise MinisftError(
                f"{path}: the chat template uses {word}, which is not implemented; use a model with plain "
                "ChatML, or replace the template"
            )


def default_system(template):
    """The system text a template inserts into a conversation without one, or None."""
    found = DEFAULT_SYSTEM.search(template)
    if not found:
        return None
    if found[3] is not None:
        return found[3]
    return re.sub(r"\\(.)", lambda escape: {"n": "\n", "t": "\t"}.get(escape[1], escape[1]), found[2], flags=re.DOTALL)


def one_line(error):
    return " ".join(str(error).split())[:200]
