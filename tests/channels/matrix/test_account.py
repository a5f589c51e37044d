"""Signing in and out: tokens, passwords, devices, the probe; no secret anywhere it does not belong."""

from __future__ import annotations

import asyncio
import logging
import stat
from pathlib import Path

import orjson
import pytest

from channels.base import Level
from channels.errors import NotAuthorized
from channels.matrix import SPEC
from channels.matrix.channel import MatrixChannel
from tests.channels.matrix.hosts import QUICK, KeepingHost, address, running, settings
from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.person import Person
from tests.channels.matrix.peer.relay import Relay

# A real server: people are registered, passwords hashed.
pytestmark = [pytest.mark.slow, pytest.mark.asyncio]


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    return KeepingHost(tmp_path)


async def test_a_password_is_used_once_and_the_device_stays(
    relay: Relay, home: Home, bot: Account, host: KeepingHost
) -> None:
    for _ in range(3):
        async with running(bot, relay, host, password=bot.password):
            pass
    logins = [r for r in relay.requests if r.path.endswith("/login") and r.method == "POST"]
    assert len(logins) == 1
    file = host.folder / "login.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = orjson.loads(file.read_bytes())
    devices = {device["device_id"] for device in await home.admin.devices(bot.id)}
    assert devices == {bot.device, kept["device_id"]}
    assert set(kept) == {"homeserver", "user_id", "device_id", "token"}


async def test_a_device_that_was_deleted_is_replaced_where_there_is_a_password(
    relay: Relay, home: Home, bot: Account, host: KeepingHost
) -> None:
    async with running(bot, relay, host, password=bot.password):
        pass
    old = orjson.loads((host.folder / "login.json").read_bytes())["device_id"]
    await home.admin.log_out(bot.id, old)
    async with running(bot, relay, host, password=bot.password):
        pass
    new = orjson.loads((host.folder / "login.json").read_bytes())["device_id"]
    assert new != old
    assert not [file for file in (host.folder / "keys").iterdir() if old in file.name]


async def test_a_soft_logout_keeps_the_device(relay: Relay, bot: Account, host: KeepingHost) -> None:
    """Spec, Soft logout: the token is dead, the device and its keys are not."""
    async with running(bot, relay, host, password=bot.password):
        pass
    old = orjson.loads((host.folder / "login.json").read_bytes())["device_id"]
    body = {"errcode": "M_UNKNOWN_TOKEN", "error": "expired", "soft_logout": True}
    relay.answer_next(401, body, lambda request: request.path.endswith("/whoami"))
    async with running(bot, relay, host, password=bot.password):
        pass
    assert orjson.loads((host.folder / "login.json").read_bytes())["device_id"] == old


async def test_a_refusal_in_front_of_the_homeserver_costs_neither_the_login_nor_the_keys(
    relay: Relay, bot: Account, host: KeepingHost
) -> None:
    """A proxy that wants a password of its own for a moment speaks no Matrix."""
    async with running(bot, relay, host, password=bot.password):
        pass
    old = orjson.loads((host.folder / "login.json").read_bytes())["device_id"]
    relay.answer_next(401, {}, lambda request: request.path.endswith("/whoami"))
    async with running(bot, relay, host, password=bot.password):
        relay.answer_next(401, {}, lambda request: request.path.endswith("/sync"))
        await host.until(lambda: "reconnected" in host.signals)
    assert orjson.loads((host.folder / "login.json").read_bytes())["device_id"] == old


async def test_a_wrong_password_stops_the_account(relay: Relay, bot: Account, host: KeepingHost) -> None:
    channel = MatrixChannel("main", settings(bot, relay, password="nonsense"), host, timing=QUICK)
    async with asyncio.timeout(20):
        with pytest.raises(NotAuthorized, match="password"):
            await channel.run()


async def test_a_token_that_is_revoked_stops_the_account(
    relay: Relay, home: Home, bot: Account, alice: Person, host: KeepingHost
) -> None:
    channel = MatrixChannel("main", settings(bot, relay), host, timing=QUICK)
    task = asyncio.create_task(channel.run())
    await host.until(lambda: (True, "") in host.states)
    await home.admin.log_out(bot.id, bot.device)
    async with asyncio.timeout(20):
        with pytest.raises(NotAuthorized):
            await task
    assert host.states[-1][0] is False
    with pytest.raises(NotAuthorized):
        await MatrixChannel("main", settings(bot, relay), host, timing=QUICK).run()


async def test_a_token_of_somebody_else_stops_the_account(
    relay: Relay, home: Home, bot: Account, alice: Person, host: KeepingHost
) -> None:
    channel = MatrixChannel("main", settings(bot, relay, userId=alice.id), host, timing=QUICK)
    with pytest.raises(NotAuthorized, match="another user"):
        await channel.run()


async def test_a_homeserver_that_is_away_at_the_start_is_waited_for(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    await relay.refuse()
    task = asyncio.create_task(MatrixChannel("main", settings(bot, relay), host, timing=QUICK).run())
    try:
        await host.until(lambda: any(not is_online for is_online, _ in host.states))
        await relay.refuse(is_on=False)
        await host.until(lambda: (True, "") in host.states)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_sync_that_makes_no_sense_is_survived(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    async with running(bot, relay, host):
        room = await alice.create_room(bot.id, is_direct=True)
        await alice.until_member(room, bot.id)
        for reply in ({}, {"next_batch": 5}, {"errcode": "M_UNKNOWN"}):
            relay.answer_next(200, reply, lambda request: request.path.endswith("/sync"))
        relay.answer_next(502, {}, lambda request: request.path.endswith("/sync"))
        await alice.say(room, "one")
        await alice.say(room, "two")
        messages = await host.until_messages(2)
        assert [message.text for message in messages] == ["one", "two"]


async def test_no_secret_and_no_word_reaches_a_log(
    relay: Relay,
    bot: Account,
    alice: Person,
    host: KeepingHost,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(bot, relay, host) as channel:
        room = await alice.create_room(bot.id, is_direct=True)
        await alice.until_member(room, bot.id)
        await alice.say(room, "the word xyzzy")
        await host.until_messages(1)
        await channel.send(address(room), "answer plugh", "key-0")
        relay.drop_all()
        await alice.say(room, "again xyzzy")
        await host.until_messages(2)
        assert bot.token not in repr(channel) + repr(settings(bot, relay)) + str(vars(channel))
    printed = caplog.text + "".join(capsys.readouterr())
    assert bot.token not in printed
    assert "xyzzy" not in printed
    assert "plugh" not in printed


async def test_the_probe_finds_what_is_right_and_what_is_wrong(
    relay: Relay, home: Home, bot: Account, alice: Person
) -> None:
    assert SPEC.probe is not None
    good = await SPEC.probe("main", settings(bot, relay))
    assert {finding.level for finding in good} == {Level.OK}
    with_password = await SPEC.probe("main", settings(bot, relay, password=bot.password))
    assert {finding.level for finding in with_password} == {Level.OK}
    for wrong in ({"userId": alice.id}, {"deviceId": "OTHER"}, {"accessToken": "nonsense"}):
        found = await SPEC.probe("main", settings(bot, relay, **wrong))
        assert Level.PROBLEM in {finding.level for finding in found}
        assert bot.token not in str(found)
    await relay.refuse()
    away = await SPEC.probe("main", settings(bot, relay))
    assert away[0].level is Level.PROBLEM
