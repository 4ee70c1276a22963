"""What the doctor says, in tests."""

import re

from minisft.formats.rows import example
from minisft.lab.doctor import examine
from minisft.lab.doctor.case import Case, Data
from minisft.lab.doctor.checks import CHECKS

HEALTHY = [
    ("What is the longest river in Peru?", "The longest river in Peru is the Ucayali."),
    ("Who wrote the poem?", "A sailor from Fiji wrote it, in the year of the great storm."),
    (
        "How do I bake bread?",
        "Mix flour, water, salt and yeast, wait for the dough to rise, and bake it in the hot oven.",
    ),
    ("Translate dog.", "Perro."),
    ("Is glass a liquid?", "No, glass is a solid without crystals."),
]


def found(model, data, tests=(), **settings):
    return examine(model, [str(data)], list(map(str, tests)), **settings)


def names(result):
    return [finding["check"] for finding in result["findings"]]


def places(result, check):
    """The lines that a finding names; none if it was not found."""
    where = [place for finding in result["findings"] if finding["check"] == check for place in finding["where"]]
    return [int(re.search(r"(\d+)$", place)[1]) for place in where]


def spotted(check, rows, tests=()):
    """The numbers of the rows, from 1, that a check of the rows finds; no model is asked. For `leak`: of the tests."""
    read = [
        Data([example(row, f"{name}:{n}") for n, row in enumerate(some, 1)])
        for name, some in (("rows", rows), ("tests", tests))
    ]
    (look,) = (one.look for one in CHECKS if one.name == check)
    return sorted(int(place.partition(":")[2]) for place in look(Case(None, *read, [], 0)).where)
