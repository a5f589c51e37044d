"""What is kept at hand of a conversation: as much after a restart as before it."""

from __future__ import annotations

from pathlib import Path

from bot.conversations import KEPT_CHARACTERS, KEPT_LINES, LINE, Conversations, Talk
from bot.store.base import Conversation, HistoryRow
from bot.store.sqlite import open_store

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


async def test_conversations_are_bounded_in_number_and_by_what_they_hold_together(tmp_path: Path) -> None:
    keys = [f"fake:main:{number}" for number in range(30)]
    async with open_store(tmp_path / "store.db") as store:
        few, heavy = Conversations(store, kept=10), Conversations(store, altogether=40 * LINE)
        for key in keys:
            await few.get(key)
            talk = await heavy.get(key)
            talk.add(talk.state.session, lines(3, LINE))
        assert sum(few.at_hand(key) is not None for key in keys) == 10
        kept = [key for key in keys if heavy.at_hand(key) is not None]
        # Each weighs seven lines and a little, and the newest has grown since it was wanted.
        assert 2 <= len(kept) <= 40 // 7 + 1
        assert kept == keys[-len(kept) :]
        heavy.drop(kept)
        talk = await heavy.get(KEY)
        talk.add(talk.state.session, lines(30, LINE))
        await heavy.get(keys[0])
        assert heavy.at_hand(KEY) is None and heavy.at_hand(keys[0]) is not None


async def test_a_conversation_that_was_let_go_counts_no_more_whatever_is_said_in_it(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.db") as store:
        heavy = Conversations(store, altogether=40 * LINE)
        gone = await heavy.get(KEY)
        heavy.drop([KEY])
        gone.add(gone.state.session, lines(60, LINE))
        await heavy.get("fake:main:other")
        await heavy.get("fake:main:third")
        assert heavy.at_hand("fake:main:other") is not None
