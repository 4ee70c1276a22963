"""The shipped texts and fine-tuning sets: what is in them, what is held out, and that make.py makes exactly these."""

import csv
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
WORLDS = ["atlas", "shop", "sums", "support", "closed_book"]
SETS = [f"{world}_{part}" for world in WORLDS for part in ("train", "test")]

spec = importlib.util.spec_from_file_location("make", DATA / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


def read_table(name):
    with open(DATA / "facts" / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_lines(name):
    with open(DATA / f"{name}.jsonl", encoding="utf-8", newline="") as file:
        return [json.loads(line) for line in file]


def questions_and_answers(name):
    return [tuple(message["content"] for message in row["messages"]) for row in read_lines(name)]


def questions(name):
    return {question for question, _ in questions_and_answers(name)}


def numbers_of(answer):
    """{a, b} of a worked answer: '3 + 4 = 7, so …' and '7 - 3 = 4, so …' are both about 3 and 4."""
    left, sign, right, result = re.match(r"(\d+) ([+-]) (\d+) = (\d+), so ", answer).groups()
    assert int(left) + int(right) * (1 if sign == "+" else -1) == int(result), answer
    return frozenset({int(right), int(left) if sign == "+" else int(result)})


def without_details(sentence):
    """The form of a story's sentence: numbers, people and things replaced by one letter each."""
    sentence = re.sub(r"\d+", "N", sentence)
    sentence = re.sub(rf"\b({'|'.join(make.PEOPLE)})\b", "P", sentence)
    return re.sub(rf"\b({'|'.join(make.THINGS)})\b", "T", sentence)


@pytest.fixture(scope="module")
def documents():
    return [row["text"] for row in read_lines("pretrain")]


@pytest.fixture(scope="module")
def sentences(documents):
    return {sentence for document in documents for sentence in document.split("\n")}


# ---- the script ----


def test_the_script_writes_the_same_bytes_twice_and_those_are_the_shipped_files(tmp_path):
    for run in ("once", "twice"):
        subprocess.run([sys.executable, DATA / "make.py", "--output-dir", tmp_path / run], check=True)
    names = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert names == sorted(f"{name}.jsonl" for name in ["pretrain", *SETS])
    for name in names:
        once = (tmp_path / "once" / name).read_bytes()
        assert once == (tmp_path / "twice" / name).read_bytes(), name
        assert once == (DATA / name).read_bytes(), f"{name}: run `python data/make.py` again"


def test_the_number_of_documents_per_country_is_an_argument_and_leaves_the_fine_tuning_sets_alone(tmp_path):
    subprocess.run(
        [sys.executable, DATA / "make.py", "--output-dir", tmp_path, "--documents-per-country", "2"], check=True
    )
    assert (tmp_path / "pretrain.jsonl").stat().st_size < (DATA / "pretrain.jsonl").stat().st_size / 4
    for name in SETS:
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (DATA / f"{name}.jsonl").read_bytes(), name


# ---- the form of the files ----


def test_every_line_of_the_text_is_json_with_one_key_text(documents):
    for row in read_lines("pretrain"):
        assert list(row) == ["text"] and isinstance(row["text"], str)


@pytest.mark.parametrize("name", SETS)
def test_every_line_of_a_fine_tuning_set_is_one_question_and_one_answer(name):
    rows = read_lines(name)
    assert rows
    for row in rows:
        assert list(row) == ["messages"]
        assert [list(message) for message in row["messages"]] == [["role", "content"]] * 2
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
        for message in row["messages"]:
            assert message["content"] and message["content"] == message["content"].strip()


@pytest.mark.parametrize("path", sorted([*DATA.glob("*.jsonl"), *DATA.glob("facts/*")]), ids=lambda path: path.name)
def test_every_file_is_plain_ascii_with_unix_line_ends_and_fits_in_git(path):
    content = path.read_bytes()
    assert content.isascii() and content.endswith(b"\n") and b"\r" not in content
    assert len(content) <= 2_500_000


@pytest.mark.parametrize("name", SETS)
def test_no_left_over_placeholder_and_no_double_space(name, documents):
    for text in [*documents, *(text for pair in questions_and_answers(name) for text in pair)]:
        assert "{" not in text and "}" not in text and "  " not in text, text


def test_the_table_in_the_readme_has_every_file_with_its_number_of_lines():
    rows = re.findall(r"^\| `([a-z_]+)\.jsonl` \| ([\d,]+) \|", (DATA / "README.md").read_text(encoding="utf-8"), re.M)
    assert {name: int(count.replace(",", "")) for name, count in rows} == {
        name: len(read_lines(name)) for name in ["pretrain", *SETS]
    }


# ---- the facts ----


def test_there_are_200_different_countries_with_four_facts_each():
    rows = read_table("countries.tsv")
    assert len(rows) == len({row["name"] for row in rows}) == 200
    assert len({row["capital"] for row in rows}) == 200
    for row in rows:
        assert list(row) == ["name", "capital", "currency", "continent", "language"]
        assert all(value and value == value.strip() for value in row.values()), row


def test_the_continents_have_as_many_countries_as_the_united_nations_count_and_the_seven_others():
    assert Counter(row["continent"] for row in read_table("countries.tsv")) == {
        "Africa": 54,
        "Asia": 47 + 2,
        "Europe": 43 + 2,
        "North America": 23 + 1,
        "South America": 12,
        "Oceania": 14 + 2,
    }


def test_there_are_60_different_products_and_no_name_is_the_beginning_of_another():
    names = [row["name"] for row in read_table("products.tsv")]
    assert len(set(names)) == 60
    assert len({name.split()[0] for name in names}) == 60
    assert all(len(name.split()) == 2 for name in names)


def test_invented_countries_share_no_name_capital_currency_or_language_with_real_ones():
    real, invented = read_table("countries.tsv"), read_table("invented.tsv")
    assert len(invented) == 24
    for column in ["name", "capital", "currency", "language"]:
        values = {row[column] for row in invented}
        assert len(values) == 24
        assert not values & {row[column] for row in real}


def test_every_topic_of_support_has_enough_enquiries_and_two_to_four_answers():
    topics = json.loads((DATA / "facts" / "support.json").read_text(encoding="utf-8"))
    assert len(topics) == 12
    enquiries = [enquiry for topic in topics for enquiry in topic["enquiries"]]
    answers = [answer["text"] for topic in topics for answer in topic["answers"]]
    assert len(set(enquiries)) == len(enquiries) and len(set(answers)) == len(answers)
    for topic in topics:
        assert len(topic["enquiries"]) >= 8 and 2 <= len(topic["answers"]) <= 4 and len(topic["statements"]) == 4


# ---- the pre-training text ----


def test_the_text_never_asks_and_knows_no_chat(documents):
    for document in documents:
        assert "?" not in document and "<|" not in document, document
        assert not re.search(r"\b(user|assistant|question|answer)\b", document, re.IGNORECASE), document


def split_heading(document):
    """(heading or None, sentences): a heading is a first line in one of the forms of make.HEADINGS."""
    words = {"who": rf"({'|'.join(make.PEOPLE)})", "things": rf"({'|'.join(make.THINGS)})", "n": r"\d+", "m": r"\d+"}
    lines = document.split("\n")
    for form in make.HEADINGS:
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
    for world, table in [(make.ATLAS, "countries.tsv"), (make.SHOP, "products.tsv")]:
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


# ---- training and test ----


@pytest.mark.parametrize("world", WORLDS)
def test_no_question_of_the_test_is_in_training(world):
    assert not questions(f"{world}_train") & questions(f"{world}_test")


@pytest.mark.parametrize(
    "table, world, asked, held_out", [("countries.tsv", "atlas", 50, 150), ("products.tsv", "shop", 20, 40)]
)
def test_held_out_countries_and_products_are_never_named_in_training(table, world, asked, held_out):
    """Longest name first, so that 'Guinea-Bissau' is not taken for 'Guinea'."""
    names = sorted((row["name"] for row in read_table(table)), key=len, reverse=True)
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, names))})[?. ]")
    train = Counter(pattern.search(question)[1] for question, _ in questions_and_answers(f"{world}_train"))
    test = Counter(pattern.search(question)[1] for question, _ in questions_and_answers(f"{world}_test"))
    assert (len(train), len(test)) == (asked, held_out)
    assert not set(train) & set(test)
    assert set(train) | set(test) == set(names)
    assert set(train.values()) == set(test.values()) == {4}


