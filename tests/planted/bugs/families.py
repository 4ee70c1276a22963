"""Wrong lines: what Qwen3, OLMo-2 and Gemma 3 have that a Llama has not."""

from .bug import Bug

BUGS = [
    Bug(
        "keys-normed-as-queries",
        "Keys are normed with the gain of the queries.",
        "layers/attention.py",
        "k, c_nk = head_norm.forward(p.k_norm, k, eps)",
        "k, c_nk = head_norm.forward(p.q_norm, k, eps)",
        "habit: a line that is copied, and changed but once",
        "test_families.py",
    ),
    Bug(
        "gain-without-1",
        "A Gemma's gains are taken as they stand in the file, though they are 1 + w.",
        "formats/families.py",
        "gain_offset=1.0,",
        "gain_offset=0.0,",
        "habit: a gain is a gain",
        "formats/test_huggingface_newer_families.py",
    ),
    Bug(
        "gelu-for-constant-slope",
        "The derivative of GELU leaves out the cubic term.",
        "layers/geglu.py",
        "dz = 2 * ROOT * (1 + 3 * KAPPA * a * a)",
        "dz = 2 * ROOT * (1 + KAPPA * a * a)",
        "habit: the exponent is not brought down",
        "test_layers.py",
    ),
    Bug(
        "window-one-too-wide",
        "A window of w keys leaves room for the query's own key besides.",
        "layers/attention.py",
        "seen = min(n, window)",
        "seen = min(n, window + 1)",
        "habit: so many keys before it, and not so many in all",
        "test_families.py",
    ),
    Bug(
        "window-forgotten-by-one-query",
        "A single query needs no mask, it is thought: in decoding the window is gone.",
        "layers/attention.py",
        "if t > 1 or window < T else None",
        "if t > 1 else None",
        "habit: what is right for the causal mask is right for all",
        "test_families.py",
    ),
    Bug(
        "one-rotation-for-all-blocks",
        "All blocks are turned with the base of those that see everything.",
        "config.py",
        "Reach(self.sliding_window, self.rope_local_base, None)",
        "Reach(self.sliding_window, self.rope_base, None)",
        "habit: one rope_theta, as in a Llama",
        "test_families.py",
    ),
]
