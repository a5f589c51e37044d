"""End-to-end encryption: the keys of one device, kept by matrix-nio and vodozemac. Everything else is done elsewhere.

The machine of nio is fed a reduced sync (members, keys, device lists), so that an odd room cannot spoil it, and it is
asked to encrypt and decrypt. Messages of a device that nobody verified are read, and ours are sent to all devices of
the members: a bot cannot compare emoji.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import aiohttp
import nio
import peewee  # type: ignore[import-untyped]  # has no types; only its errors are named here
import structlog
from nio.crypto import ENCRYPTION_ENABLED
from nio.exceptions import EncryptionError, LocalProtocolError, OlmTrustError

from channels.errors import ChannelError, Unavailable
from channels.matrix.problems import problem
from channels.matrix.rooms import events_of, rooms_of
from channels.matrix.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = structlog.get_logger()

Json = dict[str, Any]
# What nio raises over a message of an odd shape, or when its store cannot be written.
_ODD = (
    EncryptionError,
    LocalProtocolError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,  # nio/crypto/olm_machine.py asserts that a sender's key is given
    peewee.PeeweeException,
)
_MAX_SEEN = 20_000
_MEMBERS = ("m.room.member", "m.room.encryption")
# matrix-nio 0.26 logs ids and keys' names, never text; still more than belongs into a log.
_LOGGERS = ("nio", "nio.crypto", "nio.client", "nio.rooms", "nio.responses", "peewee")


def is_possible() -> bool:
    """Whether the library for encryption is installed."""
    return bool(ENCRYPTION_ENABLED)


class BrokenStore(Exception):
    """The file with the keys cannot be read: it is damaged, or of another library."""


class Crypto:
    """The keys of one device. All calls come from one event loop; `seconds` is the deadline of one of its requests."""

    def __init__(self, wire: Wire, user_id: str, device_id: str, folder: Path, *, seconds: float) -> None:
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._wire = wire
        self._seconds = seconds
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        # One try, no sleeping inside: waiting is delivery's business.
        config = nio.AsyncClientConfig(
            encryption_enabled=True, max_limit_exceeded=0, max_timeouts=0, request_timeout=seconds
        )
        self._client = nio.AsyncClient(wire.homeserver, user_id, device_id, str(folder), config)
        self._client.client_session = wire.session
        try:
            self._client.restore_login(user_id, device_id, wire.token)
        except (peewee.PeeweeException, OSError, ValueError) as error:  # vodozemac's errors are ValueErrors
            raise BrokenStore(type(error).__name__) from None
        for file in folder.iterdir():
            file.chmod(0o600)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._requests = asyncio.Lock()
        self._received = 0

    def __repr__(self) -> str:
        return "Crypto()"

    @property
    def fingerprint(self) -> str:
        """The device's public key, for a person who compares it."""
        olm = self._client.olm
        return str(olm.account.identity_keys["ed25519"]) if olm is not None else ""

    def close(self) -> None:
        """Close the store. The pool is the Wire's."""
        store = self._client.store
        if store is not None:
            store.database.close()

    # -- receiving

    async def receive(self, sync: Json, *, with_keys: bool = True) -> bool:
        """Take over keys, device lists and members of a sync. True when keys came that messages may have waited for."""
        self._received += 1
        letters = [letter for letter in events_of(sync, "to_device") if with_keys and _is_letter(letter)]
        for letter in letters:
            self._open_letter(letter)
        try:
            found = nio.SyncResponse.from_dict(self._reduced(sync))
            if not isinstance(found, nio.SyncResponse):
                raise TypeError("the sync has an odd shape")
            await self._client.receive_response(found)
        except _ODD as error:
            log.warning("keys of a sync not read", channel="matrix", reason=type(error).__name__)
        self._forget_old()
        lists = sync.get("device_lists")
        changed = lists.get("changed") if isinstance(lists, dict) else None
        if self._client.olm is not None and isinstance(changed, list):
            # nio drops those whom it has not seen in a room yet, and members are loaded late.
            known = self._client.olm.tracked_users
            self._client.olm.add_changed_users({user for user in changed if user in known})
        return bool(letters)

    def _forget_old(self) -> None:
        """nio notes each message that it ever decrypted, to know one that is sent again; the newest are enough."""
        seen = self._client.olm.message_index_store if self._client.olm is not None else {}
        if len(seen) > _MAX_SEEN:
            for key in list(islice(seen, len(seen) - _MAX_SEEN // 2)):
                del seen[key]

    def _open_letter(self, letter: Json) -> None:
        """A message to this device. Anybody can send anything: an odd one costs its own key, not the rest."""
        try:
            found = nio.ToDeviceEvent.parse_event(letter)
            if found is not None and self._client.olm is not None:
                self._client.olm.handle_to_device_event(found)
        except _ODD as error:
            log.debug("message to the device not read", channel="matrix", reason=type(error).__name__)

    def _reduced(self, sync: Json) -> Json:
        joined = {}
        for room_id, part in rooms_of(sync, "join").items():
            state = [event for event in events_of(part, "state") if _is_member(event)]
            timeline = [event for event in events_of(part, "timeline") if _is_member(event)]
            joined[room_id] = {
                "state": {"events": state},
                "timeline": {"events": timeline, "limited": False, "prev_batch": ""},
                "ephemeral": {"events": []},
                "account_data": {"events": []},
            }
        lists = sync.get("device_lists")
        lists = lists if isinstance(lists, dict) else {}
        counts = sync.get("device_one_time_keys_count")
        counts = counts if isinstance(counts, dict) else {}
        return {
            # Its own number: nio passes over a token that it has seen, and ours may come again after a restart.
            "next_batch": f"sync-{self._received}",
            "device_one_time_keys_count": {
                key: value
                for key, value in counts.items()
                if type(value) is int and key == "signed_curve25519"
            },
            "device_lists": {key: _texts(lists.get(key)) for key in ("changed", "left")},
            "to_device": {"events": []},
            "presence": {"events": []},
            "account_data": {"events": []},
            "rooms": {"join": joined, "invite": {}, "leave": {}},
        }

    def decrypt(self, room_id: str, event: Json) -> Json | None:
        """The event as it was before it was encrypted, None where there is no key for it."""
        olm, content = self._client.olm, event.get("content")
        if olm is None or not isinstance(content, dict):
            return None
        try:
            found = nio.Event.parse_encrypted_event({**event, "content": self._completed(room_id, content)})
            if not isinstance(found, nio.MegolmEvent):
                return None
            plain = olm.decrypt_megolm_event(found, room_id)
        except _ODD:
            return None
        source = getattr(plain, "source", None)
        if not isinstance(source, dict) or not isinstance(source.get("content"), dict):
            return None
        inner = source["content"]
        if isinstance(content.get("m.relates_to"), dict):
            inner = {**inner, "m.relates_to": content["m.relates_to"]}
        return {**event, "type": source.get("type"), "content": inner}

    def _completed(self, room_id: str, content: Json) -> Json:
        """Spec v1.3 makes sender_key and device_id optional; nio wants both, and the session knows its sender."""
        if isinstance(content.get("sender_key"), str) and isinstance(content.get("device_id"), str):
            return content
        olm, session_id = self._client.olm, content.get("session_id")
        if olm is None or not isinstance(session_id, str):
            return content
        found = next(
            (s for s in olm.inbound_group_store if s.id == session_id and s.room_id == room_id), None
        )
        key = content.get("sender_key") or (found.sender_key if found is not None else "")
        return {**content, "sender_key": key, "device_id": content.get("device_id") or ""}

    async def request_key(self, room_id: str, event: Json) -> None:
        """Ask the bot's other devices, and the sender's, for the key of an event; once for each key."""
        content = event.get("content")
        if not isinstance(content, dict):
            return
        try:
            found = nio.Event.parse_encrypted_event({**event, "content": self._completed(room_id, content)})
            if isinstance(found, nio.MegolmEvent):
                found.room_id = room_id
                if found.session_id not in self._client.outgoing_key_requests:
                    await self._call(lambda: self._client.request_room_key(found))
        except _ODD as error:
            log.debug("key not asked for", channel="matrix", reason=type(error).__name__)

    async def upkeep(self) -> None:
        """What the protocol asks for between two syncs: upload, query and claim keys, send what is due to devices.

        Raises ChannelError.
        """
        client = self._client
        async with self._requests:
            if client.should_upload_keys:
                await self._call(client.keys_upload)
            if client.should_query_keys:
                await self._call(client.keys_query)
            if client.should_claim_keys:
                await self._call(lambda: client.keys_claim(client.get_users_for_key_claiming()))
            if client.outgoing_to_device_messages:
                await self._call(client.send_to_device_messages)

    # -- sending

    async def encrypt(self, room_id: str, kind: str, content: Json) -> Json:
        """The content of the m.room.encrypted event. Raises ChannelError when the members' keys cannot be had."""
        client = self._client
        async with self._lock(room_id):
            await self._prepare(room_id)
            try:
                return dict(client.encrypt(room_id, kind, content)[1])
            except (EncryptionError, LocalProtocolError, peewee.PeeweeException) as error:
                raise Unavailable(f"the room's key is not shared ({type(error).__name__})") from None

    async def prepare(self, room_id: str) -> None:
        """Share the room's key before there is anything to say, so that the first words need not wait for it."""
        async with self._lock(room_id):
            await self._prepare(room_id)

    async def _prepare(self, room_id: str) -> None:
        client = self._client
        room = client.rooms.get(room_id)
        if room is None:
            room = client.rooms[room_id] = nio.MatrixRoom(room_id, client.user_id, encrypted=True)
        room.encrypted = True
        if not room.members_synced:
            await self._call(lambda: client.joined_members(room_id))
        async with self._requests:
            if client.should_query_keys:
                await self._call(client.keys_query)
        try:
            if client.olm is not None and client.olm.should_share_group_session(room_id):
                await self._share(room_id)
        except (EncryptionError, OlmTrustError, LocalProtocolError) as error:
            raise Unavailable(f"the room's key cannot be shared ({type(error).__name__})") from None

    async def _share(self, room_id: str) -> None:
        client = self._client
        try:
            await self._call(lambda: client.share_group_session(room_id, ignore_unverified_devices=True))
        finally:
            # Left behind when the claiming of keys fails; nio would refuse to share ever after.
            client.sharing_session.pop(room_id, None)

    @asynccontextmanager
    async def _lock(self, room_id: str) -> AsyncIterator[None]:
        """One at a time in a room: two would make two keys."""
        lock = self._locks.get(room_id)
        if lock is None:
            lock = self._locks[room_id] = asyncio.Lock()
        async with lock:
            yield

    async def _call(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """A call of nio, which returns errors instead of raising them. Raises ChannelError."""
        try:
            async with asyncio.timeout(self._seconds):
                found = await call()
        except (OSError, aiohttp.ClientError) as error:
            raise Unavailable(f"no answer to a question about keys ({type(error).__name__})") from None
        except peewee.PeeweeException as error:
            raise Unavailable(f"the keys cannot be stored ({type(error).__name__})") from None
        except LocalProtocolError:
            return None  # nothing to do any more: another task was faster
        if isinstance(found, nio.ErrorResponse):
            raise _problem(found)
        return found


def _problem(found: nio.ErrorResponse) -> ChannelError:
    """As channels.matrix.problems, for an error that nio returned."""
    answer = found.transport_response
    body: Json = {"errcode": found.status_code, "error": found.message}
    if found.retry_after_ms is not None:
        body["retry_after_ms"] = found.retry_after_ms
    if isinstance(getattr(found, "soft_logout", None), bool):
        body["soft_logout"] = found.soft_logout
    return problem(answer.status if answer is not None else 0, body)


def _is_member(event: Any) -> bool:
    return isinstance(event, dict) and event.get("type") in _MEMBERS


def _is_letter(letter: Any) -> bool:
    return (
        isinstance(letter, dict)
        and isinstance(letter.get("type"), str)
        and isinstance(letter.get("sender"), str)
        and isinstance(letter.get("content"), dict)
    )


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


async def decrypted_file(data: bytes, key: str, sha256: str, iv: str) -> bytes:
    """An encrypted attachment's bytes; in a thread, as AES over megabytes takes a while. Raises ValueError."""
    from nio.crypto.attachments import decrypt_attachment

    try:
        return bytes(await asyncio.to_thread(decrypt_attachment, data, key, sha256, iv))
    except EncryptionError as error:
        raise ValueError(str(error)) from None
