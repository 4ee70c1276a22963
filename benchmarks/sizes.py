"""What is computed: three models, two kinds of data, and how many floating-point operations a step needs."""

from dataclasses import dataclass

import numpy as np

from minisft import model
from minisft.config import ModelConfig
from minisft.data import Sequence
from minisft.layers.attention import QUERIES


@dataclass(frozen=True)
class Size:
    """A model and its data. fill: real tokens / (sequences × longest) that variable lengths shall have."""

    layers: int
    width: int
    inner: int
    context: int
    sequences: int
    vocabulary: int
    fill: float = 0.5
    head: int = 32

    @property
    def config(self) -> ModelConfig:
        heads = self.width // self.head
        return ModelConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            head_dim=self.head,
            max_position_embeddings=self.context,
            tie_word_embeddings=True,
        )


SIZES = {
    "tiny": Size(2, 64, 192, 64, 32, 128, 0.46),
    "small": Size(4, 128, 352, 128, 16, 512, 0.54),
    "base": Size(6, 384, 1024, 256, 8, 4096, 0.51),
}


def grown(what: str, value: int) -> Size:
    """4 layers, vocabulary 512; 2048 tokens a step, or `value` sequences. One of length, width or batch varies."""
    length, width = (value if what == name else 128 for name in ("length", "width"))
    inner = {32: 96, 64: 192, 128: 352, 256: 672, 512: 1376}[width]
    return Size(4, width, inner, length, value if what == "batch" else 2048 // length, 512)


def uniform(size: Size) -> list[Sequence]:
    """Every sequence fills the context and every token is a target: equal work for everybody."""
    rng = np.random.default_rng(0)
    n = size.context + 1  # the last token is only a target
    return [Sequence(rng.integers(0, size.vocabulary, n), np.arange(n) > 0, "") for _ in range(size.sequences)]


def variable(size: Size) -> list[Sequence]:
    """Log-normal lengths up to the context, 70 % prompt and 30 % completion; the seed comes nearest to the fill."""

    def lengths(seed):
        drawn = np.random.default_rng(seed).lognormal(np.log(size.fill * size.context), 0.45, size.sequences)
        drawn = np.clip(drawn.round().astype(int), 4, size.context)
        drawn[drawn.argmax()] = size.context
        return drawn

    best = min(range(200), key=lambda seed: abs(lengths(seed).mean() / size.context - size.fill))
    rng = np.random.default_rng(best)
    return [Sequence(rng.integers(0, size.vocabulary, n + 1), np.arange(n + 1) > 0.7 * n, "") for n in lengths(best)]


DATA = {"uniform": uniform, "variable": variable}


def theta(size: Size):
    """Random parameters, gains away from 1, float32: the checkpoint that both sides load."""
    rng = np.random.default_rng(1)
    theta = model.init(size.config, rng)
    for view in theta.named.values():
        view[...] = view + rng.uniform(-0.5, 0.5, view.shape) if view.ndim == 1 else view * 2
    return theta


def products(size: Size, sequences: list[Sequence]) -> list[tuple[int, int, int]]:
    """(rows, in, out) of every matrix product with a weight in one forward, where every row is wanted."""
    N = sum(len(s.ids) - 1 for s in sequences)
    C, F = size.width, size.inner
    return (
        [(N, C, C)] * (4 * size.layers)
        + [(N, C, F)] * (2 * size.layers)
        + [(N, F, C)] * size.layers
        + [(N, C, size.vocabulary)]
    )


def scores(n: int, m: int) -> int:
    """Pairs of a query and a key that attention computes for n tokens of which the last m ask, cut into blocks."""
    ends = [*range(QUERIES, m, QUERIES), m]
    return sum((end - max(0, end - 1) // QUERIES * QUERIES) * (n - m + end) for end in ends)


def flop(size: Size, sequences: list[Sequence]) -> int:
    """Of one step of minisft: forward and twice that for backward, multiply and add counted as two.

    Rows of weight 0 cost nothing after the keys and values of the last block.
    """
    C, F, V, L = size.width, size.inner, size.vocabulary, size.layers
    result = 0
    for sequence in sequences:
        n, m = len(sequence.ids) - 1, int(sequence.is_y[1:].sum())
        everywhere, asking = 2 * C * C, 2 * C * C + 3 * C * F  # k, v; and q, o, MLP
        result += (L - 1) * (n * (everywhere + asking) + 2 * C * scores(n, n))
        result += n * everywhere + m * asking + 2 * C * scores(n, m) + m * C * V
    return 3 * 2 * result
