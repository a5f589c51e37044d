"""Answering interactions: acknowledged at once, beside the host; then the deferred answer is edited, or taken away.

Discord docs, Receiving and Responding (2026-11): a first response within 3 seconds, then 15 minutes for edits and
follow-ups. Nothing here is a message of a turn: those come from delivery, through hooks.py.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import structlog

from channels.base import Host
from channels.discord.commands import options_of, spec_named, suggestions
from channels.discord.handles import TOKEN_LIFE, Interaction
from channels.discord.interactions import Command, Press, Typed, read
from channels.discord.parse import Me
from channels.discord.places import Places
from channels.discord.problems import EXPIRED
from channels.discord.render import render
from channels.discord.rest import Rest
from channels.discord.text import MAX_TEXT
from channels.discord.timing import Timing
from channels.errors import ChannelError, Refused, Unavailable
from channels.events import Message, Pressed

log = structlog.get_logger()

_SAY, _DEFER, _DEFER_UPDATE, _CHOICES = 4, 5, 6, 8
_ONLY_FOR_THEM = 1 << 6
_LOADING = 1 << 7  # "the bot is thinking"
_NOBODY: dict[str, list[str]] = {"parse": []}
_MOST_AT_ONCE = 200
_REMEMBERED = 2000
# An unanswered "is thinking" is taken away while the token still allows it.
_TIDY_BEFORE = 60.0


class Acknowledged(Enum):
    """What became of a first response."""

    NO = auto()
    NOW = auto()
    BEFORE = auto()


@dataclass(slots=True, eq=False)
class Deferred:
    """A command whose answer is awaited. `is_open`: set when the acknowledgement is through; None: not known yet.

    `is_untouched`: nobody can have answered it before this process did.
    """

    way: Interaction
    is_open: bool | None = None
    is_untouched: bool = False
    is_answered: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def settle(self, acknowledged: Acknowledged) -> None:
        """The acknowledgement went through, or did not."""
        self.is_open = acknowledged is not Acknowledged.NO
        self.is_untouched = acknowledged is Acknowledged.NOW
        self.settled.set()


class Answers:
    """The interactions of one account. `wall`: seconds since 1970."""

    def __init__(
        self, me: Me, host: Host, rest: Rest, places: Places, timing: Timing, wall: Callable[[], float]
    ) -> None:
        self._me = me
        self._host = host
        self._rest = rest
        self._places = places
        self._timing = timing
        self._wall = wall
        self._deferred: OrderedDict[str, Deferred] = OrderedDict()
        self._running = 0
        self._group: asyncio.TaskGroup | None = None

    def deferred(self, interaction: str) -> Deferred | None:
        """What is known of a command of this process."""
        return self._deferred.get(interaction)

    async def run(self) -> None:
        """Until cancelled: the tasks of the interactions live here, and what nobody answered is taken away."""
        try:
            async with asyncio.TaskGroup() as self._group:
                while True:
                    await asyncio.sleep(self._timing.tidy)
                    await self._tidy()
        finally:
            self._group = None

    def arrived(self, data: Any, done: Callable[[], None]) -> None:
        """An interaction came; `done` when it is taken over. Returns at once."""
        found = read(data, self._me, self._places)
        if isinstance(found, str) or self._group is None or self._running >= _MOST_AT_ONCE:
            self._host.signal(
                "event_malformed" if isinstance(found, str) and found.startswith("no_") else "event_unknown"
            )
            done()
            return
        self._running += 1
        self._group.create_task(self._handle(found, done))

    async def _handle(self, found: Command | Press | Typed, done: Callable[[], None]) -> None:
        try:
            if isinstance(found, Typed):
                await self._suggest(found)
            else:
                refusal = self._host.refusal(found.event)
                if refusal is not None:
                    await self._refuse(found.way, refusal)
                elif isinstance(found, Command):
                    await self._command(found)
                else:
                    await self._press(found)
        finally:
            self._running -= 1
        done()

    # -- the kinds

    async def _command(self, command: Command) -> None:
        """Defer and hand over side by side: neither waits for the other."""
        if command.way.id in self._deferred:
            return  # sent again by a session that was resumed
        deferred = self._remember(command.way)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._defer(deferred))
            taken = group.create_task(self._offer(command.event))
        if not taken.result():
            await self._take_away(deferred)

    async def _defer(self, deferred: Deferred) -> None:
        acknowledged = Acknowledged.NO
        try:
            acknowledged = await self._callback(deferred.way, {"type": _DEFER})
        finally:
            deferred.settle(acknowledged)

    async def _press(self, press: Press) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._callback(press.way, {"type": _DEFER_UPDATE}))
            group.create_task(self._offer(press.event))

    async def _refuse(self, way: Interaction, line: str) -> None:
        """A line for that person alone; without one Discord itself says that there was no answer."""
        if line:
            content = render(line)[:MAX_TEXT]
            said = {"content": content, "flags": _ONLY_FOR_THEM, "allowed_mentions": _NOBODY}
            await self._callback(way, {"type": _SAY, "data": said})

    async def _suggest(self, typed: Typed) -> None:
        spec = spec_named(self._host.commands(), typed.command)
        choices: list[Any] = []
        if spec is not None and self._host.refusal(typed.event) is None:
            option = next((one for one in options_of(spec) if one.name == typed.option), None)
            models = await self._host.models(typed.event.address.key)
            choices = suggestions(option, spec, typed.text, models, self._host.commands())
        await self._callback(typed.way, {"type": _CHOICES, "data": {"choices": choices}})

    # -- pieces

    async def _callback(self, way: Interaction, body: Any) -> Acknowledged:
        """The first response. BEFORE: by a call whose answer was lost, or by an earlier process."""
        path = f"/interactions/{way.id}/{way.token}/callback"
        for _ in range(2):
            try:
                await self._rest.call("POST", path, body, seconds=self._timing.acknowledge, is_open=True)
            except Unavailable:
                continue
            except Refused as error:
                if error.code == "acknowledged":
                    return Acknowledged.BEFORE
                reason = "too late" if error.code == EXPIRED else error.detail
                log.warning("interaction not acknowledged", channel="discord", reason=reason)
                return Acknowledged.NO
            except ChannelError as error:
                log.warning("interaction not acknowledged", channel="discord", reason=error.detail)
                return Acknowledged.NO
            return Acknowledged.NOW
        log.warning("interaction not acknowledged", channel="discord", reason="Discord cannot be reached")
        return Acknowledged.NO

    async def _offer(self, event: Message | Pressed) -> bool:
        """Offer it until there is room, or until an answer could not be shown as one any more."""
        loop = asyncio.get_running_loop()
        until = loop.time() + min(self._timing.full_patience, TOKEN_LIFE / 2)
        while not await self._host.accept(event):
            if loop.time() > until:
                self._host.signal("event_late")
                return False
            await asyncio.sleep(self._timing.full)
        return True

    def _remember(self, way: Interaction) -> Deferred:
        deferred = self._deferred[way.id] = Deferred(way)
        while len(self._deferred) > _REMEMBERED:
            self._deferred.popitem(last=False)
        return deferred

    async def _tidy(self) -> None:
        """Take away what still says that the bot is thinking, shortly before that could not be done any more."""
        now = self._wall()
        for number, deferred in list(self._deferred.items()):
            if now > deferred.way.expires - _TIDY_BEFORE:
                if not deferred.is_answered:
                    await self._take_away(deferred)
                self._deferred.pop(number, None)

    async def _take_away(self, deferred: Deferred) -> None:
        if not deferred.is_open or deferred.is_answered:
            return
        way = deferred.way
        path = f"/webhooks/{way.application}/{way.token}/messages/@original"
        try:
            # An earlier process may have answered it, and a write whose answer was lost may stand.
            found = await self._rest.call("GET", path, seconds=self._timing.ask, is_write=False, is_open=True)
            if not is_thinking(found):
                return
            deferred.is_open = False
            await self._rest.call("DELETE", path, seconds=self._timing.ask, is_open=True)
        except ChannelError as error:
            log.debug("deferred answer not taken away", channel="discord", reason=error.detail)


def is_thinking(message: Any) -> bool:
    """The deferred response still waits for its text (Discord docs, Message Flags: LOADING)."""
    flags = message.get("flags") if isinstance(message, dict) else None
    return type(flags) is int and bool(flags & _LOADING)
