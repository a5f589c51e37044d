"""Gateway sessions, and who is told of what. No I/O of its own: a Link carries the frames.

Source: Discord docs, "Gateway", sections Resuming, Intents and Sharding (2026-11).
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from .payloads import message as message_json
from .state import Account, Channel, Guild, Message, World

GUILDS = 1 << 0
GUILD_MEMBERS = 1 << 1
GUILD_PRESENCES = 1 << 8
GUILD_MESSAGES = 1 << 9
GUILD_REACTIONS = 1 << 10
GUILD_TYPING = 1 << 11
DM_MESSAGES = 1 << 12
DM_REACTIONS = 1 << 13
DM_TYPING = 1 << 14
MESSAGE_CONTENT = 1 << 15

# Assumption: how much Discord keeps for a session is not documented.
MAX_BUFFER = 5_000


class Link(Protocol):
    """An open socket."""

    def put(self, frame: bytes) -> None:
        """Send it."""

    def close(self, code: int) -> None:
        """Close it, with this code."""

    def drop(self) -> None:
        """Cut it without a word."""


@dataclass(slots=True, eq=False)
class Session:
    """One session of one shard. `is_silent`: dispatches are kept but not sent."""

    account: Account
    intents: int
    shard: tuple[int, int]
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    seq: int = 0
    buffer: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=MAX_BUFFER))
    link: Link | None = None
    left_at: float | None = None
    is_silent: bool = False
    is_ready: bool = False
    # The last number that went out before it fell silent.
    told: int = 0

    def push(self, name: str, data: Any) -> None:
        """Dispatch an event; it is kept for a RESUME."""
        self.seq += 1
        frame = orjson.dumps({"op": 0, "t": name, "s": self.seq, "d": data})
        self.buffer.append((self.seq, frame))
        if self.link is not None and not self.is_silent:
            self.link.put(frame)

    def replay(self, after: int) -> bool:
        """Send again what came after that number; False when it is not kept any more."""
        if self.link is None or (self.buffer and self.buffer[0][0] > after + 1):
            return False
        for seq, frame in self.buffer:
            if seq > after:
                self.link.put(frame)
        return True

    def has(self, intent: int) -> bool:
        """Whether the bot asked for it."""
        return bool(self.intents & intent)

    def is_over(self, world: World) -> bool:
        """Left so long ago that it cannot be resumed."""
        return self.left_at is not None and world.clock.now() > self.left_at + world.settings.session_life

    def covers(self, guild: Guild | None) -> bool:
        """Discord docs, Sharding: (guild_id >> 22) % shards; DMs go to shard 0."""
        number, count = self.shard
        return number == (0 if guild is None else (int(guild.id) >> 22) % count)


def tell(
    world: World,
    accounts: list[Account],
    guild: Guild | None,
    intent: int,
    name: str,
    make: Callable[[Session], Any],
) -> None:
    """Dispatch to every session that asked for it; `intent` 0 reaches all."""
    for account in accounts:
        for session in list(account.sessions.values()):
            if session.is_over(world):
                del account.sessions[session.id]
                continue
            if (not intent or session.has(intent)) and session.covers(guild):
                session.push(name, make(session))
    world.changed()


def tell_guild(world: World, guild: Guild, intent: int, name: str, data: Any) -> None:
    """The same data for every bot of a guild."""
    accounts = [account for account in world.accounts.values() if account.id in guild.members]
    tell(world, accounts, guild, intent, name, lambda _: data)


def tell_channel(world: World, place: Channel, intents: tuple[int, int], name: str, data: Any) -> None:
    """The same data for every bot that sees the channel; `intents` are those for guilds and for DMs."""
    found = dict(data)
    if place.guild is not None:
        found["guild_id"] = place.guild.id
    intent = intents[0] if place.guild is not None else intents[1]
    tell(world, world.bots_in(place), place.guild, intent, name, lambda _: found)


def tell_message(world: World, name: str, one: Message) -> None:
    """MESSAGE_CREATE and MESSAGE_UPDATE, without the content for those who may not read it."""
    if one.only_for is not None:
        # Assumption: ephemeral messages are not dispatched; libraries document that no event comes for them.
        world.changed()
        return
    place = one.channel
    tell(
        world,
        world.bots_in(place),
        place.guild,
        GUILD_MESSAGES if place.guild is not None else DM_MESSAGES,
        name,
        lambda session: message_json(
            world,
            one,
            session.account,
            has_content=session.has(MESSAGE_CONTENT),
            gateway=True,
        ),
    )
