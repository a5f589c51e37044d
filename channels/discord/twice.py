"""What makes a repeated send safe: a nonce from the send key, and a look into the channel where the nonce is too old.

Discord docs, Create Message (2026-11): with `enforce_nonce` a nonce of up to 25 characters is "checked for uniqueness
in the past few minutes"; the message that has it is returned and none is made. Later only the channel's own history
tells, which gives the nonce back with a message (Discord docs, Message object; assumed to hold for bots' own ones).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from channels.discord.handles import question_of
from channels.discord.rest import Rest
from channels.discord.snowflake import seconds_of
from channels.discord.timing import Timing
from channels.errors import ChannelError, Unavailable
from channels.events import Address

_REMEMBERED = 10_000


class Twice:
    """The sends of one account. `wall`: seconds since 1970."""

    def __init__(self, rest: Rest, timing: Timing, wall: Callable[[], float]) -> None:
        self._rest = rest
        self._timing = timing
        self._wall = wall
        self._began = wall()
        self._tried: OrderedDict[str, float] = OrderedDict()

    @staticmethod
    def nonce(channel: str, send_key: str) -> str:
        """The same for the same key in the same channel; 25 characters."""
        return hashlib.sha256(f"{channel}:{send_key}".encode()).hexdigest()[:25]

    async def find(self, address: Address, channel: str, nonce: str, bot: str) -> Any:
        """The message that was sent with this nonce too long ago for Discord to know; None where it was not.

        Asked only for a send that was tried long ago, in this process or, as its question is older, in one before.
        Raises Unavailable.
        """
        now, question = self._wall(), question_of(address.handle)
        tried = self._tried.get(nonce)
        if tried is None:
            self._tried[nonce] = now
            while len(self._tried) > _REMEMBERED:
                self._tried.popitem(last=False)
            if question is None or seconds_of(question) >= self._began:
                return None
            tried = seconds_of(question)
        if now - tried < self._timing.fresh_nonce:
            return None
        query = {"limit": 100, **({"after": question} if question is not None else {})}
        try:
            found = await self._rest.ask("GET", f"/channels/{channel}/messages", **query)
        except Unavailable:
            raise
        except ChannelError:
            return None  # it may not read there
        for message in found if isinstance(found, list) else ():
            author = message.get("author") if isinstance(message, dict) else None
            if isinstance(author, dict) and author.get("id") == bot and message.get("nonce") == nonce:
                return message
        return None

    def never_sent(self, nonce: str) -> None:
        """That try certainly did not arrive."""
        self._tried.pop(nonce, None)
