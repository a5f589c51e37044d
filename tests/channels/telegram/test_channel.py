"""Writing: what goes over the wire, what a person sees, and what is made of every refusal."""

from __future__ import annotations

from typing import Any

import pytest

from channels.base import (
    Deletes,
    Edits,
    OpensAttachments,
    RegistersCommands,
    Routes,
    Streams,
    Typing,
)
from channels.errors import Gone, GoneWhat, RateLimited, Refused, TooLong, Unavailable
from channels.telegram.channel import TelegramChannel
from channels.telegram.timing import Timing
from tests.channels.telegram.hosts import KeepingHost, address, running, settings
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
GROUP = -1001234567890
BASIC_GROUP = -555


def test_it_has_the_abilities_that_it_declares(peer: Peer, host: KeepingHost) -> None:
    channel = TelegramChannel("main", settings(peer), host)
    for ability in (
        Edits,
        Deletes,
        Typing,
        Streams,
        RegistersCommands,
        Routes,
        OpensAttachments,
    ):
        assert isinstance(channel, ability)
    assert channel.routes() == ()


async def test_a_message_is_sent_with_entities_and_without_link_preview(
    peer: Peer, channel: TelegramChannel
) -> None:
    sent = await channel.send(address(CHAT), "Hello **world** 👍 [here](https://example.org/x)", "k1")
    assert sent.shown == "Hello world 👍 here"
    [call] = await peer.calls("sendMessage")
    assert call["content_type"] == "application/json"
    assert call["args"]["text"] == "Hello world 👍 here"
    assert "parse_mode" not in call["args"]
    assert call["args"]["link_preview_options"] == {"is_disabled": True}
    assert call["args"]["entities"] == [
        {"type": "bold", "offset": 6, "length": 5},
        {"type": "text_link", "offset": 15, "length": 4, "url": "https://example.org/x"},
    ]


async def test_an_edit_replaces_the_text_and_the_same_text_again_is_no_error(
    peer: Peer, channel: TelegramChannel
) -> None:
    sent = await channel.send(address(CHAT), "one", "k")
    edited = await channel.edit(address(CHAT), sent.id, "one **two**")
    again = await channel.edit(address(CHAT), sent.id, "one **two**")
    assert edited.id == again.id == sent.id and again.shown == "one two"
    assert await peer.texts(CHAT) == ["one two"]


async def test_a_message_can_be_deleted_and_deleted_again(peer: Peer, channel: TelegramChannel) -> None:
    sent = await channel.send(address(CHAT), "gone soon", "k")
    await channel.delete(address(CHAT), sent.id)
    await channel.delete(address(CHAT), sent.id)
    assert await peer.texts(CHAT) == []


async def test_an_answer_in_a_group_stands_under_the_question_even_when_that_was_deleted(
    peer: Peer, channel: TelegramChannel
) -> None:
    said = await peer.say(GROUP, "@bot hello", user=7)
    await channel.send(address(GROUP, reply_to=said["message_id"]), "here", "k1")
    await channel.send(address(GROUP, reply_to=99_999), "there", "k2")
    seen = await peer.chat(GROUP)
    own = [message for message in seen["messages"] if message["from_bot"]]
    assert [message["reply_to"] for message in own] == [said["message_id"], None]


async def test_an_answer_in_a_topic_stays_in_the_topic(peer: Peer, channel: TelegramChannel) -> None:
    await channel.send(address(GROUP, thread=9), "in the topic", "k")
    await channel.typing(address(GROUP, thread=9), is_on=True)
    [message] = (await peer.chat(GROUP))["messages"]
    assert message["thread"] == 9
    [call] = await peer.calls("sendChatAction")
    assert call["args"]["message_thread_id"] == 9
    with pytest.raises(Gone) as caught:
        await channel.send(address(GROUP, thread=10), "nowhere", "k2")
    assert caught.value.what is GoneWhat.CONVERSATION


async def test_typing_is_shown_and_turning_it_off_asks_nothing(peer: Peer, channel: TelegramChannel) -> None:
    await channel.typing(address(CHAT), is_on=True)
    await channel.typing(address(CHAT), is_on=False)
    assert [action for _, action in (await peer.chat(CHAT))["actions"]] == ["typing"]


async def test_a_text_that_becomes_too_long_is_refused_before_it_is_sent(
    peer: Peer, host: KeepingHost
) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, rich="off") as channel:
        await channel.send(address(CHAT), "👍" * 2048, "fits")
        with pytest.raises(TooLong):
            await channel.send(address(CHAT), "👍" * 2048 + "x", "k")
    assert len(await peer.calls("sendMessage")) == 1


