"""Accounts: intents that are off, two bots in one process, what the probe finds, secrets, and twenty lost connections."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from channels.base import Level
from channels.delivery import open_reply
from channels.discord import SPEC, DiscordSettings
from channels.discord.channel import DiscordChannel
from channels.discord.probe import probe
from channels.events import Message
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from tests.channels.discord.hosts import QUICK, KeepingHost, direct, group, running, settings, until_online
from tests.channels.discord.peer.client import Peer
from tests.channels.discord.world import channel, host

__all__ = ["channel", "host"]

PLACE = "https://discord.com/developers/applications/{id}/bot"


# -- intents


async def offline_because(host: KeepingHost, words: str) -> None:
    async with asyncio.timeout(30):
        while words not in host.reason:
            await asyncio.sleep(0.01)


async def test_a_missing_intent_is_told_with_its_place_and_mends_itself(
    peer: Peer, host: KeepingHost
) -> None:
    await peer.control("grant", intents=[])
    channel = DiscordChannel("main", settings(peer), host, timing=QUICK)
    running = asyncio.create_task(channel.run())
    try:
        await offline_because(host, PLACE.format(id=peer.bot.id))
        assert "Message Content is off" in host.reason
        assert (await peer.counts()).get("identify", 0) == 0
        await peer.control("grant", intents=["message_content"])
        await until_online(host)
        await peer.say("hello", channel=peer.bot.dm)
        assert await host.texts(1) == ["hello"]
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_gateway_that_refuses_the_intent_all_the_same_is_told_too(
    peer: Peer, host: KeepingHost
) -> None:
    """4014, while the flags say otherwise: tried again after some minutes."""
    await peer.control("next_socket", disallow=1)
    channel = DiscordChannel("main", settings(peer), host, timing=QUICK)
    running = asyncio.create_task(channel.run())
    try:
        await offline_because(host, PLACE.format(id=peer.bot.id))
        await until_online(host)
        assert (await peer.counts())["identify"] >= 1
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_without_the_intent_mentions_and_direct_chats_have_words(peer: Peer, host: KeepingHost) -> None:
    await peer.control("grant", intents=[])
    async with running(peer, host, messageContent=False):
        await peer.say("nobody reads this")
        await peer.say(f"{peer.mention()} but this")
        await peer.say("and this", channel=peer.bot.dm)
        assert await host.texts(2) == ["but this", "and this"]


# -- two bots


async def test_two_bots_in_one_process_hear_and_answer_for_themselves(peer: Peer, tmp_path: Path) -> None:
    one, two = KeepingHost(tmp_path), KeepingHost(tmp_path)
    first, second = peer.bots
    async with (
        running(peer, one, account="one", bot=first) as a,
        running(peer, two, account="two", bot=second) as b,
    ):
        await peer.say("to the first", channel=first.dm)
        await peer.say("to the second", channel=second.dm)
        await a.send(direct(first.dm, "one"), "from the first", "turn-0")
        await b.send(direct(second.dm, "two"), "from the second", "turn-0")
        assert await one.texts(1) == ["to the first"]
        assert await two.texts(1) == ["to the second"]
        assert {str(message.address.key) for message in (*one.of(Message), *two.of(Message))} == {
            f"discord:one:{first.dm}",
            f"discord:two:{second.dm}",
        }
    assert await peer.texts(first.dm) == ["from the first"]
    assert await peer.texts(second.dm) == ["from the second"]


async def test_two_accounts_may_talk_to_two_servers(peer: Peer, tmp_path: Path) -> None:
    """Nothing of an address is kept for the whole process, as it is in the library."""
    import discord.gateway
    import discord.http

    before = (discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY)
    async with running(peer, KeepingHost(tmp_path)):
        assert before == (discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY)
    assert "127.0.0.1" not in str(before)


# -- lost connections


@pytest.mark.slow  # twenty connections are lost and made again
async def test_twenty_lost_connections_lose_nothing_and_leave_one_whole_answer(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    loop = asyncio.get_running_loop()
    where = direct(peer.bot.dm)
    async with open_reply(channel, where, MemoryJournal(), Budgets(), clock=loop.time) as reply:
        for number in range(20):
            reply.write(f"word{number} ")
            await peer.socket("drop")
            await peer.say(f"question {number}", channel=peer.bot.dm)
            await peer.wait(counted="resumed", count=number + 1)
        await reply.finish()
    assert await host.texts(20) == [f"question {number}" for number in range(20)]
    assert host.doubles == []
    assert await peer.texts(peer.bot.dm) == [" ".join(f"word{number}" for number in range(20))]
    assert (await peer.counts())["identify"] == 1
    assert host.signals["reconnected"] == 20


@pytest.mark.slow  # as above, over REST
async def test_lost_answers_to_edits_leave_one_whole_answer(peer: Peer, channel: DiscordChannel) -> None:
    loop = asyncio.get_running_loop()
    await peer.fault("create_message", drop="after")
    await peer.fault("edit_message", times=4, drop="after")
    async with open_reply(channel, group(peer.channel), MemoryJournal(), Budgets(), clock=loop.time) as reply:
        for number in range(30):
            reply.write(f"word{number} ")
            await asyncio.sleep(0.05)
        delivery = await reply.finish()
    assert await peer.texts() == [" ".join(f"word{number}" for number in range(30))]
    assert len(delivery.message_ids) == 1


# -- the probe


async def levels(peer: Peer, **more: Any) -> dict[str, str]:
    """What each finding says, by its words."""
    found = await probe("main", settings(peer, **more))
    assert all(peer.token not in f"{one.what}{one.remedy}" for one in found)
    return {one.what: one.level for one in found}


async def test_the_probe_finds_everything_in_order(peer: Peer) -> None:
    found = await levels(peer)
    assert set(found.values()) == {Level.OK}
    assert len(found) == 4
    assert "1000 of 1000 session starts are left today" in found
    assert (await peer.counts()).get("identify", 0) == 0


async def test_the_probe_names_the_page_for_a_missing_intent(peer: Peer) -> None:
    await peer.control("grant", intents=[])
    found = await probe("main", settings(peer))
    (problem,) = [one for one in found if one.level is Level.PROBLEM]
    assert PLACE.format(id=peer.bot.id) in problem.remedy
    assert Level.WARNING in (await levels(peer, messageContent=False)).values()


async def test_the_probe_tells_a_refused_token_and_an_unreachable_server(peer: Peer) -> None:
    await peer.control("revoke")
    assert await levels(peer) == {"Discord does not accept the token": Level.PROBLEM}
    found = await levels(peer, apiBase="http://127.0.0.1:9/api/v10")
    assert list(found.values()) == [Level.PROBLEM]


async def test_the_probe_tells_that_starts_run_out_and_that_the_gateway_is_closed(peer: Peer) -> None:
    await peer.settings(session_starts=0)
    assert Level.WARNING in (await levels(peer)).values()
    found = await levels(peer, gateway="ws://127.0.0.1:9/gateway")
    assert found["The gateway cannot be reached"] is Level.PROBLEM


# -- settings and secrets


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "123"},
        {"token": "a.b.c"},
        {"apiBase": "ftp://example.org"},
        {"gateway": "https://example.org"},
        {"guildMessages": "some"},
        {"backfill": {"maxAge": -1}},
        {"unknown": 1},
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    token = "MTAwMDAwMDAwMDAwMDAwMDAx.GabcdE." + "x" * 38
    with pytest.raises(ValidationError) as caught:
        DiscordSettings.model_validate({"token": token, **wrong})
    assert token not in str(caught.value)


def test_a_token_is_taken_as_it_is_pasted() -> None:
    token = "MTAwMDAwMDAwMDAwMDAwMDAx.GabcdE." + "x" * 38
    found = DiscordSettings.model_validate({"token": f" Bot {token}\n"})
    assert found.token.get_secret_value() == token
    assert token not in repr(found)
    assert SPEC.environment == {"DISCORD_BOT_TOKEN": "token"}


async def test_no_secret_is_ever_logged(
    peer: Peer, host: KeepingHost, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        async with running(peer, host) as channel:
            await peer.wait(route="put_commands", status=200)
            await peer.fault("callback", times=2, drop="before")
            await peer.command("help", channel=peer.bot.dm)
            message = await host.first(Message)
            tried = channel.send(message.address, "x", "turn-0")
            error = (await asyncio.gather(tried, return_exceptions=True))[0]
            await peer.socket("drop")
            await peer.wait(counted="resumed")
            shown = f"{channel!r} {error!r} {host.states} {host.signals}"
    everything = f"{lines} {caplog.text} {capsys.readouterr()} {shown}"
    assert peer.token not in everything
    token = message.address.handle.rpartition(":")[2]
    assert len(token) > 20
    assert token not in everything