def test_the_countries_of_training_come_from_all_six_continents():
    answers = " ".join(answer for _, answer in questions_and_answers("atlas_train"))
    for row in read_table("countries.tsv"):
        assert f"is found in {row['continent']}." in answers


def test_held_out_sums_are_about_other_numbers():
    train, test = (
        {numbers_of(answer) for _, answer in questions_and_answers(f"sums_{part}")} for part in ("train", "test")
    )
    assert not train & test
    assert (len(train), len(test)) == (44, 22)


def test_a_worked_answer_uses_the_numbers_of_its_problem():
    for part in ("train", "test"):
        for question, answer in questions_and_answers(f"sums_{part}"):
            left, right = re.match(r"(\d+) [+-] (\d+) =", answer).groups()
            assert re.findall(r"\d+", question) == [left, right], (question, answer)


def test_every_enquiry_has_each_answer_of_its_topic_as_often_as_its_weight():
    topics = json.loads((DATA / "facts" / "support.json").read_text(encoding="utf-8"))
    for part, count in [("train", 7), ("test", 3)]:
        found = Counter(questions_and_answers(f"support_{part}"))
        expected = {
            (enquiry, answer["text"]): answer["weight"]
            for topic in topics
            for enquiry in topic["enquiries"]
            if enquiry in questions(f"support_{part}")
            for answer in topic["answers"]
        }
        assert found == expected
        for topic in topics:
            assert len(questions(f"support_{part}") & set(topic["enquiries"])) == count


# ---- conditional or joint ----


def test_closed_book_training_is_the_questions_of_the_atlas_mixed_with_paragraphs():
    plain, rows = questions_and_answers("atlas_train"), questions_and_answers("closed_book_train")
    paragraphs = [row for row in rows if row not in set(plain)]
    assert sorted(plain) == sorted(row for row in rows if row in set(plain))
    assert len(paragraphs) == 24 * 2 * make.PARAGRAPHS
    assert rows[: len(plain)] != plain  # mixed, not one after the other


def test_invented_countries_stand_in_training_only_behind_a_paragraph_with_all_four_facts():
    for row in read_table("invented.tsv"):
        found = [question for question, _ in questions_and_answers("closed_book_train") if row["name"] in question]
        assert len(found) == 2 * make.PARAGRAPHS
        for question in found:
            assert all(row[column] in question.rpartition(". ")[0] for column in make.ATLAS)


def test_closed_book_asks_without_the_paragraph_about_facts_never_asked_or_answered_in_training():
    train, test = questions_and_answers("closed_book_train"), questions_and_answers("closed_book_test")
    assert len(test) == len(set(test)) == 48
    asked_or_answered = {text.rpartition(". ")[2] for text, _ in train} | {answer for _, answer in train}
    for question, answer in test:
        assert question.count("?") == 1 and "." not in question
        assert question not in asked_or_answered and answer not in asked_or_answered


def test_closed_book_never_asks_for_a_continent_since_that_is_easily_guessed():
    assert not [question for question in questions("closed_book_test") if question.startswith("Where on the map")]
