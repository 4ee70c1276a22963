"""Checks of the rows themselves: what cannot be read, what is left out, and what leaves nothing to learn."""

from minisft.errors import one_line, quoted
from minisft.lab.doctor.case import Case, answers, is_empty
from minisft.lab.doctor.findings import Found


def bad_row(case: Case) -> Found:
    bad = case.data.bad + case.tests.bad
    first = one_line(bad[0][1].removeprefix(f"{bad[0][0]}: "), 200) if bad else ""
    return Found([where for where, _ in bad], f"The first: {first}.")


def ignored_key(case: Case) -> Found:
    unread = case.data.unread
    names = ", ".join(f"{quoted(key)} ({len(places)} rows)" for key, places in sorted(unread.items()))
    return Found(list(dict.fromkeys(place for places in unread.values() for place in places)), f"Keys: {names}.")


def empty_answer(case: Case) -> Found:
    return Found([example.where for example, turns in case.turns if any(map(is_empty, turns))])


def no_target(case: Case) -> Found:
    """Rows in which nothing counts: all weights are 0, or there is only one token, which is given."""
    whole = [(e, s) for e, s in case.rows if len(s.ids) <= case.max_length]
    return Found([e.where for e, s in whole if not (answers(e) and s.is_y[1:].any())])


def too_long(case: Case) -> Found:
    where = [s.where for s in case.sequences if len(s.ids) > case.max_length]
    return Found(where, f"The limit is {case.max_length} tokens.")


def prompt_fills_context(case: Case) -> Found:
    cut = [(e, s) for e, s in case.rows if len(s.ids) > case.max_length]
    where = [e.where for e, s in cut if answers(e) and not s.is_y[1 : case.max_length].any()]
    return Found(where, f"The limit is {case.max_length} tokens.")
