"""The prediction of notebook 04: which step makes a numerical derivative best."""

from minisft.course.grading.exercise import quiz
from minisft.course.grading.verdict import settle


@quiz
def best_step(prediction, errors, predicted):
    """A quiz: which step h makes the error of the central difference smallest?

    errors     {h: relative error measured}; its steps are the options
    predicted  the h at which h² |f‴| / 6 + ε |f| / h is smallest
    """
    outcome = min(errors, key=errors.get)
    measured = ", ".join(f"h = {h:.0e}: {error:.0e}" for h, error in errors.items())
    happened = (
        f"The errors: {measured}. The curve costs h² |f‴| / 6, rounding costs ε |f| / h; "
        f"the sum is smallest near h = {predicted:.0e}: far from the smallest step that a computer has."
    )
    return settle(prediction, tuple(errors), outcome, happened)
