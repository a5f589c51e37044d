"""What Discord takes at an address, as data: streaming, lengths, write budgets. Pure; `now` is handed in.

The budgets follow the buckets that the answers tell of (buckets.py), so they are true at every moment: what delivery
believes to have is never more than Discord would take, and no call has to wait inside.
"""

from __future__ import annotations

from channels.capabilities import (
    Capabilities,
    LatencyClass,
    LengthUnit,
    Markup,
    Operation,
    SendKey,
    Streaming,
    Surface,
    WriteBudget,
)
from channels.discord.buckets import Buckets
from channels.discord.handles import Interaction
from channels.discord.settings import DiscordSettings
from channels.discord.text import MAX_TEXT
from channels.events import Address

_SENDS = frozenset({Operation.SEND})
_EDITS = frozenset({Operation.EDIT})
_TYPING = frozenset({Operation.TYPING})
_DELETES = frozenset({Operation.DELETE})
_ANSWERS = _SENDS | _EDITS | _DELETES
_ALL = _ANSWERS | _TYPING

# Discord docs, Rate Limits (2026-11): 50 requests a second; a bucket lets through burst + rate in the worst second.
TOKEN_RATE, TOKEN_BURST = 45.0, 5
# Discord docs, Channel resource, Trigger Typing Indicator (2026-11): "expires after 10 seconds".
TYPING_SECONDS = 10.0
# One is always kept for the final, so an edit needs two.
EDIT_BURST = 2
_LEAST_SECONDS = 0.05


def channel_of(address: Address) -> str:
    """The id of the channel that a message at this address is posted to: a thread is a channel of its own."""
    return address.key.thread or address.key.space


def scope(address: Address, operation: Operation) -> str:
    """The name of the bucket that this write draws on."""
    return f"{operation}:{channel_of(address)}"


def hook_scope(interaction: str) -> str:
    """The name of the bucket of an interaction's answers; webhooks split theirs by token."""
    return f"hook:{interaction}"


class Offers:
    """What one account offers, by address."""

    def __init__(self, settings: DiscordSettings, buckets: Buckets) -> None:
        self._settings = settings
        self._buckets = buckets

    def at(self, address: Address, now: float, way: Interaction | None = None) -> Capabilities:
        """The capabilities there. `now`: the buckets' clock; `way`: the interaction to answer, while that can be."""
        is_command = address.surface is Surface.COMMAND
        return Capabilities(
            latency=LatencyClass.SYNC if is_command else LatencyClass.SEMI_SYNC,
            streaming=Streaming.EDIT if self._settings.stream else Streaming.NONE,
            markup=Markup.RICH,
            max_text=MAX_TEXT,
            unit=LengthUnit.UTF16,
            budgets=self._channel(address, now) if way is None else self._hook(way.id, now),
            # A deferred answer says by itself that the bot is thinking.
            typing_ttl=TYPING_SECONDS if way is None else None,
            threads=True,
            reactions=True,
            signs=not is_command,
            buttons=self._settings.buttons,
            deletes=True,
            attachments_in=True,
            send_key=SendKey.KEY,
        )

    def _channel(self, address: Address, now: float) -> tuple[WriteBudget, ...]:
        send, edit = scope(address, Operation.SEND), scope(address, Operation.EDIT)
        left = self._buckets.left(send, now)
        return (
            WriteBudget(send, _SENDS, self._pace(send, now), max(1, left.remaining)),
            WriteBudget(edit, _EDITS, min(self._pace(edit, now), self._most()), EDIT_BURST),
            WriteBudget(f"{Operation.TYPING}:{channel_of(address)}", _TYPING, 0.5, 3),
            WriteBudget("token", _ALL, TOKEN_RATE, TOKEN_BURST),
        )

    def _hook(self, interaction: str, now: float) -> tuple[WriteBudget, ...]:
        name = hook_scope(interaction)
        return (WriteBudget(name, _ANSWERS, min(self._pace(name, now), self._most()), EDIT_BURST),)

    def _most(self) -> float:
        return 1.0 / self._settings.edit_interval

    def _pace(self, name: str, now: float) -> float:
        """Requests a second that keep one of each window for the final.

        Within a window what remains but for that one is spread to its end.
        """
        left = self._buckets.left(name, now)
        if left.seconds <= 0.0:
            return max(1, left.limit - 1) / max(left.window, _LEAST_SECONDS)
        return max(1, left.remaining - 1) / max(left.seconds, _LEAST_SECONDS)
