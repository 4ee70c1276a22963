"""The sentences with numbers that notebook 08 and the pages say of the long table, made of its numbers."""

import numpy as np

from minisft.course.conditional_versus_joint import plan, worlds
from minisft.course.conditional_versus_joint.long_table import measured
from minisft.course.conditional_versus_joint.outcomes import above, at_the_end, interval, winner

ZERO, TENTH, ONE, DOCUMENTS = "λ = 0", "λ = 0.1", "λ = 1", "λ = 0, and documents"


def percent(part, rule, what, t=None):
    """The mean over the seeds, in whole percent; at the end, or at step t."""
    return f"{100 * mean(part, rule, what, t):.0f}"


def mean(part, rule, what, t=None):
    rows = [
        row for seed in measured(part)[rule] for row in (seed[-1:] if t is None else seed) if t in (None, row["step"])
    ]
    return np.mean([row[what] for row in rows])


def grid(rule):
    """{(steps, rate): mean share of held-out questions}."""
    return {(s, r): mean(plan.cell(s, r), rule, "held out, exact") for s in plan.STEPS for r in plan.RATES}


def difference(what, one, other, part="main"):
    ends = at_the_end(measured(part), what)
    return [100 * (a - b) for a, b in zip(ends[one], ends[other])]


def claims():
    held, closed, new, trained = (
        "held out, exact",
        "closed book, exact",
        "open book, new country, exact",
        "open book, as trained, exact",
    )
    asks, tells = difference(held, ZERO, ONE), difference(closed, ONE, ZERO)
    kinds = ("capital", "currency", "continent", "language")
    best = {rule: max(grid(rule), key=grid(rule).get) for rule in (ZERO, ONE)}
    worst_gap, best_gap = (f([100 * (grid(ZERO)[c] - grid(ONE)[c]) for c in grid(ZERO)]) for f in (min, max))
    ratio = {name: f"{worlds.length_ratio(name):.1f}" for name in ("polite y", "paragraphs", "wordy x")}
    return {
        "headline": f"Asked about other countries, $\\lambda = 0$ answers {percent('main', ZERO, held)} % and $\\lambda = 1$ "
        f"{percent('main', ONE, held)} %. Asked for what stood only in $x$, it is {percent('main', ZERO, closed)} % against "
        f"{percent('main', ONE, closed)} %.",
        "differences": f"The differences are {np.mean(asks):.0f} points [{interval(asks)[0]:.0f}, {interval(asks)[1]:.0f}] and "
        f"{np.mean(tells):.0f} points [{interval(tells)[0]:.0f}, {interval(tells)[1]:.0f}].",
        "tenth": f"$\\lambda = 0.1$ has {percent('main', TENTH, held)} % and {percent('main', TENTH, closed)} %.",
        "kinds": "By kind, $\\lambda = 1$ answers "
        + ", ".join(f"{percent('main', ONE, f'held out, {kind}')} % ({kind})" for kind in kinds)
        + " of the held-out questions, $\\lambda = 0$ "
        + ", ".join(f"{percent('main', ZERO, f'held out, {kind}')} %" for kind in kinds)
        + ".",
        "open": f"With a paragraph it was trained with, $\\lambda = 0$ answers {percent('main', ZERO, trained)} %; with one about "
        f"a new country {percent('main', ZERO, new)} %, and $\\lambda = 1$ {percent('main', ONE, new)} %.",
        "many": f"With 300 paragraphs about 150 countries it answers {percent('many countries', ZERO, trained)} % of those it was "
        f"trained with, and {percent('many countries', ZERO, new)} % about a new country.",
        "documents": f"answers {percent('documents', DOCUMENTS, closed)} % with the book closed and "
        f"{percent('documents', DOCUMENTS, held)} % about other countries",
        "documents forget": f"it forgets {mean('documents', DOCUMENTS, 'forgetting'):.2f} nats per token, where $\\lambda = 0$ alone "
        f"forgets {mean('main', ZERO, 'forgetting'):.2f} and $\\lambda = 1$ {mean('main', ONE, 'forgetting'):.2f}",
        "exchange": f"At $t = 50$, $\\lambda = 0$ answers {percent('main', ZERO, held, 50)} % and has forgotten "
        f"{mean('main', ZERO, 'forgetting', 50):.2f} nats per token; at the end, $\\lambda = 1$ answers "
        f"{percent('main', ONE, held)} % and has forgotten {mean('main', ONE, 'forgetting'):.2f}.",
        "tenth forgets": f"At $t = 50$, $\\lambda = 0.1$ answers {percent('main', TENTH, held, 50)} % and has forgotten "
        f"{mean('main', TENTH, 'forgetting', 50):.2f}",
        "rates": f"After 160 steps, $\\lambda = 0$ has forgotten "
        + " / ".join(f"{mean(plan.cell(160, rate), ZERO, 'forgetting'):.2f}" for rate in plan.RATES)
        + " and $\\lambda = 1$ "
        + " / ".join(f"{mean(plan.cell(160, rate), ONE, 'forgetting'):.2f}" for rate in plan.RATES)
        + " nats per token at the three rates",
        "grid": f"At its best, $\\lambda = 0$ has {100 * grid(ZERO)[best[ZERO]]:.0f} % ({best[ZERO][0]} steps at {best[ZERO][1]:g}), "
        f"and $\\lambda = 1$ has {100 * grid(ONE)[best[ONE]]:.0f} % ({best[ONE][0]} steps at {best[ONE][1]:g}).",
        "gap": f"At equal settings the gap goes from {worst_gap:.0f} to {best_gap:.0f} points.",
        "ratios": f"The ratios are {ratio['polite y']}, {ratio['paragraphs']} and {ratio['wordy x']}.",
        "README": f"On other countries λ = 0 has {percent('main', ZERO, held)} %, λ = 0.1 has {percent('main', TENTH, held)} % and "
        f"λ = 1 has {percent('main', ONE, held)} %. On facts that stood only in x they have {percent('main', ZERO, closed)}, "
        f"{percent('main', TENTH, closed)} and {percent('main', ONE, closed)} %. λ = 0 with the paragraphs as documents has "
        f"{percent('documents', DOCUMENTS, held)} and {percent('documents', DOCUMENTS, closed)} %",
    }
