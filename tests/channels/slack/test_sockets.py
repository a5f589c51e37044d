"""Connections come and go, fall silent or deaf; what was said meanwhile is heard once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channels.errors import NotAuthorized
from channels.events import Message
from channels.slack.channel import SlackChannel
from tests.channels.slack.hosts import QUICK, KeepingHost, address, running, settings
from tests.channels.slack.peer.client import Peer

DM = "D0PERSON01"
CHANNEL = "C0GENERAL1"


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    return KeepingHost(tmp_path)


class SlowlyKeepingHost(KeepingHost):
    """Its disk keeps no cursor before it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.may_keep = asyncio.Event()

    async def set_cursor(self, name: str, value: str) -> None:
        await self.may_keep.wait()
        await super().set_cursor(name, value)


async def opened(peer: Peer) -> int:
    return int((await peer.state())["opened"])


async def test_a_cut_connection_is_opened_again_and_said_to_be_lost_meanwhile(
    peer: Peer, host: KeepingHost
) -> None:
    async with running(peer, host):
        before = await opened(peer)
        await peer.drop_sockets()
        await peer.wait(sockets=1, opened=before + 1)
        await peer.say(DM, "still there?")
        await host.until(lambda: bool(host.events))
    assert [is_online for is_online, _ in host.states[:3]] == [True, False, True]
    assert host.signals["reconnected"] == 1


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
async def test_a_fresh_connection_stands_before_an_old_one_goes(
    peer: Peer, host: KeepingHost, reason: str
) -> None:
    async with running(peer, host):
        before = await opened(peer)
        await peer.control("disconnect", reason=reason)
        await peer.wait(sockets=2, opened=before + 1)
        await peer.say(DM, "in between")
        await host.until(lambda: bool(host.events))
        await peer.wait(sockets=1)
    assert [is_online for is_online, _ in host.states] == [True, False]  # the last is the end of the test
    assert host.texts == ["in between"]


@pytest.mark.parametrize("reason", ["link_disabled", "too_many_websockets"])
async def test_a_connection_that_is_not_wanted_is_given_up_and_tried_again_later(
    peer: Peer, host: KeepingHost, reason: str
) -> None:
    async with running(peer, host):
        before = await opened(peer)
        await peer.control("disconnect", reason=reason)
        await peer.wait(sockets=1, opened=before + 1)
        await peer.say(DM, "back again")
        await host.until(lambda: bool(host.events))
    assert (False, f"connection ended ({reason})") in host.states


async def test_an_event_on_a_connection_that_is_leaving_is_still_confirmed(
    peer: Peer, host: KeepingHost
) -> None:
    leave = asyncio.Event()

    async def gate(_: object) -> None:
        await leave.wait()

    host.gate = gate
    async with running(peer, host, replace(QUICK, overlap=5.0)):
        said = await peer.say(DM, "just in time")
        await host.until(lambda: bool(host.offered)) if host.offered else await asyncio.sleep(0)
        await peer.control("disconnect", reason="refresh_requested")
        await peer.wait(sockets=2)
        leave.set()
        (delivery,) = await peer.wait(acked=1, event_id=said["event_ids"][0])
    assert len(delivery["attempts"]) == 1


async def test_a_connection_without_any_frame_is_thrown_away(peer: Peer, host: KeepingHost) -> None:
    await peer.settings(ping=60)
    async with running(peer, host, replace(QUICK, silence=0.4)):
        before = await opened(peer)
        await peer.control("deafen", mute=True)
        await peer.wait(sockets=1, opened=before + 1)
        await peer.say(DM, "hello again")
        await host.until(lambda: bool(host.events))
    assert host.signals["silent_connection"] == 1


async def test_a_deaf_connection_that_still_answers_pings_is_replaced_and_what_it_missed_is_found(
    peer: Peer, host: KeepingHost
) -> None:
    """slackapi/bolt-python#1529: it looks well and delivers nothing."""
    await peer.settings(retries=[])
    async with running(peer, host, replace(QUICK, deaf=0.5)):
        await peer.say(DM, "heard")
        await host.until(lambda: bool(host.events))
        await peer.control("deafen")
        head = host.of(Message)[0].message_id
        await peer.say(DM, "missed")
        await peer.say(DM, "missed in the thread", thread=head)
        await host.until(lambda: len(host.events) == 3)
    # Two conversations: which of them is read first is not promised.
    assert host.texts[0] == "heard"
    assert sorted(host.texts[1:]) == ["missed", "missed in the thread"]


