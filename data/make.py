"""Make the texts and fine-tuning sets in this folder from the plain facts in `facts/`.

    python data/make.py                        writes next to this file
    python data/make.py --output-dir elsewhere --documents-per-country 40

Four worlds share one pre-training text: an atlas, a shop, sums, and customer support (worlds.py, in the sentences of
wordings.py). Tales about places that do not exist come in, and `pages` lays most documents out so that two subjects
share a page. The text never asks: questions come in with fine-tuning. Every run writes the same bytes.
"""

import argparse
import json
import random
from pathlib import Path

from wordings import HEADINGS, PEOPLE, THINGS
from worlds import atlas, closed_book, shop, sums, support, tales

HERE = Path(__file__).resolve().parent
DOCUMENTS_PER_COUNTRY = 22  # a product, two numbers and a topic of support get the share below of it
PRODUCT_SHARE, SUM_SHARE, TOPIC_SHARE = 1 / 2, 2 / 5, 3 / 2
TALE_SHARE = 1 / 6  # of the other documents
MIXED_SHARE, HEADED_SHARE = 0.85, 0.35  # of all documents


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
