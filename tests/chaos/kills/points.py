"""The named moments at which a process is killed: each arranges its moment from outside and returns when it has come.

Nothing in the program knows of them. A platform that holds back an answer, a model that stops before a word, the
daemon's own store and log show where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import sqlite3
from collections.abc import Awaitable, Callable

from bot.store import backup
from tests.chaos.kills import strangers
from tests.chaos.kills.checkpoint import WRITES, stand_still
from tests.chaos.kills.crowd import LENGTHS
from tests.chaos.kills.stage import MOMENT, Stage

Moment = Callable[[Stage], Awaitable[None]]


# Telegram: what is written.


async def _telegram_write(
    stage: Stage, method: str, kind: str, *, is_group: bool = False, taken: bool
) -> None:
    room = await stage.crowd.quiet("telegram", is_group=is_group)
    calls = await stage.hold_telegram(method, room, taken=taken)
    await stage.crowd.ask(room, kind)
    await stage.telegram_called(method, calls, room)


async def _telegram_types(stage: Stage) -> None:
    room = await stage.crowd.quiet("telegram")
    calls = await stage.hold_telegram("sendchataction", room, taken=True)
    await stage.ask_held(room, "plain", hold="typing", hold_after=0)
    await stage.telegram_called("sendchataction", calls, room)


async def _telegram_last_edit(stage: Stage, *, taken: bool) -> None:
    room = await stage.crowd.quiet("telegram", is_group=True)
    question = await stage.ask_held(room, "plain", hold="end", hold_after=LENGTHS["plain"] - 1)
    await stage.telegram.wait(MOMENT, chat=int(room.id), contains=f"{question.markers[0]} word1")
    calls = await stage.hold_telegram("editmessagetext", room, taken=taken)
    stage.model.release("end")
    await stage.telegram_called("editmessagetext", calls, room)


async def _telegram_second_message(stage: Stage) -> None:
    room = await stage.crowd.quiet("telegram", is_group=True)
    calls = int((await stage.telegram.state())["counts"].get("calls", 0))
    await stage.ask_held(room, "huge", hold="first half", hold_after=100)
    await stage.telegram.wait(MOMENT, chat=int(room.id), method="sendmessage", since=calls, status=200)
    calls = await stage.hold_telegram("sendmessage", room, taken=True)
    stage.model.release("first half")
    await stage.telegram_called("sendmessage", calls, room)


async def _telegram_command(stage: Stage, *, taken: bool) -> None:
    room = await stage.crowd.quiet("telegram")
    calls = await stage.hold_telegram("sendmessage", room, taken=taken)
    await stage.crowd.command(room)
    await stage.telegram_called("sendmessage", calls, room)


# Telegram: what comes in.


async def _telegram_confirms(stage: Stage, *, taken: bool) -> None:
    room = await stage.crowd.quiet("telegram")
    calls = await stage.hold_telegram("getupdates", None, taken=taken)
    await stage.crowd.ask(room, "plain")
    await stage.telegram_called("getupdates", calls)


async def _telegram_hands_out(stage: Stage) -> None:
    first = await stage.crowd.quiet("telegram")
    calls = await stage.hold_telegram("getupdates", None, taken=True)
    await stage.crowd.ask(first, "brief")
    await stage.telegram_called("getupdates", calls)
    await stage.crowd.ask(await stage.crowd.quiet("telegram"), "plain")
    await stage.telegram.state()


async def _telegram_again(stage: Stage) -> None:
    room = await stage.crowd.quiet("telegram")
    await stage.crowd.ask(room, "plain")
    await stage.crowd.repeat(room)
    await stage.telegram.wait(MOMENT, holding=True)


async def _telegram_corrects(stage: Stage) -> None:
    room = await stage.crowd.quiet("telegram")
    question = await stage.ask_held(room, "plain", hold="correction", hold_after=1)
    await stage.model_at(question.markers[0], 2)
    await stage.crowd.correct(room)
    await stage.model_at(question.markers[-1], 1)


# Discord: what is written.


async def _discord_write(stage: Stage, route: str, kind: str, *, taken: bool) -> None:
    room = await stage.crowd.quiet("discord")
    calls = await stage.hold_discord(route, room, taken=taken)
    await stage.crowd.ask(room, kind)
    await stage.discord_called(route, calls, room)


async def _discord_last_edit(stage: Stage, *, taken: bool) -> None:
    room = await stage.crowd.quiet("discord")
    question = await stage.ask_held(room, "plain", hold="end", hold_after=LENGTHS["plain"] - 1)
    await stage.discord.wait(MOMENT, channel=room.id, contains=f"{question.markers[0]} word1")
    calls = await stage.hold_discord("edit_message", room, taken=taken)
    stage.model.release("end")
    await stage.discord_called("edit_message", calls, room)


async def _discord_second_message(stage: Stage) -> None:
    room = await stage.crowd.quiet("discord")
    calls = int((await stage.discord.state())["calls"])
    await stage.ask_held(room, "huge", hold="first half", hold_after=100)
    await stage.discord.wait(MOMENT, channel=room.id, route="create_message", since=calls, status=200)
    calls = await stage.hold_discord("create_message", room, taken=True)
    stage.model.release("first half")
    await stage.discord_called("create_message", calls, room)


async def _discord_command(stage: Stage) -> None:
    room = await stage.crowd.quiet("discord")
    calls = await stage.hold_discord("create_message", room, taken=True)
    await stage.crowd.command(room)
    await stage.discord_called("create_message", calls, room)


# Discord: what comes in.


async def _discord_dispatched(stage: Stage) -> None:
    """The gateway has sent the event; whether it was read nobody knows."""
    await stage.crowd.ask(await stage.crowd.quiet("discord"), "plain")


async def _discord_deaf(stage: Stage) -> None:
    room = await stage.crowd.quiet("discord")
    await stage.discord.socket("silent")
    await stage.crowd.ask(room, "plain")


async def _discord_resumes(stage: Stage) -> None:
    room = await stage.crowd.quiet("discord")
    resumed = (await stage.discord.counts()).get("resume", 0)
    await stage.discord.socket("drop")
    await stage.crowd.ask(room, "plain")
    await stage.discord.wait(MOMENT, counted="resume", count=resumed + 1)


async def _discord_forgotten(stage: Stage) -> None:
    """The session is gone: the next life has to read what was said meanwhile."""
    await stage.discord.socket("forget")
    await stage.discord.socket("drop")
    await stage.crowd.ask(await stage.crowd.quiet("discord"), "plain")


async def _discord_again(stage: Stage) -> None:
    room = await stage.crowd.quiet("discord")
    await stage.crowd.ask(room, "plain")
    await stage.crowd.repeat(room)


# The model.


async def _model(stage: Stage, channel: str, at: int, **what: object) -> None:
    room = await stage.crowd.quiet(channel)
    question = await stage.ask_held(room, "plain", **what)
    await stage.model_at(question.markers[0], at)


async def _model_fails(stage: Stage) -> None:
    room = await stage.crowd.quiet("discord")
    question = await stage.ask_held(room, "plain", gap=0.01, fault="reset", after=6)
    await stage.model_at(question.markers[0], 2)


# The process and its store.


async def _kept(stage: Stage, table: str) -> None:
    """A row is written that was not there before."""
    path = stage.daemon.home / "data" / "firstword.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:

        def count() -> int:
            return int(store.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

        before = count()
        await stage.crowd.ask(await stage.crowd.quiet("telegram", is_group=True), "long")
        async with asyncio.timeout(MOMENT):
            while count() <= before:
                await asyncio.sleep(0.002)


async def _drains(stage: Stage) -> None:
    room = await stage.crowd.quiet("discord")
    question = await stage.ask_held(room, "plain", hold="drain", hold_after=4)
    await stage.model_at(question.markers[0], 2)
    stage.daemon.send(signal.SIGTERM)
    await stage.daemon.logged("draining")


async def _stops_twice(stage: Stage) -> None:
    await _drains(stage)
    stage.daemon.send(signal.SIGTERM)


async def _backup(stage: Stage) -> None:
    """A copy of the store is being made."""
    await stage.crowd.ask(await stage.crowd.quiet("telegram"), "long")
    target = stage.daemon.home / f"copy-{len(stage.copies)}.db"
    database = stage.daemon.home / "data" / "firstword.db"
    stage.copies.append(asyncio.create_task(asyncio.to_thread(backup.create, database, target)))


async def _checkpoint(stage: Stage) -> None:
    """The write-ahead log is being copied into the file; the process stands still in the middle of it."""
    room = next(each for each in stage.crowd.rooms if each.channel == "telegram" and not each.is_group)
    watch = asyncio.create_task(asyncio.to_thread(stand_still, stage.daemon.pid, stage.daemon.home, MOMENT))
    try:
        while not watch.done():  # a correction that changes nothing is a write
            question = room.questions[-1]
            text = f"{question.kind} {question.markers[-1]}"
            edits = [
                stage.telegram.edit(int(room.id), int(question.message), text) for _ in range(WRITES // 10)
            ]
            await asyncio.gather(*edits)
    finally:
        is_there = await watch
    if not is_there:
        raise TimeoutError("no checkpoint was seen")


# Letting in.


async def _asks_to_be_let_in(stage: Stage, *, taken: bool) -> None:
    room = await strangers.come(stage)
    calls = await stage.hold_telegram("sendmessage", room, taken=taken)
    await strangers.knock(stage, room)
    await stage.telegram_called("sendmessage", calls, room)


async def _approved(stage: Stage, *, kept: bool) -> None:
    """Somebody types a code; whether it is `kept` that its owner is let in is what differs."""
    room = await strangers.come(stage)
    await strangers.knock(stage, room)
    code = await strangers.code_of(stage, room)
    stage.calls.append(asyncio.create_task(stage.daemon.ask("pairing.approve", code=code)))
    await asyncio.sleep(0)
    if kept:
        await stage.daemon.kept(f"access_grant WHERE sender = '{room.id}'", 1)


async def _ready(_: Stage) -> None:
    """The process has just said that it is ready: what was unfinished is being taken up."""


async def _recovers(stage: Stage) -> None:
    """What a kill left is asked again."""
    room = await stage.crowd.quiet("discord")
    question = await stage.ask_held(room, "long", hold="recovery", hold_after=3)
    await stage.model_at(question.markers[0], 2)
    await stage.daemon.kill()
    stage.hold_model(question.markers[0], "long", hold="recovery", hold_after=1)
    asked = len(stage.model.marks())
    await stage.daemon.start()
    async with asyncio.timeout(MOMENT):
        while not any(each[0] == question.markers[0] for each in stage.model.marks()[asked:]):
            await asyncio.sleep(0.005)


async def _starts(stage: Stage) -> None:
    """A process is on its way up and is not ready."""
    await stage.crowd.ask(await stage.crowd.quiet("telegram"), "plain")
    await stage.daemon.kill()
    starting = asyncio.create_task(stage.daemon.start())
    await asyncio.sleep(stage.dice.uniform(0.3, 1.1))
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)


def _of(moment: Callable[..., Awaitable[None]], *given: object, **more: object) -> Moment:
    return functools.partial(_call, moment, given, more)


async def _call(
    moment: Callable[..., Awaitable[None]], given: tuple[object, ...], more: dict[str, object], stage: Stage
) -> None:
    await moment(stage, *given, **more)


POINTS: dict[str, Moment] = {
    "telegram has the only message of an answer, does not say so": _of(
        _telegram_write, "sendmessage", "brief", taken=True
    ),
    "telegram was sent the only message and has not taken it": _of(
        _telegram_write, "sendmessage", "brief", taken=False
    ),
    "telegram has a draft, does not say so": _of(_telegram_write, "sendmessagedraft", "long", taken=True),
    "telegram was sent a draft and has not taken it": _of(
        _telegram_write, "sendmessagedraft", "long", taken=False
    ),
    "telegram has the first words in a group, does not say so": _of(
        _telegram_write, "sendmessage", "long", is_group=True, taken=True
    ),
    "telegram was sent the first words in a group and has not taken them": _of(
        _telegram_write, "sendmessage", "long", is_group=True, taken=False
    ),
    "telegram has an edit, does not say so": _of(
        _telegram_write, "editmessagetext", "long", is_group=True, taken=True
    ),
    "telegram was sent an edit and has not taken it": _of(
        _telegram_write, "editmessagetext", "long", is_group=True, taken=False
    ),
    "telegram has the last edit, does not say so": _of(_telegram_last_edit, taken=True),
    "telegram was sent the last edit and has not taken it": _of(_telegram_last_edit, taken=False),
    "telegram has the second message of a long answer, does not say so": _telegram_second_message,
    "telegram shows typing": _telegram_types,
    "telegram has a command's answer, does not say so": _of(_telegram_command, taken=True),
    "telegram was sent a command's answer and has not taken it": _of(_telegram_command, taken=False),
    "telegram was told that a message arrived and has not taken it": _of(_telegram_confirms, taken=False),
    "telegram has taken that a message arrived, does not say so": _of(_telegram_confirms, taken=True),
    "telegram hands a message out, it is on its way": _telegram_hands_out,
    "telegram offers a message twice": _telegram_again,
    "a question is corrected while it is answered": _telegram_corrects,
    "discord has the first words, does not say so": _of(_discord_write, "create_message", "long", taken=True),
    "discord was sent the first words and has not taken them": _of(
        _discord_write, "create_message", "long", taken=False
    ),
    "discord has the only message of an answer, does not say so": _of(
        _discord_write, "create_message", "brief", taken=True
    ),
    "discord has an edit, does not say so": _of(_discord_write, "edit_message", "long", taken=True),
    "discord was sent an edit and has not taken it": _of(_discord_write, "edit_message", "long", taken=False),
    "discord has the last edit, does not say so": _of(_discord_last_edit, taken=True),
    "discord was sent the last edit and has not taken it": _of(_discord_last_edit, taken=False),
    "discord has the second message of a long answer, does not say so": _discord_second_message,
    "discord has a command's answer, does not say so": _discord_command,
    "discord has sent an event": _discord_dispatched,
    "discord says nothing any more": _discord_deaf,
    "discord is asked to go on with a session": _discord_resumes,
    "discord has forgotten the session": _discord_forgotten,
    "discord offers an event twice": _discord_again,
    "the model was asked": _of(_model, "telegram", 1, hold="asked", hold_after=0, headers_late=True),
    "the model's first word came": _of(_model, "telegram", 2, hold="first", hold_after=1),
    "the model is in the middle of an answer": _of(_model, "discord", 2, hold="middle", hold_after=8),
    "the model's last word came, not its end": _of(
        _model, "discord", 2, hold="last", hold_after=LENGTHS["plain"]
    ),
    "the model's stream broke off": _model_fails,
    "the store holds a new question": _of(_kept, "inbox"),
    "the store holds a new message of an answer": _of(_kept, "part"),
    "the store holds a whole answer that is not shown as one": _of(_kept, "turn WHERE state <> 'open'"),
    "the process was asked to end and drains": _drains,
    "the process was asked to end twice": _stops_twice,
    "a backup is written": _backup,
    "the store's log is worked off": _checkpoint,
    "telegram has a stranger's code, does not say so": _of(_asks_to_be_let_in, taken=True),
    "telegram was sent a stranger's code and has not taken it": _of(_asks_to_be_let_in, taken=False),
    "a stranger's code is typed": _of(_approved, kept=False),
    "a stranger is let in, who typed the code does not know": _of(_approved, kept=True),
    "the process has just become ready": _ready,
    "what the last kill left is asked again": _recovers,
    "the process is starting": _starts,
}
"""Every named moment."""
