"""Invented countries, as many as one likes: no text has ever named them, so what a model says of them it read here."""

import csv
import runpy
from functools import cache

import numpy as np

from minisft.formats import resources

STARTS, VOWELS, CODAS = list("BDFGKLMNPRSTVZ"), list("aeiou"), list("lmnrs")
ENDINGS = {  # so that the four facts of a country sound like what they are
    "name": ["ia", "land", "ora", "avia"],
    "capital": ["ton", "wick", "burg", "mere"],
    "currency": ["et", "in", "o", "al"],
    "language": ["ish", "ese", "ic", "an"],
}


@cache
def wordings() -> dict:
    """{fact: (its question, its answer, other ways to state it)}, as in the shipped text."""
    return runpy.run_path(str(resources.path("wordings.py")))["ATLAS"]


@cache
def known() -> list[dict]:
    """The facts of the countries that θ̂ has read about."""
    with open(resources.path("facts/countries.tsv"), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def invent(rng: np.random.Generator, count: int) -> list[dict]:
    """`count` countries with a name and four facts each. No word occurs twice; the continent alone is a real one."""
    taken = {value for row in known() for value in row.values()}
    countries = []
    for _ in range(count):
        row = {fact: word(rng, endings, taken) for fact, endings in ENDINGS.items()}
        row["currency"] = row["currency"].lower()
        countries.append(row | {"continent": str(rng.choice(sorted({row["continent"] for row in known()})))})
    return countries


def word(rng: np.random.Generator, endings: list[str], taken: set[str]) -> str:
    """A word that is not taken, as in Belkoria; it is taken from then on."""
    while True:
        syllables = [
            rng.choice(STARTS) + rng.choice(VOWELS) + rng.choice(CODAS),
            rng.choice(STARTS).lower(),
        ]
        made = "".join([*syllables, rng.choice(endings)])
        if made not in taken and made.lower() not in taken:
            taken |= {made, made.lower()}
            return made


def fill(form: str, facts: dict) -> str:
    """The sentence, with a capital letter also where it starts with a name such as 'the Bahamas'."""
    sentence = form.format(**facts)
    return sentence[0].upper() + sentence[1:]


def paragraph(rng: np.random.Generator, facts: dict) -> list[str]:
    """The four facts of a country, in any order and any wording: four sentences."""
    sentences = [fill(str(rng.choice([answer, *others])), facts) for _, answer, others in wordings().values()]
    return [sentences[i] for i in rng.permutation(len(sentences))]
