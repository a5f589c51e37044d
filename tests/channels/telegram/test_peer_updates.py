"""How the fake Bot API server gives updates out: getUpdates and webhooks."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web

from tests.channels.telegram.peer.client import Peer
from tests.channels.telegram.raw import Raw

CHAT = 4711
GROUP = -1001234567890


@pytest.mark.slow
async def test_updates_are_dropped_below_the_offset_and_limited(peer: Peer, raw: Raw) -> None:
    """Slow: an empty poll is held for at least a whole second."""
    said = await peer.say_all([{"chat": CHAT, "text": str(number)} for number in range(5)])
    first = said[0]["update_id"]

    async def ids(**args: Any) -> list[int]:
        return [update["update_id"] - first for update in await raw.result("getUpdates", **args)]

    assert await ids(limit=2) == [0, 1]
    assert await ids(offset=first + 3) == [3, 4]
    assert await ids(offset=first) == [3, 4]
    assert await ids(offset=first + 1_000_000) == [3, 4]
    assert await ids(offset=-1) == [4]
    assert await ids(offset=first + 5, timeout=1) == []


async def test_a_poll_is_held_until_an_update_comes(peer: Peer, raw: Raw) -> None:
    held = asyncio.create_task(raw.result("getUpdates", timeout=20))
    await peer.wait(holding=True)
    await peer.say(CHAT, "now")
    [update] = await held
    assert update["message"]["text"] == "now"


async def test_a_second_poller_ends_the_first_with_a_conflict(peer: Peer, raw: Raw) -> None:
    first = asyncio.create_task(raw("getUpdates", timeout=20))
    await peer.wait(holding=True)
    second = asyncio.create_task(raw("getUpdates", timeout=20))
    status, body = await first
    assert status == 409 and "terminated by other getUpdates request" in body["description"]
    await peer.say(CHAT, "for the second")
    assert (await second)[0] == 200


async def test_only_wanted_kinds_are_queued(peer: Peer, raw: Raw) -> None:
    message = (await peer.say(CHAT, "x"))["message_id"]
    assert await peer.control("react", chat=CHAT, message_id=message, new=["👍"]) == 0
    await raw.result("getUpdates", allowed_updates=["message_reaction"])
    assert await peer.control("react", chat=CHAT, message_id=message, new=["👍"]) > 0
    assert (await peer.say(CHAT, "not wanted now"))["update_id"] == 0


async def test_a_webhook_gets_each_update_with_the_secret_until_it_says_yes(peer: Peer, raw: Raw) -> None:
    seen: list[tuple[str, str | None]] = []

    async def hook(request: web.Request) -> web.Response:
        update = orjson.loads(await request.read())
        seen.append((update["message"]["text"], request.headers.get("X-Telegram-Bot-Api-Secret-Token")))
        return web.Response(status=500 if len(seen) < 3 else 200)

    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        assert "unallowed" in await raw.refused(
            "setWebhook", url="https://x.example", secret_token="no spaces"
        )
        assert "HTTPS" in await raw.refused("setWebhook", url="ftp://x.example")
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        await raw.result("setWebhook", url=url, secret_token="sesame")
        said = await peer.say_all([{"chat": CHAT, "text": "one"}, {"chat": CHAT, "text": "two"}])
        await peer.wait(confirmed=said[1]["update_id"])
        info = await raw.result("getWebhookInfo")
        assert info["url"] == url and "500" in info["last_error_message"]
    finally:
        await raw.result("deleteWebhook")
        await runner.cleanup()
    assert seen == [("one", "sesame")] * 3 + [("two", "sesame")]
