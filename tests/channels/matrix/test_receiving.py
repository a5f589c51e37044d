"""What arrives from a real homeserver, in which order, and that nothing is confirmed before it was taken over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from channels.capabilities import Surface
from channels.events import (
    AttachmentKind,
    Event,
    Membership,
    MembershipChange,
    MessageDeleted,
    MessageEdited,
    Reaction,
    TypingStarted,
)
from tests.channels.matrix.hosts import KeepingHost, address, running
from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.person import Person
from tests.channels.matrix.peer.relay import Relay

# A real server: people are registered, rooms made and joined.
pytestmark = [pytest.mark.slow, pytest.mark.asyncio]


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    return KeepingHost(tmp_path)


async def together(person: Person, bot: Account, **more: Any) -> str:
    """A room that the running bot was asked into and has joined."""
    room = await person.create_room(bot.id, **{"is_direct": True, **more})
    await person.until_member(room, bot.id)
    return room


async def test_an_invited_bot_joins_and_hears_what_was_said_since_the_invitation(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    async with running(bot, relay, host):
        room = await alice.create_room(bot.id, is_direct=True)
        await alice.say(room, "Hello?")
        await alice.until_member(room, bot.id)
        await alice.say(room, "There you are.")
        messages = await host.until_messages(2)
        assert [message.text for message in messages] == ["Hello?", "There you are."]
        assert {message.address.surface for message in messages} == {Surface.DIRECT}
        changes = [event.change for event in host.of(Membership)]
        assert changes == [MembershipChange.INVITED, MembershipChange.JOINED]


async def test_a_bot_that_starts_for_the_first_time_answers_no_history(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost, tmp_path: Path
) -> None:
    async with running(bot, relay, KeepingHost(tmp_path / "other")):
        room = await together(alice, bot)
        await alice.say(room, "long ago")
    async with running(bot, relay, host):
        await alice.say(room, "now")
        (message,) = await host.until_messages(1)
        assert message.text == "now"


async def test_what_was_said_meanwhile_comes_after_a_restart_once_and_in_order(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    """More than a sync shows, so the rest is paged back."""
    async with running(bot, relay, host):
        room = await together(alice, bot)
        await alice.say(room, "before")
        await host.until_messages(1)
        await host.until(lambda: any(name.startswith("since:") for name in host.cursors))
    for number in range(130):
        await alice.say(room, f"missed {number}")
    async with running(bot, relay, host):
        await alice.say(room, "after")
        messages = await host.until_messages(132)
        wanted = ["before", *(f"missed {number}" for number in range(130)), "after"]
        assert [message.text for message in messages] == wanted


async def test_the_bounds_of_the_settings_end_the_paging_back(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    async with running(bot, relay, host):
        room = await together(alice, bot)
        await alice.say(room, "before")
        await host.until_messages(1)
    for number in range(130):
        await alice.say(room, f"missed {number}")
    async with running(bot, relay, host, backfillMessages=10):
        await alice.say(room, "after")
        await host.until(lambda: host.messages[-1].text == "after")
        # A sync shows about a hundred and ten more are fetched; the oldest stay away.
        texts = [message.text for message in host.messages]
        assert texts[0] == "before"
        assert not {f"missed {number}" for number in range(10)} & set(texts)
        assert texts[-102:] == [f"missed {number}" for number in range(29, 130)] + ["after"]


async def test_what_was_not_taken_over_comes_again_after_a_restart(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    """Killed between the sync and the host's word: the token was not stored yet."""
    async with running(bot, relay, host):
        room = await together(alice, bot)
        await alice.say(room, "first")
        await host.until_messages(1)
        offered: list[str] = []

        def refuse(event: Event) -> bool:
            offered.append(event.event_key)
            return False

        host.room = refuse
        asked = await alice.say(room, "second")
        await host.until(lambda: offered.count(asked) >= 2)
    host.room = lambda _: True
    async with running(bot, relay, host):
        messages = await host.until_messages(2)
        assert [message.text for message in messages] == ["first", "second"]


