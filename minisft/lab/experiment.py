"""One run of fine-tuning, with a mistake or without: what it shows of itself, and what is true.

Every run has the same recipe, in which every mistake can bite: micro-batches, warm-up, a schedule, weight decay,
clipping, and a break halfway after which it goes on. What a run shows is measured while the mistake is on, by the run's
own code. What is true is measured afterwards by the library as it is, on other questions that nobody has learned.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache

import numpy as np

from minisft import checkpoint, data, evaluate, gradcheck, model, optim, train
from minisft.config import ModelConfig, TrainConfig
from minisft.data import Example, Sequence
from minisft.formats import resources
from minisft.lab.mistakes.mistake import Mistake
from minisft.lab.mistakes.rows import half
from minisft.params import Params
from minisft.tokenizer import Tokenizer
from minisft.train import State
from minisft.verification import whole_model

SETTINGS = TrainConfig(
    learning_rate=5e-4,
    max_steps=60,
    batch_size=4,
    gradient_accumulation_steps=4,
    weight_decay=0.1,
    warmup_steps=0.1,
    lr_scheduler_type="linear",
)
ASKED = 100  # questions whose answers a run shows; as many others tell what is true
MAX_NEW_TOKENS = 32  # longer than the longest answer
LAST = 10  # steps whose mean is the training loss

SHOWN = ("loss", "held_out_loss", "exact_match", "stop_rate")
TRUE = ("true_held_out_loss", "true_exact_match", "true_stop_rate")

Symptoms = dict[str, float]


@cache
def world() -> tuple[Params, ModelConfig, Tokenizer]:
    """θ̂, its config and its tokenizer."""
    return checkpoint.load(resources.path("atlas"))


@cache
def questions(shown: bool) -> list[Example]:
    """ASKED of the questions that are held out, of the half that a run shows, or of the other."""
    rows = half(data.read([resources.path("atlas_test.jsonl")]), other=not shown)
    return rows[:: len(rows) // ASKED][:ASKED]  # an odd stride meets every kind of question


def during(mistake: Mistake | None) -> AbstractContextManager[None]:
    return mistake.on() if mistake else nullcontext()


def finetuned(settings: TrainConfig) -> tuple[State, list[dict]]:
    """The last state of a run with a break halfway, and the metrics of every step."""
    theta_hat, config, tokenizer = world()
    examples = data.read([resources.path("atlas_train.jsonl")])
    sequences, _ = data.fit([data.encode(e, tokenizer) for e in examples], config.max_position_embeddings)
    metrics: list[dict] = []

    def until(state: State, step: int) -> State:
        for _ in train.train(state, config, sequences, settings):
            metrics.append(state.metrics)
            if state.step == step:
                break
        return state

    half = until(train.start(theta_hat.copy(), settings), settings.max_steps // 2)
    return until(resumed(half, settings), settings.max_steps), metrics


def resumed(state: State, settings: TrainConfig) -> State:
    """The state as a checkpoint has it: θ, the moments of the optimiser, and the counters."""
    optimizer = optim.make(state.theta, settings)
    optimizer.moments = {name: vector.copy() for name, vector in state.optimizer.moments.items()}
    optimizer.updates = state.optimizer.updates
    return State(state.step, state.theta.copy(), optimizer, state.num_tokens)


def held_out_loss(theta: Params, sequences: list[Sequence]) -> float:
    """−J in nats per token of y, by the functions that a step of the run calls."""
    _, config, _ = world()
    return -float(whole_model.value(theta, config, data.collate(sequences, 0.0, "token_mean", theta.flat.dtype)))


def judged(theta: Params, shown: bool) -> Symptoms:
    """Held-out loss, exact match and stop rate of θ, on the questions that a run shows or on the others."""
    _, config, tokenizer = world()
    asked = questions(shown)
    given = [a for a in evaluate.answers(theta, config, tokenizer, asked, MAX_NEW_TOKENS) if a]
    return {
        "held_out_loss": held_out_loss(theta, [data.encode(example, tokenizer) for example in asked]),
        "exact_match": float(np.mean([a["exact"] for a in given])),
        "stop_rate": float(np.mean([a["stopped"] for a in given])),
    }


def run(mistake: Mistake | None, seed: int) -> tuple[Symptoms, list[float]]:
    """The symptoms of one run (nats per token, and fractions), and its training loss at every step."""
    questions(True), questions(False)  # before a mistake can change how rows are read
    with during(mistake):
        state, metrics = finetuned(replace(SETTINGS, seed=seed))
        losses = [row["loss"] for row in metrics]
        shown = {"loss": float(np.mean(losses[-LAST:]))} | judged(state.theta, shown=True)
    true = {f"true_{name}": value for name, value in judged(state.theta, shown=False).items()}
    return shown | true, losses


def gradient_error(mistake: Mistake | None) -> float:
    """How far the gradient of a tiny model is from the slope of its J: the worst tensor's relative error."""
    config = ModelConfig(17, 12, 14, 2, 4, 2, head_dim=6)
    rng = np.random.default_rng(0)
    theta = Params.random(rng, model.shapes(config))
    sequences = [Sequence(rng.integers(0, 17, n), np.arange(n) >= n // 2, "") for n in (7, 3, 5, 4)]
    with during(mistake):
        batch = data.collate(sequences, 0.3, dtype=np.float64)
        grad, twin = theta.like(), theta.astype(np.complex128)
        train.value_and_grad(theta, grad, config, batch, dJ=1.0)
        pairs = [(name, twin.named[name], gradient) for name, gradient in grad.named.items()]
        return max(gradcheck.complex_errors(lambda: whole_model.value(twin, config, batch), pairs, rng).values())
