"""Answers to notebook 03."""

from itertools import accumulate, pairwise

import numpy as np

from course.solutions import solution

SOLVED = {
    name: solution("03_concatenated_sequences", name)[name] for name in ("build", "step_weights", "layout", "passes")
}


def tokens(messages, encode, start, end, newline="\n", header="\n", last=True):
    """[(token, who, what)] of a conversation."""
    found = []
    for message in messages:
        role = message["role"]
        found += [(t, role, "header") for t in (start, *encode(role + header))]
        found += [(t, role, "content") for t in encode(message["content"])] + [(end, role, "end")]
        found += [(t, role, "newline") for t in encode(newline)]
    return found if last else found[:-1]


def built(counts=lambda who, what: who == "assistant" and what in ("content", "end"), made=np.array, **ways):
    def build(messages, encode, start, end):
        ids, who, what = zip(*tokens(messages, encode, start, end, **ways))
        mask = [1.0 if counts(a, b) else 0.0 for a, b in zip(who, what)]
        return made(ids[:-1]), made(ids[1:]), made(mask[1:])

    return build


def changed(name, change):
    return lambda *arguments: (
        change(*SOLVED[name](*arguments)) if name in ("build", "layout") else change(SOLVED[name](*arguments))
    )


def weighed(total):
    return lambda parts: [m / total(parts, m) for m in parts]


def in_place(parts):
    total = sum(m.sum() for m in parts)
    for m in parts:
        m /= total or 1
    return parts


def one_by_one(parts):
    total = 0.0
    for m in parts:
        for value in m:
            total += value
    return [np.array([value / total if total else 0.0 for value in m]) for m in parts]


def laid(lengths, allowed):
    starts = np.cumsum([0, *lengths])
    seq = np.repeat(np.arange(len(lengths)), lengths)
    row = np.arange(starts[-1])
    return starts, row - starts[:-1][seq], allowed(seq, row)


def by_blocks(lengths):
    starts = [0, *accumulate(lengths)]
    allowed = np.zeros((starts[-1],) * 2, bool)
    for a, b in pairwise(starts):
        allowed[a:b, a:b] = np.tril(np.ones((b - a, b - a)))
    return starts, [i for n in lengths for i in range(n)], allowed.tolist()


def squares(allowed):
    return lambda lengths: laid(lengths, allowed)


def runs(mask):
    edge = np.flatnonzero(np.diff(np.r_[0, np.asarray(mask, int), 0]))
    return list(zip(edge[::2], edge[1::2]))


def passing(cut=lambda ids, a, b: ids[:b], marked=lambda mask, a, b: np.arange(b) >= a, which=lambda r: r):
    return lambda ids, mask: [(cut(ids, a, b), marked(mask, a, b)) for a, b in which(runs(mask))]


def generated(ids, mask):
    for a, b in runs(mask):
        yield ids[:b], np.arange(b) >= a


