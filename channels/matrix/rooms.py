"""What is known of the account's rooms, from syncs. Pure: values in, values out; nothing is asked of the server."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from channels.matrix.text import clean_name

Json = dict[str, Any]

JOINED, INVITED, LEFT, BANNED = "join", "invite", "leave", "ban"
# Names are for display; beyond so many members of a room the oldest is forgotten.
_MAX_NAMES = 2000
_MAX_ROOMS = 50_000


@dataclass(slots=True)
class Room:
    """One room as we know it. `joined` and `invited` are counts, None where the server never said.

    `own`: our membership. `is_marked_direct`: m.direct or the invitation said so. `names`: user id -> display name.
    """

    id: str
    own: str = LEFT
    joined: int | None = None
    invited: int | None = None
    is_encrypted: bool = False
    is_marked_direct: bool = False
    names: OrderedDict[str, str] = field(default_factory=OrderedDict)

    @property
    def is_direct(self) -> bool:
        """A conversation with one person: two members, or as it was marked while nobody has counted."""
        if self.joined is None and self.invited is None:
            return self.is_marked_direct
        return (self.joined or 0) + (self.invited or 0) <= 2

    def name_of(self, user_id: str) -> str:
        """The display name, else the local part."""
        return self.names.get(user_id) or clean_name(user_id[1:].partition(":")[0])


class Rooms:
    """The rooms of one account. `direct_lists`: the content of m.direct."""

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._direct: set[str] = set()
        self.direct_lists: Json = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, room_id: str) -> Room | None:
        """The room, None where it was never heard of."""
        return self._rooms.get(room_id)

    def room(self, room_id: str) -> Room:
        """The room; made where it was never heard of."""
        found = self._rooms.get(room_id)
        if found is None:
            if len(self._rooms) >= _MAX_ROOMS:
                self._rooms.popitem(last=False)
            found = self._rooms[room_id] = Room(room_id, is_marked_direct=room_id in self._direct)
        return found

    def account_data(self, events: Iterable[Any]) -> None:
        """Global account data: m.direct names the rooms that are conversations with one person."""
        for event in events:
            if isinstance(event, dict) and event.get("type") == "m.direct":
                content = event.get("content")
                self.direct_lists = content if isinstance(content, dict) else {}
                self._direct = {
                    room_id
                    for rooms in self.direct_lists.values()
                    if isinstance(rooms, list)
                    for room_id in rooms
                    if isinstance(room_id, str)
                }
                for room in self._rooms.values():
                    room.is_marked_direct = room.is_marked_direct or room.id in self._direct

    def joined(self, room_id: str, part: Json) -> Room:
        """Take over what a sync says of a joined room: state, summary, and the state in its timeline."""
        room = self.room(room_id)
        room.own = JOINED
        for event in (*events_of(part, "state"), *events_of(part, "timeline")):
            self.state(room, event)
        room.own = JOINED
        summary = part.get("summary")
        if isinstance(summary, dict):
            for key, name in (("m.joined_member_count", "joined"), ("m.invited_member_count", "invited")):
                count = summary.get(key)
                if type(count) is int and count >= 0:
                    setattr(room, name, count)
        return room

    def left(self, room_id: str, part: Json) -> Room:
        """Take over what a sync says of a room that we are no longer in."""
        room = self.room(room_id)
        room.own = LEFT
        for event in (*events_of(part, "state"), *events_of(part, "timeline")):
            self.state(room, event)
        if room.own not in (LEFT, BANNED):
            room.own = LEFT
        return room

    def state(self, room: Room, event: Any) -> None:
        """One state event; anything else is passed over."""
        if not isinstance(event, dict) or not isinstance(event.get("state_key"), str):
            return
        content = event.get("content")
        if not isinstance(content, dict):
            return
        if event.get("type") == "m.room.encryption":
            room.is_encrypted = True  # once on it cannot be switched off (spec, m.room.encryption)
        elif event.get("type") == "m.room.member":
            self._member(room, event["state_key"], content)

    def _member(self, room: Room, user_id: str, content: Json) -> None:
        membership, name = content.get("membership"), content.get("displayname")
        if user_id == self._user_id and isinstance(membership, str):
            room.own = membership
            if membership == INVITED and content.get("is_direct") is True:
                room.is_marked_direct = True
        if membership not in (JOINED, INVITED):
            room.names.pop(user_id, None)
            return
        room.names[user_id] = clean_name(name) if isinstance(name, str) else ""
        room.names.move_to_end(user_id)
        if len(room.names) > _MAX_NAMES:
            room.names.popitem(last=False)


def events_of(part: Any, section: str) -> list[Any]:
    """The events of a section of a sync ("state", "timeline", "ephemeral", ...), an empty list where it is odd."""
    found = part.get(section) if isinstance(part, dict) else None
    events = found.get("events") if isinstance(found, dict) else None
    return events if isinstance(events, list) else []


def rooms_of(sync: Json, kind: str) -> dict[str, Json]:
    """The rooms of a sync by id: kind is "join", "invite" or "leave". What has not the right shape is left out."""
    rooms = sync.get("rooms")
    found = rooms.get(kind) if isinstance(rooms, dict) else None
    if not isinstance(found, dict):
        return {}
    return {key: part for key, part in found.items() if isinstance(key, str) and isinstance(part, dict)}
