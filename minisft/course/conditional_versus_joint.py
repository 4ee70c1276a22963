"""Checks of notebook 08: log Pr(x, y) = log Pr(x) + log Pr(y|x), who wins where, and an objective of one's own."""

import numpy as np

from minisft.course.grading.arrays import array
from minisft.course.grading.verdict import Verdict, kindly, run, same, settle
from minisft.course.normalisers import completion_share, weigh
from minisft.course.side_by_side import last_token, weighted, winner
from minisft.course.two_parts import two_gradients

__all__ = [
    "best_weight",
    "completion_share",
    "follows_the_ratio",
    "forgets_least",
    "last_token_learns",
    "my_objective",
    "predict_winner",
    "pulls_harder",
    "two_gradients",
    "weigh",
]

RULES = ("conditional", "joint")

# --- quizzes ---------------------------------------------------------------------------------------------------------


def pulls_harder(prediction, norm_x, norm_y):
    """Which gradient is longer at θ̂; the norms are of one batch."""
    ratio = norm_x / norm_y
    outcome = "about the same" if 0.5 < ratio < 2 else "that of x" if ratio > 1 else "that of y"
    happened = f"‖∇ log Pr(x)‖ = {norm_x:.0f}, ‖∇ log Pr(y|x)‖ = {norm_y:.0f}: a ratio of {ratio:.1f}."
    return settle(prediction, ("that of x", "that of y", "about the same"), outcome, happened)


def best_weight(prediction, shares):
    """Which λ answers most held-out questions; any that the seeds do not tell from the best is right, too.

    shares  {λ as a text: [a share a seed]}
    """
    means = {name: float(np.mean(seeds)) for name, seeds in shares.items()}
    best = max(means, key=means.get)
    level = [name for name, seeds in shares.items() if max(seeds) >= min(shares[best])]
    happened = "Means of the seeds: " + ", ".join(f"{name}: {mean:.0%}" for name, mean in means.items()) + "."
    if len(level) > 1:
        happened += f" The seeds of {' and '.join(level)} overlap: these runs do not decide between them."
    return settle(prediction, tuple(shares), prediction if prediction in level else best, happened)


def follows_the_ratio(prediction, measured):
    """Whether N_x / N_y decides. measured: [(name, ratio, stood only in x, {rule: [a share a seed]})]."""
    clear = [(ratio, winner(shares)) for _, ratio, _, shares in measured if winner(shares) in RULES]
    joint = [ratio for ratio, rule in clear if rule == "joint"]
    other = [ratio for ratio, rule in clear if rule == "conditional"]
    outcome = "the ratio does not decide"
    if joint and other and min(joint) > 1.1 * max(other):
        outcome = "the joint wins where x is long"
    elif joint and other and 1.1 * max(joint) < min(other):
        outcome = "the joint wins where x is short"
    listed = "; ".join(f"{name} {ratio:.1f}: {winner(shares)}" for name, ratio, _, shares in measured)
    options = ("the joint wins where x is long", "the joint wins where x is short", "the ratio does not decide")
    return settle(prediction, options, outcome, f"N_x / N_y and the winner: {listed}.")


def forgets_least(prediction, forgetting):
    """Which objective costs least on the pre-training text. forgetting: {objective: [nats a token, a seed]}."""
    means = {name: float(np.mean(seeds)) for name, seeds in forgetting.items()}
    happened = "Nats a token lost: " + ", ".join(f"{name}: {mean:.2f}" for name, mean in means.items()) + "."
    return settle(prediction, tuple(forgetting), min(means, key=means.get), happened)


def last_token_learns(prediction, exact, stopped):
    """What training on the end token alone teaches; shares of held-out questions, a number a seed."""
    outcome = "to answer" if np.mean(exact) > 0.5 else "to stop, not to answer" if np.mean(stopped) > 0.5 else "nothing"
    happened = f"Exact: {np.mean(exact):.0%}; answers that end by themselves: {np.mean(stopped):.0%}."
    return settle(prediction, ("to answer", "to stop, not to answer", "nothing"), outcome, happened)


# --- predict the winner ----------------------------------------------------------------------------------------------


