"""Embeddings that mean nothing but are always the same for the same text (pure)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from hashlib import sha256


def vector(text: str, size: int) -> list[float]:
    """`size` numbers made of the text; not of unit length, as some servers' are not."""
    numbers: list[float] = []
    round_ = 0
    while len(numbers) < size:
        digest = sha256(f"{round_} {text}".encode("utf-8", "surrogatepass")).digest()
        numbers.extend(byte / 16 - 8 for byte in digest)
        round_ += 1
    return numbers[:size]


def packed(numbers: Sequence[float]) -> str:
    """As OpenAI sends them for encoding_format "base64": little-endian floats of 4 bytes."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
