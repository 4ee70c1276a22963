"""Checks of what the texts spell: tokens as letters, other people's turns, characters that are not what they seem."""

import re
from collections.abc import Callable
from unicodedata import is_normalized, normalize

from minisft.errors import quoted
from minisft.lab.doctor.case import Case, answers, said
from minisft.lab.doctor.findings import Found
from minisft.lab.doctor.mojibake import is_mojibake

# What ends a text or a turn, and what else chat templates write, in the families that people use.
ENDS = (
    "<|endoftext|> <|im_end|> <|eot_id|> <|end_of_text|> <|eot|> <|end|> <end_of_turn> <eos> </s> <｜end▁of▁sentence｜>"
)
MARKUP = re.compile(
    r"<\|[a-z_]{2,30}\|>|<｜[^<>]{2,30}｜>|</?s>(?=\s*\[/?INST)|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
    r"|^### (?:Instruction|Response|Input):",
    re.MULTILINE,
)
ROLES = re.compile(
    r"(?:^|\n|[.!?。！？]\s{0,3})[*_#\s]{0,4}(?:user|human|assistant|system|bot|chatbot|usuario|utilisateur|nutzer|benutzer"
    r"|usuário|utente|пользователь|ассистент|用户|助手|ユーザー|アシスタント|사용자)[*_]{0,2} ?[:：]",
    re.IGNORECASE,
)

# Control characters other than the white space that texts have; a blank of no width where the script needs none.
INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f]|(?:^|[\x00-\x7f])[\u200b\u2060]|[\u200b\u2060](?:[\x00-\x7f]|$)")


def rows_with(case: Case, wrong: Callable[[str], object], only_answers: bool = False) -> Found:
    """The rows that have a text of which something is wrong; `wrong` gives what, or nothing."""
    where, first = list[str](), ""
    for example in case.data.examples:
        texts = list(said(example))
        chosen = answers(example) if only_answers else range(len(texts))
        found = next((what for i in chosen if (what := wrong(texts[i][1]))), None)
        if found:
            where.append(example.where)
            first = first or f"The first has {quoted(found)}."
    return Found(where, first)


def special_text(case: Case) -> Found:
    """A special token of the vocabulary, or chat markup, as letters."""
    own = case.tokenizer.special.anywhere

    def spelled(text: str) -> str:
        if found := MARKUP.search(text):
            return found[0]
        place = own.search(text)
        return text[place.start() : place.start() + 20] if place else ""

    return rows_with(case, spelled)


def end_in_text(case: Case) -> Found:
    """A token that ends a text or a turn, of this model or of another family, as letters."""
    tokenizer = case.tokenizer
    own = [text for text, i in tokenizer.special_tokens.items() if i in tokenizer.stop_ids]
    names = re.compile("|".join(map(re.escape, dict.fromkeys([*own, *ENDS.split()]))))

    def spelled(text: str) -> str:
        found = next((f[0] for f in names.finditer(text) if f[0] != "</s>" or "<s>" not in text[: f.start()]), "")
        return found  # <s> … </s> strikes out a text in HTML

    return rows_with(case, spelled)


def leading_space(case: Case) -> Found:
    """Answers that begin with white space. In plain text the blank of “is| Lima” is right, unless x ends with one."""
    where = []
    for example in case.data.examples:
        texts = list(said(example))
        plain = isinstance(example.completion, str)
        before = [not plain or texts[0][1] == "" or texts[0][1][-1:].isspace() for _ in answers(example)]
        if any(one and texts[i][1][:1].isspace() for i, one in zip(answers(example), before)):
            where.append(example.where)
    return Found(where)


def unicode(case: Case) -> Found:
    normalizer = case.tokenizer.backend.normalizer

    def wrong(text: str) -> str:
        if not text.isprintable() and (found := INVISIBLE.search(text)):
            return f"{found[0]!a}, which nobody sees"
        if text.isascii():
            return ""
        if "\ufffd" in text:
            return "\ufffd, a character that was lost"
        if "\ufeff" in text:
            return "\ufeff, a byte order mark inside a text"
        if is_mojibake(text):
            return next((word for word in text.split() if is_mojibake(word)), text[:40])
        if not is_normalized("NFC", text) and len(normalize("NFC", text)) < len(text):
            read = normalizer.normalize_str if normalizer else str
            if read(text) != read(normalize("NFC", text)):  # or the tokenizer composes it
                return decomposed(text)
        return ""

    return rows_with(case, wrong)


def decomposed(text: str) -> str:
    """The first word of a text that has a letter and its accent apart."""
    word = next((word for word in text.split() if len(normalize("NFC", word)) < len(word)), text)
    return f"{word[:40]}, letters and their accents apart"


def role_text(case: Case) -> Found:
    """The name of a role and a colon, as a turn begins, inside an answer."""

    def spelled(text: str) -> str:
        found = ROLES.search(text)
        return found[0].strip() if found else ""

    return rows_with(case, spelled, only_answers=True)
