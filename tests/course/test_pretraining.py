"""Notebook 06: the checks let the solutions pass, and call mistakes by their name."""

import numpy as np
import pytest

from minisft import checkpoint, evaluate, model, shipped
from minisft.config import ModelConfig
from minisft.course import pretraining as check
from minisft.course.pretraining import mistakes, ngrams, synthetic_corpus
from minisft.tokenizer import Tokenizer

from .solutions import sections, solution

NOTEBOOK = "06_pretraining"
CHECKS = {
    "uniform_loss": check.uniform_loss,
    "entropies": check.entropies,
    "count_parameters": check.count_parameters,
    "nats_per_character": check.nats_per_character,
}


def test_every_exercise_has_a_solution():
    assert set(sections(NOTEBOOK)) == set(CHECKS)


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize("exercise", CHECKS)
def test_the_solution_is_right(exercise, seed):
    assert CHECKS[exercise](solution(NOTEBOOK, exercise)[exercise], seed=seed).right is True


@pytest.mark.parametrize("exercise", CHECKS)
def test_a_stub_is_not_written_yet(exercise):
    def stub(*arguments):
        raise NotImplementedError

    assert CHECKS[exercise](stub).right is None


@pytest.mark.parametrize("exercise", CHECKS)
@pytest.mark.parametrize(
    "nonsense", [None, "text", [], (1, 2, 3), np.zeros((3, 2)), {}, np.nan, (np.nan, 1.0), ("a", 2)]
)
def test_nonsense_is_wrong_and_never_a_traceback(exercise, nonsense):
    verdict = CHECKS[exercise](lambda *arguments: nonsense, seed=0)
    assert verdict.right is False and verdict.text


@pytest.mark.parametrize("seed", range(4))
def test_each_mistake_of_the_catalogues_is_told_apart_from_the_others(seed):
    for catalogue, judged in (
        (mistakes.UNIFORM, check.uniform_loss),
        (mistakes.PARAMETERS, check.count_parameters),
        (mistakes.CHARACTERS, check.nats_per_character),
    ):
        for sentence, mistake in catalogue.items():
            assert judged(mistake, seed=seed) == (False, sentence)
    for sentence, mistake in mistakes.UNIGRAM.items():
        pair = lambda d, V: (mistake(d, V), mistakes.bigram(d, V))  # noqa: B023, E731
        assert check.entropies(pair, seed=seed) == (False, f"unigram: {sentence}")
    for sentence, mistake in mistakes.BIGRAM.items():
        pair = lambda d, V: (mistakes.unigram(d, V), mistake(d, V))  # noqa: B023, E731
        assert check.entropies(pair, seed=seed) == (False, f"bigram: {sentence}")


# --- uniform_loss ----------------------------------------------------------------------------------------------------


