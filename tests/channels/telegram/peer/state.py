"""What the server knows: bots, chats, messages, drafts, waiting updates, and the record of calls."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from .flood import Flood, Limits
from .wire import ApiError, bad

# Bot API docs, getUpdates: updates are kept for 24 hours.
UPDATE_LIFE = 86_400.0
# tdlib/telegram-bot-api, Client.cpp add_new_callback_query: a press is offered for 150 s.
PRESS_LIFE = 150.0
# Bot API docs, sendMessageDraft: "a temporary 30-second preview".
DRAFT_LIFE = 30.0
# Bot API docs, Update: chat_member, message_reaction and message_reaction_count only when asked for.
ON_REQUEST = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(slots=True)
class Message:
    """A message in a chat. `history`: (monotonic time, text) of every state, oldest first."""

    id: int
    sender: dict[str, Any]
    text: str
    entities: list[dict[str, Any]]
    date: int
    reply_to: int | None = None
    thread: int | None = None
    markup: Any = None
    edit_date: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    rich: dict[str, Any] | None = None
    history: list[tuple[float, str]] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """The preview at the end of a private chat. `is_stopped`: its button was pressed."""

    id: int
    text: str
    entities: list[dict[str, Any]]
    at: float
    can_stop: bool = False
    is_rich: bool = False
    is_stopped: bool = False


@dataclass(slots=True)
class Chat:
    """A chat as the server sees it. `trouble`: why nobody can be written to there ("blocked", "kicked", ...)."""

    id: int
    type: str
    title: str = ""
    is_forum: bool = False
    is_admin: bool = False
    trouble: str = ""
    migrated_to: int | None = None
    closed_threads: set[int] = field(default_factory=set)
    threads: set[int] = field(default_factory=set)
    messages: dict[int, Message] = field(default_factory=dict)
    drafts: dict[int, Draft] = field(default_factory=dict)
    draft_log: list[tuple[float, int, str]] = field(default_factory=list)
    actions: list[tuple[float, str]] = field(default_factory=list)
    reactions: list[tuple[int, Any]] = field(default_factory=list)
    last_id: int = 0
    garble: int = 0

    @property
    def is_group(self) -> bool:
        return self.type != "private"

    def json(self) -> dict[str, Any]:
        """The Chat object of the Bot API."""
        found: dict[str, Any] = {"id": self.id, "type": self.type}
        if self.type == "private":
            found["first_name"] = self.title or f"Person {self.id}"
        else:
            found["title"] = self.title or f"Group {self.id}"
        if self.is_forum:
            found["is_forum"] = True
        return found


@dataclass(slots=True)
class Update:
    """One waiting update, serialised once."""

    id: int
    kind: str
    chat: int
    body: bytes
    expires: float


@dataclass(slots=True)
class Call:
    """One call as it arrived. Times are time.monotonic(), which all processes of the machine share."""

    seq: int
    at: float
    method: str
    chat: int | None
    args: dict[str, Any] | None
    content_type: str
    done: float = 0.0
    status: int = 0
    error: str = ""
    result: int | None = None

    def json(self) -> dict[str, Any]:
        names = ("seq", "at", "done", "method", "chat", "status", "error", "result", "content_type", "args")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Fault:
    """What the next `times` calls of `method` meet. See control.py for the fields."""

    method: str
    times: int
    chat: int | None
    what: dict[str, Any]


class Bot:
    """One token's account."""

    def __init__(self, token: str, limits: Limits, *, lean: bool) -> None:
        self.token = token
        self.id = int(token.partition(":")[0])
        self.user = {
            "id": self.id,
            "is_bot": True,
            "first_name": "Firstword",
            "username": f"firstword_{self.id}_bot",
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }
        self.lean = lean
        self.limits = limits
        self.flood = Flood(limits)
        self.chats: dict[int, Chat] = {}
        self.updates: deque[Update] = deque()
        self.next_update = 100_000
        self.confirmed = 0
        self.allowed: list[str] = []
        self.private_id = 0
        self.files: dict[str, tuple[str, bytes, int]] = {}
        self.presses: dict[str, float] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.commands: dict[str, Any] = {}
        self.calls: deque[Call] = deque(maxlen=500_000)
        self.counts: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.revoked = False
        self.press_life = PRESS_LIFE
        # A Bot API server without rich messages is one from before 10.1.
        self.has_rich = True
        self.is_held = False
        self.on_update: list[Callable[[], None]] = []
        self.watchers: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    def chat(self, chat_id: int) -> Chat:
        """The chat, made on first use by a person (never by a call of the bot)."""
        found = self.chats.get(chat_id)
        if found is None:
            kind = "private" if chat_id > 0 else "supergroup" if chat_id <= -1_000_000_000_000 else "group"
            found = self.chats[chat_id] = Chat(chat_id, kind)
        return found

    def new_id(self, chat: Chat) -> int:
        """Message ids count per supergroup; private chats and basic groups of a bot share one row of them."""
        if chat.type in ("supergroup", "channel"):
            chat.last_id += 1
            return chat.last_id
        self.private_id += 1
        return self.private_id

    def add_update(self, kind: str, payload: Any, chat: int = 0, *, update_id: int | None = None) -> int:
        """Queue an update if the bot wants its kind; returns its id (0 when it was not wanted)."""
        if self.allowed and kind not in self.allowed:
            return 0
        if not self.allowed and kind in ON_REQUEST:
            return 0
        if update_id is None:
            update_id = self.next_update
        self.next_update = max(self.next_update, update_id + 1)
        body = orjson.dumps({"update_id": update_id, kind: payload})
        self.queue(Update(update_id, kind, chat, body, self._life(kind)))
        return update_id

    @staticmethod
    def _life(kind: str) -> float:
        return time.monotonic() + (PRESS_LIFE if kind == "callback_query" else UPDATE_LIFE)

    def queue(self, update: Update) -> None:
        self.updates.append(update)
        for wake in self.on_update:
            wake()

    def press_is_known(self, press_id: str) -> bool:
        offered = self.presses.get(press_id)
        # Bot API: an old or unknown query answers 400; clients wait about 15 s, the server keeps it longer.
        return offered is not None and time.monotonic() - offered < self.press_life

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

    def message_json(self, chat: Chat, message: Message) -> dict[str, Any]:
        """The Message object of the Bot API. `date` is in whole seconds."""
        found: dict[str, Any] = {
            "message_id": message.id,
            "from": message.sender,
            "chat": chat.json(),
            "date": message.date,
            "text": message.text,
        }
        if message.rich is not None:
            del found["text"]
            found["rich_message"] = message.rich
        if message.entities:
            found["entities"] = message.entities
        if message.edit_date is not None:
            found["edit_date"] = message.edit_date
        if message.thread is not None:
            found["message_thread_id"] = message.thread
            if chat.is_forum:
                found["is_topic_message"] = True
        if message.reply_to is not None and (parent := chat.messages.get(message.reply_to)) is not None:
            found["reply_to_message"] = {
                key: value
                for key, value in self.message_json(chat, parent).items()
                if key != "reply_to_message"
            }
        if message.markup is not None:
            found["reply_markup"] = message.markup
        if message.extra:
            found.update(message.extra)
            if not message.text:
                del found["text"]
        return found


