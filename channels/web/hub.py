"""What every open page has to show, and how far each has been told. No I/O, no tasks, no clock of its own.

The hub holds each growing answer once, whole; a subscriber holds only its place in it.
Finished messages stay for GRACE seconds, until the daemon's history has them; questions until they are
answered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from channels.events import AnswerNote
from channels.web.render import note_of, shared_length
from channels.web.subscriber import Shown, Subscriber

GRACE = 30.0
MAX_ROOMS = 1000
MAX_FINISHED = 20
MAX_QUESTIONS = 50
MAX_GONE = 200


@dataclass(slots=True)
class Question:
    """Something that a person said and that the history may not have yet. `until` None: not answered yet."""

    id: str
    text: str
    at: float
    until: float | None = None


@dataclass(slots=True)
class _Room:
    messages: OrderedDict[str, Shown] = field(default_factory=OrderedDict)
    questions: OrderedDict[str, Question] = field(default_factory=OrderedDict)
    gone: OrderedDict[str, None] = field(default_factory=OrderedDict)
    subscribers: set[Subscriber] = field(default_factory=set)
    typing_until: float = 0.0

    def is_idle(self) -> bool:
        return not self.subscribers and not any(shown.is_open for shown in self.messages.values())


class Hub:
    """The conversations of one account that are shown or growing; at most `max_rooms` of them."""

    def __init__(self, clock: Callable[[], float], max_rooms: int = MAX_ROOMS) -> None:
        self._clock = clock
        self._max_rooms = max_rooms
        self._rooms: OrderedDict[str, _Room] = OrderedDict()

    def show(self, space: str, message_id: str, text: str, *, is_open: bool) -> None:
        """The message reads `text`; it is new, grows, or is replaced."""
        room = self._room(space)
        shown = room.messages.get(message_id)
        if shown is None:
            shown = room.messages[message_id] = Shown(message_id, text, self._clock())
            room.typing_until = 0.0
        else:
            self._rewrite(room, shown, text)
        self._set_open(room, shown, is_open=is_open)
        for subscriber in room.subscribers:
            subscriber.changed(shown)

    def extend(self, space: str, message_id: str, text: str) -> None:
        """The message has grown to `text`. Cheap when that begins with what it read before."""
        room = self._rooms.get(space)
        shown = None if room is None else room.messages.get(message_id)
        if room is None or shown is None or not shown.is_open or not text.startswith(shown.text):
            self.show(space, message_id, text, is_open=True)
            return
        shown.text = text
        shown.n += 1
        for subscriber in room.subscribers:
            subscriber.changed(shown)

    def is_gone(self, space: str, message_id: str) -> bool:
        """Whether the message was deleted."""
        room = self._rooms.get(space)
        return room is not None and message_id in room.gone

    def has(self, space: str, message_id: str) -> bool:
        """Whether the message is shown and closed: a repeated send has nothing to do."""
        room = self._rooms.get(space)
        shown = None if room is None else room.messages.get(message_id)
        return shown is not None and not shown.is_open

    def delete(self, space: str, message_id: str) -> None:
        """The message is gone; one that is gone already is no error."""
        room = self._room(space)
        room.messages.pop(message_id, None)
        room.gone[message_id] = None
        while len(room.gone) > MAX_GONE:
            room.gone.popitem(last=False)
        for subscriber in room.subscribers:
            subscriber.forget(message_id)
            subscriber.tell({"t": "gone", "id": message_id})

    def note(self, space: str, message_id: str, note: AnswerNote) -> None:
        """Put the small line under the message."""
        room = self._room(space)
        shown = room.messages.get(message_id)
        if shown is not None:
            shown.note = note
        for subscriber in room.subscribers:
            subscriber.tell({"t": "note", "id": message_id, "note": note_of(note)})

    def typing(self, space: str, ttl: float, *, is_on: bool) -> None:
        """An answer is on its way, for `ttl` seconds."""
        room = self._room(space)
        room.typing_until = self._clock() + ttl if is_on else 0.0
        for subscriber in room.subscribers:
            subscriber.tell({"t": "typing", "on": is_on, "ttl": ttl})

    def said(self, space: str, question: Question, by: Subscriber | None, *, is_quiet: bool) -> None:
        """A person said something on the page `by`; the other pages show it too."""
        room = self._room(space)
        if is_quiet or question.id in room.questions:
            return
        room.questions[question.id] = question
        while len(room.questions) > MAX_QUESTIONS:
            room.questions.popitem(last=False)
        for subscriber in room.subscribers:
            if subscriber is not by:
                subscriber.tell({"t": "user", "id": question.id, "text": question.text, "at": question.at})

    def answered(self, space: str, question_id: str | None) -> None:
        """An answer to this question is complete, so the history will have it soon."""
        room = self._rooms.get(space)
        question = None if room is None or question_id is None else room.questions.get(question_id)
        if question is not None:
            question.until = self._clock() + GRACE

    def subscribe(self, space: str, subscriber: Subscriber, kept: list[dict[str, Any]]) -> None:
        """Show the conversation: `kept` is what the history has; what it lacks is added, oldest first."""
        room = self._room(space)
        self._tidy(room)
        lines = {line["id"]: line for line in kept}
        for question in list(room.questions.values()):
            if question.id in lines:
                del room.questions[question.id]
            else:
                lines[question.id] = _question_line(question)
        for shown in room.messages.values():
            # The history knows how it ended; the hub knows its newest text, and when it began.
            line = shown.line()
            past = lines.get(shown.id, {})
            lines[shown.id] = past | line | {"note": line["note"] or past.get("note")}
            subscriber.knows(shown)
        now = self._clock()
        is_typing = room.typing_until > now
        room.subscribers.add(subscriber)
        subscriber.tell(
            {
                "t": "opened",
                "c": space,
                "lines": sorted(lines.values(), key=lambda line: float(line["at"])),
                "typing": is_typing,
                "ttl": max(0.0, room.typing_until - now),
            }
        )

    def unsubscribe(self, space: str, subscriber: Subscriber) -> None:
        """The page shows something else now, or is closed."""
        room = self._rooms.get(space)
        if room is not None:
            room.subscribers.discard(subscriber)

    def _room(self, space: str) -> _Room:
        room = self._rooms.get(space)
        if room is None:
            room = self._rooms[space] = _Room()
            self._make_place()
        self._rooms.move_to_end(space)
        return room

    def _make_place(self) -> None:
        surplus = len(self._rooms) - self._max_rooms
        if surplus <= 0:
            return
        newest = next(reversed(self._rooms))
        idle = [space for space, room in self._rooms.items() if room.is_idle() and space != newest]
        for space in idle[:surplus]:
            del self._rooms[space]

    def _rewrite(self, room: _Room, shown: Shown, text: str) -> None:
        shared = shared_length(shown.text, text)
        if shared < len(shown.text):
            for subscriber in room.subscribers:
                subscriber.replaced(shown, shown.text, shared)
        shown.text = text
        shown.n += 1

    def _set_open(self, room: _Room, shown: Shown, *, is_open: bool) -> None:
        shown.is_open = is_open
        if is_open:
            return
        shown.closed_at = self._clock()
        self._tidy(room)

    def _tidy(self, room: _Room) -> None:
        """Forget what is older than the history can be behind."""
        now = self._clock()
        closed = [shown for shown in room.messages.values() if not shown.is_open]
        for place, shown in enumerate(reversed(closed)):
            if place >= MAX_FINISHED or now - shown.closed_at > GRACE:
                del room.messages[shown.id]
                for subscriber in room.subscribers:
                    subscriber.release(shown)
        for question in list(room.questions.values()):
            if question.until is not None and now > question.until:
                del room.questions[question.id]


def _question_line(question: Question) -> dict[str, Any]:
    return {"id": question.id, "role": "user", "text": question.text, "at": question.at}
