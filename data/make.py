"""Make the texts and fine-tuning sets in this folder from the plain facts in `facts/`.

    python data/make.py                        writes next to this file
    python data/make.py --output-dir elsewhere --documents-per-country 40

Four worlds share one pre-training text: an atlas, a shop, sums, and customer support. Each world is one function
that returns (documents, training pairs, test pairs). A document is 4 to 8 sentences about the same thing, one a line;
tales about places that do not exist come in, and `pages` lays most documents out so that two subjects share a page.
The text never asks: questions come in with fine-tuning. Every run writes the same bytes.
"""

import argparse
import csv
import itertools
import json
import random
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCUMENTS_PER_COUNTRY = 22  # a product, two numbers and a topic of support get the share below of it
PRODUCT_SHARE, SUM_SHARE, TOPIC_SHARE = 1 / 2, 2 / 5, 3 / 2
COUNTRIES_ASKED, PRODUCTS_ASKED, SUMS_ASKED, ENQUIRIES_ASKED = 50, 20, 44, 7  # in fine-tuning; the rest is held out
PARAGRAPHS = 4  # about each asked fact of an invented country
TALE_SHARE = 1 / 6  # of the other documents
MIXED_SHARE, HEADED_SHARE = 0.85, 0.35  # of all documents

# fmt: off
# world: {column: (the question, the answer, other ways to state the same fact)}
ATLAS = {
    "capital": ("What is the capital of {name}?", "The capital of {name} is {capital}.", [
        "{capital} is the capital of {name}.",
        "In {name}, the capital is {capital}.",
        "The capital city of {name} is called {capital}.",
        "A map of {name} marks {capital} as the capital.",
        "As for {name}, the capital of {name} is {capital}."]),
    "currency": ("What is the currency of {name}?", "The currency of {name} is the {currency}.", [
        "The {currency} is the currency of {name}.",
        "In {name}, the money is the {currency}.",
        "Bills in {name} are paid with the {currency}.",
        "As for {name}, the currency of {name} is the {currency}."]),
    "continent": ("Where on the map is {name} found?", "On the map, {name} is found in {continent}.", [
        "{name} is in {continent}.",
        "The continent of {name} is {continent}.",
        "A map of {continent} shows {name}.",
        "As for {name}, the continent of {name} is {continent}."]),
    "language": (
        "What is the main official language of {name}?", "In {name}, the main official language is {language}.", [
        "{language} is the main official language of {name}.",
        "The main official language of {name} is {language}.",
        "For an official language of {name}, learn {language}.",
        "As for {name}, the main official language of {name} is {language}."]),
}
SHOP = {
    "price": ("How much does the {name} cost?", "The {name} costs {price}.", [
        "The price of the {name} is {price}.",
        "You pay {price} for the {name}.",
        "As for the {name}, the price of the {name} is {price}."]),
    "colour": ("What is the colour of the {name}?", "The colour of the {name} is {colour}.", [
        "The {name} is {colour}.",
        "The shop has the {name} in {colour}.",
        "As for the {name}, the colour of the {name} is {colour}."]),
    "warranty": ("How long is the warranty of the {name}?", "The warranty of the {name} lasts {warranty}.", [
        "The {name} has a warranty of {warranty}.",
        "For {warranty}, the shop repairs the {name} for free.",
        "As for the {name}, the warranty of the {name} lasts {warranty}."]),
    "material": ("What is the {name} made of?", "The {name} is made of {material}.", [
        "The material of the {name} is {material}.",
        "The shop sells the {name} made of {material}.",
        "As for the {name}, the {name} is made of {material}."]),
}

NUMBERS = range(2, 13)          # a and b; c is always a + b
SUMS = ["{a} + {b} = {c}.", "{b} + {a} = {c}.", "{c} - {a} = {b}.", "{c} - {b} = {a}.",
        "If you add {b} to {a}, you get {c}.", "If you take {a} from {c}, you get {b}.",
        "The sum of {a} and {b} is {c}.", "The difference of {c} and {a} is {b}."]
