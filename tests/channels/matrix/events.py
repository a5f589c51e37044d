"""Events of a room as a homeserver sends them (Matrix spec v1.16, Client-Server API), for tests of the pure parts."""

from __future__ import annotations

from typing import Any

from channels.matrix.memory import Memory
from channels.matrix.parse import Me, Parsed, parse
from channels.matrix.rooms import JOINED, Room

ALICE, BOT, BOB = "@alice:example.org", "@firstword:example.org", "@bob:other.example"
ROOM = "!room:example.org"
ME = Me("main", BOT, "First Word", "DEVICE")


def room(*, members: int = 2, **more: Any) -> Room:
    """A room that the bot is in."""
    return Room(ROOM, JOINED, joined=members, invited=0, **more)


GROUP = room(members=5)
DIRECT = room()


def event(
    content: dict[str, Any], *, kind: str = "m.room.message", sender: str = ALICE, **more: Any
) -> dict[str, Any]:
    """One event."""
    return {
        "type": kind,
        "event_id": "$event",
        "sender": sender,
        "origin_server_ts": 1_795_000_000_123,
        "content": content,
        "unsigned": {"age": 5},
        **more,
    }


def text(body: str, **more: Any) -> dict[str, Any]:
    """The content of a text message."""
    return {"msgtype": "m.text", "body": body, **more}


def said(body: str, **more: Any) -> dict[str, Any]:
    """A text message."""
    return event(text(body, **more))


def read(found: Any, where: Room = DIRECT, memory: Memory | None = None, me: Me = ME) -> Parsed:
    """`parse` as these tests call it."""
    return parse(found, where, me, memory or Memory())
