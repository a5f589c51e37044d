"""What parse and interact share: who the bot is, what was found, and fields that are checked before use. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from channels.events import Event

Json = dict[str, Any]
MAX_ID = 64


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is and how it answers: what payloads are read against.

    `threads_direct`, `threads_channel`: an answer to something outside a thread opens one under it; but not to one of
    `commands`, typed in a direct message: it is about the chat, not about itself.
    """

    account: str
    user: str
    bot: str = ""
    team: str = ""
    command: str = "/firstword"
    threads_direct: bool = True
    threads_channel: bool = True
    commands: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """What was learnt before: display names by id, and "channel:ts" -> thread of messages of ours."""

    names: Mapping[str, str] = field(default_factory=dict)
    threads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """Somebody opened a chat with the bot; `thread` is None in the chat that has no thread of its own."""

    channel: str
    thread: str | None
    user: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a payload holds. `dropped` says why there are no events.

    `is_follow_up`: the message would be addressed to the bot if it takes part in that thread. `response_url`: where
    a press or command can be answered for that person alone. `revoked`: the app was removed or its token revoked.
    `stopped`: channel and thread in which Slack's own stop button was used. `strangers`: ids whose names are not
    known yet.
    """

    events: tuple[Event, ...] = ()
    dropped: str = ""
    is_follow_up: bool = False
    opened: Opened | None = None
    response_url: str = ""
    revoked: str = ""
    stopped: tuple[str, str | None] | None = None
    strangers: tuple[str, ...] = ()


class Odd(Exception):
    """The payload has not the shape that Slack documents; the text names what is odd."""


def string(value: Any) -> str:
    """The value if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def an_object(value: Any, name: str) -> Json:
    """Raises Odd."""
    if not isinstance(value, dict):
        raise Odd(f"no_{name}")
    return value


def an_id(value: Any, name: str, most: int = MAX_ID) -> str:
    """A short string without odd characters. Raises Odd."""
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= most
        or not value.isascii()
        or not value.isprintable()
    ):
        raise Odd(f"no_{name}")
    return value


def first_id(*values: Any) -> str:
    """The first of these that is a short string without odd characters, else ""."""
    for value in values:
        try:
            return an_id(value, "id")
        except Odd:
            continue
    return ""


def a_ts(value: Any, name: str = "ts") -> str:
    """A message's id: seconds, a point and six digits."""
    found = an_id(value, name, 32)
    whole, point, rest = found.partition(".")
    if not (whole.isdigit() and len(whole) <= 11 and point and rest.isdigit()):
        raise Odd(f"no_{name}")
    return found


def thread_of(message: Json) -> str | None:
    """The thread that a message stands in, None outside one. Raises Odd."""
    value = message.get("thread_ts")
    return None if value is None else a_ts(value, "thread_ts")


def time_of(ts: str) -> datetime:
    """The time that a message's id is."""
    return datetime.fromtimestamp(float(ts), UTC)


def handle(user: str, team: str, url: str = "") -> str:
    """Address.handle: for whom a stream is meant, and where a command is answered."""
    parts = {"u": user, "t": team}
    if 0 < len(url) <= 1024:
        parts["r"] = url
    return json.dumps({name: value for name, value in parts.items() if value}, separators=(",", ":"))


def read_handle(handle: str) -> dict[str, str]:
    """What `Address.handle` holds: u user, t team, r response_url. Empty for anything else."""
    try:
        found = json.loads(handle) if handle else {}
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}
