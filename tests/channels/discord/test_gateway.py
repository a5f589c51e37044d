"""The gateway over the wire: resumed with nothing lost, begun anew when it must be, never silent for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest

from channels.discord.channel import DiscordChannel
from channels.errors import NotAuthorized
from channels.events import (
    Event,
    Membership,
    MembershipChange,
    Message,
    MessageDeleted,
    MessageEdited,
    Reaction,
    TypingStarted,
)
from tests.channels.discord.hosts import QUICK, KeepingHost, direct, group, running, settings, until_online
from tests.channels.discord.peer.client import Peer
from tests.channels.discord.world import channel, host

__all__ = ["channel", "host"]


async def test_a_dropped_connection_is_resumed_and_what_came_meanwhile_is_sent_again(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    await peer.say("one", channel=peer.bot.dm)
    await host.texts(1)
    await peer.socket("drop")
    await peer.say_all([{"content": text, "channel": peer.bot.dm} for text in ("two", "three")])
    assert await host.texts(3) == ["one", "two", "three"]
    counts = await peer.counts()
    assert (counts["identify"], counts["resumed"]) == (1, 1)
    assert host.doubles == []


async def test_op_7_is_followed_by_a_resume(peer: Peer, channel: DiscordChannel, host: KeepingHost) -> None:
    await peer.socket("reconnect")
    await peer.wait(counted="resumed")
    await peer.say("after", channel=peer.bot.dm)
    assert await host.texts(1) == ["after"]


@pytest.mark.parametrize("resumable", [True, False])
async def test_op_9_is_resumed_or_begun_anew_as_it_says(
    peer: Peer, channel: DiscordChannel, host: KeepingHost, resumable: bool
) -> None:
    await peer.socket("invalid", resumable=resumable)
    await peer.wait(counted="resumed" if resumable else "identify", count=1 if resumable else 2)
    await until_online(host)
    await peer.say("after", channel=peer.bot.dm)
    assert await host.texts(1) == ["after"]
    assert host.doubles == []


@pytest.mark.parametrize("code", [1000, 1001, 4000, 4007, 4008, 4009])
async def test_every_close_that_can_be_mended_is(
    peer: Peer, channel: DiscordChannel, host: KeepingHost, code: int
) -> None:
    await peer.socket("close", code=code)
    await peer.wait(connected=True)
    await peer.say("after", channel=peer.bot.dm)
    assert await host.texts(1) == ["after"]


async def test_a_socket_that_falls_silent_is_given_up_and_nothing_is_lost(
    peer: Peer, host: KeepingHost
) -> None:
    """No dispatch, no confirmation of a heartbeat: it looks open and hears nothing."""
    await peer.settings(heartbeat=0.1)
    async with running(peer, host, replace(QUICK, silence=0.5)):
        await peer.socket("no_acks")
        await peer.socket("silent")
        await peer.say("anybody?", channel=peer.bot.dm)
        assert await host.texts(1) == ["anybody?"]
    assert (await peer.counts())["resumed"] >= 1


async def test_a_resume_that_is_never_answered_is_given_up(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host, replace(QUICK, ready=0.4)):
        await peer.say("one", channel=peer.bot.dm)
        await host.texts(1)
        await peer.control("next_socket", ignore_resume=5)
        await peer.socket("drop")
        await peer.wait(counted="identify", count=2)
        await peer.wait(connected=True)
        await peer.say("two", channel=peer.bot.dm)
        assert await host.texts(2) == ["one", "two"]


async def test_a_frame_that_cannot_be_read_costs_a_reconnect_and_nothing_else(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    await peer.socket("raw", text='{"op": 0, "t": "MESSAGE_CREATE", "s": ')
    await peer.wait(counted="resumed")
    await peer.say("after", channel=peer.bot.dm)
    assert await host.texts(1) == ["after"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("MESSAGE_CREATE", "[]"),
        ("MESSAGE_CREATE", '{"id": 5, "author": "x"}'),
        ("GUILD_CREATE", '{"id": null, "roles": 3, "channels": [null, {"id": []}]}'),
        ("THREAD_MEMBERS_UPDATE", '{"removed_member_ids": {"a": 1}}'),
        ("INTERACTION_CREATE", '{"type": 2, "data": null}'),
        ("SOMETHING_NEW", "null"),
    ],
)
async def test_a_dispatch_of_another_shape_costs_nothing(
    peer: Peer, channel: DiscordChannel, host: KeepingHost, name: str, data: str
) -> None:
    await peer.socket("raw", text=f'{{"op": 0, "t": "{name}", "s": null, "d": {data}}}')
    await peer.say("after", channel=peer.bot.dm)
    assert await host.texts(1) == ["after"]
    assert (await peer.counts()).get("resume", 0) == 0


async def test_a_dispatch_that_comes_twice_is_one_event(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    number = await peer.say("once", channel=peer.bot.dm)
    await peer.say_again(number)
    await peer.say("then", channel=peer.bot.dm)
    assert await host.texts(2) == ["once", "then"]
    assert host.doubles == [f"m:{number}"]


# -- over a restart


async def test_a_restart_resumes_the_session_and_uses_no_session_start(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        number = await peer.say("before", channel=peer.bot.dm)
        await host.texts(1)
    await peer.say("meanwhile", channel=peer.bot.dm)
    await peer.edit(number, "changed meanwhile")
    await peer.react(number, "\U0001f44d")
    async with running(peer, host):
        await host.first(Reaction)
        assert await host.texts(2) == ["before", "meanwhile"]
        assert host.of(MessageEdited)[0].text == "changed meanwhile"
    counts = await peer.counts()
    assert (counts["identify"], counts["resumed"]) == (1, 1)
    assert host.doubles == []


async def test_after_a_restart_threads_and_roles_are_known_again_when_they_are_needed(
    peer: Peer, host: KeepingHost
) -> None:
    """A session that is resumed tells nothing of its servers once more."""
    thread, role = await peer.thread("talk"), await peer.add_role("crew", mentionable=True)
    async with running(peer, host):
        await peer.say("before", channel=peer.bot.dm)
        await host.texts(1)
    async with running(peer, host):
        for text in (f"<@&{role}> one", f"<@&{role}> two"):
            await peer.say(text, channel=thread)
        await host.texts(3)
    assert {str(message.address.key) for message in host.of(Message)[1:]} == {
        f"discord:main:{peer.channel}:{thread}"
    }
    assert (await peer.counts())["identify"] == 1
    assert [len(await peer.calls(route)) for route in ("channel", "guild")] == [1, 1]


async def test_what_was_not_taken_over_comes_again_after_a_restart(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    """Accepted means durable: the session is resumed from before whatever was not."""
    async with running(peer, host):
        await peer.say("taken", channel=peer.bot.dm)
        await host.texts(1)
        host.room = lambda _: False
        await peer.say("no room", channel=peer.bot.dm)
        await peer.say("nor here", channel=peer.bot.dm)
        await peer.react((await peer.messages(peer.bot.dm, from_bot=False))[0]["id"], "\U0001f44d")
    fresh = KeepingHost(tmp_path)
    fresh.cursors = host.cursors
    async with running(peer, fresh):
        await fresh.first(Reaction)
        assert await fresh.texts(2) == ["no room", "nor here"]


async def test_after_a_session_that_has_ended_missed_messages_are_read_over_rest(
    peer: Peer, host: KeepingHost
) -> None:
    thread = await peer.thread("talk")
    async with running(peer, host):
        for place in (peer.bot.dm, peer.channel, thread):
            await peer.say(f"{peer.mention()} before", channel=place)
        await host.texts(3)
        await host.until(lambda: "seen" in host.cursors and host.cursors["seen"].count(",") >= 8)
    for place in (peer.bot.dm, peer.channel, thread):
        await peer.say_all(
            [{"content": f"{peer.mention()} missed {number}", "channel": place} for number in range(3)]
        )
    await peer.socket("forget")
    async with running(peer, host):
        await host.texts(12)
        await peer.say("live again", channel=peer.bot.dm)
        await host.texts(13)
    missed: dict[str, list[str]] = {}
    for message in host.of(Message)[3:12]:
        missed.setdefault(str(message.address.key), []).append(message.text)
    assert missed == {
        key: ["missed 0", "missed 1", "missed 2"]
        for key in (
            f"discord:main:{peer.bot.dm}",
            f"discord:main:{peer.channel}",
            f"discord:main:{peer.channel}:{thread}",
        )
    }
    assert host.doubles == []


async def test_what_the_next_process_cannot_do_without_is_kept_at_once(peer: Peer, host: KeepingHost) -> None:
    """A session that has begun, a place where nobody had spoken before: else a kill soon afterwards loses what follows."""
    seldom = replace(QUICK, cursor_every=3600.0)
    async with running(peer, host, timing=seldom):
        await host.until(lambda: any(name.startswith("session:") for name in host.cursors))
        for place in (peer.bot.dm, peer.channel):
            await peer.say(f"{peer.mention()} hello", channel=place)
            await host.until(lambda place=place: place in host.cursors.get("seen", ""))  # type: ignore[misc]


async def test_what_is_missed_is_bounded_by_age_and_count(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        await peer.say("before", channel=peer.bot.dm)
        await host.texts(1)
        await host.until(lambda: "seen" in host.cursors)
    await peer.say_all(
        [{"content": "too old", "channel": peer.bot.dm, "ago": 500.0}]
        + [{"content": f"missed {number}", "channel": peer.bot.dm} for number in range(5)]
    )
    await peer.socket("forget")
    bounds = {"maxAge": 100, "maxMessages": 3, "maxChannels": 1}
    async with running(peer, host, backfill=bounds):
        await peer.say("live", channel=peer.bot.dm)
        assert await host.texts(5) == ["before", "missed 0", "missed 1", "missed 2", "live"]
    (call,) = await peer.calls("history")
    assert call["query"]["limit"] == "3"


async def test_each_shard_fetches_what_its_own_servers_missed(peer: Peer, host: KeepingHost) -> None:
    await peer.settings(shards=2)
    places = [peer.bot.dm]
    for shard in range(2):
        guild = await peer.add_guild(f"server {shard}", id=str((250_000_000_000 + shard) << 22))
        places.append(await peer.add_channel("talk", guild=guild))
    async with running(peer, host):
        for place in places:
            await peer.say(f"{peer.mention()} before", channel=place)
        await host.texts(len(places))
        await host.until(lambda: all(place in host.cursors.get("seen", "") for place in places))
    for place in places:
        await peer.say(f"{peer.mention()} missed", channel=place)
    await peer.socket("forget")
    async with running(peer, host):
        await host.texts(2 * len(places))
    assert host.doubles == []
    assert len(await peer.calls("history")) == len(places)


async def test_nothing_is_fetched_when_that_is_switched_off(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        await peer.say("before", channel=peer.bot.dm)
        await host.texts(1)
    await peer.socket("forget")
    async with running(peer, host, backfill={"maxAge": 0}):
        await peer.say("live", channel=peer.bot.dm)
        assert await host.texts(2) == ["before", "live"]
    assert await peer.calls("history") == []


async def test_a_channel_that_the_bot_left_is_not_asked_again(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        await peer.say(f"{peer.mention()} before")
        await host.texts(1)
        await host.until(lambda: peer.channel in host.cursors.get("seen", ""))
    await peer.kick()
    await peer.socket("forget")
    async with running(peer, host):
        await host.until(lambda: peer.channel not in host.cursors["seen"])
    assert len(await peer.calls("history")) <= 1


# -- what else it hears


async def test_people_are_heard_in_servers_threads_and_alone(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    await peer.say("between others")
    await peer.say(f"{peer.mention()} for you")
    sent = await channel.send(direct(peer.bot.dm), "hi", "turn-0")
    assert sent.id
    ours = await channel.send(group(peer.channel), "an answer", "turn-1")
    await peer.say("so?", reply_to=ours.id)
    assert await host.texts(3) == ["between others", "for you", "so?"]
    assert [message.addressed for message in host.of(Message)] == [False, True, True]


async def test_in_a_thread_where_it_wrote_everything_is_meant_for_it(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    thread = await peer.thread("talk")
    await peer.say("not yet", channel=thread)
    await host.texts(1)
    await channel.send(group(peer.channel, thread=thread), "I am here", "turn-0")
    await peer.say("now", channel=thread)
    await host.texts(2)
    ours = await channel.send(group(peer.channel), "an answer", "turn-1")
    opened = await peer.thread("about the answer", message=ours.id)
    await peer.say("and this", channel=opened)
    await host.texts(3)
    assert [message.addressed for message in host.of(Message)] == [False, True, True]


async def test_a_setting_makes_every_message_of_a_server_meant_for_it(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host, guildMessages="all"):
        await peer.say("between others")
        assert (await host.first(Message)).addressed


async def test_typing_in_a_direct_chat_and_a_deletion_are_told(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    await peer.typing(channel=peer.bot.dm)
    assert (await host.first(TypingStarted)).sender.id == peer.person
    number = await peer.say("oops", channel=peer.bot.dm)
    await peer.delete(number)
    assert (await host.first(MessageDeleted)).message_id == number


async def test_being_thrown_out_is_told(peer: Peer, channel: DiscordChannel, host: KeepingHost) -> None:
    await peer.kick()
    assert (await host.first(Membership)).change is MembershipChange.KICKED


async def test_a_new_server_is_told_and_the_known_ones_are_not(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    await peer.add_guild("another")
    assert (await host.first(Membership)).change is MembershipChange.JOINED
    assert len(host.of(Membership)) == 1


async def test_other_bots_are_not_heard(peer: Peer, channel: DiscordChannel, host: KeepingHost) -> None:
    await peer.say(f"{peer.mention()} I am a bot", user=peer.bots[1].id)
    await peer.say(f"{peer.mention()} I am not")
    assert await host.texts(1) == ["I am not"]


# -- shards and starts


async def test_as_many_shards_run_as_discord_says(peer: Peer, host: KeepingHost) -> None:
    await peer.settings(shards=3, max_concurrency=2)
    async with running(peer, host):
        assert (await peer.counts())["identify"] == 3
        await peer.say(f"{peer.mention()} in a server")
        await peer.say("alone", channel=peer.bot.dm)
        assert sorted(await host.texts(2)) == ["alone", "in a server"]
        await peer.socket("drop")
        await peer.wait(counted="resumed", count=3)
        await peer.say("still there", channel=peer.bot.dm)
        await host.texts(3)


async def test_without_session_starts_left_it_waits_and_says_so(peer: Peer, host: KeepingHost) -> None:
    await peer.settings(session_starts=0)
    channel = DiscordChannel("main", settings(peer), host, timing=QUICK)
    running = asyncio.create_task(channel.run())
    try:
        async with asyncio.timeout(30):
            while "no session starts left" not in host.reason:
                await asyncio.sleep(0.01)
        assert (await peer.counts()).get("identify", 0) == 0
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_revoked_token_ends_the_account(peer: Peer, host: KeepingHost) -> None:
    channel = DiscordChannel("main", settings(peer), host, timing=QUICK)
    task = asyncio.create_task(channel.run())
    await until_online(host)
    await peer.control("revoke")
    with pytest.raises(NotAuthorized):
        await asyncio.wait_for(task, 30)
    assert host.states[-1][0] is False


async def test_a_wrong_token_ends_the_account_before_anything_is_connected(
    peer: Peer, host: KeepingHost
) -> None:
    wrong = peer.token[:-4] + "AAAA"
    with pytest.raises(NotAuthorized):
        await asyncio.wait_for(DiscordChannel("main", settings(peer, wrong), host, timing=QUICK).run(), 30)
    assert (await peer.counts()).get("identify", 0) == 0


async def test_what_waits_for_room_while_a_connection_ends_is_not_lost(peer: Peer, host: KeepingHost) -> None:
    """More arrives than is taken over at a time, and the line is cut in the middle of it."""
    held = asyncio.Event()
    said = [f"m{number}" for number in range(1700)]
    offered: list[str] = []

    def hold(event: Event) -> Awaitable[bool]:
        assert isinstance(event, Message)
        offered.append(event.text)  # in this order; those that are held wake up in any
        return held.wait()

    host.gate = hold
    async with running(peer, host):
        await peer.say_all([{"content": text, "channel": peer.bot.dm} for text in said])
        await peer.socket("drop")
        held.set()
        assert sorted(await host.texts(1700)) == sorted(said)
    assert offered == said
    assert host.doubles == []


async def test_a_gateway_that_keeps_hanging_up_is_heard_in_the_end(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        for number in range(6):
            await peer.socket("reconnect")
            await peer.wait(counted="resumed", count=number + 1)
        await peer.say("still there", channel=peer.bot.dm)
        assert await host.texts(1) == ["still there"]
