"""The fake Slack's streams: start, appends, stop, and the end that comes before the stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.channels.slack.peer.client import Peer
from tests.channels.slack.peer.raw import Raw

DM = "D0000001"
PUBLIC = "C0000001"
PERSON = "U0PERSON01"
RETRY = {
    "type": "actions",
    "elements": [{"type": "button", "action_id": "retry", "text": {"type": "plain_text", "text": "Retry"}}],
}
GONE = "message_not_in_streaming_state"


@pytest_asyncio.fixture
async def raw(peer: Peer) -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as session:
        yield Raw(peer, session)


async def started(peer: Peer, raw: Raw, text: str = "one ") -> dict[str, Any]:
    """A stream in a direct message: the arguments that every later call needs."""
    said = await peer.say(DM, "hello")
    found = await raw.result("chat.startStream", channel=DM, thread_ts=said["ts"], markdown_text=text)
    return {"channel": DM, "ts": found["ts"]}


async def test_a_stream_grows_and_ends_with_blocks_and_metadata(peer: Peer, raw: Raw) -> None:
    stream = await started(peer, raw)
    await raw.result("chat.appendStream", **stream, markdown_text="two ")
    chunks = [{"type": "markdown_text", "text": "**three**"}]
    await raw.result("chat.appendStream", **stream, chunks=chunks)
    mark = {"event_type": "turn", "event_payload": {"key": "1"}}
    body = await raw.result("chat.stopStream", **stream, markdown_text=".", blocks=[RETRY], metadata=mark)
    assert body["message"]["text"] == "one two *three*." and body["message"]["metadata"] == mark
    [seen] = await peer.messages(DM)
    assert seen["shown"] == "one two **three**." and seen["state"] == "completed"
    assert [one["action_id"] for one in seen["buttons"]] == ["retry"] and seen["thread"] is not None
    for method in ("chat.appendStream", "chat.stopStream"):
        assert await raw.refused(method, **stream, markdown_text="x") == GONE


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({}, "missing_recipient_team_id"),
        ({"recipient_team_id": "T0PEER0001"}, "missing_recipient_user_id"),
        ({"recipient_team_id": "T0PEER0001", "recipient_user_id": "U9"}, "user_not_found"),
        ({"recipient_team_id": "T9", "recipient_user_id": PERSON}, "team_not_found"),
    ],
)
async def test_a_stream_in_a_channel_names_whom_it_is_for(
    peer: Peer, raw: Raw, args: dict[str, str], error: str
) -> None:
    where = {"channel": PUBLIC, "thread_ts": (await peer.say(PUBLIC, "hello"))["ts"]}
    assert await raw.refused("chat.startStream", **where, **args) == error
    whom = {"recipient_team_id": peer.team, "recipient_user_id": PERSON}
    await raw.result("chat.startStream", **where, **whom)


async def test_a_stream_needs_a_thread_text_and_its_own_message(peer: Peer, raw: Raw) -> None:
    said = (await peer.say(DM, "hello"))["ts"]
    assert await raw.refused("chat.startStream", channel=DM) == "invalid_arguments"
    assert await raw.refused("chat.startStream", channel=DM, thread_ts="1.000001") == "thread_not_found"
    stream = await started(peer, raw)
    assert await raw.refused("chat.appendStream", **stream) == "no_text"
    assert await raw.refused("chat.appendStream", **stream, markdown_text="x" * 12_001) == "msg_too_long"
    assert await raw.refused("chat.appendStream", **stream, chunks=[{"type": "odd"}]) == "invalid_chunks"
    assert await raw.refused("chat.stopStream", **stream, blocks=[RETRY] * 51) == "invalid_blocks"
    assert await raw.refused("chat.update", **stream, text="x") == "streaming_state_conflict"
    theirs = {"channel": DM, "ts": said, "markdown_text": "x"}
    assert await raw.refused("chat.appendStream", **theirs) == "message_not_owned_by_app"
    await raw.result("chat.appendStream", **stream, markdown_text="still open")


@pytest.mark.parametrize("how", ["age", "idle", "closed"])
async def test_a_stream_that_slack_ends_keeps_its_text_and_can_be_updated(
    peer: Peer, raw: Raw, how: str
) -> None:
    stream = await started(peer, raw)
    if how == "age":
        await peer.advance(200)
        await raw.result("chat.appendStream", **stream, markdown_text="two")
        await peer.advance(101)
    elif how == "idle":
        await peer.settings(stream_idle=60)
        await raw.result("chat.appendStream", **stream, markdown_text="two")
        await peer.advance(61)
    else:
        await raw.result("chat.appendStream", **stream, markdown_text="two")
        await peer.control("close_stream", channel=DM)
    assert await raw.refused("chat.appendStream", **stream, markdown_text="three") == GONE
    assert await raw.refused("chat.stopStream", **stream, blocks=[RETRY]) == GONE
    assert [m["shown"] for m in await peer.messages(DM)] == ["one two"]
    await raw.result("chat.update", **stream, markdown_text="one two three")
    [seen] = await peer.messages(DM)
    assert seen["shown"] == "one two three" and seen["state"] == "completed"


async def test_a_person_may_stop_a_stream(peer: Peer, raw: Raw) -> None:
    stream = await started(peer, raw)
    await peer.control("close_stream", by_user=True)
    assert await raw.refused("chat.appendStream", **stream, markdown_text="x") == "stopped_by_user"


async def test_a_stop_alone_may_be_refused(peer: Peer, raw: Raw) -> None:
    stream = await started(peer, raw)
    await peer.fault("chat.stopStream", error=GONE)
    assert await raw.refused("chat.stopStream", **stream) == GONE
    await raw.result("chat.stopStream", **stream)


async def test_a_streams_message_can_vanish_under_it(peer: Peer, raw: Raw) -> None:
    stream = await started(peer, raw)
    await peer.delete(DM, stream["ts"])
    assert await raw.refused("chat.appendStream", **stream, markdown_text="x") == "message_not_found"
    assert await raw.refused("chat.update", **stream, markdown_text="x") == "message_not_found"


async def test_the_sdks_helper_streams_and_keeps_its_buffer_when_the_stream_ends(peer: Peer) -> None:
    said = await peer.say(DM, "hello")
    client = AsyncWebClient(token=peer.bot_token, base_url=peer.base_url)
    stream = await client.chat_stream(channel=DM, thread_ts=said["ts"], buffer_size=4)
    await stream.append(markdown_text="abc")
    assert await peer.calls("chat.") == []
    await stream.append(markdown_text="def")
    await stream.append(markdown_text="ghij")
    await peer.advance(301)
    with pytest.raises(SlackApiError, match=GONE):
        await stream.append(markdown_text="klmn")
    with pytest.raises(SlackApiError, match=GONE):
        await stream.stop()
    await client.chat_update(channel=DM, ts=str(stream.ts), markdown_text="abcdefghijklmn")
    assert await peer.texts(DM) == ["abcdefghijklmn"]
    methods = [call["method"].removeprefix("chat.") for call in await peer.calls("chat.")]
    assert methods == ["startStream", "appendStream", "appendStream", "stopStream", "update"]
