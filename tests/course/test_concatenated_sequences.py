"""Notebook 03: the checks let the solutions pass, and call mistakes by their name."""

from itertools import pairwise

import numpy as np
import pytest

from minisft import checkpoint, data, plots, shipped
from minisft.course import concatenated_sequences as check
from minisft.course.concatenated_sequences import mistakes

from .solutions import sections, solution

NOTEBOOK = "03_concatenated_sequences"
CHECKS = {"build": check.build, "step_weights": check.step_weights, "layout": check.layout, "passes": check.passes}


def solved(exercise):
    return solution(NOTEBOOK, exercise)[exercise]


def test_every_exercise_has_a_solution():
    assert set(sections(NOTEBOOK)) == set(CHECKS)


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize("exercise", CHECKS)
def test_the_solution_is_right(exercise, seed):
    assert CHECKS[exercise](solved(exercise), seed=seed).right is True


@pytest.mark.parametrize("exercise", CHECKS)
def test_a_stub_is_not_written_yet(exercise):
    def stub(*arguments):
        raise NotImplementedError

    assert CHECKS[exercise](stub).right is None


@pytest.mark.parametrize("exercise", CHECKS)
@pytest.mark.parametrize("nonsense", [None, 3, "text", [], [None], (1, 2, 3), [(1, 2)], np.zeros((3, 2)), [[[]]], {}])
def test_nonsense_is_wrong_and_never_a_traceback(exercise, nonsense):
    verdict = CHECKS[exercise](lambda *arguments: nonsense, seed=0)
    assert verdict.right is False and verdict.text


@pytest.mark.parametrize(
    "exercise, catalogue",
    [
        ("build", mistakes.BUILD),
        ("step_weights", mistakes.STEP),
        ("layout", mistakes.LAYOUT),
        ("passes", mistakes.TURNS),
    ],
)
def test_each_mistake_of_the_catalogue_is_told_apart_from_the_others(exercise, catalogue):
    for sentence, mistake in catalogue.items():
        assert CHECKS[exercise](mistake, seed=3) == (False, sentence)


# --- build -----------------------------------------------------------------------------------------------------------


def laid_end_to_end(messages, encode, start, end, header=0, last=1, newline=0, other=0):
    """As a student writes it, with a flag for each kind of token."""
    ids, mask = [], []
    for message in messages:
        content = encode(message["content"])
        if message["role"] == "assistant":
            head = [start, *encode("assistant\n")]
            ids += [*head, *content, end, *encode("\n")]
            mask += [header] * len(head) + [1] * len(content) + [last, newline]
        else:
            turn = [start, *encode(message["role"] + "\n" + message["content"]), end, *encode("\n")]
            ids += turn
            mask += [other] * len(turn)
    return np.array(ids), np.array(mask)


