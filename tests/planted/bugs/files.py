"""Wrong lines: files, and the check itself."""

from .bug import Bug

BUGS = [
    Bug(
        "tied-unless-told",
        "A checkpoint that does not say whether it ties is read as tied.",
        "formats/families.py",
        '"tie_word_embeddings": False,',
        '"tie_word_embeddings": True,',
        "huggingface/transformers#30202",
        "formats/test_huggingface_config.py",
    ),
    Bug(
        "bfloat16-read-as-float16",
        "Two bytes are two bytes: BF16 is read with the exponent of F16.",
        "formats/huggingface.py",
        "(bits.astype(np.uint32) << 16).view(np.float32)",
        "bits.view(np.float16).astype(np.float32)",
        "habit: NumPy has no bfloat16",
    ),
    Bug(
        "cotangent-of-ones",
        "The gradient check uses ones, under which the rows of a softmax have no slope.",
        "gradcheck.py",
        "dy = rng.standard_normal(np.shape(y))",
        "dy = np.ones(np.shape(y))",
        "ddbourgin/numpy-ml, test_softmax_grad; HomericIntelligence/Mnemosyne#730",
    ),
    Bug(
        "difference-over-one-step",
        "The central difference is divided by the step, not by twice the step.",
        "gradcheck.py",
        "return (above - below) / (2 * step)",
        "return (above - below) / step",
        "habit: the one-sided formula, half changed",
    ),
    Bug(
        "nan-passes-the-check",
        "A gradient that is not a number passes, since NaN is not larger than any tolerance.",
        "gradcheck.py",
        "if not (np.isfinite(numeric) and np.isfinite(exact)):",
        "if False:",
        "habit: assert not error > tolerance",
    ),
]
