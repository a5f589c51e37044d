"""How long things may take, in seconds. Tests hand in smaller values; nothing else is patched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Deadlines and waits.

    `hello`: how long a new socket may stay without its greeting. `silence`: without any frame, pings of the server
    included, a socket is dead. `deaf`: without an event it is replaced by a fresh one, as sockets were seen that
    answer pings and deliver nothing (slackapi/bolt-python#1529, #417). `overlap`: how long an old socket still
    delivers beside the new one. `ack`: Slack docs, "Events API" (2026-11): three seconds, less our way back.
    `retry_*`: waits after failures, doubled from first to last. `full`: before a missed message is offered again
    for which there was no room. `seen_every`: how often what was seen in known places is written down. `refill`: until
    what found no room is looked for, longer than Slack offers it again (docs, "Events API": at once, after 1 and 5
    minutes). `in_turn`: how long at most a message waits for those that were missed before it in its place.
    """

    send: float = 20.0
    edit: float = 10.0
    stream: float = 10.0
    typing: float = 5.0
    ask: float = 10.0
    download: float = 60.0
    hello: float = 10.0
    ping: float = 10.0
    silence: float = 35.0
    deaf: float = 900.0
    overlap: float = 10.0
    ack: float = 2.5
    retry_first: float = 0.5
    retry_last: float = 30.0
    full: float = 1.0
    seen_every: float = 1.0
    name_keep: float = 3600.0
    backfill_patience: float = 120.0
    auth_every: float = 300.0
    refill: float = 400.0
    in_turn: float = 1.5
