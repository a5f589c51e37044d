"""Order: per conversation one lane of turns, and beside it commands that never wait for a running answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from bot.accounts import Account
from bot.interrupt import Interrupt, StopReason
from bot.shedding import Most, is_shed
from channels.capabilities import LatencyClass
from channels.commands import Role
from channels.delivery import Reply
from channels.events import Message
from channels.journal import SentPart

LANE_LIMIT = 20
"""Messages that may wait in one conversation (the reliability figures of 2026-11)."""

RESUMED_AT_ONCE, RESUMED_EVERY = 4, 0.02
"""Conversations that a start takes up again: so many in so many seconds. 200 a second are what a core answers."""

MERGE_WINDOW = 1.5
MAX_MERGES = 2


_NOBODYS = frozenset({StopReason.DUPLICATE, StopReason.UNSTORED})


class Mode(StrEnum):
    """What a message does that comes while an answer runs."""

    QUEUE = "queue"  # waits its turn
    COLLECT = "collect"  # waits, and is answered together with the others that wait
    INTERRUPT = "interrupt"  # ends the running answer
    STEER = "steer"  # the running answer begins again with both


@dataclass(slots=True, eq=False, weakref_slot=True)
class Turn:
    """One message on its way to one answer.

    `committed`: done when the message is durable, False for a duplicate. `accepted_at`: the clock at which it
    arrived; `received_at`: the wall time. `merged`: later messages that this turn answers too. `is_closing`: it
    takes no more of them. `orphans`: merged ones that go back to their lane. `is_command`: answered beside the
    lane. `session` and `started_at`: the conversation's session and the wall time when the turn began. `consent`:
    it allows or forbids the calls that wait; `has_acted`: it called something that changes the world. `has_begun`:
    this attempt at it is counted; `counted` completes where that is kept apart from the message. `is_pausing`: it
    waits to be tried again. `burial`: why its message is set aside once `say` is shown. `is_resumed` and what
    follows: from an earlier life of the process, or an earlier try.
    `role`: of who said it, on arrival. `crashes`: how often the process ended while this was at work. `is_loose`:
    nobody said anything, and what we say is written down nowhere before it is shown. `stage`, `steps`: where it
    stands and how often something moved, `patience`: seconds that its models may be silent. `size`: bytes of its
    text when it began to wait. `may_stand`: some of the answer may, though no note of it was kept. `is_stopped`: a
    person stopped it between two tries. `out_of`: turns that it was merged into and given back by, which may have
    called something for it.
    """

    turn_id: str
    message: Message
    account: Account
    committed: asyncio.Future[bool]
    accepted_at: float
    received_at: float
    role: Role
    is_command: bool = False
    one_shot: str | None = None
    is_retry: bool = False
    consent: bool | None = None
    has_acted: bool = False
    has_begun: bool = False
    counted: asyncio.Future[None] | None = None
    is_pausing: bool = False
    is_stopped: bool = False
    burial: str = ""
    merged: list[Turn] = field(default_factory=list)
    merges: int = 0
    is_closing: bool = False
    orphans: list[Turn] = field(default_factory=list)
    out_of: tuple[str, ...] = ()
    interrupt: Interrupt = field(default_factory=Interrupt)
    reply: Reply | None = None
    say: str | None = None
    session: int = 0
    started_at: float = 0.0
    is_resumed: bool = False
    crashes: int = 0
    may_stand: bool = False
    resumed: tuple[SentPart, ...] = ()
    resumed_text: str = ""
    is_final: bool = False
    is_loose: bool = False
    size: int = 0
    stage: str = "opening"
    steps: int = 0
    patience: float = 0.0

    @property
    def is_owner(self) -> bool:
        """Whether an owner said it."""
        return self.role is Role.OWNER

    @property
    def is_press(self) -> bool:
        """Whether it was said by a button, which shows by itself that it was taken."""
        return self.message.is_press

    @property
    def key(self) -> str:
        """The conversation's key as text."""
        return str(self.message.address.key)

    @property
    def merged_ids(self) -> list[str]:
        """The turn ids of the messages that were merged into it."""
        return [each.turn_id for each in self.merged]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """(speaker, text) of every message that this turn answers."""
        return [(turn.message.sender.name, turn.message.text) for turn in (self, *self.merged)]

    @property
    def is_turned_away(self) -> bool:
        """Whether it is a program's request that is told to come again later."""
        return self.say is not None and self.message.asked is not None

    @property
    def asks_model(self) -> bool:
        """Whether a model answers it, or has."""
        return self.say is None and not self.is_command

    def release(self) -> None:
        """Give what was merged into this turn back to its lane, as the turn answers nothing."""
        for each in self.merged:
            each.out_of = (*self.out_of, self.turn_id)
        self.orphans, self.merged = [*self.orphans, *self.merged], []

    @property
    def can_begin_again(self) -> bool:
        """Whether all of the answer so far can be taken back: what is shown, and what was done."""
        capabilities = self.account.channel.capabilities(self.message.address)
        return not self.has_acted and (capabilities.replaceable or not self.is_visible)

    @property
    def is_visible(self) -> bool:
        """Whether a person has seen something of the answer."""
        return self.reply is not None and self.reply.is_visible


