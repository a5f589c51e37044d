"""What it takes to go on with a gateway session. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Session:
    """A session that can be resumed: Discord sends again whatever came after `seq`, from `url`."""

    id: str
    seq: int
    url: str
