"""The predictions of notebook 08: the longer gradient, the best λ, what decides, what is forgotten, what is learnt."""

import numpy as np

from minisft.course.conditional_versus_joint.outcomes import RULES, above, winner
from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import settle


@quiz
def pulls_harder(prediction, norm_x, norm_y):
    """Which gradient is longer at θ̂; the norms are of one batch."""
    ratio = norm_x / norm_y
    outcome = "about the same" if 0.5 < ratio < 2 else "that of x" if ratio > 1 else "that of y"
    happened = f"‖∇ log Pr(x)‖ = {norm_x:.0f}, ‖∇ log Pr(y|x)‖ = {norm_y:.0f}: a ratio of {ratio:.1f}."
    return settle(prediction, ("that of x", "that of y", "about the same"), outcome, happened)


@quiz
def best_weight(prediction, shares):
    """Which λ answers most held-out questions; any that the intervals do not tell from the best is right, too.

    shares  {λ as a text: [a share a seed]}
    """
    means = {name: float(np.mean(seeds)) for name, seeds in shares.items()}
    best = max(means, key=means.get)
    level = [name for name, seeds in shares.items() if not above(shares[best], seeds)]
    happened = "Means of the seeds: " + ", ".join(f"{name}: {mean:.0%}" for name, mean in means.items()) + "."
    if len(level) > 1:
        happened += (
            f" These runs do not decide between {' and '.join(level)}: the interval of their difference holds 0."
        )
    return settle(prediction, tuple(shares), prediction if prediction in level else best, happened)


@quiz
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


@quiz
def forgets_least(prediction, forgetting):
    """Which objective costs least on the pre-training text. forgetting: {objective: [nats a token, a seed]}."""
    means = {name: float(np.mean(seeds)) for name, seeds in forgetting.items()}
    happened = "Nats a token lost: " + ", ".join(f"{name}: {mean:.2f}" for name, mean in means.items()) + "."
    return settle(prediction, tuple(forgetting), min(means, key=means.get), happened)


@quiz
def learns_to_read(prediction, unseen):
    """Whether a paragraph about a country that training has not seen is used. unseen: a share of questions a seed."""
    outcome = "to read it" if np.mean(unseen) > 0.5 else "the answers by heart"
    happened = f"Asked with a paragraph about a country that is new: {np.mean(unseen):.0%} right."
    return settle(prediction, ("to read it", "the answers by heart"), outcome, happened)


@quiz
def last_token_learns(prediction, exact, stopped):
    """What training on the end token alone teaches; shares of held-out questions, a number a seed."""
    outcome = "to answer" if np.mean(exact) > 0.5 else "to stop, not to answer" if np.mean(stopped) > 0.5 else "nothing"
    happened = f"Exact: {np.mean(exact):.0%}; answers that end by themselves: {np.mean(stopped):.0%}."
    return settle(prediction, ("to answer", "to stop, not to answer", "nothing"), outcome, happened)
