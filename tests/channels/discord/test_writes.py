"""What is put on the wire, what makes it safe to repeat, and what becomes of refusals."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from channels.discord.channel import DiscordChannel
from channels.discord.handles import for_question
from channels.errors import Gone, GoneWhat, Refused, TooLong, Unavailable
from channels.events import Action, AttachmentKind, Message
from tests.channels.discord.hosts import QUICK, KeepingHost, direct, group, running, settings
from tests.channels.discord.peer.client import Peer
from tests.channels.discord.world import channel, host

__all__ = ["channel", "host"]


async def test_a_message_mentions_nobody_and_previews_nothing(peer: Peer, channel: DiscordChannel) -> None:
    text = f"@everyone <@{peer.person}> <@&{peer.guild}> https://example.org"
    await channel.send(group(peer.channel), text, "turn-0")
    (call,) = await peer.calls("create_message")
    assert call["body"]["allowed_mentions"] == {"parse": [], "replied_user": False}
    assert call["body"]["flags"] == 4
    assert call["body"]["enforce_nonce"] is True
    assert len(call["body"]["nonce"]) <= 25
    (message,) = await peer.messages()
    assert not any(message["pings"].values())
    assert not message["mentions"]["users"]


async def test_an_answer_in_a_server_stands_under_its_question_and_pings_nobody(
    peer: Peer, channel: DiscordChannel
) -> None:
    question = await peer.say("hello")
    await channel.send(group(peer.channel, question), "answer", "turn-0")
    (message,) = await peer.messages()
    assert message["reply_to"] == question
    assert not any(message["pings"].values())


async def test_an_answer_to_a_question_that_is_gone_stands_alone(peer: Peer, channel: DiscordChannel) -> None:
    question = await peer.say("hello")
    await peer.delete(question)
    await channel.send(group(peer.channel, question), "answer", "turn-0")
    assert [one["reply_to"] for one in await peer.messages()] == [None]


async def test_where_it_may_not_read_what_was_said_it_answers_without_pointing_at_it(
    peer: Peer, channel: DiscordChannel
) -> None:
    question = await peer.say("hello")
    await peer.deny("READ_MESSAGE_HISTORY")
    await channel.send(group(peer.channel, question), "answer", "turn-0")
    assert await peer.texts() == ["answer"]


async def test_buttons_ride_on_the_message_and_go_with_an_edit(peer: Peer, channel: DiscordChannel) -> None:
    where = direct(peer.bot.dm)
    sent = await channel.send(where, "text", "turn-0", actions=(Action("stop", "Stop"),))
    (message,) = await peer.messages(peer.bot.dm)
    assert [(one["custom_id"], one["label"]) for one in message["buttons"]] == [("fw:stop", "Stop")]
    await channel.edit(where, sent.id, "text")
    assert [one["buttons"] for one in await peer.messages(peer.bot.dm)] == [[]]


async def test_a_thread_is_written_to_as_a_channel_of_its_own(peer: Peer, channel: DiscordChannel) -> None:
    thread = await peer.thread("talk")
    await channel.send(group(peer.channel, thread=thread), "in the thread", "turn-0")
    await channel.typing(group(peer.channel, thread=thread), is_on=True)
    assert await peer.texts(thread) == ["in the thread"]
    assert (await peer.view(thread))["typing"]


@pytest.mark.parametrize("text", ["", "  \n ", "\u200b"])
async def test_a_message_that_shows_nothing_is_refused_before_it_is_sent(
    peer: Peer, channel: DiscordChannel, text: str
) -> None:
    with pytest.raises(Refused):
        await channel.send(direct(peer.bot.dm), text, "turn-0")
    assert await peer.calls("create_message") == []


async def test_a_text_that_grows_beyond_the_limit_by_rendering_is_too_long(
    peer: Peer, channel: DiscordChannel
) -> None:
    with pytest.raises(TooLong):
        await channel.send(direct(peer.bot.dm), "|| " * 666, "turn-0")
    assert await peer.calls("create_message") == []


# -- repeated


async def test_a_send_whose_confirmation_was_lost_is_repeated_without_a_second_message(
    peer: Peer, channel: DiscordChannel
) -> None:
    where = direct(peer.bot.dm)
    await peer.fault("create_message", drop="after")
    with pytest.raises(Unavailable) as caught:
        await channel.send(where, "once", "turn-0")
    assert caught.value.maybe_sent
    again = await channel.send(where, "once", "turn-0")
    assert [one["id"] for one in await peer.messages(peer.bot.dm)] == [again.id]


async def test_a_send_that_never_left_says_so(peer: Peer, host: KeepingHost) -> None:
    nobody_listens = settings(peer, apiBase="http://127.0.0.1:9/api/v10")
    channel = DiscordChannel("main", nobody_listens, host, timing=QUICK)
    with pytest.raises(Unavailable) as caught:
        await channel.send(direct(peer.bot.dm), "nowhere", "turn-0")
    assert not caught.value.maybe_sent
    await channel.close()


async def test_long_after_the_nonce_is_forgotten_the_channel_itself_is_looked_through(
    peer: Peer, host: KeepingHost
) -> None:
    shift = [0.0]
    async with running(peer, host, wall=lambda: time.time() + shift[0]) as channel:
        where = direct(peer.bot.dm)
        await peer.fault("create_message", drop="after")
        with pytest.raises(Unavailable):
            await channel.send(where, "once", "turn-0")
        await peer.advance(600)
        shift[0] = 600.0
        again = await channel.send(where, "once", "turn-0")
        await channel.send(where, "another", "turn-1")
    assert next(one["id"] for one in await peer.messages(peer.bot.dm)) == again.id
    assert await peer.texts(peer.bot.dm) == ["once", "another"]


async def test_after_a_restart_an_answer_to_an_old_question_is_looked_for_first(
    peer: Peer, host: KeepingHost
) -> None:
    async with running(peer, host) as channel:
        await peer.say("question", channel=peer.bot.dm)
        message = await host.first(Message)
        await peer.fault("create_message", drop="after")
        with pytest.raises(Unavailable):
            await channel.send(message.address, "once", "turn-0")
    await peer.advance(600)
    async with running(peer, host, wall=lambda: time.time() + 600) as fresh:
        found = await fresh.send(message.address, "once", "turn-0")
    assert [one["id"] for one in await peer.messages(peer.bot.dm)] == [found.id]


async def test_a_fresh_answer_looks_for_nothing(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    question = await peer.say("question", channel=peer.bot.dm)
    where = replace(direct(peer.bot.dm), handle=for_question(question))
    await channel.send(where, "answer", "turn-0")
    assert await peer.calls("history") == []


# -- refused


@pytest.mark.parametrize(
    ("denied", "wanted", "word"),
    [
        ("SEND_MESSAGES", Refused, "missing_permission"),
        ("VIEW_CHANNEL", Gone, GoneWhat.CONVERSATION),
    ],
)
async def test_a_missing_right_is_told(
    peer: Peer, channel: DiscordChannel, denied: str, wanted: type[Exception], word: str
) -> None:
    await peer.deny(denied)
    with pytest.raises(wanted) as caught:
        await channel.send(group(peer.channel), "hello", "turn-0")
    error: Any = caught.value
    assert word in (getattr(error, "code", None), getattr(error, "what", None))


async def test_thrown_out_of_a_server_the_conversation_is_gone(peer: Peer, channel: DiscordChannel) -> None:
    sent = await channel.send(group(peer.channel), "hello", "turn-0")
    await peer.kick()
    for call in (
        channel.send(group(peer.channel), "anybody", "turn-1"),
        channel.edit(group(peer.channel), sent.id, "anybody"),
        channel.typing(group(peer.channel), is_on=True),
    ):
        with pytest.raises(Gone) as caught:
            await call
        assert caught.value.what is GoneWhat.CONVERSATION


async def test_a_closed_direct_chat_is_gone(peer: Peer, channel: DiscordChannel) -> None:
    await peer.close_dm(peer.bot.dm)
    with pytest.raises(Gone) as caught:
        await channel.send(direct(peer.bot.dm), "hello", "turn-0")
    assert caught.value.what is GoneWhat.CONVERSATION


@pytest.mark.parametrize("number", ["no-id", "12", ""])
async def test_a_message_that_never_was_is_gone(peer: Peer, channel: DiscordChannel, number: str) -> None:
    with pytest.raises(Gone) as caught:
        await channel.edit(direct(peer.bot.dm), number, "text")
    assert caught.value.what is GoneWhat.MESSAGE


@pytest.mark.parametrize("fault", [{"status": 502}, {"malformed": True}, {"drop": "before"}])
async def test_an_answer_that_is_none_leaves_open_whether_it_was_sent(
    peer: Peer, channel: DiscordChannel, fault: dict[str, Any]
) -> None:
    await peer.fault("create_message", **fault)
    with pytest.raises(Unavailable) as caught:
        await channel.send(direct(peer.bot.dm), "hello", "turn-0")
    assert caught.value.maybe_sent
    assert (await channel.send(direct(peer.bot.dm), "hello", "turn-0")).id
    assert await peer.texts(peer.bot.dm) == ["hello"]


# -- files


async def test_a_voice_message_is_one(peer: Peer, channel: DiscordChannel, host: KeepingHost) -> None:
    extra: dict[str, Any] = {"duration_secs": 1.5, "waveform": "AAAA"}
    await peer.attach("voice-message.ogg", "audio/ogg", b"OggS" * 20, channel=peer.bot.dm, **extra)
    message = await host.first(Message)
    (voice,) = message.attachments
    assert (voice.kind, voice.mime, message.text) == (AttachmentKind.VOICE, "audio/ogg", "")
    assert await channel.open_attachment(voice.ref, 1000) == b"OggS" * 20


async def test_a_file_whose_address_has_expired_is_asked_for_again(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    await peer.attach("a.txt", "text/plain", b"words", channel=peer.bot.dm)
    (file,) = (await host.first(Message)).attachments
    await peer.advance(90_000)
    assert await channel.open_attachment(file.ref, 100) == b"words"


async def test_a_file_of_a_message_that_is_gone_is_gone(
    peer: Peer, channel: DiscordChannel, host: KeepingHost
) -> None:
    number = await peer.attach("a.txt", "text/plain", b"words", channel=peer.bot.dm)
    (file,) = (await host.first(Message)).attachments
    await peer.advance(90_000)
    await peer.delete(number)
    with pytest.raises(Gone):
        await channel.open_attachment(file.ref, 100)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "http://cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com@evil.example/a.png",
        "https://cdn.discordapp.com.evil.example/a.png",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "http://[::1",
    ],
)
async def test_no_other_address_is_asked_because_a_message_names_it(
    peer: Peer, channel: DiscordChannel, url: str
) -> None:
    with pytest.raises(Refused):
        await channel.open_attachment(f"1/2/3|{url}", 100)
