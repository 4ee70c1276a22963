"""Checks of an answer beside its question: whose turn it is, whether the two belong together, how the answer ends.

None of them knows what is right. They know what most rows of these data do, and name those that do otherwise; what
over half of the rows do is taken as meant.
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from operator import itemgetter

from minisft.errors import quoted
from minisft.lab.doctor.case import Case, Turn, said
from minisft.lab.doctor.findings import Found
from minisft.lab.doctor.leftovers import left

FEW, MANY = 8, 50  # rows that show a pattern; rows that show what is usual
TIMES = 5  # as often among the questions as among the answers
NEAR, RARE = 3, 0.02  # times as often as two rows away; the fraction of the questions that a rare word is in

FIRST, WORD = re.compile(r"\w+"), re.compile(r"[^\W\d_]{3,}")
ASKS = re.compile(
    r"(?:what|how|why|who|when|where|which|write|describe|explain|generate|give|name|list|create|identify|find|suggest"
    r"|rewrite|summarize|translate|classify|compare|convert|edit|provide|tell|calculate|compose|design|construct) ",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"[.!?。！？][\s)\"”]")
OPEN = re.compile(r"[^\W\d_]{2}[.!?] +[A-Z][a-z]*(?: [^.!?\n:]*)?[ ,][^\W\d_]+,?$|。[^。！？：\n]*[\u4e00-\u9fff，]$")
OTHER = re.compile("[\u0400-\u04ff\u0590-\u06ff\u0900-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
LATIN = re.compile("[A-Za-zÀ-ɏ]")
LANGUAGE = re.compile(
    r"translat|language|chinese|mandarin|japanese|korean|russian|ukrainian|arabic|hebrew|hindi|thai|persian|farsi|urdu"
    r"|bengali|tamil|bulgarian|serbian|kanji|pinyin|hanzi|cyrillic|alphabet|script|haiku|traduc|traduis|übersetz",
    re.IGNORECASE,
)


def asked(case: Case) -> Iterable[tuple[str, Turn]]:
    """(where, turn) of all answers that somebody asked for."""
    return ((example.where, turn) for example, turns in case.turns for turn in turns if turn.x)


def unusual(where: list[str], of: int) -> Found:
    """What is found, unless it is what over half of the rows do."""
    where = list(dict.fromkeys(where))
    return Found(where if 2 * len(where) <= of else [])


def turn_order(case: Case) -> Found:
    """Two turns of the user in a row, or of the assistant, or a conversation that the assistant begins."""
    talks = [example for example in case.data.examples if isinstance(example.completion, list)]
    again, begun = list[str](), list[str]()
    for example in talks:
        roles = [role for role, _ in said(example) if role != "system"]
        calls = any(message.get("tool_calls") for message in example.prompt + example.completion)
        if not calls and any(one == other != "tool" for one, other in pairwise(roles)):
            again.append(example.where)
        elif roles[:1] == ["assistant"] and "user" in roles:
            begun.append(example.where)
    again, begun = unusual(again, len(talks)).where, unusual(begun, len(talks)).where
    return Found(again + begun, f"{len(again)} have one role twice, in {len(begun)} the assistant begins.")


def echo(case: Case) -> Found:
    """Answers that are their question, or begin with it."""
    alone = ((where, turn.texts[0].strip(), turn.text.strip()) for where, turn in asked(case) if turn.alone)
    return Found([where for where, x, y in alone if len(x) >= 20 and y.startswith(x)])


def off_by_one(case: Case) -> Found:
    """Answers that share no rare word with their question, and do with the question of the row before, or after.

    If that is chance, the question two rows away has as many.
    """
    single = [(e.where, turns[0]) for e, turns in case.turns if len(turns) == 1 and turns[0].x and turns[0].alone]
    words = [set(WORD.findall(turn.texts[0].lower())) for _, turn in single]
    often = Counter(word for some in words for word in some)
    most = max(4, RARE * len(words))
    questions = [{word for word in some if often[word] <= most} for some in words]
    answers = [WORD.findall(turn.text.lower()) for _, turn in single]
    lost = [i for i in range(len(single)) if questions[i] and questions[i].isdisjoint(answers[i])]

    def nearer(step: int) -> list[int]:
        return [i for i in lost if 0 <= i + step < len(single) and not questions[i + step].isdisjoint(answers[i])]

    for step, side in ((1, "after"), (-1, "before")):
        found = nearer(step)
        if len(found) >= FEW and len(found) > NEAR * len(nearer(2 * step)):
            return Found([single[i][0] for i in found], f"They answer the question of the row {side} them.")
    return Found([])


def swapped(case: Case) -> Found:
    """Answers that begin as questions of these data do, to questions that begin as answers do; or all of them."""
    rows = [(where, turn.texts[0], turn.text) for where, turn in asked(case) if turn.alone]
    if len(rows) < MANY:
        return Found([])
    begins = [[(FIRST.search(text.lower()) or " ")[0] for text in texts] for _, *texts in rows]
    of_x, of_y = Counter(x for x, _ in begins), Counter(y for _, y in begins)
    where = [
        place
        for (place, *_), (x, y) in zip(rows, begins)
        if of_x[y] >= TIMES * of_y[y] and of_y[x] >= TIMES * of_x[x] and min(of_x[y], of_y[x]) >= TIMES
    ]
    framed = 2 * of_x.most_common(1)[0][1] > len(rows)  # one wording of a task, whose answers may be anything
    asking = [sum(bool(ASKS.match(row[i])) for row in rows) for i in (1, 2)]
    if (
        not framed
        and 2 * asking[1] > len(rows)
        and 10 * asking[0] < len(rows)
        and sum("question" in x for _, x, _ in rows) < asking[1]
    ):
        where = [place for place, *_ in rows]
    return Found(where)


def other_script(case: Case) -> Found:
    """Answers in another script than all that precedes them, where no language is named."""
    where, of = [], 0
    for place, turn in asked(case):
        of += 1
        if turn.text.isascii() or len(other := OTHER.findall(turn.text)) < 10:
            continue
        before = " ".join(turn.texts)
        latin = len(LATIN.findall(turn.text))
        if len(other) > latin and LATIN.search(before) and not (OTHER.search(before) or LANGUAGE.search(before)):
            where.append(place)
    return unusual(where, of)


def cut_off(case: Case) -> Found:
    """Answers that end in the middle of a sentence, in a loop, or all at one length: the limit of who wrote them."""
    answers = [(place, turn.text.rstrip()) for place, turn in asked(case)]
    longest = max((len(y) for _, y in answers), default=0)
    full = len({y for _, y in answers if len(y) >= longest - 2})
    limit = longest - 2 if longest >= 100 and full >= FEW and 20 * full >= len(answers) else longest + 1
    where, first = list[str](), ""
    for place, y in answers:
        open_end = (
            len(y) >= 100 and (y[-1].isalpha() or y[-1] == ",") and "```" not in y and (len(y) >= limit or ends_open(y))
        )
        if open_end or loop(y):
            where.append(place)
            first = first or f"The first ends with {quoted(y[-40:])}."
    return Found(where if len(where) >= 3 else [], first)


def ends_open(y: str) -> bool:
    """Whether its last line, a long one, has a whole sentence, and then words without an end."""
    last = y[y.rfind("\n") + 1 :]
    return len(last) >= 80 and bool(OPEN.search(last))


def loop(y: str) -> bool:
    """Whether a text ends with the same words at least 8 times, and 60 characters of them."""
    if len(y) <= 60:
        return False
    length = len(y) - 8 - y.rfind(y[-8:], 0, len(y) - 1)
    unit, times = y[-length:], max(8, -(-60 // length))
    return length <= 100 and len(set(unit)) > 3 and y.endswith(unit * times)


def same_beginning(case: Case) -> Found:
    """Answers that begin with the same whole sentence, in over half of all rows, and then go on."""
    answers = [(where, turn.text) for where, turn in asked(case)]
    beginning, count = (Counter(y[:40] for _, y in answers).most_common(1) or [("", 0)])[0]
    same = [(where, y) for where, y in answers if y.startswith(beginning)]
    if count < FEW or 2 * count <= len(answers) or len({y for _, y in same}) < count / 2:
        return Found([])
    low, high = min(same, key=itemgetter(1))[1], max(same, key=itemgetter(1))[1]
    end = next((i for i, (one, other) in enumerate(zip(low, high)) if one != other), len(low))
    shared = low[:end]
    return Found([where for where, _ in same] if SENTENCE.search(shared) else [], f"They begin with {quoted(shared)}.")


def no_separator(case: Case) -> Found:
    """Plain texts in which nothing stands between x and y, in over half of the rows: “Peru?Lima”."""
    plain = [e for e in case.data.examples if isinstance(e.completion, str) and e.prompt and e.completion]
    joined = [e for e in plain if re.match(r"[\w.?!][A-Za-z0-9]", e.prompt[-1:] + e.completion[:1], re.ASCII)]
    return Found([e.where for e in joined] if 2 * len(joined) > len(plain) else [])


def trailing_space(case: Case) -> Found:
    """Answers that end with white space, if most do not."""
    answers = [(where, turn.text) for where, turn in asked(case) if turn.text.strip()]
    return unusual([where for where, y in answers if y[-1].isspace()], len(answers))


def label_spelling(case: Case) -> Found:
    """Labels in a spelling that is rarer than another of the same label: “positive” and “Positive.”."""
    answers = [(where, turn.text.strip()) for where, turn in asked(case) if len(turn.text) <= 40]
    spellings = dict[str, Counter[str]]()
    for _, y in answers:
        spellings.setdefault(" ".join(FIRST.findall(y.lower())), Counter())[y] += 1
    of = len(case.data.examples)
    labels = {name: counts for name, counts in spellings.items() if name and 20 * counts.total() >= of >= MANY}
    usual = {name: counts.most_common(1)[0][0] for name, counts in labels.items() if len(counts) > 1}
    rare = [(where, y) for where, y in answers if usual.get(" ".join(FIRST.findall(y.lower())), y) != y]
    told = f"The first is {quoted(rare[0][1])}." if rare else ""
    return Found([where for where, _ in rare], told)


def leftover(case: Case) -> Found:
    where, first = list[str](), ""
    for place, turn in asked(case):
        if found := left(" ".join(turn.texts), turn.text):
            where.append(place)
            first = first or f"The first has {quoted(found)}."
    return Found(where, first)
