"""Answers that grow: Slack's own streams, what becomes of them when they end early, and edits elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channels.capabilities import Capabilities, LatencyClass, Streaming
from channels.delivery import Reply, open_reply
from channels.errors import ChannelError, Gone, GoneWhat, NotAuthorized, Refused
from channels.events import Action, Address, Pressed
from channels.fake_daemon import MemoryJournal
from channels.markup import words
from channels.pacing import Budgets
from channels.slack.channel import SlackChannel
from channels.slack.limits import APPEND_BURST, APPEND_RATE, POST_BURST, POST_RATE, UPDATE_BURST, UPDATE_RATE
from tests.channels.slack.hosts import PERSON, KeepingHost, address, running
from tests.channels.slack.peer.client import Peer
from tests.channels.slack.test_render import CODE

DM = "D0PERSON01"
CHANNEL = "C0GENERAL1"
STOP, RETRY = Action("stop", "Stop"), Action("retry", "Retry")


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    return KeepingHost(tmp_path)


class ShortLived(SlackChannel):
    """Its streams live for half a second."""

    def capabilities(self, address: Address) -> Capabilities:
        return replace(super().capabilities(address), stream_lifetime=0.5)


async def begun(peer: Peer, space: str = DM) -> Address:
    """A thread below a question."""
    head = await peer.say(space, "question", silent=True)
    return address(space, head["ts"], team=peer.team)


@asynccontextmanager
async def answering(channel: SlackChannel, where: Address) -> AsyncIterator[tuple[Reply, MemoryJournal]]:
    journal = MemoryJournal()
    loop = asyncio.get_running_loop()
    async with open_reply(channel, where, journal, Budgets(), clock=loop.time) as reply:
        yield reply, journal


async def streamed(peer: Peer, space: str = DM) -> dict[str, Any]:
    """The one message of the bot there, once something of it stands."""
    await peer.wait(channel=space, contains="")
    (message,) = await peer.messages(space)
    return message


async def test_what_is_declared_fits_the_documented_limits(peer: Peer, host: KeepingHost) -> None:
    """Slack docs, "Rate limits" (2026-11): a bucket lets through burst + 60 * rate in the worst minute."""
    assert POST_BURST + 60 * POST_RATE <= 60
    assert UPDATE_BURST + 60 * UPDATE_RATE <= 50
    assert APPEND_BURST + 60 * APPEND_RATE <= 100
    async with running(peer, host) as channel:
        chat = channel.capabilities(address(DM, "1.1"))
        thread = channel.capabilities(address(CHANNEL, "1.1", team=peer.team))
        beside = channel.capabilities(address(CHANNEL))
    assert (chat.streaming, chat.latency) == (Streaming.NATIVE, LatencyClass.SEMI_SYNC)
    assert (thread.streaming, thread.latency) == (Streaming.NATIVE, LatencyClass.ASYNC)
    assert (thread.preview, thread.replaceable, thread.stream_lifetime) == (False, False, 300.0)
    assert (beside.streaming, beside.typing_ttl) == (Streaming.EDIT, None)


async def test_a_stream_is_started_grown_and_stopped_in_the_thread(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer, CHANNEL)
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        reply.offer((STOP,))
        reply.write("The first words ")
        await peer.wait(channel=CHANNEL, contains="first", state="in_progress")
        reply.write("and the last.")
        delivery = await reply.finish(actions=(RETRY,))
    (message,) = await peer.messages(CHANNEL)
    assert (message["shown"], message["state"]) == ("The first words and the last.", "completed")
    assert (message["thread"], message["ts"]) == (where.key.thread, delivery.message_ids[0])
    assert [button["value"] for button in message["buttons"]] == ["retry"]
    (start,) = await peer.calls("chat.startStream")
    assert start["args"]["recipient_user_id"] == PERSON
    assert start["args"]["recipient_team_id"] == peer.team
    assert await peer.calls("chat.update") == []


async def test_a_status_line_stands_until_the_first_word(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer)
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        await peer.wait(channel=DM, status="is thinking...")
        reply.write("Here it is.")
        await reply.finish()
        await peer.wait(channel=DM, status="")


async def test_a_workspace_without_status_lines_is_asked_once(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer)
    await peer.fault("assistant.threads.setStatus", error="missing_scope", extra={"needed": "chat:write"})
    async with running(peer, host) as channel:
        with pytest.raises(Refused):
            await channel.typing(where, is_on=True)
        assert channel.capabilities(where).typing_ttl is None


async def test_a_long_answer_goes_on_in_a_further_stream(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer)
    text = "\n\n".join(f"Paragraph {number}: {'word ' * 30}" for number in range(120))
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        for start in range(0, len(text), 2500):
            reply.write(text[start : start + 2500])
            await asyncio.sleep(0.01)
        delivery = await reply.finish()
    shown = await peer.texts(DM)
    assert len(shown) == len(delivery.message_ids) > 1
    assert words("".join(shown)) == words(text)


async def test_a_table_two_hundred_lines_of_code_and_a_list_arrive_as_written(
    peer: Peer, host: KeepingHost
) -> None:
    where = await begun(peer)
    text = f"| a | b |\n|---|---|\n| 1 | <b> |\n\n{CODE}\n\n- one\n- two <tag>"
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        for start in range(0, len(text), 97):
            reply.write(text[start : start + 97])
        await reply.finish()
    shown = "\n".join(await peer.texts(DM))
    assert words(shown) == words(text)
    assert "if a199 < b199: print('<b>', \"&amp;\")" in shown
    assert await peer.pings() == []


# -- streams that end early


async def test_a_stream_that_slack_closes_is_recovered_with_all_of_the_text(
    peer: Peer, host: KeepingHost
) -> None:
    where = await begun(peer)
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        reply.write("Before it ended, ")
        await peer.wait(channel=DM, contains="Before")
        await peer.control("close_stream")
        reply.write("and after that.")
        await peer.wait(method="chat.update")
        reply.write(" The end.")
        delivery = await reply.finish(actions=(RETRY,))
    message = await streamed(peer)
    assert message["shown"] == "Before it ended, and after that. The end."
    assert delivery.message_ids == (message["ts"],)
    assert [button["value"] for button in message["buttons"]] == ["retry"]


async def test_a_stream_that_is_closed_before_its_final_is_recovered(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer)
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        reply.write("All of it.")
        await peer.wait(channel=DM, contains="All")
        await peer.advance(301)
        await reply.finish(closing="(a note)")
    assert words((await streamed(peer))["shown"]) == words("All of it. (a note)")


async def test_the_last_words_of_an_unclosed_span_stand_although_slack_closed_the_stream(
    peer: Peer, host: KeepingHost
) -> None:
    """What may still be read otherwise is held back until the end; without buttons nothing else causes an edit."""
    where = await begun(peer)
    async with running(peer, host, buttons=False) as channel, answering(channel, where) as (reply, _):
        reply.write("Run `make")
        await peer.wait(channel=DM, contains="Run")
        await peer.control("close_stream")
        await reply.finish()
    assert words((await streamed(peer))["shown"]) == words("Run `make")


async def test_an_answer_that_outlives_its_stream_is_handed_to_edits(peer: Peer, host: KeepingHost) -> None:
    """delivery closes a stream at four fifths of its life; here the life is short and the text goes on."""
    where = await begun(peer)
    async with running(peer, host, kind=ShortLived) as channel, answering(channel, where) as (reply, _):
        reply.write("Early words. ")
        await peer.wait(channel=DM, state="completed")
        reply.write("Late words.")
        await reply.finish()
    assert "".join(words(text) for text in await peer.texts(DM)) == words("Early words. Late words.")
    assert len(await peer.calls("chat.stopStream")) >= 1


async def test_slacks_own_stop_button_leaves_an_answer_that_can_be_closed(
    peer: Peer, host: KeepingHost
) -> None:
    where = await begun(peer)
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        reply.write("Half an answer")
        await peer.wait(channel=DM, contains="Half")
        await peer.control("close_stream", by_user=True)
        await reply.finish(closing="(stopped)")
    assert words((await streamed(peer))["shown"]) == words("Half an answer (stopped)")


async def test_after_slacks_own_stop_the_bot_is_shown_at_rest(peer: Peer, host: KeepingHost) -> None:
    """Slack docs, agent_session_stopped (2026-11): the app has to move the session away from processing."""
    where = await begun(peer)
    async with running(peer, host) as channel:
        stream = await channel.start_stream(where, "Half an answer", "k")
        stopped = {
            "type": "agent_session_stopped",
            "channel": DM,
            "thread_ts": where.key.thread,
            "user": PERSON,
            "streaming_message_ts": [stream],
            "event_ts": "1700000000.000001",
        }
        await peer.control("event", event=stopped)
        (call,) = await peer.wait(method="agents.sessions.setStatus")
        await host.until(lambda: bool(host.of(Pressed)))
    (press,) = host.of(Pressed)
    assert (press.action, press.message_id) == ("stop", stream)
    assert call["args"] == {"channel_id": DM, "thread_ts": where.key.thread, "status": "active"}


async def test_an_append_that_is_lost_on_its_way_leaves_no_gap(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer)
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        reply.write("One ")
        await peer.wait(channel=DM, contains="One")
        await peer.fault("chat.appendStream", lose="after")
        reply.write("two ")
        await peer.wait(method="chat.update")
        reply.write("three.")
        await reply.finish()
    assert (await streamed(peer))["shown"] == "One two three."


async def test_a_stop_that_is_lost_on_its_way_leaves_the_answer_whole(peer: Peer, host: KeepingHost) -> None:
    for lost in ("before", "after"):
        await peer.control("reset", only=True)
        where = await begun(peer)
        async with running(peer, host) as channel, answering(channel, where) as (reply, _):
            reply.write("One ")
            await peer.wait(channel=DM, contains="One")
            await peer.fault("chat.stopStream", lose=lost)
            reply.write("two.")
            await reply.finish(actions=(RETRY,))
        message = await streamed(peer)
        assert (message["shown"], message["state"]) == ("One two.", "completed")
        assert len(message["buttons"]) == 1


async def test_a_start_that_is_lost_on_its_way_is_told_and_the_answer_stands_whole(
    peer: Peer, host: KeepingHost
) -> None:
    """Slack has no key for it (promise B): one orphan may stand beside the whole answer."""
    where = await begun(peer)
    await peer.fault("chat.startStream", lose="after")
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        reply.write("One ")
        await peer.wait(channel=DM, contains="One", count=2)
        reply.write("two.")
        delivery = await reply.finish()
    assert await peer.texts(DM) == ["One", "One two."]
    assert (len(delivery.message_ids), delivery.maybe_doubled) == (1, 1)


async def test_a_channel_in_which_no_stream_is_possible_is_asked_once(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer)
    await peer.fault("chat.startStream", error="channel_type_not_supported")
    async with running(peer, host) as channel:
        for number in range(2):
            async with answering(channel, where) as (reply, _):
                reply.write(f"answer {number} ")
                await peer.wait(channel=DM, contains=f"answer {number}")
                reply.write("whole")
                await reply.finish()
    assert await peer.texts(DM) == ["answer 0 whole", "answer 1 whole"]
    assert len(await peer.calls("chat.startStream")) == 1


async def test_the_first_word_does_not_wait_when_too_many_streams_were_begun(
    peer: Peer, host: KeepingHost
) -> None:
    where = await begun(peer)
    await peer.fault("chat.startStream", retry_after=30)
    async with running(peer, host) as channel:
        for number in range(2):
            async with answering(channel, where) as (reply, _):
                reply.write(f"answer {number}")
                await reply.finish()
    assert await peer.texts(DM) == ["answer 0", "answer 1"]
    assert len(await peer.calls("chat.startStream")) <= 1


async def test_a_wait_that_slack_asks_an_append_for_is_obeyed(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer)
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        reply.write("One ")
        await peer.wait(channel=DM, contains="One")
        await peer.fault("chat.appendStream", retry_after=1)
        reply.write("two ")
        await peer.wait(method="chat.appendStream", error="ratelimited")
        reply.write("three.")
        await reply.finish()
    assert (await streamed(peer))["shown"] == "One two three."
    assert host.signals["rate_limited"] == 1


async def test_a_final_text_that_is_another_one_is_shown_by_an_edit(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer)
    async with running(peer, host) as channel:
        stream = await channel.start_stream(where, "One two", "k")
        sent = await channel.finish_stream(where, stream, "Something else", None, "k", actions=(RETRY,))
    message = await streamed(peer)
    assert (message["ts"], message["shown"]) == (sent.id, "Something else")
    assert len(message["buttons"]) == 1


async def test_many_answers_at_once_stay_within_the_tiers(peer: Peer, host: KeepingHost) -> None:
    """Of the streams that Slack does not grant, answers grow by edits; no append and no edit is refused."""
    wheres = [await begun(peer, CHANNEL) for _ in range(8)]
    budgets, texts = Budgets(), [f"answer {number}: " + "word " * 60 for number in range(8)]
    loop = asyncio.get_running_loop()

    async def answer(channel: SlackChannel, where: Address, text: str) -> None:
        journal = MemoryJournal(turn=text[:8])
        async with open_reply(channel, where, journal, budgets, clock=loop.time) as reply:
            for start in range(0, len(text), 10):
                reply.write(text[start : start + 10])
                await asyncio.sleep(0.05)
            await reply.finish()

    async with running(peer, host) as channel:
        await asyncio.gather(
            *(answer(channel, where, text) for where, text in zip(wheres, texts, strict=True))
        )
    assert sorted(words(text) for text in await peer.texts(CHANNEL)) == sorted(words(text) for text in texts)
    refused = [call["method"] for call in await peer.calls("chat.") if call["error"] == "ratelimited"]
    assert set(refused) <= {"chat.startStream", "chat.stopStream", "chat.postMessage"}


# -- edits


async def test_outside_threads_an_answer_grows_by_edits(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host, channel="inline") as channel:
        await peer.say(CHANNEL, "hello")
        async with answering(channel, address(CHANNEL)) as (reply, _):
            reply.offer((STOP,))
            reply.write("The first words ")
            await peer.wait(channel=CHANNEL, contains="first", buttons=["firstword:stop"])
            reply.write("and the last.")
            await reply.finish(actions=(RETRY,))
    (message,) = await peer.messages(CHANNEL)
    assert (message["shown"], message["thread"]) == ("The first words and the last.", None)
    assert [button["action_id"] for button in message["buttons"]] == ["firstword:retry"]
    assert await peer.calls("chat.startStream") == []


async def test_blocks_that_slack_refuses_are_sent_more_plainly(peer: Peer, host: KeepingHost) -> None:
    table = "text <b>\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    async with running(peer, host) as channel:
        await peer.say(CHANNEL, "hello")
        await peer.fault("chat.postMessage", error="invalid_blocks")
        await channel.send(address(CHANNEL), table, "k0", actions=(RETRY,))
        await peer.fault("chat.postMessage", times=2, error="invalid_blocks")
        sent = await channel.send(address(CHANNEL), table, "k1", actions=(RETRY,))
        await peer.fault("chat.update", times=2, error="invalid_blocks")
        await channel.edit(address(CHANNEL), sent.id, table)
    for message in await peer.messages(CHANNEL):
        assert words(message["shown"].replace("```", "")) == words("text <b> a b 1 2")
    assert host.signals["content_shown_wrong"] == 3


# -- when it cannot be shown


@pytest.mark.parametrize(
    ("trouble", "wanted"),
    [
        ({"error": "not_in_channel"}, Gone),
        ({"error": "channel_not_found"}, Gone),
        ({"error": "is_archived"}, Gone),
        ({"error": "token_revoked"}, NotAuthorized),
        ({"error": "account_inactive"}, NotAuthorized),
        ({"error": "missing_scope", "extra": {"needed": "chat:write"}}, Refused),
        ({"error": "restricted_action"}, Refused),
    ],
)
async def test_an_answer_that_nobody_will_see_ends_at_once(
    peer: Peer, host: KeepingHost, trouble: dict[str, Any], wanted: type[ChannelError]
) -> None:
    async with running(peer, host) as channel:
        await peer.say(CHANNEL, "hello")
        await peer.fault("chat.postMessage", times=5, **trouble)
        with pytest.raises(wanted) as caught:
            async with answering(channel, address(CHANNEL)) as (reply, _):
                reply.write("Nobody hears this.")
                await reply.finish()
    if isinstance(caught.value, Gone):
        assert caught.value.what is GoneWhat.CONVERSATION
    if "extra" in trouble:
        assert "chat:write" in caught.value.detail
    assert len(await peer.calls("chat.postMessage")) == 1


async def test_a_stream_in_a_channel_from_which_the_bot_is_thrown_out_ends(
    peer: Peer, host: KeepingHost
) -> None:
    where = await begun(peer, CHANNEL)
    async with running(peer, host) as channel:
        with pytest.raises(Gone) as caught:
            async with answering(channel, where) as (reply, _):
                reply.write("Begun ")
                await peer.wait(channel=CHANNEL, contains="Begun")
                await peer.control("kick", channel=CHANNEL)
                reply.write("and never ended.")
                await reply.finish()
        assert caught.value.what is GoneWhat.CONVERSATION


async def test_a_message_that_was_deleted_meanwhile_is_sent_once_more(peer: Peer, host: KeepingHost) -> None:
    where = await begun(peer)
    async with running(peer, host) as channel, answering(channel, where) as (reply, journal):
        reply.write("The beginning ")
        await peer.wait(channel=DM, contains="beginning")
        await peer.delete(DM, journal.sents[0][2].id)
        reply.write("and the end.")
        await reply.finish()
    assert await peer.texts(DM) == ["The beginning and the end."]


async def test_twenty_lost_connections_leave_one_whole_answer(peer: Peer, host: KeepingHost) -> None:
    """Events keep coming meanwhile, each heard once."""
    where = await begun(peer)
    text = ""
    async with running(peer, host) as channel, answering(channel, where) as (reply, _):
        for number in range(20):
            reply.write(f"part{number} ")
            text += f"part{number} "
            opened = (await peer.state())["opened"]
            assert await peer.drop_sockets() == 1
            await peer.say(DM, f"heard {number}")
            await peer.wait(sockets=1, opened=opened + 1)
        delivery = await reply.finish()
        await host.until(lambda: len(host.events) == 20)
    assert host.texts == [f"heard {number}" for number in range(20)]
    message = await streamed(peer)
    assert words(message["shown"]) == words(text)
    assert delivery.message_ids == (message["ts"],)
    assert delivery.maybe_doubled == 0


def test_streams_are_forgotten_in_the_end() -> None:
    """Nothing grows without bound: a stream that nobody finishes is pushed out by later ones."""
    from channels.slack.memory import Recent

    recent: Recent[int] = Recent(3)
    for number in range(10):
        recent.put(str(number), number)
    assert list(recent) == ["7", "8", "9"]
