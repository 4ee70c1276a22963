"""Checks of the model's files: its chat template, its end tokens, and BOS. They need no row, and no θ̂.

Programs differ in which of these files they read; a model is well if it does not matter.
"""

from collections.abc import Iterator

from minisft.errors import MinisftError, quoted
from minisft.lab.doctor.case import Case
from minisft.lab.doctor.findings import Found
from minisft.lab.generation import Spans

USER, ANSWER = {"role": "user", "content": "What is this?"}, {"role": "assistant", "content": "A test."}
SYSTEM = {"role": "system", "content": "Be brief."}
PROBES = ([USER, ANSWER], [USER, ANSWER, USER, ANSWER], [SYSTEM, USER, ANSWER])
ROWS = 200  # conversations of the data that are asked as well


def no_template(case: Case) -> Found:
    template = case.tokenizer.template
    own = case.model.path.is_dir() and not (
        (case.model.path / "chat_template.jinja").exists()
        or case.model.files("tokenizer_config.json").get("chat_template")
    )
    return Found([str(case.model.path)] if case.talks and (own or not template) else [])


def two_templates(case: Case) -> Found:
    """The template of chat_template.jinja and that of tokenizer_config.json, if they are not the same."""
    file, other = (
        case.model.path / "chat_template.jinja",
        case.model.files("tokenizer_config.json").get("chat_template"),
    )
    if isinstance(other, list):
        other = next((e.get("template") for e in other if isinstance(e, dict) and e.get("name") == "default"), None)
    if other is None or not file.exists() or file.read_text(encoding="utf-8") == other:
        return Found([])
    return Found([str(file), str(case.model.path / "tokenizer_config.json")])


def end_not_trained(case: Case) -> Found:
    """No token ends an answer; or {% generation %}, by which other trainers find y, leaves it out."""
    if not case.talks or no_template(case).where:
        return Found([])
    chat, place = case.tokenizer.chat, [str(case.tokenizer.chat.path)]
    if not chat.ends:
        try:
            chat.write(PROBES[0])
        except MinisftError:
            return Found([])  # it cannot be rendered at all: every row is a bad one
        return Found(place, "The template writes no special token after an answer.")
    spans = Spans(chat)
    if spans.has_blocks:
        text, found = spans.spans([USER, ANSWER, USER])
        begin = text.rfind(ANSWER["content"])
        at = text.find(chat.ends[0], begin)
        if begin >= 0 and at >= 0 and found and not any(first <= at < last for first, last in found):
            return Found(place, f"{quoted(chat.ends[0])} stands outside of {{% generation %}}.")
    return Found([])


def end_not_stopping(case: Case) -> Found:
    """The end token of what is trained is not among those at which generation stops, by the files of the model."""
    if not case.model.path.is_dir() or not (case.model.path / "config.json").exists():
        return Found([])
    tokenizer = case.tokenizer
    source = "generation_config.json" if case.model.files("generation_config.json") else "config.json"
    obeyed = case.model.files(source).get("eos_token_id")
    obeyed = obeyed if isinstance(obeyed, list) else [obeyed]
    wanted = {} if not case.talks else {tokenizer.end_of_turn_id: "a turn"}
    if case.plain:
        wanted[tokenizer.eos_id] = "a text"
    missing = {i: what for i, what in wanted.items() if i is not None and i not in obeyed}
    named = ", ".join(f"{quoted(tokenizer.token_text(i))} ({i}), which ends {what}" for i, what in missing.items())
    return Found([str(case.model.path / source)] if missing else [], f"It does not list {named}.")


def pad_is_end(case: Case) -> Found:
    """The token that pads is the one that ends what is trained."""
    pad = case.tokenizer.config.get("pad_token")
    pad = pad.get("content") if isinstance(pad, dict) else pad
    trained = [case.tokenizer.end_of_turn_id] * case.talks + [case.tokenizer.eos_id] * case.plain
    is_end = isinstance(pad, str) and case.tokenizer.special_tokens.get(pad, -1) in trained
    return Found([str(case.model.path / "tokenizer_config.json")] if is_end else [], f"pad_token is {quoted(pad)}.")


