"""What must be true when a chain of lives has come to rest: what people see, against what the store holds."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot import words
from bot.store.codec import decode_message
from channels.script import DASH
from tests.chaos.kills.crowd import Crowd
from tests.chaos.kills.rooms import Room, Seen, answer_of
from tests.chaos.kills.strangers import UNKNOWN

CLOSINGS = (
    words.CUT,
    words.POISONED,
    words.SET_ASIDE,
    words.BROKEN,
    words.UNSHOWN,
    words.STALE,
    words.STOPPED,
)
_EXPECTED_ERRORS = frozenset({"message set aside"})


@dataclass(frozen=True, slots=True)
class Row:
    """A message of a person as the store holds it, and how its turn ended."""

    number: int
    turn_id: str
    state: str
    attempts: int
    message: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A turn that is over."""

    turn_id: str
    outcome: str
    answered: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(slots=True)
class Verdict:
    """`orphans`: messages of class B that a crash left behind; `aside`: questions that were set aside, with a word."""

    questions: int = 0
    orphans: int = 0
    aside: int = 0
    findings: list[str] = field(default_factory=list)


class Books:
    """The store, the platforms and the log of a daemon that has come to rest."""

    def __init__(self, home: Path, crowd: Crowd, seen: Mapping[str, Sequence[Seen]]) -> None:
        self.crowd = crowd
        self.seen = seen
        with closing(sqlite3.connect(home / "data" / "firstword.db")) as store:
            self.check = str(store.execute("PRAGMA quick_check").fetchone()[0])
            self.rows = [_row(each) for each in store.execute(_ROWS)]
            self.ended = {each[0]: _ended(each) for each in store.execute(_TURNS)}
        self.log = [json.loads(line) for line in log_lines(home / "logs")]
        self.by_message = defaultdict[tuple[str, str], list[Row]](list)
        for each in self.rows:
            self.by_message[each.place, each.message].append(each)
        self.answering = {turn: each for each in self.ended.values() for turn in each.answered}
        self.doubtful = Counter(each["turn_id"] for each in self.log if each["event"] == DOUBTFUL)


DOUBTFUL = "send may be a second one"
"""What the log says before a send of which an earlier life may have made one; the metric counts the same."""

_ROWS = """SELECT id, turn_id, state, attempts, payload FROM inbox WHERE payload IS NOT NULL ORDER BY id"""
_TURNS = "SELECT turn_id, outcome, inbox_ids, parts FROM turn WHERE state = 'done'"


def _row(row: tuple[Any, ...]) -> Row:
    number, turn_id, state, attempts, payload = row
    message = decode_message(payload)
    key = message.address.key
    return Row(
        number, turn_id, state, attempts, message.message_id, f"{key.channel}:{key.space}", message.text
    )


def _ended(row: tuple[Any, ...]) -> Ended:
    turn_id, outcome, answered, parts = row
    return Ended(turn_id, outcome, tuple(json.loads(answered)), tuple(json.loads(parts)))


def log_lines(folder: Path) -> Iterator[str]:
    """Everything that was logged there, oldest first."""
    for path in sorted(folder.glob("firstword.log*"), reverse=True):
        yield from path.read_text().splitlines()


def judge(books: Books) -> Verdict:
    """Everything that is not as promised, and the counts."""
    found = Verdict()
    if books.check != "ok":
        found.findings.append(f"the store is damaged: {books.check}")
    for line in books.log:
        if line["level"] in {"error", "critical"} and line["event"] not in _EXPECTED_ERRORS:
            found.findings.append(f"logged: {line}")
    for room in books.crowd.rooms:
        _look(books, room, found)
    return found


