"""The words in which channels.script speaks to channels.delivery. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from channels.capabilities import Operation
from channels.events import Action


class Kind(StrEnum):
    """The call that a step is."""

    SEND = "send"
    EDIT = "edit"
    START = "start"
    UPDATE = "update"
    CLOSE = "close"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for so many seconds; None: until there is more text. `or_text`: at most so many seconds."""

    seconds: float | None
    or_text: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """Nothing to do any more."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write, to the message `Script.shown[index]`.

    `end`: how far into the answer `text` reaches. `origin`: the answer's character that `text[0]` would be.
    `is_whole`: this message will not grow any more. `look_first`: an earlier try may have succeeded.
    `actions`: the buttons that it has afterwards. `is_status`: it reads a word that stands in for the answer.
    `is_trace`: it is sent only to learn the id of what may stand under its key already, which is then taken back.
    """

    kind: Kind
    operation: Operation
    index: int
    text: str = ""
    end: int = 0
    origin: int = 0
    delta: str | None = None
    is_whole: bool = False
    look_first: bool = False
    actions: tuple[Action, ...] = ()
    is_status: bool = False
    is_trace: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a reply.

    `text`: what a person sees, closing note included. `first_visible`: seconds from `since` to the first text on
    screen, None when nothing new was shown. `edits` counts edits and stream updates, `splits` messages beyond the
    first. `maybe_doubled`: sends that were repeated although the first try may have arrived.
    """

    message_ids: tuple[str, ...] = ()
    text: str = ""
    first_visible: float | None = None
    edits: int = 0
    splits: int = 0
    maybe_doubled: int = 0


Next = Step | Wait | End


@dataclass(slots=True)
class Shown:
    """A message of this reply, as far as we know. `part` is its number in the journal.

    `text` is what it was made to read, `end` how far into the answer that reaches. `stream`: it is an open native
    stream of that id. `is_sent`: somebody can see it. `is_old`: it reads an earlier answer, which stays until the
    new one is as long. `is_stale`: nobody knows for sure what it reads. `is_gone`: somebody deleted it. `is_frozen`:
    the channel lets nobody edit it. `pending`: the send whose outcome is not known. `tries`: how many of these,
    and of those to take it back. `actions`: the buttons under it.
    """

    part: int
    message_id: str = ""
    send_key: str = ""
    text: str = ""
    end: int = 0
    edits: int = 0
    since: float = 0.0
    stream: str | None = None
    is_sent: bool = False
    is_old: bool = False
    is_stale: bool = False
    is_gone: bool = False
    is_frozen: bool = False
    pending: Step | None = None
    tries: int = 0
    repairs: int = 0
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Abilities:
    """Which of the optional Protocols the channel has."""

    edits: bool = False
    deletes: bool = False
    streams: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What may stand of an earlier life. `text`: what a person could see of it, as far as known.

    `may_stand`: its first message may, though nobody noted that it was shown.
    """

    is_resumed: bool = False
    text: str = ""
    may_stand: bool = False
