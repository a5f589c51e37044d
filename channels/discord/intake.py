"""From dispatches to the host: in their order, looked up where needed, confirmed when they are taken over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import structlog

from channels.base import Host
from channels.discord.parse import Me, parse, unknown_channel, unknown_guild
from channels.discord.places import Places
from channels.discord.rest import Rest
from channels.discord.sequence import Progress, Seen
from channels.discord.snowflake import is_snowflake
from channels.discord.timing import Timing
from channels.errors import ChannelError
from channels.events import Event, Message

log = structlog.get_logger()

# What a drop is counted as (names of the metrics' closed set).
_SIGNALS = {"own": "self_message", "no_content": "event_unknown", "system": "", "bot": "", "": ""}
_QUEUE = 1000
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Arrived:
    """One dispatch. `progress` is its session's."""

    progress: Progress
    seq: int
    name: str
    data: Any


class Intake:
    """Takes the dispatches of one shard. A queue that is full holds the socket up, never the heartbeat.

    `on_news` is called where a crash now would lose what nobody could ask for afterwards: a session has begun, somebody
    spoke in a new channel. It must not block.
    """

    def __init__(
        self,
        me: Me,
        host: Host,
        rest: Rest,
        places: Places,
        seen: Seen,
        timing: Timing,
        *,
        on_ready: Callable[[Any, bool], Awaitable[None]],
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        self._me = me
        self._host = host
        self._rest = rest
        self._places = places
        self._seen = seen
        self._timing = timing
        self._on_ready = on_ready
        self._on_news = on_news
        self._queue: asyncio.Queue[Arrived] = asyncio.Queue(_QUEUE)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def put(self, arrived: Arrived) -> None:
        """The next dispatch; waits while there are too many."""
        await self._queue.put(arrived)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._take(await self._queue.get(), group)

    async def _take(self, arrived: Arrived, group: asyncio.TaskGroup) -> None:
        name, data = arrived.name, arrived.data
        if name in ("READY", "RESUMED"):
            self._places.learn(name, data)
            await self._on_ready(data, name == "READY")
            arrived.progress.end(arrived.seq)
            self._on_news()
            return
        if (channel := unknown_channel(name, data, self._places)) is not None:
            await self.look_up(channel)
        if (guild := unknown_guild(name, data, self._places)) is not None:
            await self._look_up_roles(guild)
        events = self.read(name, data, f"{arrived.progress.session}:{arrived.seq}")
        self._places.learn(name, data)
        if not events:
            arrived.progress.end(arrived.seq)
            return
        await self._slots.acquire()
        group.create_task(self._offer_all(events, arrived))

    def read(self, name: str, data: Any, mark: str) -> Sequence[Event]:
        """The events of a dispatch; what is dropped is counted."""
        parsed = parse(name, data, self._me, self._places, mark)
        if parsed.dropped and (signal := _SIGNALS.get(parsed.dropped, "event_malformed")):
            self._host.signal(signal)
        return parsed.events

    async def look_up(self, channel: str) -> None:
        """Learn whether a channel is a thread. Where that fails it is taken for a channel, this time."""
        try:
            found = await self._rest.ask("GET", f"/channels/{channel}")
        except ChannelError as error:
            log.debug("channel not looked up", channel="discord", reason=error.detail)
            return
        self._places.add_channel(found)

    async def _look_up_roles(self, guild: str) -> None:
        """Learn which role is the bot's own, in a session that was resumed by another process."""
        try:
            found = await self._rest.ask("GET", f"/guilds/{guild}")
        except ChannelError as error:
            log.debug("server not looked up", channel="discord", reason=error.detail)
            return
        self._places.learn("GUILD_UPDATE", found)

    async def _offer_all(self, events: Sequence[Event], arrived: Arrived) -> None:
        try:
            # In a channel one after the other: what there is no room for yet must not be overtaken.
            async with self._line(arrived):
                for event in events:
                    await self.offer(event, arrived.data)
        finally:
            self._slots.release()
        arrived.progress.end(arrived.seq)

    def _line(self, arrived: Arrived) -> asyncio.Lock:
        channel = arrived.data.get("channel_id") if isinstance(arrived.data, dict) else None
        if not isinstance(channel, str):
            return asyncio.Lock()
        lock = self._lines.get(channel)
        if lock is None:
            lock = self._lines[channel] = asyncio.Lock()
        return lock

    async def offer(self, event: Event, data: Any) -> bool:
        """Offer it until there is room; False when there was none for so long that it is given up."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timing.full_patience
        while not await self._host.accept(event):
            if loop.time() > until:
                self._host.signal("event_late")
                return False
            await asyncio.sleep(self._timing.full)
        if isinstance(event, Message) and isinstance(data, dict) and is_snowflake(data.get("channel_id")):
            guild = data.get("guild_id")
            self._seen.note(data["channel_id"], event.message_id, guild if isinstance(guild, str) else "")
            if self._seen.has_new:
                self._on_news()
        return True