class Spawn(Protocol):
    """Starts a task whose parent is the daemon."""

    def __call__(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """The running task."""


@dataclass(slots=True)
class _Lane:
    waiting: deque[Turn] = field(default_factory=deque)
    running: Turn | None = None
    mode: Mode = Mode.QUEUE


class Lanes:
    """All lanes. A lane exists while something runs or waits in it, so memory follows what is active.

    `idle` is set while nothing runs. `joined` is told when the messages that a turn answers become more or fewer.
    `most`: what may be at hand; as it fills up, `sheds` refuses one class after the other.
    """

    def __init__(
        self,
        run: Callable[[Turn], Coroutine[Any, Any, None]],
        spawn: Spawn,
        clock: Callable[[], float],
        joined: Callable[[Turn], object] = id,
    ) -> None:
        self.joined = joined
        self.most = Most()
        self._run = run
        self._spawn = spawn
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}
        self._waiting = 0
        self._waiting_bytes = 0
        self._beside: set[Turn] = set()
        self._is_draining = False
        self._steps = asyncio.Semaphore(RESUMED_AT_ONCE)
        self.idle = asyncio.Event()
        self.idle.set()

    @property
    def waiting(self) -> int:
        """How many messages wait, in all."""
        return self._waiting

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the texts that wait."""
        return self._waiting_bytes

    @property
    def running(self) -> int:
        """How many answers run."""
        return sum(1 for lane in self._lanes.values() if lane.running is not None)

    def has_room(self, key: str) -> bool:
        """Whether one more message may wait in this conversation."""
        lane = self._lanes.get(key)
        return lane is None or len(lane.waiting) < LANE_LIMIT

    def sheds(self, latency: LatencyClass) -> bool:
        """Whether too much is at hand in the whole process for one more message of this class."""
        return is_shed(latency, self._waiting + len(self._lanes), self._waiting_bytes, self.most)

    @property
    def has_room_beside(self) -> bool:
        """Whether one more command or note may run: where none can be shown any more they must not pile up."""
        return len(self._beside) < self.most.messages

    def is_busy(self, key: str) -> bool:
        """Whether an answer runs or waits there."""
        return key in self._lanes

    def beside(self, turn: Turn) -> None:
        """Run a command at once."""
        self._beside.add(turn)
        self.idle.clear()
        self._spawn(self._alone(turn), f"command {turn.turn_id}")

    async def _alone(self, turn: Turn) -> None:
        try:
            await self._run(turn)
        finally:
            self._beside.discard(turn)
            self._note_idle()

    def _note_idle(self) -> None:
        if not self._lanes and not self._beside:
            self.idle.set()

    def submit(self, turn: Turn, mode: Mode = Mode.QUEUE) -> None:
        """Put a turn into its lane, or join it to the running one as merging and `mode` say."""
        lane = self._lanes.get(turn.key)
        if lane is None:
            lane = self._lanes[turn.key] = _Lane()
            lane.running = turn
            self.idle.clear()
            self._spawn(self._work(turn.key, lane), f"lane {turn.turn_id}")
            return
        lane.mode = mode
        running = lane.running
        if running is not None and not lane.waiting and self._joins(running, turn, mode):
            running.merged.append(turn)
            running.merges += 1
            self.joined(running)
            running.interrupt.fire(StopReason.MERGED)
            return
        lane.waiting.append(turn)
        self._count(turn)
        if mode is Mode.INTERRUPT and running is not None and not running.is_command:
            running.interrupt.fire(StopReason.STOPPED)

    def _count(self, *turns: Turn) -> None:
        for turn in turns:
            turn.size = len(turn.message.text.encode(errors="surrogatepass"))
            self._waiting += 1
            self._waiting_bytes += turn.size

    def _discount(self, *turns: Turn) -> None:
        self._waiting -= len(turns)
        self._waiting_bytes -= sum(turn.size for turn in turns)

    def _joins(self, running: Turn, turn: Turn, mode: Mode) -> bool:
        if turn.one_shot is not None or turn.is_retry or turn.say is not None or running.say is not None:
            return False
        if turn.consent is not None or running.consent is not None or running.has_acted:
            return False
        if turn.message.asked is not None or running.message.asked is not None:
            return False  # every request of a program has an answer of its own
        if (
            running.is_resumed
            or running.is_closing
            or running.interrupt.reason not in (None, StopReason.MERGED)
        ):
            return False
        # Messages of different people are never merged.
        if running.message.sender.id != turn.message.sender.id:
            return False
        if mode is Mode.STEER:
            return running.can_begin_again
        last = running.merged[-1] if running.merged else running
        return (
            turn.accepted_at - last.accepted_at <= MERGE_WINDOW
            and running.merges < MAX_MERGES
            and not running.is_visible
        )

    async def _step_in(self, turn: Turn) -> bool:
        """Whether it may begin. One of before the start waits for its step: a thousand at once would all ask late."""
        if turn.is_resumed:
            await self._steps.acquire()
            asyncio.get_running_loop().call_later(RESUMED_EVERY, self._steps.release)
        return not (turn.is_resumed and self._is_draining)

    async def _work(self, key: str, lane: _Lane) -> None:
        try:
            if lane.running is not None and not await self._step_in(lane.running):
                lane.running = None  # it stays kept for the next start
            while lane.running is not None:
                await self._run(lane.running)
                if lane.running.orphans:
                    self.joined(lane.running)
                lane.waiting.extendleft(reversed(lane.running.orphans))
                self._count(*lane.running.orphans)
                lane.running = None if self._is_draining else self._next(lane)
        finally:
            self._discount(*lane.waiting)
            if self._lanes.get(key) is lane:
                del self._lanes[key]
            self._note_idle()

    def _next(self, lane: _Lane) -> Turn | None:
        if not lane.waiting:
            return None
        turn = lane.waiting.popleft()
        self._discount(turn)
        while lane.mode is Mode.COLLECT and lane.waiting and self._collects(turn, lane.waiting[0]):
            turn.merged.append(lane.waiting.popleft())
            self._discount(turn.merged[-1])
        if turn.merged:
            self.joined(turn)
        return turn

    @staticmethod
    def _collects(turn: Turn, other: Turn) -> bool:
        is_same_person = other.message.sender.id == turn.message.sender.id
        return (
            is_same_person
            and other.message.asked is None is turn.message.asked
            and other.one_shot == turn.one_shot
            and not (other.is_retry or other.say or turn.say)
            and turn.consent is None is other.consent
        )

    def stop(self, key: str, reason: StopReason) -> bool:
        """End the running answer of a conversation. False: nothing runs there."""
        lane = self._lanes.get(key)
        if lane is None or lane.running is None:
            return False
        lane.running.interrupt.fire(reason)
        return True

    def stop_below(self, key: str, sender: str, reason: StopReason) -> bool:
        """End what runs for this person in the threads of a space. False: nothing does."""
        running = [
            lane.running
            for name, lane in self._lanes.items()
            if lane.running is not None and name.startswith(f"{key}:")
        ]
        own = [turn for turn in running if turn.message.sender.id == sender]
        for turn in own:
            turn.interrupt.fire(reason)
        return bool(own)

    def drop_waiting(self, key: str) -> list[Turn]:
        """Take every waiting message out of a lane; the caller ends their turns."""
        lane = self._lanes.get(key)
        if lane is None:
            return []
        dropped = list(lane.waiting)
        lane.waiting.clear()
        self._discount(*dropped)
        return dropped

    def shown_at(self, key: str) -> float | None:
        """The clock when people saw the first of the answer that runs there; None while there is nothing to see."""
        lane = self._lanes.get(key)
        running = lane.running if lane is not None else None
        if running is None or running.reply is None or running.reply.first_visible is None:
            return None
        return running.accepted_at + running.reply.first_visible

    def find(self, key: str, message_id: str) -> Turn | None:
        """The running or waiting turn that answers this message."""
        lane = self._lanes.get(key)
        if lane is None:
            return None
        turns = [lane.running] if lane.running is not None else []
        for turn in (*turns, *lane.waiting):
            if turn.interrupt.reason in _NOBODYS:  # another copy of the message is the one that counts
                continue
            if any(each.message.message_id == message_id for each in (turn, *turn.merged)):
                return turn
        return None

    def withdraw(self, turn: Turn) -> bool:
        """Take one waiting turn out of its lane. False: it runs already, or is over."""
        lane = self._lanes.get(turn.key)
        if lane is None or turn not in lane.waiting:
            return False
        lane.waiting.remove(turn)
        self._discount(turn)
        return True

    def drain(self) -> None:
        """Start nothing new: what waits, be it for its next try, stays in the inbox for the next start."""
        self._is_draining = True
        for _ in self._lanes:
            self._steps.release()
        for turn in self._active():
            if turn.is_pausing:
                turn.interrupt.fire(StopReason.SHUTDOWN)

    def interrupt_all(self, reason: StopReason) -> None:
        """End every running answer."""
        for lane in self._lanes.values():
            if lane.running is not None:
                lane.running.interrupt.fire(reason)

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is started."""
        return self._is_draining

    def dismiss(self, is_theirs: Callable[[Turn], bool]) -> int:
        """Take turns away as if their messages had been deleted. How many of them still run and are about to end.

        Those that wait leave no trace; the caller ends them in the store.
        """
        for lane in self._lanes.values():
            kept = [turn for turn in lane.waiting if not is_theirs(turn)]
            self._discount(*(turn for turn in lane.waiting if turn not in kept))
            lane.waiting = deque(kept)
        running = [turn for turn in self._active() if is_theirs(turn)]
        for turn in running:
            turn.interrupt.fire(StopReason.DELETED)
        return len(running)

    def _active(self) -> list[Turn]:
        running = [lane.running for lane in self._lanes.values() if lane.running is not None]
        return [*running, *self._beside]
