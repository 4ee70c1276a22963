"""What the tests of notebook 03 share: its solutions as functions."""

from course.solutions import solution

NOTEBOOK = "03_concatenated_sequences"


def solved(exercise):
    return solution(NOTEBOOK, exercise)[exercise]
