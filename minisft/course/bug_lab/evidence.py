"""What a detective may ask of a run: each measurement is a function of the finished run, made while its mistake is on.

It returns what a notebook shows, a table or a sentence.
"""

import numpy as np

from minisft import data, evaluate, optim, train
from minisft.config import TrainConfig
from minisft.course.display import table
from minisft.formats import resources
from minisft.lab import checks, experiment
from minisft.params import Params


def answers(run):
    """Three held-out questions, what the model says, and whether the run calls it right."""
    _, config, tokenizer = experiment.world()
    asked = experiment.questions(shown=True)[1:100:33]
    given = evaluate.answers(run.theta, config, tokenizer, asked, experiment.MAX_NEW_TOKENS)
    rows = [
        [a["predicted"], a["expected"], "yes" if a["exact"] else "no", "yes" if a["stopped"] else "no"] for a in given
    ]
    return table(["ŷ", "y", "called right", "stopped"], rows)


def rates(run):
    """Exact match, stop rate and held-out loss, as the run reports them."""
    judged = experiment.judged(run.theta, shown=True)
    return table(["held-out loss, nats per token", "exact match", "stop rate"], [list(judged.values())])


def other_questions(run):
    """The same three of other questions, by the library as it is."""
    head = ["true held-out loss, nats per token", "true exact match", "true stop rate"]
    return table(head, [list(run.truth.values())])


def batch_row(run):
    """The first sequence of the first batch, without its middle: what is read, the target, and its weight."""
    _, _, tokenizer = experiment.world()
    _, batch = next(train.batches(run.sequences, run.settings))
    rows = slice(*batch.starts[:2])
    text = tokenizer.token_text
    triples = zip(batch.ids[rows], batch.targets[rows], batch.weights[rows])
    lines = [[text(int(i)), text(int(j)), float(w)] for i, j, w in triples]
    return table(["read", "target", "weight"], [*lines[:3], ["…", "…", "…"], *lines[-24:]])


def rows(run):
    """What the run has learned from: how many rows, how they end, and what they share with the questions."""
    _, _, tokenizer = experiment.world()
    ends = np.mean([s.ids[np.flatnonzero(s.is_y)[-1]] in tokenizer.stop_ids for s in run.sequences])
    tokens = {s.ids.tobytes() for s in run.sequences}
    shared = sum(data.encode(e, tokenizer).ids.tobytes() in tokens for e in experiment.questions(shown=True))
    longest = max(len(s.ids) for s in run.sequences)
    last = "".join(tokenizer.token_text(int(i)) for i in run.sequences[0].ids[-14:])
    head = [
        "rows",
        "longest, tokens",
        "y ends with an end token",
        "questions of the test among them",
        "the first one ends",
    ]
    return table(head, [[len(run.sequences), longest, f"{ends:.0%}", shared, last]])


def schedule(run):
    """The learning rate of some steps."""
    steps = [row for row in run.metrics if row["step"] in (1, 2, 4, 6, 7, 12, 24, 30, 45, 60)]
    return table(
        ["step", *(row["step"] for row in steps)], [["rate × 10⁴", *(1e4 * row["learning_rate"] for row in steps)]]
    )


def update(run):
    """One and two updates of AdamW on numbers of one's own: how far they move, in units of the learning rate."""
    settings, rate = TrainConfig(weight_decay=0.1), 1e-3
    shapes = {"matrix": (1, 2), "gain": (2,)}
    theta, grad = Params(shapes, np.float64, np.ones(4)), Params(shapes, np.float64, np.array([1.0, 1e-5] * 2))
    optimizer, lines = optim.make(theta, settings), []
    for number in (1, 2):
        before = theta.flat.copy()
        optimizer.step(theta, grad, rate)
        lines.append([number, *((theta.flat - before) / rate)])
    names = [f"{name}, gradient {g:g}" for name in shapes for g in (1, 1e-5)]
    return table(["update", *names], lines)


def question(run):
    """A question as the model is asked it, and the tokens at which it stops."""
    _, _, tokenizer = experiment.world()
    ids, _ = vars(evaluate)["question"](experiment.questions(shown=True)[0], tokenizer)
    stops = " ".join(tokenizer.token_text(i) for i in tokenizer.stop_ids)
    return table(["asked", "it stops at"], [["".join(map(tokenizer.token_text, ids)), stops]])


def judging(run):
    """Is "It is not Lima." a right answer where "Lima" is expected?"""
    _, _, tokenizer = experiment.world()
    comparable = vars(evaluate)["comparable"]
    same = comparable("It is not Lima.", tokenizer) == comparable("Lima", tokenizer)
    return table(["answer", "expected", "called right"], [["It is not Lima.", "Lima", "yes" if same else "no"]])


def gradcheck(run):
    """The worst relative error of a gradient."""
    return table(["worst relative error of a gradient"], [[f"{experiment.gradient_error(None):.0e}"]])


def invariances(run):
    """What matters though it must not."""
    found = [name for name, matters in checks.INVARIANCES.items() if matters()]
    return table(["what matters though it must not"], [[", ".join(found) or "nothing"]])


def enumeration(run):
    """Is Pr(y|x) of all short y, by the objective, that of drawing y token by token?"""
    return table(["the objective and the sampler have the same Pr(y|x)"], [["no" if checks.enumeration() else "yes"]])


def overfitted(run):
    """Eight rows, trained until they are known: the loss, and the answers to the same eight questions."""
    found = checks.rehearsal()
    return table(
        ["found by the loss", "found by the stop rate", "found by the answers"],
        [["yes" if v else "no" for v in found.values()]],
    )


def first_loss(run):
    """The first loss of the run, and what evaluation says of rows like these under θ̂."""
    theta_hat, config, tokenizer = experiment.world()
    sequences = [data.encode(e, tokenizer) for e in data.read([resources.path("atlas_train.jsonl")])[:16]]
    values = [v[s.is_y[1:]] for s, (v, _) in zip(sequences, evaluate.log_probs(theta_hat, config, sequences))]
    return table(
        ["first loss of the run", "−log Pr per token of y under θ̂, by evaluation"],
        [[run.metrics[0]["loss"], -float(np.concatenate(values).mean())]],
    )
