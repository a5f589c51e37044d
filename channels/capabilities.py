"""What a channel can do at one address, as data. The core decides by these values, never by a channel's name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LatencyClass(StrEnum):
    """How soon a person expects the first visible text; targets stand in routing.budgets."""

    VOICE = "voice"
    SYNC = "sync"
    SEMI_SYNC = "semi-sync"
    ASYNC = "async"
    BATCH = "batch"


class Surface(StrEnum):
    """The kind of place at which a message was said and will be answered."""

    DIRECT = "direct"
    GROUP = "group"
    THREAD = "thread"
    COMMAND = "command"
    CALL = "call"
    EMAIL = "email"
    API = "api"
    JOB = "job"


class Streaming(StrEnum):
    """How a growing answer is shown.

    NONE: sent whole. BLOCK: whole paragraphs, each its own message. EDIT: one message, edited. NATIVE: the
    channel's own stream (ability `Streams`).
    """

    NONE = "none"
    BLOCK = "block"
    EDIT = "edit"
    NATIVE = "native"


class Markup(StrEnum):
    """What of the Markdown that `send` is given reaches a person: nothing but words, or styled text."""

    PLAIN = "plain"
    RICH = "rich"


class LengthUnit(StrEnum):
    """The unit in which a channel counts the length of one message."""

    CODE_POINTS = "code points"
    UTF16 = "utf-16 units"
    UTF8 = "utf-8 bytes"


class Operation(StrEnum):
    """A write that a channel's limits may count."""

    SEND = "send"
    EDIT = "edit"
    STREAM = "stream"
    TYPING = "typing"
    DELETE = "delete"


class SendKey(StrEnum):
    """What makes a repeated send safe. KEY: the channel dedupes by our key. READBACK: we can look. NONE: neither."""

    KEY = "key"
    READBACK = "readback"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class WriteBudget:
    """A token bucket that `operations` share: `rate` a second after a `burst`.

    `scope` names the bucket within one account ("chat:4711", "token"): equal scopes share one bucket.
    """

    scope: str
    operations: frozenset[Operation]
    rate: float
    burst: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What can be done at one address. Durations are seconds.

    `max_text` counts `unit`s of the Markdown handed to `send`. `typing_ttl` None: no typing indicator; else
    how long one typing call shows. `max_edits` (0: none is taken) and `edit_window` None: no limit.
    `preview`: a NATIVE stream is only a preview and `finish_stream` sends the message that stays.
    `stream_lifetime`: when the channel ends a stream by itself. `replaceable`: shown text can be taken back.
    `reactions`: people's reactions arrive. `signs`: the ability `Signs` is there.
    `durable`: an answer is still wanted after a restart. `notes`: the ability `ShowsNotes` is there.
    `raw`: a program reads it. The text is handed on as the model wrote it, in one message without pace: not cleaned,
    not repaired, not split at `max_text`, nothing put under it; the ability `Concludes` is told how it ended.
    """

    latency: LatencyClass
    streaming: Streaming
    markup: Markup = Markup.RICH
    max_text: int = 4000
    unit: LengthUnit = LengthUnit.CODE_POINTS
    budgets: tuple[WriteBudget, ...] = ()
    max_edits: int | None = None
    edit_window: float | None = None
    typing_ttl: float | None = None
    preview: bool = False
    stream_lifetime: float | None = None
    replaceable: bool = True
    durable: bool = True
    threads: bool = False
    reactions: bool = False
    signs: bool = False
    buttons: bool = False
    deletes: bool = False
    notes: bool = False
    raw: bool = False
    attachments_in: bool = False
    attachments_out: bool = False
    send_key: SendKey = SendKey.NONE
