"""Mutants that change nothing a test could see: (file, line before, line after), and why nobody can tell them apart."""

AT_A_TIME_ONLY = "It decides how much is computed at a time, and with it the speed, but no number."
LEFT = "Any negative number stands for the size that is left."
EQUIVALENT = {
    ("layers/attention.py", "QUERIES = 64", "QUERIES = 65"): AT_A_TIME_ONLY,
    (
        "layers/attention.py",
        "return a[:, self.queries].reshape(len(a), self.S, -1, a.shape[-1])",
        "return a[:, self.queries].reshape(len(a), self.S, -2, a.shape[-1])",
    ): LEFT,
    (
        "layers/attention.py",
        "return a[:, self.keys].reshape(len(a), self.S, -1, a.shape[-1])[:, :, : self.T]",
        "return a[:, self.keys].reshape(len(a), self.S, -2, a.shape[-1])[:, :, : self.T]",
    ): LEFT,
    (
        "layers/attention.py",
        "by_position = scores.reshape(len(scores), self.S, self.mask.shape[-2], -1, self.T)",
        "by_position = scores.reshape(len(scores), self.S, self.mask.shape[-2], -2, self.T)",
    ): LEFT,
    (
        "layers/attention.py",
        "hidden, result, s, row, key = causal(max([1, *rooms]), window), [], 0, 0, 0",
        "hidden, result, s, row, key = causal(max([2, *rooms]), window), [], 0, 0, 0",
    ): "The triangle may be larger than what is read of it.",
    (
        "layers/attention.py",
        "row = np.repeat(np.float32([-np.inf, 0, -np.inf]), [n - seen, seen, n])",
        "row = np.repeat(np.float32([-np.inf, 1, -np.inf]), [n - seen, seen, n])",
    ): "A softmax does not see what is added to all scores of a query.",
    (
        "model.py",
        "every, result = np.arange(positions.max(initial=0) + 1), {}",
        "every, result = np.arange(positions.max(initial=0) + 2), {}",
    ): "One row of the table more, which nobody reads.",
    (
        "model.py",
        "every, result = np.arange(positions.max(initial=0) + 1), {}",
        "every, result = np.arange(positions.max(initial=1) + 1), {}",
    ): "One row of the table more, which nobody reads.",
    (
        "data.py",
        "return m / np.where(totals[reduction] > 0, totals[reduction], 1.0)",
        "return m / np.where(totals[reduction] > 0, totals[reduction], 2.0)",
    ): "Where a total is 0, so is every m in it, and 0 may be divided by any number.",
    (
        "optim.py",
        "if 0 < max_norm < norm + 1e-6:",
        "if 0 < max_norm <= norm + 1e-6:",
    ): "Where the two are equal, the gradient is multiplied by 1.",
    (
        "optim.py",
        "BLOCK = 32768",
        "BLOCK = 32769",
    ): "The size of the blocks does not matter, as a sentence of test_optim.py says.",
    (
        "optim.py",
        "done = (step - warmup) / max(1, total - warmup)",
        "done = (step - warmup) / max(2, total - warmup)",
    ): "If total - warmup is 1, the only step that comes here has step - warmup = 0.",
}
