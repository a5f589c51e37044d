"""Encrypted rooms: read and written, files too; what cannot be read; what survives a restart."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from channels.errors import NotAuthorized, Refused
from channels.events import MessageEdited, Reaction, Unreadable
from channels.matrix.channel import MatrixChannel
from channels.matrix.crypto import Crypto
from channels.matrix.wire import Wire
from tests.channels.matrix.hosts import QUICK, KeepingHost, address, running, settings
from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.relay import Relay
from tests.channels.matrix.peer.secret import SecretPerson
from tests.generated import generated

# A real server and two devices that exchange keys.
pytestmark = [pytest.mark.slow, pytest.mark.asyncio]


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    (tmp_path / "bot").mkdir(mode=0o700)
    return KeepingHost(tmp_path / "bot")


@pytest_asyncio.fixture
async def carol(home: Home, tmp_path: Path) -> AsyncIterator[SecretPerson]:
    async with home.secret_person(tmp_path / "carol", "carol") as person:
        yield person


async def secret_room(person: SecretPerson, bot: Account) -> str:
    room = await person.create_room(bot.id, is_direct=True, is_encrypted=True)
    await person.until_devices(room, bot.id)
    return room


async def until_texts(person: SecretPerson, room: str, bot: Account, texts: list[str]) -> None:
    async def look() -> bool:
        return await person.texts(room, sender=bot.id) == texts

    await person.watch.until(look, lambda: texts)


async def test_words_edits_reactions_and_files_go_both_ways(
    relay: Relay, bot: Account, carol: SecretPerson, host: KeepingHost
) -> None:
    async with running(bot, relay, host) as channel:
        room = await secret_room(carol, bot)
        asked = await carol.say(room, "a secret")
        (message,) = await host.until_messages(1)
        assert message.text == "a secret"
        sent = await channel.send(message.address, "**kept**", "key-0")
        await channel.edit(message.address, sent.id, "well **kept**")
        await until_texts(carol, room, bot, ["well kept"])
        await carol.edit(room, asked, "another secret")
        await host.until(lambda: bool(host.of(MessageEdited)))
        assert host.of(MessageEdited)[0].text == "another secret"
        await carol.react(room, sent.id, "👍")
        await host.until(lambda: bool(host.of(Reaction)))
        await carol.attach(room, "cat.png", "image/png", b"cat" * 50)
        file = (await host.until_messages(2))[1].attachments[0]
        assert await channel.open_attachment(file.ref, 1000) == b"cat" * 50
        wire = str([request.body for request in relay.requests])
        assert "secret" not in wire
        assert "kept" not in wire
        with pytest.raises(Refused) as caught:
            await channel.open_attachment(file.ref.replace('"sha256":"', '"sha256":"AAAA'), 1000)
        assert caught.value.code == "damaged_file"


async def test_a_restart_keeps_the_device_and_reads_on(
    relay: Relay, bot: Account, carol: SecretPerson, host: KeepingHost
) -> None:
    async with running(bot, relay, host):
        room = await secret_room(carol, bot)
        await carol.say(room, "before")
        await host.until_messages(1)
    await carol.say(room, "meanwhile")
    async with running(bot, relay, host) as channel:
        await carol.say(room, "after")
        messages = await host.until_messages(3)
        assert [message.text for message in messages] == ["before", "meanwhile", "after"]
        await channel.send(address(room), "all read", "key-0")
        await until_texts(carol, room, bot, ["all read"])
    keys = host.folder / "keys"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in keys.iterdir()} == {0o600}


async def test_a_late_key_makes_a_message_readable(
    relay: Relay, bot: Account, carol: SecretPerson, host: KeepingHost
) -> None:
    """The key is asked for once, the log says so once an hour for each room, and the message is answered late."""
    with capture_logs() as logs:
        async with running(bot, relay, host):
            room = await secret_room(carol, bot)
            await carol.withhold(room, bot.id)
            await carol.say(room, "can you read this?")
            await carol.say(room, "and this?")
            await host.until(lambda: host.signals.get("undecryptable", 0) >= 1)
            await relay.until(lambda request: "m.room_key_request" in request.path)
            await carol.hand_over(room, bot.id)
            messages = await host.until_messages(2)
            assert [message.text for message in messages] == ["can you read this?", "and this?"]
    told = [line for line in logs if line["event"] == "encrypted message not readable"]
    assert len(told) == 1
    assert "can you read" not in str(logs)
    asked = [request for request in relay.requests if "m.room_key_request" in request.path]
    assert len(asked) == 1


async def test_who_wrote_what_cannot_be_read_is_told_when_no_key_comes(
    relay: Relay, bot: Account, carol: SecretPerson, host: KeepingHost
) -> None:
    async with running(bot, relay, host, timing=replace(QUICK, hope=0.0)):
        room = await secret_room(carol, bot)
        await carol.withhold(room, bot.id)
        said = await carol.say(room, "can you read this?")
        await host.until(lambda: any(isinstance(event, Unreadable) for event in host.events))
        (unread,) = [event for event in host.events if isinstance(event, Unreadable)]
        assert (unread.message_id, unread.sender.id) == (said, carol.id)
        assert str(unread.address.key) == str(address(room).key)
        await carol.hand_over(room, bot.id)
        (message,) = await host.until_messages(1)
        assert message.event_key != unread.event_key


async def test_a_message_whose_key_comes_while_the_bot_is_away_is_answered_afterwards(
    relay: Relay, bot: Account, carol: SecretPerson, host: KeepingHost
) -> None:
    async with running(bot, relay, host):
        room = await secret_room(carol, bot)
        await carol.withhold(room, bot.id)
        await carol.say(room, "can you read this?")
        await host.until(lambda: "unread" in host.cursors)
    await carol.hand_over(room, bot.id)
    async with running(bot, relay, host):
        (message,) = await host.until_messages(1)
        assert message.text == "can you read this?"


async def test_keys_that_were_lost_are_said_plainly(
    relay: Relay, bot: Account, carol: SecretPerson, host: KeepingHost
) -> None:
    async with running(bot, relay, host):
        await secret_room(carol, bot)
    shutil.rmtree(host.folder / "keys")
    with capture_logs() as logs:
        async with running(bot, relay, host):
            pass
    (line,) = [line for line in logs if line["event"] == "encrypted rooms cannot be used"]
    assert "new device" in line["reason"]


async def test_a_new_device_of_a_person_reads_what_comes_next(
    relay: Relay, bot: Account, carol: SecretPerson, home: Home, host: KeepingHost, tmp_path: Path
) -> None:
    async with running(bot, relay, host) as channel, home.secret_person(tmp_path / "dave", "dave") as dave:
        room = await secret_room(carol, bot)
        await channel.send(address(room), "for carol", "key-0")
        await until_texts(carol, room, bot, ["for carol"])
        await carol.invite(room, dave.id)
        await dave.join(room)
        await carol.say(room, "dave is here")
        await host.until_messages(1)
        await channel.send(address(room), "for both", "key-1")

        async def look() -> bool:
            return "for both" in await dave.texts(room, sender=bot.id)

        await dave.watch.until(look, lambda: "the second message")


async def test_without_encryption_nothing_goes_into_an_encrypted_room(
    relay: Relay, bot: Account, carol: SecretPerson, host: KeepingHost
) -> None:
    with capture_logs() as logs:
        async with running(bot, relay, host, encryption="off") as channel:
            room = await carol.create_room(bot.id, is_direct=True, is_encrypted=True)
            await carol.until_member(room, bot.id)
            await carol.say(room, "hello")
            await carol.say(room, "hello?")
            await host.until(lambda: host.signals.get("undecryptable", 0) >= 2)
            with pytest.raises(Refused) as caught:
                await channel.send(address(room), "in clear", "key-0")
            assert caught.value.code == "encryption_off"
    assert relay.sent() == []
    assert len([line for line in logs if line["event"] == "encrypted message not readable"]) == 1


async def test_a_room_that_is_encrypted_later_is_written_encrypted(
    relay: Relay, bot: Account, carol: SecretPerson, host: KeepingHost
) -> None:
    async with running(bot, relay, host) as channel:
        room = await carol.create_room(bot.id, is_direct=True)
        await carol.until_member(room, bot.id)
        await channel.send(address(room), "in clear", "key-0")
        await carol.set_state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
        await carol.until_devices(room, bot.id)
        await carol.say(room, "now it is")
        await host.until_messages(1)
        await channel.send(address(room), "indeed", "key-1")
        await until_texts(carol, room, bot, ["in clear", "indeed"])
        assert len(relay.sent("m.room.encrypted")) == 1


async def test_the_rooms_key_is_shared_while_the_bot_types(
    relay: Relay, bot: Account, carol: SecretPerson, host: KeepingHost
) -> None:
    async with running(bot, relay, host) as channel:
        room = await secret_room(carol, bot)
        await carol.say(room, "hello")
        await host.until_messages(1)
        await channel.typing(address(room), is_on=True)
        before = len([request for request in relay.requests if "/keys/" in request.path])
        await channel.send(address(room), "at once", "key-0")
        assert len([request for request in relay.requests if "/keys/" in request.path]) == before
        await until_texts(carol, room, bot, ["at once"])


async def test_a_damaged_store_of_keys_is_said(relay: Relay, bot: Account, host: KeepingHost) -> None:
    async with running(bot, relay, host):
        pass
    for file in (host.folder / "keys").glob("*.db"):
        file.write_bytes(b"no database at all, far from it, but long enough to be looked at" * 100)
    with pytest.raises(NotAuthorized, match="keys"):
        await MatrixChannel("main", settings(bot, relay), host).run()


_ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=10)
    | st.sampled_from(["m.room_key", "m.room.encrypted"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "content", "sender", "state_key", "algorithm", "event_id"]), inner
        )
    ),
    max_leaves=12,
)
_LETTERS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["m.room_key", "m.room.encrypted", "m.forwarded_room_key", "m.room_key_request", "m.dummy"]
        )
    },
    optional={
        "sender": st.just("@a:b") | _ODD,
        "content": st.dictionaries(
            st.sampled_from(
                [
                    "algorithm",
                    "sender_key",
                    "ciphertext",
                    "session_id",
                    "session_key",
                    "room_id",
                    "action",
                    "body",
                    "device_id",
                ]
            ),
            st.sampled_from(["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2", "request"]) | _ODD,
        ),
    },
)


@pytest_asyncio.fixture
async def keys(tmp_path: Path) -> AsyncIterator[Crypto]:
    """The keys of a device that never connects."""
    wire = Wire("http://127.0.0.1:9")
    keys = Crypto(wire, "@b:localhost", "DEVICE", tmp_path / "keys", seconds=1.0)
    yield keys
    keys.close()
    await wire.close()


@generated
@given(st.lists(_LETTERS | _ODD, max_size=3), st.lists(_ODD, max_size=3), _ODD)
async def test_no_odd_sync_breaks_the_keys(
    keys: Crypto, letters: list[Any], events: list[Any], odd: Any
) -> None:
    """Anybody may send anything to a device; whatever it is costs only itself."""
    sync = {
        "to_device": {"events": letters},
        "device_lists": odd,
        "device_one_time_keys_count": odd,
        "rooms": {"join": {"!r:localhost": {"state": {"events": events}, "timeline": {"events": events}}}},
    }
    await keys.receive(sync)
    for event in events:
        if isinstance(event, dict):
            assert keys.decrypt("!r:localhost", event) is None


async def test_a_token_without_a_device_is_refused_where_encryption_is_wanted(
    relay: Relay, bot: Account, host: KeepingHost
) -> None:
    relay.answer_next(200, {"user_id": bot.id}, lambda request: request.path.endswith("/whoami"))
    channel = MatrixChannel("main", settings(bot, relay, encryption="on"), host)
    with pytest.raises(NotAuthorized, match="device"):
        async with asyncio.timeout(20):
            await channel.run()
