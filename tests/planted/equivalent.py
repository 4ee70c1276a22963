"""Mutants that change nothing a test could see: (file, line before, line after), and why nobody can tell them apart."""

EQUIVALENT = {
    (
        "model.py",
        "every = np.arange(positions.max(initial=0) + 1)",
        "every = np.arange(positions.max(initial=0) + 2)",
    ): "One row of the table more, which nobody reads.",
    (
        "model.py",
        "every = np.arange(positions.max(initial=0) + 1)",
        "every = np.arange(positions.max(initial=1) + 1)",
    ): "One row of the table more, which nobody reads.",
    (
        "formats/rows.py",
        'for key in ("instruction", "input", "output")[: 3 if answered else 2]:',
        'for key in ("instruction", "input", "output")[: 4 if answered else 2]:',
    ): "There are three keys only, so the first four are the first three.",
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