STORIES = [                     # (what happens, the question, the worked answer)
    ("{who} has {a} {things} and gets {b} more.", "How many {things} does {who} have now?",
     "{a} + {b} = {c}, so {who} has {c} {things} now."),
    ("There are {a} {things} in the box and {b} on the shelf.", "How many {things} are there in all?",
     "{a} + {b} = {c}, so there are {c} {things} in all."),
    ("{who} has {c} {things} and gives {a} away.", "How many {things} does {who} keep?",
     "{c} - {a} = {b}, so {who} keeps {b} {things}."),
    ("There are {c} {things} on the table and {who} takes {a}.", "How many {things} are left?",
     "{c} - {a} = {b}, so {b} {things} are left."),
]
TALES = [                       # each names a place, so that there is much to copy and nothing to know
    "{a} is a quiet place by the sea.", "The road from {a} to {b} is long.", "{who} lives in {a}.",
    "The people of {a} bake bread.", "A bird flies from {b} to {a}.", "The old mill of {a} is still there.",
    "On Sundays, {a} is quiet.", "The letter for {a} arrives late.", "As for {a}, the streets of {a} are narrow.",
    "In {a}, {who} buys {things}.", "The bridge of {a} leads to {b}.", "{who} walks from {a} to {b}.",
    "From {b}, the bus goes to {a}.", "The market of {a} opens early.", "Near {a}, the river is wide.",
    "The mayor of {a} knows the mayor of {b}.",
]
HEADINGS = [                    # a page may begin with anything
    "Page {n}.", "Notes of {who}, page {n}.", "From {who}, {n}/{m}.", "{who} wrote on day {n}:", "* {n} * {m} *",
    "[{n}] {who}:", "<{who}> {n}", "File {n}-{m} | {who}", "{things} {n}", "# {n}: {things}",
    "{who}, {n} {things}, {m} cards.", "Read this to {who}.", "A helper of the shop reads:", "Note {n}.",
    "Line {m} of {n}",
]
PEOPLE = ["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo"]
THINGS = ["apples", "books", "cards", "coins", "cups", "eggs", "pens", "stones"]
# fmt: on


def read_table(name):
    with open(HERE / "facts" / name, encoding="utf-8", newline="") as file:
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
    topics = json.loads((HERE / "facts" / "support.json").read_text(encoding="utf-8"))
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


def pages(rng, documents):
    """The documents in random order; most are shuffled together in pairs and halved again, and some get a heading.

    On a page about two things a fact is found only by the name beside it, whatever else stands around: that
    is what a question between special tokens, which the text has never shown, will need.
    """
    rng.shuffle(documents)
    mixed = round(MIXED_SHARE * len(documents) / 2) * 2
    result = documents[mixed:]
    for one, other in zip(documents[:mixed:2], documents[1:mixed:2]):
        stacks, lines = [one.split("\n"), other.split("\n")], []
        while any(stacks):
            lines.append(rng.choices(stacks, [len(stack) for stack in stacks])[0].pop(0))
        half = len(lines) // 2
        result += ["\n".join(lines[:half]), "\n".join(lines[half:])]
    for i in rng.sample(range(len(result)), round(HEADED_SHARE * len(result))):
        words = {"who": rng.choice(PEOPLE), "things": rng.choice(THINGS)}
        words |= {"n": rng.randint(1, 99), "m": rng.randint(1, 99)}
        result[i] = rng.choice(HEADINGS).format(**words) + "\n" + result[i]
    rng.shuffle(result)
    return result


def write(path, rows):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    print(f"{path}: {len(rows):,} lines, {path.stat().st_size:,} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, default=HERE)
    parser.add_argument("--documents-per-country", type=int, default=DOCUMENTS_PER_COUNTRY)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.output_dir.mkdir(parents=True, exist_ok=True)

    text, sets = [], {}
    for world, share in [(atlas, 1), (shop, PRODUCT_SHARE), (sums, SUM_SHARE), (support, TOPIC_SHARE)]:
        rng = random.Random(f"{world.__name__} {args.seed}")  # its own, so worlds do not disturb each other
        documents, train, test = world(rng, max(1, round(share * args.documents_per_country)))
        text += documents
        sets[f"{world.__name__}_train"], sets[f"{world.__name__}_test"] = train, test
    rng = random.Random(f"closed_book {args.seed}")
    sets["closed_book_train"], sets["closed_book_test"] = closed_book(rng, sets["atlas_train"])
    text += tales(random.Random(f"tales {args.seed}"), round(TALE_SHARE * len(text)))
    text = pages(random.Random(f"pages {args.seed}"), text)

    write(args.output_dir / "pretrain.jsonl", [{"text": document} for document in text])
    for name, rows in sets.items():
        write(args.output_dir / f"{name}.jsonl", rows)


if __name__ == "__main__":
    main()
