"""What many runs lead to: for each objective a number per seed, an interval, and who is better beyond doubt.

    mean ± t s / √n         the 95 % interval of the mean of n seeds with standard deviation s

Two objectives are compared seed by seed: both have had the same pairs, countries and questions, so the difference is
what varies. One is better if the interval of the difference lies above 0.
"""

import numpy as np

RULES = ("conditional", "joint")
T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # Student's, by n
MEASURES = {  # name: (what `follow` calls it, -1 if less is better)
    "held out (%)": ("held out, exact", 1),
    "stopped (%)": ("held out, stopped", 1),
    "loss on y": ("loss y", -1),
    "loss on x": ("loss x", -1),
    "forgetting": ("forgetting", -1),
}


def at_the_end(results: dict, what: str) -> dict[str, list[float]]:
    """{rule: [a number a seed]}: one measure of θ̃, of what `compare` gave."""
    return {rule: [rows[-1][what] for rows in seeds] for rule, seeds in results.items()}


def on_the_way(results: dict, what: str) -> dict[str, list[tuple[int, list[float]]]]:
    """{rule: [(step, [a number a seed])]}: one measure of θ_t, at every look."""
    return {
        rule: [(int(rows[0]["step"]), [row[what] for row in rows]) for rows in zip(*seeds)]
        for rule, seeds in results.items()
    }


def percent(fractions: dict) -> dict:
    return {rule: [100 * fraction for fraction in seeds] for rule, seeds in fractions.items()}


def interval(values) -> tuple[float, float]:
    """The 95 % interval of the mean of 2 to 10 numbers, one a seed."""
    values = np.asarray(values, float)
    half = T[len(values)] * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def with_interval(values, digits=0, bounds=(-np.inf, np.inf)) -> str:
    """The mean, and in square brackets its 95 % interval, as far as it lies within the bounds."""
    mean, low, high = (
        f"{x + 0.0:.{digits}f}" for x in np.round([np.mean(values), *interval(values)], digits).clip(*bounds)
    )
    return f"{mean} [{low}, {high}]"


def in_percent(fractions) -> str:
    """The mean of some fractions and its interval, in percent; none is below 0 or above 100."""
    return with_interval(100 * np.asarray(fractions), bounds=(0, 100))


def with_spread(values, digits=0) -> str:
    """The mean, and in brackets the number of each seed."""
    return f"{np.mean(values):.{digits}f} ({', '.join(f'{value:.{digits}f}' for value in values)})"


def above(ours, theirs) -> bool:
    """Whether the first is larger beyond doubt, over the seeds that both have had."""
    difference = [a - b for a, b in zip(ours, theirs)]
    return interval(difference)[0] > 0


def winner(shares: dict) -> str:
    """The rule that is above every other beyond doubt; "not decided" if none is."""
    for rule, seeds in shares.items():
        if all(above(seeds, other) for name, other in shares.items() if name != rule):
            return rule
    return "not decided"


def consequences(results: dict) -> tuple[list[str], list[list]]:
    """Columns and rows of a table: what each objective leads to, and what of it is good and bad beside the first."""
    rows, first = [], next(iter(results))
    for rule in results:
        row, good, bad = [rule], [], []
        for name, (what, sign) in MEASURES.items():
            ends = at_the_end(results, what)
            row.append(in_percent(ends[rule]) if "%" in name else with_interval(ends[rule], 2))
            ours, theirs = (sign * np.array(ends[r]) for r in (rule, first))
            good += [name.split(" (")[0]] * above(ours, theirs)
            bad += [name.split(" (")[0]] * above(theirs, ours)
        rows.append([*row, ", ".join(good) or "–", ", ".join(bad) or "–"])
    return ["objective", *MEASURES, "better", "worse"], rows
