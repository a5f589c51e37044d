"""What people do on the fake server, as its gateway tells it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import pytest_asyncio

from tests.channels.discord.peer.client import Peer
from tests.channels.discord.peer.raw import Raw, Socket

EVERYTHING = (1 << 2) - 1 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15


@pytest_asyncio.fixture
async def socket(peer: Peer, raw: Raw) -> Socket:
    """A bot that hears everything, past its GUILD_CREATE."""
    found = await (await (await raw.socket()).identify(EVERYTHING)).until_ready()
    await found.until("GUILD_CREATE")
    return found


async def test_edits_deletions_and_reactions_of_people_are_told(peer: Peer, socket: Socket) -> None:
    one = await peer.say("before")
    await peer.edit(one, "after")
    changed = await socket.until("MESSAGE_UPDATE")
    assert (changed["id"], changed["content"], bool(changed["edited_timestamp"])) == (one, "after", True)
    await peer.react(one, "\U0001f44e")
    added = await socket.until("MESSAGE_REACTION_ADD")
    assert (added["user_id"], added["emoji"], added["message_author_id"]) == (
        peer.person,
        {"id": None, "name": "\U0001f44e"},
        peer.person,
    )
    await peer.react(one, "\U0001f44e", off=True)
    assert (await socket.until("MESSAGE_REACTION_REMOVE"))["message_id"] == one
    await peer.typing()
    assert (await socket.until("TYPING_START"))["user_id"] == peer.person
    await peer.delete(one)
    assert await socket.until("MESSAGE_DELETE") == {
        "id": one,
        "channel_id": peer.channel,
        "guild_id": peer.guild,
    }


async def test_a_dm_has_no_guild_and_no_member(peer: Peer, socket: Socket) -> None:
    other = await peer.add_user("bob")
    place = await peer.dm(user=other)
    await peer.say("psst", channel=place, user=other)
    heard = await socket.until("MESSAGE_CREATE")
    assert (heard["channel_id"], heard["author"]["username"]) == (place, "bob")
    assert "guild_id" not in heard and "member" not in heard


async def test_a_thread_is_told_archived_and_deleted(peer: Peer, socket: Socket) -> None:
    one = await peer.say("start here")
    thread = await peer.thread("aside", message=one)
    opened = await socket.until("THREAD_CREATE")
    assert (opened["id"], opened["parent_id"], opened["newly_created"], thread) == (
        one,
        peer.channel,
        True,
        one,
    )
    await peer.say("inside", channel=thread)
    assert (await socket.until("MESSAGE_CREATE"))["channel_id"] == thread
    await peer.control("set_channel", channel=thread, archived=True)
    assert (await socket.until("THREAD_UPDATE"))["thread_metadata"]["archived"] is True
    await peer.control("delete_channel", channel=thread)
    assert (await socket.until("THREAD_DELETE"))["id"] == thread


async def test_a_role_mention_names_the_role(peer: Peer, socket: Socket) -> None:
    role = await peer.add_role("helpers", members=[peer.bot.id])
    await peer.say(f"<@&{role}> help")
    heard = await socket.until("MESSAGE_CREATE")
    assert (heard["mention_roles"], heard["mentions"]) == ([role], [])


async def test_a_voice_message_says_that_it_is_one(peer: Peer, raw: Raw, socket: Socket) -> None:
    wave = base64.b64encode(b"\x00\x10").decode()
    await peer.attach("voice-message.ogg", "audio/ogg", b"OggS", duration_secs=1.5, waveform=wave)
    heard = await socket.until("MESSAGE_CREATE")
    [file] = heard["attachments"]
    assert (heard["flags"], file["duration_secs"], file["waveform"]) == (8192, 1.5, wave)
    async with raw.session.get(file["url"]) as response:
        assert await response.read() == b"OggS"


async def test_a_message_can_be_told_twice(peer: Peer, socket: Socket) -> None:
    one = await peer.say("echo")
    await peer.say_again(one)
    first, second = [await socket.until("MESSAGE_CREATE") for _ in range(2)]
    assert (first["id"], second["id"]) == (one, one)


async def test_a_kick_is_told_and_shuts_the_guild(peer: Peer, raw: Raw, socket: Socket) -> None:
    await peer.kick()
    assert await socket.until("GUILD_DELETE") == {"id": peer.guild}
    await peer.say("unheard")
    await peer.say("heard", channel=peer.bot.dm)
    assert (await socket.until("MESSAGE_CREATE"))["content"] == "heard"
    await peer.control("invite")
    assert (await socket.until("GUILD_CREATE"))["id"] == peer.guild
    await raw.send("back")


async def test_an_outage_is_told_as_unavailable(peer: Peer, raw: Raw, socket: Socket) -> None:
    await peer.control("kick", outage=True)
    assert await socket.until("GUILD_DELETE") == {"id": peer.guild, "unavailable": True}
    await peer.control("invite")
    assert (await socket.until("GUILD_CREATE"))["unavailable"] is False


async def test_a_deleted_channel_takes_its_threads_along(peer: Peer, raw: Raw, socket: Socket) -> None:
    thread = await peer.thread("aside")
    await peer.control("delete_channel", channel=peer.channel)
    assert (await socket.until("CHANNEL_DELETE"))["id"] == peer.channel
    for place in (peer.channel, thread):
        assert (await raw.refused("POST", f"/channels/{place}/messages", {"content": "x"}))[1] == 10003


async def test_a_channel_that_may_not_be_viewed_is_silent(peer: Peer, socket: Socket) -> None:
    await peer.deny("VIEW_CHANNEL")
    told = await socket.until("CHANNEL_UPDATE")
    assert told["permission_overwrites"][0]["deny"] == str(1 << 10)
    await peer.say("unheard")
    await peer.say("heard", channel=peer.bot.dm)
    assert (await socket.until("MESSAGE_CREATE"))["content"] == "heard"


async def test_messages_said_while_no_bot_was_there_wait_in_the_history(peer: Peer, raw: Raw) -> None:
    ids = await peer.say_all([{"content": str(number), "ago": 60.0 - number} for number in range(3)])
    found = await raw.result("GET", f"/channels/{peer.channel}/messages?after=0&limit=100")
    assert [one["id"] for one in found] == list(reversed(ids))
    assert found[-1]["timestamp"] < found[0]["timestamp"]


async def test_any_event_can_be_dispatched(peer: Peer, socket: Socket) -> None:
    await peer.control("dispatch", name="SOMETHING_NEW", data={"a": 1})
    assert await socket.until("SOMETHING_NEW") == {"a": 1}


async def test_an_interaction_that_nobody_answers_fails_by_itself(
    peer: Peer, raw: Raw, socket: Socket
) -> None:
    await peer.settings(ack_deadline=0.05)
    asked = await peer.command("any", data={"id": "1", "name": "any", "type": 1})
    found = await peer.wait(interaction=asked, state="failed")
    assert found["ack_after"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"content": 3},
        {"content": "x", "components": "none"},
        {"content": "x", "components": [3]},
        {"content": "x", "embeds": [3]},
        {"content": "x", "allowed_mentions": []},
        {"content": "x", "flags": "many"},
        {"content": "x", "message_reference": 3},
        [],
        3,
    ],
)
async def test_a_body_of_any_shape_gets_an_answer(peer: Peer, raw: Raw, body: Any) -> None:
    status, _, _ = await raw("POST", f"/channels/{peer.channel}/messages", body)
    assert status in {200, 400}


async def test_a_wrong_order_is_refused_in_words(peer: Peer) -> None:
    for verb, body in (
        ("nothing", {}),
        ("settings", {"hearbeat": 1}),
        ("say", {"channel": "1"}),
        ("edit", {}),
    ):
        with pytest.raises(RuntimeError, match=f"/control/{verb}: "):
            await peer.control(verb, **body)
