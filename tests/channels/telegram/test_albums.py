"""Albums: parts that come one by one are one message, whatever breaks in between."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from channels.events import Event, Message, MessageEdited
from channels.telegram.albums import CURSOR, MAX_PARTS
from channels.telegram.channel import TelegramChannel
from channels.telegram.timing import Timing
from tests.channels.telegram.hosts import KeepingHost, running
from tests.channels.telegram.peer.client import Peer
from tests.channels.telegram.test_webhook import listening, move_hook

CHAT = 4711
GROUP = -1001234567890
# Nothing is quiet for so long in a test: an album ends by what is said after it.
PATIENT = Timing(album_quiet=60.0, album_longest=60.0)


def messages(host: KeepingHost) -> list[Message]:
    return [event for event in host.events if isinstance(event, Message)]


def refs(message: Message) -> list[str]:
    return [attachment.ref for attachment in message.attachments]


async def test_the_parts_of_an_album_are_one_message(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    said = await peer.album(CHAT, "g1", ["a", "b", "c"], caption="look at these")
    await host.until(lambda: bool(host.events))
    [message] = messages(host)
    assert refs(message) == ["a", "b", "c"] and message.text == "look at these"
    assert message.message_id == str(said[0]["message_id"]) and message.addressed
    assert message.event_key == f"m:{CHAT}:{said[0]['message_id']}"


async def test_parts_that_trickle_in_are_waited_for(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, PATIENT):
        for name in "abc":
            [said] = await peer.album(CHAT, "g1", [name])
            await peer.wait(confirmed=said["update_id"])
        assert host.events == []
        await peer.say(CHAT, "that was all")
        await host.until(lambda: len(host.events) == 2)
    album, after = messages(host)
    assert refs(album) == ["a", "b", "c"] and after.text == "that was all"


async def test_two_albums_and_what_is_said_elsewhere_keep_apart(peer: Peer, host: KeepingHost) -> None:
    for chat in (CHAT, CHAT + 1):
        await peer.control("set_chat", chat=chat)
    async with running(peer, host, PATIENT):
        await peer.album(CHAT, "g1", ["a", "b"])
        await peer.album(CHAT + 1, "g2", ["c", "d"])
        await peer.say(CHAT + 2, "somebody else")
        await host.until(lambda: len(host.events) == 1)
        await peer.album(CHAT, "g3", ["e"])
        await peer.say(CHAT, "done")
        await host.until(lambda: len(host.events) == 4)
    assert [refs(message) for message in messages(host)] == [[], ["a", "b"], ["e"], []]


async def test_a_mention_in_one_caption_means_the_whole_album(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    name = (await peer.state())["user"]["username"]
    entity = {"type": "mention", "offset": 0, "length": len(name) + 1}
    photo = [{"file_id": "b", "width": 1, "height": 1}]
    captioned = {"photo": photo, "caption": f"@{name} what is it?", "caption_entities": [entity]}
    await peer.say_all(
        [
            {"chat": GROUP, "user": 7, "extra": {"photo": [{"file_id": "a"}], "media_group_id": "g"}},
            {"chat": GROUP, "user": 7, "extra": {**captioned, "media_group_id": "g"}},
        ]
    )
    await host.until(lambda: bool(host.events))
    [message] = messages(host)
    assert message.addressed and message.text == "what is it?" and refs(message) == ["a", "b"]


async def test_nothing_is_confirmed_before_it_is_durable_and_a_crash_loses_no_part(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, PATIENT):
        said = await peer.album(CHAT, "g1", ["a", "b"], caption="kept")
        await peer.wait(confirmed=said[1]["update_id"])
    assert host.events == [] and '"a"' in host.cursors[CURSOR] and '"b"' in host.cursors[CURSOR]
    after = KeepingHost(tmp_path)
    after.cursors = host.cursors
    async with running(peer, after):
        await peer.album(CHAT, "g1", ["c"])
        await after.until(lambda: bool(after.events))
    assert [refs(message) for message in messages(after)] == [["a", "b", "c"]]
    assert messages(after)[0].text == "kept"


async def test_parts_that_come_again_after_the_album_was_taken_are_no_second_message(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host):
        said = await peer.album(CHAT, "g1", ["a", "b"])
        await host.until(lambda: bool(host.events))
        await host.until(lambda: '"open":[]' in host.cursors[CURSOR])
    after = KeepingHost(tmp_path)
    after.cursors = {CURSOR: host.cursors[CURSOR]}
    async with running(peer, after):
        await peer.update("message", said[1]["payload"], chat=CHAT)
        await peer.say(CHAT, "next")
        await after.until(lambda: bool(after.events))
    assert [message.text for message in messages(after)] == ["next"]


async def test_a_late_part_is_a_message_of_its_own(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    await peer.album(CHAT, "g1", ["a", "b"])
    await host.until(lambda: len(host.events) == 1)
    await peer.album(CHAT, "g1", ["late"])
    await host.until(lambda: len(host.events) == 2)
    assert [refs(message) for message in messages(host)] == [["a", "b"], ["late"]]


async def test_an_album_without_room_is_offered_again_before_what_follows(
    peer: Peer, host: KeepingHost
) -> None:
    await peer.control("set_chat", chat=CHAT)
    tries = iter([False, False])
    host.room = lambda _: next(tries, True)
    async with running(peer, host):
        await peer.album(CHAT, "g1", ["a", "b"])
        await peer.say(CHAT, "and then")
        await host.until(lambda: len(host.events) == 2)
    assert [refs(message) for message in messages(host)] == [["a", "b"], []]


async def test_a_caption_that_changes_reaches_the_album(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)

    def edited(payload: dict[str, Any], caption: str) -> dict[str, Any]:
        return {**payload, "caption": caption, "edit_date": payload["date"] + 1}

    async with running(peer, host, PATIENT):
        said = await peer.album(CHAT, "g1", ["a", "b"], caption="first")
        await peer.update("edited_message", edited(said[0]["payload"], "second"), chat=CHAT)
        await peer.say(CHAT, "now")
        await host.until(lambda: len(host.events) == 2)
        await peer.update("edited_message", edited(said[1]["payload"], "third"), chat=CHAT)
        await host.until(lambda: len(host.events) == 3)
    album, _, change = host.events
    assert isinstance(album, Message) and album.text == "second" and refs(album) == ["a", "b"]
    assert isinstance(change, MessageEdited)
    assert (change.message_id, change.text) == (album.message_id, "third")


async def test_an_album_of_any_length_ends(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, PATIENT):
        await peer.album(CHAT, "g1", [f"p{number}" for number in range(MAX_PARTS)])
        await host.until(lambda: bool(host.events))
    assert len(messages(host)[0].attachments) == MAX_PARTS


async def test_a_webhook_gets_the_parts_one_by_one_and_the_album_is_one_message(
    peer: Peer, host: KeepingHost
) -> None:
    async with listening(peer, host, Timing(album_quiet=0.3)) as url:
        await move_hook(peer, url, (await peer.calls("setWebhook"))[0]["args"]["secret_token"])
        await peer.album(CHAT, "g1", ["a", "b", "c"])
        await host.until(lambda: bool(host.events))
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 405
    assert [refs(message) for message in messages(host)] == [["a", "b", "c"]]


async def test_a_cursor_that_cannot_be_read_is_no_reason_not_to_start(peer: Peer, host: KeepingHost) -> None:
    for junk in ("", "[]", "{", '{"open": [1], "whole": 5}', '{"open": [["g", {"update_id": 1}]]}'):
        host.cursors[CURSOR] = junk
        async with running(peer, host):
            await asyncio.sleep(0)
    assert host.events == []


async def test_parts_of_an_album_that_has_no_effect_are_not_kept(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    host.refusals = {str(CHAT): "You are not on the list."}
    async with running(peer, host, PATIENT):
        said = await peer.album(CHAT, "g1", ["a", "b"])
        await peer.wait(confirmed=said[1]["update_id"])
    assert CURSOR not in host.cursors and len(host.events) == 2  # the host itself drops them


class Choosy(KeepingHost):
    """As the daemon in a group: what does not name the bot has no effect."""

    def refusal(self, event: Event) -> str | None:
        return None if getattr(event, "addressed", True) else "Not meant for the bot."

    async def accept(self, event: Event) -> bool:
        return self.refusal(event) is not None or await super().accept(event)


async def test_the_parts_of_an_album_in_a_group_stay_together_although_one_alone_names_the_bot(
    peer: Peer, tmp_path: Path
) -> None:
    host = Choosy(tmp_path)
    async with running(peer, host):
        name = (await peer.state())["user"]["username"]
        entity = {"type": "mention", "offset": 0, "length": len(name) + 1}
        photo = [{"file_id": "a", "width": 1, "height": 1}]
        captioned = {"photo": photo, "caption": f"@{name} what is it?", "caption_entities": [entity]}
        await peer.say_all(
            [
                {"chat": GROUP, "user": 7, "extra": {**captioned, "media_group_id": "g"}},
                {"chat": GROUP, "user": 7, "extra": {"photo": [{"file_id": "b"}], "media_group_id": "g"}},
            ]
        )
        await host.until(lambda: bool(host.events))
    [message] = messages(host)
    assert refs(message) == ["a", "b"]


class SlowToWrite(KeepingHost):
    """Its cursors take a while once `pause` is there."""

    pause: asyncio.Event | None = None

    async def set_cursor(self, name: str, value: str) -> None:
        if self.pause is not None and name == CURSOR:
            await self.pause.wait()
        await super().set_cursor(name, value)


async def test_what_is_said_after_an_album_keeps_its_order_while_the_album_is_written_down(
    peer: Peer, tmp_path: Path
) -> None:
    host = SlowToWrite(tmp_path)
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, PATIENT):
        said = await peer.album(CHAT, "g1", ["a", "b"])
        await peer.wait(confirmed=said[1]["update_id"])
        host.pause = asyncio.Event()
        await peer.say_all([{"chat": CHAT, "text": "one"}, {"chat": CHAT, "text": "two"}])
        await host.until(lambda: bool(host.events))
        for _ in range(20):
            await asyncio.sleep(0)
        host.pause.set()
        await host.until(lambda: len(host.events) == 3)
    assert [message.text for message in messages(host)] == ["", "one", "two"]