RIGHT = {
    "build": {"tokens": built(), "lists": built(made=list), "tuples": built(made=tuple),
              "a list of three": lambda *a: list(built()(*a)), "the solution": SOLVED["build"],
              "booleans": lambda *a: (lambda i, t, w: (i, t, w.astype(bool)))(*built()(*a))},
    "step_weights": {
        "the solution": SOLVED["step_weights"], "one by one": one_by_one,
        "joined and split": lambda parts: np.split(np.concatenate(parts) / (np.concatenate(parts).sum() or 1), np.cumsum([len(m) for m in parts])[:-1]),
        "a tuple": lambda parts: tuple(SOLVED["step_weights"](parts)),
        "a generator": lambda parts: (w for w in SOLVED["step_weights"](parts)),
        "map": lambda parts: (m / (sum(map(np.sum, parts)) or 1) for m in parts),
    },
    "layout": {"the solution": SOLVED["layout"], "blocks, as lists": by_blocks,
               "compared": squares(lambda s, r: (s[:, None] == s) & (r[:, None] >= r)),
               "tril": squares(lambda s, r: np.tril(s[:, None] == s)),
               "numbers for truth": squares(lambda s, r: np.tril(np.equal.outer(s, s)).astype(float)),
               "a list of three": lambda lengths: list(SOLVED["layout"](lengths))},
    "passes": {"the solution": SOLVED["passes"], "by edges": passing(), "a generator": generated,
               "lists": lambda ids, mask: [(list(a), list(b)) for a, b in passing()(ids, mask)],
               "a tuple of lists": lambda ids, mask: tuple([a, b] for a, b in passing()(ids, mask)),
               "with what follows": lambda ids, mask: [(ids, (np.arange(len(ids)) >= a) & (np.arange(len(ids)) < b)) for a, b in runs(mask)],
               "masks of numbers": lambda ids, mask: [(a, b.astype(int)) for a, b in passing()(ids, mask)]},
}  # fmt: skip
WRONG = {
    "build": {
        "everybody speaks": built(lambda who, what: what in ("content", "end")),
        "everything": built(lambda who, what: True),
        "only the user": built(lambda who, what: who == "user" and what in ("content", "end")),
        "without the end": built(lambda who, what: who == "assistant" and what == "content"),
        "with the line break": built(lambda who, what: who == "assistant" and what != "header"),
        "with the header": built(lambda who, what: who == "assistant" and what != "newline"),
        "the end alone": built(lambda who, what: who == "assistant" and what == "end"),
        "ends of all": built(lambda who, what: (who == "assistant" and what == "content") or what == "end"),
        "all but the user": built(lambda who, what: who != "user" and what in ("content", "end")),
        "no line breaks": built(newline=""),
        "no last line break": built(last=False),
        "a space after the role": built(header=" "),
        "not shifted": lambda *a: (lambda i, t, w: (i, i, w))(*built()(*a)),
        "weights of the inputs": lambda *a: (lambda i, t, w: (i, t, np.r_[0.0, w[:-1]]))(*built()(*a)),
        "targets shifted twice": lambda *a: (lambda i, t, w: (i[:-1], t[1:], w[:-1]))(*built()(*a)),
        "weights turned over": lambda *a: (lambda i, t, w: (i, t, 1 - w))(*built()(*a)),
        "weights made to sum to 1": lambda *a: (lambda i, t, w: (i, t, w / w.sum()))(*built()(*a)),
        "targets first": lambda *a: (lambda i, t, w: (t, i, w))(*built()(*a)),
        "the first message is left out": lambda m, *a: built()(m[1:], *a),
        "the last turn alone": lambda m, *a: (lambda i, t, w: (i, t, w * (np.arange(len(w)) >= runs(w)[-1][0])))(*built()(m, *a)),
        "the first turn alone": lambda m, *a: (lambda i, t, w: (i, t, w * (np.arange(len(w)) < runs(w)[0][1])))(*built()(m, *a)),
        "two arrays": lambda *a: built()(*a)[:2],
    },
    "step_weights": {
        "each its own": weighed(lambda parts, m: m.sum() or 1),
        "not divided": lambda parts: [m.copy() for m in parts],
        "by the rows": weighed(lambda parts, m: sum(map(len, parts))),
        "by its own rows": weighed(lambda parts, m: len(m)),
        "a mean of means": weighed(lambda parts, m: (m.sum() or 1) * len(parts)),
        "by the parts": weighed(lambda parts, m: len(parts)),
        "at least 1": weighed(lambda parts, m: max(sum(p.sum() for p in parts), 1)),
        "NaN where nothing is": weighed(lambda parts, m: sum(p.sum() for p in parts)),
        "counts instead of sums": weighed(lambda parts, m: sum(np.count_nonzero(p) for p in parts) or 1),
        "a little added": weighed(lambda parts, m: sum(p.sum() for p in parts) + 1e-8),
        "rounded up": weighed(lambda parts, m: np.ceil(sum(p.sum() for p in parts)) or 1),
        "in place": in_place,
        "by the largest": weighed(lambda parts, m: max((p.max(initial=0) for p in parts), default=1) or 1),
        "the last part is left out": weighed(lambda parts, m: sum(p.sum() for p in parts[:-1]) or 1),
        "truth values": lambda parts: [(m > 0) / (sum((p > 0).sum() for p in parts) or 1) for m in parts],
        "one array": lambda parts: np.concatenate(SOLVED["step_weights"](parts)),
        "float32": lambda parts: [w.astype(np.float32) for w in SOLVED["step_weights"](parts)],
        "one list too few": lambda parts: SOLVED["step_weights"](parts)[:-1],
        "squares": weighed(lambda parts, m: sum((p**2).sum() for p in parts) or 1),
    },
    "layout": {
        "no sequences": squares(lambda s, r: r[:, None] >= r),
        "not causal": squares(lambda s, r: s[:, None] == s),
        "not itself": squares(lambda s, r: (s[:, None] == s) & (r[:, None] > r)),
        "the future": squares(lambda s, r: (s[:, None] == s) & (r[:, None] <= r)),
        "earlier sequences too": squares(lambda s, r: (s[:, None] >= s) & (r[:, None] >= r)),
        "forbidden for allowed": squares(lambda s, r: ~((s[:, None] == s) & (r[:, None] >= r))),
        "itself alone": squares(lambda s, r: r[:, None] == r),
        "one too many": squares(lambda s, r: (s[:, None] == s) & (r[:, None] + 1 >= r)),
        "0 and −∞": squares(lambda s, r: np.where((s[:, None] == s) & (r[:, None] >= r), 0, -np.inf)),
        "positions go on": lambda n: (SOLVED["layout"](n)[0], np.arange(sum(n)), SOLVED["layout"](n)[2]),
        "positions from 1": lambda n: (lambda s, p, a: (s, p + 1, a))(*SOLVED["layout"](n)),
        "positions backwards": lambda n: (SOLVED["layout"](n)[0], np.concatenate([np.arange(k)[::-1] for k in n]), SOLVED["layout"](n)[2]),
        "numbers of the sequences": lambda n: (SOLVED["layout"](n)[0], np.repeat(np.arange(len(n)), n), SOLVED["layout"](n)[2]),
        "starts without N": lambda n: (lambda s, p, a: (s[:-1], p, a))(*SOLVED["layout"](n)),
        "starts without 0": lambda n: (lambda s, p, a: (s[1:], p, a))(*SOLVED["layout"](n)),
        "lengths for starts": lambda n: (np.array(n), *SOLVED["layout"](n)[1:]),
        "two things": lambda n: SOLVED["layout"](n)[:2],
        "another order": lambda n: SOLVED["layout"](n)[::-1],
    },
    "passes": {
        "one pass for all": lambda ids, mask: [(ids, mask)],
        "all answers in each": passing(marked=lambda mask, a, b: mask[:b]),
        "the answer alone": passing(cut=lambda ids, a, b: ids[a:b], marked=lambda mask, a, b: np.ones(b - a, bool)),
        "without the end token": passing(cut=lambda ids, a, b: ids[: b - 1], marked=lambda mask, a, b: np.arange(b - 1) >= a),
        "the end token is no target": passing(marked=lambda mask, a, b: (np.arange(b) >= a) & (np.arange(b) < b - 1)),
        "one row early": passing(marked=lambda mask, a, b: np.arange(b) >= a - 1),
        "the first token is no target": passing(marked=lambda mask, a, b: np.arange(b) > a),
        "the last answer only": passing(which=lambda r: r[-1:]),
        "the first answer only": passing(which=lambda r: r[:1]),
        "everything is a target": passing(marked=lambda mask, a, b: np.ones(b, bool)),
        "nothing is a target": passing(marked=lambda mask, a, b: np.zeros(b, bool)),
        "only from the last answer on": lambda ids, mask: [(ids[p:b], np.arange(p, b) >= a) for (a, b), p in zip(runs(mask), [0, *(b for _, b in runs(mask))])],
        "a mask of another length": passing(marked=lambda mask, a, b: np.ones(b - a, bool)),
        "mask first": lambda ids, mask: [(m, i) for i, m in passing()(ids, mask)],
        "one answer twice": passing(which=lambda r: [*r, r[0]]),
        "earlier answers left out": lambda ids, mask: [(ids[:b][~mask[:b] | (np.arange(b) >= a)], (np.arange(b) >= a)[~mask[:b] | (np.arange(b) >= a)]) for a, b in runs(mask)],
    },
}  # fmt: skip
