"""What the server knows of one workspace: its app, people, channels, messages, and the record of calls."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.canary import canary

from . import text
from .limits import Meter
from .wire import ApiError

# ~5 minutes after the start, even while text is appended (slackapi/python-slack-sdk#1859, 2026).
STREAM_LIFE = 300.0
# assistant.threads.setStatus: "A two minute timeout applies".
STATUS_LIFE = 120.0


@dataclass(slots=True)
class Message:
    """A message in a channel. `markdown`: its source where it came as Markdown. `blocks`: those the sender gave.

    `state`: "" | in_progress | completed | errored | stopped (of a stream). `to`: the only person who sees it.
    `history`: (time.monotonic(), what a person read) of every state, oldest first.
    """

    ts: str
    user: str
    text: str = ""
    bot_id: str = ""
    subtype: str = ""
    thread_ts: str | None = None
    markdown: str | None = None
    blocks: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    edited: dict[str, str] | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    state: str = ""
    started: float = 0.0
    touched: float = 0.0
    to: str = ""
    broadcast: bool = False
    sent_at: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)
    pings: list[str] = field(default_factory=list)
    history: list[tuple[float, str]] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """What a person reads. With blocks the text is for notifications only (docs, chat.postMessage)."""
        lines = text.block_lines(self.blocks)
        if self.markdown is not None:
            return "\n".join([text.read_markdown(self.markdown), *lines])
        if self.blocks and lines:
            return "\n".join(lines)
        return text.unescape(self.text)

    def rouses(self) -> list[str]:
        """Whom it notifies now. The text beside blocks counts too: it is what a notification shows."""
        said = self.text if self.markdown is None else text.without_code(self.markdown)
        return [*text.pings(said), *text.block_pings(self.blocks)]


@dataclass(slots=True)
class Channel:
    """A conversation. `kind`: channel (public), group (private), im, mpim. `is_member`: the bot is in it."""

    id: str
    kind: str
    name: str = ""
    user: str = ""
    is_member: bool = True
    is_archived: bool = False
    members: set[str] = field(default_factory=set)
    messages: dict[str, Message] = field(default_factory=dict)
    deleted: list[Message] = field(default_factory=list)
    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    status_log: list[tuple[float, str, str]] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    prompts: dict[str, Any] = field(default_factory=dict)

    def thread(self, ts: str) -> list[Message]:
        """The replies below a message, oldest first."""
        return [m for m in self.messages.values() if m.thread_ts == ts and m.ts != ts and not m.to]


@dataclass(slots=True)
class Call:
    """One call as it arrived. Times are time.monotonic(), which all processes of the machine share."""

    seq: int
    at: float
    method: str
    channel: str
    args: dict[str, Any] | None
    token: str
    done: float = 0.0
    status: int = 0
    error: str = ""
    ts: str = ""
    retry_after: int = 0

    def json(self) -> dict[str, Any]:
        names = (
            "seq",
            "at",
            "done",
            "method",
            "channel",
            "args",
            "token",
            "status",
            "error",
            "ts",
            "retry_after",
        )
        found = {name: getattr(self, name) for name in names}
        found["ms"] = round((self.done - self.at) * 1000, 3) if self.done else None
        return found


@dataclass(slots=True)
class Fault:
    """What the next `times` calls of `method` meet. See control.py for the fields of `what`."""

    method: str
    times: int
    channel: str
    what: dict[str, Any]


@dataclass(slots=True)
class Settings:
    """What a test may set. Durations in seconds.

    `ack`: for an acknowledgement; `retries`: waits before each redelivery (docs, Events API: nearly at once, after
    1 and after 5 minutes); `delay`: before the first try of an event; `offline`: how long an event waits for a socket; `ping`: between the server's own pings;
    `stream_life` from the start, `stream_idle` without an append (0: no limit); `edit_window`: 0 is none;
    `echo`: the app sees its own messages; `events`: kinds that are subscribed, none given means all;
    `ticket`: how long a socket's address is good; `approximate`: told in hello.
    """

    ack: float = 3.0
    retries: list[float] = field(default_factory=lambda: [0.0, 60.0, 300.0])
    delay: float = 0.0
    offline: float = 3.0
    ping: float = 5.0
    stream_life: float = STREAM_LIFE
    stream_idle: float = 0.0
    edit_window: float = 0.0
    echo: bool = True
    events: list[str] = field(default_factory=list)
    ticket: float = 30.0
    approximate: int = 18_060
    scopes: list[str] = field(default_factory=list)
    http_url: str = ""
    update_text: int = 4_000
    file_limit: int = 0


ALL_SCOPES = (
    "app_mentions:read,assistant:write,channels:history,channels:read,chat:write,commands,files:read,groups:history,"
    "groups:read,im:history,im:read,im:write,mpim:history,mpim:read,reactions:read,reactions:write,users:read"
).split(",")


@dataclass(frozen=True, slots=True)
class Identity:
    """The names of one app in one workspace."""

    team: str
    app: str
    bot_user: str
    bot: str
    bot_token: str
    app_token: str
    signing_secret: str

    @classmethod
    def number(cls, number: int) -> Identity:
        return cls(
            team=f"T0PEER{number:04}",
            app=f"A0PEER{number:04}",
            bot_user=f"U0BOT{number:05}",
            bot=f"B0BOT{number:05}",
            bot_token=f"xoxb-peer-{number}-{canary('slackbot')}-of-the-fake-slack",
            app_token=f"xapp-peer-{number}-{canary('slackapp')}-of-the-fake-slack",
            signing_secret=f"signing-{number}-{canary('slacksigning')}-of-the-fake-slack",
        )

    def json(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__slots__}


class Workspace:
    """One workspace with the app installed."""

    def __init__(self, identity: Identity, base_url: str, *, limited: bool, lean: bool) -> None:
        self.identity = identity
        self.base_url = base_url
        self.lean = lean
        self.settings = Settings(scopes=list(ALL_SCOPES))
        self.meter = Meter(enabled=limited)
        self.offset = 0.0
        self.trouble: dict[str, str] = {}
        self.channels: dict[str, Channel] = {}
        self.people: dict[str, str] = {}
        self.files: dict[str, tuple[dict[str, Any], bytes]] = {}
        self.homes: dict[str, Any] = {}
        self.calls: deque[Call] = deque(maxlen=200_000)
        self.counts: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.pings: list[dict[str, str]] = []
        self.deliveries: list[Any] = []
        self.responses: dict[str, dict[str, Any]] = {}
        self.ephemeral: list[dict[str, Any]] = []
        self.watchers: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        self._last_ts = 0
        self._numbers = 0

    def now(self) -> float:
        """The workspace's clock, seconds since 1970; `advance` moves it."""
        return time.time() + self.offset

    def new_ts(self) -> str:
        """A message's ts: unique and growing."""
        self._last_ts = max(self._last_ts + 1, int(self.now() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06}"

    def new_id(self, prefix: str) -> str:
        self._numbers += 1
        return f"{prefix}{self._numbers:09}"

    def person(self, user: str, name: str = "") -> str:
        """A person of the workspace, made on first use."""
        if user != self.identity.bot_user and (name or user not in self.people):
            self.people[user] = name or f"person-{user.lower()}"
        return user

    def channel(self, channel_id: str, user: str = "") -> Channel:
        """The channel, made on first use by a person; the bot is in it."""
        found = self.channels.get(channel_id)
        if found is None:
            kind = {"D": "im", "G": "group"}.get(channel_id[:1], "channel")
            found = self.channels[channel_id] = Channel(channel_id, kind, name=channel_id.lower(), user=user)
        if user:
            self.person(user)
            found.members.add(user)
            if found.kind == "im" and not found.user:
                found.user = user
        return found

    def im_of(self, user: str) -> Channel:
        """The direct message with a person, opened on first use."""
        for channel in self.channels.values():
            if channel.kind == "im" and channel.user == user:
                return channel
        return self.channel(self.new_id("D0PEER"), user)

    def settle(self, channel: Channel, message: Message) -> None:
        """Note what can be read now, and whom it pings. A lean server notes nothing."""
        if self.lean:
            return
        message.history.append((time.monotonic(), message.shown))
        for ping in message.rouses() if message.bot_id == self.identity.bot else []:
            if ping not in message.pings:
                message.pings.append(ping)
                self.pings.append({"channel": channel.id, "ts": message.ts, "ping": ping})

    def changed(self) -> None:
        """Settle the waiting test conditions that hold now."""
        if not self.watchers:
            return
        left = []
        for condition, future in self.watchers:
            if future.done():
                continue
            found = condition()
            if found is None:
                left.append((condition, future))
            else:
                future.set_result(found)
        self.watchers = left

    def expire(self, message: Message) -> Message:
        """Close a stream whose time is over. What was appended stays."""
        if message.state != "in_progress":
            return message
        now, settings = self.now(), self.settings
        if now - message.started >= settings.stream_life or (
            settings.stream_idle and now - message.touched >= settings.stream_idle
        ):
            message.state = "errored"
        return message


def find_channel(workspace: Workspace, channel_id: str, *, write: bool = False) -> Channel:
    """The channel of a call. Raises ApiError as Slack does for one that the bot cannot reach.

    A private channel which the bot is not in does not exist for it; a public one does, but takes no post of it.
    """
    channel = workspace.channels.get(channel_id)
    if channel is None or (not channel.is_member and channel.kind != "channel"):
        raise ApiError("channel_not_found")
    if write and not channel.is_member:
        raise ApiError("not_in_channel")
    if write and channel.is_archived:
        raise ApiError("is_archived")
    return channel


def find_message(workspace: Workspace, channel: Channel, ts: str) -> Message:
    """Raises message_not_found. Ephemeral messages are nobody's to find."""
    message = channel.messages.get(ts)
    if message is None or message.to:
        raise ApiError("message_not_found")
    return workspace.expire(message)
