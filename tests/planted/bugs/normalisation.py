"""Wrong lines: normalisation."""

from .bug import Bug

BUGS = [
    Bug(
        "mean-of-means",
        "Every micro-batch takes its own mean, and the step the mean of those: short answers weigh too much.",
        "data.py",
        "self.weights[rows], starts - starts[0], self.is_y[rows],",
        "self.weights[rows] / max(self.weights[rows].sum(), 1e-30) / -(-(len(self.starts) - 1) // size), "
        "starts - starts[0], self.is_y[rows],",
        "huggingface/transformers#34242, huggingface/trl#2175, karpathy/nanochat#59",
    ),
    Bug(
        "sum-not-divided",
        "The means of the micro-batches are added and not divided: K times the loss with K micro-batches.",
        "data.py",
        "self.weights[rows], starts - starts[0], self.is_y[rows],",
        "self.weights[rows] / max(self.weights[rows].sum(), 1e-30), starts - starts[0], self.is_y[rows],",
        "axolotl-ai-cloud/axolotl#2262, huggingface/transformers#35207",
    ),
    Bug(
        "divided-by-all-tokens",
        "The mean divides by the tokens of x and y, though only y is added.",
        "data.py",
        '"token_mean": m.sum(),',
        '"token_mean": len(m),',
        "open-jarvis/OpenJarvis#521, huggingface/transformers#2759",
    ),
    Bug(
        "lambda-not-in-the-denominator",
        "With 0 < λ < 1 the mean divides by the number of tokens, not by the sum of their weights.",
        "data.py",
        '"token_mean": m.sum(),',
        '"token_mean": np.count_nonzero(m),',
        "habit: a weight is taken for a mask",
    ),
    Bug(
        "nothing-to-learn-is-nan",
        "A step of which every token is masked divides 0 by 0.",
        "data.py",
        "return m / np.where(totals[reduction] > 0, totals[reduction], 1.0)",
        "return m / totals[reduction]",
        "karpathy/nanochat#590, huggingface/trl#6668",
    ),
    Bug(
        "empty-sequences-counted",
        "The mean over sequences also counts those that have no target.",
        "data.py",
        '"sequence_mean": np.count_nonzero(per_sequence) *',
        '"sequence_mean": len(per_sequence) *',
        "habit: the size of the batch is at hand",
    ),
]
