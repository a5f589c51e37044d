"""An answer to a command: the deferred response first, follow-ups for its further messages, while the token lasts.

Webhooks know no nonce, so what makes a repeated send safe is kept here: which key took the deferred response, and what
became of each key. For a follow-up whose confirmation was lost the channel is looked through.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from channels.discord.answers import Answers, is_thinking
from channels.discord.handles import Interaction
from channels.discord.limits import hook_scope
from channels.discord.problems import EXPIRED
from channels.discord.rest import Rest
from channels.discord.timing import Timing
from channels.errors import ChannelError, Gone, Refused, Unavailable

Json = dict[str, Any]

_REMEMBERED = 5000
_ORIGINAL = "@original"


class Over(Exception):
    """The interaction can be answered no more: what is to be said goes to the channel."""


class Hooks:
    """The answers of one account to interactions."""

    def __init__(self, rest: Rest, answers: Answers | None, timing: Timing) -> None:
        self._rest = rest
        self.answers = answers
        self._timing = timing
        self._originals: OrderedDict[str, str] = (
            OrderedDict()
        )  # interaction -> the key that took its response
        self._sent: OrderedDict[tuple[str, str], Json] = OrderedDict()
        self._unsure: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._over: OrderedDict[str, None] = OrderedDict()

    def is_open(self, way: Interaction, now: float) -> bool:
        """An answer may go that way: the token lasts and Discord has not said otherwise. `now`: since 1970."""
        return way.is_open(now) and way.id not in self._over

    async def send(self, way: Interaction, key: str, body: Json, channel: str, bot: str) -> Json:
        """The message that stands. Raises Over and ChannelError."""
        await self._until_acknowledged(way)
        known = (way.id, key)
        if known in self._sent:
            return self._sent[known]
        owner = self._originals.get(way.id)
        if owner is None:
            owner = self._originals[way.id] = await self._owner(way, key, body)
            _bound(self._originals)
        if owner == key:
            message = await self._call("PATCH", way, _ORIGINAL, body, self._timing.send)
        else:
            message = await self._follow_up(way, key, body, channel, bot)
        if not isinstance(message, dict):
            raise Unavailable("the answer is no message", maybe_sent=True)
        self._sent[known] = message
        _bound(self._sent)
        if self.answers is not None and (deferred := self.answers.deferred(way.id)) is not None:
            deferred.is_answered = True
        return message

    async def edit(self, way: Interaction, message: str, body: Json) -> Any:
        """Edit the response or a follow-up. Raises Over and ChannelError."""
        return await self._call("PATCH", way, message, body, self._timing.edit)

    async def delete(self, way: Interaction, message: str) -> None:
        """Raises Over and ChannelError."""
        await self._call("DELETE", way, message, None, self._timing.edit)

    async def _until_acknowledged(self, way: Interaction) -> None:
        deferred = self.answers.deferred(way.id) if self.answers is not None else None
        if deferred is None:
            return  # of an earlier life of the process
        try:
            async with asyncio.timeout(2 * self._timing.acknowledge + 1.0):
                await deferred.settled.wait()
        except TimeoutError:
            raise Unavailable("the interaction is not acknowledged yet") from None
        if not deferred.is_open:
            raise self._ended(way)

    async def _owner(self, way: Interaction, key: str, body: Json) -> str:
        """Whose the response is. Acknowledged just now it is still free; else Discord is asked.

        One that is no longer loading and reads as we would write it now is ours: its confirmation was lost.
        """
        deferred = self.answers.deferred(way.id) if self.answers is not None else None
        if deferred is not None and deferred.is_untouched:
            return key
        try:
            found = await self._call("GET", way, _ORIGINAL, None, self._timing.ask, is_write=False)
        except Gone:
            return ""  # it was taken away
        is_ours = isinstance(found, dict) and found.get("content") == body.get("content")
        return key if is_thinking(found) or is_ours else ""

    async def _follow_up(self, way: Interaction, key: str, body: Json, channel: str, bot: str) -> Any:
        known = (way.id, key)
        deferred = self.answers.deferred(way.id) if self.answers is not None else None
        # Of a command of an earlier process nobody here knows what was on its way when that ended.
        is_unsure = known in self._unsure or deferred is None or not deferred.is_untouched
        if is_unsure and (found := await self._look(way, body, channel, bot)) is not None:
            return found
        try:
            return await self._call("POST", way, None, body, self._timing.send)
        except Unavailable as error:
            if error.maybe_sent:
                self._unsure[known] = None
                _bound(self._unsure)
            raise

    async def _look(self, way: Interaction, body: Json, channel: str, bot: str) -> Json | None:
        """A message of ours that reads so, since the command, and that no other key has."""
        try:
            found = await self._rest.ask("GET", f"/channels/{channel}/messages", after=way.id, limit=100)
        except Unavailable:
            raise
        except ChannelError:
            return None  # it may not read there; a second copy is the lesser evil
        others = {message.get("id") for message in self._sent.values()}
        for message in found if isinstance(found, list) else ():
            author = message.get("author") if isinstance(message, dict) else None
            is_ours = isinstance(author, dict) and author.get("id") == bot
            if is_ours and message.get("content") == body.get("content") and message.get("id") not in others:
                return dict(message)
        return None

    async def _call(
        self,
        method: str,
        way: Interaction,
        message: str | None,
        body: Json | None,
        seconds: float,
        *,
        is_write: bool = True,
    ) -> Any:
        path = f"/webhooks/{way.application}/{way.token}"
        query = {"wait": "true"} if message is None else None
        path = path if message is None else f"{path}/messages/{message}"
        try:
            return await self._rest.call(
                method,
                path,
                body,
                seconds=seconds,
                scope=hook_scope(way.id),
                query=query,
                is_write=is_write,
                is_open=True,
            )
        except Refused as error:
            if error.code == EXPIRED:
                raise self._ended(way) from None
            raise

    def _ended(self, way: Interaction) -> Over:
        self._over[way.id] = None
        _bound(self._over)
        return Over()


def _bound(table: OrderedDict[Any, Any]) -> None:
    while len(table) > _REMEMBERED:
        table.popitem(last=False)