async def test_what_a_person_would_not_see_is_refused(channel: TelegramChannel) -> None:
    for text in ("\u200b\u200b", "\x00", " \n "):
        with pytest.raises(Refused) as caught:
            await channel.send(address(CHAT), text, "k")
        assert caught.value.code == "empty_text"


async def test_flood_control_becomes_rate_limited_with_its_wait(peer: Peer, channel: TelegramChannel) -> None:
    await peer.control("set_chat", chat=CHAT, limits={"chat_burst": 1.0, "ban": 7.0, "extend": 5.0})
    await channel.send(address(CHAT), "one", "k1")
    with pytest.raises(RateLimited) as caught:
        await channel.send(address(CHAT), "two", "k2")
    assert caught.value.retry_after == 7 and caught.value.scope == f"chat:{CHAT}"
    with pytest.raises(RateLimited) as caught:
        await channel.send(address(CHAT), "three", "k3")
    assert caught.value.retry_after >= 11


@pytest.mark.parametrize("trouble", ["blocked", "deactivated", "kicked", "not_started"])
async def test_a_chat_that_cannot_be_written_to_is_gone(
    peer: Peer, channel: TelegramChannel, trouble: str
) -> None:
    await peer.control("set_chat", chat=CHAT, trouble=trouble)
    with pytest.raises(Gone) as caught:
        await channel.send(address(CHAT), "hello?", "k")
    assert caught.value.what is GoneWhat.CONVERSATION


async def test_an_unknown_chat_and_a_lost_message_are_gone(channel: TelegramChannel) -> None:
    with pytest.raises(Gone) as caught:
        await channel.send(address(123456), "who?", "k")
    assert caught.value.what is GoneWhat.CONVERSATION
    with pytest.raises(Gone) as caught:
        await channel.edit(address(CHAT), "999", "what?")
    assert caught.value.what is GoneWhat.MESSAGE
    with pytest.raises(Gone):
        await channel.edit(address(CHAT), "not-a-number", "what?")


async def test_a_lost_answer_says_that_the_message_may_have_been_sent(
    peer: Peer, channel: TelegramChannel
) -> None:
    await peer.fault("sendMessage", drop="after")
    with pytest.raises(Unavailable) as caught:
        await channel.send(address(CHAT), "once", "k")
    assert caught.value.maybe_sent
    assert await peer.texts(CHAT) == ["once"]


@pytest.mark.parametrize(
    "fault",
    [{"status": 502}, {"malformed": True}, {"error": [500, "Internal Server Error"]}, {"drop": "before"}],
)
async def test_an_answer_that_says_nothing_leaves_it_open(
    peer: Peer, channel: TelegramChannel, fault: dict[str, Any]
) -> None:
    await peer.fault("sendMessage", **fault)
    with pytest.raises(Unavailable) as caught:
        await channel.send(address(CHAT), "perhaps", "k")
    assert caught.value.maybe_sent


async def test_a_server_that_is_not_there_was_sent_nothing(peer: Peer, host: KeepingHost) -> None:
    channel = TelegramChannel("main", settings(peer, baseUrl="http://127.0.0.1:9"), host)
    with pytest.raises(Unavailable) as caught:
        await channel.send(address(CHAT), "hello", "k")
    assert not caught.value.maybe_sent


async def test_a_call_that_hangs_ends_at_its_deadline(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, Timing(send=0.2)) as channel:
        await peer.fault("sendMessage", hang=True)
        with pytest.raises(Unavailable) as caught:
            await channel.send(address(CHAT), "hello", "k")
        assert caught.value.maybe_sent


async def test_refused_entities_do_not_cost_the_words(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    await peer.fault("sendMessage", error=[400, "Bad Request: can't parse entities: unsupported"])
    sent = await channel.send(address(CHAT), "some **bold** words", "k")
    assert sent.shown == "some bold words"
    assert host.signals["content_shown_wrong"] == 1


async def test_an_answer_follows_a_group_that_became_a_supergroup(
    peer: Peer, channel: TelegramChannel
) -> None:
    await peer.control("set_chat", chat=BASIC_GROUP, migrated_to=GROUP)
    await channel.send(address(BASIC_GROUP), "moved", "k1")
    await channel.send(address(BASIC_GROUP), "again", "k2")
    assert await peer.texts(GROUP) == ["moved", "again"]
    assert len(await peer.calls("sendMessage", chat=BASIC_GROUP)) == 1
