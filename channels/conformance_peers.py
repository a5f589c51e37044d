"""What the test kit of channels asks of the other end: a person, and what else a peer may be able to do.

`Peer` is required. Each of the others is used by the kit where the peer has it; all are about the one conversation
of `Peer.address`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from channels.events import Address


@runtime_checkable
class Peer(Protocol):
    """A person at the other end of the channel under test, in one conversation with the bot."""

    @property
    def address(self) -> Address:
        """Where the kit's answers go."""

    async def seen(self) -> Sequence[str]:
        """The bot's messages there as the person sees them now, oldest first: plain text, deleted ones left out."""

    async def say(self, text: str) -> None:
        """The person says something to the bot."""


@runtime_checkable
class LimitingPeer(Protocol):
    """A peer that can be told to refuse: the next write is answered with "wait so many seconds"."""

    def limit_next(self, seconds: float) -> None:
        """Once."""


@runtime_checkable
class DroppingPeer(Protocol):
    """A peer that can take a message and drop its answer on the way back."""

    def drop_next(self) -> None:
        """Once: the message stands, the channel does not hear of it."""


@runtime_checkable
class ReactingPeer(Protocol):
    """The person can react to a message."""

    async def react(self, message_id: str, emoji: str) -> None:
        """Put this emoji on the bot's message."""


@runtime_checkable
class SignedPeer(Protocol):
    """The person sees what the bot puts on messages."""

    async def signs(self) -> Sequence[str]:
        """The bot's emoji on what the person said last."""


@runtime_checkable
class PressingPeer(Protocol):
    """The person sees buttons and can press them."""

    async def buttons(self, message_id: str) -> Sequence[str]:
        """The ids of the actions that stand under the bot's message now."""

    async def press(self, message_id: str, action_id: str) -> None:
        """Press one; returns when the platform has told the channel."""


@runtime_checkable
class AttachingPeer(Protocol):
    """The person can send a file."""

    async def attach(self, name: str, mime: str, data: bytes) -> None:
        """A message to the bot with this file."""


@runtime_checkable
class RewritingPeer(Protocol):
    """The person can change what was said last."""

    async def rewrite(self, text: str) -> None:
        """The person's last message now reads this."""


@runtime_checkable
class UnsayingPeer(Protocol):
    """The person can take back what was said last."""

    async def unsay(self) -> None:
        """The person's last message is deleted."""


@runtime_checkable
class ModeratingPeer(Protocol):
    """Somebody can delete the bot's messages."""

    async def remove(self, message_id: str) -> None:
        """The bot's message is deleted by somebody else."""


@runtime_checkable
class ClosingPeer(Protocol):
    """The conversation can be closed to the bot."""

    async def close(self) -> None:
        """Kicked, blocked, archived: from now on the platform refuses every write."""


@runtime_checkable
class HangingUpPeer(Protocol):
    """The live connection can be cut."""

    async def hang_up(self) -> None:
        """Cut every connection of the bot now; what is said meanwhile is kept as the platform keeps it."""