async def test_odd_frames_are_passed_over(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        for text in ("not json", "[]", '{"type": 7}', '{"type": "events_api", "envelope_id": "e"}', "{}"):
            await peer.control("frame", text=text)
        await peer.say(DM, "sense")
        await host.until(lambda: bool(host.events))
    assert host.texts == ["sense"]


async def test_a_refused_app_token_ends_the_account(peer: Peer, host: KeepingHost) -> None:
    await peer.control("revoke", which="app", trouble="invalid_auth")
    channel = SlackChannel("main", settings(peer), host, timing=QUICK)
    with pytest.raises(NotAuthorized):
        await asyncio.wait_for(channel.run(), 30)


@pytest.mark.parametrize("event", ["tokens_revoked", "app_uninstalled"])
async def test_a_revoked_token_ends_the_account_with_a_reason(
    peer: Peer, host: KeepingHost, event: str
) -> None:
    channel = SlackChannel("main", settings(peer), host, timing=QUICK)
    task = asyncio.create_task(channel.run())
    await peer.wait(sockets=1)
    await peer.control("revoke", event=event)
    with pytest.raises(NotAuthorized) as caught:
        await asyncio.wait_for(task, 30)
    assert "revoked" in caught.value.detail or "removed" in caught.value.detail
    assert host.states[-1][0] is False


async def test_a_token_that_is_revoked_without_a_word_is_noticed(peer: Peer, host: KeepingHost) -> None:
    """The socket lives on the app-level token and would go on for ever."""
    channel = SlackChannel("main", settings(peer), host, timing=QUICK)
    task = asyncio.create_task(channel.run())
    await peer.wait(sockets=1)
    await peer.control("revoke")
    with pytest.raises(NotAuthorized):
        await asyncio.wait_for(task, 30)


async def test_tokens_of_two_different_apps_are_refused(peer: Peer, host: KeepingHost) -> None:
    channel = SlackChannel("main", settings(peer, appToken=peer.other(1).app_token), host, timing=QUICK)
    with pytest.raises(NotAuthorized) as caught:
        await asyncio.wait_for(channel.run(), 30)
    assert "two different apps" in caught.value.detail


async def test_slack_that_cannot_be_reached_is_asked_again(peer: Peer, host: KeepingHost) -> None:
    await peer.fault("auth.test", times=2, status=503, body="busy")
    await peer.fault("apps.connections.open", times=2, error="internal_error")
    async with running(peer, host):
        await peer.say(DM, "at last")
        await host.until(lambda: bool(host.events))
    assert any(not is_online and reason for is_online, reason in host.states)


async def test_two_bots_in_one_process_do_not_know_each_other(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    second, other = KeepingHost(tmp_path), peer.other(1)
    async with (
        running(peer, host) as first_bot,
        running(other, second, account="second") as second_bot,
    ):
        one = await peer.say(DM, "to the first")
        two = await other.say(DM, "to the second")
        await host.until(lambda: bool(host.events))
        await second.until(lambda: bool(second.events))
        await first_bot.send(address(DM, one["ts"]), "from the first", "k")
        await second_bot.send(address(DM, two["ts"], account="second"), "from the second", "k")
    assert (host.texts, second.texts) == (["to the first"], ["to the second"])
    assert str(second.of(Message)[0].address.key).startswith("slack:second:")
    assert (await peer.texts(DM), await other.texts(DM)) == (["from the first"], ["from the second"])


# -- what was missed


async def test_after_a_restart_what_was_said_meanwhile_is_heard_in_each_conversations_order(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    async with running(peer, host):
        head = await peer.mention(CHANNEL, "before")
        await peer.say(DM, "before, too")
        await host.until(lambda: len(host.events) == 2)
        await host.until(lambda: len(json.loads(next(iter(host.cursors.values()), "{}"))) == 4)
    await peer.mention(CHANNEL, "missed in the channel", silent=True)
    await peer.say(CHANNEL, "missed in the thread", thread=head["ts"], silent=True)
    await peer.say(CHANNEL, "and after it", thread=head["ts"], silent=True)
    await peer.say(DM, "missed in the chat", silent=True)
    after = KeepingHost(tmp_path)
    after.cursors = host.cursors
    after.lines = host.lines
    async with running(peer, after):
        await after.until(lambda: len(after.events) == 4)
        await peer.say(DM, "now")
        await after.until(lambda: "now" in after.texts)
    found = {"missed in the channel", "missed in the thread", "and after it", "missed in the chat"}
    assert set(after.texts[:4]) == found
    assert after.texts[4:] == ["now"]
    thread = [event.text for event in after.of(Message) if event.address.key.thread == head["ts"]]
    assert thread == ["missed in the thread", "and after it"]


async def test_what_is_too_old_or_too_much_is_left(peer: Peer, host: KeepingHost, tmp_path: Path) -> None:
    async with running(peer, host, direct="inline"):
        await peer.say(DM, "before")
        await host.until(lambda: bool(host.cursors))
    await peer.say(DM, "long ago", silent=True)
    await peer.advance(3600)
    for number in range(5):
        await peer.say(DM, f"missed {number}", silent=True)
    after = KeepingHost(tmp_path)
    after.cursors = host.cursors
    clock = (await peer.state())["clock"]
    channel = SlackChannel(
        "main",
        settings(peer, direct="inline", backfill={"hours": 0.5, "messages": 3}),
        after,
        timing=QUICK,
        now=lambda: clock,
    )
    task = asyncio.create_task(channel.run())
    await after.until(lambda: len(after.events) == 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "long ago" not in after.texts
    assert len(after.texts) == 3


async def test_looking_back_waits_when_slack_asks_for_it_and_can_be_switched_off(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    async with running(peer, host, direct="inline"):
        await peer.say(DM, "before")
        await host.until(lambda: bool(host.cursors))
    await peer.say(DM, "missed", silent=True)
    await peer.fault("conversations.history", retry_after=1)
    after = KeepingHost(tmp_path)
    after.cursors = dict(host.cursors)
    async with running(peer, after, direct="inline"):
        await after.until(lambda: after.texts == ["missed"])
    never = KeepingHost(tmp_path)
    never.cursors = dict(host.cursors)
    asked = len(await peer.calls("conversations."))
    async with running(peer, never, direct="inline", backfill={"hours": 0}):
        await peer.say(DM, "now")
        await never.until(lambda: bool(never.events))
    assert never.texts == ["now"]
    assert len(await peer.calls("conversations.")) == asked


async def test_a_thread_that_began_and_went_on_meanwhile_is_found(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    async with running(peer, host):
        await peer.say(DM, "before")
        await host.until(lambda: bool(host.cursors))
    head = await peer.say(DM, "missed", silent=True)
    await peer.say(DM, "are you there?", thread=head["ts"], silent=True)
    after = KeepingHost(tmp_path)
    after.cursors = host.cursors
    async with running(peer, after):
        await after.until(lambda: len(after.events) == 2)
    assert after.texts == ["missed", "are you there?"]
    assert {event.address.key.thread for event in after.of(Message)} == {head["ts"]}


async def test_what_found_no_room_is_found_though_slack_gives_up_on_it(peer: Peer, host: KeepingHost) -> None:
    await peer.settings(ack=0.05, retries=[])
    async with running(peer, host, replace(QUICK, refill=0.2), direct="inline"):
        await peer.say(DM, "first")
        await host.until(lambda: bool(host.cursors))
        host.room = lambda _: False
        known = await peer.say(DM, "no room")
        new = await peer.mention(CHANNEL, "none in a new place")
        await peer.wait(acked=len(known["event_ids"] + new["event_ids"]), outcome="unacked")
        host.room = lambda _: True
        await peer.say(DM, "later")
        await host.until(lambda: len(host.events) == 4)
    assert sorted(host.texts) == ["first", "later", "no room", "none in a new place"]


async def test_what_is_said_after_a_kill_is_heard_in_a_place_that_was_new_just_before(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    after = KeepingHost(tmp_path)
    async with running(peer, host, replace(QUICK, seen_every=3600.0)):
        said = await peer.say(DM, "first")
        await peer.wait(acked=len(said["event_ids"]))
        head = await peer.mention(CHANNEL, "first in the channel")
        await peer.wait(acked=len(said["event_ids"] + head["event_ids"]))
        after.cursors, after.seen = dict(host.cursors), set(host.seen)  # as a kill right now leaves them
    await peer.say(CHANNEL, "missed in the thread", thread=head["ts"], silent=True)
    await peer.mention(CHANNEL, "missed in the channel", silent=True)
    await peer.say(DM, "missed in the chat", silent=True)
    async with running(peer, after):
        await after.until(lambda: len(after.events) == 3)
    assert sorted(after.texts) == ["missed in the channel", "missed in the chat", "missed in the thread"]


async def test_nothing_is_confirmed_before_its_new_place_is_durable(peer: Peer, tmp_path: Path) -> None:
    host = SlowlyKeepingHost(tmp_path)
    await peer.settings(ack=0.05, retries=[])
    async with running(peer, host, direct="inline"):
        await peer.say(DM, "first")
        await peer.wait(acked=1, outcome="unacked")
        await host.until(lambda: host.texts == ["first"])
        await peer.settings(ack=30.0)
        host.may_keep.set()
        await peer.say(DM, "second")
        await peer.wait(acked=1)
    assert host.texts == ["first", "second"]


async def test_a_look_back_that_slack_cannot_answer_is_taken_up_again(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    async with running(peer, host, direct="inline"):
        await peer.say(DM, "before")
        await host.until(lambda: bool(host.cursors))
    await peer.say(DM, "missed", silent=True)
    await peer.fault("conversations.history", status=503, body="busy")
    after = KeepingHost(tmp_path)
    after.cursors = host.cursors
    async with running(peer, after, replace(QUICK, refill=0.2), direct="inline"):
        await peer.say(DM, "now")
        await after.until(lambda: len(after.events) == 2)
    assert after.texts == ["now", "missed"]


async def test_a_look_back_that_a_kill_ends_is_taken_up_by_the_next_process(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    """What is said meanwhile is newer than what is still to be looked for."""
    async with running(peer, host, direct="inline"):
        await peer.say(DM, "before")
        await host.until(lambda: bool(host.cursors))
    await peer.say(DM, "missed", silent=True)
    await peer.fault("conversations.history", status=503, body="busy")
    between, after = KeepingHost(tmp_path), KeepingHost(tmp_path)
    between.cursors = host.cursors
    async with running(peer, between, direct="inline"):
        await peer.say(DM, "now")
        await peer.mention(CHANNEL, "in a new place")  # written down at once, with all that was seen
        await between.until(
            lambda: len(between.events) == 2 and CHANNEL in next(iter(between.cursors.values()))
        )
        await peer.wait(method="conversations.history", count=1)
        after.cursors, after.seen = dict(between.cursors), set(between.seen)
    assert between.texts == ["now", "in a new place"]
    async with running(peer, after, direct="inline"):
        await after.until(lambda: bool(after.events))
    assert after.texts == ["missed"]


async def test_talk_among_people_crowds_no_conversation_of_the_bot_out(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    more: dict[str, Any] = {"direct": "inline", "backfill": {"conversations": 2}}
    async with running(peer, host, **more):
        await peer.say(DM, "before")
        await peer.say_all([{"channel": f"C0BUSY000{n}", "text": "people"} for n in range(5)])
        await host.until(lambda: len(host.events) == 6)
    await peer.say(DM, "missed", silent=True)
    after = KeepingHost(tmp_path)
    after.cursors = host.cursors
    async with running(peer, after, **more):
        await after.until(lambda: after.texts == ["missed"])


async def test_a_first_start_answers_nothing_that_was_said_before(peer: Peer, host: KeepingHost) -> None:
    await peer.say(DM, "an old story", silent=True)
    async with running(peer, host):
        await peer.say(DM, "hello")
        await host.until(lambda: bool(host.events))
    assert host.texts == ["hello"]
    assert await peer.calls("conversations.") == []
