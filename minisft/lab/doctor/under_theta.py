"""Checks by θ̂: how likely it finds the answers before it has learned any of them. On a sample, drawn by seed."""

import numpy as np

from minisft import evaluate
from minisft.lab.doctor.case import Case
from minisft.lab.doctor.findings import Found

ROWS, COST = 1000, 5e12  # at most so many rows, and operations
FAR, LEAST_LIKELY = 8.5, 3  # robust standard deviations from the median; tokens
KNOWN, MOST = 0.05, 0.5  # nats per token; a fraction of the loss


def ask(case: Case) -> None:
    """Draw the sample, and ask θ̂ for log Pr of each token of y in it."""
    theta, config = case.model.theta, case.model.config
    if theta is None or config is None:
        return
    usable = [i for i, s in enumerate(case.sequences) if len(s.ids) <= case.max_length and s.is_y[1:].any()]
    lengths = [len(case.sequences[i].ids) for i in usable]
    each = 2.0 * theta.flat.size * (sum(lengths) / max(1, len(lengths)))
    count = min(len(usable), ROWS, max(8, int(COST / max(each, 1.0))))
    rng = np.random.default_rng(0)
    case.sample = sorted(rng.choice(usable, count, replace=False).tolist()) if usable else []
    chosen = [case.sequences[i] for i in case.sample]
    values = evaluate.log_probs(theta, config, chosen) if chosen else []
    case.log_probs = [log_prob[s.is_y[1:]] for s, (log_prob, _) in zip(chosen, values)]


def surprising(case: Case) -> Found:
    """Rows whose −log Pr(y|x) per token is far above the others': by the median, and the median distance from it.

    A wrong word is a few tokens among many, so the three least likely tokens of each answer speak for it; its end token
    does not, which a θ̂ that never chatted finds unlikely everywhere.
    """
    if len(case.sample) < 8:
        return Found([])
    losses = np.array(
        [np.sort(-log_prob[: len(log_prob) - 1 or 1])[-LEAST_LIKELY:].mean() for log_prob in case.log_probs]
    )
    middle = np.median(losses)
    spread = 1.4826 * np.median(np.abs(losses - middle))  # the standard deviation, were they normal
    far = np.flatnonzero(losses > middle + FAR * max(spread, 0.1))
    order = far[np.argsort(-losses[far])]
    said = f"The median is {middle:.3g} nats per token, the first has {losses[order[0]]:.3g}." if len(order) else ""
    return Found(places(case, order), said)


def known(case: Case) -> Found:
    """Rows that θ̂ already knows, if they are over half."""
    losses = np.array([-log_prob.mean() for log_prob in case.log_probs])
    low = np.flatnonzero(losses < KNOWN)
    few = 2 * len(low) <= len(losses)
    return Found(
        [] if few else places(case, low), f"{len(low)} of {len(losses)} rows are below {KNOWN} nats per token."
    )


def starts_badly(case: Case) -> Found:
    """The first token of the answers alone carries most of the loss."""
    several = [(n, log_prob) for n, log_prob in enumerate(case.log_probs) if len(log_prob) > 3]
    if not several:
        return Found([])
    first, whole = -sum(log_prob[0] for _, log_prob in several), -sum(log_prob.sum() for _, log_prob in several)
    share = first / max(whole, 1e-9)
    said = f"{share:.0%} of the loss."
    return Found(places(case, [n for n, _ in several]) if share > MOST else [], said)


def places(case: Case, numbers: list[int] | np.ndarray) -> list[str]:
    return [case.data.examples[case.sample[n]].where for n in numbers]