def predicted(lengths):
    return sum(n - 1 for n in lengths)


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda V, n, r: np.log2(V) * (predicted(n) if r == "sum" else 1), "bits"),
        (lambda V, n, r: -np.log(1 / V) * (sum(n) if r == "sum" else 1), "first token of each document is given"),
        (lambda V, n, r: np.log(1 / V) * (predicted(n) if r == "sum" else 1), "the sign is wrong"),
        (lambda V, n, r: np.log(V), "not their mean"),
        (lambda V, n, r: np.log(V) * predicted(n), "does not grow"),
        (lambda V, n, r: np.log10(V) * (predicted(n) if r == "sum" else 1), "base 10"),
        (lambda V, n, r: np.log(V) * ((sum(n) - 1) if r == "sum" else 1), "not only the first document"),
        # not in the catalogue
        (lambda V, n, r: np.log(V - 3) * (predicted(n) if r == "sum" else 1), "is right"),
        (lambda V, n, r: np.log(V) * (predicted(n) if r == "mean" else 1), "not their mean"),
        (lambda V, n, r: np.log(V) * (predicted(n) + 1), "is right"),
        (lambda V, n, r: [np.log(V)] * predicted(n), "the shape"),
        (lambda V, n, r: np.exp(np.log(V)), "is right"),
        (lambda V, n, r: np.log(V) / r, "TypeError"),
    ],
)
def test_a_wrong_uniform_loss_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.uniform_loss(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


# --- entropies -------------------------------------------------------------------------------------------------------


def H(numbers, log=np.log):
    p = np.array([n for n in np.ravel(numbers) if n > 0], float)
    p /= p.sum()
    return -(p * log(p)).sum()


def table_of_pairs(documents, V):
    pairs = np.zeros((V, V))
    for ids in documents:
        for i in range(1, len(ids)):
            pairs[ids[i - 1], ids[i]] += 1
    return pairs


def from_pairs(unigram=None, bigram=None, joined=False):
    """A right answer with one part replaced, as a function of the pairs and of all tokens."""

    def entropies(documents, V):
        pairs = table_of_pairs([np.concatenate(documents)] if joined else documents, V)
        all_tokens = np.bincount(np.concatenate(documents), minlength=V)
        right = table_of_pairs(documents, V)
        h1 = unigram(right, all_tokens) if unigram else H(right.sum(0))
        return h1, bigram(pairs, all_tokens) if bigram else H(pairs) - H(pairs.sum(1))

    return entropies


def per_context(pairs):
    return [H(row) for row in pairs if row.any()]


@pytest.mark.parametrize(
    "answer, words",
    [
        (from_pairs(unigram=lambda pairs, tokens: H(tokens)), "unigram: the first token"),
        (from_pairs(unigram=lambda pairs, tokens: H(pairs.sum(0), np.log2)), "unigram: these are bits"),
        (from_pairs(unigram=lambda pairs, tokens: -H(pairs.sum(0))), "unigram: the sign"),
        (from_pairs(unigram=lambda pairs, tokens: H(pairs.sum(1))), "unigram: the last token"),
        (from_pairs(unigram=lambda pairs, tokens: np.log(len(tokens))), "unigram: it is log V"),
        (from_pairs(bigram=lambda pairs, tokens: H(pairs)), "bigram: it is the entropy of pairs"),
        (from_pairs(joined=True), "bigram: pairs are counted across the border"),
        (from_pairs(bigram=lambda pairs, tokens: np.mean(per_context(pairs))), "bigram: the entropies of the contexts"),
        (
            from_pairs(bigram=lambda pairs, tokens: H(pairs) - H(pairs.sum(0))),
            "the one after it",
        ),
        (from_pairs(bigram=lambda pairs, tokens: H(pairs) - H(tokens)), "bigram: what is subtracted"),
        (from_pairs(bigram=lambda pairs, tokens: np.exp(H(pairs) - H(pairs.sum(1)))), "bigram: it is the exponential"),
        # not in the catalogue
        (from_pairs(bigram=lambda pairs, tokens: H(pairs + 1) - H((pairs + 1).sum(1))), "bigram: on"),
        (from_pairs(bigram=lambda pairs, tokens: H(pairs) / 2), "bigram: on"),
        (from_pairs(bigram=lambda pairs, tokens: sum(per_context(pairs))), "bigram: on"),
        (from_pairs(unigram=lambda pairs, tokens: H(tokens, np.log2)), "unigram: on"),
        (from_pairs(unigram=lambda pairs, tokens: (tokens / tokens.sum()).max()), "unigram: on"),
        (lambda documents, V: H(np.bincount(np.concatenate(documents))), "should return two numbers"),
        (lambda documents, V: from_pairs()(documents, V)[::-1], "unigram: on"),
    ],
)
def test_wrong_entropies_are_called_by_their_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.entropies(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


def test_an_undefined_logarithm_is_wrong_and_shown():
    def entropies(documents, V):
        p = table_of_pairs(documents, V).sum(0)
        p = p / p.sum()
        return -(p * np.log(p)).sum(), 0.0

    assert "nan where" in check.entropies(entropies, seed=2).text


# --- count_parameters ------------------------------------------------------------------------------------------------


def count(c, head=None, keys=None, mlp=3, norms=2, last=1, o=1, size=None):
    C, D = c.hidden_size, size or c.head_dim
    HD, GD = c.num_attention_heads * D, (keys or c.num_key_value_heads) * D
    layer = C * HD * (1 + o) + 2 * C * GD + mlp * C * c.intermediate_size + norms * C
    heads = head if head is not None else (0 if c.tie_word_embeddings else 1)
    return c.vocab_size * C * (1 + heads) + c.num_hidden_layers * layer + last * C


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda c: count(c, head=1), "counted although it is tied"),
        (lambda c: count(c, head=0), "left out although it is not tied"),
        (lambda c: count(c, keys=c.num_attention_heads), "as many heads as queries"),
        (lambda c: count(c, norms=0, last=0), "all norms are left out"),
        (lambda c: count(c, last=0), "the last norm"),
        (lambda c: count(c, norms=1), "two norms"),
        (lambda c: count(c, mlp=2), "three matrices"),
        (lambda c: count(c, o=0), "output projection"),
        (lambda c: count(c, size=c.hidden_size // c.num_attention_heads), "taken for C / H"),
        (lambda c: count(c) + c.max_position_embeddings * c.hidden_size, "positions are counted"),
        # not in the catalogue
        (lambda c: count(c, mlp=2, o=0), "is right"),
        (lambda c: count(c, keys=1), "is right"),
        (lambda c: 4 * count(c), "is right"),
        (lambda c: count(c) / 1e6, "is right"),
        (lambda c: 12 * c.num_hidden_layers * c.hidden_size**2, "is right"),
        (lambda c: count(c) + c.vocab_size, "is right"),
    ],
)
def test_a_wrong_count_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.count_parameters(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


def test_the_solution_counts_the_shipped_model():
    theta, config, _ = checkpoint.load(shipped.path("atlas"))
    assert solution(NOTEBOOK, "count_parameters")["count_parameters"](config) == theta.flat.size


# --- nats_per_character ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda loss, n, c: loss * sum(n) / sum(c), "it has no loss to count"),
        (lambda loss, n, c: loss / sum(c) * predicted(n) / np.log(2), "bits"),
        (lambda loss, n, c: loss * sum(c) / predicted(n), "multiplied where"),
        (lambda loss, n, c: np.mean([loss * (a - 1) / b for a, b in zip(n, c)]), "mean over the documents"),
        (lambda loss, n, c: loss / sum(c), "number of tokens is missing"),
        (lambda loss, n, c: loss * predicted(n), "not yet divided"),
        (lambda loss, n, c: loss, "still nats a token"),
        # not in the catalogue
        (lambda loss, n, c: loss * (sum(n) - 1) / sum(c), "is right"),
        (lambda loss, n, c: loss * predicted(n) / (sum(c) + len(c)), "is right"),
        (lambda loss, n, c: -loss * predicted(n) / sum(c), "is right"),
        (lambda loss, n, c: [loss * (a - 1) / b for a, b in zip(n, c)], "the shape"),
        (lambda loss, n, c: np.exp(loss * predicted(n) / sum(c)), "is right"),
    ],
)
def test_a_wrong_loss_a_character_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.nats_per_character(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict


# --- what the notebook shows -----------------------------------------------------------------------------------------


def test_a_counted_model_has_the_loss_that_its_entropy_says():
    """Up to the one token that is shared out so that nothing has probability 0."""
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 4, 3000) for _ in range(3)]
    unigram, bigram = ngrams.distributions(documents, 4)
    nats, tokens = ngrams.surprise(bigram, documents)
    assert tokens == 3 * 2999 and abs(nats / tokens - mistakes.bigram(documents, 4)) < 1e-3
    np.testing.assert_allclose(bigram.sum(1), 1)
    assert abs(unigram.sum() - 1) < 1e-12 and (bigram > 0).all()


