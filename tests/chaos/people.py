"""What people do there: they ask, go on typing, correct themselves, take back, stop, ask again, allow and forbid."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from channels.capabilities import Surface
from channels.events import (
    Address,
    ConversationKey,
    Event,
    Message,
    MessageDeleted,
    MessageEdited,
    Pressed,
    Reaction,
    Sender,
    TypingStarted,
)
from tests.chaos.wire import Offer, Platform

EPOCH = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANN, BOB, EVE = Sender("1", "Ann"), Sender("2", "Bob"), Sender("66", "Eve")
"""Ann and Bob are named in the settings, Eve is not."""

_KINDS = ("plain", "plain", "plain", "long", "long", "tool", "ask")


@dataclass(slots=True)
class Question:
    """Something that a person asked: `offers` is its message and every correction of it, in order."""

    number: int
    room: str
    sender: Sender
    kind: str
    message_id: str
    offers: list[Offer] = field(default_factory=list)
    deleted: Offer | None = None


@dataclass(slots=True)
class Deed:
    """Anything else that a person did. `about`: the text of the message with the button, or of the command."""

    what: str
    room: str
    sender: Sender
    offer: Offer


@dataclass
class People:
    """`is_done`: they have done what they wanted to."""

    platform: Platform
    dice: random.Random
    questions: list[Question] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    is_done: bool = False
    _numbers: int = 0

    async def live(self) -> None:
        """Everything that they do, in their own time."""
        dice, fate = self.dice, self.platform.fate
        while len(self.questions) < fate.messages:
            await asyncio.sleep(dice.choice((0.0, 0.3, 1.0, 4.0, 20.0)) * dice.uniform(0.3, 1.5))
            room = f"room {dice.randrange(fate.rooms)}"
            sender = BOB if dice.random() < 0.1 else ANN
            roll = dice.random()
            if roll < 0.6 or not self.questions:
                self._ask(room, sender)
                if dice.random() < 0.2:
                    await asyncio.sleep(dice.uniform(0.05, 2))
                    self._do(dice.choice((0.61, 0.61, 0.7)), room, sender)
            else:
                self._do(roll, room, sender)
        await asyncio.sleep(30)
        for number in range(fate.rooms):
            self._press("allow", f"room {number}", ANN)
        self.is_done = True

    def _ask(self, room: str, sender: Sender) -> None:
        number = len(self.questions)
        kind = self.dice.choice(_KINDS)
        question = Question(number, room, sender, kind, f"m{number}")
        text = f"q{number}r0 {kind}"
        question.offers.append(self._message(question.message_id, room, sender, text))
        self.questions.append(question)

    def _do(self, roll: float, room: str, sender: Sender) -> None:
        own = [each for each in self.questions if each.room == room and each.deleted is None]
        last = own[-1] if own else None
        if roll < 0.68 and last is not None:
            self._correct(last)
        elif roll < 0.74 and last is not None:
            event = MessageDeleted(self._key(), last.message_id, _at(room), last.sender)
            last.deleted = self._offer(event)
        elif roll < 0.79:
            self._command("/stop", room, sender)
        elif roll < 0.82:
            self._press("retry", room, sender)
        elif roll < 0.93:
            sender = BOB if self.dice.random() < 0.4 else ANN
            self._press(self.dice.choice(("allow", "allow", "deny")), room, sender)
        elif roll < 0.96:
            self._message(self._key(), room, EVE, "let me in")
        elif roll < 0.98:
            self._offer(TypingStarted(self._key(), "", _at(room), sender))
        else:
            self._offer(Reaction(self._key(), "m0", _at(room), sender, "+1"))

    def _correct(self, question: Question) -> None:
        text = f"q{question.number}r{len(question.offers)} {question.kind}"
        event = MessageEdited(
            self._key(), question.message_id, _at(question.room), question.sender, text, self._now()
        )
        question.offers.append(self._offer(event))

    def _command(self, text: str, room: str, sender: Sender) -> None:
        self.deeds.append(Deed(text[1:], room, sender, self._message(self._key(), room, sender, text)))

    def _press(self, action: str, room: str, sender: Sender) -> None:
        """With a finger where there is such a button to be seen, else by typing."""
        buttons = [
            each
            for each in self.platform.truth.messages
            if each.key.space == room
            and not each.is_deleted
            and any(one.id == action for one in each.actions)
        ]
        if not buttons:
            if action != "allow":
                self._command(f"/{action}", room, sender)
            return
        event = Pressed(self._key(), buttons[-1].id, _at(room), sender, action)
        self.deeds.append(Deed(action, room, sender, self._offer(event)))

    def _message(self, message_id: str, room: str, sender: Sender, text: str) -> Offer:
        return self._offer(Message(self._key(), message_id, _at(room), sender, text, self._now()))

    def _offer(self, event: Event) -> Offer:
        return self.platform.offer(event, asyncio.get_running_loop().time())

    def _now(self) -> datetime:
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())

    def _key(self) -> str:
        self._numbers += 1
        return f"e{self._numbers}"


def _at(room: str) -> Address:
    return Address(ConversationKey("fake", "main", room), Surface.DIRECT)
