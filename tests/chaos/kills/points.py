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
from tests.chaos.kills.rooms import LENGTHS, rules
from tests.chaos.kills.sides import MOMENT
from tests.chaos.kills.stage import Stage

Moment = Callable[[Stage], Awaitable[None]]


# What is written, anywhere.


async def _write(
    stage: Stage, channel: str, call: str, kind: str, *, is_group: bool = False, taken: bool
) -> None:
    side, room = stage.side(channel), await stage.crowd.quiet(channel, is_group=is_group)
    calls = await side.hold(call, room, taken=taken)
    await stage.crowd.ask(room, kind)
    await side.called(call, calls, room)


async def _last_write(stage: Stage, channel: str, call: str, *, is_group: bool = False, taken: bool) -> None:
    side, room = stage.side(channel), await stage.crowd.quiet(channel, is_group=is_group)
    end = f"end {stage.crowd.said}"  # what was let go once holds nothing any more
    question = await stage.ask_held(room, "plain", hold=end, hold_after=LENGTHS["plain"] - 1)
    await side.reads(room, f"{question.markers[0]} word1")
    calls = await side.hold(call, room, taken=taken)
    stage.model.release(end)
    await side.called(call, calls, room)


async def _second_message(
    stage: Stage, channel: str, call: str, kind: str, *, is_group: bool = False, first: str = ""
) -> None:
    """`first`: the call that shows the first one, where it is another."""
    side, room = stage.side(channel), await stage.crowd.quiet(channel, is_group=is_group)
    calls = await side.calls()
    half = f"first half {stage.crowd.said}"
    await stage.ask_held(room, kind, hold=half, hold_after=100)
    await side.called(first or call, calls, room, answered=True)
    calls = await side.hold(call, room, taken=True)
    stage.model.release(half)
    await side.called(call, calls, room)


async def _command(stage: Stage, channel: str, call: str, *, taken: bool) -> None:
    side, room = stage.side(channel), await stage.crowd.quiet(channel)
    calls = await side.hold(call, room, taken=taken)
    await stage.crowd.command(room)
    await side.called(call, calls, room)


async def _types(stage: Stage, channel: str, call: str) -> None:
    side, room = stage.side(channel), await stage.crowd.quiet(channel)
    calls = await side.hold(call, room, taken=True)
    await stage.ask_held(room, "plain", hold="typing", hold_after=0)
    await side.called(call, calls, room)


async def _again(stage: Stage, channel: str) -> None:
    room = await stage.crowd.quiet(channel)
    await stage.crowd.ask(room, "plain")
    await stage.crowd.repeat(room)


async def _corrects(stage: Stage, channel: str, words: int) -> None:
    """After so many words of an answer: none, where a stream takes none back."""
    room = await stage.crowd.quiet(channel)
    question = await stage.ask_held(room, "plain", hold="correction", hold_after=words)
    await stage.model_at(question.markers[0], 2 if words else 1)
    await stage.crowd.correct(room)
    await stage.model_at(question.markers[-1], 1)


async def _sent_out(stage: Stage, channel: str) -> None:
    """The platform has sent the event; whether it was read nobody knows."""
    await stage.crowd.ask(await stage.crowd.quiet(channel), "plain")


# Telegram: what comes in.


async def _telegram_confirms(stage: Stage, *, taken: bool) -> None:
    room = await stage.crowd.quiet("telegram")
    calls = await stage.side("telegram").hold("getupdates", None, taken=taken)
    await stage.crowd.ask(room, "plain")
    await stage.side("telegram").called("getupdates", calls)


async def _telegram_hands_out(stage: Stage) -> None:
    first = await stage.crowd.quiet("telegram")
    calls = await stage.side("telegram").hold("getupdates", None, taken=True)
    await stage.crowd.ask(first, "brief")
    await stage.side("telegram").called("getupdates", calls)
    await stage.crowd.ask(await stage.crowd.quiet("telegram"), "plain")
    await stage.telegram.state()


async def _telegram_again(stage: Stage) -> None:
    await _again(stage, "telegram")
    await stage.telegram.wait(MOMENT, holding=True)


# Discord: what comes in.


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


# Slack: what is written, and what comes in.


async def _slack_streams_again(stage: Stage) -> None:
    """The process ends a second time at the same stream: two of which nobody knows."""
    side, room = stage.side("slack"), await stage.crowd.quiet("slack", is_group=False)
    calls = await side.hold("chat.startStream", room, taken=True)
    await stage.crowd.ask(room, "long")
    await side.called("chat.startStream", calls, room)
    await stage.daemon.kill()
    calls = await side.hold("chat.startStream", room, taken=True)
    await stage.daemon.start()
    await side.called("chat.startStream", calls, room)


