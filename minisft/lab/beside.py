"""Our y and another trainer's, token by token: which differ, and which are only blanks after an end token."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from minisft.lab.trl import Trained
from minisft.tokenizer import Tokenizer

LONGEST = 3000  # tokens in which two sequences may differ and are still laid side by side


def pairs(ours: list[int], theirs: list[int]) -> Iterator[tuple[int | None, int | None]]:
    """(place in ours, place in theirs) of each token, None where one of them has none."""
    same = next((n for n, (i, j) in enumerate(zip(ours, theirs)) if i != j), min(len(ours), len(theirs)))
    yield from ((i, i) for i in range(same))
    a, b = ours[same:], theirs[same:]
    if not (a and b) or len(a) + len(b) > LONGEST:
        yield from ((same + i, None) for i in range(len(a)))
        yield from ((None, same + j) for j in range(len(b)))
        return
    for kind, i, k, j, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from ((same + n, same + n - i + j) for n in range(i, k))
        else:
            yield from ((same + n, None) for n in range(i, k))
            yield from ((None, same + n) for n in range(j, m))


def compared(tokenizer: Tokenizer, ids: list[int], counts: np.ndarray, theirs: Trained) -> list[dict[str, Any]]:
    """The tokens of both, in order.

    ids, counts  ours: which tokens are targets
    Each is {"id", "text", "minisft", "trl", "differs", "note"}: whether it is a target of each (None: it is not there),
    whether that differs, and whether it does so as white space after an end token, which is no difference.
    """
    ends = {*tokenizer.stop_ids}
    result, after_end = [], False
    for i, j in pairs(ids, theirs.ids):
        token = ids[i] if i is not None else theirs.ids[j]  # type: ignore[index]
        one = None if i is None else bool(counts[i])
        other = None if j is None else bool(theirs.counts[j])
        text = tokenizer.token_text(token)
        differs = bool(one) != bool(other)
        note = differs and not one and after_end and not text.strip()
        result.append({"id": token, "text": text, "minisft": one, "trl": other, "differs": differs and not note})
        result[-1]["note"] = note
        after_end = token in ends or (after_end and not text.strip())
    return result