def double_bos(case: Case) -> Found:
    """The template writes BOS, and the tokenizer puts one before every text, too; or the texts themselves begin so."""
    tokenizer, where, bos = case.tokenizer, list[str](), bos_of(case)
    if bos and case.talks:
        text = written(case)
        if text.startswith(bos + bos) or (tokenizer.prefix and text.startswith(bos)):
            where.append(str(tokenizer.chat.path))
    if bos and tokenizer.prefix:
        plain = [example for example in case.data.examples if isinstance(example.completion, str)]
        where += [e.where for e in plain if (e.prompt + e.completion).lstrip().startswith(bos)]
    return Found(where, f"BOS is {quoted(bos)}.")


def bos_of(case: Case) -> str:
    tokenizer = case.tokenizer
    return tokenizer.chat.names.get("bos_token") or next(map(tokenizer.token_text, tokenizer.prefix), "")


def no_bos(case: Case) -> Found:
    """The vocabulary has a BOS, but what is trained begins without it. A BOS that begins every turn begins no text."""
    tokenizer = case.tokenizer
    bos, text = tokenizer.chat.names.get("bos_token"), written(case)
    plain = case.plain and not tokenizer.prefix and not (bos and text.count(bos) > 1)
    missing = bos and (plain or (case.talks and text and not text.startswith(bos)))
    return Found([str(case.model.path / "tokenizer_config.json")] if missing else [], f"BOS is {quoted(bos)}.")


def written(case: Case) -> str:
    """The probe as the template writes it; nothing if it cannot."""
    try:
        return case.tokenizer.chat.write(PROBES[0])
    except MinisftError:
        return ""


def template_differs(case: Case) -> Found:
    """What precedes an answer in training is not what the model is asked with, in probes or in the rows themselves."""
    if not case.talks:
        return Found([])
    for probe in PROBES:
        for text, asked, silent, content in asked_and_trained(case, probe):
            if not text.startswith(asked):
                said = f"Asked with {quoted(asked[-60:])}, trained on {quoted(text[: len(asked)][-60:])}."
                return Found([str(case.tokenizer.chat.path)], said)
            if asked == silent and text[len(asked) :].lstrip()[: len(content)] != content:
                return Found(
                    [str(case.tokenizer.chat.path)], "The prompt for generation leaves the answer's header out."
                )
    return block_begins_late(case) or rows_asked_otherwise(case)


def block_begins_late(case: Case) -> Found | None:
    """{% generation %}, by which other trainers find y, begins behind the end of the prompt."""
    spans = Spans(case.tokenizer.chat)
    try:
        text, found = spans.spans(PROBES[0]) if spans.has_blocks else ("", [])
        asked = spans.spans([USER], None, True)[0] if found else ""
    except MinisftError:
        return None
    between = text[len(asked) : found[0][0]] if found else ""
    said = f"{quoted(between)} stands between the prompt for generation and {{% generation %}}, so it is never trained."
    return Found([str(case.tokenizer.chat.path)], said) if between else None


def asked_and_trained(case: Case, probe: list[dict]) -> Iterator[tuple[str, str, str, str]]:
    """For each answer: all of the text, the prompt for it, the same without asking, and the answer."""
    chat = case.tokenizer.chat
    try:
        for i in (i for i, message in enumerate(probe) if message is ANSWER):
            before = probe[:i]
            yield chat.write(probe), chat.write(before, None, True), chat.write(before), ANSWER["content"]
    except MinisftError:
        return  # it refuses such a conversation, as some refuse a system turn


def rows_asked_otherwise(case: Case) -> Found:
    """The same of the last answer of the first rows, in tokens."""
    tokenizer, where = case.tokenizer, []
    talks = [(e, s) for e, s in case.rows if isinstance(e.completion, list) and len(s.ids) <= case.max_length]
    for example, sequence in talks[:ROWS]:
        asked = tokenizer.prompt((example.prompt + example.completion)[:-1], example.tools)
        if sequence.ids[: len(asked)].tolist() != asked:
            where.append(example.where)
    return Found(where, f"Of the first {min(len(talks), ROWS)} conversations.")


def unused_rows(case: Case) -> Found:
    """Rows of the embedding that no token has."""
    more = case.model.vocab_size - case.tokenizer.vocab_size
    place = [str(case.model.path / "config.json" if case.model.path.is_dir() else case.model.path)]
    return Found(place if more > 0 else [], f"{more} of {case.model.vocab_size} rows.")
