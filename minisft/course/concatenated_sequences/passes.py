"""A conversation of several turns, one pass per turn: log Pr of the passes adds up to that of one pass over all."""

import numpy as np

from minisft import model, objective
from minisft.config import ModelConfig
from minisft.course.concatenated_sequences.mistakes import TURNS, per_turn
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Stumbled, Verdict, run, same
from minisft.params import Params

TINY = ModelConfig(29, 8, 12, 1, 2, 1)


def log_pr(theta, ids, mask):
    """log Pr of the marked tokens given all before them; the first is given. A mask that fits no ids gives NaN."""
    if len(ids) < 2 or len(ids) != len(mask):
        return 0.0 if len(ids) == len(mask) else np.nan
    rows = np.arange(len(ids) - 1)
    logits, _ = model.forward(theta, TINY, ids[:-1], np.array([0, len(rows)]), rows)
    return float(objective.forward(logits, ids[1:], 1.0 * mask[1:])[0])


@exercise
def passes(answer, seed=None):
    """One pass a turn: log Pr under a random model, of each pass and in all, beside one pass over the conversation."""
    rng = np.random.default_rng(seed)
    theta, terms = Params.random(rng, model.shapes(TINY)), {}
    cases = []
    for turns, behind in ((1, 1), (3, 1), (2, 0)):  # with tokens of x behind the last answer, and without
        lengths = rng.integers(2, 5, 2 * turns + behind)
        cases.append(
            (rng.integers(0, TINY.vocab_size, lengths.sum()), np.repeat(np.arange(len(lengths)) % 2, lengths) > 0)
        )
    for number, (ids, mask) in enumerate(cases):
        given = passed(run(answer, ids, mask))
        wanted = [log_pr(theta, *one) for one in per_turn()(ids, mask)]
        terms[number] = given, sorted(log_pr(theta, *one) for one in given), sorted(wanted)
    if all(same(theirs, ours) for _, theirs, ours in terms.values()):
        whole = log_pr(theta, *cases[1])
        return Verdict(True, f"3 passes give {sum(terms[1][1]):.12f}, one pass over all 3 turns {whole:.12f}")
    for sentence, mistake in TURNS.items():
        if all(same(mistake(*case), terms[number][0]) for number, case in enumerate(cases)):
            return Verdict(False, sentence)
    number = next(number for number, (_, theirs, ours) in terms.items() if not same(theirs, ours))
    given, theirs, ours = terms[number]
    if len(theirs) != len(ours):
        return Verdict(False, f"{len(theirs)} passes for {len(ours)} answers: make one for each")
    if np.isnan(theirs).any():
        return Verdict(False, "the mask of a pass is not as long as its ids")
    return Verdict(False, f"the passes add up to log Pr = {sum(theirs):.6g} where {sum(ours):.6g} is right")


def passed(result):
    """The answer as a list of (ids, mask). Raises Stumbled."""
    try:
        pairs = [(np.asarray(ids, dtype=np.int64), np.asarray(mask).astype(bool)) for ids, mask in result]
    except (TypeError, ValueError):
        raise Stumbled(False, "it should return a list of pairs (ids, mask), one for each answer") from None
    if any(ids.ndim != 1 or mask.ndim != 1 for ids, mask in pairs):
        raise Stumbled(False, "ids and mask of a pass are vectors, one entry a token")
    if any(len(ids) and not (ids.min() >= 0 and ids.max() < TINY.vocab_size) for ids, _ in pairs):
        raise Stumbled(False, "a pass holds ids that the conversation does not have")
    return pairs
