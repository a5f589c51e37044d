"""The webhook: who is let in, and when Telegram is told that an update is safe."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from channels.events import Message
from channels.telegram.timing import Timing
from channels.telegram.webhook import MAX_BODY, secret_of
from tests.channels.telegram.hosts import QUICK, KeepingHost, running, settings
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
HOOK = "https://bot.example.org"
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
    async with listening(peer, host, secret="s" * 40) as url, aiohttp.ClientSession() as session:
        name = "X-Telegram-Bot-Api-Secret-Token"
        wrong: list[list[tuple[str, str]]] = [
            [],
            [(name, "")],
            [(name, "s" * 39)],
            [(name, "s" * 41)],
            [(name, "s" * 39 + "t")],
            [(name, "s" * 40), (name, "s" * 40)],
            [(name, "ß" * 40)],
        ]
        for headers in wrong:
            async with session.post(url, json=update, headers=headers) as response:
                assert response.status == 401
        async with session.post(
            url, data=io.BytesIO(b"x" * (MAX_BODY + 1)), headers={name: "s" * 40}
        ) as response:
            assert response.status == 413
        assert host.events == [] and host.signals["request_refused"] == len(wrong) + 1
        async with session.post(url, data=b"{no json", headers={name: "s" * 40}) as response:
            assert response.status == 200
        async with session.post(url, json=update, headers={name: "s" * 40}) as response:
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
