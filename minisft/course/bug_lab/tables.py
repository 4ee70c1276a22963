"""Tables of runs: what a run shows, and what is true."""

from minisft.course.display import table

HEAD = ["run", "loss", "held-out loss shown", "true", "exact match shown", "true", "stop rate shown", "true"]
COLUMNS = (
    "loss",
    "held_out_loss",
    "true_held_out_loss",
    "exact_match",
    "true_exact_match",
    "stop_rate",
    "true_stop_rate",
)
LOSSES = 3  # the first columns, in nats per token; the others are fractions


def shown_and_true(runs: dict[str, dict[str, float]]):
    """A row for each run, {its name: its symptoms}."""
    rows = []
    for name, run in runs.items():
        values = [run[column] for column in COLUMNS]
        rows.append([name, *(f"{v:.3f}" for v in values[:LOSSES]), *(f"{v:.0%}" for v in values[LOSSES:])])
    return table(HEAD, rows)