async def _slack_takes_up(stage: Stage, call: str, *, taken: bool) -> None:
    """The stream of a life that is over is written over by the next one."""
    side, room = stage.side("slack"), await stage.crowd.quiet("slack", is_group=False)
    question = await stage.ask_held(room, "plain", hold="stream", hold_after=6)
    await side.reads(room, question.markers[0])
    (shown,) = [each.id for each in await side.seen(room) if question.markers[0] in each.text]
    await stage.daemon.kept(f"part WHERE message_id = '{shown}'", 1)
    await stage.daemon.kill()
    calls = await side.hold(call, room, taken=taken)
    stage.model.script(*rules())
    await stage.daemon.start()
    await side.called(call, calls, room)


async def _slack_acknowledged(stage: Stage) -> None:
    """The event was taken, and Slack knows it."""
    room = await stage.crowd.quiet("slack", is_group=False)
    told = len(await stage.slack.deliveries(event="message"))
    await stage.crowd.ask(room, "plain")
    (one, *_) = (await stage.slack.deliveries(event="message"))[told:]
    await stage.slack.wait(MOMENT, acked=1, event_id=one["event_id"])


async def _slack_hears_no_acknowledgement(stage: Stage) -> None:
    """It offers the event again, although it was taken."""
    await stage.slack.settings(ack=0.0)
    question = await stage.crowd.ask(await stage.crowd.quiet("slack", is_group=False), "plain")
    await stage.model_at(question.markers[0], 1)


async def _slack_deaf(stage: Stage) -> None:
    room = await stage.crowd.quiet("slack", is_group=False)
    await stage.slack.control("deafen", mute=True)
    await stage.crowd.ask(room, "plain")


