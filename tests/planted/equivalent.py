"""Mutants that change nothing a test could see: (file, line before, line after), and why nobody can tell them apart."""

TOGETHER = "while end < len(lengths) and lengths[end] == (T, T) and (end - s) * heads * T * T < SCORES:"
AT_A_TIME_ONLY = "It decides how much is computed at a time, and with it the speed, but no number."
EQUIVALENT = (
    {
        ("layers/attention.py", TOGETHER, TOGETHER.replace("(end - s)", changed)): AT_A_TIME_ONLY
        for changed in ("((s - end))", "(end + s)")
    }
    | {
        ("layers/attention.py", TOGETHER, TOGETHER.replace("heads * T * T <", changed)): AT_A_TIME_ONLY
        for changed in ("heads / T * T <", "heads * T / T <", "heads * T * T <=")
    }
    | {
        ("layers/attention.py", TOGETHER, TOGETHER.replace("* heads", "/ heads")): AT_A_TIME_ONLY,
        ("layers/attention.py", "SCORES = 65536", "SCORES = 65537"): AT_A_TIME_ONLY,
        ("layers/attention.py", "if t == T <= QUERIES:", "if t != T <= QUERIES:"): AT_A_TIME_ONLY,
        ("layers/attention.py", "if t == T <= QUERIES:", "if t == T < QUERIES:"): AT_A_TIME_ONLY,
        (
            "layers/attention.py",
            "if position.min(initial=T) >= T - 1:",
            "if position.min(initial=T) > T - 1:",
        ): "Where no key is hidden, nothing but zeros is added.",
        (
            "layers/attention.py",
            "if position.min(initial=T) >= T - 1:",
            "if position.min(initial=T) >= T + 1:",
        ): "Where no key is hidden, nothing but zeros is added.",
        (
            "layers/attention.py",
            "@lru_cache(maxsize=64)",
            "@lru_cache(maxsize=65)",
        ): "What is forgotten is made again.",
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
            "data.py",
            "return m / np.where(totals[reduction] > 0, totals[reduction], 1.0)",
            "return m / np.where(totals[reduction] > 0, totals[reduction], 2.0)",
        ): "Where a total is 0, so is every m in it, and 0 may be divided by any number.",
        (
            "layers/attention.py",
            "return np.where(later, dtype.type(-np.inf), dtype.type(0))",
            "return np.where(later, dtype.type(-np.inf), dtype.type(1))",
        ): "A softmax does not see what is added to all scores of a query.",
        (
            "model.py",
            "positions = np.arange(len(ids)) - np.repeat(starts[:-1], starts[1:] - starts[:-1])",
            "positions = np.arange(len(ids)) + np.repeat(starts[:-1], starts[1:] - starts[:-1])",
        ): "Scores depend on distances only, so a sequence may begin at any position.",
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
)
