"""Notebook 03: from a conversation to ids, targets and weights, and what each position of it receives from the loss."""

import re
from dataclasses import replace

import numpy as np

from minisft import model, objective
from minisft.config import ModelConfig
from minisft.course.grading.comparison import compare
from minisft.course.grading.verdict import Stumbled, Verdict, kindly, run, same, settle
from minisft.course.sequence_mistakes import (
    BUILD,
    LAYOUT,
    STEP,
    TURNS,
    divided,
    marked,
    per_turn,
    side_by_side,
    trained,
)
from minisft.params import Params

TINY = ModelConfig(29, 8, 12, 1, 2, 1)
START, END = 1, 2  # the control tokens of the conversations that checks make


# --- shown in the notebook -------------------------------------------------------------------------------------------


def value_and_gradient(theta, config, part, every_row=False):
    """J and ∇J of one batch. Rows of weight 0 are left out, as in training, or kept if every_row."""
    rows = np.arange(len(part.ids)) if every_row else np.flatnonzero(part.weights)
    logits, c_model = model.forward(theta, config, part.ids, part.starts, rows)
    J, c_objective = objective.forward(logits, part.targets[rows], part.weights[rows])
    gradient = theta.like()
    model.backward(theta, gradient, config, c_model, objective.backward(c_objective, dJ=1.0))
    return float(J), gradient.flat


def at_each_position(theta, config, part):
    """Norms of ∂J/∂(…), (N,) each, at every row of a batch: logits, keys and values of the last block, embedding.

    Every row gets an embedding row of its own, a copy of its token's: then the gradient of that matrix is told apart
    by position, and the head, now a matrix of its own, adds nothing to it. Float64, and at most C rows.
    """
    N, E = len(part.ids), theta.model.embed_tokens.weight
    own = Params(theta.shapes | {"model.embed_tokens.weight": (N, E.shape[1]), "lm_head.weight": E.shape}, E.dtype)
    for name, view in own.named.items():
        view[...] = {"model.embed_tokens.weight": E[part.ids], "lm_head.weight": E}.get(name, theta.named.get(name))
    config, grad = replace(config, tie_word_embeddings=False), own.like()
    logits, cache = model.forward(own, config, np.arange(N), part.starts, np.arange(N))
    _, c_objective = objective.forward(logits, part.targets, part.weights)
    dlogits = objective.backward(c_objective, dJ=1.0)
    model.backward(own, grad, config, cache, dlogits)
    g, c = grad.model.layers[-1].self_attn, cache.blocks[-1].attention
    dk = np.linalg.lstsq(c.k_proj.T, g.k_proj.weight.T)[0]  # linear.backward made dW = dkᵀ x, so xᵀ dk = dWᵀ
    dv = np.linalg.lstsq(c.v_proj.T, g.v_proj.weight.T)[0]
    received = {"logits": dlogits, "keys": dk, "values": dv, "embedding": grad.model.embed_tokens.weight}
    return {name: np.linalg.norm(rows, axis=1) for name, rows in received.items()}


def prompt_gradient(prediction, received, mask):
    """Quiz: is the gradient at the embedding rows of x zero? `received` of `at_each_position`, mask of the batch."""
    x = slice(0, int(np.argmax(mask)))
    logits, embedding = received["logits"][x].max(), received["embedding"][x].min()
    happened = (
        f"On the {x.stop} rows of x before the answer, the gradient at the logits is at most {logits:g}; at their "
        f"embedding rows its norm is at least {embedding:.2g}. y is predicted from x, through its keys and values."
    )
    return settle(prediction, ("zero", "not zero"), "zero" if embedding == 0 else "not zero", happened)


def end_token(prediction, with_end, without_end):
    """Quiz: stop rates, one a seed, after fine-tuning with the end token as a target, and without."""
    a, b = np.mean(with_end), np.mean(without_end)
    outcome = "it stops as often" if abs(a - b) < 0.1 else "it hardly stops" if b < a / 2 else "it stops less often"
    seeds = [", ".join(f"{100 * rate:.0f}" for rate in rates) for rates in (with_end, without_end)]
    happened = f"Stop rate in %, one number a seed: {seeds[0]} with the end token in y, {seeds[1]} without it."
    return settle(prediction, ("it stops as often", "it stops less often", "it hardly stops"), outcome, happened)


# --- the exercises ---------------------------------------------------------------------------------------------------


def encode(text):
    """A toy tokenizer: words, single signs, and white space in one piece, as ids above those of the control tokens."""
    pieces = re.findall(r"\s+|\w+|[^\w\s]", text)
    return [3 + int.from_bytes(piece.encode()) % 999_983 for piece in pieces]


@kindly
def build(answer, seed=None):
    """Ids, targets and weights (sum, λ = 0) of conversations that differ in turns, system turn and white space."""
    rng = np.random.default_rng(seed)
    cases = [conversation(rng, *kind) for kind in ((1, False), (2, True), (3, False), (1, True), (2, False))]
    cases[2][0][1]["content"] = "\n  " + cases[2][0][1]["content"]  # an answer that begins with white space
    cases[4][0][3]["content"] = ""  # and an empty one

    def reason(case, part, row):
        ids, what = marked(*case)
        token = f" predicts token {row + 1}, which is {kinds[what[row + 1]]}" if row + 1 < len(ids) else " is too many"
        return f" (row {row}{token})" if part == "weights" else ""

    kinds = {"x": "of x", "header": "in the header of an answer", "y": "of y", "end": "the end token of an answer"}
    kinds |= {"newline": "the newline after an answer", "end of x": "an end token in x"}
    praise = "ids, targets and weights of 5 conversations, up to 3 turns: y and its end tokens have weight 1, x has 0"
    return compare(answer, trained("y", "end"), cases, BUILD, praise, ("ids", "targets", "weights"), reason)


