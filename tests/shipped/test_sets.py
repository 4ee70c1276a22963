"""The shipped fine-tuning sets: what is held out of training, and what a closed book asks."""

import json
import re
from collections import Counter

import pytest
from support.shipped_data import DATA, WORLDS, questions, questions_and_answers, read_table, wordings, worlds


def numbers_of(answer):
    """{a, b} of a worked answer: '3 + 4 = 7, so …' and '7 - 3 = 4, so …' are both about 3 and 4."""
    left, sign, right, result = re.match(r"(\d+) ([+-]) (\d+) = (\d+), so ", answer).groups()
    assert int(left) + int(right) * (1 if sign == "+" else -1) == int(result), answer
    return frozenset({int(right), int(left) if sign == "+" else int(result)})


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
    assert len(paragraphs) == 24 * 2 * worlds.PARAGRAPHS
    assert rows[: len(plain)] != plain  # mixed, not one after the other


def test_invented_countries_stand_in_training_only_behind_a_paragraph_with_all_four_facts():
    for row in read_table("invented.tsv"):
        found = [question for question, _ in questions_and_answers("closed_book_train") if row["name"] in question]
        assert len(found) == 2 * worlds.PARAGRAPHS
        for question in found:
            assert all(row[column] in question.rpartition(". ")[0] for column in wordings.ATLAS)


def test_closed_book_asks_without_the_paragraph_about_facts_never_asked_or_answered_in_training():
    train, test = questions_and_answers("closed_book_train"), questions_and_answers("closed_book_test")
    assert len(test) == len(set(test)) == 48
    asked_or_answered = {text.rpartition(". ")[2] for text, _ in train} | {answer for _, answer in train}
    for question, answer in test:
        assert question.count("?") == 1 and "." not in question
        assert question not in asked_or_answered and answer not in asked_or_answered


def test_closed_book_never_asks_for_a_continent_since_that_is_easily_guessed():
    assert not [question for question in questions("closed_book_test") if question.startswith("Where on the map")]
