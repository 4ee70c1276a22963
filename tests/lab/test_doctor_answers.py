"""What the doctor finds in an answer beside its question: each check finds its plant, and lets pass what is meant."""

import json

import pytest
from support.commandline import conversation
from support.doctored import spotted

from minisft.formats import resources
from minisft.lab.doctor.answering import loop
from minisft.lab.doctor.checks import ANSWERS
from minisft.lab.doctor.leftovers import left

ATLAS = [json.loads(line) for line in resources.path("atlas_train.jsonl").read_text(encoding="utf-8").splitlines()]
PAIRS = [tuple(message["content"] for message in row["messages"]) for row in ATLAS]
N = len(PAIRS)
LONG = "The river rises in the high mountains, crosses a wide plain and meets the sea far in the east of the country."


def talk(*roles):
    return {"messages": [{"role": role, "content": f"the {role} {n}"} for n, role in enumerate(roles)]}


def answers(change, every=10):
    """The pairs with every tenth answer changed -> rows, their numbers."""
    rows = [conversation(x, change(x, y) if n % every == 0 else y) for n, (x, y) in enumerate(PAIRS)]
    return rows, list(range(1, N + 1, every))


def shifted(first, last):
    """Answer i with question i + 1 in a part of the rows; one row for each country, so that neighbours differ."""
    pairs = PAIRS[::4]
    rows = [conversation(x, pairs[n + 1][1] if first <= n < last else y) for n, (x, y) in enumerate(pairs)]
    return rows, list(range(first + 1, last + 1))


PLANTS = {
    "turn-order": (
        [talk("user", "assistant")] * 3 + [talk("user", "user", "assistant"), talk("assistant", "user", "assistant")],
        [4, 5],
    ),
    "echo": answers(lambda x, y: x if len(y) % 2 else f"{x}\n{y}"),
    "off-by-one": shifted(20, 40),
    "swapped": (
        [conversation(*(pair[::-1] if n % 20 == 4 else pair)) for n, pair in enumerate(PAIRS)],
        [*range(5, N + 1, 20)],
    ),
    "other-script": answers(lambda x, y: "这是一个没有人问过的回答。"),
    "cut-off": answers(lambda x, y: f"{LONG} {LONG} {LONG[:60]}"),
    "same-beginning": answers(lambda x, y: f"You are a helpful, honest and harmless assistant. {y}", every=1),
    "no-separator": ([{"prompt": x, "completion": y} for x, y in PAIRS], [*range(1, N + 1)]),
    "trailing-space": answers(lambda x, y: f"{y}\n\n"),
    "label-spelling": (
        [conversation(f"Is {n} even?", ("Yes.", "No.")[n % 2] if n % 25 else "yes") for n in range(1, 101)],
        [25, 50, 75, 100],
    ),
    "leftover": answers(lambda x, y: f"{y} It&#39;s fine &amp; good."),
}


def test_every_check_of_answers_has_its_plant():
    assert {check.name for check in ANSWERS} == set(PLANTS)


@pytest.mark.parametrize("check", PLANTS)
def test_a_check_finds_each_planted_row_and_no_other(check):
    rows, planted = PLANTS[check]
    assert spotted(check, rows) == planted
    assert spotted(check, ATLAS) == []


def test_all_answers_that_are_questions_are_swapped_and_answers_that_are_meant_to_be_are_not():
    asked = [conversation(f"{n} is the answer: {y}", f"What is {y}") for n, (_, y) in enumerate(PAIRS)]
    assert spotted("swapped", asked) == list(range(1, N + 1))
    wanted = [conversation(f"{y} Ask a question that this answers.", f"What is {y}") for _, y in PAIRS]
    assert spotted("swapped", wanted) == []
    framed = [conversation(f"Correct this: {x.lower()}", x) for x, _ in PAIRS]
    assert spotted("swapped", framed) == []


def test_a_greeting_a_call_of_a_tool_and_what_most_rows_do_are_no_wrong_order():
    greeting = talk("system", "assistant", "user", "assistant")
    assert spotted("turn-order", [greeting] * 5) == []
    call = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": [{}]}]}
    call["messages"] += [{"role": "assistant", "content": "Done."}]
    assert spotted("turn-order", [talk("user", "assistant"), call, talk("user", "assistant")]) == []


def test_an_echo_of_a_word_or_of_the_input_behind_an_instruction_is_an_answer():
    assert spotted("echo", [conversation("Hello!", "Hello!")]) == []
    assert spotted("echo", [conversation(f"Correct this sentence.\n\n{LONG}", LONG)]) == []


def test_a_language_that_is_asked_for_or_that_over_half_of_the_rows_have_is_meant():
    wanted = [conversation("Translate into Chinese: good morning", "早上好，今天天气很好，我们走吧。")]
    assert spotted("other-script", ATLAS + wanted) == []
    assert spotted("other-script", [conversation(x, "早上好，今天天气很好，我们走吧。") for x, _ in PAIRS]) == []


ENDS = [
    f"{LONG}\n\n" + "\n".join(f"{n}. Go for a long walk in the woods near the old mill of the town" for n in range(5)),
    f"{LONG} {LONG}\n```\nx = 1\n```",
    f"```\n# {LONG} {LONG[:60]}",
    f"{LONG} {LONG}\n\nYours,\nAda",
    f"{LONG} {LONG} See https://example.org/rivers-of-the-world-and-where-they-end",
    f"{LONG} {LONG} The table has:",
]


