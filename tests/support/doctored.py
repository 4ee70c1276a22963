"""What the doctor says, in tests."""

import re

from minisft.lab.doctor import examine

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
