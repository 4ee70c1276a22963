"""What notebook 08 and the pages say in numbers is what the long table holds."""

import json
import re
from pathlib import Path

import pytest

from .claims import claims

ROOT = Path(__file__).parents[3]
NOTEBOOK = json.loads((ROOT / "notebooks" / "08_conditional_versus_joint.ipynb").read_text(encoding="utf-8"))
PROSE = " ".join(" ".join("".join(c["source"]) for c in NOTEBOOK["cells"] if c["cell_type"] == "markdown").split())
CLAIMS = claims()
PAGES = {"README": "notebooks/README.md"}
NO_MEASUREMENT = {"95 %", "0.1", "0.99"}  # of an interval, a value of λ, a probability in an example


@pytest.mark.parametrize("name", [name for name in CLAIMS if name not in PAGES])
def test_the_notebook_says_what_the_table_holds(name):
    assert CLAIMS[name] in PROSE


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_table_holds(name):
    assert CLAIMS[name] in " ".join((ROOT / PAGES[name]).read_text(encoding="utf-8").split())


def test_no_measured_number_stands_in_the_prose_of_the_notebook_but_in_these_sentences():
    rest = PROSE
    for claim in CLAIMS.values():
        rest = rest.replace(claim, "")
    assert set(re.findall(r"\d[\d.]* %|\b0\.\d+", rest)) <= NO_MEASUREMENT
