"""What the tests of notebook 09 share: seeds, and an answer that is not written."""

import pytest

SEEDS = [None, *range(5)]
NAME = "09_three_tutors"
each_seed = pytest.mark.parametrize("seed", SEEDS)


def stub(*arguments):
    raise NotImplementedError