def conversation(rng, turns, system):
    def text():
        return " ".join(rng.choice(["red", "ten", "who", "sea", "sun", "ice", "map", "owl"], rng.integers(2, 6))) + "."

    roles = ["system"] * system + ["user", "assistant"] * turns
    return [{"role": role, "content": text()} for role in roles], encode, START, END


@kindly
def step_weights(answer, seed=None):
    """Weights under token_mean of one step cut into micro-batches: ragged, λ of 0 and 0.1, one without any target."""
    rng = np.random.default_rng(seed)

    def micro(prompt_loss_weight, rows):
        return np.where(rng.random(rows) < 0.5, 1.0, prompt_loss_weight)

    cases = [([micro(weight, rows) for rows in (3, 9, 5)],) for weight in (0.0, 0.1)]
    for (parts,) in cases:
        parts[0][-1] = parts[1][-1] = 1.0
    cases += [([np.zeros(4), np.r_[micro(0.0, 5), 1.0]],), ([np.zeros(2), np.zeros(3)],)]
    praise = "one denominator for the whole step: however it is cut into micro-batches, a token weighs the same"
    right = divided(lambda parts, m: sum(part.sum() for part in parts))
    return compare(answer, right, cases, STEP, praise, "micro-batch")


@kindly
def layout(answer, seed=None):
    """Starts, positions and who may read whom, for sequences laid end to end."""
    rng = np.random.default_rng(seed)
    cases = [([int(n) for n in rng.integers(1, 6, count)],) for count in (3, 4)]
    cases = [([*lengths, 4, 3],) for (lengths,) in cases] + [([5],)]
    praise = "positions restart at 0, and a row reads itself and what stands before it in its own sequence: no leak"
    return compare(answer, side_by_side(), cases, LAYOUT, praise, ("starts", "positions", "allowed"))


def log_pr(theta, ids, mask):
    """log Pr of the marked tokens given all before them; the first is given. A mask that fits no ids gives NaN."""
    if len(ids) < 2 or len(ids) != len(mask):
        return 0.0 if len(ids) == len(mask) else np.nan
    rows = np.arange(len(ids) - 1)
    logits, _ = model.forward(theta, TINY, ids[:-1], np.array([0, len(rows)]), rows)
    return float(objective.forward(logits, ids[1:], 1.0 * mask[1:])[0])


@kindly
def passes(answer, seed=None):
    """One pass a turn: log Pr under a random model, of each pass and in all, beside one pass over the conversation."""
    rng = np.random.default_rng(seed)
    theta, terms = Params.random(rng, model.shapes(TINY)), {}
    cases = []
    for turns in (1, 3, 2):
        lengths = rng.integers(2, 5, 2 * turns + 1)
        cases.append(
            (rng.integers(0, TINY.vocab_size, lengths.sum()), np.repeat(np.arange(len(lengths)) % 2, lengths) > 0)
        )
    for number, (ids, mask) in enumerate(cases):
        given = passed(run(answer, ids, mask))
        wanted = [log_pr(theta, *one) for one in per_turn()(ids, mask)]
        terms[number] = given, sorted(log_pr(theta, *one) for one in given), sorted(wanted)
    if all(same(theirs, ours) for _, theirs, ours in terms.values()):
        whole = log_pr(theta, *cases[1])
        return Verdict(True, f"3 passes give {sum(terms[1][1]):.12f}, one pass over all 3 turns {whole:.12f}")
    for sentence, mistake in TURNS.items():
        if all(same(mistake(*case), terms[number][0]) for number, case in enumerate(cases)):
            return Verdict(False, sentence)
    number = next(number for number, (_, theirs, ours) in terms.items() if not same(theirs, ours))
    given, theirs, ours = terms[number]
    if len(theirs) != len(ours):
        return Verdict(False, f"{len(theirs)} passes for {len(ours)} answers: make one for each")
    if np.isnan(theirs).any():
        return Verdict(False, "the mask of a pass is not as long as its ids")
    return Verdict(False, f"the passes add up to log Pr = {sum(theirs):.6g} where {sum(ours):.6g} is right")


def passed(result):
    """The answer as a list of (ids, mask). Raises Stumbled."""
    try:
        pairs = [(np.asarray(ids, dtype=np.int64), np.asarray(mask).astype(bool)) for ids, mask in result]
    except (TypeError, ValueError):
        raise Stumbled(False, "it should return a list of pairs (ids, mask), one for each answer") from None
    if any(ids.ndim != 1 or mask.ndim != 1 for ids, mask in pairs):
        raise Stumbled(False, "ids and mask of a pass are vectors, one entry a token")
    if any(len(ids) and not (ids.min() >= 0 and ids.max() < TINY.vocab_size) for ids, _ in pairs):
        raise Stumbled(False, "a pass holds ids that the conversation does not have")
    return pairs