@pytest.mark.parametrize("end", ENDS, ids=range(len(ENDS)))
def test_lists_code_names_links_and_colons_end_without_a_stop_and_are_whole(end):
    assert spotted("cut-off", [conversation(f"Go on {n}", end) for n in range(9)]) == []


def test_answers_that_all_end_at_one_length_were_cut_there_and_labels_were_not():
    rows = [conversation(f"Go on {n}", f"{n:03} {LONG}"[:110]) for n in range(9)]
    assert spotted("cut-off", rows) == list(range(1, 10))
    assert spotted("cut-off", [conversation(f"Go on {n}", f"{n:03} {LONG}") for n in range(9)]) == []
    assert spotted("cut-off", [conversation(f"Code {n}", f"{n:040}") for n in range(9)]) == []


@pytest.mark.parametrize("text", ["and then he said that " * 12, LONG + " 1. Eat well." * 30])
def test_a_text_that_ends_in_a_loop_is_seen(text):
    assert loop(text.rstrip())


@pytest.mark.parametrize("text", ["", "no", "lima " * 10, "A" * 300, "-=" * 200, "3 x 4 = 12\n" * 3])
def test_a_short_or_a_drawn_repetition_is_no_loop(text):
    assert not loop(text.rstrip())


def test_answers_that_end_in_a_loop_are_cut_off_even_at_a_full_stop():
    rows = [conversation(f"Go on {n}", f"Part {n}. {'Eat well. ' * 12}") for n in range(3)]
    assert spotted("cut-off", rows) == [1, 2, 3]


def test_a_common_beginning_that_is_no_whole_sentence_is_a_form():
    assert (
        spotted(
            "same-beginning", [conversation(x, f"The answer to the question about this country: {y}") for x, y in PAIRS]
        )
        == []
    )


def test_a_few_texts_that_go_on_in_the_middle_of_a_word_need_no_separator():
    rows = [
        {"prompt": "Complete: def f", "completion": "oo(x):"},
        *[{"prompt": x + "\n", "completion": y} for x, y in PAIRS],
    ]
    assert spotted("no-separator", rows) == []


def test_texts_that_a_newline_a_blank_or_a_colon_parts_need_no_separator():
    for x, y in (("Peru?\n", "Lima"), ("Peru is", " Lima"), ("Answer:", "Lima"), ("你好吗", "很好")):
        assert spotted("no-separator", [{"prompt": x, "completion": y}] * 3) == []


def test_free_answers_in_two_spellings_are_no_labels():
    rows = [conversation(x, y) for x, y in PAIRS] + [conversation("Right?", "Yes"), conversation("Sure?", "yes")]
    assert spotted("label-spelling", rows) == []


LEFT = [
    ("Name two.", "1. Bread\\n2. Milk\\n"),
    ("Où ?", "L'\\xe9t\\u00e9 est chaud."),
    ("Who?", "It&#39;s Ann &amp; Bob."),
    ("Explain tides.", "<p>The moon pulls.</p><br/>"),
    ("Who are you?", "I am {{name}}, made by {{author}}."),
    ("Add 2 and 3.", "nan"),
    ("Add 2 and 3.", "<nooutput>"),
    ("Add 2 and 3.", "N/A"),
    ("Where is Lima?", "['In Peru.']"),
    ("Is Lima big?", "{'answer': 'yes'}"),
    ("Is Lima big?", "b'yes'"),
    ("Is it called so?", '"It is called ""the best""."'),
    ("Why is the sky blue?", "https://example.org/sky"),
    ("Which tea is better?", "As an AI language model, I have no preferences."),
]


@pytest.mark.parametrize(("question", "answer"), LEFT)
def test_what_a_program_left_in_an_answer_is_seen(question, answer):
    assert left(question, answer)


MEANT = [
    ("How do I print two lines?", "print('Hello\\nWorld\\nAda')"),
    ("What is the operator?", "It is $\\nabla$, and $\\neq$ is another."),
    ("What does C:\\new mean?", "The folder C:\\New\\nAda."),
    ("Give JSON.", '{"text": "Dear Ann,\\n\\nThanks\\n"}'),
    ("Make an HTML list.", "<ul><li>one &amp; two</li></ul>"),
    ("How do I write an ampersand in HTML?", "As &amp;amp;, an entity."),
    ("How bold?", "```\n<p>one</p>\n```"),
    ("Write a mail template.", "Dear {{name}},"),
    ("Answer with a label, or N/A.", "N/A"),
    ("Give a Python list.", "['a', 'b']"),
    ("Which URL?", "https://example.org"),
    ("Which is better, for an AI?", "As an AI language model, I have no preferences."),
    ("Who made you?", "I am Ada, as an AI assistant developed by us."),
    ("How much is 5 < 6 & 7 > 6?", "5 < 6 & 7 > 6, so AT&T; R&D."),
    ("Say it.", '"None of them," she said.'),
]


@pytest.mark.parametrize(("question", "answer"), MEANT)
def test_what_is_meant_is_not_left_over(question, answer):
    assert left(question, answer) == ""
