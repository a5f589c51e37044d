"""Which messages are refused when too much is at hand: those first whose people wait least. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from channels.capabilities import LatencyClass


@dataclass(frozen=True, slots=True)
class Most:
    """What may be at hand in the whole process (the reliability figures of 2026-11).

    `messages`: those that are being answered among them. `size`: bytes of the texts that wait.
    """

    messages: int = 10_000
    size: int = 256 * 1024 * 1024


SHARES: Mapping[LatencyClass, float] = MappingProxyType(
    {
        LatencyClass.BATCH: 0.5,
        LatencyClass.ASYNC: 0.75,
        LatencyClass.SEMI_SYNC: 0.9,
        LatencyClass.SYNC: 1.0,
        LatencyClass.VOICE: 1.0,
    }
)
"""How full it may be for one more message of a class."""


def is_shed(latency: LatencyClass, messages: int, size: int, most: Most) -> bool:
    """Whether a new message of this class is refused for the sake of others. `size`: bytes of text that wait."""
    return max(messages / most.messages, size / most.size) >= SHARES[latency]
