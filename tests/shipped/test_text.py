"""The shipped pre-training text: how its pages are laid out, and which facts and answers are in it."""

import re
from collections import Counter

import pytest
from support import shipped_data
from support.shipped_data import make, questions_and_answers, read_table, wordings

documents = shipped_data.documents


@pytest.fixture(scope="module")
def sentences(documents):
    return {sentence for document in documents for sentence in document.split("\n")}


def without_details(sentence):
    """The form of a story's sentence: numbers, people and things replaced by one letter each."""
    sentence = re.sub(r"\d+", "N", sentence)
    sentence = re.sub(rf"\b({'|'.join(wordings.PEOPLE)})\b", "P", sentence)
    return re.sub(rf"\b({'|'.join(wordings.THINGS)})\b", "T", sentence)


def test_the_text_never_asks_and_knows_no_chat(documents):
    for document in documents:
        assert "?" not in document and "<|" not in document, document
        assert not re.search(r"\b(user|assistant|question|answer)\b", document, re.IGNORECASE), document


def split_heading(document):
    """(heading or None, sentences): a heading is a first line in one of the forms of wordings.HEADINGS."""
    words = {
        "who": rf"({'|'.join(wordings.PEOPLE)})",
        "things": rf"({'|'.join(wordings.THINGS)})",
        "n": r"\d+",
        "m": r"\d+",
    }
    lines = document.split("\n")
    for form in wordings.HEADINGS:
        pattern = re.sub(r"\\\{(\w+)\\\}", lambda slot: words[slot[1]], re.escape(form))
        if re.fullmatch(pattern, lines[0]):
            return lines[0], lines[1:]
    return None, lines


def test_a_page_is_4_to_8_sentences_one_a_line_and_some_have_a_heading(documents):
    headed = 0
    for document in documents:
        heading, lines = split_heading(document)
        headed += heading is not None
        assert 4 <= len(lines) <= 8, document
        assert all(line[0].isupper() or line[0].isdigit() for line in lines) and all(x.endswith(".") for x in lines)
    assert headed == round(make.HEADED_SHARE * len(documents))


def test_a_page_is_about_at_most_two_things_and_most_are_about_two(documents):
    names = [row["name"] for table in ("countries.tsv", "products.tsv") for row in read_table(table)]
    alternatives = "|".join(sorted(map(re.escape, names), key=len, reverse=True))  # "Guinea-Bissau" before "Guinea"
    anywhere = re.compile(rf"\b({alternatives})\b", re.IGNORECASE)
    about = [{name.lower() for name in anywhere.findall(page)} for page in documents]
    two = [set(page) for page in about if len(page) == 2]
    assert len(two) > len(documents) / 3
    # A name may be part of another fact (Mexico City, Panama City, Mexican …), never of a third subject's sentences.
    assert sum(len(page) > 3 for page in about) == 0


def test_places_of_tales_are_new_names_that_no_other_document_has(documents):
    known = {row[column] for row in read_table("countries.tsv") for column in ("name", "capital", "language")}
    places = Counter()
    for page in documents:
        found = re.findall(r"^The people of (.+) bake bread\.$|^Near (.+), the river is wide\.$", page, re.MULTILINE)
        places.update({(one or other).removeprefix("the ") for one, other in found})
    assert len(places) > 500
    assert not {name.removeprefix("the ") for name in known} & set(places)
    assert max(places.values()) <= 2  # a document shared by two pages


def test_every_fact_of_every_country_and_product_is_in_the_text_in_every_wording(sentences):
    for world, table in [(wordings.ATLAS, "countries.tsv"), (wordings.SHOP, "products.tsv")]:
        for row in read_table(table):
            for _, answer, others in world.values():
                for form in [answer, *others]:
                    sentence = form.format(**row)
                    assert sentence[0].upper() + sentence[1:] in sentences


def test_the_atlas_is_the_largest_part_of_the_text(documents):
    names = [row["name"] for row in read_table("countries.tsv")]
    pattern = re.compile("|".join(re.escape(name) for name in names))
    share = sum(len(text) for text in documents if pattern.search(text)) / sum(map(len, documents))
    assert share > 2 / 3


@pytest.mark.parametrize("world", ["atlas", "shop", "support"])
def test_every_answer_in_training_and_test_is_in_the_text_word_for_word(world, sentences):
    for part in ("train", "test"):
        for _, answer in questions_and_answers(f"{world}_{part}"):
            assert answer in sentences


def test_every_worked_answer_has_its_sum_and_its_form_in_the_text(sentences):
    forms = {without_details(sentence) for sentence in sentences}
    for part in ("train", "test"):
        for _, answer in questions_and_answers(f"sums_{part}"):
            assert answer.split(",")[0] + "." in sentences
            assert without_details(answer) in forms


def test_every_sum_in_the_text_is_right(sentences):
    found = 0
    for sentence in sentences:
        for left, sign, right, result in re.findall(r"(\d+) ([+-]) (\d+) = (\d+)", sentence):
            assert int(left) + int(right) * (1 if sign == "+" else -1) == int(result), sentence
            found += 1
    assert found > 400


def test_invented_countries_are_nowhere_in_the_text(documents):
    text = "\n".join(documents)
    for row in read_table("invented.tsv"):
        for column in ["name", "capital", "language"]:
            assert row[column] not in text
