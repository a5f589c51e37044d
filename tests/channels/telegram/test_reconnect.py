"""The line breaks again and again: nothing is lost, nothing comes twice, an answer ends up whole in one bubble."""

from __future__ import annotations

import asyncio

import pytest

from channels.delivery import open_reply
from channels.events import Message
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from channels.telegram.channel import TelegramChannel
from tests.channels.telegram.answers import RETRY, STOP, TABLE
from tests.channels.telegram.hosts import KeepingHost, address
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
GROUP = -1001234567890
TIMES = 20


async def test_twenty_polls_that_are_cut_lose_and_double_nothing(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    for number in range(TIMES):
        await peer.hang_up()
        await peer.say(CHAT, f"message {number}")
    said = await peer.say(CHAT, "the last")
    await peer.wait(confirmed=said["update_id"])
    texts = [event.text for event in host.events if isinstance(event, Message)]
    assert texts == [*(f"message {number}" for number in range(TIMES)), "the last"]
    assert host.signals["reconnected"] >= 1


async def test_twenty_polls_whose_answer_is_lost_on_the_way_lose_and_double_nothing(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    await peer.fault("getUpdates", times=TIMES, drop="after")
    for number in range(5):
        await peer.say(CHAT, f"message {number}")
    said = await peer.say(CHAT, "the last")
    await peer.wait(confirmed=said["update_id"], timeout=20)
    texts = [event.text for event in host.events if isinstance(event, Message)]
    assert texts == [*(f"message {number}" for number in range(5)), "the last"]


@pytest.mark.slow
@pytest.mark.parametrize("chat", [CHAT, GROUP])
async def test_an_answer_through_twenty_broken_connections_is_whole_in_one_bubble(
    peer: Peer, host: KeepingHost, channel: TelegramChannel, chat: int
) -> None:
    """Slow: it streams for two seconds, a cut in each tenth of one."""
    await peer.control("set_chat", chat=chat, limits={"enabled": False})
    parts = [f"Sentence number {number} of the answer.\n\n" for number in range(100)]
    clock = asyncio.get_running_loop().time
    async with open_reply(channel, address(chat), MemoryJournal(), Budgets(), clock=clock) as reply:
        reply.offer((STOP,))
        for number, part in enumerate([f"# Title\n\n{TABLE}\n\n", *parts]):
            reply.write(part)
            if number and number % 5 == 0:
                await peer.hang_up()
                await peer.say(chat, f"said {number}", user=7)
            await asyncio.sleep(0.02)
        delivery = await reply.finish(actions=(RETRY,))
    found = [message for message in (await peer.chat(chat))["messages"] if message["from_bot"]]
    assert [message["id"] for message in found] == [int(one) for one in delivery.message_ids]
    [message] = found
    assert [part for part in parts if part.strip() not in message["text"]] == []
    assert message["rich"] is not None and message["text"].count("Sentence number 57 ") == 1
    assert (await peer.chat(chat))["drafts"] == {}
    await host.until(lambda: len(host.events) >= TIMES)
    texts = [event.text for event in host.events if isinstance(event, Message)]
    assert texts == [f"said {number}" for number in range(5, 101, 5)]