async def _slack_cut(stage: Stage) -> None:
    room = await stage.crowd.quiet("slack")
    opened = int((await stage.slack.state())["opened"])
    await stage.slack.drop_sockets()
    await stage.crowd.ask(room, "plain")
    await stage.slack.wait(MOMENT, sockets=1, opened=opened + 1)


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
    calls = await stage.side("telegram").hold("sendmessage", room, taken=taken)
    await strangers.knock(stage, room)
    await stage.side("telegram").called("sendmessage", calls, room)


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
        _write, "telegram", "sendmessage", "brief", taken=True
    ),
    "telegram was sent the only message and has not taken it": _of(
        _write, "telegram", "sendmessage", "brief", taken=False
    ),
    "telegram has a draft, does not say so": _of(_write, "telegram", "sendmessagedraft", "long", taken=True),
    "telegram was sent a draft and has not taken it": _of(
        _write, "telegram", "sendmessagedraft", "long", taken=False
    ),
    "telegram has the first words in a group, does not say so": _of(
        _write, "telegram", "sendmessage", "long", is_group=True, taken=True
    ),
    "telegram was sent the first words in a group and has not taken them": _of(
        _write, "telegram", "sendmessage", "long", is_group=True, taken=False
    ),
    "telegram has an edit, does not say so": _of(
        _write, "telegram", "editmessagetext", "long", is_group=True, taken=True
    ),
    "telegram was sent an edit and has not taken it": _of(
        _write, "telegram", "editmessagetext", "long", is_group=True, taken=False
    ),
    "telegram has the last edit, does not say so": _of(
        _last_write, "telegram", "editmessagetext", is_group=True, taken=True
    ),
    "telegram was sent the last edit and has not taken it": _of(
        _last_write, "telegram", "editmessagetext", is_group=True, taken=False
    ),
    "telegram has the second message of a long answer, does not say so": _of(
        _second_message, "telegram", "sendmessage", "huge", is_group=True
    ),
    "telegram shows typing": _of(_types, "telegram", "sendchataction"),
    "telegram has a command's answer, does not say so": _of(_command, "telegram", "sendmessage", taken=True),
    "telegram was sent a command's answer and has not taken it": _of(
        _command, "telegram", "sendmessage", taken=False
    ),
    "telegram was told that a message arrived and has not taken it": _of(_telegram_confirms, taken=False),
    "telegram has taken that a message arrived, does not say so": _of(_telegram_confirms, taken=True),
    "telegram hands a message out, it is on its way": _telegram_hands_out,
    "telegram offers a message twice": _telegram_again,
    "a question is corrected while it is answered": _of(_corrects, "telegram", 1),
    "discord has the first words, does not say so": _of(
        _write, "discord", "create_message", "long", taken=True
    ),
    "discord was sent the first words and has not taken them": _of(
        _write, "discord", "create_message", "long", taken=False
    ),
    "discord has the only message of an answer, does not say so": _of(
        _write, "discord", "create_message", "brief", taken=True
    ),
    "discord has an edit, does not say so": _of(_write, "discord", "edit_message", "long", taken=True),
    "discord was sent an edit and has not taken it": _of(
        _write, "discord", "edit_message", "long", taken=False
    ),
    "discord has the last edit, does not say so": _of(_last_write, "discord", "edit_message", taken=True),
    "discord was sent the last edit and has not taken it": _of(
        _last_write, "discord", "edit_message", taken=False
    ),
    "discord has the second message of a long answer, does not say so": _of(
        _second_message, "discord", "create_message", "huge"
    ),
    "discord has a command's answer, does not say so": _of(_command, "discord", "create_message", taken=True),
    "discord has sent an event": _of(_sent_out, "discord"),
    "discord says nothing any more": _discord_deaf,
    "discord is asked to go on with a session": _discord_resumes,
    "discord has forgotten the session": _discord_forgotten,
    "discord offers an event twice": _of(_again, "discord"),
    "slack has begun a stream, does not say so": _of(_write, "slack", "chat.startStream", "long", taken=True),
    "slack was asked for a stream and has not begun it": _of(
        _write, "slack", "chat.startStream", "long", taken=False
    ),
    "slack has begun a stream twice, did not say so": _slack_streams_again,
    "slack has more of a stream, does not say so": _of(
        _write, "slack", "chat.appendStream", "long", taken=True
    ),
    "slack was sent more of a stream and has not taken it": _of(
        _write, "slack", "chat.appendStream", "long", taken=False
    ),
    "slack has ended a stream, does not say so": _of(_last_write, "slack", "chat.stopStream", taken=True),
    "slack was asked to end a stream and has not": _of(_last_write, "slack", "chat.stopStream", taken=False),
    "slack has what follows a full stream, does not say so": _of(
        _second_message, "slack", "chat.postMessage", "vast", first="chat.startStream"
    ),
    "slack has closed the stream of a life that is over, does not say so": _of(
        _slack_takes_up, "chat.stopStream", taken=True
    ),
    "slack was asked to close the stream of a life that is over and has not": _of(
        _slack_takes_up, "chat.stopStream", taken=False
    ),
    "slack was sent what is to stand for a broken stream and has not taken it": _of(
        _slack_takes_up, "chat.update", taken=False
    ),
    "slack has the only message of an answer, does not say so": _of(
        _write, "slack", "chat.postMessage", "brief", is_group=True, taken=True
    ),
    "slack has the first words in a channel, does not say so": _of(
        _write, "slack", "chat.postMessage", "long", is_group=True, taken=True
    ),
    "slack was sent the first words in a channel and has not taken them": _of(
        _write, "slack", "chat.postMessage", "long", is_group=True, taken=False
    ),
    "slack has an edit, does not say so": _of(
        _write, "slack", "chat.update", "long", is_group=True, taken=True
    ),
    "slack was sent an edit and has not taken it": _of(
        _write, "slack", "chat.update", "long", is_group=True, taken=False
    ),
    "slack has the last edit, does not say so": _of(
        _last_write, "slack", "chat.update", is_group=True, taken=True
    ),
    "slack was sent the last edit and has not taken it": _of(
        _last_write, "slack", "chat.update", is_group=True, taken=False
    ),
    "slack has the second message of a long answer, does not say so": _of(
        _second_message, "slack", "chat.postMessage", "vast", is_group=True
    ),
    "slack shows a status line": _of(_types, "slack", "assistant.threads.setStatus"),
    "slack has a command's answer, does not say so": _of(_command, "slack", "chat.postMessage", taken=True),
    "slack was sent a command's answer and has not taken it": _of(
        _command, "slack", "chat.postMessage", taken=False
    ),
    "slack has sent an event": _of(_sent_out, "slack"),
    "slack knows that an event was taken": _slack_acknowledged,
    "slack does not hear that an event was taken": _slack_hears_no_acknowledgement,
    "slack offers an event twice": _of(_again, "slack"),
    "slack says nothing any more": _slack_deaf,
    "slack has cut the connection and has a new one": _slack_cut,
    "a question at slack is corrected before it is answered": _of(_corrects, "slack", 0),
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
