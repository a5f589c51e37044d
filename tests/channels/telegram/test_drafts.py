"""Drafts: previews that grow in private chats until the message takes their place."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from channels.capabilities import Streaming
from channels.delivery import open_reply
from channels.errors import Refused
from channels.events import Address
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from channels.telegram.channel import TelegramChannel
from channels.telegram.drafts import Drafts
from channels.telegram.timing import Timing
from tests.channels.telegram.hosts import KeepingHost, address, running, settings
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
GROUP = -1001234567890
BASIC_GROUP = -555


async def test_a_draft_grows_and_the_final_message_takes_its_place(
    peer: Peer, channel: TelegramChannel
) -> None:
    where = address(CHAT)
    stream = await channel.start_stream(where, "The ans", "k1")
    await channel.update_stream(where, stream, "The **answer** is", "wer is")
    seen = await peer.chat(CHAT)
    assert seen["messages"] == []
    assert seen["drafts"]["0"]["text"] == "The answer is"
    sent = await channel.finish_stream(where, stream, "The answer is 42.", " 42.", "k1")
    seen = await peer.chat(CHAT)
    assert [message["text"] for message in seen["messages"]] == ["The answer is 42."]
    assert seen["drafts"] == {} and sent.id == str(seen["messages"][0]["id"])
    assert len({draft for _, draft, _ in seen["draft_log"]}) == 1


async def test_the_same_part_has_the_same_draft_after_a_restart(peer: Peer, channel: TelegramChannel) -> None:
    first = await channel.start_stream(address(CHAT), "before", "key-1")
    second = await channel.start_stream(address(CHAT), "after", "key-1")
    other = await channel.start_stream(address(CHAT), "else", "key-2")
    assert first == second != other and int(first) > 0


async def test_a_draft_is_painted_again_before_it_fades(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, Timing(draft_refresh=0.1)) as channel:
        stream = await channel.start_stream(address(CHAT), "slow", "k")
        calls = await peer.wait(method="sendMessageDraft", count=3)
        assert {call["args"]["text"] for call in calls} == {"slow"}
        await channel.finish_stream(address(CHAT), stream, "slow no more", None, "k")
        count = (await peer.state())["counts"]["sendmessagedraft"]
        await channel.send(address(CHAT), "later", "k2")
    assert (await peer.state())["counts"]["sendmessagedraft"] <= count + 1


class Clock:
    """Seconds that only a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_draft_whose_writer_is_gone_is_not_painted_again() -> None:
    clock, painted, go = Clock(), [], asyncio.Event()

    async def paint(where: Address, number: int, text: str) -> None:
        painted.append(text)

    drafts = Drafts(paint, Timing(draft_refresh=20, draft_forget=900), clock)

    async def write(number: int, text: str, *, waits: bool) -> None:
        drafts.painted(address(CHAT), number, text)
        if waits:
            await go.wait()

    working = asyncio.create_task(write(2, "growing", waits=True))
    await asyncio.gather(asyncio.create_task(write(1, "left behind", waits=False)))
    clock.now = 21.0
    keeper = asyncio.create_task(drafts.keep_alive())
    await asyncio.sleep(0)  # one step: all that is due now
    assert painted == ["growing"] and len(drafts) == 1
    go.set()
    await working
    clock.now = 42.0
    keeper.cancel()
    keeper = asyncio.create_task(drafts.keep_alive())
    await asyncio.sleep(0)
    keeper.cancel()
    assert painted == ["growing"] and len(drafts) == 0


async def test_a_draft_that_stands_still_is_forgotten_in_the_end() -> None:
    clock, painted = Clock(), []

    async def paint(where: Address, number: int, text: str) -> None:
        painted.append(text)

    drafts = Drafts(paint, Timing(draft_refresh=20, draft_forget=100), clock)
    drafts.painted(address(CHAT), 1, "stuck")
    clock.now = 110.0
    task = asyncio.create_task(drafts.keep_alive())
    await asyncio.sleep(0)
    task.cancel()
    assert painted == [] and len(drafts) == 0


class _Fault(Exception):
    """Whatever may go wrong in a turn."""


