"""Notebook 02: what exactly does supervised fine-tuning maximise, and what is each symbol of it for?

J(θ) from the model alone, symbols matched with things, a symbol that is missing, the optimum of a small data set, and a
loss of the student's own.
"""

from minisft.course.grading.cases import case
from minisft.course.log_probability.tiny import TINY, all_answers, as_sequence, pr, shown, strings, tiny_theta
from minisft.course.the_objective.figures import (
    matrix,
    panels,
)
from minisft.course.the_objective.frequencies import (
    learn_frequencies,
    three_distances,
)
from minisft.course.the_objective.match_symbols import (
    boxes,
    kind,
    match,
    symbols,
    toy,
    which_argmax,
)
from minisft.course.the_objective.missing_symbol import (
    missing,
)
from minisft.course.the_objective.objective import (
    J,
)
from minisft.course.the_objective.optimum import (
    one_step,
    optimum,
)
from minisft.course.the_objective.own_log_pr import (
    log_pr_table,
)
from minisft.course.the_objective.own_loss import (
    own_loss,
)
from minisft.course.the_objective.quizzes import (
    helped_most,
    least_harm,
)
from minisft.course.the_objective.sums import (
    by_prefixes,
    gradient_errors,
    next_token,
    pr_of_string,
    softmax,
)
from minisft.course.the_objective.tables import (
    COUNTS,
    FREQUENCY,
    gradient_error,
    squared_error,
    steps_to,
    table_loss,
    train_table,
)
from minisft.course.the_objective.taken_apart import (
    HEADINGS,
    SETTINGS,
    last_scores,
    over_seeds,
    report,
    run,
    score,
    weighted_by_pr,
)
from minisft.course.the_objective.terms import (
    KINDS,
    by_kind,
    by_token,
    changes,
    cosines,
    eight_pairs,
    hard_tokens,
    terms,
)

__all__ = [
    "COUNTS",
    "FREQUENCY",
    "HEADINGS",
    "KINDS",
    "SETTINGS",
    "TINY",
    "J",
    "all_answers",
    "as_sequence",
    "boxes",
    "by_kind",
    "by_prefixes",
    "by_token",
    "case",
    "changes",
    "cosines",
    "eight_pairs",
    "gradient_error",
    "gradient_errors",
    "hard_tokens",
    "helped_most",
    "kind",
    "last_scores",
    "learn_frequencies",
    "least_harm",
    "log_pr_table",
    "match",
    "matrix",
    "missing",
    "next_token",
    "one_step",
    "optimum",
    "over_seeds",
    "own_loss",
    "panels",
    "pr",
    "pr_of_string",
    "report",
    "run",
    "score",
    "shown",
    "softmax",
    "squared_error",
    "steps_to",
    "strings",
    "symbols",
    "table_loss",
    "terms",
    "three_distances",
    "tiny_theta",
    "toy",
    "train_table",
    "weighted_by_pr",
    "which_argmax",
]