@kindly
def predict_winner(answer, measured, seed=None):
    """A rule from (N_x / N_y, whether the answer stood only in x) to "conditional" or "joint", held against runs.

    measured  as in `follows_the_ratio`; comparisons that the seeds do not decide are left out
    """
    decided = [(name, ratio, in_x, winner(s)) for name, ratio, in_x, s in measured if winner(s) in RULES]
    said = [run(answer, ratio, in_x) for _, ratio, in_x, _ in decided]
    for (name, *_), rule in zip(decided, said):
        if rule not in RULES:
            return Verdict(False, f"{name}: {rule!r} is neither 'conditional' nor 'joint'")
    wrong = [(name, ratio, rule, won) for (name, ratio, _, won), rule in zip(decided, said) if rule != won]
    if not wrong:
        text = "; ".join(f"{name}: {won}" for name, _, _, won in decided)
        return Verdict(True, f"right in all {len(decided)} that were decided ({text})")
    name, ratio, rule, won = wrong[0]
    example = f"{name} (ratio {ratio:.1f}): you say {rule}, the runs say {won}"
    rng = np.random.default_rng(seed)
    tried = [(run(answer, r, True), run(answer, r, False)) for r in rng.uniform(0.1, 30, 60).tolist()]
    if len({rule for pair in tried for rule in pair}) == 1:
        return Verdict(False, f"it says {rule} whatever is asked; {example}")
    if all(inside == outside for inside, outside in tried):
        return Verdict(False, f"it looks at the ratio alone, but equal ratios have different winners; {example}")
    if len(wrong) == len(decided):
        return Verdict(False, f"it is the wrong way round in every comparison; {example}")
    if all(len(set(column)) == 1 for column in zip(*tried)):
        return Verdict(False, f"it looks at the right thing and draws the wrong conclusion; {example}")
    return Verdict(False, f"it mixes the ratio in where it does not matter; {example}")


# --- an objective of one's own ---------------------------------------------------------------------------------------

IN_THE_TABLE = {
    "this is the conditional objective: 1 on y, 0 on x": weighted(0.0),
    "this is the joint objective: 1 on every row": weighted(1.0),
    "this is λ = 0.1": weighted(0.1),
    "this is λ = 0.3": weighted(0.3),
    "this is the last token of y alone": last_token,
    "this is log Pr(x) alone: nothing of y is learnt": lambda mask: ~mask,
}


@kindly
def my_objective(answer, seed=None):
    """A rule that can be trained, that makes something of y likelier, and that the table does not have yet."""
    rng = np.random.default_rng(seed)
    masks = [np.arange(x + y) >= x for x, y in rng.integers(3, 25, (6, 2))]
    rules = [run(answer, mask) for mask in masks]
    for mask, rule in zip(masks, rules):
        m = array(rule, f"{rule!r:.60} is no array of numbers")
        if m.shape != mask.shape:
            return Verdict(False, f"the shape is {m.shape}: one number for each row is asked for, {mask.shape}")
        if not np.isfinite(m).all():
            return Verdict(False, "a weight is not finite: is something divided by 0?")
        if (m[mask] < 0).any():
            return Verdict(False, "a weight on y is negative: that token is made less likely, without end")
        if (m < 0).any():
            return Verdict(
                False, "a weight on x is negative: log Pr of that token falls without end, and the run diverges"
            )
        if not m.any():
            return Verdict(False, "all weights are 0: nothing to learn")
    for mask, rule in zip(masks, rules):
        if not same(run(answer, mask), rule):
            return Verdict(False, "it gives other weights each time: an objective is one function of θ")
    for sentence, known in IN_THE_TABLE.items():
        if all(proportional(np.asarray(m, float), np.asarray(known(mask), float)) for m, mask in zip(rules, masks)):
            return Verdict(False, f"{sentence}, up to a factor. It is in the table: propose another one")
    if not any(np.asarray(m)[mask].any() for m, mask in zip(rules, masks)):
        return Verdict(False, "no weight on y: it never learns to answer")
    on_y = np.mean([np.asarray(m, float)[mask].sum() / np.sum(m) for m, mask in zip(rules, masks)])
    return Verdict(True, f"a new objective: {on_y:.0%} of its weight is on y in these cases. Run the next cell")


def proportional(a, b):
    """Equal up to a positive factor, of the last entry: that is of y."""
    return same(a * np.abs(b).max(), b * np.abs(a).max())
