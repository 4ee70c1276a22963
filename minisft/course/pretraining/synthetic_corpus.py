"""A world small enough to be pre-trained on in a few seconds: invented countries, and tales about places met once."""

import numpy as np

from minisft import data, evaluate
from minisft.generate import generate

SYLLABLES = [a + b for a in "bdfklmnprstvz" for b in "aeio"]
COLOURS = ("red", "blue", "green", "white", "black", "yellow", "brown", "grey")
ANIMALS = ("lion", "owl", "bear", "fox", "wolf", "crane", "horse", "whale")
FACTS = {  # the question, the answer up to the fact, other wordings
    "capital": (
        "What is the capital of {name}?",
        "The capital of {name} is",
        ("In {name}, the capital is {fact}.", "A map of {name} marks {fact}."),
    ),
    "colour": (
        "What is the colour of {name}?",
        "The colour of {name} is",
        ("In {name}, the flag is {fact}.", "The people of {name} wear {fact}."),
    ),
    "animal": (
        "What is the animal of {name}?",
        "The animal of {name} is",
        ("In {name}, they honour {fact}.", "The coins of {name} show {fact}."),
    ),
}
TALES = (
    "The road to {name} is long.",
    "A bird flies over {name}.",
    "The old mill of {name} is still there.",
    "The market of {name} opens early.",
    "Near {name}, the river is wide.",
    "The letter for {name} arrives late.",
)


def places(rng):
    """New names of two syllables, without end until they run out."""
    for i in rng.permutation(len(SYLLABLES) ** 2):
        yield (SYLLABLES[i // len(SYLLABLES)] + SYLLABLES[i % len(SYLLABLES)]).capitalize()


def make(rng, countries, tales, copies=6, sentences=4):
    """Countries as [{"name", "capital", "colour", "animal"}], and the text as a list of documents, lists of sentences.

    Each country has 2 · `copies` documents of `sentences` sentences about it and nothing else, each tale its own place.
    """
    names, documents = places(rng), []
    world = [{"name": next(names), "capital": next(names)} for _ in range(countries)]
    for country in world:
        country |= {"colour": str(rng.choice(COLOURS)), "animal": "the " + str(rng.choice(ANIMALS))}
        said = [
            form.format(name=country["name"], fact=country[kind])
            for kind, (_, answer, others) in FACTS.items()
            for form in (answer + " {fact}.", *others)
        ]
        for _ in range(copies):
            order = [said[i] for i in rng.permutation(len(said))]
            documents += [order[:sentences], order[sentences : 2 * sentences]]
    for name, _ in zip(names, range(tales)):
        documents.append([TALES[i].format(name=name) for i in rng.permutation(len(TALES))[:sentences]])
    return world, documents


def pairs(world):
    """Three questions about each country, with answers in the words of the text: (examples, prefixes, facts, names)."""
    asked = [(country, kind) for country in world for kind in FACTS]
    prefixes = [FACTS[kind][1].format(**country) for country, kind in asked]
    facts = [f" {country[kind]}." for country, kind in asked]
    questions = [FACTS[kind][0].format(**country) for country, kind in asked]
    examples = [
        data.example({"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": prefix + fact}]}, q)
        for q, prefix, fact in zip(questions, prefixes, facts)
    ]
    return examples, prefixes, facts, [country["name"] for country, _ in asked]


def known(theta, config, tokenizer, world):
    """The fraction of facts that the model continues by itself after "The capital of … is"."""
    _, prefixes, facts, _ = pairs(world)
    stops = {tokenizer.eos_id, tokenizer.encode("\n")[0]}
    continued = generate(theta, config, [tokenizer.encode(prefix) for prefix in prefixes], 12, stops)
    return float(np.mean([tokenizer.decode(a.ids) == fact for a, fact in zip(continued, facts)]))


def answered(theta, config, tokenizer, world):
    """The answers; the fraction that is exact, and the fraction that is about the country that was asked for."""
    examples, _, _, names = pairs(world)
    given = evaluate.answers(theta, config, tokenizer, examples, 30)
    about = [name in answer["predicted"].replace(".", " ").split() for name, answer in zip(names, given)]
    return given, float(np.mean([answer["exact"] for answer in given])), float(np.mean(about))


def copied(theta, config, tokenizer, documents, rng, count=40):
    """The fraction of `count` names that the text does not hold and that the model repeats from the line before."""
    text = " ".join(sentence for sentences in documents for sentence in sentences)
    new = (name for name in places(rng) if name not in text)
    names = [name for name, _ in zip(new, range(count))]
    asked = [tokenizer.encode(f"The road to {name} is long.\nThe old mill of") for name in names]
    continued = generate(theta, config, asked, 8, {tokenizer.eos_id})
    said = [tokenizer.decode(answer.ids) for answer in continued]
    return float(np.mean([words.startswith(f" {name} is") for words, name in zip(said, names)]))
