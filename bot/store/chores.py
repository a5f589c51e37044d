"""What the owner asks of an open store, whether a daemon does it or a verb of the command line."""

from __future__ import annotations

import functools
import time
from dataclasses import replace

from bot.errors import BotError
from bot.store import access, letters, people
from bot.store.connection import Connection
from bot.store.people import Forgotten, Person
from bot.store.sqlite import SqliteStore

NO_LETTER = "there is no dead letter {!r}; see: firstword deadletters list"


async def revive(store: SqliteStore, turn_id: str) -> None:
    """Let a dead letter wait again. Raises BotError where there is none."""
    if not await store.call(functools.partial(letters.revive, turn_id=turn_id, now=time.time())):
        raise BotError(NO_LETTER.format(turn_id))


async def drop_letter(store: SqliteStore, turn_id: str) -> None:
    """Forget a dead letter. Raises BotError where there is none."""
    if not await store.call(functools.partial(letters.drop, turn_id=turn_id)):
        raise BotError(NO_LETTER.format(turn_id))


async def forget_person(store: SqliteStore, person: Person) -> Forgotten:
    """Take a person out of the store, and every deleted byte out of its files. Writes wait for so long."""

    def forget(connection: Connection) -> Forgotten:
        count = access.forget(connection, person)
        return replace(people.forget(connection, person), access=count)

    forgotten = await store.call(forget)
    await store.alone(people.scrub)
    return forgotten
