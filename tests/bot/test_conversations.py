"""What is kept at hand of a conversation: as much after a restart as before it."""

from __future__ import annotations

from bot.conversations import KEPT_CHARACTERS, KEPT_LINES, Talk
from bot.store.base import Conversation, HistoryRow

KEY = "fake:main:room"


def lines(count: int, size: int) -> list[HistoryRow]:
    return [
        HistoryRow("user", f"{number} " + "x" * size, str(number), float(number)) for number in range(count)
    ]


def test_what_is_read_from_the_disk_is_bounded_as_what_was_said_is() -> None:
    rows = lines(KEPT_LINES + 20, 4_000)
    grown = Talk(Conversation(KEY))
    for row in rows:
        grown.add(1, (row,))
    read = Talk(Conversation(KEY), rows[-KEPT_LINES:])
    assert read.lines == grown.lines
    assert sum(row.size for row in read.lines) <= KEPT_CHARACTERS
    assert read.lines[-1] == rows[-1]


def test_two_lines_are_kept_however_long_they_are() -> None:
    assert len(Talk(Conversation(KEY), lines(5, 2 * KEPT_CHARACTERS)).lines) == 2
