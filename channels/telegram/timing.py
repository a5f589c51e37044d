"""How long things may take, in seconds. Tests hand in smaller values; nothing else is patched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Deadlines and waits.

    `poll_grace`: how much longer than asked a getUpdates may take before its connection is thrown away.
    `retry_*`: waits after failures, doubled from first to last. `conflict_*`: the same after 409.
    `album_quiet`: an album is whole when no part has come for so long; `album_longest`: or so long after the first.
    `full`: before updates are offered again for which there was no room.
    `draft_refresh`: Bot API docs, sendMessageDraft (2026-11): a draft is shown for 30 s; painted again before.
    """

    send: float = 20.0
    edit: float = 10.0
    draft: float = 5.0
    typing: float = 5.0
    ask: float = 10.0
    download: float = 60.0
    poll_grace: float = 10.0
    retry_first: float = 0.5
    retry_last: float = 30.0
    conflict_first: float = 4.0
    conflict_last: float = 60.0
    full: float = 1.0
    album_quiet: float = 0.5
    album_longest: float = 5.0
    draft_refresh: float = 22.0
    draft_forget: float = 900.0
    cursor_every: float = 1.0
    webhook_check: float = 300.0