async def test_people_edit_delete_react_and_type(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    async with running(bot, relay, host) as channel:
        room = await together(alice, bot)
        asked = await alice.say(room, "Helo")
        await host.until_messages(1)
        await alice.edit(room, asked, "Hello")
        await host.until(lambda: bool(host.of(MessageEdited)))
        (edited,) = host.of(MessageEdited)
        assert (edited.message_id, edited.text) == (asked, "Hello")
        sent = await channel.send(address(room), "Hi.", "key-0")
        reaction = await alice.react(room, sent.id, "👍")
        await host.until(lambda: len(host.of(Reaction)) == 1)
        await alice.redact(room, reaction)
        await host.until(lambda: len(host.of(Reaction)) == 2)
        assert [(one.message_id, one.emoji, one.added) for one in host.of(Reaction)] == [
            (sent.id, "👍", True),
            (sent.id, "👍", False),
        ]
        await alice.type(room)
        await host.until(lambda: bool(host.of(TypingStarted)))
        await alice.redact(room, asked)
        await host.until(lambda: bool(host.of(MessageDeleted)))
        assert [one.message_id for one in host.of(MessageDeleted)] == [asked]
        assert len(host.messages) == 1


async def test_in_a_room_only_what_is_meant_for_the_bot_is_addressed(
    relay: Relay, home: Home, bot: Account, alice: Person, host: KeepingHost
) -> None:
    bob = await home.person("bob")
    async with running(bot, relay, host) as channel:
        room = await together(alice, bot, is_direct=False, name="Kitchen")
        await alice.invite(room, bob.id)
        await bob.join(room)
        mine = await channel.send(address(room, surface=Surface.GROUP), "I am here.", "key-0")
        await alice.say(room, "who cooks?")
        await alice.say(room, f"{bot.name}: you?", mentions=[bot.id])
        await bob.say(room, "why not", reply_to=mine.id)
        await bob.say(room, "and below", thread=mine.id)
        await alice.say(room, f"{bot.name} !model fast", mentions=[bot.id])
        messages = await host.until_messages(5)
        assert [(message.text, message.addressed) for message in messages] == [
            ("who cooks?", False),
            ("you?", True),
            ("why not", True),
            ("and below", True),
            ("!model fast", True),
        ]
        surfaces = [message.address.surface for message in messages]
        assert surfaces == [Surface.GROUP, Surface.GROUP, Surface.GROUP, Surface.THREAD, Surface.GROUP]
        assert messages[3].address.key.thread == mine.id


async def test_files_are_opened_up_to_the_size_that_is_wanted(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    async with running(bot, relay, host) as channel:
        room = await together(alice, bot)
        await alice.attach(room, "cat.png", "image/png", b"cat" * 100, caption="my cat")
        await alice.attach(room, "note.ogg", "audio/ogg", b"la", is_voice=True)
        first, second = await host.until_messages(2)
        assert (first.text, first.attachments[0].kind) == ("my cat", AttachmentKind.IMAGE)
        assert second.attachments[0].kind is AttachmentKind.VOICE
        assert await channel.open_attachment(first.attachments[0].ref, 1000) == b"cat" * 100
        with pytest.raises(Exception, match="bytes"):
            await channel.open_attachment(first.attachments[0].ref, 10)


async def test_a_message_that_was_taken_up_is_marked_as_read(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost, home: Home
) -> None:
    stranger = await home.person("mallory")
    async with running(bot, relay, host):
        room = await together(alice, bot)
        asked = await alice.say(room, "Hello")
        await alice.until_read(room, bot.id, asked)
        host.refusals[stranger.id] = ""
        await alice.invite(room, stranger.id)
        await stranger.join(room)
        await stranger.say(room, "psst")
        again = await alice.say(room, "me again")
        await alice.until_read(room, bot.id, again)
        read = [request.body for request in relay.requests if request.path.endswith("/read_markers")]
        assert [body["m.read"] for body in read] == [asked, again]


async def test_invitations_are_answered_by_policy(
    relay: Relay, home: Home, bot: Account, alice: Person, host: KeepingHost
) -> None:
    stranger = await home.person("mallory")
    host.refusals[stranger.id] = "not you"
    async with running(bot, relay, host):
        theirs = await stranger.create_room(bot.id, is_direct=True)
        await stranger.until_member(theirs, bot.id, "leave")
        await together(alice, bot)
        assert next(event.sender.id for event in host.of(Membership)) == alice.id
    async with running(bot, relay, host, joinInvites="keep"):
        kept = await stranger.create_room(bot.id, is_direct=True)
        kept_open = await together(alice, bot)
        assert await stranger.membership(kept, bot.id) == "invite"
    async with running(bot, relay, host, joinInvites="never"):
        ignored = await alice.create_room(bot.id, is_direct=True)
        await alice.say(kept_open, "a sync later")
        await host.until(lambda: bool(host.messages))
        assert await alice.membership(ignored, bot.id) == "invite"


async def test_an_invitation_that_came_while_away_is_answered_at_the_start(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    room = await alice.create_room(bot.id, is_direct=True)
    async with running(bot, relay, host):
        await alice.until_member(room, bot.id)


async def test_a_silent_line_is_given_up_and_nothing_is_lost(
    relay: Relay, bot: Account, alice: Person, host: KeepingHost
) -> None:
    async with running(bot, relay, host, pollSeconds=1):
        room = await together(alice, bot)
        relay.silence()
        await alice.say(room, "anybody there?")
        await host.until(lambda: host.signals.get("poll_failed", 0) >= 1)
        relay.silence(is_on=False)
        (message,) = await host.until_messages(1)
        assert message.text == "anybody there?"


async def test_two_bots_live_in_one_process(
    relay: Relay, home: Home, bot: Account, alice: Person, tmp_path: Path
) -> None:
    other = await home.bot("second")
    mine, theirs = KeepingHost(tmp_path / "a"), KeepingHost(tmp_path / "b")
    async with running(bot, relay, mine) as one, running(other, relay, theirs, account="other") as two:
        first, second = await asyncio.gather(together(alice, bot), together(alice, other))
        await alice.say(first, "to one")
        await alice.say(second, "to two")
        assert [message.text for message in await mine.until_messages(1)] == ["to one"]
        assert [message.text for message in await theirs.until_messages(1)] == ["to two"]
        await one.send(mine.messages[0].address, "one", "key-0")
        await two.send(theirs.messages[0].address, "two", "key-0")
        await alice.until_texts(first, ["one"], sender=bot.id)
        await alice.until_texts(second, ["two"], sender=other.id)
        assert str(theirs.messages[0].address.key).startswith("matrix:other:")
