"""What was said while no session was there to bring it: read over REST, channel by channel, within bounds.

Only after IDENTIFY: a session that was resumed brings everything itself, edits and reactions included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from channels.discord.intake import Intake
from channels.discord.places import Places
from channels.discord.rest import Rest
from channels.discord.sequence import Seen
from channels.discord.settings import BackfillSettings
from channels.discord.snowflake import first_at, is_snowflake
from channels.errors import ChannelError, Gone, NotAuthorized

log = structlog.get_logger()

_AT_ONCE = 5


class Backfill:
    """Asks the channels last spoken in for what came after the last message that was taken over."""

    def __init__(
        self, settings: BackfillSettings, rest: Rest, places: Places, seen: Seen, wall: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._rest = rest
        self._places = places
        self._seen = seen
        self._wall = wall

    async def run(self, intake: Intake, seconds: float, shard: int = 0, shards: int = 1) -> int:
        """The number of events that were found in the channels of a shard.

        Asks for `seconds` at most; what is left then is not asked again. What was found waits until there is room.
        """
        if self._settings.max_age <= 0:
            return 0
        oldest = first_at(self._wall() - self._settings.max_age)
        channels = [
            one for one in self._seen.latest(self._settings.max_channels) if shard_of(one[2], shards) == shard
        ]
        slots = asyncio.Semaphore(_AT_ONCE)
        until = asyncio.get_running_loop().time() + seconds
        counts: list[int] = []
        late: list[str] = []

        async def one(channel: str, last: str, guild: str) -> None:
            after = str(max(int(last), int(oldest)))
            try:
                async with asyncio.timeout_at(until), slots:
                    found = await self._fetch(intake, channel, after, guild)
            except TimeoutError:
                late.append(channel)
                return
            counts.append(await _offer(intake, found, guild))

        async with asyncio.TaskGroup() as group:
            for channel, last, guild in channels:
                group.create_task(one(channel, last, guild))
        if late:
            log.warning("missed messages not all fetched", channel="discord", channels=len(late))
        if found := sum(counts):
            log.info("missed messages fetched", channel="discord", count=found)
        return found

    async def _fetch(self, intake: Intake, channel: str, after: str, guild: str) -> list[dict[str, Any]]:
        if guild and self._places.at(channel) is None:
            await intake.look_up(channel)
        try:
            query = {"after": after, "limit": self._settings.max_messages}
            found = await self._rest.ask("GET", f"/channels/{channel}/messages", **query)
        except NotAuthorized:
            return []  # the gateway will say so, too
        except Gone:
            self._seen.forget(channel)
            return []
        except ChannelError as error:
            log.warning("missed messages not fetched", channel="discord", reason=error.detail)
            return []
        return in_order(found)


async def _offer(intake: Intake, messages: list[dict[str, Any]], guild: str) -> int:
    """One channel's, one after the other; returns how many were taken over."""
    count = 0
    for message in messages:
        data = {**message, "guild_id": guild} if guild else message
        for event in intake.read("MESSAGE_CREATE", data, ""):
            count += await intake.offer(event, data)
    return count


def shard_of(guild: str, shards: int) -> int:
    """Which shard hears of a server; direct messages ("") come to the first (Discord docs, Gateway, Sharding)."""
    return (int(guild) >> 22) % shards if is_snowflake(guild) else 0


def in_order(found: Any) -> list[dict[str, Any]]:
    """Messages, the oldest first; Discord gives the newest first."""
    there = [
        one
        for one in (found if isinstance(found, list) else ())
        if isinstance(one, dict) and is_snowflake(one.get("id"))
    ]
    return sorted(there, key=lambda one: int(one["id"]))