def _look(books: Books, room: Room, found: Verdict) -> None:
    place, seen = room.place, {each.id: each for each in books.seen[room.place]}
    claimed = set[str]()
    turns: list[Ended] = []
    order: list[int] = []
    for question in room.questions:
        found.questions += 1
        rows = books.by_message[place, question.message]
        name = f"{place} {question.kind} {'/'.join(question.markers)}"
        if len(rows) != 1:
            found.findings.append(f"{name}: taken {len(rows)} times")
            continue
        row = rows[0]
        order.append(row.number)
        ended = books.answering.get(row.turn_id)
        if row.state == "dead":
            found.aside += 1
            # What was answered together is set aside together; its first message says how often the process ended.
            crashes = max(
                each.attempts for each in books.rows if each.place == place and each.state == "dead"
            )
            if crashes < 3 or not any(_says(each.text) for each in seen.values()):
                found.findings.append(f"{name}: set aside after {crashes} crashes, or without a word")
        elif ended is None or row.state != "done":
            found.findings.append(f"{name}: never ended ({row.state})")
        elif ended not in turns:
            turns.append(ended)
    if order != sorted(order):
        found.findings.append(f"{place}: taken in another order than said: {order}")
    for ended in turns:
        found.findings += [f"{place} {each}" for each in _wrong(books, room, ended, seen)]
    for one, other in itertools.pairwise(turns):
        found.findings += [f"{place} {each}" for each in _overlap(one, other, seen)]
    for ended in books.ended.values():
        claimed.update(each for each in ended.parts if each in seen)
    _orphans(books, room, [each for each in seen.values() if each.id not in claimed], found)


def _says(text: str) -> bool:
    return any(each in text for each in CLOSINGS)


def _wrong(books: Books, room: Room, ended: Ended, seen: Mapping[str, Seen]) -> Iterator[str]:
    """The answer is not there, or is not what the model said, word for word."""
    text = " ".join(seen[each].text for each in ended.parts if each in seen)
    said = text.split()
    asked = [each for each in room.questions if _is_of(books, room, each.message, ended)]
    # Of several questions that are answered together the model takes one's words and another's length.
    kinds = {each.kind for each in asked}
    wholes = [answer_of(kind, marker) for kind in kinds for each in asked for marker in each.markers]
    if ended.outcome == "done":
        if said not in wholes:
            yield f"{ended.turn_id}: ended as done and reads {text[:80]!r} … {text[-60:]!r}"
    elif not _says(text):
        yield f"{ended.turn_id}: ended as {ended.outcome} and says nothing of it: {text[-80:]!r}"


def _is_of(books: Books, room: Room, message: str, ended: Ended) -> bool:
    rows = books.by_message[room.place, message]
    return bool(rows) and rows[0].turn_id in ended.answered


def _overlap(one: Ended, other: Ended, seen: Mapping[str, Seen]) -> Iterator[str]:
    """The next answer begins when the one before reads as it stays."""
    last = max((_settled(seen[each]) for each in one.parts if each in seen), default=0.0)
    first = min((seen[each].states[0][0] for each in other.parts if each in seen), default=last)
    if first < last:
        yield f"{other.turn_id}: begun {last - first:.3f} s before {one.turn_id} was whole"


def _settled(message: Seen) -> float:
    at = len(message.states) - 1
    while at and message.states[at - 1][1] == message.states[-1][1]:
        at -= 1
    return message.states[at][0]


def _orphans(books: Books, room: Room, left: Sequence[Seen], found: Verdict) -> None:
    """Messages that no turn knows of: none in class A, and in class B as many as were counted."""
    notes = [each.id for each in left if room.was_stranger and each.text.startswith(UNKNOWN)]
    loose = [each for each in left if each.text not in {DASH, *CLOSINGS} and each.id not in notes]
    if not loose:
        return
    own = [each.turn_id for each in books.rows if each.place == room.place]
    counted = sum(books.doubtful[each] for each in own)
    if books.crowd.sides[room.channel].keeps_keys or len(loose) > counted:
        told = "; ".join(f"{each.id} {each.text[:60]!r}" for each in loose)
        found.findings.append(
            f"{room.place}: {len(loose)} messages that nobody knows of, {counted} counted: {told}"
        )
    else:
        found.orphans += len(loose)


async def look_at(crowd: Crowd) -> Mapping[str, Sequence[Seen]]:
    """What stands of the bot's words in every place."""
    return {room.place: await crowd.sides[room.channel].seen(room) for room in crowd.rooms}
