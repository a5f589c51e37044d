"""What one seed has in store: the kind of channel, which faults there are and how often. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from channels.capabilities import (
    Capabilities,
    LatencyClass,
    Operation,
    SendKey,
    Streaming,
    WriteBudget,
)

_EDIT = Capabilities(
    LatencyClass.SYNC, Streaming.EDIT, deletes=True, typing_ttl=5.0, notes=True, buttons=True
)
_WRITES = frozenset({Operation.SEND, Operation.EDIT, Operation.STREAM})

SURFACES: tuple[tuple[str, Capabilities], ...] = (
    ("edits, key", replace(_EDIT, send_key=SendKey.KEY)),
    ("edits, read back", replace(_EDIT, send_key=SendKey.READBACK)),
    ("edits, no key", _EDIT),
    ("edits, short messages", replace(_EDIT, send_key=SendKey.KEY, max_text=120)),
    ("edits, no key, limits", replace(_EDIT, budgets=(WriteBudget("chat", _WRITES, 1.0, 3),))),
    ("whole, key", Capabilities(LatencyClass.SEMI_SYNC, Streaming.NONE, send_key=SendKey.KEY)),
    ("whole, no key", Capabilities(LatencyClass.ASYNC, Streaming.NONE)),
    ("blocks, read back", Capabilities(LatencyClass.SYNC, Streaming.BLOCK, send_key=SendKey.READBACK)),
    ("drafts, no key", replace(_EDIT, streaming=Streaming.NATIVE, preview=True)),
    ("stream, read back", replace(_EDIT, streaming=Streaming.NATIVE, send_key=SendKey.READBACK)),
)
"""Every way of showing an answer that the channels have, and every promise about a repeated send."""


@dataclass(frozen=True, slots=True)
class Fate:
    """Chances are 0..1, times seconds. `kills`: after so many deaths the last life is left in peace.

    `polls`: messages are offered one after another, else each as it comes. `latency` is one way.
    """

    seed: int
    surface: str
    capabilities: Capabilities
    kills: int
    messages: int
    rooms: int
    latency: float
    disk: float
    polls: bool
    echoes: bool
    wire_faults: float
    model_faults: float
    doubled: float
    unconfirmed: float
    disk_faults: float
    long_downtime: float
    per_day: float | None


def draw(seed: int) -> Fate:
    """The fate of a seed. In each seed some kinds of faults are left out, so that others come through clearly."""
    dice = random.Random(f"fate {seed}")
    surface, capabilities = SURFACES[seed % len(SURFACES)]

    def now_and_then(chance: float, share: float = 0.6) -> float:
        return chance * dice.random() if dice.random() < share else 0.0

    return Fate(
        seed=seed,
        surface=surface,
        capabilities=capabilities,
        kills=dice.choice((1, 2, 2, 3, 3, 4)),
        messages=dice.randint(5, 14),
        rooms=dice.randint(1, 3),
        latency=dice.choice((0.001, 0.03, 0.15)),
        disk=dice.choice((0.0005, 0.004, 0.04)),
        polls=dice.random() < 0.5,
        echoes=dice.random() < 0.5,
        wire_faults=now_and_then(0.12),
        model_faults=now_and_then(0.4),
        doubled=now_and_then(0.4),
        unconfirmed=now_and_then(0.3),
        disk_faults=now_and_then(0.05, 0.2),
        long_downtime=dice.choice((0.0, 0.0, 0.3)),
        per_day=dice.choice((None, None, 0.5)),
    )