@pytest.mark.parametrize("end", ["stop", "withdrawn", "fault", "crash"])
async def test_no_preview_is_left_behind_however_an_answer_ends(
    peer: Peer, host: KeepingHost, end: str
) -> None:
    """At the peer: either a message takes its place, or nobody renews it and it fades after its 30 seconds."""
    await peer.control("set_chat", chat=CHAT)
    clock = asyncio.get_running_loop().time
    async with running(peer, host, Timing(draft_refresh=0.05)) as channel:
        with contextlib.suppress(_Fault):
            async with open_reply(channel, address(CHAT), MemoryJournal(), Budgets(), clock=clock) as reply:
                reply.write("Half an answer")
                await peer.wait(method="sendMessageDraft", count=3)
                if end == "stop":
                    await reply.finish(closing="(stopped)")
                elif end == "crash":
                    await reply.leave()
                elif end == "fault":
                    raise _Fault
        count = (await peer.state())["counts"]["sendmessagedraft"]
        await peer.wait(chat=CHAT, from_bot=True, count=1 if end == "stop" else 0)
        await channel.typing(address(CHAT), is_on=True)
        await asyncio.sleep(0.2)  # four times the refresh: whoever renewed it would have done so
        assert (await peer.state())["counts"]["sendmessagedraft"] <= count + 1
    seen = await peer.chat(CHAT)
    if end == "stop":
        assert seen["drafts"] == {} and "(stopped)" in seen["messages"][0]["text"]
    else:
        assert seen["messages"] == []


async def test_a_preview_that_a_plain_message_took_the_place_of_is_not_painted_again(
    peer: Peer, host: KeepingHost
) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, Timing(draft_refresh=0.05)) as channel:
        await channel.start_stream(address(CHAT), "Half", "k")
        await peer.fault("sendMessageDraft", times=100, error=[400, "Bad Request: TEXTDRAFT_PEER_INVALID"])
        await channel.send(address(CHAT), "Half and more", "k")
        count = (await peer.state())["counts"]["sendmessagedraft"]
        await asyncio.sleep(0.2)  # four times the refresh
        assert (await peer.state())["counts"]["sendmessagedraft"] <= count + 1
        assert (await peer.chat(CHAT))["drafts"] == {}


async def test_a_draft_that_is_finished_at_once_does_not_stop_the_keeper() -> None:
    painted: list[str] = []

    async def paint(where: Address, number: int, text: str) -> None:
        painted.append(text)

    drafts = Drafts(paint, Timing(draft_refresh=0), lambda: 0.0)
    task = asyncio.create_task(drafts.keep_alive())
    await asyncio.sleep(0)  # it waits for a first draft
    drafts.painted(address(CHAT), 1, "gone before it wakes")
    drafts.closed(address(CHAT), 1)
    await asyncio.sleep(0)
    assert not task.done() and painted == []
    task.cancel()


async def test_drafts_are_refused_in_groups_and_edits_are_offered_there(channel: TelegramChannel) -> None:
    assert channel.capabilities(address(CHAT)).streaming is Streaming.NATIVE
    assert channel.capabilities(address(CHAT)).preview
    assert channel.capabilities(address(GROUP)).streaming is Streaming.EDIT
    with pytest.raises(Refused):
        await channel.start_stream(address(GROUP), "no", "k")


@pytest.mark.parametrize(
    "fault",
    [
        {"error": [400, "Bad Request: TEXTDRAFT_PEER_INVALID"]},
        {"error": [404, "Not Found"]},
    ],
)
async def test_a_chat_without_drafts_is_streamed_by_edits_from_then_on(
    peer: Peer, channel: TelegramChannel, fault: dict[str, Any]
) -> None:
    await peer.fault("sendMessageDraft", **fault)
    with pytest.raises(Refused):
        await channel.start_stream(address(CHAT), "x", "k")
    assert channel.capabilities(address(CHAT)).streaming is Streaming.EDIT
    assert channel.capabilities(address(CHAT + 1)).streaming is Streaming.NATIVE


@pytest.mark.parametrize(
    ("mode", "private", "group"),
    [
        ("auto", Streaming.NATIVE, Streaming.EDIT),
        ("drafts", Streaming.NATIVE, Streaming.NONE),
        ("edits", Streaming.EDIT, Streaming.EDIT),
        ("off", Streaming.NONE, Streaming.NONE),
    ],
)
def test_the_stream_setting_decides_how_answers_grow(
    peer: Peer, host: KeepingHost, mode: str, private: Streaming, group: Streaming
) -> None:
    channel = TelegramChannel("main", settings(peer, stream=mode), host)
    assert channel.capabilities(address(CHAT)).streaming is private
    assert channel.capabilities(address(GROUP)).streaming is group
