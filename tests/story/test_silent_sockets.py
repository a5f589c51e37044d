"""Each channel's connection falls silent while it looks open; its adapter does not notice, the daemon's watch does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bot.alerts import Alerts
from bot.plugins import discover
from bot.settings import AccountSettings
from bot.supervisor import Supervisor
from channels.markup import words
from providers.fake import FakeProvider
from tests.faults.proxy import Proxy, Trouble, open_proxy
from tests.story.inside import inside
from tests.story.places import PLACES, Place

# Each starts a server of the channel; a line that is dead takes a farewell of some seconds.
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("channel", PLACES)]

SILENCE = 2.5
"""Far below what the adapters' own watches take, so that it is not they who find it."""

_ADDRESSES = {"telegram": "baseUrl", "discord": "gateway", "matrix": "homeserver"}
_HEARTBEATS = {"discord": {"heartbeat": 0.3}, "slack": {"ping": 0.3}}
_POLLS: Mapping[str, Mapping[str, Any]] = {"telegram": {"pollSeconds": 1}, "matrix": {"pollSeconds": 1}}


@asynccontextmanager
async def half_open(place: Place) -> AsyncIterator[tuple[Mapping[str, Any], Proxy | None]]:
    """The account's settings over a line that can fall silent; None where the peer itself falls silent."""
    key = _ADDRESSES.get(place.channel)
    if key is None:
        yield place.account, None
        return
    url = urlsplit(place.account[key])
    assert url.port is not None
    async with open_proxy(url.port) as proxy:
        through = url._replace(netloc=f"127.0.0.1:{proxy.port}").geturl()
        yield {**place.account, key: through}, proxy


async def fall_silent(place: Place, proxy: Proxy | None) -> None:
    """Lines that stand bring nothing any more; lines that are made from now on are well."""
    if proxy is None:
        server = place.person.server  # type: ignore[attr-defined]
        await server.control("deafen", mute=True)
        return
    proxy.trouble = Trouble(silent_after=0)
    passed = proxy.passed
    await place.person.say("into the void")
    await asyncio.sleep(0.3)
    while not proxy.silent:  # what stands is so from the first byte on that it swallowed
        await asyncio.sleep(0.02)
    assert proxy.passed == passed
    await proxy.heal()


async def test_a_half_open_connection_is_made_anew_and_nothing_is_lost(
    channel: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(PLACES[channel](request.getfixturevalue))
        given, proxy = await stack.enter_async_context(half_open(place))
        if (beat := _HEARTBEATS.get(channel)) is not None:
            await place.person.server.settings(**beat)  # type: ignore[attr-defined]
        model = FakeProvider("one")  # an echo
        world = await stack.enter_async_context(inside(tmp_path, model))
        spec = replace(discover().channel(channel), silence=SILENCE)
        own = {**{key: value for key, value in given.items() if key != "allow"}, **_POLLS.get(channel, {})}
        row = AccountSettings(channel, "main", spec, spec.settings.model_validate(own), allow=("*",))
        account = world.app.open_account(row)
        keeper = Supervisor(time.monotonic, time.time, Alerts(time.monotonic), first=0.05)
        task = asyncio.create_task(keeper.keep(account))
        stack.callback(task.cancel)
        async with asyncio.timeout(60):
            while not account.is_online:
                await asyncio.sleep(0.02)
            await until_answered(place, "anybody")
            life = account.life
            await fall_silent(place, proxy)
            await until_answered(place, "hello")
        asked = " ".join(line.text for each in model.asked for line in each.request.messages)
        assert ("void" in asked) is (proxy is not None)
        assert account.life > life
        task.cancel()
        await asyncio.wait((task,))


async def until_answered(place: Place, word: str) -> None:
    """The person says it, and the bot's echo of it stands there."""
    await place.person.say(word)
    while not any(word in words(each) for each in await place.person.seen()):
        await asyncio.sleep(0.05)
