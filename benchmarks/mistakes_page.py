"""docs/mistakes.md: what every mistake costs, as a page, made of minisft/lab/runs.json."""

from pathlib import Path

from minisft.formats.markup import Markdown, code, table
from minisft.lab import experiment, prices
from minisft.lab.doctor.checks import CHECKS
from minisft.lab.mistakes import MISTAKES, Mistake

PAGE = Path(__file__).resolve().parents[1] / "docs" / "mistakes.md"

TOP = """\
# What the mistakes of fine-tuning cost

The {count} mistakes below were made by somebody in public, and the threads are named with each where one was found.
Here each is made on purpose, as a switch around the unchanged library, and measured:

```python
from minisft.lab import mistakes

with mistakes.by_name("end-token-masked").on():
    ...  # whatever is encoded, trained, asked or judged in here is done with the mistake
```

A run fine-tunes `atlas` on 200 questions: {steps} steps of 16 pairs in micro-batches of 4, AdamW at {rate:g}, with
warm-up, a linear schedule, weight decay and clipping, and a break halfway. All numbers are means over three seeds,
and over eight without a mistake.

{origin}

**The training loss hardly ever tells.** Exact match, as the run reports it or as it is, is at least 10 points off
with {costly} of the mistakes. With {healthy} of these the training loss looks healthy: it falls below a quarter of
where it began, and stays above 0. Even next to the curves of runs that are right, the curves of {never} of all
{count} never leave their band.

## The table

- *loss*: the training loss, the mean of the last ten steps. *held-out loss*: in nats per token of y. *Shown* is what
  the run's own code says, with the mistake in it. *True* is what the library says of the same θ̃, on other questions.
- *seen at*: the first step at which the curve of the loss (the mean of 5 steps) leaves the band of the eight runs
  without a mistake, widened by half on each side. Without such a band beside your curve you see less.
- *found by*: the checks of [minisft/lab/checks.py](../minisft/lab/checks.py), run with the mistake on, in a world of
  five tokens.

{table}

Some of them cost nothing here. A wrong line need not make a wrong result; so a result like that of a right run does
not prove the lines. Where no check finds a mistake, look at the data, the schedule and the code.

## Which check finds which

{matrix}

{explained}

`minisft doctor` reads the data and the files of a model, and no code. So it says nothing while a switch is on. Where
the same fault stands in the data or in these files, its check is named in the last column.

## Each of them
"""

EXPLAINED = """\
| check | what it asks |
|---|---|
| gradcheck | is backward the derivative of forward? |
| invariance | does something matter that must not: the split of a step, the others in the batch, a break, later \
tokens, the other questions, asking twice? |
| enumeration | for every short y: is Pr(y\\|x) by the objective that of drawing it token by token? |
| overfitting | is the loss on eight rows trained to almost 0? |
| loss at start | is the first loss what evaluation says of the same rows? |
| stop rate | do the answers of the overfitted model end? |
| own rows | are they the answers that it was trained on? |"""


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def costly(price: dict, without: dict) -> bool:
    """Whether exact match, as it is or as it is reported, is at least 10 points from that of a right run."""
    return any(abs(price[name] - without[name]) >= 0.1 for name in ("exact_match", "true_exact_match"))


def row(name: str, where: str, price: dict, found: dict[str, bool]) -> list[object]:
    seen = price["seen_at"]
    return [
        code(name) if where else Markdown("**without**"),
        where,
        f"{price['loss']:.3f}",
        f"{price['held_out_loss']:.2f}, {price['true_held_out_loss']:.2f}",
        f"{percent(price['exact_match'])}, {percent(price['true_exact_match'])}",
        percent(price["stop_rate"]),
        "" if not where else "never" if seen is None else seen,
        ", ".join(check for check, says in found.items() if says),
    ]


def doctor(name: str) -> Markdown:
    """The doctor's checks for the same fault in the data or in the files of a model."""
    return Markdown(", ".join(str(code(check.name)) for check in CHECKS if check.mistake == name))


def thread(seen: str) -> str:
    repository, number = seen.split("#")
    return f"[{seen}](https://github.com/{repository}/issues/{number})"


def section(mistake: Mistake) -> str:
    lines = [f"# wrong\n{mistake.wrong}\n# right\n{mistake.right}"]
    threads = ", ".join(map(thread, mistake.seen)) or "no public thread found"
    return f"### {mistake.name}\n\n{mistake.about}\n\n```python\n{lines[0]}\n```\n\nIn public: {threads}.\n"


def origin(measured: dict[str, str]) -> str:
    return (
        f"Measured by `{measured['command']}` on {measured['date']}: {measured['processor']}, "
        f"NumPy {measured['numpy']}, {measured['blas']}."
    )


def page(runs: dict) -> str:
    """The text of docs/mistakes.md."""
    means = prices.summary(runs)
    without, of = means["without"], {m.name: means[m.name] for m in MISTAKES}
    head = [
        "mistake",
        "where",
        "loss",
        "held-out loss: shown, true",
        "exact match: shown, true",
        "stop rate",
        "seen at",
    ]
    rows = [row(m.name, m.where, of[m.name], runs[m.name]["found"]) for m in MISTAKES]
    rows = [row("", "", without, {}), *rows]
    checks = list(runs[MISTAKES[0].name]["found"])
    dots = [
        [code(m.name), *("●" if says else "" for says in runs[m.name]["found"].values()), doctor(m.name)]
        for m in MISTAKES
    ]
    dear = [name for name, price in of.items() if costly(price, without)]
    text = TOP.format(
        count=len(MISTAKES),
        steps=experiment.SETTINGS.max_steps,
        rate=experiment.SETTINGS.learning_rate,
        origin=origin(runs["measured"]),
        costly=len(dear),
        healthy=sum(of[name]["looks_healthy"] for name in dear),
        never=sum(price["seen_at"] is None for price in of.values()),
        table=table([[*head, "found by"], ["---"] * (len(head) + 1), *rows]),
        matrix=table([["mistake", *checks, "doctor"], ["---"] * (len(checks) + 2), *dots]),
        explained=EXPLAINED,
    )
    return text + "\n" + "\n".join(map(section, MISTAKES))
