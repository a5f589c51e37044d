"""One Matrix account: what the daemon may ask of it. Receiving is in sync.py and intake.py."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from uuid import uuid4

import orjson

from channels.base import Host
from channels.capabilities import Capabilities, Streaming
from channels.errors import Gone, GoneWhat, RateLimited, Refused, Unavailable
from channels.events import Address, Sent
from channels.matrix import outgoing
from channels.matrix.account import Account
from channels.matrix.life import Life
from channels.matrix.limits import TYPING_SECONDS, Offers
from channels.matrix.memory import Recent
from channels.matrix.parse import NAME, Me
from channels.matrix.rooms import Rooms
from channels.matrix.settings import Encryption, MatrixSettings
from channels.matrix.timing import Timing
from channels.matrix.wire import Wire, path

_REMEMBERED = 2000


class MatrixChannel:
    """See channels.base: the methods are those of `Channel` and of the abilities that Matrix has.

    `timing`, `chance` and `new_id` are for tests.
    """

    def __init__(
        self,
        account: str,
        settings: MatrixSettings,
        host: Host,
        *,
        timing: Timing | None = None,
        chance: random.Random | None = None,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        if settings.encryption is not Encryption.OFF:
            # Here and not in the running loop, where a third of a second would hold everybody up.
            import_module("channels.matrix.crypto")
        self._account = Account(
            settings=settings,
            host=host,
            wire=Wire(settings.homeserver, settings.proxy),
            timing=timing or Timing(),
            me=Me(account, settings.user_id, starts_threads=settings.start_threads),
            offers=Offers(settings),
            rooms=Rooms(settings.user_id),
        )
        self._name = account
        self._msgtype = f"m.{settings.msgtype}"
        self._life = Life(self._account, chance or random.Random())  # noqa: S311  (spreads retries; no secret)
        self._new_id = new_id
        self._edits: Recent[str, tuple[bytes, str]] = Recent(_REMEMBERED)
        self._known: Recent[str, str] = Recent(_REMEMBERED)

    @property
    def name(self) -> str:
        """See channels.base.Channel."""
        return NAME

    @property
    def account(self) -> str:
        """See channels.base.Channel."""
        return self._name

    def __repr__(self) -> str:
        return f"MatrixChannel({self._name!r})"

    async def run(self) -> None:
        """See channels.base.Channel."""
        await self._life.run()

    def capabilities(self, address: Address) -> Capabilities:
        """See channels.base.Channel."""
        return self._account.offers.at(address)

    # -- messages

    async def send(self, address: Address, text: str, send_key: str) -> Sent:
        """See channels.base.Channel. A repeated key is shown once: it is the transaction id of the event."""
        return await self._send(address, text, send_key, is_live=False)

    async def edit(self, address: Address, message_id: str, text: str) -> Sent:
        """See channels.base.Edits."""
        return await self._edit(address, message_id, text, is_live=False)

    async def delete(self, address: Address, message_id: str) -> None:
        """See channels.base.Deletes."""
        account = self._account
        where = path(
            "rooms", address.key.space, "redact", message_id, outgoing.transaction(f"redact {message_id}")
        )
        try:
            await account.write("PUT", where, {}, account.timing.edit)
        except Gone as error:
            if error.detail != "not found":
                raise
        account.memory.deleted.put(message_id, account.me.user_id)

    async def sign(self, address: Address, message_id: str, emoji: str) -> None:
        """See channels.base.Signs. It stands outside of the encryption, as all clients send it (MSC2677)."""
        txn = outgoing.transaction(f"sign {message_id} {emoji}")
        where = path("rooms", address.key.space, "send", "m.reaction", txn)
        relation = {"rel_type": "m.annotation", "event_id": message_id, "key": emoji}
        try:
            await self._account.write("PUT", where, {"m.relates_to": relation}, self._account.timing.typing)
        except Refused as error:
            if error.code != "duplicate_sign":
                raise

    async def typing(self, address: Address, *, is_on: bool) -> None:
        """See channels.base.Typing."""
        account = self._account
        body = {"typing": True, "timeout": int(1000 * TYPING_SECONDS)} if is_on else {"typing": False}
        where = path("rooms", address.key.space, "typing", account.me.user_id)
        account.check_ready()
        await account.wire.ask("PUT", where, body, seconds=account.timing.typing)
        room = account.rooms.get(address.key.space)
        if is_on and account.crypto is not None and room is not None and room.is_encrypted:
            with suppress(Unavailable, RateLimited):  # `send` tries again, and says why it cannot
                await account.crypto.prepare(room.id)

    # -- the same as a stream, each state but the last marked as live

    async def start_stream(self, address: Address, text: str, send_key: str) -> str:
        """See channels.base.Streams; the stream's id is the message's."""
        if self.capabilities(address).streaming is not Streaming.NATIVE:
            raise Refused("no_streams", "live messages are shown where the setting stream is live")
        return (await self._send(address, text, send_key, is_live=True)).id

    async def update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        """See channels.base.Streams."""
        await self._edit(address, stream_id, text, is_live=True)

    async def finish_stream(
        self, address: Address, stream_id: str, text: str, delta: str | None, send_key: str
    ) -> Sent:
        """See channels.base.Streams."""
        return await self._edit(address, stream_id, text, is_live=False)

    # -- files

    async def open_attachment(self, ref: str, max_bytes: int) -> bytes:
        """See channels.base.OpensAttachments. An encrypted file is checked against its hash before it is opened."""
        try:
            found = orjson.loads(ref)
            url = found["url"]
        except (ValueError, KeyError, TypeError):
            raise Gone(GoneWhat.MESSAGE, "not a file of Matrix") from None
        self._account.check_ready()
        account = self._account
        data = await account.wire.download(str(url), max_bytes, account.timing.download, account.host.fetch)
        if "key" not in found:
            return data
        from channels.matrix.crypto import decrypted_file

        try:
            return await decrypted_file(data, found["key"], found["sha256"], found["iv"])
        except (ValueError, KeyError, TypeError):
            raise Refused("damaged_file", "the file is not the one that was sent") from None

    # -- pieces

    async def _send(self, address: Address, text: str, send_key: str, *, is_live: bool) -> Sent:
        account, room_id = self._account, address.key.space
        is_encrypted = await account.is_encrypted(room_id)
        content = outgoing.message(
            text,
            msgtype=self._msgtype,
            thread=address.key.thread,
            reply_to=address.reply_to,
            is_live=is_live,
            is_encrypted=is_encrypted,
        )
        txn = outgoing.transaction(send_key)
        event_id = await self._put(room_id, txn, content, account.timing.send)
        account.wrote(event_id, address.key.thread)
        self._known.put(event_id, room_id)
        return Sent(event_id)

    async def _edit(self, address: Address, message_id: str, text: str, *, is_live: bool) -> Sent:
        account, room_id = self._account, address.key.space
        await self._check_there(room_id, message_id)
        is_encrypted = await account.is_encrypted(room_id)
        content = outgoing.edit(
            text, message_id, msgtype=self._msgtype, is_live=is_live, is_encrypted=is_encrypted
        )
        await self._put(room_id, self._edit_txn(message_id, content), content, account.timing.edit)
        self._edits.pop(message_id)
        if (
            message_id in account.memory.deleted
        ):  # a moderator was faster; the homeserver takes such edits silently
            raise Gone(GoneWhat.MESSAGE)
        return Sent(message_id)

    async def _put(self, room_id: str, txn: str, content: outgoing.Json, seconds: float) -> str:
        return await self._account.put(room_id, "m.room.message", txn, content, seconds)

    async def _check_there(self, room_id: str, message_id: str) -> None:
        """Raises Gone where the message was deleted. An edit of a deleted event shows nothing, and no error either."""
        account = self._account
        account.check_ready()
        if message_id in account.memory.deleted:
            raise Gone(GoneWhat.MESSAGE)
        if message_id in self._known:
            return
        # A message of an earlier process: looked at once, from then on its deletion comes with a sync.
        try:
            where = path("rooms", room_id, "event", message_id)
            event = await account.wire.ask("GET", where, seconds=account.timing.ask)
        except Gone as error:
            raise Gone(
                GoneWhat.MESSAGE if error.detail == "not found" else error.what, error.detail
            ) from None
        unsigned = event.get("unsigned")
        if isinstance(unsigned, dict) and unsigned.get("redacted_because") is not None:
            account.memory.deleted.put(message_id, "")
            raise Gone(GoneWhat.MESSAGE)
        self._known.put(message_id, room_id)

    def _edit_txn(self, message_id: str, content: outgoing.Json) -> str:
        """The transaction id of an edit: the same while the same edit is tried again, then another.

        Made of the text it would be wrong: text A, text B, text A again would leave B standing.
        """
        digest = outgoing.digest(content)
        last = self._edits.get(message_id)
        if last is None or last[0] != digest:
            last = (digest, f"fw-{self._new_id()}")
            self._edits.put(message_id, last)
        return last[1]
