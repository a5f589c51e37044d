"""The store's contract: what is kept, and when it is safe.

Methods that return an `asyncio.Future` hand the write over at once, in the order of the calls, and complete
when it is durable; nobody has to wait for them, and a failure that nobody waits for is logged. `add_message`,
`add_key` and `final` are written at once; the others may wait some milliseconds for company. `async` methods
return when they are durable or have read; a read shows every write that was handed over before it.
All raise StoreError (bot.errors) when the disk fails, and "overloaded ..." when too much waits to be written.
Times are seconds since the epoch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from bot.exchange import Exchange
from bot.store.money import Charge, Cost, Held, Spent
from channels.events import Message, Sent
from channels.journal import SentPart

T = TypeVar("T")


class Outcome(StrEnum):
    """How a turn ended. A row of the inbox is done in every one of these."""

    DONE = "done"
    STOPPED = "stopped"  # a person stopped it; what was visible stays, marked
    CUT = "cut"  # the model broke off after visible text; marked
    FAILED = "failed"  # nothing but an error note was shown
    WITHDRAWN = "withdrawn"  # the question was deleted or merged before anything was visible
    STALE = "stale"  # too old after a restart to be answered
    UNDELIVERABLE = "undeliverable"  # the conversation is gone


@dataclass(frozen=True, slots=True)
class PendingTurn:
    """A message whose turn had not ended when the process did.

    `attempts`: how often an answer was begun and neither ended nor was left in peace, so one crash each.
    `errors`: how often its showing failed. `text`: the visible text that was saved last. `is_final`: that text was
    the whole answer, only its last writing is unsure, so it is shown again without asking a model. `merged`: messages
    that were being answered together with it.
    """

    turn_id: str
    message: Message
    received_at: float
    attempts: int = 0
    errors: int = 0
    parts: tuple[SentPart, ...] = ()
    text: str = ""
    is_final: bool = False
    merged: tuple[PendingTurn, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of a conversation: what a person said, or what was visible of an answer.

    `speaker`: the person's display name, "" for the bot. `note`: an AnswerNote as plain values, or None.
    `exchange`: how the answer came about where tools were called or its provider left a memo; `text` is what people
    saw of it.
    """

    role: str
    text: str
    message_id: str
    at: float
    speaker: str = ""
    outcome: Outcome = Outcome.DONE
    turn_id: str = ""
    note: Mapping[str, Any] | None = None
    exchange: Exchange | None = None

    @property
    def size(self) -> int:
        """Its characters, about."""
        return len(self.text) + (self.exchange.size if self.exchange is not None else 0)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation's lasting state. `session` is raised by /new. `choices`: what people set ("model": "fast").

    `handle`: the latest address handle, for sends that answer no message. `is_new`: nothing was stored of it.
    """

    key: str
    session: int = 1
    choices: Mapping[str, str] = field(default_factory=dict)
    handle: str = ""
    is_new: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """The end of a turn, written in one transaction with history and inbox.

    `inbox_ids`: the turn ids of every message that this turn answered (merged ones included). `detail`:
    decision, attempts, usage, timings and cost as plain values, for /why, /status and the command line.
    `parts`: message ids that the answer stands in, in order. `sender`: whose turn it is, so whose lines these are.
    """

    turn_id: str
    key: str
    session: int
    inbox_ids: tuple[str, ...]
    outcome: Outcome
    history: tuple[HistoryRow, ...] = ()
    parts: tuple[str, ...] = ()
    model: str = ""
    cost_usd: float | None = None
    started_at: float = 0.0
    ended_at: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)
    sender: str = ""


class Store(Protocol):
    """One open store. One process writes at a time (bot.daemon holds the home's lock)."""

    def add_message(
        self, message: Message, turn_id: str, received_at: float, *, is_begun: bool = False
    ) -> asyncio.Future[bool]:
        """Keep a message with its turn (intent to answer) in one transaction. False: this event_key is known.

        `is_begun`: its answer is begun at once, which counts as an attempt.
        """

    def add_key(self, channel: str, account: str, event_key: str) -> asyncio.Future[bool]:
        """Remember the key of an event that has no row of its own. False: it is known."""

    def correct(
        self, channel: str, account: str, event_key: str, turn_id: str, text: str
    ) -> asyncio.Future[bool]:
        """A waiting message reads `text` now, and the event's key is kept. False: it is known, and nothing changes."""

    def join(self, turn_id: str, merged: Sequence[str]) -> asyncio.Future[None]:
        """A turn answers these messages too, and no others: they are answered together after a crash as well."""

    def part_sent(self, turn_id: str, part: int, send_key: str, sent: Sent) -> asyncio.Future[None]:
        """Part `part` stands as message `sent.id`."""

    def progress(self, turn_id: str, text: str) -> asyncio.Future[None]:
        """The visible text so far."""

    def final(self, turn_id: str, text: str) -> asyncio.Future[None]:
        """The whole answer, not yet known to be shown whole."""

    def finish_turn(self, record: TurnRecord) -> asyncio.Future[None]:
        """History, inbox rows and turn in one transaction. Doing it twice changes nothing."""

    def note_feedback(self, turn_id: str, name: str, value: str | None) -> asyncio.Future[None]:
        """Keep under detail["feedback"] what somebody said of an ended turn; None takes it back. `name`: a-z0-9_."""

    def begin(self, turn_id: str) -> asyncio.Future[None]:
        """Its answer is begun: one attempt more."""

    def rest(self, turn_id: str) -> asyncio.Future[None]:
        """Its answer was left on purpose and goes on later: this attempt does not count."""

    def note_error(self, turn_id: str, reason: str) -> asyncio.Future[None]:
        """The showing of its answer failed: one error more."""

    def bury(self, turn_id: str, reason: str, *, keeps_answer: bool) -> asyncio.Future[None]:
        """Set a waiting message aside as a dead letter. `keeps_answer`: a text that is known is kept for a retry."""

    async def pending(self) -> Sequence[PendingTurn]:
        """Turns to take up again, oldest first."""

    async def waiting(self, turn_id: str) -> PendingTurn | None:
        """The same of one turn, None when it waits no more."""

    async def conversation(self, key: str) -> Conversation:
        """Its state; a fresh one (session 1, nothing chosen) where nothing is stored."""

    async def opened(self, key: str, limit: int) -> tuple[Conversation, Sequence[HistoryRow]]:
        """Its state and the last `limit` lines of its session, in one look at the store."""

    def save_conversation(self, conversation: Conversation) -> asyncio.Future[None]:
        """Keep its state."""

    async def history(self, key: str, session: int, limit: int) -> Sequence[HistoryRow]:
        """The last `limit` lines of a session, oldest first."""

    async def turns(self, key: str | None, limit: int) -> Sequence[TurnRecord]:
        """The last ended turns, of one conversation or of all, newest first (their `history` left empty)."""

    async def take_up_spending(self, day: int, month_began: int) -> Spent:
        """What was spent before this start. `day`, `month_began`: days since 1970. Once, before anything is charged."""

    def hold(self, held: Held) -> asyncio.Future[None]:
        """A request begins that may cost so much. Rides along with the next write; nobody should wait for it."""

    def charge(self, charge: Charge) -> asyncio.Future[None]:
        """A request cost so much. Rides along with the next write; nobody should wait for it."""

    async def costs(self, since: int, conversation: str | None = None) -> Sequence[Cost]:
        """What models cost from the day `since` on, all that was handed over before included; see Cost."""

    async def said_since(self, since: float) -> Sequence[tuple[str, str, str, str, int]]:
        """Who wrote where since then: channel, account, sender, conversation, messages. Of the newest 20,000."""

    async def cursor(self, channel: str, account: str, name: str) -> str | None:
        """A stored cursor."""

    def set_cursor(self, channel: str, account: str, name: str, value: str) -> asyncio.Future[None]:
        """Store a cursor."""

    async def choices(self, scope: str) -> Mapping[str, str]:
        """What was set for a scope ("global", "account:telegram:main")."""

    def set_choice(self, scope: str, name: str, value: str | None) -> asyncio.Future[None]:
        """Set or, with None, unset a choice of a scope."""

    def call(self, work: Callable[[Any], T]) -> asyncio.Future[T]:
        """What `work` (a function of bot.store) returns, done in a transaction after all that was handed over."""

    async def close(self) -> None:
        """Write what was handed over, then close."""