# The texts stand in tdlib/telegram-bot-api, Client.cpp (fail_query_with_error and check_chat_access).
_TROUBLE = {
    "blocked": ApiError(403, "Forbidden: bot was blocked by the user"),
    "deactivated": ApiError(403, "Forbidden: user is deactivated"),
    "not_started": ApiError(403, "Forbidden: bot can't initiate conversation with a user"),
    "not_member": ApiError(403, "Forbidden: bot is not a member of the supergroup chat"),
    "no_rights": bad("not enough rights to send text messages to the chat"),
}


def find_chat(bot: Bot, chat_id: Any) -> Chat:
    """The chat of a call. Raises ApiError as the server does for one that it does not know."""
    try:
        number = int(chat_id)
    except (TypeError, ValueError):
        raise bad("chat_id is empty" if chat_id in (None, "") else "chat not found") from None
    chat = bot.chats.get(number)
    if chat is None:
        raise bad("chat not found")
    return chat


def writable_chat(bot: Bot, chat_id: Any) -> Chat:
    """The same for a call that writes."""
    chat = find_chat(bot, chat_id)
    if chat.migrated_to is not None:
        raise bad("group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to)
    if chat.trouble == "kicked":
        raise ApiError(403, f"Forbidden: bot was kicked from the {chat.type} chat")
    if chat.trouble:
        raise _TROUBLE[chat.trouble]
    return chat
