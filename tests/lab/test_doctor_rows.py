"""What the doctor finds by reading rows: each check finds its plant, and says nothing of healthy data."""

import math
from unicodedata import normalize

import pytest
from support.commandline import conversation, minisft, write_rows
from support.doctored import HEALTHY, found, names, places, spotted

from minisft.formats import resources
from minisft.lab.doctor import alike
from minisft.lab.doctor.checks import CHECKS, ROWS, SAMENESS, TEXT

ASKED = "Name a river in Peru."
GOOD = [conversation(question, answer) for question, answer in HEALTHY]
LONG = "The river rises in the high mountains, crosses a wide plain and meets the sea far in the east of the country."

CITIES = [
    (f"What is {name} known for?", f"Many people visit {name} for its old {thing}.")
    for name, thing in zip(
        ["Lima", "Oslo", "Cairo", "Quito", "Hanoi", "Dakar", "Perth", "Leeds", "Turin", "Osaka", "Porto", "Delhi"],
        ["walls", "ships", "tombs", "domes", "lakes", "boats", "parks", "mills", "films", "food", "wines", "gates"],
    )
]

# check -> rows that have it, behind healthy ones
PLANTS = {
    "bad-row": [
        {"messages": [{"role": "narrator", "content": "Once"}]},
        [1, 2],
        {"prompt": "Hi"},
        {"messages": [{"role": "user", "content": "Hi"}]},
    ],
    "ignored-key": [conversation(ASKED, "The Marañón.") | {"source": "an atlas"}],
    "empty-answer": [conversation(ASKED, " \n\u200b"), {"prompt": ASKED, "completion": ""}],
    "no-target": [
        conversation(ASKED, "The Marañón.") | {"weight": 0},
        {"text": ""},
        {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": "Ucayali", "train": False}]},
    ],
    "too-long": [conversation(ASKED, LONG * 20)],
    "prompt-fills-context": [conversation(LONG * 20, "The Marañón.")],
    "duplicate": [GOOD[1]],
    "near-duplicate": [
        conversation(*(text.upper() + " !" for text in HEALTHY[0])),
        conversation(HEALTHY[2][0], HEALTHY[2][1].replace("the", "teh", 1)),
    ],
    "conflict": [conversation(HEALTHY[0][0], "The Thames.")],
    "imbalance": [conversation(f"Is {n} a number?", "Yes.") for n in ("one", "two", "six", "nine", "ten", "no", "red")],
    "special-text": [
        conversation(ASKED, "<|im_start|>The Marañón."),
        conversation("[INST] Name a river. [/INST]", "Ucayali"),
        {"text": "### Instruction:\nName one.\n\n### Response:\nUcayali"},
    ],
    "end-in-text": [
        conversation(ASKED, "The Marañón.<|endoftext|>"),
        {"prompt": ASKED, "completion": "The Marañón.</s>"},
        conversation(ASKED + "<|eot_id|>", "Ucayali"),
    ],
    "leading-space": [
        conversation(ASKED, " The Marañón."),
        conversation(ASKED, "\nThe Marañón."),
        {"prompt": "Name one: ", "completion": " Ucayali"},
    ],
    "unicode": [
        conversation(ASKED, normalize("NFD", "The Marañón.")),
        conversation(ASKED, "The MaraÃ±Ã³n."),
        conversation("R\ufffdo?", "Ucayali"),
        conversation("\ufeffRio?", "Ucayali"),
    ],
    "role-text": [
        conversation(ASKED, "The Marañón.\nUser: And in Chad?\nAssistant: The Chari."),
        conversation(ASKED, "Human: which one?"),
    ],
}


@pytest.fixture
def examined(shared, tmp_path):
    """Names of the findings, and the lines of each, of healthy rows and some more."""

    def examine(more, tests=(), **settings):
        rows = write_rows(tmp_path / "rows.jsonl", GOOD + more)
        test = [str(write_rows(tmp_path / "test.jsonl", tests))] if tests else []
        return found(shared / "theta_hat", rows, test, **settings)

    return examine


def test_of_healthy_rows_nothing_is_said(examined):
    assert names(examined([])) == []


@pytest.mark.parametrize("check", PLANTS)
def test_a_check_finds_each_planted_row_and_no_healthy_one(check, examined):
    result, planted = examined(PLANTS[check]), range(len(GOOD) + 1, len(GOOD) + 1 + len(PLANTS[check]))
    expected = [1, *planted] if check == "conflict" else list(planted)
    assert places(result, check) == expected
    finding = next(finding for finding in result["findings"] if finding["check"] == check)
    assert finding["count"] == len(expected) and finding["why"] and finding["do"]
    assert finding["severity"] == next(known.severity for known in CHECKS if known.name == check)


def test_every_check_of_rows_has_its_plant():
    assert {check.name for check in ROWS + SAMENESS + TEXT} == {*PLANTS, "leak"}


@pytest.mark.parametrize("question", [HEALTHY[0][0], HEALTHY[0][0].upper(), "  " + HEALTHY[0][0].replace(" ", "\n ")])
def test_a_question_of_the_test_that_is_in_training_is_a_leak_whatever_its_case_and_space(examined, question):
    tests = [conversation("Name a river in Chad.", "The Chari."), conversation(question, "Another answer.")]
    assert places(examined([], tests), "leak") == [2]


def test_a_leak_is_found_across_two_forms_of_rows_and_of_plain_text(examined):
    tests = [{"prompt": HEALTHY[0][0], "completion": " x"}, {"text": "A tale."}, {"text": "Another one."}]
    assert places(examined([{"text": "a  TALE."}], tests), "leak") == [1, 2]


def test_the_same_question_behind_another_system_turn_is_no_leak(examined):
    tests = [{"system": "Answer in French.", **conversation(*HEALTHY[0])}]
    assert places(examined([], tests), "leak") == []


def test_the_entropy_of_a_conflict_is_the_one_computed_by_hand(examined):
    """3 answers a and 1 answer b: −3 log ¾ − log ¼. Each row of four then has 4 + 4 + 4 + 4 … tokens of y."""
    rows = [conversation(ASKED, answer) for answer in ("aaa", "aaa", "aaa", "bbb")]
    why = next(f["why"] for f in examined(rows)["findings"] if f["check"] == "conflict")
    by_hand = -3 * math.log(3 / 4) - math.log(1 / 4)
    assert f"no θ gets below {by_hand:.4g} nats in all" in why


def test_answers_to_different_first_turns_do_not_conflict(examined):
    def talk(first, last):
        return {"messages": [*conversation("Hi", first)["messages"], *conversation("And?", last)["messages"]]}

    assert "conflict" not in names(examined([talk("Hello.", "One."), conversation("Bye", "Two.")]))
    assert places(examined([talk("Hello.", "One."), talk("Hello.", "Two.")]), "conflict") == [6, 7]
    assert places(examined([talk("Hello.", "One."), talk("Good day.", "Two.")]), "conflict") == [
        6,
        7,
    ]  # by the first turn


def test_questions_in_other_case_and_space_conflict_and_answers_in_other_case_do_not(examined):
    rows = [conversation(ASKED, "Ucayali"), conversation("NAME a river  in Peru.\n", "The Marañón")]
    assert places(examined(rows), "conflict") == [6, 7]
    rows[1] = conversation("NAME a river in Peru.", "UCAYALI")
    assert places(examined(rows), "conflict") == []


def test_two_greetings_behind_one_system_turn_are_no_conflict(examined):
    def greeted(place):
        asked = [{"role": "system", "content": "Be kind."}, {"role": "assistant", "content": f"Welcome to {place}!"}]
        return {"messages": asked + conversation(f"Is {place} old?", "Yes, it is.")["messages"]}

    assert "conflict" not in names(examined([greeted("Lima"), greeted("Oslo")]))


@pytest.mark.parametrize(
    "test",
    [
        conversation(f"Question: {HEALTHY[0][0].replace('?', ' ?')}\nAnswer:", "Another one."),
        conversation(HEALTHY[2][0].replace("?", "."), "Another one."),
    ],
)
def test_a_question_in_another_frame_or_punctuation_is_a_leak(examined, test):
    others = [conversation(f"Question: {x} ?\nAnswer:", "So.") for x in ("Who are you", "How old is he")]
    assert places(examined([], [*others, test]), "leak") == [3]


def test_a_later_turn_with_its_answer_is_a_leak_and_with_another_answer_is_none(examined):
    talk = {"messages": [*conversation("Hi!", "Hello.")["messages"], *conversation(ASKED, "Ucayali")["messages"]]}
    assert places(examined([talk], [conversation(ASKED, "Ucayali")]), "leak") == [1]
    assert places(examined([talk], [conversation(ASKED, "The Marañón.")]), "leak") == []


@pytest.mark.parametrize(("yes", "no", "lines"), [(11, 9, []), (12, 3, list(range(1, 13)))])
def test_of_two_labels_one_is_out_of_balance_from_four_times_as_many(yes, no, lines):
    rows = [conversation(f"Is {n} even?", "yes" if n < yes else "no") for n in range(yes + no)]
    assert spotted("imbalance", rows) == lines


def test_what_many_rows_have_in_common_makes_no_near_duplicates():
    system = {"system": LONG * 4}
    rows = [conversation(x, y) | system for x, y in CITIES]
    assert spotted("near-duplicate", rows) == []
    again = conversation(CITIES[3][0].upper(), CITIES[3][1]) | system
    assert spotted("near-duplicate", [*rows, again]) == [len(rows) + 1]


def test_rows_that_differ_in_a_word_that_many_others_have_are_no_near_duplicates():
    asked = "Extract name and city as JSON. {} lives in {}."
    answer = '{{"name": "{}", "city": "{}", "tags": ["person", "{}"], "note": "line 1\nline 2"}}'
    places = "Lima", "Oslo", "Cairo", "Quito", "Hanoi", "Dakar", "Perth", "Leeds"
    rows = [(asked.format(one, place), answer.format(one, place, one)) for one in ("Ann", "Bob") for place in places]
    assert alike.alike([f"{x} {y}" for x, y in rows], [y for _, y in rows]) == []


def test_two_questions_about_one_page_are_no_near_duplicates():
    rows = [
        conversation(f"{LONG * 4}\n{asked}", answer) for asked, answer in (("Where?", "East."), ("What?", "A plain"))
    ]
    assert spotted("near-duplicate", rows) == []


def test_rows_of_one_pattern_with_other_numbers_are_not_near_duplicates():
    texts = [f"Emma has {a} cups and gets {b} more, so she has {a + b} cups now." for a in range(9) for b in range(9)]
    assert alike.alike(texts, texts) == []
    more = [*texts, texts[5].replace("cups now", "cups  NOW")]
    assert alike.alike(more, more) == [(81, 5)]


def test_a_blank_before_a_plain_completion_is_right(examined):
    assert names(examined([{"prompt": "The river of Peru is", "completion": " the Marañón."}])) == []


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(shared, tmp_path, newline, mark):
    path = write_rows(tmp_path / "rows.jsonl", GOOD)
    path.write_bytes(mark + path.read_text(encoding="utf-8").replace("\n", newline).encode())
    assert names(found(shared / "theta_hat", path)) == []


@pytest.mark.parametrize("name", ["atlas", "shop", "sums"])
def test_the_shipped_sets_are_healthy(name):
    paths = [str(resources.path(f"{name}_{part}.jsonl")) for part in ("train", "test")]
    assert found(resources.path("atlas"), paths[0], paths[1:])["findings"] == []


def test_support_repeats_its_answers_as_often_as_their_weights_say_and_that_is_found():
    paths = [str(resources.path(f"support_{part}.jsonl")) for part in ("train", "test")]
    result = found(resources.path("atlas"), paths[0], paths[1:])
    assert names(result) == ["duplicate", "conflict", "near-duplicate"]  # 427 rows, 84 questions, 217 pairs
    assert [finding["count"] for finding in result["findings"]][:2] == [427 - 217, 427]


def test_a_character_that_nobody_sees_is_found_and_white_space_and_joiners_are_not(examined):
    ill = ["Rio\x00?", "\x1b[1mRio\x1b[0m?", "\u200bRio?", "Rio\u2060?"]
    well = ["Rio,\tand\r\nmore\x0c?", "می‌توانید", "👩‍🚀", "ภาษา\u200bไทย", "Rio\xad?"]
    rows = [conversation(text, f"Ucayali {n}") for n, text in enumerate([*ill, *well])]
    assert places(examined(rows), "unicode") == [len(GOOD) + n for n in range(1, len(ill) + 1)]


def test_an_error_gives_the_exit_status_3_and_json_is_one_object(shared, tmp_path, json_of, capsys):
    bad = write_rows(tmp_path / "bad.jsonl", [*GOOD, [1]])
    warned = write_rows(tmp_path / "warned.jsonl", [*GOOD, GOOD[0]])
    line = ["doctor", "--model", shared / "theta_hat", "--data"]
    assert minisft(*line, bad) == 3
    out = capsys.readouterr().out
    assert "error: bad-row (1)" in out and f"{bad}:6" in out
    result = json_of(*line, warned)  # and status 0
    keys = {"check", "severity", "count", "where", "why", "do", "price"}
    assert all(set(finding) == keys for finding in result["findings"])
    assert result["summary"]["errors"] == 0 and result["summary"]["warnings"] == 1


def test_a_finding_names_the_first_twenty_places_and_counts_all(examined):
    finding = examined([GOOD[0]] * 30)["findings"][0]
    assert finding["check"] == "duplicate" and finding["count"] == 30 and len(finding["where"]) == 20
