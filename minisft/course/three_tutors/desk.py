"""A help desk: enquiries with all their answers, how often each was given, and what a model makes of them."""

import numpy as np

from minisft import data, evaluate


def counts(examples) -> dict[str, dict[str, int]]:
    """{enquiry: {answer: how often}}."""
    found: dict[str, dict[str, int]] = {}
    for example in examples:
        enquiry, answer = (message["content"] for message in example.completion)
        found.setdefault(enquiry, {}).setdefault(answer, 0)
        found[enquiry][answer] += 1
    return found


def topics(examples, number: int) -> list[frozenset]:
    """The first so many topics: enquiries with the same answers are about the same thing."""
    return list(dict.fromkeys(frozenset(answers) for answers in counts(examples).values()))[:number]


def about(examples, chosen: list[frozenset]) -> list:
    """The examples whose answer belongs to one of the topics."""
    return [e for e in examples if any(e.completion[1]["content"] in topic for topic in chosen)]


class Desk:
    """Enquiries with all their answers, and the frequency p̂ of each answer."""

    def __init__(self, examples, config, tokenizer):
        table = counts(examples)
        pairs = [(x, y, n / sum(ys.values())) for x, ys in table.items() for y, n in ys.items()]
        turns = [[{"role": "user", "content": x}, {"role": "assistant", "content": y}] for x, y, _ in pairs]
        self.config = config
        self.sequences = [data.encode(data.Example([], turn, ""), tokenizer) for turn in turns]
        self.enquiry = np.repeat(np.arange(len(table)), [len(ys) for ys in table.values()])
        self.texts = [y for _, y, _ in pairs]
        self.frequency = np.array([frequency for *_, frequency in pairs])
        self.entropy = -(self.frequency * np.log(self.frequency)).sum() / len(table)

    def pr(self, theta) -> np.ndarray:
        """Pr(y | x) of each answer to its enquiry."""
        scored = evaluate.log_probs(theta, self.config, self.sequences)
        return np.exp([v[s.is_y[1:]].sum(dtype=float) for s, (v, _) in zip(self.sequences, scored)])

    def cross_entropy(self, pr) -> tuple[float, float, float]:
        """(all of it, what is lost to other texts, what is lost by wrong fractions): nats an enquiry, means."""
        own = np.bincount(self.enquiry, pr)  # the probability of any of the answers to this enquiry
        fractions, n = pr / own[self.enquiry], len(own)
        wrong = (self.frequency * np.log(self.frequency / fractions)).sum()
        return -(self.frequency * np.log(pr)).sum() / n, -np.log(own).mean(), wrong / n

    def by_topic(self, values, chosen: list[frozenset]) -> list[np.ndarray]:
        """Mean over the enquiries of each topic: a list of arrays, one number for each answer."""
        return [np.array([values[[t == y for t in self.texts]].mean() for y in ys]) for ys in self.answers(chosen)]

    def answers(self, chosen: list[frozenset]) -> list[list[str]]:
        """The answers of each topic, in the order of the data."""
        return [list(dict.fromkeys(y for y in self.texts if y in topic)) for topic in chosen]


def ceiling(examples) -> float:
    """Exact match of a perfect greedy model, which gives the most frequent answer to each enquiry."""
    table = counts(examples)
    answers = [table[e.completion[0]["content"]].values() for e in examples]
    return float(np.mean([max(given) / sum(given) for given in answers]))


def sensible(answered, chosen: list[frozenset]) -> float:
    """The fraction of answers that helpers gave to such an enquiry."""
    return float(np.mean([any(a["predicted"] in t and a["expected"] in t for t in chosen) for a in answered]))
