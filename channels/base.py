"""The contract between the daemon and a channel: one small required interface, many tiny optional ones.

An adapter is one channel's code; an instance of `Channel` is one account of it. What it can do at an address
is said by `capabilities(address)`, and each ability that is declared there has its Protocol here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from channels.capabilities import Capabilities, Surface
from channels.commands import CommandSpec
from channels.events import Action, Address, AnswerNote, ConversationKey, Event, Sent
from channels.programs import Conclusion, RouteTaken


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One visible line of a conversation, for a channel that shows its own transcript.

    `role` is "user" or "assistant"; `outcome` is "done", "stopped", "cut" or "failed".
    """

    role: str
    text: str
    message_id: str
    at: float
    outcome: str = "done"
    note: AnswerNote | None = None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that a person may pick: `ref` is what `/model` takes.

    `hint`: a line for a person who is about to use it ("This is a stand-in; connect a model by ..."), or "".
    """

    ref: str
    title: str
    aliases: tuple[str, ...] = ()
    is_current: bool = False
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Vectors:
    """One vector of unit length for each text, in order. `model`: who made them. `tokens`: of the texts, estimated."""

    model: str
    rows: Sequence[Sequence[float]]
    tokens: int


class Host(Protocol):
    """What an adapter may ask of the daemon. One Host belongs to one account of one channel."""

    @property
    def folder(self) -> Path:
        """A folder of this account's own, mode 0700, made on first use.

        What people typed stands in no other file of it than `history`, which goes when one of them is forgotten.
        """

    async def accept(self, event: Event) -> bool:
        """Take an event over. True: it is durable, or dropped on purpose; confirm it to the platform now.

        That too much is at hand is said in the answer's place: to people in words, to a program by `conclude`
        (Failure.LIMITED). False: not now, as the daemon ends or its disk takes nothing; do not confirm it, offer it
        again later. Events of one conversation are answered in the order in which `accept` was entered. Never raises
        for bad content.
        """

    def refusal(self, event: Event) -> str | None:
        """Whether `accept` would let the event take effect: None if so. No effect of its own.

        Otherwise a plain line to show to that person alone, "" for none. For a channel that has to answer
        by itself (a native command, an invitation); what was refused is not handed to `accept`.
        """

    async def cursor(self, name: str) -> str | None:
        """The stored cursor (an offset, a sync token) of that name, or None."""

    async def set_cursor(self, name: str, value: str) -> None:
        """Store a cursor; durable when this returns."""

    async def history(self, key: ConversationKey, limit: int = 50) -> Sequence[HistoryLine]:
        """The last visible lines of the conversation's current session, oldest first."""

    def commands(self) -> Sequence[CommandSpec]:
        """The commands of this daemon, for native menus and completion."""

    async def models(self, key: ConversationKey) -> Sequence[ModelChoice]:
        """What `/model` takes in this conversation; aliases first."""

    async def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts by a model that makes them. Has its own deadline.

        Raises Refused ("unknown_model": nobody is called that or makes vectors; "refused": it does not take these
        texts), TooLong, RateLimited and Unavailable.
        """

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        """The bytes at a public http or https address that a person or a platform named; nothing of ours goes along.

        Raises TooLong beyond `max_bytes`, Gone where there is nothing, Refused for what may not be asked (an address
        inside a network), Unavailable for the rest. Has its own deadline. A file that needs a key of the account's is
        fetched by the adapter itself.
        """

    def signal(self, name: str, value: float = 1.0) -> None:
        """Count something for the metrics; `name` comes from a closed set (bot/README.md, Metrics)."""

    def online(self, *, is_online: bool, reason: str = "") -> None:
        """Say that the account is connected, or why it is not. `reason` holds no secret."""

    def heard(self) -> None:
        """The connection gave a sign of life: a frame, a heartbeat, a poll that came back, with or without news.

        Cheap enough for each. From the first one on the daemon counts: an account that is online and not heard for
        `ChannelSpec.silence` seconds is cancelled and run anew.
        """


class Channel(Protocol):
    """One account of one channel. Only channels.delivery calls what a person can see."""

    @property
    def name(self) -> str:
        """The adapter's name, the first part of its conversation keys."""

    @property
    def account(self) -> str:
        """The account's name in the settings, the second part of its conversation keys."""

    async def run(self) -> None:
        """Connect, receive, hand events to the host, reconnect; until cancelled.

        Raises NotAuthorized when the account can never work with its settings; everything passing it
        retries by itself. It may be run again after it has ended: what an earlier run still tells the host then is
        not heard.
        """

    def capabilities(self, address: Address) -> Capabilities:
        """What can be done there. Cheap, no I/O; may change as limits are learnt."""

    async def send(self, address: Address, text: str, send_key: str) -> Sent:
        """Show `text` (Markdown, never empty, within `max_text`) as a new message.

        `send_key` is the same for every try of the same part; a channel with SendKey.KEY shows it once.
        Raises ChannelError. Has its own deadline.
        """


