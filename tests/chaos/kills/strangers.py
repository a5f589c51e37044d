"""Strangers whom a kill catches on their way in: none is answered before, and each is in the end let in and answered."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3

from bot.pairing import LENGTH, Sealed, fits
from tests.chaos.kills.rooms import Room
from tests.chaos.kills.stage import Stage

UNKNOWN = "I do not know you yet"
"""How whatever a stranger is told begins."""

_CODE = re.compile(rf"\b[A-Z2-9]{{{LENGTH}}}\b")
_FIRST = 7001
_PATIENCE = 30.0


async def come(stage: Stage) -> Room:
    """Somebody new, after all who came before were let in: only three may wait at a time."""
    await admit_all(stage)
    person = str(_FIRST + stage.came)
    stage.came += 1
    room = Room("telegram", person, person, was_stranger=True)
    stage.strangers.append(room)
    return room


async def knock(stage: Stage, room: Room) -> None:
    """They ask something, of which nothing may come but a code."""
    await stage.telegram.say(int(room.id), f"plain {stage.crowd.marker()}")


async def code_of(stage: Stage, room: Room) -> str:
    """The code that they were told and that holds; they ask for one where there is none."""
    if not (code := await _told(stage, room)):
        await stage.telegram.say(int(room.id), "/pair")
    async with asyncio.timeout(_PATIENCE):
        while not code:
            await asyncio.sleep(0.02)
            code = await _told(stage, room)
    return code


async def admit_all(stage: Stage) -> None:
    """Let in whoever is not yet, and have them ask: from now on they are people like the others."""
    while stage.strangers:
        room = stage.strangers.pop()
        said = await stage.telegram.texts(int(room.id))
        if answered := [each for each in said if not each.startswith(UNKNOWN)]:
            raise AssertionError(f"stranger {room.id} was answered: {answered}")
        if not _one(stage, "SELECT 1 FROM access_grant WHERE sender = ?", room):
            approved = await stage.daemon.ask("pairing.approve", code=await code_of(stage, room))
            if approved["person"] != f"telegram:main:{room.id}":
                raise AssertionError(f"stranger {room.id} was not let in: {approved}")
        stage.crowd.rooms.append(room)
        await stage.crowd.ask(room, "brief")


async def _told(stage: Stage, room: Room) -> str:
    held = _one(stage, "SELECT salt, digest FROM pairing WHERE sender = ?", room)
    codes = [code for text in await stage.telegram.texts(int(room.id)) for code in _CODE.findall(text)]
    return next((code for code in codes if held and fits(Sealed(held[0], held[1]), code)), "")


def _one(stage: Stage, statement: str, room: Room) -> tuple[bytes, ...] | None:
    path = stage.daemon.home / "data" / "firstword.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        found: tuple[bytes, ...] | None = store.execute(statement, (room.id,)).fetchone()
        return found
