"""The four worlds, the closed book and the tales: facts and wordings become documents and pairs.

A world is one function of (rng, copies) that returns (documents, training pairs, test pairs). A document is 4 to 8
sentences about the same thing, one per line; `copies` is how many there are about each thing.
"""

import csv
import itertools
import json
from pathlib import Path

from wordings import ATLAS, NUMBERS, PEOPLE, SHOP, STORIES, SUMS, TALES, THINGS

FACTS = Path(__file__).resolve().parent / "facts"
COUNTRIES_ASKED, PRODUCTS_ASKED, SUMS_ASKED, ENQUIRIES_ASKED = 50, 20, 44, 7  # in fine-tuning; the rest is held out
PARAGRAPHS = 4  # about each asked fact of an invented country


def read_table(name):
    with open(FACTS / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def fill(form, facts):
    """The sentence, with a capital letter also where it starts with a name such as 'the Bahamas'."""
    sentence = form.format(**facts)
    return sentence[0].upper() + sentence[1:]


def deal(rng, wordings):
    """The wordings without end: all of them in random order, and then again, so that none is forgotten."""
    while True:
        yield from rng.sample(wordings, len(wordings))


def write_documents(rng, facts, copies):
    """`copies` documents about one thing: each fact once, in any order, and sometimes again in other words.

    `facts` holds the list of wordings of each fact.
    """
    decks = [deal(rng, wordings) for wordings in facts]
    for _ in range(copies):
        sentences = [next(deck) for deck in decks]
        sentences += [next(rng.choice(decks)) for _ in range(rng.choice([0, 0, 1, 1, 2, 3, 4]))]
        rng.shuffle(sentences)
        yield "\n".join(dict.fromkeys(sentences))  # no sentence twice in a document


def pair(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def wordings(world, row):
    """For each fact of the row, all its wordings: the answer's and the others."""
    return [[fill(form, row) for form in [answer, *others]] for _, answer, others in world.values()]


def pairs(world, rows):
    return [pair(fill(q, row), fill(a, row)) for row in rows for q, a, _ in world.values()]


def split(rng, items, count):
    """`count` items drawn at random, and the others; both in the order they came in."""
    drawn = set(rng.sample(range(len(items)), count))
    return [x for i, x in enumerate(items) if i in drawn], [x for i, x in enumerate(items) if i not in drawn]


def atlas(rng, copies):
    """Every country is in the text; questions are asked about 50, and the 150 others are held out."""
    countries = read_table("countries.tsv")
    asked, held_out = split(rng, countries, COUNTRIES_ASKED)
    documents = [text for row in countries for text in write_documents(rng, wordings(ATLAS, row), copies)]
    return documents, pairs(ATLAS, asked), pairs(ATLAS, held_out)


def shop(rng, copies):
    """Every product is in the text; questions are asked about a third of them."""
    products = read_table("products.tsv")
    asked, held_out = split(rng, products, PRODUCTS_ASKED)
    documents = [text for row in products for text in write_documents(rng, wordings(SHOP, row), copies)]
    return documents, pairs(SHOP, asked), pairs(SHOP, held_out)


def sums(rng, copies):
    """Word problems with worked answers. Held out are numbers: {a, b} is in one of the two sets, never in both."""

    def story(template, a, b):
        words = {"a": a, "b": b, "c": a + b, "who": rng.choice(PEOPLE), "things": rng.choice(THINGS)}
        return [form.format(**words) for form in template]

    unordered = [(a, b) for a in NUMBERS for b in NUMBERS if a <= b]
    sets = []
    for numbers in split(rng, unordered, SUMS_ASKED):
        told = [story(template, *rng.sample(ab, 2)) for ab in numbers for template in STORIES]
        sets.append([pair(f"{event} {question}", answer) for event, question, answer in told])

    documents = []
    for a, b in itertools.product(NUMBERS, repeat=2):
        deck = deal(rng, [form.format(a=a, b=b, c=a + b) for form in SUMS])
        for template in itertools.islice(deal(rng, STORIES), copies):
            event, _, answer = story(template, a, b)
            lines = list(dict.fromkeys(itertools.islice(deck, rng.randint(3, 6))))
            at = rng.randint(0, len(lines))
            documents.append("\n".join([*lines[:at], event, answer, *lines[at:]]))
    return documents, *sets


def support(rng, copies):
    """Each enquiry comes with every answer of its topic, as often as the answer's weight says."""
    topics = json.loads((FACTS / "support.json").read_text(encoding="utf-8"))
    train, test, documents = [], [], []
    for topic in topics:
        for chosen, enquiries in zip((train, test), split(rng, topic["enquiries"], ENQUIRIES_ASKED), strict=True):
            chosen += [
                pair(enquiry, answer["text"])
                for enquiry in enquiries
                for answer in topic["answers"]
                for _ in range(answer["weight"])
            ]
    for topic in topics:
        answers = [answer["text"] for answer in topic["answers"]]
        for _ in range(copies):
            said = rng.sample(topic["statements"], rng.randint(2, 4))
            documents.append("\n".join(said + rng.sample(answers, len(answers))))
    return documents, train, test


def closed_book(rng, plain):
    """Conditional or joint? Invented countries stand only in the prompts of fine-tuning: four facts, then a question.

    Two of the four facts are asked about; the test asks about the other two, without the paragraph. `plain` are the
    questions about known countries among which the paragraphs are mixed.
    """
    train, test = list(plain), []
    for row in read_table("invented.tsv"):
        never = set(rng.sample(["capital", "currency", "language"], 2))  # a continent is too easily guessed
        for column, (question, answer, _) in ATLAS.items():
            if column in never:
                test.append(pair(fill(question, row), fill(answer, row)))
                continue
            for _ in range(PARAGRAPHS):
                facts = [rng.choice(sentences) for sentences in wordings(ATLAS, row)]
                rng.shuffle(facts)
                train.append(pair(" ".join([*facts, fill(question, row)]), fill(answer, row)))
    rng.shuffle(train)
    return train, test


def tales(rng, count):
    """Documents about two places that do not exist, met once: names to be copied, never known by heart."""
    countries, invented = read_table("countries.tsv"), read_table("invented.tsv")
    known = [row[column].removeprefix("the ") for row in countries for column in ("name", "capital")]
    taken = {value.removeprefix("the ") for row in countries + invented for value in row.values()}
    places = new_names(rng, known, taken)
    documents = []
    for _ in range(count):
        one, other = (rng.choice(["", "", "", "the "]) + next(places) for _ in range(2))  # as in "the Gambia"
        lines = []
        for form in rng.sample(TALES, rng.randint(4, 7)):
            a, b = rng.choice([(one, other), (one, other), (other, one)])
            lines.append(fill(form, {"a": a, "b": b, "who": rng.choice(PEOPLE), "things": rng.choice(THINGS)}))
        documents.append("\n".join(lines))
    return documents


def new_names(rng, known, taken):
    """New names without end, of 4 to 16 letters, each letter drawn after the two before it as in the known names."""
    follows = {}
    for name in known:
        padded = "  " + name
        for i, letter in enumerate([*name, ""]):
            follows.setdefault(padded[i : i + 2], []).append(letter)
    while True:
        name = "  "
        while letter := rng.choice(follows[name[-2:]]):
            name += letter
        name = name.strip()
        if 4 <= len(name) <= 16 and name not in taken:
            taken.add(name)
            yield name
