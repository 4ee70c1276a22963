"""The types of blocks in which weights are stored: what each byte stands for, number by number."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support import small_gguf
from support.small_gguf import CONFIG, gguf, random_theta, write

from minisft import checkpoint

tokenizer = small_gguf.tokenizer
WIDE = replace(CONFIG, hidden_size=256)  # rows of one block of 256 weights


def half(data):
    return float(np.frombuffer(bytes(data), "<f2")[0])


def scale_and_minimum(packed, j):
    """Of the eight groups of 32: twelve bytes with eight times six bits, twice."""
    if j < 4:
        return packed[j] & 63, packed[j + 4] & 63
    return packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4


def q4_k(b):
    d, least, packed, q = half(b[:2]), half(b[2:4]), b[4:16], b[16:]
    result = []
    for group in range(8):
        scale, minimum = scale_and_minimum(packed, group)
        for i in range(32):
            nibble = q[group // 2 * 32 + i] >> 4 * (group % 2) & 15
            result.append(d * scale * nibble - least * minimum)
    return result


def q5_k(b):
    d, least, packed, high, q = half(b[:2]), half(b[2:4]), b[4:16], b[16:48], b[48:]
    result = []
    for group in range(8):
        scale, minimum = scale_and_minimum(packed, group)
        for i in range(32):
            number = q[group // 2 * 32 + i] >> 4 * (group % 2) & 15 | (high[i] >> group & 1) << 4
            result.append(d * scale * number - least * minimum)
    return result


def q6_k(b):
    low, high, scales, d = b[:128], b[128:192], [s - 256 * (s > 127) for s in b[192:208]], half(b[208:])
    result = []
    for k in range(256):
        part, quarter, i = k // 128, k % 128 // 32, k % 32
        nibble = low[part * 64 + quarter % 2 * 32 + i] >> 4 * (quarter // 2) & 15
        number = (nibble | (high[part * 32 + i] >> 2 * quarter & 3) << 4) - 32
        result.append(d * scales[k // 16] * number)
    return result


def q2_k(b):
    scales, q, d, least = b[:16], b[16:80], half(b[80:82]), half(b[82:])
    result = []
    for k in range(256):
        number = q[k // 128 * 32 + k % 32] >> 2 * (k % 128 // 32) & 3
        result.append(d * (scales[k // 16] & 15) * number - least * (scales[k // 16] >> 4))
    return result


def q3_k(b):
    high, q, packed, d = b[:32], b[32:96], b[96:108], half(b[108:])
    result = []
    for k in range(256):
        j = k // 16
        scale = (packed[j % 8] >> 4 * (j // 8) & 15 | (packed[8 + j % 4] >> 2 * (j // 4) & 3) << 4) - 32
        number = q[k // 128 * 32 + k % 32] >> 2 * (k % 128 // 32) & 3
        result.append(d * scale * (number - 4 * (not high[k % 32] >> k // 32 & 1)))
    return result


BY_HAND = {"Q2_K": (q2_k, [80, 82]), "Q3_K": (q3_k, [108]), "Q4_K": (q4_k, [0, 2]), "Q5_K": (q5_k, [0, 2])}
BY_HAND["Q6_K"] = q6_k, [208]


@pytest.mark.parametrize("name", BY_HAND)
def test_a_block_of_256_weights_stands_for_what_the_format_says(name, tokenizer, tmp_path):
    kind, (decode, halves) = gguf.GGMLQuantizationType[name], BY_HAND[name]
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (WIDE.vocab_size, gguf.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for place in halves:  # scales of any sign that are neither NaN nor infinite
        blocks[:, place : place + 2] = rng.uniform(-1, 1, len(blocks)).astype("<f2").view(np.uint8).reshape(-1, 2)
    drop, also = ["token_embd.weight"], {"token_embd.weight": (blocks, kind)}
    write(tmp_path / "model.gguf", random_theta(WIDE), WIDE, tokenizer, drop=drop, also=also)
    theta, _, _ = checkpoint.load(tmp_path / "model.gguf")
    expected = [decode(row) for row in blocks.tolist()]
    assert_allclose(theta.model.embed_tokens.weight, expected, rtol=1e-5, atol=1e-5)  # products of float32


@pytest.mark.parametrize("name", ["Q5_0", "Q5_1"])
def test_types_that_stand_in_where_rows_are_no_multiples_of_256_are_read(name, tokenizer, tmp_path):
    numbers = write(tmp_path / "model.gguf", random_theta(CONFIG), CONFIG, tokenizer, gguf.GGMLQuantizationType[name])
    theta, _, _ = checkpoint.load(tmp_path / "model.gguf")
    for tensor, view in theta.named.items():
        assert_array_equal(view, numbers[tensor], strict=True)