def test_the_divergence_is_zero_only_from_itself():
    p = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    assert ngrams.divergence(p, np.log(p)) == 0 < ngrams.divergence(p, np.log(p[::-1]))
    assert abs(ngrams.divergence(p[0], np.log(np.full((4, 3), 1 / 3))) - (np.log(3) - H(p[0]))) < 1e-12


def test_the_small_world_has_one_thing_a_document_and_each_place_of_a_tale_once():
    world, documents = synthetic_corpus.make(np.random.default_rng(0), countries=3, tales=5, copies=2)
    assert len(documents) == 3 * 2 * 2 + 5 and all(len(sentences) == 4 for sentences in documents)
    for country in world:
        about = [d for d in documents if all(country["name"] in sentence for sentence in d)]
        assert len(about) == 4
    again, _ = synthetic_corpus.make(np.random.default_rng(0), countries=3, tales=5, copies=2)
    assert world == again


def test_the_right_country_is_found_in_an_answer_as_a_whole_word(monkeypatch):
    world, documents = synthetic_corpus.make(np.random.default_rng(0), countries=2, tales=0)
    words = Tokenizer.train(["\n".join(d) for d in documents], 300)
    config = ModelConfig(words.vocab_size, 8, 8, 1, 2, 1)
    theta = model.init(config, np.random.default_rng(0))
    assert synthetic_corpus.known(theta, config, words, world) == 0
    assert synthetic_corpus.copied(theta, config, words, documents, np.random.default_rng(0), 3) == 0
    names = synthetic_corpus.pairs(world)[3]
    said = [{"predicted": f"The sea of {name}{end}", "exact": False} for name, end in zip(names, [".", "lo.", "."] * 2)]
    monkeypatch.setattr(evaluate, "answers", lambda *arguments: said)
    assert synthetic_corpus.answered(theta, config, words, world) == (said, 0.0, 4 / 6)


@pytest.mark.parametrize(
    "quiz, prediction, right",
    [
        (lambda p: check.where_the_curve_ends(p, [3.0, 2.9], 5.0, 2.4), "between the two entropies", True),
        (lambda p: check.where_the_curve_ends(p, [2.0, 2.1], 5.0, 2.4), "below the bigram entropy", True),
        (lambda p: check.where_the_curve_ends(p, [6.0, 5.9], 5.0, 2.4), "below the bigram entropy", False),
        (lambda p: check.better_tokenizer(p, {300: 2.4, 512: 2.5}, {300: 1.7, 512: 1.1}), 512, True),
        (lambda p: check.better_tokenizer(p, {300: 2.4, 512: 2.5}, {300: 1.7, 512: 1.1}), 300, False),
        (lambda p: check.which_text(p, {"one": [0, 0.1], "four": [0.3, 0.9]}), "four", True),
        (lambda p: check.which_text(p, {"one": [0.5, 0.6], "four": [0.3, 0.4]}), "one", True),
        (lambda p: check.which_text(p, {"one": [0, 0.4], "four": [0.3, 0.9]}), "no difference", True),
        (lambda p: check.which_text(p, {"one": [0, 0], "four": [0, 0]}), "no difference", True),
        (lambda p: check.which_text(p, {"one": [0, 0.1], "four": [0.3, 0.9]}), None, None),
    ],
)
def test_a_quiz_goes_by_what_was_measured(quiz, prediction, right):
    assert quiz(prediction).right is right
