"""Rate limits over the wire: no call waits inside, nothing is refused while an answer grows, the newest text wins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from channels.capabilities import Operation
from channels.delivery import open_reply
from channels.discord.channel import DiscordChannel
from channels.discord.limits import scope
from channels.errors import RateLimited
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from tests.channels.discord.hosts import KeepingHost, direct
from tests.channels.discord.peer.client import Peer
from tests.channels.discord.world import channel, host

__all__ = ["channel", "host"]


async def grow(
    channel: DiscordChannel, where: Any, count: int, pause: float, budgets: Budgets, turn: str = "turn"
) -> str:
    """An answer of so many words, one after the other; the text."""
    loop = asyncio.get_running_loop()
    async with open_reply(channel, where, MemoryJournal(turn=turn), budgets, clock=loop.time) as reply:
        for number in range(count):
            reply.write(f"word{number} ")
            await asyncio.sleep(pause)
        await reply.finish()
        return reply.text


@pytest.mark.slow  # an answer has to last longer than a window of 5 s
async def test_an_answer_that_grows_for_long_is_never_refused(peer: Peer, channel: DiscordChannel) -> None:
    text = await grow(channel, direct(peer.bot.dm), 120, 0.06, Budgets())
    calls = await peer.calls("create_message edit_message")
    assert {call["status"] for call in calls} == {200}
    sizes = [len(call["body"]["content"]) for call in calls]
    assert sizes == sorted(sizes)
    assert await peer.texts(peer.bot.dm) == [text.strip()]
    # Four of five requests in each window are used for growing; one is always kept for the final.
    assert len(calls) >= 6


@pytest.mark.slow  # as above
async def test_two_answers_in_one_channel_share_its_buckets(peer: Peer, channel: DiscordChannel) -> None:
    budgets = Budgets()
    await asyncio.gather(
        *(grow(channel, direct(peer.bot.dm), 100, 0.06, budgets, f"turn{number}") for number in range(2))
    )
    assert {call["status"] for call in await peer.calls("create_message edit_message")} == {200}


async def test_a_write_that_the_bucket_has_no_room_for_is_refused_before_it_is_sent(
    peer: Peer, channel: DiscordChannel
) -> None:
    where = direct(peer.bot.dm)
    sent = await channel.send(where, "0", "turn-0")
    for number in range(5):
        await channel.edit(where, sent.id, f"edit {number}")
    with pytest.raises(RateLimited) as caught:
        await channel.edit(where, sent.id, "one too many")
    assert 0 < caught.value.retry_after <= 5.1
    assert caught.value.scope == scope(where, Operation.EDIT)
    assert [call["status"] for call in await peer.calls("edit_message")] == [200] * 5


async def test_the_newest_text_is_next_however_long_an_edit_hangs(
    peer: Peer, channel: DiscordChannel
) -> None:
    await peer.fault("edit_message", hold=True)
    loop = asyncio.get_running_loop()
    async with open_reply(channel, direct(peer.bot.dm), MemoryJournal(), Budgets(), clock=loop.time) as reply:
        reply.write("one ")
        await peer.wait(channel=peer.bot.dm, equals="one")
        reply.write("two ")
        await peer.wait(route="edit_message", arrived=True)
        for word in ("three ", "four ", "five"):
            reply.write(word)
            await asyncio.sleep(0)
        finishing = asyncio.create_task(reply.finish())
        await asyncio.sleep(0)
        await peer.control("release")
        await finishing
    bodies = [call["body"]["content"] for call in await peer.calls("edit_message")]
    assert bodies == ["one two", "one two three four five"]


async def test_a_refusal_is_passed_on_with_its_seconds_and_its_bucket(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    where = direct(peer.bot.dm)
    sent = await channel.send(where, "0", "turn-0")
    await peer.fault("edit_message", rate_limit={"retry_after": 0.7})
    with pytest.raises(RateLimited) as caught:
        await channel.edit(where, sent.id, "refused")
    assert caught.value.retry_after == pytest.approx(0.7, abs=0.1)
    assert caught.value.scope == scope(where, Operation.EDIT)
    assert host.signals["rate_limited"] == 1
    with pytest.raises(RateLimited):
        await channel.edit(where, sent.id, "still closed")
    assert len(await peer.calls("edit_message")) == 1
    assert (await channel.send(where, "another bucket", "turn-1")).id


@pytest.mark.parametrize("via", [True, False])
async def test_a_global_refusal_and_one_of_the_edge_hold_everything_back(
    peer: Peer, channel: DiscordChannel, via: bool
) -> None:
    where = direct(peer.bot.dm)
    await peer.fault("create_message", rate_limit={"retry_after": 0.4, "global": True, "via": via})
    with pytest.raises(RateLimited) as caught:
        await channel.send(where, "refused", "turn-0")
    assert caught.value.scope == "token"
    with pytest.raises(RateLimited):
        await channel.typing(where, is_on=True)
    await asyncio.sleep(caught.value.retry_after)
    assert (await channel.send(where, "refused", "turn-0")).id
    assert await peer.texts(peer.bot.dm) == ["refused"]


async def test_the_figures_of_another_bucket_are_learnt_from_its_headers(
    peer: Peer, channel: DiscordChannel
) -> None:
    await peer.limits(buckets={"edit_message": [10, 2.0]})
    where = direct(peer.bot.dm)

    def pace() -> float:
        budgets = channel.capabilities(where).budgets
        return next(budget.rate for budget in budgets if budget.scope == scope(where, Operation.EDIT))

    assert pace() == pytest.approx(0.8)
    sent = await channel.send(where, "0", "turn-0")
    await channel.edit(where, sent.id, "1")
    assert pace() == 1.0  # the bucket allows 4.5 a second; the setting one
