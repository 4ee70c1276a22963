"""Answers to notebook 09."""

import itertools
import math
import re

import numpy as np

from course.solutions import solution

REPAIRED = solution("09_three_tutors", "repaired")
PARTS = ("pair_of", "term", "counted", "loss_of", "mean")
TUTOR = solution("09_three_tutors", "tutor")
example, J = TUTOR["example"], TUTOR["J"]


def repaired(**changed):
    return tuple(changed.get(name, REPAIRED[name]) for name in PARTS)


def pairs(starts):
    return len(starts) - 1


def weigh(on=lambda m: m, by=lambda m, starts: len(starts) - 1):
    return lambda is_y, starts: on(is_y) / by(is_y, starts)


def weights_loop(is_y, starts):
    w = [0.0] * len(is_y)
    for a, b in itertools.pairwise(starts):
        for i in range(a, b):
            w[i] = 1 / (len(starts) - 1) if is_y[i] else 0.0
    return w


def own_mean(is_y, starts):
    return np.concatenate([m / max(m.sum(), 1) for m in np.split(is_y * 1.0, starts[1:-1])]) / (len(starts) - 1)


def probability(of=lambda v, m: v[m[1:]], add=np.sum, made=np.exp, out=np.array):
    return lambda log_probs, masks: out([made(add(of(v, m))) for v, m in zip(log_probs, masks)])


def normed(log_probs, masks):
    p = probability()(log_probs, masks)
    return p / p.sum()


def story(y=lambda who, things, has, gives: None, x=lambda text, *a: text, changed=lambda text, *a: text):
    def told(who, things, has, gives):
        pair = example(who, things, has, gives)
        text = y(who, things, has, gives) or pair["completion"]
        return {
            "prompt": x(pair["prompt"], who, things, has, gives),
            "completion": changed(text, who, things, has, gives),
        }

    return told


def steps(has, gives):
    return " = ".join(f"{has - i} - {gives - i}" for i in range(gives))


