"""The shipped files are those that make.py makes; their form, and the facts they are made from."""

import json
import re
import subprocess
import sys
from collections import Counter

import pytest
from support import shipped_data
from support.shipped_data import DATA, SETS, questions_and_answers, read_lines, read_table

documents = shipped_data.documents


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
