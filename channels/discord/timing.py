"""How long things may take, in seconds. Tests hand in smaller values; nothing else is patched."""

from __future__ import annotations

from dataclasses import dataclass

from channels.waiting import backoff


@dataclass(frozen=True, slots=True)
class Timing:
    """Deadlines and waits.

    `acknowledge`: one of two tries within the 3 s that an interaction waits (Discord docs, Interactions, 2026-11).
    `ready`: from opening a socket to READY or RESUMED. `silence`: a socket without any frame for so long is dead;
    the gateway asks for a heartbeat every 41.25 s (Discord docs, Gateway, 2026-11) and confirms each.
    `retry_*`: waits after failures, doubled from first to last. `full`: before an event is offered again for which
    there was no room. `intents`: before the application is asked again whether its intents are switched on.
    `spacing`: Discord docs, Gateway, Sharding: `max_concurrency` identifies every 5 s. `fresh_nonce`: a nonce is
    unique "in the past few minutes"; beyond this its message is looked for.
    `tidy`: between two looks for commands that nobody answers.
    """

    send: float = 15.0
    edit: float = 10.0
    typing: float = 5.0
    ask: float = 10.0
    acknowledge: float = 1.4
    download: float = 60.0
    hello: float = 15.0
    ready: float = 30.0
    silence: float = 60.0
    retry_first: float = 0.5
    retry_last: float = 60.0
    full: float = 1.0
    full_patience: float = 600.0
    intents: float = 20.0
    identify_again: float = 300.0
    spacing: float = 5.0
    cursor_every: float = 1.0
    backfill: float = 20.0
    fresh_nonce: float = 120.0
    tidy: float = 15.0


def resume_pause(short_lives: int, first: float, last: float, chance: float) -> float:
    """The wait before a session is resumed after so many connections in a row that worked and ended young.

    None after the first: a connection that is lost is made again at once.
    """
    return backoff(short_lives - 1, first, last, chance) if short_lives > 1 else 0.0
