"""Discord's ids: numbers as strings, with their time in them. Pure.

Discord docs, Reference, Snowflakes (2026-11): milliseconds since the first second of 2015 in the bits above 22.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

_EPOCH_MS = 1_420_070_400_000
_LARGEST = 2**63


def is_snowflake(value: Any) -> bool:
    """Whether it is an id as Discord sends them."""
    return (
        isinstance(value, str)
        and 0 < len(value) < 21
        and value.isascii()
        and value.isdigit()
        and int(value) < _LARGEST
    )


def seconds_of(snowflake: str) -> float:
    """When it was made, seconds since 1970."""
    return ((int(snowflake) >> 22) + _EPOCH_MS) / 1000.0


def time_of(snowflake: str) -> datetime:
    """When it was made, aware UTC."""
    return datetime.fromtimestamp(seconds_of(snowflake), UTC)


def first_at(seconds: float) -> str:
    """The least id made at or after that time; for "after" in a request."""
    return str(max(0, int(seconds * 1000) - _EPOCH_MS) << 22)
