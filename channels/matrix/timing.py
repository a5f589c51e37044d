"""How long things may take, in seconds. Tests hand in smaller values; nothing else is patched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Deadlines and waits.

    `keys`: what the sharing of a room's key may add to a send. `snapshot`: the first sync, which large accounts take
    long for. `idle`: after a sync that told nothing and was not held. `poll_grace`: how much longer than asked a sync
    may take before it is given up. `join`: a room of another server. `retry_*`: waits after failures, doubled from
    first to last. `full`: before events are offered again for which there was no room. `receipts`: between two
    receipts. `unread`: how long a message that cannot be decrypted waits for its key, `hope`: after which its writer
    is told. `cursor_every`: how old the stored token may get while only our own events come.
    """

    send: float = 20.0
    keys: float = 30.0
    edit: float = 15.0
    typing: float = 5.0
    ask: float = 10.0
    snapshot: float = 180.0
    idle: float = 1.0
    join: float = 60.0
    download: float = 60.0
    poll_grace: float = 15.0
    retry_first: float = 0.5
    retry_last: float = 30.0
    full: float = 1.0
    receipts: float = 0.5
    unread: float = 600.0
    hope: float = 15.0
    cursor_every: float = 30.0
