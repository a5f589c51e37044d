"""Somebody at a Matrix client: says things, and sees what stands in a room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.channels.matrix.peer.api import V3, Api, MatrixError, part, transaction
from tests.channels.matrix.peer.timeline import Seen, see
from tests.channels.matrix.peer.watch import PATIENCE, Watch

MEGOLM = "m.megolm.v1.aes-sha2"
_KINDS = {"image": "m.image", "audio": "m.audio", "video": "m.video"}


class Person:
    """A user with one device. Every verb returns when the server has taken it; refusals raise MatrixError."""

    def __init__(self, api: Api, registered: dict[str, Any]) -> None:
        self.api = api
        self.id: str = registered["user_id"]
        self.device: str = registered["device_id"]
        self.token: str = registered["access_token"]
        self.watch = Watch(api)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    @property
    def password(self) -> str:
        """The localpart, as registered."""
        return self.id[1:].partition(":")[0]

    async def set_name(self, name: str) -> None:
        """The display name, everywhere."""
        await self.api.call("PUT", f"{V3}/profile/{part(self.id)}/displayname", {"displayname": name})

    # Rooms.

    async def create_room(
        self,
        *invite: str,
        name: str = "",
        is_direct: bool = False,
        is_encrypted: bool = False,
        **more: Any,
    ) -> str:
        """A private room; the invited are told that it is a direct chat if it is. Returns the room id."""
        body: dict[str, Any] = {
            "preset": "private_chat",
            "invite": list(invite),
            "is_direct": is_direct,
        } | more
        if name:
            body["name"] = name
        if is_encrypted:
            algorithm = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": MEGOLM}}
            body.setdefault("initial_state", []).append(algorithm)
        room = str((await self.api.call("POST", f"{V3}/createRoom", body))["room_id"])
        if is_direct:
            content = {user: [room] for user in invite}
            await self.api.call("PUT", f"{V3}/user/{part(self.id)}/account_data/m.direct", content)
        return room

    async def invite(self, room: str, user: str) -> None:
        """Ask somebody in."""
        await self._post(room, "invite", user_id=user)

    async def join(self, room: str) -> None:
        """Go in."""
        await self._post(room, "join")

    async def leave(self, room: str) -> None:
        """Go out."""
        await self._post(room, "leave")

    async def kick(self, room: str, user: str, reason: str = "") -> None:
        """Put somebody out; they may be invited again."""
        await self._post(room, "kick", user_id=user, reason=reason)

    async def ban(self, room: str, user: str, reason: str = "") -> None:
        """Put somebody out for good."""
        await self._post(room, "ban", user_id=user, reason=reason)

    async def unban(self, room: str, user: str) -> None:
        """Allow them to be invited again."""
        await self._post(room, "unban", user_id=user)

    async def state(self, room: str, kind: str, key: str = "") -> dict[str, Any]:
        """The content of a state event; {} where there is none."""
        try:
            return await self.api.call("GET", f"{V3}/rooms/{part(room)}/state/{kind}/{part(key)}")
        except MatrixError as error:
            if error.status == 404:
                return {}
            raise

    async def set_state(self, room: str, kind: str, content: dict[str, Any], key: str = "") -> str:
        """Write a state event; returns its id."""
        path = f"{V3}/rooms/{part(room)}/state/{kind}/{part(key)}"
        return str((await self.api.call("PUT", path, content))["event_id"])

    async def set_power(self, room: str, user: str, level: int) -> None:
        """Give a user a power level; -1 takes away the right to speak in a usual room."""
        content = await self.state(room, "m.room.power_levels")
        content["users"] = content.get("users", {}) | {user: level}
        await self.set_state(room, "m.room.power_levels", content)

    async def membership(self, room: str, user: str) -> str:
        """join, invite, leave, ban, or "" for a stranger."""
        return str((await self.state(room, "m.room.member", user)).get("membership", ""))

    # Saying.

    async def send(self, room: str, kind: str, content: dict[str, Any], key: str = "") -> str:
        """Any event; returns its id."""
        path = f"{V3}/rooms/{part(room)}/send/{kind}/{part(key or transaction())}"
        return str((await self.api.call("PUT", path, content))["event_id"])

    async def say(
        self,
        room: str,
        text: str,
        *,
        html: str = "",
        thread: str = "",
        reply_to: str = "",
        mentions: Sequence[str] = (),
        kind: str = "m.text",
    ) -> str:
        """A message as Element writes it; in a thread the fallback reply points at `reply_to` or the root."""
        content: dict[str, Any] = {"msgtype": kind, "body": text, "m.mentions": mentioned(mentions)}
        if html:
            content |= {"format": "org.matrix.custom.html", "formatted_body": html}
        return await self.send(room, "m.room.message", content | relates(thread, reply_to))

    async def edit(self, room: str, event: str, text: str, *, mentions: Sequence[str] = ()) -> str:
        """Replace the text of an own message; returns the edit's id."""
        new = {"msgtype": "m.text", "body": text, "m.mentions": mentioned(mentions)}
        content = new | {
            "body": f"* {text}",
            "m.mentions": {},  # outside stands who is mentioned for the first time
            "m.new_content": new,
            "m.relates_to": {"rel_type": "m.replace", "event_id": event},
        }
        return await self.send(room, "m.room.message", content)

    async def redact(self, room: str, event: str, reason: str = "") -> str:
        """Take an event back, or somebody else's as a moderator; returns the redaction's id."""
        path = f"{V3}/rooms/{part(room)}/redact/{part(event)}/{transaction()}"
        return str((await self.api.call("PUT", path, {"reason": reason} if reason else {}))["event_id"])

    async def react(self, room: str, event: str, key: str) -> str:
        """Put an emoji on a message; returns the reaction's id (redact it to take it off)."""
        related = {"rel_type": "m.annotation", "event_id": event, "key": key}
        return await self.send(room, "m.reaction", {"m.relates_to": related})

    async def type(self, room: str, *, is_on: bool = True) -> None:
        """Be seen typing for half a minute, or no more."""
        body: dict[str, Any] = {"typing": is_on} | ({"timeout": 30_000} if is_on else {})
        await self.api.call("PUT", f"{V3}/rooms/{part(room)}/typing/{part(self.id)}", body)

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
        """A message with a file. `is_voice`: an m.audio marked as a voice note (MSC3245)."""
        uri = await self.api.upload(name, mime, data)
        content = file_content(name, mime, len(data), caption, is_voice=is_voice) | {"url": uri}
        content["m.mentions"] = mentioned(mentions)
        return await self.send(room, "m.room.message", content | relates(thread, ""))

    # Seeing.

    async def events(self, room: str) -> list[dict[str, Any]]:
        """All events of a room that this person may read, oldest first, as the server gives them now."""
        found: list[dict[str, Any]] = []
        query = {"dir": "b", "limit": "100"}
        while True:
            page = await self.api.call("GET", f"{V3}/rooms/{part(room)}/messages", query=query)
            found += page["chunk"]
            if not page.get("end") or not page["chunk"]:
                return found[::-1]
            query["from"] = page["end"]

    async def seen(self, room: str, *, sender: str = "", thread: str | None = None) -> list[Seen]:
        """The messages on screen, oldest first; of one sender; of one thread ("": outside of threads)."""
        return [
            message
            for message in see(await self.events(room))
            if sender in {"", message.sender} and thread in {None, message.thread or ""}
        ]

    async def texts(self, room: str, *, sender: str = "", thread: str | None = None) -> list[str]:
        """What they read."""
        return [message.text for message in await self.seen(room, sender=sender, thread=thread)]

    # Waiting.

    async def until_seen(
        self,
        room: str,
        condition: Callable[[list[Seen]], object],
        *,
        sender: str = "",
        timeout: float = PATIENCE,
    ) -> list[Seen]:
        """Wait until what stands in the room fits; returns it. Raises TimeoutError with the texts as they are."""
        last: list[Seen] = []

        async def look() -> list[Seen] | None:
            last[:] = await self.seen(room, sender=sender)
            return list(last) if condition(last) else None

        found = await self.watch.until(look, lambda: [message.text for message in last], timeout)
        return found or []

    async def until_texts(
        self, room: str, expected: Sequence[str], *, sender: str = "", timeout: float = PATIENCE
    ) -> list[Seen]:
        """Wait until exactly these texts stand there."""
        fits = list(expected)
        return await self.until_seen(
            room, lambda seen: [message.text for message in seen] == fits, sender=sender, timeout=timeout
        )

    async def until_typing(
        self, room: str, user: str, *, is_on: bool = True, timeout: float = PATIENCE
    ) -> None:
        """Wait until the user is shown typing there, or is no more."""

        async def look() -> bool:
            return (user in self.watch.typing.get(room, ())) == is_on

        await self.watch.until(look, lambda: self.watch.typing, timeout)

    async def until_read(self, room: str, user: str, event: str, *, timeout: float = PATIENCE) -> None:
        """Wait until the user's read receipt stands at the event."""

        async def look() -> bool:
            return self.watch.read.get(room, {}).get(user) == event

        await self.watch.until(look, lambda: self.watch.read, timeout)

    async def until_member(
        self, room: str, user: str, membership: str = "join", *, timeout: float = PATIENCE
    ) -> None:
        """Wait until the user has joined, left, ..."""

        async def look() -> bool:
            return await self.membership(room, user) == membership

        await self.watch.until(look, lambda: membership, timeout)

    async def _post(self, room: str, verb: str, **body: Any) -> None:
        await self.api.call("POST", f"{V3}/rooms/{part(room)}/{verb}", body)


def relates(thread: str, reply_to: str) -> dict[str, Any]:
    """The relation of a message in a thread, of a reply, or of neither."""
    if thread:
        return {
            "m.relates_to": {
                "rel_type": "m.thread",
                "event_id": thread,
                "is_falling_back": not reply_to,
                "m.in_reply_to": {"event_id": reply_to or thread},
            }
        }
    return {"m.relates_to": {"m.in_reply_to": {"event_id": reply_to}}} if reply_to else {}


def file_content(name: str, mime: str, size: int, caption: str, *, is_voice: bool) -> dict[str, Any]:
    """A message about a file, without the place where it lies."""
    content: dict[str, Any] = {
        "msgtype": _KINDS.get(mime.partition("/")[0], "m.file"),
        "body": caption or name,
        "filename": name,
        "info": {"mimetype": mime, "size": size},
    }
    if is_voice:
        content |= {"org.matrix.msc3245.voice": {}, "org.matrix.msc1767.audio": {"duration": 1000}}
    return content


def mentioned(users: Sequence[str]) -> dict[str, Any]:
    """The content of `m.mentions`."""
    return {"user_ids": list(users)} if users else {}
