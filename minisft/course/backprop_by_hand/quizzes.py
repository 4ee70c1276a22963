"""The prediction of notebook 04: which step makes a numerical derivative best."""

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import settle


@quiz
def best_step(prediction, errors, predicted):
    """A quiz: which step makes the error of the central difference smallest?

    errors     {step: relative error measured}; its steps are the options
    predicted  the step τ at which τ² |f‴| / 6 + ρ |f| / τ is smallest
    """
    outcome = min(errors, key=errors.get)
    measured = ", ".join(f"τ = {step:.0e}: {error:.0e}" for step, error in errors.items())
    happened = (
        f"The errors: {measured}. The curve costs τ² |f‴| / 6, rounding costs ρ |f| / τ; "
        f"the sum is smallest near τ = {predicted:.0e}: far from the smallest step that a computer has."
    )
    return settle(prediction, tuple(errors), outcome, happened)
