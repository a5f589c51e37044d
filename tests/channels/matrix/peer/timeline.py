"""From a room's events to what a person sees there: edits applied, redacted ones gone, threads and replies. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.channels.matrix.peer.markup import plain

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as it stands on screen.

    `text` comes from formatted_body where there is one. `body` is the plain fallback. `thread` is the root's event id.
    `reactions`: key -> user ids. `content` is the newest, `edits` how many were made, `edit_ids` their events.
    """

    id: str
    sender: str
    text: str
    body: str
    html: str | None
    kind: str
    thread: str | None
    reply_to: str | None
    content: Mapping[str, Any]
    edit_ids: tuple[str, ...] = ()
    reactions: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def edits(self) -> int:
        """How often it was changed."""
        return len(self.edit_ids)


def relation(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """`m.relates_to` if it is an object."""
    found = content.get("m.relates_to")
    return found if isinstance(found, Mapping) else {}


def see(events: Iterable[Event]) -> list[Seen]:
    """The messages of a room, oldest first.

    Client-Server API v1.16, "Event replacements": an edit counts if sender and type are the original's, neither is a
    state event, the original is no edit itself and m.new_content is there; the newest one wins, and the original's
    relation stays. Redacted events have no content.
    """
    all_events = [event for event in events if event.get("content")]
    redacted = {
        event.get("redacts") or event["content"].get("redacts")
        for event in all_events
        if event["type"] == "m.room.redaction"
    }
    standing = [event for event in all_events if event["event_id"] not in redacted]
    messages = [event for event in standing if event["type"] == "m.room.message" and "state_key" not in event]
    edits: dict[str, list[Event]] = {}
    for event in messages:
        related = relation(event["content"])
        if related.get("rel_type") == "m.replace":
            edits.setdefault(str(related.get("event_id")), []).append(event)
    reactions = _reactions(standing)
    return [
        _seen(event, edits.get(event["event_id"], ()), reactions.get(event["event_id"], {}))
        for event in messages
        if relation(event["content"]).get("rel_type") != "m.replace"
    ]


def _reactions(events: Iterable[Event]) -> dict[str, dict[str, set[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    for event in events:
        related = relation(event["content"])
        if event["type"] == "m.reaction" and related.get("rel_type") == "m.annotation":
            keys = found.setdefault(str(related.get("event_id")), {})
            keys.setdefault(str(related.get("key")), set()).add(event["sender"])
    return found


def _seen(event: Event, edits: Iterable[Event], reactions: Mapping[str, set[str]]) -> Seen:
    valid = [
        edit
        for edit in edits
        if edit["sender"] == event["sender"] and isinstance(edit["content"].get("m.new_content"), Mapping)
    ]
    valid.sort(key=lambda edit: (edit["origin_server_ts"], edit["event_id"]))
    content = valid[-1]["content"]["m.new_content"] if valid else event["content"]
    related = relation(event["content"])
    reply = related.get("m.in_reply_to")
    is_rich = content.get("format") == "org.matrix.custom.html"
    html = str(content.get("formatted_body", "")) if is_rich else None
    return Seen(
        id=event["event_id"],
        sender=event["sender"],
        text=plain(html) if html else str(content.get("body", "")),
        body=str(content.get("body", "")),
        html=html,
        kind=str(content.get("msgtype", "")),
        thread=str(related["event_id"]) if related.get("rel_type") == "m.thread" else None,
        reply_to=str(reply["event_id"])
        if isinstance(reply, Mapping) and not related.get("is_falling_back")
        else None,
        content=content,
        edit_ids=tuple(edit["event_id"] for edit in valid),
        reactions={key: frozenset(users) for key, users in reactions.items()},
    )
