"""Byte-level BPE: every byte of a text is spelled as a character, in the way of GPT-2."""

from collections.abc import Collection

# A printable byte is itself, the n-th of the others is character 256 + n.
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = {chr(byte): byte for byte in PRINTABLE}
BYTES |= {chr(256 + n): byte for n, byte in enumerate(byte for byte in range(256) if byte not in PRINTABLE)}


def unknown_bytes(vocabulary: Collection[str]) -> set[int]:
    """The bytes without a token."""
    return {byte for char, byte in BYTES.items() if char not in vocabulary}
