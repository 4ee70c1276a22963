"""Notebook 06: the checks let the solutions pass, and tell the mistakes of the catalogues apart."""

import numpy as np
import pytest

from course.solutions import sections, solution
from minisft import checkpoint
from minisft.course import pretraining as check
from minisft.course.pretraining import mistakes
from minisft.formats import resources

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


def test_the_solution_counts_the_shipped_model():
    theta, config, _ = checkpoint.load(resources.path("atlas"))
    assert solution(NOTEBOOK, "count_parameters")["count_parameters"](config) == theta.flat.size
