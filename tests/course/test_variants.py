"""Variants: another value for everybody where an answer is a value, and a grade that knows whose it is."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest

from minisft import data
from minisft.cli.main import main
from minisft.course import variants
from minisft.course.bug_lab import game
from minisft.course.grade import exercises, judging, run
from minisft.course.grade.answers import taken
from minisft.course.grade.submissions import Handed
from minisft.course.log_probability import paper
from minisft.course.the_objective import match_symbols
from minisft.course.three_states import match_arrays
from minisft.errors import MinisftError
from minisft.formats import resources
from minisft.formats.files import read_json


def installed(name):
    return read_json(resources.notebooks() / f"{name}.ipynb")


def code(notebook):
    return "\n".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code")


def of_variant(name, variant):
    return variants.notebook_of_variant(installed(name), name, variant)


def texts(notebook):
    return "\n".join("".join(c["source"]) for c in notebook["cells"])


def numbers_on_paper(variant):
    """What is right in notebook 01 of a variant: worked out from the table that its page shows."""
    rows = re.findall(
        r"^\| \$x\$.*?\| (0\.\d) \| (0\.\d) \| (0\.\d) \|$", texts(of_variant("01_log_probability", variant)), re.M
    )
    (yes, _, end), (_, please, yes_end), (_, _, please_end) = [[float(n) for n in row] for row in rows]
    return {"end": end, "yes end": yes * yes_end, "yes please end": yes * please * please_end}


def symbols(variant):
    """What is right in notebook 02 of a variant: found with its own seed, out of its own code."""
    seed = int(re.search(r"check\.boxes\(.*seed=(\d+)\)", code(of_variant("02_the_objective", variant)))[1])
    names = match_symbols.toy(np.random.default_rng(5), seed).names
    return {symbol: names[symbol] for symbol in match_symbols.SYMBOLS}


def arrays(variant):
    """What is right in notebook 07 of a variant."""
    seed = int(re.search(r"check\.world\(.*default_rng\((\d+)\)\)", code(of_variant("07_three_states", variant)))[1])
    return match_arrays.toy(np.random.default_rng(5), dealer=np.random.default_rng(seed)).names


def mistake(variant):
    """What is right in notebook 10 of a variant: the game itself says so."""
    seed = int(re.search(r"mine = check\.deal\(seed=(\d+)\)", code(of_variant("10_bug_lab", variant)))[1])
    return game.drawn(seed, game.SUSPECTS)[0].name


RIGHT = {
    "01_log_probability": numbers_on_paper,
    "02_the_objective": symbols,
    "07_three_states": arrays,
    "10_bug_lab": mistake,
}
EMPTY = {
    "01_log_probability": dict.fromkeys(["end", "yes end", "yes please end"]),
    "02_the_objective": dict.fromkeys(match_symbols.SYMBOLS),
    "07_three_states": dict.fromkeys("KLMNP"),
    "10_bug_lab": None,
}
each = pytest.mark.parametrize("name", RIGHT)


def judged(name, variant, answer):
    """The verdict of `grade`, by the road it goes: out of the cells, in a process of its own."""
    (wanted,) = exercises.by_hand(name)
    cells = [{"cell_type": "code", "source": f"{wanted.answers[0]} = {answer!r}\ncheck.{wanted.name}(0)"}]
    return judging.verdict(taken(cells, wanted), wanted, 0, variant)


def test_what_is_answered_by_hand_is_known_here():
    assert RIGHT.keys() == variants.BY_HAND.keys()


@pytest.mark.parametrize("name", exercises.notebooks())
def test_a_variant_differs_in_its_values_alone(name):
    plain, seven, eight = installed(name), of_variant(name, 7), of_variant(name, 8)
    assert variants.variant_in(seven["metadata"]) == 7
    assert (texts(seven) != texts(eight)) == (name in variants.BY_HAND)
    for one, other in zip(texts(plain).split("\n"), texts(seven).split("\n"), strict=True):
        bare = [re.sub(r"[-.\d]+|, seed=\d+| +", "", line.replace(variants.COUNTRIES[0], "")) for line in (one, other)]
        assert bare[0] == bare[1].replace(variants.COUNTRIES[variants.seed_of(7) % 10].replace(" ", ""), "")


@each
def test_the_answers_of_neighbours_differ(name):
    answers = [RIGHT[name](n) for n in range(20)]
    assert all(a != b for a, b in pairwise(answers))
    assert len({str(answer) for answer in answers}) >= 15


@each
def test_what_is_right_in_a_variant_is_right_there_and_wrong_elsewhere(name):
    assert judged(name, 3, RIGHT[name](3)).right
    assert judged(name, 4, RIGHT[name](3)).right is False
    assert judged(name, 3, EMPTY[name]).right is None


def test_the_countries_are_those_that_notebook_07_asks_about():
    asked = data.read([resources.path("atlas_test.jsonl")])
    questions = [example.completion[0]["content"] for i, example in enumerate(asked) if i // 4 % 15 == 12 and not i % 4]
    assert questions == [f"What is the capital of {country}?" for country in variants.COUNTRIES]
    assert "i // 4 % 15 == 12" in code(installed("07_three_states"))


def test_every_page_of_01_shows_a_greedy_answer_that_is_not_the_likeliest():
    for seed in [None, *range(len(paper.tables()))]:
        table = paper.table_of(seed)
        assert all(sum(row) == 10 for row in table)
        assert all(sum(column) != 10 for column in zip(*table))  # the page asks why
        greedy = [paper.TOKENS[int(np.argmax(row))] for row in table]
        assert greedy == list(paper.ANSWERS[2])
        assert max(paper.products(table)) > paper.products(table)[2] + 2 * paper.CLOSE


def test_a_seed_that_is_no_longer_where_it_was_is_not_passed_over():
    with pytest.raises(MinisftError, match="--variant"):
        variants.notebook_of_variant({"cells": [], "metadata": {}}, "02_the_objective", 1)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        3,
        {},
        {"minisft": 3},
        {"minisft": {}},
        {"minisft": {"variant": "1"}},
        {"minisft": {"variant": True}},
        {"minisft": {"variant": -1}},
    ],
)
def test_metadata_without_a_number_are_no_variant(metadata):
    assert variants.variant_in(metadata) is None


def test_what_the_teacher_has_noted_goes_before_what_a_notebook_says(tmp_path):
    path = tmp_path / "02_the_objective.ipynb"
    path.write_text(json.dumps({"cells": [], "metadata": {"minisft": {"variant": 3}}}))
    handed = [Handed("ann", "02_the_objective", path)]
    assert run.variants_of(handed, None) == ({"ann": 3}, [])
    numbers, lines = run.variants_of(handed, {"ann": 4})
    assert numbers == {"ann": 4} and "variant 3; ann has 4" in lines[0]
    assert [w.variant for w in run.all_wanted(handed, 0, numbers)].count(4) == 1


def test_course_writes_a_variant(tmp_path, capsys):
    main(["course", str(tmp_path / "copy"), "--variant", "5"])
    written = read_json(tmp_path / "copy" / "07_three_states.ipynb")
    assert variants.variant_in(written["metadata"]) == 5 and "default_rng(1005)" in code(written)
