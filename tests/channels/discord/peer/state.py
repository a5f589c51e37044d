"""What the server knows: people, guilds, channels, messages, bots. No I/O.

Ids are strings throughout, as they are on the wire.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .clock import Clock, Snowflakes
from .limits import Limiter
from .mentions import Mentioned

if TYPE_CHECKING:
    from .sessions import Session

TEXT, DM, PUBLIC_THREAD, PRIVATE_THREAD = 0, 1, 11, 12
THREADS = (10, PUBLIC_THREAD, PRIVATE_THREAD)

EPHEMERAL, LOADING, HAS_THREAD, VOICE, COMPONENTS_V2 = 64, 128, 32, 8192, 1 << 15

MAX_CALLS = 200_000


@dataclass(slots=True)
class Settings:
    """Seconds, and other figures that a test may change.

    Sources, unless said otherwise: Discord docs, "Gateway", "Receiving and Responding to Interactions" (2026-11).
    """

    heartbeat: float = 41.25
    ack_deadline: float = 3.0
    token_life: float = 900.0
    # Assumption: Discord does not say how long a session can be resumed; bots see minutes.
    session_life: float = 180.0
    # Documented as 5 s; off, so that a test may start a bot twice. An IDENTIFY too early gets op 9.
    identify_interval: float = 0.0
    max_concurrency: int = 1
    # IDENTIFYs in 24 hours; beyond them the token is reset (Discord docs, Gateway, Rate Limiting).
    session_starts: int = 1000
    shards: int = 1
    sharding_required: bool = False
    # "uniqueness in the past few minutes" (Discord docs, Create Message).
    nonce_window: float = 180.0
    old_after: float = 3600.0
    # Assumption: the figure behind error 30046 is not published.
    old_edits: int = 3
    attachment_life: float = 86_400.0
    max_file: int = 10 * 1024 * 1024
    daily_creates: int = 200
    via: bool = True


@dataclass(slots=True)
class User:
    """A person or a bot."""

    id: str
    username: str
    bot: bool = False


@dataclass(slots=True)
class Role:
    """A role; `permissions` as a number."""

    id: str
    name: str
    permissions: int = 0
    mentionable: bool = False


@dataclass(slots=True)
class Guild:
    """`members`: user id to role ids. `bots`: the accounts that are in it now."""

    id: str
    name: str
    owner_id: str
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    is_down: bool = False


@dataclass(slots=True)
class Attachment:
    """A file on the CDN."""

    id: str
    name: str
    mime: str
    data: bytes
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Message:
    """A message. `history`: (monotonic seconds, content) of every state it had, the first included."""

    id: str
    channel: Channel
    author: User
    content: str
    created: float
    type: int = 0
    flags: int = 0
    edited: float | None = None
    embeds: list[Any] = field(default_factory=list)
    components: list[Any] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    reference: dict[str, Any] | None = None
    mentioned: Mentioned = field(default_factory=Mentioned)
    pings: Mentioned = field(default_factory=Mentioned)
    allowed_mentions: Any = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    nonce: str | None = None
    history: list[tuple[float, str]] = field(default_factory=list)
    old_edits: int = 0
    interaction: Interaction | None = None
    # A person's id when only that person sees it.
    only_for: str | None = None
    thread: Channel | None = None
    is_deleted: bool = False


@dataclass(slots=True, eq=False)
class Channel:
    """A text channel, thread or DM. `denied`: names of permissions that the bots lack there.

    `recipients`: the two ids of a DM. `is_closed`: the person takes no DMs. `parent`: a thread's channel.
    """

    id: str
    type: int
    name: str = ""
    guild: Guild | None = None
    parent: Channel | None = None
    owner_id: str = ""
    recipients: tuple[str, ...] = ()
    messages: dict[str, Message] = field(default_factory=dict)
    deleted: list[Message] = field(default_factory=list)
    typing: list[tuple[str, float]] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    is_closed: bool = False
    is_archived: bool = False
    is_locked: bool = False
    created: float = 0.0

    @property
    def is_thread(self) -> bool:
        """Whether it hangs below a text channel."""
        return self.type in THREADS


@dataclass(slots=True, eq=False)
class Interaction:
    """A command, press or autocompletion. `state`: waiting, deferred, answered, failed (nobody acknowledged it)."""

    id: str
    token: str
    kind: int
    account: Account
    channel: Channel
    user: User
    created: float
    data: dict[str, Any]
    message: Message | None = None
    callback: int = 0
    acked: float | None = None
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    choices: list[Any] | None = None
    modal: dict[str, Any] | None = None


@dataclass(slots=True, eq=False)
class Account:
    """A bot: application and user have the same id. `granted`: the privileged intents that its owner switched on."""

    token: str
    user: User
    granted: set[str] = field(default_factory=lambda: {"presence", "members", "message_content"})
    is_revoked: bool = False
    # scope ("global" or a guild's id) -> (type, name) -> command
    commands: dict[str, dict[tuple[int, str], dict[str, Any]]] = field(default_factory=dict)
    creates: dict[tuple[str, int], int] = field(default_factory=dict)
    nonces: dict[str, tuple[float, Message]] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    identifies: list[tuple[float, int]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The user's and the application's id."""
        return self.user.id

    def count(self, what: str) -> None:
        """One more of it."""
        self.counts[what] = self.counts.get(what, 0) + 1


