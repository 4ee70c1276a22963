"""The prediction of notebook 00: what forty steps do."""

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import settle

STEPS_DO = ("continue", "form only", "answer")


@quiz
def forty_steps(prediction, exact: float, stopped: float):
    """What the fine-tuned model does with held-out questions, decided by its exact match and stop rate."""
    outcome = "answer" if exact > 0.5 else "form only" if stopped > 0.5 else "continue"
    why = {
        "answer": "The facts came from pre-training; what to do with a question came from 40 steps on other countries.",
        "form only": "It has learned to end an answer, but the right fact is missing in most.",
        "continue": "It does not even end its answers: these were too few steps, or too small ones.",
    }[outcome]
    measured = f"{exact:.0%} of the held-out questions are answered exactly, {stopped:.0%} of the answers end. "
    return settle(prediction, STEPS_DO, outcome, measured + why)
