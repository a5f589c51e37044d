"""A person in encrypted rooms: the same verbs, with matrix-nio's cryptography (vodozemac) and a device of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nio
from nio.crypto import encrypt_attachment
from nio.events.to_device import RoomKeyRequest

from tests.channels.matrix.peer.api import Api, transaction
from tests.channels.matrix.peer.person import MEGOLM, Person, file_content, mentioned, relates
from tests.channels.matrix.peer.watch import PATIENCE

_CLEAR = frozenset({"m.reaction"})  # clients send reactions unencrypted, and so does matrix-nio 0.26


class SecretPerson(Person):
    """Reads and writes encrypted and plain rooms. Trusts every device, as Element does until told otherwise.

    All requests but those of the cryptography are `Person`'s own; /sync is asked once and handed to matrix-nio.
    """

    def __init__(self, api: Api, registered: dict[str, Any], folder: Path) -> None:
        super().__init__(api, registered)
        folder.mkdir(parents=True, exist_ok=True)
        options = nio.AsyncClientConfig(max_limit_exceeded=0, max_timeouts=1, encryption_enabled=True)
        self._client = nio.AsyncClient(api.url, self.id, self.device, store_path=str(folder), config=options)
        self._withheld: dict[str, tuple[str, str]] = {}
        self.key_requests: list[RoomKeyRequest] = []
        self.watch.hook = self._synced

    async def open(self) -> None:
        """Make the device's keys and publish them."""
        self._client.restore_login(self.id, self.device, self.token)
        await self.watch.refresh()

    async def close(self) -> None:
        """Let go of the connection and the store."""
        await self._client.close()
        self._client.store.database.close()

    # Saying.

    async def send(self, room: str, kind: str, content: dict[str, Any], key: str = "") -> str:
        """As `Person.send`; encrypted for the devices of everybody who is in the room now."""
        await self.watch.refresh()
        if kind in _CLEAR or not self._is_encrypted(room):
            return await super().send(room, kind, content, key)
        await self._share(room)
        encrypted_kind, encrypted = self._client.encrypt(room, kind, content)
        return await super().send(room, encrypted_kind, encrypted, key)

    async def attach(
        self,
        room: str,
        name: str,
        mime: str,
        data: bytes,
        *,
        caption: str = "",
        thread: str = "",
        mentions: Sequence[str] = (),
        is_voice: bool = False,
    ) -> str:
        """As `Person.attach`; in an encrypted room the file is encrypted too (`file` instead of `url`)."""
        await self.watch.refresh()
        if not self._is_encrypted(room):
            return await super().attach(
                room, name, mime, data, caption=caption, thread=thread, mentions=mentions, is_voice=is_voice
            )
        locked, keys = encrypt_attachment(data)
        uri = await self.api.upload("file", "application/octet-stream", locked)
        content = file_content(name, mime, len(data), caption, is_voice=is_voice)
        content |= {"file": keys | {"url": uri}, "m.mentions": mentioned(mentions)}
        return await self.send(room, "m.room.message", content | relates(thread, ""))

    # Seeing.

    async def events(self, room: str) -> list[dict[str, Any]]:
        """As `Person.events`, decrypted where the key is there."""
        return [self._decrypted(event, room) for event in await super().events(room)]

    async def undecryptable(self, room: str) -> list[str]:
        """The ids of what this person sees as "unable to decrypt"."""
        return [
            event["event_id"]
            for event in await self.events(room)
            if event["type"] == "m.room.encrypted" and event["content"]
        ]

    async def until_devices(self, room: str, user: str, timeout: float = PATIENCE) -> None:
        """Wait until the user is in the room and has a device that one can encrypt for."""
        await self.until_member(room, user, timeout=timeout)

        async def look() -> bool:
            known = self._client.rooms.get(room)
            if known is None or user not in known.users:
                return False
            # A query a look: the list that a sync names as changed holds only whom one shares a room with already.
            self._client.olm.users_for_key_query.add(user)
            await self._client.keys_query()
            return any(True for _ in self._client.device_store.active_user_devices(user))

        await self.watch.until(look, lambda: f"no device of {user}", timeout)

    # Keys that are not there.

    async def withhold(self, room: str, user: str) -> None:
        """From now on, write with a new key that the devices of `user` do not get, until `hand_over`."""
        await self.until_devices(room, user)
        olm = self._client.olm
        olm.create_outbound_group_session(room)
        session = olm.outbound_group_sessions[room]
        devices = self._client.device_store.active_user_devices(user)
        session.users_ignored.update((user, device.id) for device in devices)
        self._withheld[room] = (session.id, session.session_key)

    async def hand_over(self, room: str, user: str) -> None:
        """Give `user` the withheld key from its first message on, as a late m.room_key."""
        olm = self._client.olm
        devices = list(self._client.device_store.active_user_devices(user))
        if missing := olm.get_missing_sessions([user]):
            await self._client.keys_claim(missing)
        session_id, session_key = self._withheld.pop(room)
        key = {
            "algorithm": MEGOLM,
            "room_id": room,
            "session_id": session_id,
            "session_key": session_key,
        }
        letters = {}
        for device in devices:
            session = olm.session_store.get(device.curve25519)
            # matrix-nio 0.26 has no public call that sends a key late.
            letters[device.id] = olm._olm_encrypt(session, device, "m.room_key", key)  # noqa: SLF001
        await self.to_device("m.room.encrypted", user, letters)

    async def to_device(self, kind: str, user: str, letters: dict[str, Any]) -> None:
        """A message to the user's devices: device id (or "*") -> content."""
        path = f"/_matrix/client/v3/sendToDevice/{kind}/{transaction()}"
        await self.api.call("PUT", path, {"messages": {user: letters}})

    async def until_key_request(self, user: str, timeout: float = PATIENCE) -> list[RoomKeyRequest]:
        """Wait until the user's device asks for a key; returns all requests so far."""

        async def look() -> list[RoomKeyRequest]:
            return [request for request in self.key_requests if request.sender == user]

        return await self.watch.until(look, lambda: self.key_requests, timeout)

    def _is_encrypted(self, room: str) -> bool:
        known = self._client.rooms.get(room)
        return known is not None and bool(known.encrypted)

    async def _share(self, room: str) -> None:
        """What `room_send` of matrix-nio does before it encrypts."""
        if not self._client.rooms[room].members_synced:
            await self._client.joined_members(room)
        if self._client.should_query_keys:
            await self._client.keys_query()
        if self._client.olm.should_share_group_session(room):
            await self._client.share_group_session(room, ignore_unverified_devices=True)

    def _decrypted(self, event: dict[str, Any], room: str) -> dict[str, Any]:
        if event["type"] != "m.room.encrypted" or event["content"].get("algorithm") != MEGOLM:
            return event
        parsed = nio.MegolmEvent.from_dict(event)
        try:
            found = self._client.olm.decrypt_megolm_event(parsed, room)
        except nio.EncryptionError:
            return event
        return event | {"type": found.source["type"], "content": found.source["content"]}

    async def _synced(self, found: dict[str, Any]) -> None:
        """Hand a sync to matrix-nio and do what its own loop would do next."""
        response = nio.SyncResponse.from_dict(found)
        self.key_requests += [
            event for event in response.to_device_events if isinstance(event, RoomKeyRequest)
        ]
        await self._client.receive_response(response)
        await self._client.send_to_device_messages()
        if self._client.should_upload_keys:
            await self._client.keys_upload()
        if self._client.should_query_keys:
            await self._client.keys_query()
        if self._client.should_claim_keys:
            await self._client.keys_claim(self._client.get_users_for_key_claiming())
