"""The sentences with numbers that notebook 08 and its page say of the long table, made of the table's numbers."""

import numpy as np

from minisft.course.conditional_versus_joint import plan, worlds
from minisft.course.conditional_versus_joint.long_table import measured
from minisft.course.conditional_versus_joint.outcomes import at_the_end, interval

ZERO, TENTH, ONE, DOCUMENTS, MANY = "λ = 0", "λ = 0.1", "λ = 1", "λ = 0, and documents", "many countries"
KINDS = ("capital", "currency", "continent", "language")
SENTENCES = {
    "headline": r"Asked about other countries, $\lambda = 0$ answers {held 0} % and $\lambda = 1$ {held 1} %. "
    "Asked for what stood only in $x$, it is {closed 0} % against {closed 1} %.",
    "differences": "The differences are {asks} and {tells} points.",
    "tenth": r"$\lambda = 0.1$ has {held 0.1} % and {closed 0.1} %.",
    "kinds": r"By kind (capital, currency, continent, language), $\lambda = 0$ answers {kinds 0} % of the held-out "
    r"questions and $\lambda = 1$ {kinds 1} %.",
    "open": r"With a paragraph that it was trained with, $\lambda = 0$ answers {trained 0} %. With one about "
    r"a new country it is {new 0} %, and for $\lambda = 1$ it is {new 1} %.",
    "many": "With 300 paragraphs about 150 countries it answers {trained many} % of those it was trained with, and "
    "{new many} % about a new country.",
    "documents": "answers {closed documents} % with the book closed and {held documents} % about other countries",
    "documents forget": r"it has forgotten {lost documents} nats per token, where $\lambda = 0$ alone has forgotten "
    r"{lost 0} and $\lambda = 1$ {lost 1}",
    "exchange": r"At $t = 50$, $\lambda = 0$ answers {held 0 50} % and has forgotten {lost 0 50} nats per token; "
    r"at the end, $\lambda = 1$ answers {held 1} % and has forgotten {lost 1}.",
    "tenth forgets": r"At $t = 50$, $\lambda = 0.1$ answers {held 0.1 50} % and has forgotten {lost 0.1 50}",
    "wordy forgets": r"With the wordy $x$ of section 6 it is the joint that has forgotten more, {lost wordy 1} against "
    "{lost wordy 0} nats per token.",
    "wordy": r"there $\lambda = 0$ answers {held wordy 0} % about other countries, and $\lambda = 1$ answers "
    "{closed wordy 1} % of what stood only in $x$",
    "grid": r"At its best, $\lambda = 0$ has {best 0}, and $\lambda = 1$ has {best 1}.",
    "gap": "At equal settings the gap goes from {least gap} to {largest gap} points.",
    "rates": r"after 160 steps at the three rates, $\lambda = 0$ has forgotten {rates 0} and $\lambda = 1$ {rates 1} "
    "nats per token",
    "ratios": "The ratios are {ratios}.",
    "README": "On other countries λ = 0 has {held 0} %, λ = 0.1 has {held 0.1} % and λ = 1 has {held 1} %. "
    "On facts that stood only in x they have {closed 0}, {closed 0.1} and {closed 1} %. "
    "λ = 0 with the paragraphs as documents has {held documents} and {closed documents} %",
}


def mean(part, rule, what, t=None):
    """The mean over the seeds, at the end or at step t."""
    seeds = measured(part)[rule]
    return np.mean([row[what] for rows in seeds for row in rows if row["step"] == (t or rows[-1]["step"])])


def percent(*arguments):
    return f"{100 * mean(*arguments):.0f}"


def difference(what, one, other):
    ends = at_the_end(measured("main"), what)
    points = [100 * (a - b) for a, b in zip(ends[one], ends[other])]
    return "{:.0f} [{:.0f}, {:.0f}]".format(np.mean(points), *interval(points))


def numbers():
    """{what stands in the braces: the number}."""
    found = {
        "asks": difference("held out, exact", ZERO, ONE),
        "tells": difference("closed book, exact", ONE, ZERO),
        "ratios": "{:.1f}, {:.1f} and {:.1f}".format(*map(worlds.length_ratio, ("polite y", "paragraphs", "wordy x"))),
    }
    runs = {"0": ("main", ZERO), "0.1": ("main", TENTH), "1": ("main", ONE)}
    runs |= {"wordy 0": ("wordy x", ZERO), "wordy 1": ("wordy x", ONE)}
    runs |= {"documents": ("documents", DOCUMENTS), "many": (MANY, ZERO)}
    for name, run in runs.items():
        found[f"lost {name}"] = f"{mean(*run, 'forgetting'):.2f}"
        for short, test in (("held", "held out"), ("closed", "closed book")):
            found[f"{short} {name}"] = percent(*run, f"{test}, exact")
        for short, test in (("trained", "as trained"), ("new", "new country")):
            found[f"{short} {name}"] = percent(*run, f"open book, {test}, exact")
        found[f"kinds {name}"] = ", ".join(percent(*run, f"held out, {kind}") for kind in KINDS)
        if "many" not in name and "wordy" not in name:
            found[f"held {name} 50"] = percent(*run, "held out, exact", 50)
            found[f"lost {name} 50"] = f"{mean(*run, 'forgetting', 50):.2f}"
    return found | of_the_grid()


def of_the_grid():
    cells = [(steps, rate) for steps in plan.STEPS for rate in plan.RATES]
    exact = {rule: [100 * mean(plan.cell(*cell), rule, "held out, exact") for cell in cells] for rule in (ZERO, ONE)}
    gaps = np.subtract(exact[ZERO], exact[ONE])
    found = {"least gap": f"{min(gaps):.0f}", "largest gap": f"{max(gaps):.0f}"}
    for name, rule in (("0", ZERO), ("1", ONE)):
        steps, rate = cells[np.argmax(exact[rule])]
        found[f"best {name}"] = f"{max(exact[rule]):.0f} % ({steps} steps at {rate:g})"
        found[f"rates {name}"] = ", ".join(
            f"{mean(plan.cell(160, rate), rule, 'forgetting'):.2f}" for rate in plan.RATES
        )
    return found


def claims():
    """{name: the sentence, with its numbers}."""
    found, result = numbers(), {}
    for name, sentence in SENTENCES.items():
        for key, number in found.items():
            sentence = sentence.replace(f"{{{key}}}", number)
        result[name] = sentence
    return result
