"""What a person sees of what the bot writes, and what the bot is told when it cannot write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from channels.capabilities import Surface
from channels.conformance import MARKDOWN, MARKDOWN_WORDS
from channels.delivery import Delivery, open_reply
from channels.errors import Gone, GoneWhat, RateLimited, Refused, Unavailable
from channels.events import Address, Membership, MembershipChange
from channels.fake_daemon import MemoryJournal
from channels.markup import words
from channels.matrix.channel import MatrixChannel
from channels.matrix.outgoing import LIVE
from channels.pacing import Budgets
from tests.channels.matrix.hosts import KeepingHost, address, running
from tests.channels.matrix.peer import markup
from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.person import Person
from tests.channels.matrix.peer.relay import Relay

# A real server: people are registered, rooms made and joined.
pytestmark = [pytest.mark.slow, pytest.mark.asyncio]


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    return KeepingHost(tmp_path)


@pytest_asyncio.fixture
async def channel(relay: Relay, bot: Account, host: KeepingHost) -> AsyncIterator[MatrixChannel]:
    async with running(bot, relay, host) as channel:
        yield channel


@pytest_asyncio.fixture
async def room(alice: Person, bot: Account, channel: MatrixChannel) -> str:
    """A direct chat of alice with the running bot."""
    room = await alice.create_room(bot.id, is_direct=True)
    await alice.until_member(room, bot.id)
    return room


async def answer(
    channel: MatrixChannel, where: Address, deltas: list[str], *, pause: float = 0.0, turn: str = "turn"
) -> Delivery:
    """An answer through the one delivery path, with the clock of the loop."""
    clock = asyncio.get_running_loop().time
    async with open_reply(channel, where, MemoryJournal(turn=turn), Budgets(), clock=clock) as reply:
        for delta in deltas:
            reply.write(delta)
            await asyncio.sleep(pause)
        return await reply.finish()


async def test_an_answer_grows_in_one_message_and_says_typing_before(
    relay: Relay, bot: Account, alice: Person, channel: MatrixChannel, room: str
) -> None:
    await channel.typing(address(room), is_on=True)
    await alice.until_typing(room, bot.id)
    await channel.typing(address(room), is_on=False)
    await alice.until_typing(room, bot.id, is_on=False)
    await answer(channel, address(room), [f"word{number} " for number in range(50)], pause=0.02)
    (seen,) = await alice.seen(room, sender=bot.id)
    assert words(seen.text) == words(" ".join(f"word{number}" for number in range(50)))
    assert len(seen.edit_ids) > 3
    assert seen.kind == "m.text"
    assert seen.content["m.mentions"] == {}


async def test_a_table_a_long_code_block_and_a_list_look_right(
    bot: Account, alice: Person, channel: MatrixChannel, room: str
) -> None:
    code = "\n".join(f"line {number}: x < {number}" for number in range(200))
    await answer(channel, address(room), [MARKDOWN, f"\n\n```python\n{code}\n```\n\n- one\n- two"])
    seen = await alice.seen(room, sender=bot.id)
    text = words(" ".join(one.text for one in seen))
    place = -1
    for part in (*MARKDOWN_WORDS, "line 0", "line 199", "one", "two"):
        place = text.find(words(part), place + 1)
        assert place >= 0, part
    for one in seen:
        assert one.html is not None
        assert markup.faults(one.html) == []


async def test_an_answer_in_a_thread_stays_there_and_a_room_question_is_quoted(
    bot: Account, alice: Person, channel: MatrixChannel, room: str
) -> None:
    root = await alice.say(room, "root")
    asked = await alice.say(room, "below", thread=root)
    where = address(room, surface=Surface.THREAD, thread=root)
    await channel.send(Address(where.key, where.surface, asked), "in the thread", "key-0")
    await channel.send(Address(address(room).key, Surface.GROUP, root), "in the room", "key-1")
    below, above = await alice.seen(room, sender=bot.id)
    assert (below.thread, above.thread) == (root, None)
    assert above.reply_to == root


async def test_a_send_whose_answer_was_lost_is_shown_once(
    relay: Relay, bot: Account, alice: Person, channel: MatrixChannel, room: str
) -> None:
    relay.lose_next()
    with pytest.raises(Unavailable) as caught:
        await channel.send(address(room), "once", "key-0")
    assert caught.value.maybe_sent
    await channel.send(address(room), "once", "key-0")
    await alice.until_texts(room, ["once"], sender=bot.id)
    assert len({request.path for request in relay.sent()}) == 1


async def test_an_edit_whose_answer_was_lost_is_made_once_and_one_back_again_counts(
    relay: Relay, bot: Account, alice: Person, channel: MatrixChannel, room: str
) -> None:
    sent = await channel.send(address(room), "a", "key-0")
    relay.lose_next()
    with pytest.raises(Unavailable):
        await channel.edit(address(room), sent.id, "b")
    for text in ("b", "c", "b"):
        await channel.edit(address(room), sent.id, text)
    (seen,) = await alice.seen(room, sender=bot.id)
    assert (seen.text, len(seen.edit_ids)) == ("b", 3)


async def test_what_a_moderator_deleted_is_told_and_the_final_is_sent_once_as_new(
    bot: Account, alice: Person, channel: MatrixChannel, host: KeepingHost, room: str
) -> None:
    sent = await channel.send(address(room), "short-lived", "key-0")
    await alice.redact(room, sent.id)
    await alice.say(room, "after it")
    await host.until_messages(1)
    with pytest.raises(Gone) as caught:
        await channel.edit(address(room), sent.id, "too late")
    assert caught.value.what is GoneWhat.MESSAGE


async def test_a_message_of_an_earlier_process_is_looked_at_before_it_is_edited(
    relay: Relay, bot: Account, alice: Person, tmp_path: Path
) -> None:
    host = KeepingHost(tmp_path)
    async with running(bot, relay, host) as channel:
        room = await alice.create_room(bot.id, is_direct=True)
        await alice.until_member(room, bot.id)
        kept = await channel.send(address(room), "kept", "key-0")
        lost = await channel.send(address(room), "lost", "key-1")
    await alice.redact(room, lost.id)
    async with running(bot, relay, host) as channel:
        await channel.edit(address(room), kept.id, "goes on")
        for missing in (lost.id, "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"):
            with pytest.raises(Gone) as caught:
                await channel.edit(address(room), missing, "x")
            assert caught.value.what is GoneWhat.MESSAGE
        await alice.until_texts(room, ["goes on"], sender=bot.id)


async def test_a_bot_that_was_put_out_is_told_so(
    bot: Account, alice: Person, channel: MatrixChannel, host: KeepingHost, room: str
) -> None:
    sent = await channel.send(address(room), "hello", "key-0")
    await alice.kick(room, bot.id)
    await host.until(lambda: MembershipChange.KICKED in [event.change for event in host.of(Membership)])
    for call in (
        channel.send(address(room), "x", "key-1"),
        channel.edit(address(room), sent.id, "x"),
    ):
        with pytest.raises(Gone) as caught:
            await call
        assert caught.value.what is GoneWhat.CONVERSATION


async def test_a_room_that_does_not_exist_any_more_is_gone(
    home: Home, channel: MatrixChannel, room: str
) -> None:
    await home.admin.delete_room(room)
    with pytest.raises(Gone) as caught:
        await channel.send(address(room), "x", "key-0")
    assert caught.value.what is GoneWhat.CONVERSATION
    with pytest.raises(Gone):
        await channel.send(address("!nowhere:localhost"), "x", "key-1")


async def test_a_room_that_does_not_let_the_bot_speak_refuses(
    bot: Account, alice: Person, channel: MatrixChannel, room: str
) -> None:
    await alice.set_power(room, bot.id, -1)
    with pytest.raises(Refused) as caught:
        await channel.send(address(room), "x", "key-0")
    assert caught.value.code == "forbidden"


async def test_a_live_answer_is_marked_until_it_is_whole(
    relay: Relay, bot: Account, alice: Person, tmp_path: Path
) -> None:
    async with running(bot, relay, KeepingHost(tmp_path), stream="live", msgtype="notice") as channel:
        room = await alice.create_room(bot.id, is_direct=True)
        await alice.until_member(room, bot.id)
        await answer(channel, address(room), ["one ", "two ", "three"], pause=0.2)
        bodies = [request.body for request in relay.sent()]
        assert len(bodies) >= 2
        assert all(LIVE in body for body in bodies[:-1])
        assert LIVE not in bodies[-1]
        (seen,) = await alice.seen(room, sender=bot.id)
        assert (seen.text, seen.kind) == ("one two three", "m.notice")


async def test_the_homeservers_own_limit_is_kept_and_the_final_arrives(
    relay: Relay, home: Home, alice: Person, tmp_path: Path
) -> None:
    """Synapse as nobody configured it: 10 events, then one in 5 s; the default settings stay below it."""
    bot = await home.bot(is_limited=True)
    async with running(bot, relay, KeepingHost(tmp_path), writesPerSecond=0.2, writeBurst=10) as channel:
        room = await alice.create_room(bot.id, is_direct=True)
        await alice.until_member(room, bot.id)
        deltas = [f"word{number} " for number in range(60)]
        await answer(channel, address(room), deltas, pause=0.1)
        await alice.until_texts(room, ["".join(deltas).strip()], sender=bot.id)
        assert [request.status for request in relay.sent() if request.status == 429] == []


async def test_a_limit_that_nobody_told_is_learnt_and_the_newest_text_wins(
    relay: Relay, home: Home, alice: Person, tmp_path: Path
) -> None:
    bot = await home.bot(is_limited=True)
    await home.admin.limit(bot.id, per_second=1, burst=3)
    host = KeepingHost(tmp_path)
    async with running(bot, relay, host, writesPerSecond=20, writeBurst=20) as channel:
        room = await alice.create_room(bot.id, is_direct=True)
        await alice.until_member(room, bot.id)
        deltas = [f"word{number} " for number in range(60)]
        await answer(channel, address(room), deltas, pause=0.05)
        await alice.until_texts(room, ["".join(deltas).strip()], sender=bot.id)
        refused = [request for request in relay.sent() if request.status == 429]
        assert refused
        assert host.signals["rate_limited"] == len(refused)
        assert len(refused) < 10
        learnt = channel.capabilities(address(room)).budgets[0].rate
        assert learnt < 20
    async with running(bot, relay, host, writesPerSecond=20, writeBurst=20) as channel:
        assert channel.capabilities(address(room)).budgets[0].rate == pytest.approx(learnt)


async def test_a_wait_is_passed_on_with_its_scope(relay: Relay, channel: MatrixChannel, room: str) -> None:
    relay.limit_next(1.0)
    with pytest.raises(RateLimited) as caught:
        await channel.send(address(room), "x", "key-0")
    assert caught.value.scope == channel.capabilities(address(room)).budgets[0].scope
    assert 0 < caught.value.retry_after <= 1.0


async def test_twenty_broken_connections_leave_one_whole_answer(
    relay: Relay, bot: Account, alice: Person, channel: MatrixChannel, host: KeepingHost, room: str
) -> None:
    """The relay resets every connection twenty times while the answer grows and the person goes on asking."""
    deltas = [f"word{number} " for number in range(200)]
    where = address(room)
    asked = []

    async def trouble() -> None:
        for number in range(20):
            await asyncio.sleep(0.1)
            relay.drop_all()
            asked.append(await alice.say(room, f"question {number}"))

    delivery, _ = await asyncio.gather(answer(channel, where, deltas, pause=0.012), trouble())
    assert len(delivery.message_ids) == 1
    await alice.until_texts(room, ["".join(deltas).strip()], sender=bot.id)
    messages = await host.until_messages(20)
    assert [message.message_id for message in messages] == asked


async def test_before_it_is_connected_nothing_is_written(
    relay: Relay, bot: Account, alice: Person, tmp_path: Path
) -> None:
    """Which rooms are encrypted is not known yet; a text must not go there in clear."""
    async with running(bot, relay, KeepingHost(tmp_path)) as channel:
        pass
    where = address("!r:localhost")
    for call in (
        channel.send(where, "x", "key-0"),
        channel.edit(where, "$x", "x"),
        channel.delete(where, "$x"),
        channel.typing(where, is_on=True),
    ):
        with pytest.raises(Unavailable):
            await call
