"""Encrypted rooms: a person at a device of their own, a bot of matrix-nio at the relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import nio
import pytest_asyncio
from nio.crypto import decrypt_attachment

from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.person import MEGOLM
from tests.channels.matrix.peer.relay import Relay
from tests.channels.matrix.peer.secret import SecretPerson


@pytest_asyncio.fixture
async def client(relay: Relay, bot: Account, tmp_path: Path) -> AsyncIterator[nio.AsyncClient]:
    """The bot as the library sees it, with keys."""
    folder = tmp_path / "bot"
    folder.mkdir()
    options = nio.AsyncClientConfig(max_limit_exceeded=0, max_timeouts=1, encryption_enabled=True)
    client = nio.AsyncClient(relay.url, bot.id, bot.device, store_path=str(folder), config=options)
    client.restore_login(bot.id, bot.device, bot.token)
    await client.sync(0)
    await client.keys_upload()
    yield client
    await client.close()
    client.store.database.close()


async def text(client: nio.AsyncClient, room: str, content: dict[str, object]) -> str:
    answer = await client.room_send(room, "m.room.message", content, ignore_unverified_devices=True)
    assert isinstance(answer, nio.RoomSendResponse), answer
    return str(answer.event_id)


async def said(client: nio.AsyncClient, room: str) -> list[nio.Event]:
    heard = await client.sync(10_000)
    assert isinstance(heard, nio.SyncResponse)
    return list(heard.rooms.join[room].timeline.events)


async def joined(client: nio.AsyncClient, alice: SecretPerson) -> str:
    room = await alice.create_room(client.user_id, is_direct=True, is_encrypted=True)
    await client.sync(0)
    await client.join(room)
    await client.sync(0)
    await alice.until_devices(room, client.user_id)
    return room


async def test_both_read_what_the_server_cannot(
    client: nio.AsyncClient, secret_alice: SecretPerson, relay: Relay
) -> None:
    room = await joined(client, secret_alice)
    asked = await secret_alice.say(room, "A secret question")
    heard = (await said(client, room))[-1]
    assert (heard.event_id, heard.body, heard.decrypted) == (asked, "A secret question", True)
    first = await text(client, room, {"msgtype": "m.text", "body": "one"})
    new = {"msgtype": "m.text", "body": "one two"}
    related = {"rel_type": "m.replace", "event_id": first}
    await text(client, room, new | {"body": "* one two", "m.new_content": new, "m.relates_to": related})
    (seen,) = await secret_alice.until_texts(room, ["one two"], sender=client.user_id)
    assert (seen.id, seen.edits) == (first, 1)
    assert await secret_alice.texts(room) == ["A secret question", "one two"]
    wire = relay.sent("m.room.encrypted")
    assert [request.body["algorithm"] for request in wire] == [MEGOLM] * 2
    assert relay.sent() == []


async def test_a_file_is_encrypted_too(client: nio.AsyncClient, secret_alice: SecretPerson) -> None:
    room = await joined(client, secret_alice)
    await secret_alice.attach(room, "note.txt", "text/plain", b"in the file")
    heard = (await said(client, room))[-1]
    file = heard.source["content"]["file"]
    locked = await secret_alice.api.download(file["url"])
    assert b"in the file" not in locked
    assert (
        decrypt_attachment(locked, file["key"]["k"], file["hashes"]["sha256"], file["iv"]) == b"in the file"
    )


async def test_a_withheld_key_may_be_asked_for_and_comes_late(
    client: nio.AsyncClient, secret_alice: SecretPerson
) -> None:
    room = await joined(client, secret_alice)
    await secret_alice.withhold(room, client.user_id)
    await secret_alice.say(room, "not for you")
    heard = (await said(client, room))[-1]
    assert isinstance(heard, nio.MegolmEvent)
    ask = heard.as_key_request(heard.sender, client.device_id)
    await client.to_device(ask)
    (request,) = await secret_alice.until_key_request(client.user_id)
    assert request.session_id == heard.session_id
    await secret_alice.hand_over(room, client.user_id)
    await client.sync(10_000)
    found = client.decrypt_event(heard)
    assert found.body == "not for you"
    await secret_alice.say(room, "and more")
    assert (await said(client, room))[-1].body == "and more"


async def test_a_key_that_never_came_leaves_an_unreadable_message(
    home: Home, client: nio.AsyncClient, secret_alice: SecretPerson, tmp_path: Path
) -> None:
    room = await joined(client, secret_alice)
    await secret_alice.say(room, "before bob")
    async with home.secret_person(tmp_path / "bob", "bob") as bob:
        await secret_alice.invite(room, bob.id)
        await bob.join(room)
        await secret_alice.until_devices(room, bob.id)
        await secret_alice.say(room, "after bob")
        await bob.until_texts(room, ["after bob"])
        assert len(await bob.undecryptable(room)) == 1
        assert await bob.until_seen(room, lambda seen: len(seen) == 1)
