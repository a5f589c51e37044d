"""The peer itself, with the library that the adapter uses: matrix-nio at the relay, people at the server."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator

import nio
import pytest
import pytest_asyncio

from tests.channels.matrix.peer.api import MatrixError
from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.person import Person
from tests.channels.matrix.peer.relay import Relay, Request


@pytest_asyncio.fixture
async def client(relay: Relay, bot: Account) -> AsyncIterator[nio.AsyncClient]:
    """The bot as the library sees it."""
    options = nio.AsyncClientConfig(max_limit_exceeded=0, max_timeouts=0, encryption_enabled=False)
    client = nio.AsyncClient(relay.url, bot.id, config=options)
    client.restore_login(bot.id, bot.device, bot.token)
    yield client
    await client.close()


async def text(client: nio.AsyncClient, room: str, body: str, key: str | None = None) -> object:
    return await client.room_send(room, "m.room.message", {"msgtype": "m.text", "body": body}, key)


async def joined(client: nio.AsyncClient, alice: Person) -> str:
    room = await alice.create_room(client.user_id, is_direct=True)
    await client.join(room)
    return room


async def test_a_password_makes_a_device(home: Home, relay: Relay, bot: Account) -> None:
    client = nio.AsyncClient(relay.url, bot.id)
    answer = await client.login(bot.password)
    await client.close()
    assert isinstance(answer, nio.LoginResponse)
    assert {device["device_id"] for device in await home.admin.devices(bot.id)} == {
        bot.device,
        answer.device_id,
    }
    (request,) = await relay.until(lambda request: request.path.endswith("/login"))
    assert bot.password not in repr({**request.body, "identifier": None})
    assert answer.access_token not in repr(relay.requests)


async def test_both_hear_each_other(client: nio.AsyncClient, alice: Person) -> None:
    room = await alice.create_room(client.user_id, is_direct=True, name="Talk")
    invited = await client.sync(0)
    assert isinstance(invited, nio.SyncResponse)
    assert list(invited.rooms.invite) == [room]
    await client.join(room)
    await alice.until_member(room, client.user_id)
    asked = await alice.say(room, "Hello", mentions=[client.user_id])
    heard = await client.sync(10_000)
    assert isinstance(heard, nio.SyncResponse)
    assert heard.rooms.join[room].timeline.events[-1].event_id == asked
    await text(client, room, "Hi.")
    await client.room_typing(room, typing_state=True, timeout=30_000)
    await client.room_read_markers(room, asked, asked)
    await alice.until_texts(room, ["Hi."], sender=client.user_id)
    await alice.until_typing(room, client.user_id)
    await alice.until_read(room, client.user_id, asked)
    await client.room_typing(room, typing_state=False)
    await alice.until_typing(room, client.user_id, is_on=False)


async def test_a_person_sees_edits_redactions_threads_and_reactions(
    client: nio.AsyncClient, alice: Person
) -> None:
    room = await joined(client, alice)
    root = await alice.say(room, "Root")
    sent = await text(client, room, "one")
    assert isinstance(sent, nio.RoomSendResponse)
    for body in ("one two", "one two three"):
        new = {
            "msgtype": "m.text",
            "body": body,
            "format": "org.matrix.custom.html",
            "formatted_body": f"<p>{body}</p>",
        }
        relation = {"rel_type": "m.replace", "event_id": sent.event_id}
        edit = new | {"body": f"* {body}", "m.new_content": new, "m.relates_to": relation}
        await client.room_send(room, "m.room.message", edit)
    related = {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": root},
    }
    aside = {"msgtype": "m.notice", "body": "aside", "m.relates_to": related}
    await client.room_send(room, "m.room.message", aside)
    gone = await text(client, room, "gone")
    assert isinstance(gone, nio.RoomSendResponse)
    await client.room_redact(room, gone.event_id)
    await alice.react(room, sent.event_id, "\N{THUMBS UP SIGN}")
    first, second = await alice.until_seen(room, lambda seen: len(seen) == 2, sender=client.user_id)
    assert (first.text, first.edits, first.thread) == ("one two three", 2, None)
    assert first.reactions == {"\N{THUMBS UP SIGN}": {alice.id}}
    assert (second.text, second.kind, second.thread, second.reply_to) == ("aside", "m.notice", root, None)
    assert await alice.texts(room, thread="") == ["Root", "one two three"]
    assert await alice.texts(room, thread=root) == ["aside"]


async def test_an_edit_by_somebody_else_changes_nothing(client: nio.AsyncClient, alice: Person) -> None:
    room = await joined(client, alice)
    said = await alice.say(room, "mine")
    edit = {"msgtype": "m.text", "body": "* yours", "m.new_content": {"msgtype": "m.text", "body": "yours"}}
    related = {"m.relates_to": {"rel_type": "m.replace", "event_id": said}}
    await client.room_send(room, "m.room.message", edit | related)
    await text(client, room, "after it")
    seen = await alice.until_seen(room, lambda seen: seen[-1].text == "after it")
    assert [(message.text, message.edits) for message in seen] == [("mine", 0), ("after it", 0)]


@pytest.mark.slow  # Synapse answers a refused event after half a second (Ratelimiter.ratelimit, pause)
async def test_a_usual_account_is_refused_after_ten_events(
    home: Home, client: nio.AsyncClient, alice: Person
) -> None:
    await home.admin.limit_as_usual(client.user_id)
    room = await joined(client, alice)
    answers = [await text(client, room, f"number {number}") for number in range(12)]
    refused = [answer for answer in answers if isinstance(answer, nio.RoomSendError)]
    assert [type(answer) for answer in answers[:9]] == [nio.RoomSendResponse] * 9
    assert refused
    assert refused[0].status_code == "M_LIMIT_EXCEEDED"
    assert refused[0].retry_after_ms is not None
    assert 0 < refused[0].retry_after_ms <= 5000
    await home.admin.unlimit(client.user_id)
    assert isinstance(await text(client, room, "free"), nio.RoomSendResponse)


@pytest.mark.slow  # thirty messages, one after the other
async def test_a_gap_is_left_where_more_was_said_than_a_sync_holds(
    client: nio.AsyncClient, alice: Person
) -> None:
    room = await joined(client, alice)
    await client.sync(0)
    said = [await alice.say(room, f"number {number}") for number in range(30)]
    heard = await client.sync(0)
    assert isinstance(heard, nio.SyncResponse)
    timeline = heard.rooms.join[room].timeline
    assert timeline.limited
    assert [event.event_id for event in timeline.events] == said[20:]
    page = await client.room_messages(room, timeline.prev_batch, limit=20)
    assert isinstance(page, nio.RoomMessagesResponse)
    assert [event.event_id for event in page.chunk] == said[19::-1]


async def test_a_lost_answer_leaves_the_event_and_its_key_shows_it_once(
    client: nio.AsyncClient, alice: Person, relay: Relay
) -> None:
    room = await joined(client, alice)
    relay.lose_next()
    with contextlib.suppress(Exception):
        await text(client, room, "only once", "key-1")
    await alice.until_texts(room, ["only once"])
    again = await text(client, room, "only once", "key-1")
    assert isinstance(again, nio.RoomSendResponse)
    assert [message.id for message in await alice.seen(room)] == [again.event_id]
    assert len(relay.sent()) >= 2


async def test_the_relay_refuses_as_the_server_does(
    client: nio.AsyncClient, alice: Person, relay: Relay
) -> None:
    room = await joined(client, alice)
    relay.limit_next(2.5)
    answer = await text(client, room, "too fast")
    assert isinstance(answer, nio.RoomSendError)
    assert (answer.status_code, answer.retry_after_ms) == ("M_LIMIT_EXCEEDED", 2500)
    assert isinstance(await text(client, room, "later"), nio.RoomSendResponse)
    assert await alice.texts(room) == ["later"]
    assert [request.status for request in relay.sent()] == [429, 200]


async def test_a_dropped_poll_ends_at_once_and_nothing_is_lost(
    client: nio.AsyncClient, alice: Person, relay: Relay
) -> None:
    room = await joined(client, alice)
    await client.sync(0)
    since = client.next_batch
    poll = asyncio.create_task(client.sync(30_000))
    waiting = sum(is_sync(request) for request in relay.requests) + 1
    while sum(is_sync(request) for request in relay.requests) < waiting:
        await asyncio.sleep(0.01)
    assert relay.drop_all() >= 1
    said = await alice.say(room, "meanwhile")
    with contextlib.suppress(Exception):
        await poll
    heard = await client.sync(10_000, since=since)
    assert isinstance(heard, nio.SyncResponse)
    assert heard.rooms.join[room].timeline.events[-1].event_id == said


def is_sync(request: Request) -> bool:
    return request.path.endswith("/sync")


async def test_a_refused_connection_comes_back_at_the_same_address(
    client: nio.AsyncClient, alice: Person, relay: Relay
) -> None:
    room = await joined(client, alice)
    await relay.refuse()
    with pytest.raises(OSError, match="Connect"):
        await text(client, room, "nobody there")
    await relay.refuse(is_on=False)
    assert isinstance(await text(client, room, "again"), nio.RoomSendResponse)


async def test_silence_holds_what_was_said_until_it_ends(
    client: nio.AsyncClient, alice: Person, relay: Relay
) -> None:
    room = await joined(client, alice)
    relay.silence()
    sending = asyncio.create_task(text(client, room, "held"))
    await alice.say(room, "in between")
    assert not sending.done()
    relay.silence(is_on=False)
    assert isinstance(await sending, nio.RoomSendResponse)
    assert await alice.texts(room) == ["in between", "held"]


async def test_a_device_that_was_logged_out_is_a_stranger(
    home: Home, client: nio.AsyncClient, bot: Account
) -> None:
    await home.admin.log_out(bot.id, bot.device)
    answer = await client.sync(0)
    assert isinstance(answer, nio.SyncError)
    assert answer.status_code == "M_UNKNOWN_TOKEN"


async def test_who_was_put_out_cannot_speak(home: Home, client: nio.AsyncClient, alice: Person) -> None:
    for put_out in ("kick", "ban", "mute", "delete", "suspend"):
        room = await joined(client, alice)
        await alice.until_member(room, client.user_id)
        match put_out:
            case "kick":
                await alice.kick(room, client.user_id)
            case "ban":
                await alice.ban(room, client.user_id, "enough")
            case "mute":
                await alice.set_power(room, client.user_id, -1)
            case "delete":
                await home.admin.delete_room(room)
            case "suspend":
                await home.admin.suspend(client.user_id)
        answer = await text(client, room, "hello?")
        assert isinstance(answer, nio.RoomSendError), put_out
        assert answer.status_code in {"M_FORBIDDEN", "M_USER_SUSPENDED"}, put_out


async def test_a_stranger_may_not_write(home: Home, alice: Person) -> None:
    bob = await home.person("bob")
    room = await alice.create_room()
    with pytest.raises(MatrixError) as caught:
        await bob.say(room, "let me in")
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")


async def test_files_pass_the_relay_in_both_directions(client: nio.AsyncClient, relay: Relay) -> None:
    data = bytes(range(256)) * 2000
    uploaded, _ = await client.upload(
        lambda *_: io.BytesIO(data), "application/octet-stream", "a.bin", filesize=len(data)
    )
    found = await client.download(uploaded.content_uri)
    assert found.body == data
    assert [request.status for request in relay.requests if "media" in request.path] == [200, 200]
