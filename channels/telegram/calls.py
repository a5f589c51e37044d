"""Calls of the library, with its exceptions turned into ChannelError and moved groups followed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from telegram.error import BadRequest, ChatMigrated, TelegramError

from channels.base import Host
from channels.errors import ChannelError, Gone, GoneWhat, NotAuthorized, RateLimited, Refused
from channels.events import Address
from channels.telegram.problems import NOT_MODIFIED, problem

log = structlog.get_logger()

T = TypeVar("T")
_MAX_MOVED = 1000
# Refusals that somebody can mend by giving the bot a right; the others mean that it is out.
_RIGHTS = ("rights", "chat_write_forbidden", "topic_closed")


class Calls:
    """One account's way out. Exceptions are never chained: those of the library may quote the server's answer."""

    def __init__(self, account: str, host: Host) -> None:
        self._account = account
        self._host = host
        self._moved: OrderedDict[int, int] = OrderedDict()

    async def write(
        self, address: Address, call: Callable[[int], Awaitable[T]], *, scope: str, is_write: bool = True
    ) -> T:
        """Make `call` with the chat's id, once more where the group has become a supergroup. Raises ChannelError."""
        try:
            chat = int(address.key.space)
        except ValueError:
            raise Gone(GoneWhat.CONVERSATION, "not a chat of Telegram") from None
        try:
            try:
                return await call(self._moved.get(chat, chat))
            except ChatMigrated as moved:
                self.moved(chat, moved.new_chat_id)
                return await call(moved.new_chat_id)
        except BadRequest as error:
            if NOT_MODIFIED in error.message.lower():
                raise Refused("not_modified") from None
            found = problem(error, scope=scope, is_write=is_write)
        except TelegramError as error:
            found = problem(error, scope=scope, is_write=is_write)
        self._note(address, found)
        try:
            raise found from None
        finally:
            del found  # it holds this frame, and with it the whole turn until the collector comes

    def _note(self, address: Address, found: ChannelError) -> None:
        """What somebody has to know: where the bot may not write any more, and why."""
        if isinstance(found, RateLimited):
            self._host.signal("rate_limited")
        elif isinstance(found, Gone) and found.what is GoneWhat.CONVERSATION:
            self._host.signal("not_permitted" if any(part in found.detail for part in _RIGHTS) else "left")
            log.warning(
                "conversation cannot be written to",
                channel="telegram",
                account=self._account,
                conversation=str(address.key),
                reason=found.detail,
            )
        elif isinstance(found, NotAuthorized):
            self._host.signal("not_permitted")

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """A call that shows nothing. Raises ChannelError."""
        try:
            return await call()
        except TelegramError as error:
            raise problem(error, is_write=False) from None

    def moved(self, old: int, new: int) -> None:
        """A group became a supergroup: what goes to the old id goes to the new one from now on."""
        if self._moved.get(old) == new:
            return
        if len(self._moved) >= _MAX_MOVED:
            self._moved.popitem(last=False)
        self._moved[old] = new
        log.warning("group became a supergroup", channel="telegram", old_id=old, new_id=new)
