"""A sentence is cut before its fact, and the model goes on."""

from minisft import data
from minisft.course import pretraining as check

COUNTRIES = [
    {
        "name": "Panama",
        "capital": "Panama City",
        "currency": "balboa",
        "continent": "North America",
        "language": "Spanish",
    },
    {"name": "the Gambia", "capital": "Banjul", "currency": "dalasi", "continent": "Africa", "language": "English"},
]


def pair(question, answer):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return data.example({"messages": messages}, "here")


def test_an_answer_is_cut_before_its_fact():
    cut = check.cut(pair("What is the capital of Panama?", "The capital of Panama is Panama City."), COUNTRIES)
    assert cut == ("The capital of Panama is", " Panama City.")


def test_a_name_may_stand_with_its_article_in_the_table_and_without_it_in_the_question():
    cut = check.cut(pair("Where is Gambia found?", "On the map, the Gambia is found in Africa."), COUNTRIES)
    assert cut == ("On the map, the Gambia is found in", " Africa.")


def test_percentages_are_those_of_each_kind_of_fact_and_of_all():
    assert check.percent_by_fact([True, False, True, False, True, False, False, False]) == [100, 0, 50, 0, 37.5]
