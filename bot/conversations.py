"""The lasting state of conversations, kept close for those that are active. Bounded; the store is the truth."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.store.base import Conversation, HistoryRow, Store
from channels.events import ConversationKey

KEPT_CONVERSATIONS = 5_000
KEPT_LINES = 60
KEPT_CHARACTERS = 60_000
"""Of history per active conversation; a longer one is cut at its beginning."""

KEPT_ALTOGETHER = 60_000_000
"""Characters of history of all of them; those that were quiet longest are read again when they are next wanted."""

LINE = 300
"""Characters that a line counts besides its own: what its row, ids and times take (measured 2026-11)."""


@dataclass(slots=True)
class Tally:
    """What all conversations that are at hand weigh together."""

    weight: int = 0


@dataclass(slots=True)
class Talk:
    """One active conversation: what is stored of it, and its latest lines of the current session.

    `weight`: its characters, as LINE counts them; `tally` is told of every change until it is let go.
    """

    state: Conversation
    lines: list[HistoryRow] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    weight: int = 0

    def __post_init__(self) -> None:
        self._trim()

    def forget(self) -> None:
        """Nothing was said yet."""
        self.lines = []
        self._trim()

    def let_go(self) -> None:
        """It is not at hand any more, whoever still holds it."""
        self.tally.weight -= self.weight
        self.tally = Tally()

    def add(self, session: int, rows: Sequence[HistoryRow]) -> None:
        """Lines that were just said in a session; what ends after its session was left is only history."""
        if session != self.state.session:
            return
        self.lines.extend(rows)
        self._trim()

    def _trim(self) -> None:
        del self.lines[:-KEPT_LINES]
        size = sum(row.size for row in self.lines)
        while size > KEPT_CHARACTERS and len(self.lines) > 2:
            size -= self.lines.pop(0).size
        before, self.weight = self.weight, size + LINE * (len(self.lines) + 1)
        self.tally.weight += self.weight - before


class Conversations:
    """Reads a conversation once, then keeps it at hand while it is among the most recent."""

    def __init__(
        self, store: Store, kept: int = KEPT_CONVERSATIONS, altogether: int = KEPT_ALTOGETHER
    ) -> None:
        self._store = store
        self._kept = kept
        self._altogether = altogether
        self._talks: OrderedDict[str, Talk] = OrderedDict()
        self._tally = Tally()

    async def of(self, key: str, *, is_kept: bool) -> Talk:
        """As `get`; what is not kept begins afresh every time, without a look at the store."""
        return await self.get(key) if is_kept else Talk(Conversation(key))

    async def get(self, key: str) -> Talk:
        """The conversation, fresh where nothing is stored. A thread begins with the choices of its space."""
        talk = self._talks.get(key)
        if talk is None:
            state, lines = await self._store.opened(key, KEPT_LINES)
            if state.is_new:
                state = replace(state, choices=await self._choices_around(key))
            # Another task may have read it meanwhile; there is one Talk per key.
            talk = self._talks.get(key)
            if talk is None:
                talk = self._talks[key] = Talk(state, list(lines), self._tally)
        self._talks.move_to_end(key)
        while len(self._talks) > self._kept or (
            self._tally.weight > self._altogether and len(self._talks) > 1
        ):
            self.drop((next(iter(self._talks)),))
        return talk

    async def _choices_around(self, key: str) -> Mapping[str, str]:
        """What was chosen in the space of a thread; nothing for what is no thread."""
        where = ConversationKey.parse(key)
        if where.thread is None:
            return {}
        space = str(replace(where, thread=None))
        talk = self._talks.get(space)
        return talk.state.choices if talk is not None else (await self._store.conversation(space)).choices

    def at_hand(self, key: str) -> Talk | None:
        """The conversation if it is kept already; reads nothing."""
        return self._talks.get(key)

    def drop(self, keys: Iterable[str]) -> None:
        """Read these afresh when they are next wanted: the store holds something else now."""
        for key in keys:
            if (talk := self._talks.pop(key, None)) is not None:
                talk.let_go()

    async def choose(self, key: str, name: str, value: str | None) -> None:
        """Set a choice of this conversation, or unset it; durable when this returns."""
        talk = await self.get(key)
        choices = {**talk.state.choices}
        if value is None:
            choices.pop(name, None)
        else:
            choices[name] = value
        talk.state = replace(talk.state, choices=choices)
        await self._store.save_conversation(talk.state)

    async def new_session(self, key: str) -> None:
        """Begin afresh; what was said stays in the store."""
        talk = await self.get(key)
        talk.state = replace(talk.state, session=talk.state.session + 1)
        talk.forget()
        await self._store.save_conversation(talk.state)

    async def note_handle(self, key: str, handle: str) -> None:
        """Keep the latest handle, for sends that answer no message."""
        talk = await self.get(key)
        if handle and handle != talk.state.handle:
            talk.state = replace(talk.state, handle=handle)
            await self._store.save_conversation(talk.state)
