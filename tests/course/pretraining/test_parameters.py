"""The number of parameters: each mistake is called by its name."""

import pytest

from minisft.course import pretraining as check


def count(c, head=None, keys=None, mlp=3, norms=2, last=1, o=1, size=None):
    C, D = c.hidden_size, size or c.head_dim
    HD, GD = c.num_attention_heads * D, (keys or c.num_key_value_heads) * D
    layer = C * HD * (1 + o) + 2 * C * GD + mlp * C * c.intermediate_size + norms * C
    heads = head if head is not None else (0 if c.tie_word_embeddings else 1)
    return c.vocab_size * C * (1 + heads) + c.num_hidden_layers * layer + last * C


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda c: count(c, head=1), "counted although it is tied"),
        (lambda c: count(c, head=0), "left out although it is not tied"),
        (lambda c: count(c, keys=c.num_attention_heads), "as many heads as queries"),
        (lambda c: count(c, norms=0, last=0), "all norms are left out"),
        (lambda c: count(c, last=0), "the last norm"),
        (lambda c: count(c, norms=1), "two norms"),
        (lambda c: count(c, mlp=2), "three matrices"),
        (lambda c: count(c, o=0), "output projection"),
        (lambda c: count(c, size=c.hidden_size // c.num_attention_heads), "taken for C / H"),
        (lambda c: count(c) + c.max_position_embeddings * c.hidden_size, "positions are counted"),
        # not in the catalogue
        (lambda c: count(c, mlp=2, o=0), "is right"),
        (lambda c: count(c, keys=1), "is right"),
        (lambda c: 4 * count(c), "is right"),
        (lambda c: count(c) / 1e6, "is right"),
        (lambda c: 12 * c.num_hidden_layers * c.hidden_size**2, "is right"),
        (lambda c: count(c) + c.vocab_size, "is right"),
    ],
)
def test_a_wrong_count_is_called_by_its_mistake(answer, words):
    for seed in (0, 1):
        verdict = check.count_parameters(answer, seed=seed)
        assert verdict.right is False and words in verdict.text, verdict
