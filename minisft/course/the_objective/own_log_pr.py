"""The table of log Pr(y|x) by a function that the reader wrote in notebook 01, beside the library's."""

import numpy as np

from minisft import evaluate, model
from minisft.course.display import Markdown, table
from minisft.course.grading.verdict import Stumbled, run


def log_pr_table(answer, theta, config, sequences, names) -> Markdown:
    """One row for each sequence: log Pr(y|x) in nats, by answer(logits, ids, is_y) and by `evaluate`.

    Where nothing is written yet, or the answer stops, the library's number stands alone.
    """
    rows, note = [], ""
    for (values, _), sequence, name in zip(evaluate.log_probs(theta, config, sequences), sequences, names):
        library, n = float(values[sequence.is_y[1:]].sum()), len(sequence.ids)
        logits, _ = model.forward(theta, config, sequence.ids, np.array([0, n]), np.arange(n))
        try:
            yours = float(run(answer, logits.astype(np.float64), sequence.ids, sequence.is_y))
            rows.append([name, yours, library, f"{abs(yours - library):.0e}"])
        except (Stumbled, TypeError, ValueError) as error:
            note = error.args[1] if isinstance(error, Stumbled) else "one number is wanted"
            rows.append([name, "the library's", library, ""])
    return Markdown(f"{table(['y, given x', 'log Pr(y|x), yours', 'the library', 'difference'], rows)}\n\n{note}")
