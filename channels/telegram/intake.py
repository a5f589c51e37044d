"""From an update to the host: the same way for polling and for the webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from channels.base import Host
from channels.events import Event, Message, MessageEdited, Pressed, Reaction
from channels.telegram.albums import Albums
from channels.telegram.fields import Me
from channels.telegram.parse import Parsed, parse
from channels.telegram.timing import Timing
from channels.telegram.topics import Topics

# What a drop is counted as (names of the metrics' closed set); everything else is an event without content for us.
_SIGNALS = {"own": "self_message", "unknown_kind": "event_unknown", "no_content": "event_unknown"}
_QUIET = frozenset({"same_membership", "migrated", "direct_messages", "for_another"})


class Intake:
    """Offers updates to the host.

    `on_press` (a callback query's id and what its person is told) and `on_migration` must not block.
    """

    def __init__(
        self,
        me: Me,
        host: Host,
        *,
        topics: Topics,
        timing: Timing,
        clock: Callable[[], float],
        on_press: Callable[[str, str], None],
        on_migration: Callable[[int, int], None],
    ) -> None:
        self._me = me
        self._host = host
        self._topics = topics
        self._on_press = on_press
        self._on_migration = on_migration
        self.albums = Albums(host, self._part, timing, clock)
        self._turn = asyncio.Lock()  # lets in by order of arrival

    async def offer(self, update: Any) -> bool:
        """True: taken over, or dropped and counted; confirm it. False: no room, offer it again later."""
        parsed = parse(update, self._me)
        if parsed.dropped and parsed.dropped not in _QUIET:
            self._host.signal(_SIGNALS.get(parsed.dropped, "event_malformed"))
        if parsed.migrated is not None:
            self._on_migration(*parsed.migrated)
        if parsed.press and not self._is_welcome(parsed):
            return True
        for event in parsed.events:
            if not await self._hand_over(event, parsed.album, update):
                return False
        return True

    def _is_welcome(self, parsed: Parsed) -> bool:
        """Answer the press at once; False for one that may have no effect, whose person alone is told so."""
        refusal = None
        for event in parsed.events:
            if isinstance(event, Pressed):
                refusal = self._host.refusal(event)
        self._on_press(parsed.press, refusal or "")
        return refusal is None

    async def _hand_over(self, event: Event, album: str, update: Any) -> bool:
        match event:
            case Message() if album and self._may_matter(event):
                return await self.albums.add(album, event, update)
            case MessageEdited() if album:
                return await self.albums.edited(album, event, update)
            case Message():
                async with self._turn:  # what waits for an album keeps what was said after it waiting too
                    is_settled = await self.albums.settle(str(event.address.key))
                if not is_settled:
                    return False
            case Reaction():
                event = self._in_topic(event)
            case _:
                pass
        return await self._host.accept(event)

    def _may_matter(self, part: Message) -> bool:
        """Strangers' parts are not kept. In a group the caption of another part may name the bot."""
        return self._host.refusal(replace(part, addressed=True)) is None

    def _in_topic(self, reaction: Reaction) -> Reaction:
        key = reaction.address.key
        thread = self._topics.of(key.space, reaction.message_id)
        if thread is None:
            return reaction
        return replace(reaction, address=replace(reaction.address, key=replace(key, thread=thread)))

    def _part(self, update: Any) -> Message | None:
        """A part of an album that was kept."""
        for event in parse(update, self._me).events:
            if isinstance(event, Message):
                return event
        return None
