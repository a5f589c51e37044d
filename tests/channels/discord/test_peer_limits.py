"""The fake server's rate limits and the trouble that can be ordered."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.channels.discord.peer.client import Peer
from tests.channels.discord.peer.raw import Raw


async def test_five_messages_and_five_edits_in_five_seconds_in_each_channel(peer: Peer, raw: Raw) -> None:
    path = f"/channels/{peer.channel}/messages"
    answers = [await raw("POST", path, {"content": str(number)}) for number in range(6)]
    _, body, headers = answers[-1]
    assert [(status, figures["X-RateLimit-Remaining"]) for status, _, figures in answers] == [
        (200, "4"),
        (200, "3"),
        (200, "2"),
        (200, "1"),
        (200, "0"),
        (429, "0"),
    ]
    assert body["message"] == "You are being rate limited." and body["global"] is False
    assert 4 < body["retry_after"] <= 5 and headers["Retry-After"] == "5"
    assert (headers["X-RateLimit-Scope"], headers["Via"], headers["X-RateLimit-Limit"]) == (
        "user",
        "1.1 google",
        "5",
    )
    one = (await peer.messages())[0]["id"]
    edits = [(await raw("PATCH", f"{path}/{one}", {"content": str(n)}))[0] for n in range(6)]
    assert edits == [200] * 5 + [429]
    assert (await raw("POST", f"/channels/{peer.bot.dm}/messages", {"content": "elsewhere"}))[0] == 200
    assert (await raw("POST", path, {"content": "another bot"}, bot=peer.bots[1]))[0] == 200
    await peer.advance(5)
    assert (await raw("POST", path, {"content": "again"}))[0] == 200
    assert (await peer.state())["invalid_requests"] == 2


async def test_the_bucket_is_named_alike_for_all_channels(peer: Peer, raw: Raw) -> None:
    names = {
        (await raw("POST", f"/channels/{place}/messages", {"content": "x"}))[2]["X-RateLimit-Bucket"]
        for place in (peer.channel, peer.bot.dm)
    }
    assert len(names) == 1


async def test_fifty_requests_a_second_for_a_bot_in_all(peer: Peer, raw: Raw) -> None:
    await peer.limits(global_rate=5)
    for _ in range(5):
        await raw.result("GET", "/users/@me")
    status, body, headers = await raw("GET", "/users/@me")
    assert (status, body["global"], headers["X-RateLimit-Global"]) == (429, True, "true")
    assert headers["X-RateLimit-Scope"] == "global"
    assert (await raw("POST", "/interactions/1/x/callback", {"type": 5}))[0] == 404
    await peer.advance(1)
    await raw.result("GET", "/users/@me")


async def test_too_many_invalid_requests_are_answered_by_the_edge_without_via(peer: Peer, raw: Raw) -> None:
    await peer.limits(invalid_limit=3)
    for _ in range(3):
        assert (await raw("GET", "/users/@me", headers={"Authorization": "Bot wrong"}))[0] == 401
    status, _, headers = await raw("GET", "/users/@me")
    assert status == 429 and "Via" not in headers
    assert headers["Content-Type"].startswith("text/plain")
    await peer.advance(601)
    await raw.result("GET", "/users/@me")


async def test_limits_can_be_taken_away_and_changed(peer: Peer, raw: Raw) -> None:
    await peer.limits(enabled=False)
    for number in range(8):
        _, _, headers = await raw("POST", f"/channels/{peer.channel}/messages", {"content": str(number)})
        assert int(headers["X-RateLimit-Remaining"]) > 0
    await peer.limits(enabled=True, buckets={"create_message": [1, 60.0]})
    await peer.advance(60)
    await raw.send("one", peer.bot.dm)
    assert (await raw("POST", f"/channels/{peer.bot.dm}/messages", {"content": "two"}))[2][
        "Retry-After"
    ] == "60"


async def test_a_429_can_be_ordered_with_and_without_via(peer: Peer, raw: Raw) -> None:
    path = f"/channels/{peer.channel}/messages"
    await peer.fault("create_message", rate_limit={"retry_after": 1.25, "scope": "shared"})
    status, body, headers = await raw("POST", path, {"content": "x"})
    assert (status, body["retry_after"], headers["Via"]) == (429, 1.25, "1.1 google")
    await peer.fault("create_message", rate_limit={"retry_after": 2, "via": False})
    _, _, headers = await raw("POST", path, {"content": "x"})
    assert "Via" not in headers
    assert (await raw("POST", path, {"content": "x"}))[0] == 200
    assert (await peer.state())["invalid_requests"] == 1


async def test_an_answer_can_be_lost_while_the_message_stands(peer: Peer, raw: Raw) -> None:
    await peer.fault("create_message", drop="after")
    with pytest.raises(aiohttp.ClientError):
        await raw.send("stands")
    assert await peer.texts() == ["stands"]
    await peer.fault("create_message", drop="before")
    with pytest.raises(aiohttp.ClientError):
        await raw.send("does not")
    assert await peer.texts() == ["stands"]
    assert [one["status"] for one in await peer.calls("create_message")] == [-1, -1]


async def test_other_trouble_can_be_ordered(peer: Peer, raw: Raw) -> None:
    path = f"/channels/{peer.channel}/messages"
    await peer.fault("create_message", status=502)
    status, _, headers = await raw("POST", path, {"content": "x"})
    assert (status, headers["Content-Type"].split(";")[0]) == (502, "text/html")
    await peer.fault("create_message", error=[403, 50013, "Missing Permissions"])
    assert (await raw.refused("POST", path, {"content": "x"}))[:2] == (403, 50013)
    await peer.fault("create_message", times=2, malformed=True)
    async with raw.session.post(
        peer.api_url + path, json={"content": "y"}, headers={"Authorization": f"Bot {peer.token}"}
    ) as response:
        assert not (await response.read()).endswith(b"}")
    await peer.control("clear_faults")
    assert (await raw("POST", path, {"content": "z"}))[0] == 200


async def test_a_slow_edit_is_made_all_the_same_and_a_hanging_one_ends_with_the_world(
    peer: Peer, raw: Raw
) -> None:
    one = await raw.send("before")
    path = f"/channels/{peer.channel}/messages/{one['id']}"
    await peer.fault("edit_message", hold=True, delay_after=0.01)
    slow = asyncio.create_task(raw("PATCH", path, {"content": "after"}))
    await peer.wait(route="edit_message", arrived=True)
    assert await peer.texts() == ["before"]
    await peer.release()
    assert (await slow)[0] == 200
    assert await peer.texts() == ["after"]
    await peer.fault("edit_message", hang=True)
    hanging = asyncio.create_task(raw("PATCH", path, {"content": "never"}))
    await peer.wait(route="edit_message", status=-2)
    await peer.reset()
    assert (await hanging)[0] in {200, 404}
