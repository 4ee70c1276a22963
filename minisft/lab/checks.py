"""What one can look at to find a mistake, in a world of five tokens: each check says True if it has found one.

    gradcheck      is backward the derivative of forward?
    invariance     what must not matter: how a step is split, who else is in the batch, a break, what comes later, the
                   other questions, asking twice
    enumeration    Pr(y|x) of every short y, by the objective and by drawing token by token: are they the same?
    overfitting    the loss on eight rows is trained to almost 0
    loss at start  the first loss of a run is what evaluation says of the same rows
    stop rate      the answers of the overfitted model end
    own rows       they are the answers it was trained on

A check knows the library only by what it does; that a mistake is on it cannot see.
"""

from collections.abc import Callable
from itertools import product

import numpy as np

from minisft import data, evaluate, model, objective, train
from minisft.data import Batch, Sequence
from minisft.lab import experiment, letters
from minisft.lab.letters import CONFIG, SETTINGS, Letters
from minisft.lab.mistakes.mistake import Mistake
from minisft.params import Params
from minisft.train import State
from minisft.verification import whole_model

EXACT = 1e-9
LEARNED = 0.05  # nats per token: the eight rows are known
SHORT = 3  # tokens of y, the end token not counted

tokenizer = Letters()


def found(mistake: Mistake | None) -> dict[str, bool]:
    """What each check says while the mistake is on."""
    checks = {
        "gradcheck": gradcheck,
        "invariance": invariance,
        "enumeration": enumeration,
        "loss at start": loss_at_start,
    }
    result = {}
    for name, check in checks.items():
        with experiment.during(mistake):
            result[name] = bool(check())
    with experiment.during(mistake):
        return result | {name: bool(says) for name, says in rehearsal().items()}


# --- one step ---------------------------------------------------------------------------------------------------------


def gradcheck() -> bool:
    return experiment.gradient_error(None) > whole_model.TOLERANCE


def encoded() -> list[Sequence]:
    return [data.encode(example, tokenizer) for example in letters.examples()]


def gradient(theta: Params, parts: list[Batch]) -> tuple[float, np.ndarray]:
    """J and ∇J, added up over parts."""
    grad = theta.like()
    J = sum(float(train.value_and_grad(theta, grad, CONFIG, part, dJ=1.0)[0]) for part in parts)
    return J, grad.flat


def differ(one: tuple[float, np.ndarray], other: tuple[float, np.ndarray]) -> bool:
    """Two J, or two ∇J."""
    return far(one[0], other[0]) or far(one[1], other[1])


def far(a: np.ndarray | float, b: np.ndarray | float) -> bool:
    return not np.allclose(a, b, rtol=EXACT, atol=EXACT)


def invariance() -> bool:
    return any(check() for check in INVARIANCES.values())


def split_matters() -> bool:
    theta, batch = letters.theta(), data.collate(encoded(), dtype=np.float64)
    return differ(*(gradient(theta, list(batch.split(size))) for size in (8, 3)))


def company_matters() -> bool:
    """J of all sequences together, and of each by itself, added up."""
    theta, sequences = letters.theta(), encoded()
    together = gradient(theta, [data.collate(sequences, 0.0, "sum", np.float64)])
    apart = gradient(theta, [data.collate([s], 0.0, "sum", np.float64) for s in sequences])
    return differ(together, apart)


def break_matters() -> bool:
    sequences = encoded()

    def steps(state: State, until: int) -> State:
        for _ in train.train(state, CONFIG, sequences, SETTINGS):
            if state.step == until:
                break
        return state

    whole = steps(train.start(letters.theta(), SETTINGS), 12)
    half = steps(train.start(letters.theta(), SETTINGS), 6)
    return far(whole.theta.flat, steps(experiment.resumed(half, SETTINGS), 12).theta.flat)


def later_matters() -> bool:
    """The logits of a row, with the tokens after it and with others."""
    ids, other = np.array([1, 2, 3, 1, 2, 2, 1]), np.array([1, 2, 3, 1, 3, 1, 3])
    rows, starts = np.arange(4), np.array([0, 7])
    one, two = (model.forward(letters.theta(), CONFIG, i, starts, rows)[0] for i in (ids, other))
    return far(one, two)


