"""What the auditor looks at: the store and the platform side by side, when a world has come to rest."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

from channels.capabilities import SendKey
from channels.fake import FakeMessage
from channels.script import DASH
from tests.chaos.model import words_of
from tests.chaos.wire import Write
from tests.chaos.world import World

RECORDED = 1.5
"""Seconds after which a message that was sent must stand in the store: the slowest disk here, several times over."""

BEGUN = re.compile(r"BEGIN(\d+) ((?:a\d+r\d+ )*)")
"""Where an answer begins in what people read: its number, the questions that it names."""

_NAMED = re.compile(r"a(\d+)r(\d+)")


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as the store holds it."""

    turn_id: str
    room: str
    state: str
    outcome: str | None
    inbox_ids: tuple[str, ...]
    ended_at: float | None
    inbox_state: str
    event_key: str
    received_at: float


class Books:
    """The store and the platform side by side."""

    def __init__(self, world: World) -> None:
        self.world = world
        with closing(sqlite3.connect(world.home.database)) as connection:
            self.turns = list(_turns(connection))
            self.history = list(
                connection.execute(
                    "SELECT conversation, role, text, outcome, turn_id FROM history ORDER BY id"
                )
            )
            self.broken = connection.execute("PRAGMA quick_check").fetchone()[0]
        self.by_event = {each.event_key: each for each in reversed(self.turns)}
        self.questions = world.people.questions

    @cached_property
    def seen(self) -> Mapping[str, Sequence[FakeMessage]]:
        """Every message of each turn, taken back or not, by the turn's id."""
        found: dict[str, list[FakeMessage]] = defaultdict(list)
        for message in self.world.platform.truth.messages:
            found[message.send_key[:20]].append(message)
        return found

    def shown(self, turn_id: str) -> str:
        """What a person can read of a turn at the end, on one line."""
        return " ".join(" ".join(each.text for each in self.standing(turn_id)).split())

    def standing(self, turn_id: str) -> list[FakeMessage]:
        """The messages of a turn that are there at the end, without the orphans that are allowed."""
        return [
            each
            for each in self.seen.get(turn_id, ())
            if not each.is_deleted and each.text != DASH and each.id not in self.orphans
        ]

    @cached_property
    def repeats(self) -> Sequence[tuple[Write, Write]]:
        """Sends that made a second message."""
        found, last = [], dict[str, Write]()
        for write in self.world.platform.writes:
            if write.send_key in last:
                found.append((last[write.send_key], write))
            last[write.send_key] = write
        return found

    @cached_property
    def orphans(self) -> frozenset[str]:
        """Messages that were sent again as nobody can know that they stand: the price of a platform without keys."""
        if self.world.fate.capabilities.send_key is not SendKey.NONE:
            return frozenset()
        return frozenset(before.message_id for before, _ in self.repeats if self.is_unsure(before))

    @cached_property
    def lost_sight_of(self) -> frozenset[str]:
        """Messages that were sent so shortly before a crash that nobody may have written it down.

        Where a platform knows no keys, also those of which it never told: nobody can ask it.
        """
        is_keyless = self.world.fate.capabilities.send_key is SendKey.NONE
        return frozenset(
            each.message_id
            for each in self.world.platform.writes
            if self.is_unsure(each)
            and (
                (is_keyless and each.known_at is None)
                or (
                    self.world.lives[each.life].ended is not None
                    and (self.world.lives[each.life].ended or 0.0) - each.at < 2 * RECORDED
                )
            )
        )

    def is_unsure(self, write: Write) -> bool:
        """Whether the process could not have known of it for long enough to write it down."""
        ended = self.world.lives[write.life].ended
        return write.known_at is None or (ended is not None and ended - write.known_at < RECORDED)

    def may_repeat(self, turn: Turn) -> bool:
        """Its end found no room on the disk: the one case in which a crash repeats an answer (bot.store.outbox).

        A final text that was not kept counts so where the life in which it was shown did not get to its end either.
        """
        if turn.turn_id in self.world.unstored:
            return True
        if (shown_in := self.world.unkept.get(turn.turn_id)) is None:
            return False
        died = self.world.lives[shown_in].ended
        end = (turn.ended_at or 0.0) - (self.world.wall() - self.world.loop.time())
        return died is not None and end > died

    def answering(self, turn: Turn) -> Turn | None:
        """The ended turn that answered this one's message."""
        ended = [each for each in self.turns if each.state == "done" and turn.turn_id in each.inbox_ids]
        return ended[-1] if ended else None

    def wholes(self, shown: str) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
        """The whole answers in a text: number and questions."""
        found = []
        for begun in BEGUN.finditer(shown):
            number = int(begun[1])
            named = tuple((int(q), int(r)) for q, r in _NAMED.findall(begun[2]))
            both = (words_of(number, named, is_long=is_long) for is_long in (True, False))
            found += [(number, named) for whole in both if shown.startswith(whole, begun.start())]
        return found


def _turns(connection: sqlite3.Connection) -> Iterator[Turn]:
    rows = connection.execute(
        """SELECT turn.turn_id, turn.conversation, turn.state, turn.outcome, turn.inbox_ids, turn.ended_at,
            inbox.state, inbox.event_key, inbox.received_at
        FROM turn JOIN inbox ON inbox.turn_id = turn.turn_id ORDER BY inbox.id"""
    )
    for turn_id, key, state, outcome, ids, ended, inbox_state, event_key, received in rows:
        room = key.split(":")[2].replace("%20", " ")
        merged = tuple(json.loads(ids)) if ids else ()
        plain_key = event_key.partition(".")[0]  # a planted fault keeps a copy under a key of its own
        yield Turn(turn_id, room, state, outcome, merged, ended, inbox_state, plain_key, received)
