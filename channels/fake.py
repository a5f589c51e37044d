"""A channel without a network, for tests of everything above it. It enforces what its Capabilities declare.

Limits count, keys dedupe, edits need their message, streams end when their lifetime is over. Whatever a real
channel would punish (an edit that changes nothing, an empty message, a broken character) is noted in `violations`
or refused; a key that made a second message is noted in `repeated`. Faults are ordered by `fail_next`; every call is
recorded with its time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from channels.base import Host
from channels.capabilities import Capabilities, Operation, SendKey, Streaming, Surface, WriteBudget
from channels.errors import Gone, GoneWhat, RateLimited, Refused, TooLong
from channels.events import Action, Address, AnswerNote, ConversationKey, Message, Sender, Sent
from channels.fake_daemon import MemoryJournal
from channels.markup import is_blank
from channels.split import measure

OFFER_AGAIN = 0.05  # seconds until an event that found no room is offered again
_UNSPEAKABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(slots=True)
class FakeMessage:
    """One message as a person sees it. `states`: every text it has had, with the time."""

    id: str
    key: ConversationKey
    text: str
    send_key: str
    at: float
    states: list[tuple[float, str]] = field(default_factory=list)
    edits: int = 0
    is_deleted: bool = False
    note: AnswerNote | None = None
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One call that reached the fake; `error` is the class that it raised, "" for none."""

    at: float
    name: str
    text: str = ""
    message_id: str = ""
    error: str = ""


@dataclass(slots=True)
class _Stream:
    key: ConversationKey
    text: str
    joined: str
    began: float
    message: FakeMessage | None


@dataclass(slots=True)
class _Fault:
    error: BaseException
    is_late: bool


