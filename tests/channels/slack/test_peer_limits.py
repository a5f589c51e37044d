"""The fake Slack's rate limits: by method, by channel where Slack says so, with Retry-After."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.channels.slack.peer.client import Peer
from tests.channels.slack.peer.limits import LIMITS, Meter
from tests.channels.slack.peer.raw import Raw

DM = "D0000001"
OTHER = "D0000002"


@pytest_asyncio.fixture
async def raw(peer: Peer) -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as session:
        await peer.say(DM, "hello")
        await peer.say(OTHER, "hello", user="U0PERSON02")
        yield Raw(peer, session)


async def test_a_channel_takes_a_short_burst_and_then_one_message_a_second(peer: Peer, raw: Raw) -> None:
    for _ in range(4):
        await raw.result("chat.postMessage", channel=DM, text="x")
    assert await raw.refused("chat.postMessage", channel=DM, text="x") == "ratelimited"
    await raw.result("chat.postMessage", channel=OTHER, text="x")
    [call] = [call for call in await peer.calls("chat.postMessage") if call["error"]]
    assert call["retry_after"] == 1 and call["status"] == 429
    await peer.advance(1)
    await raw.result("chat.postMessage", channel=DM, text="x")


@pytest.mark.parametrize(("method", "a_minute"), [("chat.update", 50), ("chat.appendStream", 100)])
async def test_edits_and_appends_are_counted_in_the_whole_workspace(
    peer: Peer, raw: Raw, method: str, a_minute: int
) -> None:
    said = (await peer.say(DM, "hello"))["ts"]
    if method == "chat.update":
        ts = (await raw.result("chat.postMessage", channel=DM, text="x"))["ts"]
    else:
        ts = (await raw.result("chat.startStream", channel=DM, thread_ts=said))["ts"]
    taken = 0
    while (await raw(method, channel=DM, ts=ts, markdown_text="x"))[0] == 200:
        taken += 1
    assert taken == a_minute // 4
    refused = (await peer.calls(method))[-1]
    assert refused["retry_after"] == pytest.approx(60 / a_minute, abs=1) and refused["retry_after"] >= 1


async def test_a_minute_of_tier_2_starts_twenty_streams(peer: Peer, raw: Raw) -> None:
    said = (await peer.say(DM, "hello"))["ts"]
    taken = 0
    for _ in range(60):
        taken += (await raw("chat.startStream", channel=DM, thread_ts=said))[0] == 200
        await peer.advance(1)
    assert 20 <= taken <= 25


async def test_limits_can_be_changed_and_lifted(peer: Peer, raw: Raw) -> None:
    await peer.control("limits", method="chat.update", per_minute=60, burst=1)
    ts = (await raw.result("chat.postMessage", channel=DM, text="x"))["ts"]
    await raw.result("chat.update", channel=DM, ts=ts, text="y")
    assert await raw.refused("chat.update", channel=DM, ts=ts, text="z") == "ratelimited"
    await peer.control("limits", enabled=False)
    await raw.result("chat.update", channel=DM, ts=ts, text="z")


async def test_the_sdk_raises_at_once_and_tells_how_long_to_wait(peer: Peer, raw: Raw) -> None:
    await peer.fault("chat.postMessage", retry_after=9)
    client = AsyncWebClient(token=peer.bot_token, base_url=peer.base_url)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=DM, text="x")
    assert caught.value.response["error"] == "ratelimited" and caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "9"


@given(
    st.sampled_from(sorted(LIMITS)),
    st.lists(st.floats(0, 20), min_size=1, max_size=400),
)
def test_no_minute_ever_takes_more_than_the_tier_and_a_burst(method: str, gaps: list[float]) -> None:
    meter, limit = Meter(), LIMITS[method]
    now, taken = 1000.0, []
    for gap in gaps:
        now += gap
        wait = meter.refuse(method, DM, now)
        if wait is None:
            taken.append(now)
        else:
            assert wait >= 1
    for first in taken:
        assert len([at for at in taken if first <= at < first + 60]) <= limit.per_minute + limit.burst


@given(st.sampled_from(sorted(LIMITS)))
def test_who_waits_as_long_as_told_is_let_in(method: str) -> None:
    meter, now = Meter(), 1000.0
    while (wait := meter.refuse(method, DM, now)) is None:
        pass
    assert meter.refuse(method, DM, now + wait) is None
