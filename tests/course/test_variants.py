"""Variants: other letters for everybody where an answer is a value, and a grade that knows whose they are."""

import json
import re

import pytest

from minisft.cli.main import main
from minisft.course import variants
from minisft.course.grade import exercises, judging, run
from minisft.course.grade.answers import taken
from minisft.course.grade.submissions import Handed
from minisft.course.the_objective import match_symbols
from minisft.errors import MinisftError
from minisft.formats import resources
from minisft.formats.files import read_json


def installed(name):
    return read_json(resources.notebooks() / f"{name}.ipynb")


def code(notebook):
    return "\n".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code")


def symbols(variant):
    """What is right in notebook 02 of a variant: found with its own seed, out of its own code."""
    text = code(variants.notebook_of_variant(installed("02_the_objective"), "02_the_objective", variant))
    seed = int(re.search(r"check\.boxes\(.*seed=(\d+)\)", text)[1])
    names = match_symbols.toy(__import__("numpy").random.default_rng(5), seed).names
    return {symbol: names[symbol] for symbol in match_symbols.SYMBOLS}


def judged(variant, answer):
    (wanted,) = exercises.by_hand("02_the_objective")
    program = taken([{"cell_type": "code", "source": f"matching = {answer!r}\ncheck.symbols(matching, boxes)"}], wanted)
    return judging.verdict(program, wanted, 0, variant)


@pytest.mark.parametrize("name", exercises.notebooks())
def test_a_variant_differs_in_its_seeds_alone(name):
    plain = installed(name)
    seven, eight = (variants.notebook_of_variant(plain, name, n) for n in (7, 8))
    assert variants.variant_in(seven["metadata"]) == 7
    assert (code(seven) != code(eight)) == (name in variants.BY_HAND)
    assert re.sub(r"\d+", "", code(seven)) == re.sub(r"\d+", "", code(plain))


def test_the_answers_of_twenty_variants_differ():
    assert len({tuple(symbols(n).values()) for n in range(20)}) == 20


def test_the_right_letters_of_a_variant_are_right_there_and_wrong_elsewhere():
    assert judged(3, symbols(3)).right
    assert judged(4, symbols(3)).right is False
    assert judged(3, dict.fromkeys(match_symbols.SYMBOLS)).right is None


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
