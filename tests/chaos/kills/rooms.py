"""The places in which people talk to the bot, what they said there, and what stands there of the bot."""

from __future__ import annotations

from dataclasses import dataclass, field

LENGTHS = {"brief": 3, "plain": 14, "long": 50, "huge": 650, "vast": 1600}
"""Words of an answer by the first word of its question. "huge" takes several messages where 4,000 characters are the
most that one holds, "vast" wherever people are."""

GAPS = {"brief": 0.0, "plain": 0.01, "long": 0.02, "huge": 0.001, "vast": 0.0005}


@dataclass(frozen=True, slots=True)
class Size:
    """How many places of each channel. `pace`: seconds between two words.

    `chats`, `groups`: of Telegram; `direct`: messages of Discord; `threads`: of direct messages, and `channels`, of
    Slack.
    """

    chats: int
    groups: int
    direct: int
    threads: int
    channels: int
    pace: float


@dataclass(slots=True)
class Question:
    """`markers`: those of its text and of its corrections; the answer begins and ends with one of them."""

    kind: str
    markers: list[str]
    message: str
    at: float


@dataclass(slots=True)
class Room:
    """One person's place. `channel`: whose; `is_group`: others could read along. `commands`: how many were given.

    `thread`: where in it the person talks, "" for the place itself. `was_stranger`: they were let in by a code.
    """

    channel: str
    id: str
    person: str
    is_group: bool = False
    was_stranger: bool = False
    thread: str = ""
    questions: list[Question] = field(default_factory=list)
    commands: int = 0
    spoke_at: float = 0.0

    @property
    def place(self) -> str:
        """Its name among all places."""
        return f"{self.channel}:{self.id}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A message of the bot that stands. `states`: when it began to read what."""

    id: str
    text: str
    states: tuple[tuple[float, str], ...]


def answer_of(kind: str, marker: str) -> list[str]:
    """The words of a whole answer."""
    return [marker, *(f"word{number}" for number in range(1, LENGTHS[kind] - 1)), marker]


def rules() -> list[dict[str, object]]:
    """The script with which the model answers them."""
    return [{"match": kind, "count": LENGTHS[kind], "gap": GAPS[kind]} for kind in LENGTHS]