@runtime_checkable
class Edits(Protocol):
    """Streaming.EDIT, and repair of what is shown."""

    async def edit(self, address: Address, message_id: str, text: str) -> Sent:
        """Make the message read `text` (whole, Markdown). Editing to the same text succeeds."""


@runtime_checkable
class Deletes(Protocol):
    """Capabilities.deletes."""

    async def delete(self, address: Address, message_id: str) -> None:
        """Remove our own message; one that is gone already is no error."""


@runtime_checkable
class Typing(Protocol):
    """Capabilities.typing_ttl."""

    async def typing(self, address: Address, *, is_on: bool) -> None:
        """Show that an answer is on its way for `typing_ttl` seconds; `is_on` False hides it, where possible."""


@runtime_checkable
class Streams(Protocol):
    """Streaming.NATIVE. `text` is always the whole part so far, `delta` what is new since the last call.

    `delta` is None when the text was replaced rather than extended (only where `replaceable`).
    """

    async def start_stream(self, address: Address, text: str, send_key: str) -> str:
        """Open a stream with its first text; returns its id. Where it is no preview, the id is a message id."""

    async def update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        """Show more."""

    async def finish_stream(
        self, address: Address, stream_id: str, text: str, delta: str | None, send_key: str
    ) -> Sent:
        """Show the last text and close the stream. With `preview` this sends the message that stays."""


