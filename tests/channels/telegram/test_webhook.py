"""The webhook: who is let in, and when Telegram is told that an update is safe."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bot.server import Health, open_servers
from channels.events import Message
from channels.telegram.channel import TelegramChannel
from channels.telegram.parse import WANTED
from channels.telegram.timing import Timing
from channels.telegram.webhook import MAX_BODY, secret_of
from tests.channels.telegram.hosts import QUICK, KeepingHost, running, settings
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
HOOK = "https://bot.example.org"
HOOK_SECRET = "made-for-this-test-and_nothing-else-0001"
PATIENT = Timing()


def texts(host: KeepingHost) -> list[str]:
    return [event.text for event in host.events if isinstance(event, Message)]


@asynccontextmanager
async def listening(
    peer: Peer, host: KeepingHost, timing: Timing = PATIENT, **hook: Any
) -> AsyncIterator[str]:
    """A channel in webhook mode with its route served, as the daemon would; Telegram is told the local address."""
    webhook = {"url": HOOK, **hook}
    async with running(peer, host, timing, webhook=webhook) as channel:
        [route] = channel.routes()
        assert route.is_public
        app = web.Application()
        app.router.add_route(route.method, route.path, route.handler)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}{route.path}"
        finally:
            await runner.cleanup()


async def move_hook(peer: Peer, url: str, secret: str) -> None:
    """Let the fake deliver to the local listener: what a reverse proxy does outside."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{peer.base_url}/bot{peer.token}/setWebhook", json={"url": url, "secret_token": secret}
        ) as response,
    ):
        assert response.status == 200


async def test_webhook_updates_arrive_in_order_and_are_confirmed_when_durable(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    async with listening(peer, host) as url:
        [call] = await peer.calls("setWebhook")
        assert call["args"]["url"] == f"{HOOK}/telegram/main"
        secret = call["args"]["secret_token"]
        assert len(secret) >= 32 and secret != peer.token
        await move_hook(peer, url, secret)
        said = await peer.say_all([{"chat": CHAT, "text": str(number)} for number in range(10)])
        await peer.wait(confirmed=said[-1]["update_id"])
    assert texts(host) == [str(number) for number in range(10)]
    assert await peer.calls("getUpdates") == []


async def test_a_webhook_without_room_is_asked_again(peer: Peer, host: KeepingHost) -> None:
    refusals = iter([False, False])
    host.room = lambda _: next(refusals, True)
    async with listening(peer, host) as url:
        await move_hook(peer, url, (await peer.calls("setWebhook"))[0]["args"]["secret_token"])
        said = await peer.say(CHAT, "let me in")
        await peer.wait(webhook_errors=2)
        await peer.wait(confirmed=said["update_id"])
    assert texts(host) == ["let me in"]


async def test_a_webhook_call_without_the_secret_is_refused_before_it_is_read(
    peer: Peer, host: KeepingHost
) -> None:
    update = {
        "update_id": 1,
        "message": {"message_id": 1, "date": 1, "text": "x", "chat": {"id": 1}, "from": {"id": 1}},
    }
    async with listening(peer, host, secret=HOOK_SECRET) as url, aiohttp.ClientSession() as session:
        name = "X-Telegram-Bot-Api-Secret-Token"
        wrong: list[list[tuple[str, str]]] = [
            [],
            [(name, "")],
            [(name, HOOK_SECRET[:-1])],
            [(name, HOOK_SECRET + "s")],
            [(name, HOOK_SECRET[:-1] + "t")],
            [(name, HOOK_SECRET), (name, HOOK_SECRET)],
            [(name, "ß" * 40)],
        ]
        for headers in wrong:
            async with session.post(url, json=update, headers=headers) as response:
                assert response.status == 401
        too_long = io.BytesIO(b"x" * (MAX_BODY + 1))
        given = {name: HOOK_SECRET, "Content-Type": "application/json"}
        async with session.post(url, data=too_long, headers=given) as response:
            assert response.status == 413
        assert host.events == [] and host.signals["request_refused"] == len(wrong) + 1
        async with session.post(url, data=b"{no json", headers=given) as response:
            assert response.status == 200
        async with session.post(url, json=update, headers={name: HOOK_SECRET}) as response:
            assert response.status == 200
    assert len(host.events) == 1 and host.signals["event_malformed"] == 1


async def test_a_webhook_that_somebody_changed_is_set_again(peer: Peer, host: KeepingHost) -> None:
    async with listening(peer, host, QUICK):
        await move_hook(peer, "https://elsewhere.example.org/x", "t" * 32)
        await peer.wait(method="setWebhook", count=3)
        assert (await peer.state())["webhook"]["url"] == f"{HOOK}/telegram/main"
    assert host.signals["conflict"] >= 1


def test_the_made_secret_depends_on_the_token_and_the_address(peer: Peer) -> None:
    one = settings(peer, webhook={"url": HOOK})
    other = settings(peer, webhook={"url": "https://other.example.org/path/"})
    assert one.webhook is not None and other.webhook is not None
    secrets = {
        secret_of(one.webhook, peer.token, "main"),
        secret_of(one.webhook, peer.token + "x", "main"),
        secret_of(other.webhook, peer.token, "main"),
    }
    assert len(secrets) == 3 and all(len(secret) == 64 for secret in secrets)


async def test_behind_the_shared_listener_updates_survive_restarts_and_strangers_are_refused(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    """As the daemon serves it: nothing but the route of the account is on the public listener."""
    health = Health(ready=lambda: None, metrics=lambda: (b"", "text/plain"))
    anywhere = ("127.0.0.1", 0)
    hosts = [host, KeepingHost(tmp_path)]
    hosts[1].cursors = host.cursors
    for number, one in enumerate(hosts):
        await peer.say(CHAT, f"while it was down {number}")
        channel = TelegramChannel("main", settings(peer, webhook={"url": HOOK}), one)
        async with open_servers(channel.routes(), health, anywhere, anywhere) as listening_on:
            assert listening_on.public is not None
            task = asyncio.create_task(channel.run())
            [call, *_] = await peer.wait(method="setWebhook", count=1 + 3 * number)
            assert set(call["args"]["allowed_updates"]) == set(WANTED)
            assert not call["args"].get("drop_pending_updates")
            await move_hook(peer, f"{listening_on.public}/telegram/main", call["args"]["secret_token"])
            await one.until(lambda one=one, number=number: len(texts(one)) == 1 + number)  # type: ignore[misc]
            await _refuses_strangers(listening_on.public, call["args"]["secret_token"])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await peer.say(CHAT, "nobody listens")
            await peer.wait(webhook_errors=1 + number)  # 503: Telegram keeps it and tries again
            await move_hook(peer, "http://127.0.0.1:9/", "x" * 32)
    assert [texts(one) for one in hosts] == [
        ["while it was down 0"],
        ["nobody listens", "while it was down 1"],
    ]


async def _refuses_strangers(address: str, secret: str) -> None:
    name = "X-Telegram-Bot-Api-Secret-Token"
    tries = [
        ("/telegram/main", "POST", {}, 401),
        ("/telegram/main", "POST", {name: secret + "x"}, 401),
        ("/telegram/main", "GET", {name: secret}, 405),
        ("/telegram/other", "POST", {name: secret}, 404),
        ("/healthz", "GET", {}, 404),
        ("/", "GET", {}, 404),
    ]
    async with aiohttp.ClientSession() as session:
        for path, method, headers, status in tries:
            async with session.request(method, address + path, json={}, headers=headers) as response:
                assert response.status == status, path