def other_questions_matter() -> bool:
    asked = [letters.example(x, "a") for x in ("a", "abcab", "bc")]
    together = [a["predicted"] for a in answers(asked)]
    return together != [answers([example])[0]["predicted"] for example in asked]


def asking_twice_matters() -> bool:
    ids, starts = np.array([1, 2, 3, 1]), np.array([0, 4])
    one, two = (model.forward(letters.theta(), CONFIG, ids, starts, np.arange(4))[0] for _ in range(2))
    return far(one, two)


INVARIANCES: dict[str, Callable[[], bool]] = {
    "how a step is split": split_matters,
    "who else is in the batch": company_matters,
    "a break": break_matters,
    "what comes later": later_matters,
    "the other questions": other_questions_matter,
    "asking twice": asking_twice_matters,
}


def answers(asked: list[data.Example], theta: Params | None = None) -> list[dict]:
    given = evaluate.answers(theta or letters.theta(), CONFIG, tokenizer, asked, max_new_tokens=8)
    return [answer for answer in given if answer]


# --- all y ------------------------------------------------------------------------------------------------------------


def enumeration() -> bool:
    """Σ over all short y of |Pr by the objective − Pr by drawing| is not 0."""
    theta, total = letters.theta(), 0.0
    asked, _ = vars(evaluate)["question"](letters.example("ab", ""), tokenizer)  # as evaluation asks
    drawn = by_drawing(theta, asked)
    for length in range(SHORT + 1):
        for y in map("".join, product(letters.LETTERS, repeat=length)):
            sequence = data.encode(letters.example("ab", y), tokenizer)
            J, _ = gradient(theta, [data.collate([sequence], 0.0, "sum", np.float64)])
            total += abs(np.exp(J) - drawn.get(y, 0.0))
    return total > EXACT


def by_drawing(theta: Params, asked: list[int]) -> dict[str, float]:
    """{y: the probability that it is drawn, token by token, and ended by the end of the turn}."""
    result: dict[str, float] = {}
    open_ones: list[tuple[tuple[int, ...], float]] = [((), 1.0)]
    for _ in range(SHORT + 1):
        longer = []
        for ids, probability in open_ones:
            row = np.array([len(asked) + len(ids) - 1])
            logits, _ = model.forward(theta, CONFIG, np.array([*asked, *ids]), np.array([0, row[0] + 1]), row)
            pi = np.exp(objective.forward(logits, np.array([0]), np.array([1.0]))[1].log_pi[0]) * probability
            if 0 in tokenizer.stop_ids:
                result[tokenizer.decode(ids)] = pi[0]
            longer += [((*ids, i), pi[i]) for i in (1, 2, 3)]
        open_ones = longer
    return result


# --- a run on eight rows ----------------------------------------------------------------------------------------------


def sequences_of_a_run() -> list[Sequence]:
    return data.fit(encoded(), CONFIG.max_position_embeddings)[0]


def loss_at_start() -> bool:
    """The first loss of a run, and −log Pr per token of y as evaluation has it; which tokens are y it knows itself."""
    theta, sequences = letters.theta(), sequences_of_a_run()
    state = next(train.train(train.start(theta.copy(), SETTINGS), CONFIG, sequences, SETTINGS))
    rows = [rendered(example) for example in letters.examples()]
    values = np.concatenate([v[s.is_y[1:]] for s, (v, _) in zip(rows, evaluate.log_probs(theta, CONFIG, rows))])
    return far(state.metrics["loss"], -values.mean())


def rendered(example: data.Example) -> Sequence:
    """An example in tokens as the template writes it, with its end token in y."""
    runs = tokenizer.render(example.completion, [False, True])
    ids = np.concatenate([run for run, _ in runs])
    return Sequence(ids, np.repeat([y for _, y in runs], [len(run) for run, _ in runs]), example.where)


def rehearsal() -> dict[str, bool]:
    """What is found by training on eight rows, and then asking what was trained."""
    state, losses = train.start(letters.theta(), SETTINGS), []
    for state in train.train(state, CONFIG, sequences_of_a_run(), SETTINGS):  # noqa: B020
        losses.append(state.metrics["loss"])
    given = answers(letters.examples(), state.theta)
    return {
        "overfitting": not 0 <= np.mean(losses[-5:]) < LEARNED,
        "stop rate": not all(answer["stopped"] for answer in given),
        "own rows": not all(answer["exact"] for answer in given),
    }