@runtime_checkable
class RegistersCommands(Protocol):
    """A channel with a native command menu.

    The adapter calls it itself, once it is signed in, with the host's commands; a menu that cannot be set is only
    logged, as typed commands work without it.
    """

    async def register_commands(self, commands: Sequence[CommandSpec]) -> None:
        """Make the menu show these; does nothing when they are registered already."""


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP route that a channel wants served.

    `handler` takes and returns aiohttp.web objects. `is_public`: on the webhook listener, and then the
    channel verifies every request itself before it reads the body.
    """

    method: str
    path: str
    handler: Callable[[Any], Awaitable[Any]]
    is_public: bool = False


@runtime_checkable
class Routes(Protocol):
    """A channel that is reached over HTTP."""

    def routes(self) -> Sequence[Route]:
        """The routes to serve while `run` is running."""


@runtime_checkable
class ReadsBack(Protocol):
    """SendKey.READBACK."""

    async def read_back(self, address: Address, send_key: str) -> Sent | None:
        """The message that was sent with this key, or None."""


@runtime_checkable
class OpensAttachments(Protocol):
    """Capabilities.attachments_in."""

    async def open_attachment(self, ref: str, max_bytes: int) -> bytes:
        """The bytes of an attachment. Raises TooLong beyond `max_bytes`, Gone when it expired."""


@runtime_checkable
class Signs(Protocol):
    """Capabilities.signs."""

    async def sign(self, address: Address, message_id: str, emoji: str) -> None:
        """Put a reaction of our own on somebody's message; one that is there already is no error.

        `emoji` is one character that every channel with reactions has (U+1F440, eyes, is one). Raises ChannelError.
        """


class ShowsButtons(Protocol):
    """Capabilities.buttons: messages carry their buttons, so that these cost no write of their own.

    `send`, `edit` and, of a channel that Streams, `finish_stream` take `actions` where the capability is declared
    and only there; an empty sequence takes the buttons of a message away. A press comes back as `Pressed`.
    """

    async def send(
        self, address: Address, text: str, send_key: str, *, actions: Sequence[Action] = ()
    ) -> Sent:
        """As Channel.send, with buttons under the message."""

    async def edit(
        self, address: Address, message_id: str, text: str, *, actions: Sequence[Action] = ()
    ) -> Sent:
        """As Edits.edit; the message has these buttons afterwards. `text` may be what it reads already."""


class StreamsButtons(Protocol):
    """Capabilities.buttons of a channel that Streams."""

    async def finish_stream(
        self,
        address: Address,
        stream_id: str,
        text: str,
        delta: str | None,
        send_key: str,
        *,
        actions: Sequence[Action] = (),
    ) -> Sent:
        """As Streams.finish_stream, with buttons under the message that stays."""


@runtime_checkable
class ShowsNotes(Protocol):
    """Capabilities.notes."""

    async def show_note(self, address: Address, message_id: str, note: AnswerNote) -> None:
        """Show the small line under an answer."""


@runtime_checkable
class Concludes(Protocol):
    """Capabilities.raw: programs are told what people read between the lines."""

    async def announce(self, address: Address, route: RouteTaken) -> None:
        """Who is about to speak; comes before the first text, or not at all. Shows nothing by itself."""

    async def conclude(self, address: Address, conclusion: Conclusion) -> None:
        """The answer is over, with or without text; always the last call for an answer."""


class Level(StrEnum):
    """How a finding of a probe is meant."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a probe for the owner: what is so, and what to do about it. Holds no secret."""

    level: Level
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """What an entry point of the group `firstword.channels` names. Importing it imports no SDK.

    `settings` describes one account. `open` makes the Channel (imports the SDK, makes no connection).
    `environment` maps an environment variable to the settings field that it fills for the account "main"
    ("TELEGRAM_BOT_TOKEN": "token"): when it is set the channel is enabled. `is_local`: whoever reaches it is
    the owner of this machine. `is_default`: on unless switched off. `is_foreground`: runs only in a command
    that asks for it, never in the daemon. `extra`: the optional dependency set it needs.
    `id_pattern`: what an immutable id of a person or group looks like (None: anything), `id_hint` in words.
    `proofs`: the secrets of the settings (dotted fields) with which others prove to us who they are; each is used for
    nothing else.
    `mark`: what a typed command begins with where people's apps keep "/" to themselves.
    `surfaces`: the kinds of place where people meet it. `probe` looks whether an account can work with its
    settings: token, rights, reachability, over a short-lived connection of its own; done within 10 seconds,
    raises nothing. `silence`: the longest time, in seconds, that a connection of `run` which is well says nothing,
    heartbeats included, well above the adapter's own deadline for it; None: it has no connection of its own.
    `manifest`: the text of the application manifest that the platform wants, made of the
    commands.
    """

    name: str
    title: str
    settings: type[BaseModel]
    open: Callable[[str, Any, Host], Channel]
    extra: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    is_local: bool = False
    is_default: bool = False
    is_foreground: bool = False
    id_pattern: str | None = None
    id_hint: str = ""
    proofs: Sequence[str] = ()
    mark: str = "/"
    surfaces: tuple[Surface, ...] = (Surface.DIRECT,)
    probe: Callable[[str, Any], Awaitable[Sequence[Finding]]] | None = None
    manifest: Callable[[Sequence[CommandSpec]], str] | None = None
    silence: float | None = None
