"""A store that neither reads nor writes some of its tables for a minute costs nobody an answer, and gives none twice."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.access import Policy
from channels.capabilities import SendKey
from channels.events import Sender, TypingStarted
from providers.fake import FakeProvider
from tests.story.inside import EDITS, Inside, address, inside, message
from tests.virtual_time import virtual_time

KEYED = replace(EDITS, send_key=SendKey.KEY)
KNOWN = Policy(allow=frozenset({"ann"}), owners=frozenset({"boss"}))


async def say(world: Inside, text: str, number: int, sender: str, space: str) -> None:
    """Somebody writes; the platform offers it again until it is kept."""
    said = replace(message(text, number, sender=sender), address=replace(address(space), handle=text))
    while not await world.accept(said):
        await asyncio.sleep(1.0)


@pytest.mark.parametrize(
    "tables", [("conversation", "choice"), ("history", "turn"), ("inbox", "part", "held")]
)
def test_a_minute_without_some_tables_costs_nobody_an_answer(tmp_path: Path, tables: tuple[str, ...]) -> None:
    @virtual_time
    async def story() -> None:
        async with inside(tmp_path, FakeProvider("one"), KEYED, policy=KNOWN, is_virtual=True) as world:
            world.account.is_online = True
            await say(world, "before", 1, "ann", "room")
            with closing(sqlite3.connect(world.app.home.database, isolation_level=None)) as other:
                for table in tables:
                    other.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
                talks = [
                    asyncio.create_task(say(world, f"question {number}", number, sender, space))
                    for number, (sender, space) in enumerate(
                        (("ann", "room"), ("ann", "new"), ("boss", "desk")), 2
                    )
                ]
                await world.accept(TypingStarted("typing", "", address("newer"), Sender("ann")))
                await asyncio.sleep(60.0)
                for table in tables:
                    other.execute(f"ALTER TABLE {table}_away RENAME TO {table}")
            await asyncio.gather(*talks)
            await asyncio.sleep(400.0)
            await say(world, "after", 9, "boss", "desk")
            await world.app.lanes.idle.wait()
            assert [world.channel.visible(address(space)) for space in ("room", "new", "desk")] == [
                ["before", "question 2"],
                ["question 3"],
                ["question 4", "after"],
            ]
            assert await world.app.store.pending() == []

    story()