class FakeChannel:
    """One account. Abilities are there exactly when `capabilities` declares them; `edits` may be set by hand.

    `clock` is the event loop's time by default. `latency`: seconds that each call takes, half of them before it
    takes effect. `truncates_at`: longer messages are cut to so many characters, as some channels do without an error.
    `echoes`: `Sent.shown` is given.
    """

    def __init__(
        self,
        capabilities: Capabilities,
        *,
        host: Host | None = None,
        edits: bool | None = None,
        clock: Callable[[], float] | None = None,
        latency: float = 0.0,
        truncates_at: int | None = None,
        echoes: bool = False,
    ) -> None:
        self.declared = capabilities
        self.host = host
        self.latency = latency
        self.truncates_at = truncates_at
        self.echoes = echoes
        self.messages: list[FakeMessage] = []
        self.calls: list[Call] = []
        self.violations: list[str] = []
        self.repeated: list[str] = []
        self.in_flight: set[str] = set()
        self.signs: dict[str, list[str]] = {}
        self.timeline: list[tuple[float, str]] = []
        self.typing_until = 0.0
        self.gone: set[ConversationKey] = set()
        self._clock = clock
        self._faults: dict[str, list[_Fault]] = {}
        self._streams: dict[str, _Stream] = {}
        self._buckets: dict[str, tuple[float, float]] = {}
        self._unsure: set[str] = set()
        self._numbers = 0
        self._give_abilities(edits)

    @property
    def name(self) -> str:
        """The first part of its conversation keys."""
        return "fake"

    @property
    def account(self) -> str:
        """The second part."""
        return "main"

    def _give_abilities(self, edits: bool | None) -> None:  # noqa: FBT001 - None: as declared
        """Bind only what is declared, so that `isinstance(channel, Edits)` and the like tell the truth."""
        declared = self.declared
        streams = declared.streaming is Streaming.NATIVE
        abilities: dict[str, bool] = {
            "edit": (declared.streaming is Streaming.EDIT) if edits is None else edits,
            "delete": declared.deletes,
            "typing": declared.typing_ttl is not None,
            "start_stream": streams,
            "update_stream": streams,
            "finish_stream": streams,
            "read_back": declared.send_key is SendKey.READBACK,
            "show_note": declared.notes,
            "sign": declared.signs,
        }
        for ability, is_there in abilities.items():
            if is_there:
                setattr(self, ability, getattr(self, f"_{ability}"))

    # For tests.

    def now(self) -> float:
        """The time of this channel's limits."""
        return asyncio.get_running_loop().time() if self._clock is None else self._clock()

    def fail_next(self, call: str, *errors: BaseException, late: bool = False) -> None:
        """The next calls of that name ("send", "edit", "update_stream", ...) raise; `late`: after they took effect."""
        self._faults.setdefault(call, []).extend(_Fault(error, late) for error in errors)

    def visible(self, address: Address | None = None) -> list[str]:
        """What a person sees there: messages in order, then drafts."""
        key = None if address is None else address.key
        texts = [m.text for m in self.messages if not m.is_deleted and key in {None, m.key}]
        drafts = [s.text for s in self._streams.values() if s.message is None and key in {None, s.key}]
        return texts + drafts

    def is_typing(self) -> bool:
        """The indicator shows."""
        return self.now() < self.typing_until

    def delete_by_hand(self, message_id: str) -> None:
        """A person removes one of our messages."""
        self._message(message_id).is_deleted = True
        self._changed()

    def named(self, call: str) -> list[Call]:
        """The calls of that name that reached us."""
        return [made for made in self.calls if made.name == call]

    async def say(
        self, text: str, *, sender: str = "ann", space: str = "room", event_key: str = ""
    ) -> Message:
        """A person says something; it is offered until the host takes it. Raises RuntimeError without a host."""
        if self.host is None:
            raise RuntimeError("this fake channel was made without a host")
        number = self._number()
        key = ConversationKey(self.name, self.account, space)
        address = Address(key, Surface.DIRECT, reply_to=number)
        message = Message(event_key or number, number, address, Sender(sender), text, datetime.now(UTC))
        while True:
            if await self.host.accept(message):
                return message
            await asyncio.sleep(OFFER_AGAIN)

    # The contract.

    async def run(self) -> None:
        """Online at once; nothing arrives by itself; until cancelled."""
        if self.host is not None:
            self.host.online(is_online=True)
        await asyncio.get_running_loop().create_future()

    def capabilities(self, address: Address) -> Capabilities:
        """What was declared."""
        return self.declared

    async def send(
        self, address: Address, text: str, send_key: str, *, actions: Sequence[Action] | None = None
    ) -> Sent:
        """See channels.base."""
        self._check_actions(actions)
        async with self._call("send", Operation.SEND, address, text):
            self._check_text(text)
            message = self._known(address, send_key) or self._post(address, text, send_key)
            message.actions = tuple(actions or ())
        return self._sent(message)

    async def _edit(
        self, address: Address, message_id: str, text: str, *, actions: Sequence[Action] | None = None
    ) -> Sent:
        self._check_actions(actions)
        async with self._call("edit", Operation.EDIT, address, text, message_id):
            self._check_text(text)
            message = self._message(message_id)
            limit, window = self.declared.max_edits, self.declared.edit_window
            if limit is not None and message.edits >= limit:
                raise Refused("too_many_edits")
            if window is not None and self.now() > message.at + window:
                raise Refused("too_old")
            is_same = message.text == text and message.actions == tuple(actions or ())
            if is_same and message.id not in self._unsure:
                self.violations.append(f"edit of {message_id} changes nothing")
            message.edits += 1
            message.actions = tuple(actions or ())
            self._write(message, text)
        return self._sent(message)

    async def _delete(self, address: Address, message_id: str) -> None:
        async with self._call("delete", Operation.DELETE, address, "", message_id):
            for message in self.messages:
                if message.id == message_id:
                    message.is_deleted = True
            self._changed()

    async def _typing(self, address: Address, *, is_on: bool) -> None:
        async with self._call("typing", Operation.TYPING, address, "on" if is_on else "off"):
            self.typing_until = self.now() + (self.declared.typing_ttl or 0.0) if is_on else 0.0

    async def _start_stream(self, address: Address, text: str, send_key: str) -> str:
        async with self._call("start_stream", Operation.STREAM, address, text):
            self._check_text(text)
            message = None if self.declared.preview else self._known(address, send_key)
            if message is None and not self.declared.preview:
                message = self._post(address, text, send_key)
            stream_id = message.id if message is not None else f"draft-{self._number()}"
            self._streams[stream_id] = _Stream(address.key, text, text, self.now(), message)
            self._changed()
        return stream_id

    async def _update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        async with self._call("update_stream", Operation.STREAM, address, text, stream_id):
            self._check_text(text)
            self._extend(self._stream(stream_id), text, delta)

    async def _finish_stream(
        self,
        address: Address,
        stream_id: str,
        text: str,
        delta: str | None,
        send_key: str,
        *,
        actions: Sequence[Action] | None = None,
    ) -> Sent:
        self._check_actions(actions)
        operation = Operation.SEND if self.declared.preview else Operation.STREAM
        async with self._call("finish_stream", operation, address, text, stream_id):
            self._check_text(text)
            stream = self._stream(stream_id)
            self._extend(stream, text, delta)
            if not self.declared.replaceable and stream.joined != text:
                self.violations.append(f"the deltas of {stream_id} are not its last text")
            self._streams.pop(stream_id)
            message = stream.message or self._known(address, send_key) or self._post(address, text, send_key)
            message.actions = tuple(actions or ())
            self._changed()
        return self._sent(message)

    async def _read_back(self, address: Address, send_key: str) -> Sent | None:
        async with self._call("read_back", None, address):
            message = self._by_key(address, send_key)
        return None if message is None else self._sent(message)

    async def _show_note(self, address: Address, message_id: str, note: AnswerNote) -> None:
        async with self._call("show_note", None, address, "", message_id):
            self._message(message_id).note = note

    # How it keeps its rules.

    @asynccontextmanager
    async def _call(
        self, name: str, operation: Operation | None, address: Address, text: str = "", message_id: str = ""
    ) -> AsyncIterator[None]:
        """One call: on its way, limits and ordered faults, its effect, on its way back."""
        self.in_flight.add(name)
        try:
            if self.latency:
                await asyncio.sleep(self.latency / 2)
            with self._taking_effect(name, operation, address, text, message_id):
                yield
            if self.latency:
                await asyncio.sleep(self.latency / 2)
        finally:
            self.in_flight.discard(name)

    @contextmanager
    def _taking_effect(
        self, name: str, operation: Operation | None, address: Address, text: str, message_id: str
    ) -> Iterator[None]:
        faults = self._faults.get(name)
        fault = faults.pop(0) if faults else None
        error = ""
        try:
            if fault is not None and not fault.is_late:
                raise fault.error
            if address.key in self.gone:
                raise Gone(GoneWhat.CONVERSATION)
            self._count(operation)
            yield
            if fault is not None:
                self._unsure.add(message_id)  # whoever repeats this edit does right
                raise fault.error
            self._unsure.discard(message_id)
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            self.calls.append(Call(self.now(), name, text, message_id, error))

    def _count(self, operation: Operation | None) -> None:
        """Take a token from each bucket, or refuse with the time until there is one."""
        now = self.now()
        budgets = [b for b in self.declared.budgets if operation in b.operations]
        for budget in budgets:
            tokens, since = self._buckets.get(budget.scope, (float(budget.burst), now))
            tokens = min(float(budget.burst), tokens + (now - since) * budget.rate)
            self._buckets[budget.scope] = (tokens, now)
            if tokens < 1 - 1e-6:
                raise RateLimited((1 - tokens) / budget.rate, budget.scope)
        for budget in budgets:
            tokens, since = self._buckets[budget.scope]
            self._buckets[budget.scope] = (tokens - 1, since)

    def _check_actions(self, actions: Sequence[Action] | None) -> None:
        """Buttons are handed over exactly where they are declared."""
        if (actions is not None) != self.declared.buttons:
            self.violations.append("actions were given where no buttons are declared, or the other way round")

    def _check_text(self, text: str) -> None:
        if is_blank(text):
            self.violations.append("a blank text was sent")
            raise Refused("empty")
        if _UNSPEAKABLE.search(text):
            self.violations.append("a text with NUL or a lone surrogate was sent")
            raise Refused("bad_text")
        if measure(text, self.declared.unit) > self.declared.max_text:
            raise TooLong(f"{measure(text, self.declared.unit)} {self.declared.unit}")

    def _post(self, address: Address, text: str, send_key: str) -> FakeMessage:
        if send_key and self._by_key(address, send_key) is not None:
            self.repeated.append(send_key)
        for stream_id in [
            s for s, draft in self._streams.items() if draft.message is None and draft.key == address.key
        ]:
            del self._streams[stream_id]  # a message takes the preview away
        message = FakeMessage(self._number(), address.key, "", send_key, self.now())
        self.messages.append(message)
        self._write(message, text)
        self.typing_until = 0.0
        return message

    def _write(self, message: FakeMessage, text: str) -> None:
        message.text = text if self.truncates_at is None else text[: self.truncates_at]
        message.states.append((self.now(), message.text))
        self._changed()

    def _extend(self, stream: _Stream, text: str, delta: str | None) -> None:
        if delta is None and not self.declared.replaceable:
            self.violations.append("a text was replaced that cannot be")
        stream.joined = stream.joined + delta if delta is not None else text
        stream.text = text
        if stream.message is not None:
            self._write(stream.message, text)
        self._changed()

    def _stream(self, stream_id: str) -> _Stream:
        stream = self._streams.get(stream_id)
        lifetime = self.declared.stream_lifetime
        if stream is None or (lifetime is not None and self.now() > stream.began + lifetime):
            raise Refused("not_in_streaming_state")
        if stream.message is not None and stream.message.is_deleted:
            raise Gone(GoneWhat.MESSAGE)
        return stream

    async def _sign(self, address: Address, message_id: str, emoji: str) -> None:
        async with self._call("sign", None, address, emoji, message_id):
            there = self.signs.setdefault(message_id, [])
            if emoji not in there:
                there.append(emoji)

    def _message(self, message_id: str) -> FakeMessage:
        for message in self.messages:
            if message.id == message_id and not message.is_deleted:
                return message
        raise Gone(GoneWhat.MESSAGE)

    def _known(self, address: Address, send_key: str) -> FakeMessage | None:
        """What a channel that dedupes by key gives back instead of a second message."""
        return self._by_key(address, send_key) if self.declared.send_key is SendKey.KEY else None

    def _by_key(self, address: Address, send_key: str) -> FakeMessage | None:
        return next((m for m in self.messages if m.send_key == send_key and m.key == address.key), None)

    def _sent(self, message: FakeMessage) -> Sent:
        return Sent(message.id, message.text if self.echoes else None)

    def _changed(self) -> None:
        self.timeline.append((self.now(), "".join(self.visible())))

    def _number(self) -> str:
        self._numbers += 1
        return str(self._numbers)


def direct(space: str = "room") -> Address:
    """The address of a direct conversation of the fake channel."""
    return Address(ConversationKey("fake", "main", space), Surface.DIRECT)


def limited(rate: float, burst: int, scope: str = "chat") -> tuple[WriteBudget, ...]:
    """One budget that sends, edits and stream updates share."""
    return (WriteBudget(scope, frozenset({Operation.SEND, Operation.EDIT, Operation.STREAM}), rate, burst),)


__all__ = ["Call", "FakeChannel", "FakeMessage", "MemoryJournal", "direct", "limited"]
