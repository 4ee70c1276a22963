"""What many runs lead to: for each objective a number per seed, and a table of all that is good and bad about it."""

import numpy as np

RULES = ("conditional", "joint")


def at_the_end(results: dict, what: str) -> dict[str, list[float]]:
    """{rule: [a number a seed]}: one measure of θ̃, of what `compare` gave."""
    return {rule: [rows[-1][what] for rows in seeds] for rule, seeds in results.items()}


def percent(shares: dict) -> dict:
    return {rule: [100 * share for share in seeds] for rule, seeds in shares.items()}


def with_spread(values, digits=0) -> str:
    """The mean, and in brackets the number of each seed."""
    return f"{np.mean(values):.{digits}f} ({', '.join(f'{value:.{digits}f}' for value in values)})"


def winner(shares: dict) -> str:
    """The rule whose worst seed beats the best seed of every other; "not decided" if none does."""
    for rule, seeds in shares.items():
        if all(min(seeds) > max(other) for name, other in shares.items() if name != rule):
            return rule
    return "not decided"


def consequences(results: dict) -> tuple[list[str], list[list]]:
    """Columns and rows of a table: what each objective leads to, and what of it is good and bad beside the first.

    Good and bad are what all seeds agree on: the worst of one objective is better than the best of the other.
    """
    wanted = {"held out": 1, "held out, stopped": 1, "loss y": -1, "loss x": -1, "forgetting": -1}  # -1: less is better
    names = ["held out (%)", "stopped (%)", "loss on y", "loss on x", "forgetting"]
    ends = {what: at_the_end(results, what) for what in wanted}
    rows, first = [], next(iter(results))
    for rule in results:
        row = [
            with_spread(100 * np.array(ends[what][rule]))
            if what.startswith("held")
            else with_spread(ends[what][rule], 2)
            for what in wanted
        ]
        good, bad = [], []
        for name, (what, sign) in zip(names, wanted.items()):
            ours, theirs = (sign * np.array(ends[what][r]) for r in (rule, first))
            good += [name.split(" (")[0]] * bool(min(ours) > max(theirs))
            bad += [name.split(" (")[0]] * bool(max(ours) < min(theirs))
        rows.append([rule, *row, ", ".join(good) or "–", ", ".join(bad) or "–"])
    return ["objective", *names, "better", "worse"], rows
