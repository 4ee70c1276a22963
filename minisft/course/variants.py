"""Copies of the course in which neighbours' answers differ: `minisft course DIR --variant N`.

An exercise that is a function is judged on fresh random cases, so it has no answer to copy but its code. Where an
answer is a value, variant N asks for another one, drawn by a seed of its own: other numbers on paper (01), other
letters (02 and 07), another country (07), another mistake to find (10). The runs of the course and their figures are
the same in all copies, as the text speaks of them. The number stands in the notebook's metadata, and `minisft grade`
judges by it.
"""

from typing import Any

import numpy as np

from minisft.course.grading.verdict import Verdict
from minisft.errors import MinisftError, quoted

KEY = "minisft"
BY_HAND = {  # notebook: (its check, the name of the answer)
    "01_log_probability": ("on_paper", "paper"),
    "02_the_objective": ("symbols", "matching"),
    "07_three_states": ("match", "answer"),
    "10_bug_lab": ("accuse", "accused"),
}
COUNTRIES = (  # those whose questions notebook 07 asks; it names the first
    *("Belgium", "the Cook Islands", "Gabon", "Italy", "Luxembourg"),
    *("Mozambique", "Papua New Guinea", "Serbia", "Togo", "Yemen"),
)


def seed_of(variant: int) -> int:
    return 1000 + variant


def other(name: str, variant: int) -> list[tuple[str, str]]:
    """What stands in a notebook, and what stands there in a variant of it."""
    seed = seed_of(variant)
    if name == "01_log_probability":
        from minisft.course.log_probability import paper

        printed, dealt = (paper.lines(paper.table_of(of)) for of in (None, seed))
        return [("check.on_paper(paper)", f"check.on_paper(paper, seed={seed})"), *zip(printed, dealt)]
    if name == "02_the_objective":
        return [("three_pairs, seed=1)", f"three_pairs, seed={seed})")]
    if name == "07_three_states":
        return [("default_rng())", f"default_rng({seed}))"), (COUNTRIES[0], COUNTRIES[seed % len(COUNTRIES)])]
    if name == "10_bug_lab":
        return [("mine = check.deal(seed=9)", f"mine = check.deal(seed={seed})")]
    return []


def notebook_of_variant(notebook: dict, name: str, variant: int) -> dict:
    """The notebook with other values, its number noted. Raises MinisftError if what they replace is not there."""
    cells = [cell | {"source": "".join(cell["source"])} for cell in notebook["cells"]]
    for old, new in other(name, variant):
        if not any(old in cell["source"] for cell in cells):
            raise MinisftError(f"--variant: {name} does not say {quoted(old)}, which a variant replaces; install again")
        cells = [cell | {"source": cell["source"].replace(old, new)} for cell in cells]
    cells = [cell | {"source": cell["source"].splitlines(keepends=True)} for cell in cells]
    return notebook | {"cells": cells, "metadata": notebook["metadata"] | {KEY: {"variant": variant}}}


def variant_in(metadata: Any) -> int | None:
    """The number in the metadata of a notebook, None if there is none."""
    ours = metadata.get(KEY) if isinstance(metadata, dict) else None
    number = ours.get("variant") if isinstance(ours, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**31 else None


def judged_by_hand(notebook: str, answer: Any, variant: int) -> Verdict:
    """What was answered by hand in one variant; letters are judged with a small model under letters dealt alike."""
    seed = seed_of(variant)
    if notebook == "01_log_probability":
        from minisft.course.log_probability import paper

        return paper.on_paper(answer, seed)
    if notebook == "02_the_objective":
        from minisft.course.the_objective import match_symbols

        return match_symbols.symbols(answer, match_symbols.toy(np.random.default_rng(0), seed))
    if notebook == "10_bug_lab":
        from minisft.course.bug_lab import game

        return game.accused(answer, game.drawn(seed, game.SUSPECTS)[0])
    from minisft.course.three_states import match_arrays

    world = match_arrays.toy(np.random.default_rng(0), dealer=np.random.default_rng(seed))
    return match_arrays.match(answer, world)
