"""A rule that says who wins, the conditional or the joint objective, held against runs."""

import numpy as np

from minisft.course.conditional_versus_joint.outcomes import RULES, winner
from minisft.course.grading.exercise import exercise
from minisft.course.grading.verdict import Verdict, run


@exercise
def predict_winner(answer, measured, seed=None):
    """A rule from (N_x / N_y, whether the answer stood only in x) to "conditional" or "joint", held against runs.

    measured  as in `follows_the_ratio`; comparisons whose interval does not decide are left out
    """
    decided = [(name, ratio, in_x, winner(s)) for name, ratio, in_x, s in measured if winner(s) in RULES]
    said = [run(answer, ratio, in_x) for _, ratio, in_x, _ in decided]
    for (name, *_), rule in zip(decided, said):
        if rule not in RULES:
            return Verdict(False, f"{name}: {rule!r} is neither 'conditional' nor 'joint'")
    if any(run(answer, ratio, in_x) != rule for _ in range(5) for (_, ratio, in_x, _), rule in zip(decided, said)):
        return Verdict(False, "asked twice the same, it says two things: a rule does not")
    wrong = [(name, ratio, rule, won) for (name, ratio, _, won), rule in zip(decided, said) if rule != won]
    rng = np.random.default_rng(seed)
    ratios = rng.uniform(0.1, 30, 200).tolist()
    tried = [(run(answer, r, True), run(answer, r, False)) for r in ratios]
    if not wrong:
        for ratio, *pair in zip(ratios, *zip(*tried)):
            if pair != list(tried[0]):
                why = f"with a ratio of {ratio:.1f} it says something else than with {ratios[0]:.1f}"
                return Verdict(False, f"it fits the runs, but it looks at the ratio, too: {why}; no run says so")
        text = "; ".join(f"{name}: {won}" for name, _, _, won in decided)
        return Verdict(True, f"right in all {len(decided)} that were decided ({text})")
    name, ratio, rule, won = wrong[0]
    example = f"{name} (ratio {ratio:.1f}): you say {rule}, the runs say {won}"
    if len({rule for pair in tried for rule in pair}) == 1:
        return Verdict(False, f"it says {rule} whatever is asked; {example}")
    if all(inside == outside for inside, outside in tried):
        return Verdict(False, f"it looks at the ratio alone, but equal ratios have different winners; {example}")
    if len(wrong) == len(decided):
        return Verdict(False, f"it is the wrong way round in every comparison; {example}")
    if all(len(set(column)) == 1 for column in zip(*tried)):
        return Verdict(False, f"it looks at the right thing and draws the wrong conclusion; {example}")
    return Verdict(False, f"it mixes the ratio in where it does not matter; {example}")