@dataclass(slots=True)
class Call:
    """One REST request as it came. `status` 0: not answered yet, -1: cut off, -2: hanging."""

    seq: int
    at: float
    since_previous: float | None
    bot: str | None
    name: str
    method: str
    route: str
    args: dict[str, str]
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    files: list[str]
    status: int = 0
    code: int | None = None
    result: str | None = None
    took: float | None = None


@dataclass(slots=True)
class Fault:
    """Trouble for the next calls of a route."""

    route: str
    times: int
    what: dict[str, Any]
    bot: str | None = None
    channel: str | None = None


class World:
    """Everything of one server; a reset makes a new one."""

    def __init__(self, tokens: list[str], *, lean: bool = False) -> None:
        self.clock = Clock()
        self.ids = Snowflakes(self.clock)
        self.settings = Settings()
        self.limiter = Limiter()
        self.lean = lean
        self.base_url = ""
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, tuple[Channel, Attachment]] = {}
        self.interactions: dict[str, Interaction] = {}
        self.interaction_tokens: dict[str, Interaction] = {}
        self.calls: deque[Call] = deque(maxlen=MAX_CALLS)
        self.call_count = 0
        self.route_counts: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.socket_faults: dict[str, Any] = {}
        self.watchers: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        self.ended = asyncio.Event()
        self.released = asyncio.Event()
        self.accounts: dict[str, Account] = {}
        for number, token in enumerate(tokens, 1):
            user = User(f"9100000000000000{number:02}", f"bot{number}", bot=True)
            self.users[user.id] = user
            self.accounts[token] = Account(token, user)

    def account(self, bot: str | None = None) -> Account:
        """By id or token; the first when none is named."""
        for account in self.accounts.values():
            if bot is None or bot in (account.id, account.token):
                return account
        raise KeyError(f"no bot {bot}")

    def bots_in(self, channel: Channel) -> list[Account]:
        """The bots that are told what happens there."""
        if channel.guild is None:
            return [account for account in self.accounts.values() if account.id in channel.recipients]
        if channel.guild.is_down or "VIEW_CHANNEL" in (channel.denied | (channel.parent or channel).denied):
            return []
        return [account for account in self.accounts.values() if account.id in channel.guild.members]

    def end(self) -> None:
        """Let go of all who wait or hang."""
        self.ended.set()
        self.released.set()
        for _, future in self.watchers:
            if not future.done():
                future.set_result(None)
        self.watchers = []

    def changed(self) -> None:
        """Look at what is being waited for."""
        if not self.watchers:
            return
        waiting = []
        for condition, future in self.watchers:
            if future.done():
                continue
            found = condition()
            if found is None:
                waiting.append((condition, future))
            else:
                future.set_result(found)
        self.watchers = waiting

    def new_token(self) -> str:
        """A token for an interaction."""
        return f"aW50ZXJhY3Rpb24.{secrets.token_urlsafe(48)}"