def mask_of_the_inputs(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids[:-1], ids[1:], mask[:-1]


def no_shift(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids, ids.copy(), mask


def double_shift(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    ids, targets, mask = ids[:-1], ids[1:], mask[1:]
    return ids[:-1], targets[1:], mask[1:]


def backwards(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids[1:], ids[:-1], mask[:-1]


def with_flags(**flags):
    def build(*conversation):
        ids, mask = laid_end_to_end(*conversation, **flags)
        return ids[:-1], ids[1:], mask[1:]

    return build


def pad_is_eos(messages, encode, start, end):
    ids, mask = laid_end_to_end(messages, encode, start, end)
    mask[ids == end] = 0
    return ids[:-1], ids[1:], mask[1:]


def last_turn(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    ones = np.flatnonzero(mask)
    breaks = np.flatnonzero(np.diff(ones) > 1)
    mask[: ones[breaks[-1] + 1] if len(breaks) else 0] = 0
    return ids[:-1], ids[1:], mask[1:]


def as_one_string(messages, encode, start, end):
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    ids = np.array(encode(text))
    return ids[:-1], ids[1:], np.ones(len(ids) - 1)


def mean(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids[:-1], ids[1:], mask[1:] / mask[1:].mean() / len(mask[1:])


def first_answer_token_skipped(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    both = mask[1:] * mask[:-1]
    return ids[:-1], ids[1:], both


def without_start_tokens(messages, encode, start, end):
    ids, mask = laid_end_to_end(messages, encode, start, end)
    keep = ids != start
    ids, mask = ids[keep], mask[keep]
    return ids[:-1], ids[1:], mask[1:]


def padded_to_n(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return ids, np.append(ids[1:], 0), np.append(mask[1:], 0)


def not_yet_arrays(*conversation):
    ids, mask = laid_end_to_end(*conversation)
    return {"ids": ids[:-1], "targets": ids[1:], "weights": mask[1:]}


@pytest.mark.parametrize(
    "answer, words",
    [
        (mask_of_the_inputs, "aligned with the inputs, not the targets"),
        (no_shift, "no shift"),
        (double_shift, "made twice"),
        (backwards, "wrong way"),
        (with_flags(header=1), "header of the answer is trained"),
        (with_flags(last=0), "end token of the answer is masked"),
        (pad_is_eos, "pad = eos"),
        (with_flags(newline=1), "newline after the answer's end token is trained"),
        (with_flags(header=1, newline=1, other=1), "prompt is not masked"),
        (last_turn, "only the last answer"),
        (mean, "those of a mean"),
        # not in the catalogue
        (as_one_string, "ids"),
        (first_answer_token_skipped, "of y"),
        (without_start_tokens, "ids: the shape"),
        (padded_to_n, "ids: the shape"),
        (with_flags(header=1, last=0), "in the header of an answer"),
        (with_flags(last=0, newline=1), "the end token of an answer"),
        (not_yet_arrays, "should return 3 arrays"),
        (lambda *conversation: laid_end_to_end(*conversation), "should return 3 arrays"),
    ],
)
def test_a_wrong_conversation_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.build(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


def test_the_check_and_the_library_agree_on_what_is_trained():
    _, _, tokenizer = checkpoint.load(shipped.path("atlas"))
    example = data.read([shipped.path("shop_train.jsonl")])[0]
    ids, targets, weights = solved("build")(
        example.completion, tokenizer.encode, tokenizer.backend.token_to_id("<|im_start|>"), tokenizer.end_of_turn_id
    )
    part = data.batch([data.encode(example, tokenizer)], 0.0, "sum")
    assert (ids == part.ids).all() and (targets == part.targets).all() and (weights == part.weights).all()


# --- step_weights ----------------------------------------------------------------------------------------------------


def mean_of_means(parts):
    return [m / m.sum() / len(parts) if m.any() else m for m in parts]


def means_unguarded(parts):
    return [m / m.sum() / len(parts) for m in parts]


def own_sums(parts):
    return [m / max(m.sum(), 1e-30) for m in parts]


def rows_counted(parts):
    return [m / sum(len(p) for p in parts) for m in parts]


def positives_counted(parts):
    total = sum((p > 0).sum() for p in parts)
    return [m / total if total else m for m in parts]


def twice(parts):
    total = sum(p.sum() for p in parts) or 1
    return [m / total / len(parts) for m in parts]


def unguarded(parts):
    total = sum(p.sum() for p in parts)
    return [m / total for m in parts]


def one_array(parts):
    m = np.concatenate(parts)
    return m / max(m.sum(), 1)


def a_sequence_the_same_say(parts):
    return [m / max(m.sum(), 1) / max(sum(p.any() for p in parts), 1) * 2 for m in parts]


@pytest.mark.parametrize(
    "answer, words",
    [
        (mean_of_means, "mean of means"),
        (means_unguarded, "mean of means"),
        (means_unguarded, "0 / 0 gives NaN"),
        (own_sums, "that many times too large"),
        (rows_counted, "all rows"),
        (positives_counted, "not by the sum of m"),
        (twice, "divided twice"),
        (lambda parts: [1.0 * m for m in parts], "nothing is divided"),
        (lambda parts: [m / len(parts) for m in parts], "number of micro-batches alone"),
        # not in the catalogue
        (unguarded, "0 / 0 gives NaN: there the weights are 0"),
        (one_array, "should return 3 arrays"),
        (a_sequence_the_same_say, "micro-batch 0: entry"),
        (lambda parts: [m[m > 0] for m in parts], "the shape"),
        (lambda parts: [m * 0 for m in parts], "micro-batch 0: entry"),
        (lambda parts: [-m / max(sum(p.sum() for p in parts), 1) for m in parts], "micro-batch 0: entry"),
    ],
)
def test_a_wrong_step_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.step_weights(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


# --- layout ----------------------------------------------------------------------------------------------------------


def batch_of(lengths, restart=True, block=True, causal=np.tril, first=0, starts=slice(None)):
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    n = bounds[-1]
    positions = np.concatenate([np.arange(first, first + k) for k in lengths]) if restart else np.arange(n)
    allowed = np.zeros((n, n), bool) if block else np.ones((n, n), bool)
    for a, b in pairwise(bounds):
        allowed[a:b, a:b] = True
    return bounds[starts], positions, causal(allowed)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"restart": False}, "run on through the batch"),
        ({"block": False}, "leak into it"),
        ({"restart": False, "block": False}, "one long text"),
        ({"causal": lambda allowed: allowed}, "what follows it"),
        ({"causal": np.triu}, "transposed"),
        ({"causal": lambda allowed: np.tril(allowed, -1)}, "may not read itself"),
        ({"first": 1}, "begin at 1"),
        ({"starts": slice(-1)}, "lacks its last entry"),
        ({"starts": slice(1, None)}, "lacks its first entry"),
        ({"causal": lambda allowed: ~np.tril(allowed)}, "inverted"),
        # not in the catalogue
        ({"first": 2}, "positions: entry 0 is 2 where 0 is right"),
        ({"causal": lambda allowed: np.where(np.tril(allowed), 0.0, -np.inf)}, "allowed: entry"),
        ({"causal": lambda allowed: np.tril(allowed, 1)}, "allowed: entry"),
        ({"causal": lambda allowed: allowed[:-1]}, "allowed: the shape"),
        ({"restart": False, "causal": np.triu}, "positions: entry"),
    ],
)
def test_a_wrong_layout_is_called_by_its_mistake(changes, words):
    for seed in (0, 1):
        verdict = check.layout(lambda lengths: batch_of(lengths, **changes), seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


# --- passes ----------------------------------------------------------------------------------------------------------


def ends(mask):
    return [i + 1 for i in range(len(mask)) if mask[i] and (i + 1 == len(mask) or not mask[i + 1])]


def begins(mask):
    return [i for i in range(len(mask)) if mask[i] and not mask[i - 1]]


def alone(mask, a, b):
    m = np.zeros(len(mask), bool)
    m[a:b] = True
    return m


def history_trained(ids, mask):
    return [(ids[:b], mask[:b]) for b in ends(mask)]


def history_lost(ids, mask):
    cuts = [0, *ends(mask)]
    return [(ids[a:b], mask[a:b]) for a, b in pairwise(cuts)]


def prompt_lost(ids, mask):
    return [(ids[a:b], mask[a:b]) for a, b in zip(begins(mask), ends(mask))]


def end_cut(ids, mask):
    return [(ids[: b - 1], alone(mask, a, b)[: b - 1]) for a, b in zip(begins(mask), ends(mask))]


def all_trained(ids, mask):
    return [(ids[:b], np.ones(b, bool)) for b in ends(mask)]


def prompts_dropped(ids, mask):
    """Answers before are kept, the user's words are not."""
    return [(ids[:b][mask[:b]], alone(mask, a, b)[:b][mask[:b]]) for a, b in zip(begins(mask), ends(mask))]


@pytest.mark.parametrize(
    "answer, words",
    [
        (history_trained, "counted in every pass"),
        (history_lost, "turns before are cut away"),
        (prompt_lost, "prompt is cut away"),
        (end_cut, "end token, is cut off"),
        (lambda ids, mask: [(ids, mask)], "one pass over everything"),
        (lambda ids, mask: solved("passes")(ids, mask)[-1:], "only the last answer"),
        (all_trained, "this is log Pr(x, y)"),
        # not in the catalogue
        (prompts_dropped, "is right"),
        (lambda ids, mask: [(ids, alone(mask, a, a + 1)) for a in begins(mask)], "is right"),
        (lambda ids, mask: [(ids[:b], mask) for b in ends(mask)], "not as long as its ids"),
        (lambda ids, mask: solved("passes")(ids, mask)[:1] * 2, "make one for each"),
        (lambda ids, mask: [ids[:b] for b in ends(mask)], "pairs (ids, mask)"),
        (lambda ids, mask: [(ids + 100, mask)], "ids that the conversation does not have"),
    ],
)
def test_wrong_passes_are_called_by_their_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.passes(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


def test_passes_that_keep_what_follows_their_answer_are_right_too():
    """A causal model does not see it, so log Pr is the same."""
    uncut = lambda ids, mask: [(ids, alone(mask, a, b)) for a, b in zip(begins(mask), ends(mask))]  # noqa: E731
    assert check.passes(uncut, seed=0).right is True


# --- quizzes and pictures --------------------------------------------------------------------------------------------


def test_the_gradient_at_the_prompts_embedding_is_what_was_measured():
    theta, config, tokenizer = checkpoint.load(shipped.path("atlas"), np.float64)
    part = data.batch([data.encode(data.read([shipped.path("atlas_train.jsonl")])[0], tokenizer)], 0.0, "sum", float)
    received = check.at_each_position(theta, config, part)
    assert check.prompt_gradient("not zero", received, part.mask).right is True
    assert check.prompt_gradient("zero", received, part.mask).right is False
    assert check.prompt_gradient(None, received, part.mask).right is None
    assert (received["logits"][~part.mask] == 0).all()
    _, gradient = check.value_and_gradient(theta, config, part)  # the tied embedding: through the input and the head
    ids, lookup = np.unique(part.ids, return_inverse=True)
    assert received["embedding"].shape == lookup.shape and np.isfinite(gradient).all() and len(ids) < len(lookup)


@pytest.mark.parametrize(
    "prediction, rates, right",
    [
        ("it hardly stops", ([1, 1], [0.0, 0.1]), True),
        ("it stops as often", ([1, 1], [1, 1]), True),
        ("it stops less often", ([1, 1], [0.7, 0.7]), True),
        ("it stops as often", ([1, 1], [0, 0]), False),
        (None, ([1, 1], [0, 0]), None),
    ],
)
def test_the_quiz_about_the_end_token_goes_by_the_stop_rates(prediction, rates, right):
    assert check.end_token(prediction, *rates).right is right


def test_the_pictures_can_be_drawn():
    rows = check.token_rows(["a", "$b", "c"], ["b", "c", "<|im_end|>"], np.array([0, 0.5, 1]), "rows", columns=2)
    bars = plots.position_bars({"‖∂J/∂logits‖": np.array([0.0, 1]), "none": np.zeros(2)}, ["a", "b"], [False, True])
    pair = check.squares({"apart": np.eye(3), "together": np.ones((3, 3))}, np.array([0, 2, 3]), "share")
    assert all(len(figure._repr_png_()) > 1000 for figure in (rows, bars, pair))
