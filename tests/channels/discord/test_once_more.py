"""What comes a second time, late or while there is no room: in its order, once, and without harm to what stands."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from channels.discord.channel import DiscordChannel
from channels.errors import Unavailable
from channels.events import Event, Message
from tests.channels.discord.hosts import QUICK, KeepingHost, running
from tests.channels.discord.peer.client import Peer
from tests.channels.discord.test_interactions import asked
from tests.channels.discord.world import channel, host

__all__ = ["channel", "host"]


def says(event: Event, *texts: str) -> bool:
    return isinstance(event, Message) and event.text in texts


async def test_a_message_without_room_is_not_overtaken_in_its_channel(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    offered: list[str] = []

    def room(event: Event) -> bool:
        offered.append(event.text if isinstance(event, Message) else "")
        return not says(event, "one") or "elsewhere" in offered

    host.room = room
    for text in ("one", "two"):
        await peer.say(text, channel=peer.bot.dm)
    await peer.say("elsewhere")
    await host.texts(3)
    assert [one.text for one in host.of(Message) if one.text != "elsewhere"] == ["one", "two"]


@asynccontextmanager
async def killed_after(peer: Peer, host: KeepingHost) -> AsyncIterator[DiscordChannel]:
    """A process of which nothing is stored that comes after this; the session is resumed from here."""
    async with running(peer, host) as channel:
        await peer.say("before", channel=peer.bot.dm)
        await host.texts(1)
        await host.until(lambda: "seen" in host.cursors)
        kept = dict(host.cursors)
        yield channel
    host.cursors = kept


async def test_a_command_that_comes_again_after_a_restart_keeps_its_answer(
    peer: Peer, host: KeepingHost
) -> None:
    shift = [0.0]
    async with killed_after(peer, host) as first:
        number, message = await asked(peer, host)
        sent = await first.send(message.address, "the answer", "turn-0")
    async with running(peer, host, wall=lambda: time.time() + shift[0]) as fresh:
        await host.until(lambda: f"i:{number}" in host.doubles)
        await fresh.edit(message.address, sent.id, "the whole answer")
        other, _ = await asked(peer, host)
        await peer.wait(interaction=other, state="deferred")
        shift[0] = 845.0
        await peer.wait(route="delete_original", status=204)
    assert await peer.texts(peer.bot.dm) == ["the whole answer"]


async def test_what_follows_an_answer_from_before_a_restart_does_not_write_over_it(
    peer: Peer, host: KeepingHost
) -> None:
    async with killed_after(peer, host) as first:
        number, message = await asked(peer, host)
        await first.send(message.address, "first part", "turn-0")
    async with running(peer, host) as fresh:
        await host.until(lambda: f"i:{number}" in host.doubles)
        await fresh.send(message.address, "second part", "turn-1")
    assert await peer.texts(peer.bot.dm) == ["first part", "second part"]


async def missed(peer: Peer, host: KeepingHost) -> None:
    """Two messages that no session brings."""
    async with running(peer, host):
        await peer.say("before", channel=peer.bot.dm)
        await host.texts(1)
        await host.until(lambda: "seen" in host.cursors)
    for text in ("one", "two"):
        await peer.say(text, channel=peer.bot.dm)
    await peer.socket("forget")


async def test_missed_messages_for_which_there_is_no_room_wait_for_it(peer: Peer, host: KeepingHost) -> None:
    await missed(peer, host)
    loop_time, until = time.monotonic, [0.0]
    host.room = lambda _: bool(until[0]) and loop_time() > until[0]
    async with running(peer, host, replace(QUICK, backfill=0.2)):
        await peer.wait(route="history", status=200)
        until[0] = loop_time() + 0.6
        await peer.say("live", channel=peer.bot.dm)
        await host.until(lambda: any(says(event, "live") for event in host.events))
        assert await host.texts(4) == ["before", "one", "two", "live"]


async def test_a_restart_while_missed_messages_are_fetched_loses_none(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    await missed(peer, host)
    fresh = KeepingHost(tmp_path)
    host.room = lambda event: not says(event, "one", "two")
    async with running(peer, host):
        await peer.wait(route="history", status=200)
    fresh.cursors = host.cursors
    async with running(peer, fresh):
        await peer.say("live", channel=peer.bot.dm)
        await fresh.until(lambda: any(says(event, "live") for event in fresh.events))
        assert await fresh.texts(3) == ["one", "two", "live"]
    assert (await peer.counts()).get("resumed", 0) == 0  # what is resumed brings nothing from before it began


async def test_a_follow_up_in_flight_at_a_restart_stands_once(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host) as first:
        number, message = await asked(peer, host)
        await first.send(message.address, "first part", "turn-0")
        await peer.fault("follow_up", drop="after")
        with pytest.raises(Unavailable):
            await first.send(message.address, "second part", "turn-1")
    async with running(peer, host) as fresh:
        await fresh.send(message.address, "second part", "turn-1")
        await fresh.send(message.address, "third part", "turn-2")
    followups = (await peer.interaction(number))["followups"]
    assert [one["content"] for one in followups] == ["second part", "third part"]
