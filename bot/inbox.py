"""accept(): every event of every channel comes in here. Authorise, dedupe, keep, hand to a lane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import assert_never

import structlog

from bot import metrics, words
from bot.access import Verdict, authorise, is_shared
from bot.accounts import Account
from bot.commands.registry import Ask, Command
from bot.conversations import Conversations
from bot.doorkeeper import NOTE_INTERVAL, Doorkeeper
from bot.errors import StoreError
from bot.feedback import Feedback
from bot.interrupt import StopReason
from bot.lanes import Lanes, Mode, Turn
from bot.limits import Limits, Over, Scope
from bot.loops import SILENCE, Loops, Pace
from bot.patience import CATCHING_UP, is_too_late
from bot.recent import Recent
from bot.record import end_turn
from bot.store.base import Outcome, Store, TurnRecord
from channels.capabilities import Surface
from channels.commands import CommandSpec, ParsedCommand, Role, parse_command
from channels.events import (
    Address,
    ConversationKey,
    Event,
    Membership,
    Message,
    MessageDeleted,
    MessageEdited,
    Pressed,
    Reaction,
    Sender,
    TypingStarted,
    Unreadable,
)
from channels.markup import clean

log = structlog.get_logger()

MAX_TEXT = 200_000
"""Characters that one message may have; longer ones are refused in words."""

RECENT_KEYS = 10_000
FULL_NOTE_INTERVAL = 60.0
FULL = "full"
TAKEN_BACK = "\0"
"""What a message reads in the store once it was deleted and its turn still runs; no message of a person can."""

_STOP_WORDS = frozenset({"stop", "cancel"})


@dataclass(slots=True)
class Inbox:
    """The one way in. `clock` is monotonic, `wall` seconds since the epoch, `new_id` makes turn ids.

    `is_failing`: the message before could not be kept.
    """

    store: Store
    lanes: Lanes
    conversations: Conversations
    commands: Mapping[str, Command]
    specs: Mapping[str, CommandSpec]
    warm: Callable[[Account, TypingStarted], None]
    clock: Callable[[], float]
    wall: Callable[[], float]
    new_id: Callable[[], str]
    feedback: Feedback
    limits: Limits
    door: Doorkeeper
    loops: Loops
    told: Recent
    recent: Recent = field(default_factory=lambda: Recent(RECENT_KEYS))
    arriving: dict[str, asyncio.Future[bool]] = field(default_factory=dict)
    is_failing: bool = False

    async def accept(self, account: Account, event: Event) -> bool:
        """See channels.base.Host.accept."""
        try:
            return await self._accept(account, event)
        except StoreError as error:
            log.error("event not stored", error=str(error))
            return False

    def refusal(self, account: Account, event: Event) -> str | None:
        """See channels.base.Host.refusal."""
        return self.door.line(account, event, authorise(event, account.policy, account.granted))

    async def _accept(self, account: Account, event: Event) -> bool:
        channel = account.channel.name
        if isinstance(event, Membership):  # it changes nothing here, whoever did it
            metrics.event_accepted(channel, "membership")
            log.info("membership changed", conversation=str(event.address.key), outcome=str(event.change))
            return True
        verdict = authorise(event, account.policy, account.granted)
        if verdict.role is None:
            metrics.event_dropped(channel, str(verdict.finding))
            return await self._refuse(account, event, verdict)
        is_guest = verdict.role is Role.GUEST and is_shared(event.address)
        if is_guest and self.door.beyond(event, verdict.role) is not None:
            metrics.event_dropped(channel, "command_denied")
            return True  # no word about it: in a group everybody would read it
        match event:
            case Message():
                return await self._message(account, event, verdict.role)
            case Pressed():
                return await self._pressed(account, event, verdict.role)
            case MessageEdited():
                return await self._edited(account, event, verdict.role)
            case MessageDeleted():
                return await self._deleted(account, event)
            case TypingStarted():
                self.warm(account, event)
            case Unreadable():
                return await self._unreadable(account, event)
            case Reaction():
                metrics.event_accepted(channel, "reaction")
                self.feedback.reacted(event)
            case _:
                assert_never(event)
        return True

    async def _message(self, account: Account, message: Message, role: Role) -> bool:
        if message.asked is not None and (full := self._full(account, message)):
            metrics.event_dropped(account.channel.name, full)
            return self._turn_away(account, message, words.OVERLOADED)
        if not (message.addressed or message.attachments or message.text.strip()):
            metrics.event_dropped(account.channel.name, "empty")
            return True  # nobody said it to us, and there is nothing to answer
        known = f"{account.scope} {message.event_key}"
        if self.recent.seen(known, self.clock()):
            metrics.event_duplicate(account.channel.name)
            return await self._is_safe(known)
        if not message.is_press and self._is_loop(account, message, role):
            metrics.event_dropped(account.channel.name, "loop")
            return True
        is_late = self._is_late(account, message)
        whose = None if is_late else self._whose(account, message, role)
        if whose is not None and (over := self._over(account, whose)) is not None:
            return await self._too_many(account, message, over, known)
        turn = self._turn(account, message, role)
        metrics.event_accepted(account.channel.name, "message")
        if is_late:  # as if it had waited here
            turn.say, turn.received_at = words.STALE, message.sent_at.timestamp()
        turn.has_begun = not (is_late or self.lanes.is_busy(turn.key))
        turn.committed = self.store.add_message(
            turn.message, turn.turn_id, turn.received_at, is_begun=turn.has_begun
        )
        self.arriving[known] = turn.committed
        turn.committed.add_done_callback(lambda _: self.arriving.pop(known, None))
        if (is_late or self.is_failing) and not await self._kept(turn, known, whose):
            return False  # it will come again and again, and each time a model would be asked in vain
        if is_late and not turn.committed.result():
            return True  # a second copy, of which the word that it is late would be said in vain
        await self.dispatch(turn)
        return await self._kept(turn, known, whose)

    def _is_loop(self, account: Account, message: Message, role: Role) -> bool:
        """Whether a bot seems to answer us; who owns this one, and programs, do as they like."""
        if role is Role.OWNER or not account.policy.stops_loops or message.asked is not None:
            return False
        if self.door.command(message) is not None:
            return False
        conversation = str(message.address.key)
        shown_at = self.lanes.shown_at(conversation)
        pace = self.loops.said(conversation, message.sender.id, len(message.text), self.clock(), shown_at)
        if pace is Pace.LOOP:
            log.warning("loop broken", conversation=conversation, reason="answers at once", silence=SILENCE)
        return pace is not Pace.PERSON

    def _whose(self, account: Account, event: Message | MessageEdited, role: Role) -> tuple[str, str] | None:
        """The person and the conversation that it is counted for. Admins say what they like, all may stop."""
        if role >= Role.ADMIN or (isinstance(event, Message) and self._stops(event)):
            return None
        return f"{account.scope} {event.sender.id}", str(event.address.key)

    def _over(self, account: Account, whose: tuple[str, str]) -> Over | None:
        """The limit that they have reached; None counts what was said."""
        over = self.limits.admit(*whose, self.clock(), self.wall())
        if over is not None:
            metrics.event_dropped(account.channel.name, f"rate_{over.scope}")
        return over

    def _stops(self, message: Message) -> bool:
        parsed = self.door.command(message)
        return parsed.spec.name == "stop" if parsed is not None else self._is_stop_word(message)

    def _is_stop_word(self, message: Message) -> bool:
        is_own = not message.quotes and message.text.strip().lower() in _STOP_WORDS
        return is_own and self.lanes.is_busy(str(message.address.key))

    async def _too_many(self, account: Account, message: Message, over: Over, known: str) -> bool:
        """Nothing is kept of what was too much but its key; when they may write again is said once a minute."""
        said = words.too_many(over.wait, is_own=over.scope is Scope.SENDER)
        if message.asked is not None:
            return self._turn_away(account, message, said)
        about = message.sender.id if over.scope is Scope.SENDER else str(message.address.key)
        try:
            if self.told.seen(f"{over.scope} {account.scope} {about}", self.clock(), FULL_NOTE_INTERVAL):
                await self.store.add_key(account.channel.name, account.channel.account, message.event_key)
                return True
            return await self._note(account, message, said)
        except StoreError:
            self.recent.forget(known)  # it will be offered again
            raise

    def _is_late(self, account: Account, message: Message) -> bool:
        """Whether it waited at its platform, while we were away, until nobody wants an answer unasked."""
        if message.asked is not None or message.is_press:
            return False
        now = self.wall()
        connected = now - account.since if account.is_online and account.since is not None else None
        if not is_too_late(now - message.sent_at.timestamp(), connected, message.address.surface):
            return False
        metrics.event_dropped(account.channel.name, "stale")
        return True

    def _turn_away(self, account: Account, message: Message, said: str) -> bool:
        """Tell a program, each time, that its request is too much now: it waits for an end. Nothing is kept of it."""
        if not self.lanes.has_room_beside:
            return False
        turn = self._turn(account, message, Role.GUEST)
        turn.committed.set_result(True)
        turn.say = said
        self.lanes.beside(turn)
        return True

    async def _is_safe(self, known: str) -> bool:
        """Whether the first copy is durable; where it cannot be kept the platform has to offer one again."""
        first = self.arriving.get(known)
        if first is not None:
            await asyncio.wait((first,))
        return first is None or (not first.cancelled() and first.exception() is None)

    async def _kept(self, turn: Turn, known: str, whose: tuple[str, str] | None) -> bool:
        """Wait until the message is durable; what runs already waits for the same before it shows anything.

        `whose`: for whom it was counted, which did not come about where it cannot be kept.
        """
        try:
            is_new = await asyncio.shield(turn.committed)
        except StoreError as error:
            log.error("message not stored", error=str(error))
            self.is_failing = True
            self.recent.forget(known)
            if whose is not None:
                self.limits.give_back(*whose)
            turn.interrupt.fire(StopReason.UNSTORED)
            return False
        self.is_failing = False
        if not is_new:
            metrics.event_duplicate(turn.account.channel.name)
            turn.interrupt.fire(StopReason.DUPLICATE)
        return True

    def _turn(self, account: Account, message: Message, role: Role) -> Turn:
        text = clean(message.text[: MAX_TEXT + 1])
        turn = Turn(
            turn_id=self.new_id(),
            message=replace(message, text=text) if text != message.text else message,
            account=account,
            committed=asyncio.get_running_loop().create_future(),
            accepted_at=self.clock(),
            received_at=self.wall(),
            role=role,
        )
        if len(text) > MAX_TEXT and message.asked is None:
            turn.message = replace(message, text=text[:1000])
            turn.say = words.unfit_text(len(message.text), MAX_TEXT)
        return turn

    async def dispatch(self, turn: Turn) -> None:
        """Hand a turn to the right lane. Enters the lane before its first await, so order is the order of arrival."""
        text = turn.message.text.strip()
        if turn.message.asked is not None:
            turn.one_shot = turn.message.asked.model or None
            self.lanes.submit(turn)
        elif turn.say is not None:
            is_old = turn.say == words.STALE and not turn.is_resumed
            if is_old and self.told.seen(f"late {turn.key}", self.clock(), CATCHING_UP):
                self._end(turn, Outcome.STALE)
            else:
                self._say(turn)
        elif turn.is_resumed and turn.message.text == TAKEN_BACK:
            turn.interrupt.fire(StopReason.DELETED)
            self.lanes.submit(turn)
        elif not text and not turn.message.attachments:
            turn.say = words.EMPTY_MESSAGE
            self._say(turn)
        elif (needed := self.door.beyond(turn.message, turn.role)) is not None:
            turn.say = words.too_low(needed)
            self._say(turn)
        elif self._is_command(turn):
            turn.is_command = True
            self._say(turn)
        elif not turn.is_resumed and (full := self._full(turn.account, turn.message)):
            metrics.event_dropped(turn.account.channel.name, full)
            turn.say = words.QUEUE_FULL if full == FULL else words.OVERLOADED
            if self.told.seen(f"full {turn.key}", self.clock(), FULL_NOTE_INTERVAL):
                self._end(turn, Outcome.FAILED)
            else:
                self._say(turn)
        else:
            self.lanes.submit(turn, self._mode(turn.key))

    def _say(self, turn: Turn) -> None:
        """Run a command, or say a line of our own, beside the lanes. Beyond the bound nobody could be told anyway."""
        if self.lanes.has_room_beside:
            self.lanes.beside(turn)
            return
        metrics.event_dropped(turn.account.channel.name, FULL)
        self._end(turn, Outcome.FAILED)

    def _full(self, account: Account, message: Message) -> str:
        """Why one more message cannot wait, as metrics count it; "" where it can."""
        latency = account.channel.capabilities(message.address).latency
        if self.lanes.sheds(latency):
            return f"shed_{latency}"
        return "" if self.lanes.has_room(str(message.address.key)) else FULL

    def _is_command(self, turn: Turn) -> bool:
        if self._is_stop_word(turn.message):
            turn.message = replace(turn.message, text="/stop")
            return True
        parsed = self.door.command(turn.message)
        if parsed is None:
            return False
        return not self._asks(turn, parsed)

    def _asks(self, turn: Turn, parsed: ParsedCommand) -> bool:
        """Whether the command is a question for a model ("/fast why?"); then it goes the way of a message."""
        wanted = self._wanted(parsed)
        if wanted is None:
            return False
        turn.one_shot, turn.is_retry, turn.consent = wanted.model, wanted.is_retry, wanted.consent
        if wanted.text:
            turn.message = replace(turn.message, text=wanted.text)
        return True

    def _question(self, text: str) -> str:
        """What a model is asked: the text, or what follows "/fast" and the like in it."""
        parsed = parse_command(text.strip(), self.specs)
        wanted = self._wanted(parsed) if parsed is not None else None
        return wanted.text if wanted is not None and wanted.text else text

    def _wanted(self, parsed: ParsedCommand) -> Ask | None:
        ask = self.commands[parsed.spec.name].asks
        return ask(parsed.argument) if ask is not None else None

    def _mode(self, key: str) -> Mode:
        talk = self.conversations.at_hand(key)
        chosen = talk.state.choices.get("queue") if talk is not None else None
        return Mode(chosen) if chosen in set(Mode) else Mode.QUEUE

    def _end(self, turn: Turn, outcome: Outcome) -> None:
        record = TurnRecord(turn.turn_id, turn.key, 0, (turn.turn_id,), outcome, ended_at=self.wall())
        end_turn(self.store, record)

    async def _pressed(self, account: Account, event: Pressed, role: Role) -> bool:
        """A button is a command that is typed with a finger."""
        if parse_command(f"/{event.action}", self.specs) is None:
            log.warning("button unknown", reason="no such command")
            return True
        typed = Message(
            event_key=event.event_key,
            message_id=event.message_id,
            address=event.address,
            sender=event.sender,
            text=f"/{event.action}",
            sent_at=datetime.fromtimestamp(self.wall(), UTC),
            is_press=True,
        )
        return await self._message(account, typed, role)

    async def _edited(self, account: Account, event: MessageEdited, role: Role) -> bool:
        whole = clean(event.text[:MAX_TEXT])
        text = self._question(whole)
        turn, each = self._about(event)
        if each is not None and each.message.sender.id != event.sender.id:
            turn = None  # nobody puts words into the mouth of another
        if turn is None or each is None or not turn.can_begin_again:
            if await self._is_new(account, event):
                metrics.event_dropped(account.channel.name, "edit_of_finished")
            return True
        whose = self._whose(account, event, role) if each.message.text != text else None
        if whose is not None and self._over(account, whose) is not None:
            await self._is_new(account, event)  # a correction asks once more, and there was enough
            return True
        try:
            is_new = await self._is_new(account, event, each, whole)
        except StoreError:
            if whose is not None:
                self.limits.give_back(*whose)
            raise
        if is_new and each.message.text != text:
            each.message = replace(each.message, text=text)
            if turn.can_begin_again:
                turn.interrupt.fire(StopReason.EDITED)
        return True

    def _about(self, event: MessageEdited | MessageDeleted) -> tuple[Turn | None, Turn | None]:
        """The turn that answers the message, and the one of the message alone, which may have been merged into it."""
        turn = self.lanes.find(str(event.address.key), event.message_id)
        messages = (turn, *turn.merged) if turn is not None else ()
        return turn, next((each for each in messages if each.message.message_id == event.message_id), None)

    async def _deleted(self, account: Account, event: MessageDeleted) -> bool:
        if not await self._is_new(account, event, self._about(event)[1], TAKEN_BACK):
            return True
        turn, _ = self._about(event)
        if turn is None:
            return True
        if self.lanes.withdraw(turn):
            self._end(turn, Outcome.WITHDRAWN)
        elif turn.message.message_id != event.message_id:
            self._unmerge(turn, event.message_id)
        else:
            turn.interrupt.fire(StopReason.DELETED)
        return True

    def _unmerge(self, turn: Turn, message_id: str) -> None:
        """One of the messages that a running turn answers is gone; the others are still to be answered."""
        gone = [each for each in turn.merged if each.message.message_id == message_id]
        if not turn.can_begin_again or turn.is_closing:
            for each in gone:  # should it be given back, there is nothing to answer
                each.interrupt.fire(StopReason.DELETED)
            return
        for each in gone:
            turn.merged.remove(each)
            self._end(each, Outcome.WITHDRAWN)
        self.lanes.joined(turn)
        turn.interrupt.fire(StopReason.EDITED)

    async def _is_new(
        self,
        account: Account,
        event: MessageEdited | MessageDeleted,
        about: Turn | None = None,
        text: str = "",
    ) -> bool:
        """Keep the event's key, together with what the message reads from now on: a crash loses both or neither."""
        channel, name = account.channel.name, account.channel.account
        if about is None:
            is_new = await self.store.add_key(channel, name, event.event_key)
        else:
            is_new = await self.store.correct(channel, name, event.event_key, about.turn_id, text)
        if not is_new:
            metrics.event_duplicate(channel)
        return is_new

    async def _unreadable(self, account: Account, event: Unreadable) -> bool:
        """Say that it could not be read, once an hour in a conversation."""
        metrics.event_accepted(account.channel.name, "unreadable")
        log.warning("message unreadable", conversation=str(event.address.key), reason=str(event.reason))
        if self.told.seen(f"unreadable {event.address.key}", self.clock(), NOTE_INTERVAL):
            return True
        return await self._note(account, event, words.unreadable(event.reason))

    async def _note(self, account: Account, event: Message | Unreadable, note: str) -> bool:
        """Answer with a line of our own, once; nothing of what was said is kept."""
        if not await self.store.add_key(account.channel.name, account.channel.account, event.event_key):
            return True
        sent_at = datetime.fromtimestamp(self.wall(), UTC)
        said = Message(event.event_key, event.message_id, event.address, event.sender, "", sent_at)
        turn = self._turn(account, said, Role.GUEST)
        turn.committed.set_result(True)
        turn.say = note
        self._say(turn)
        return True

    async def tell(self, account: Account, place: str, text: str) -> None:
        """Say something unasked in a direct chat; `place`: its key. Waits for no answer."""
        event_key = f"told {self.new_id()}"
        address = Address(ConversationKey.parse(place), Surface.DIRECT)
        sent_at = datetime.fromtimestamp(self.wall(), UTC)
        await self._note(account, Message(event_key, "", address, Sender(""), "", sent_at), text)

    async def _refuse(self, account: Account, event: Event, verdict: Verdict) -> bool:
        """Tell a stranger, seldom, how to be let in. Nothing of what they said is kept."""
        note = await self.door.note(account, event, verdict)
        if note is None or not isinstance(event, Message):
            return True
        return await self._note(account, event, note)
