"""Copies of the course in which neighbours' answers differ: `minisft course DIR --variant N`.

An exercise that is a function is judged on fresh random cases, so it has no answer to copy but its code. Where an
answer is a value, things under letters that are matched by hand, variant N deals the letters by a seed of its own. The
number stands in the notebook's metadata, and `minisft grade` judges by it.
"""

import re
from typing import Any

import numpy as np

from minisft.course.grading.verdict import Verdict
from minisft.errors import MinisftError

KEY = "minisft"
BY_HAND = {  # notebook: (its check, the name of the answer, what is replaced in the code, by what)
    "02_the_objective": ("symbols", "matching", r"(check\.boxes\(.*seed=)\d+\)", r"\g<1>{seed})"),
    "07_three_states": ("match", "answer", r"(check\.world\(.*default_rng\()\d*\)\)", r"\g<1>{seed}))"),
}


def seed_of(variant: int) -> int:
    return 1000 + variant


def notebook_of_variant(notebook: dict, name: str, variant: int) -> dict:
    """The notebook with its seeds replaced and its number noted. Raises MinisftError if a seed is not where it was."""
    cells = notebook["cells"]
    if name in BY_HAND:
        *_, pattern, replacement = BY_HAND[name]
        found = 0
        changed = []
        for cell in cells:
            text = "".join(cell["source"])
            if cell["cell_type"] == "code":
                text, count = re.subn(pattern, replacement.format(seed=seed_of(variant)), text)
                found += count
                cell = cell | {"source": text.splitlines(keepends=True)} if count else cell
            changed.append(cell)
        if found != 1:
            raise MinisftError(f"--variant: {name} has {found} places to deal letters where 1 is known; install again")
        cells = changed
    return notebook | {"cells": cells, "metadata": notebook["metadata"] | {KEY: {"variant": variant}}}


def variant_in(metadata: Any) -> int | None:
    """The number in the metadata of a notebook, None if there is none."""
    ours = metadata.get(KEY) if isinstance(metadata, dict) else None
    number = ours.get("variant") if isinstance(ours, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**31 else None


def judged_by_hand(notebook: str, answer: Any, variant: int) -> Verdict:
    """What was matched by hand in one variant, judged by a small model whose letters are dealt alike."""
    if notebook == "02_the_objective":
        from minisft.course.the_objective import match_symbols

        return match_symbols.symbols(answer, match_symbols.toy(np.random.default_rng(0), seed_of(variant)))
    from minisft.course.three_states import match_arrays

    world = match_arrays.toy(np.random.default_rng(0), dealer=np.random.default_rng(seed_of(variant)))
    return match_arrays.match(answer, world)