RIGHT = {
    "weights": {"a quotient": weigh(), "a loop": weights_loop, "where": lambda m, s: np.where(m, 1 / pairs(s), 0), "a product": lambda m, s: m * (1 / pairs(s)), "filled": lambda m, s: np.full(len(m), 1 / pairs(s)) * m},
    "probabilities": {"sums": probability(), "a list": probability(out=list), "a product": probability(add=lambda v: np.exp(v).prod(), made=lambda p: p), "math.fsum": probability(add=math.fsum, made=math.exp), "multiplied by the mask": probability(of=lambda v, m: v * m[1:])},
    "repaired": {
        "the solution": repaired(), "f-texts": repaired(pair_of=lambda q, a: {"prompt": f"{q}", "completion": f"{a}"}), "loops": repaired(term=lambda v: math.fsum(v), mean=lambda s: math.fsum(t for one in s for t in one) / sum(map(len, s))),
        "astype": repaired(counted=lambda m: m.astype(float), loss_of=lambda t: np.mean(-t)), "where": repaired(counted=lambda m: np.where(m, 1.0, 0.0), loss_of=lambda t: -sum(t) / len(t)), "another order": repaired(mean=lambda s: sum(t.sum() for t in s) / sum(t.size for t in s)),
    },
    "tutor": {
        "the solution": (example, J), "a plain end": (story(lambda who, th, h, g: f"{steps(h, g)} = {h - g}"), J), "a full stop": (story(lambda who, th, h, g: f"{steps(h, g)} = {h - g}."), J), "a loop for J": (example, lambda x, y: float(sum(y))),
        "a dot product": (example, lambda x, y: y @ np.ones(len(y))), "a sentence": (story(lambda who, th, h, g: f"{steps(h, g)} = {h - g}. {who} has {h - g}."), J),
    },
}  # fmt: skip
WRONG = {
    "weights": {
        "a mean over tokens": weigh(by=lambda m, s: m.sum()), "over all rows": weigh(by=lambda m, s: len(m)), "a mean of means": own_mean, "a sum": weigh(by=lambda m, s: 1), "x": weigh(lambda m: ~m), "all": weigh(lambda m: m | True), "S + 1": weigh(by=lambda m, s: len(s)), "one pair less": weigh(by=lambda m, s: max(len(s) - 2, 1) + 0.5),
        "the sign": weigh(lambda m: -1.0 * m), "truth": lambda m, s: m, "the last of y alone": lambda m, s: (m & ~np.r_[m[1:], False]) / pairs(s), "by each length": lambda m, s: m / np.repeat(np.diff(s), np.diff(s)) / pairs(s), "a number a pair": lambda m, s: np.add.reduceat(m * 1.0, s[:-1]) / pairs(s), "twice": weigh(by=lambda m, s: pairs(s) / 2), "float32": lambda m, s: (m / pairs(s)).astype(np.float32), "normed": lambda m, s: m / pairs(s) / (m / pairs(s)).sum(), "1/S²": weigh(by=lambda m, s: pairs(s) ** 2),
    },
    "probabilities": {
        "not shifted": probability(lambda v, m: v[m[:-1]]), "x too": probability(lambda v, m: v), "x alone": probability(lambda v, m: v[~m[1:]]), "without the end": probability(lambda v, m: v[m[1:]][:-1]), "from y on": probability(lambda v, m: v[np.argmax(m) - 1 :]), "a mean": probability(add=np.mean), "log Pr": probability(made=lambda v: v), "a sum of Pr": probability(add=lambda v: np.exp(v).sum(), made=lambda p: p), "normed": normed,
        "softmax of the means": lambda v, m: np.exp(p := probability(add=np.mean, made=lambda a: a)(v, m)) / np.exp(p).sum(), "the first token": probability(lambda v, m: v[m[1:]][:1]), "the last token": probability(lambda v, m: v[m[1:]][-1:]), "the rarest token": probability(add=np.min), "the sign": probability(made=lambda v: np.exp(-v)), "bits": probability(made=lambda v: 2.0**v), "one number": lambda v, m: probability()(v, m).sum(), "the greatest": lambda v, m: np.eye(len(v))[probability()(v, m).argmax()], "float32": probability(out=lambda p: np.array(p, np.float32)),
    },
    "repaired": {
        "y and x": repaired(pair_of=lambda q, a: {"prompt": a, "completion": q}), "texts": repaired(pair_of=lambda q, a: q + a), "a tuple": repaired(pair_of=lambda q, a: (q, a)), "other keys": repaired(pair_of=lambda q, a: {"x": q, "y": a}), "x in y": repaired(pair_of=lambda q, a: {"prompt": q, "completion": q + a}), "stripped": repaired(pair_of=lambda q, a: {"prompt": q.strip(), "completion": a.strip()}),
        "Pr": repaired(term=lambda v: np.exp(v.sum())), "a mean": repaired(term=lambda v: v.mean()), "a sum of Pr": repaired(term=lambda v: np.exp(v).sum()), "the last token": repaired(term=lambda v: v[-1]), "−": repaired(term=lambda v: -v.sum()), "x counts": repaired(counted=lambda m: 1.0 * ~m), "all count": repaired(counted=lambda m: np.ones(len(m))), "none": repaired(counted=lambda m: 0.0 * m),
        "up": repaired(loss_of=lambda t: t.mean()), "a sum of terms": repaired(loss_of=lambda t: -t.sum()), "absolute": repaired(loss_of=lambda t: np.abs(t).mean() + 1), "a mean of means": repaired(mean=lambda s: np.mean([t.mean() for t in s])), "a sum of means": repaired(mean=lambda s: sum(t.mean() for t in s)), "the first slice": repaired(mean=lambda s: s[0].mean()), "a median": repaired(mean=lambda s: np.median(np.concatenate(s))),
        "term and loss negate": repaired(term=lambda v: -v.sum(), loss_of=lambda t: t.mean()),
    },
    "tutor": {
        "the result alone": (story(lambda who, th, h, g: f"{h - g}"), J), "no steps": (story(lambda who, th, h, g: f"{h} - {g} = {h - g}"), J), "wrong result": (story(lambda who, th, h, g: f"{steps(h, g)} = {h - g + 1}"), J), "a sum": (story(lambda who, th, h, g: " = ".join(f"{h + i} - {g + i}" for i in range(g)) + f" = {h + g}"), J), "steps that are wrong": (story(lambda who, th, h, g: " = ".join(f"{h - 2 * i} - {g - i}" for i in range(g)) + f" = {h - g}"), J),
        "the result comes first": (story(lambda who, th, h, g: f"{h - g} = {steps(h, g)}"), J), "the question in y": (story(changed=lambda t, who, th, h, g: f"How many {th}? {t}"), J), "other numbers": (lambda who, th, h, g: example(who, th, h + 1, g), J), "the same numbers always": (lambda who, th, h, g: example(who, th, 7, 3), J), "somebody else": (lambda who, th, h, g: example("Ann", th, h, g), J), "things forgotten": (lambda who, th, h, g: example(who, "apples", h, g), J),
        "no line break": (story(x=lambda t, *a: t.strip()), J), "the answer in x": (story(x=lambda t, who, th, h, g: t + f"{h - g}"), J), "x is empty": (story(x=lambda t, *a: ""), J), "another number last": (story(changed=lambda t, who, th, h, g: t + f" Check: {h}"), J), "words": (story(lambda who, th, h, g: re.sub(r"\d+$", "some", steps(h, g)) + " = some"), J),
        "x and y": (example, lambda x, y: x.sum() + y.sum()), "x": (example, lambda x, y: x.sum()), "a mean": (example, lambda x, y: y.mean()), "the sign": (example, lambda x, y: -y.sum()), "Pr": (example, lambda x, y: np.exp(y.sum())), "the last token": (example, lambda x, y: y[-1]), "a tenth of x": (example, lambda x, y: y.sum() + 0.1 * x.sum()), "a text": (lambda *a: "".join(example(*a).values()), J),
        "another's story": (story(lambda who, th, h, g: f"{steps(h, g)} = {h - g}, so {'Ben' if who != 'Ben' else 'Clara'} has {h - g}."), J), "other things": (story(lambda who, th, h, g: f"{steps(h, g)} = {h - g} {'eggs' if th != 'eggs' else 'pens'}"), J),
        "the same name each time": (story(lambda who, th, h, g: f"{steps(h, g)} = {h - g}, so Emma has {h - g}."), J), "a number from nowhere": (story(lambda who, th, h, g: f"{steps(h, g)} = {h - g}. After {h + 77} days {who} has {h - g}."), J), "no step, twice": (story(lambda who, th, h, g: f"{h} - {g} = {h} - {g} = {h - g}"), J),
        "a story that fits by chance": (story(lambda who, th, h, g: f"{steps(h, g)} = {h - g}, since {h} + {g} = {h - g}."), J),
    },
}  # fmt: skip
