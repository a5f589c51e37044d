"""How verbs reach the store: by the running daemon, or, where none runs, by themselves under the home's lock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from bot.cli.context import USAGE, CommandError, Context
from bot.cli.loop import run_async

if TYPE_CHECKING:
    from bot.store.connection import Connection
    from bot.store.people import Person
    from bot.store.sqlite import SqliteStore

T = TypeVar("T")


def person_named(text: str) -> Person:
    """Whom CHANNEL:ACCOUNT:ID names. Raises CommandError."""
    from bot.errors import BotError
    from bot.store.people import Person

    try:
        return Person.parse(text)
    except BotError as error:
        raise CommandError(str(error), kind="usage", code=USAGE) from error


def need_store(context: Context) -> None:
    """Raises CommandError where nothing was ever stored."""
    if not context.home.database.is_file():
        text = f"there is no store in {context.home.root} yet; the first start makes it: firstword run"
        raise CommandError(text, kind="no_store")


def read_store(context: Context, work: Callable[[Connection], T]) -> T:
    """What `work` returns, beside a daemon or without one; changes nothing. Raises BotError."""
    need_store(context)
    from bot.store.connection import read

    return read(context.home.database, work)


def change_store(
    context: Context, method: str, params: dict[str, Any], alone: Callable[[SqliteStore], Awaitable[Any]]
) -> tuple[Any, bool]:
    """What the daemon's `method` says, or, without a daemon, `alone`; and whether a daemon did it. Raises BotError."""
    need_store(context)
    return run_async(_change(context, method, params, alone))


async def _change(
    context: Context, method: str, params: dict[str, Any], alone: Callable[[SqliteStore], Awaitable[Any]]
) -> tuple[Any, bool]:
    from bot.control import LONGEST, NoDaemon, call
    from bot.store.lock import HomeLock
    from bot.store.sqlite import open_store

    try:
        return await call(context.home, method, params, deadline=LONGEST), True
    except NoDaemon:
        pass
    with HomeLock(context.home.root):
        async with open_store(context.home.database) as store:
            return await alone(store), False
