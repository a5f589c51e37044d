"""Rich messages on the wire: where they are used, and that no text is lost where they are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from channels.capabilities import Streaming
from channels.errors import Refused, TooLong, Unavailable
from channels.markup import words
from channels.telegram.channel import TelegramChannel
from channels.telegram.rich import MAX_RICH
from channels.telegram.text import MAX_TEXT
from tests.channels.telegram.answers import RETRY, TABLE, WHOLE, answer
from tests.channels.telegram.hosts import KeepingHost, address, running
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
GROUP = -1001234567890
HEADED = "# Title\n\nwords"


@pytest_asyncio.fixture
async def old(peer: Peer, channel: TelegramChannel) -> AsyncIterator[TelegramChannel]:
    """A Bot API server from before rich messages."""
    await peer.control("set_bot", has_rich=False)
    yield channel
    await peer.control("set_bot", has_rich=True)


async def own(peer: Peer, chat: int) -> list[dict[str, Any]]:
    return [message for message in (await peer.chat(chat))["messages"] if message["from_bot"]]


@pytest.mark.parametrize(
    ("mode", "plain", "headed", "long"),
    [("auto", False, True, True), ("on", True, True, True), ("off", False, False, None)],
)
async def test_rich_messages_are_used_where_the_setting_says(
    peer: Peer, host: KeepingHost, mode: str, plain: bool, headed: bool, long: bool | None
) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, rich=mode, limits="none") as channel:
        await peer.control("flood", limits={"enabled": False})
        assert channel.capabilities(address(CHAT)).max_text == (MAX_TEXT if mode == "off" else MAX_RICH)
        await channel.send(address(CHAT), "**plain** words", "k1")
        await channel.send(address(CHAT), HEADED, "k2")
        await channel.send(address(CHAT), TABLE, "k3")
        if long is None:
            with pytest.raises(TooLong):
                await channel.send(address(CHAT), "long " * 1000, "k4")
        else:
            await channel.send(address(CHAT), "long " * 1000, "k4")
    found = [message["rich"] is not None for message in await own(peer, CHAT)]
    assert found == [plain, headed, headed, *([] if long is None else [long])]


async def test_a_number_sign_in_a_program_is_no_heading(peer: Peer, channel: TelegramChannel) -> None:
    await channel.send(address(CHAT), "```sh\n# a comment\n| a |\n|---|\n```", "k")
    [message] = await own(peer, CHAT)
    assert message["rich"] is None and message["entities"][0]["type"] == "pre"


async def test_a_message_becomes_rich_by_an_edit_and_plain_again(
    peer: Peer, channel: TelegramChannel
) -> None:
    await peer.control("flood", limits={"enabled": False})
    sent = await channel.send(address(GROUP), "Growing", "k")
    edited = await channel.edit(address(GROUP), sent.id, HEADED, actions=(RETRY,))
    assert edited.shown is not None and words(edited.shown) == words(HEADED)
    again = await channel.edit(address(GROUP), sent.id, HEADED, actions=(RETRY,))
    assert again.id == sent.id
    [message] = await own(peer, GROUP)
    assert message["rich"]["blocks"][0] == {"type": "heading", "text": "Title", "size": 1}
    assert message["markup"]["inline_keyboard"][0][0]["callback_data"] == "retry"
    await channel.edit(address(GROUP), sent.id, "Plain again")
    [message] = await own(peer, GROUP)
    assert (message["rich"], message["text"], message["markup"]) == (None, "Plain again", None)


async def test_a_preview_becomes_rich_when_a_table_has_come(peer: Peer, channel: TelegramChannel) -> None:
    where = address(CHAT)
    stream = await channel.start_stream(where, "First", "k")
    await channel.update_stream(where, stream, f"First\n\n{TABLE}", None)
    draft = (await peer.chat(CHAT))["drafts"]["0"]
    assert draft["is_rich"] and draft["id"] == int(stream) and "right" in draft["text"]
    await channel.finish_stream(where, stream, f"First\n\n{TABLE}", None, "k")
    seen = await peer.chat(CHAT)
    assert seen["drafts"] == {} and seen["messages"][0]["rich"] is not None


async def test_a_server_without_rich_messages_is_asked_once_and_no_text_is_lost(
    peer: Peer, old: TelegramChannel
) -> None:
    await old.send(address(CHAT), HEADED, "k1")
    assert old.capabilities(address(CHAT)).max_text == MAX_TEXT
    await old.send(address(CHAT), TABLE, "k2")
    assert len(await peer.calls("sendRichMessage")) == 1
    assert [words(text) for text in await peer.texts(CHAT)] == [words(HEADED), words(TABLE)]
    with pytest.raises(TooLong):
        await old.send(address(CHAT), "x" * (MAX_TEXT + 1), "k3")


async def test_an_edit_or_preview_finds_out_as_well(peer: Peer, old: TelegramChannel) -> None:
    sent = await old.send(address(CHAT), "Growing", "k")
    await old.edit(address(CHAT), sent.id, HEADED)
    assert await peer.texts(CHAT) == ["Title\n\nwords"]
    assert old.capabilities(address(CHAT)).max_text == MAX_TEXT


async def test_a_preview_without_rich_messages_is_a_plain_one(peer: Peer, old: TelegramChannel) -> None:
    await old.start_stream(address(CHAT), HEADED, "k")
    draft = (await peer.chat(CHAT))["drafts"]["0"]
    assert not draft["is_rich"] and draft["text"] == "Title\n\nwords"
    assert old.capabilities(address(CHAT)).streaming is Streaming.NATIVE


async def test_a_form_that_is_refused_costs_neither_the_words_nor_the_next_message(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    await peer.fault("sendRichMessage", error=[400, "Bad Request: can't parse InputRichBlock: field size"])
    await channel.send(address(CHAT), HEADED, "k1")
    await channel.send(address(CHAT), HEADED, "k2")
    assert [message["rich"] is not None for message in await own(peer, CHAT)] == [False, True]
    assert host.signals["content_shown_wrong"] == 1


async def test_an_open_outcome_is_not_answered_by_a_second_message(
    peer: Peer, channel: TelegramChannel
) -> None:
    await peer.fault("sendRichMessage", drop="after")
    with pytest.raises(Unavailable) as caught:
        await channel.send(address(CHAT), HEADED, "k")
    assert caught.value.maybe_sent and len(await own(peer, CHAT)) == 1
    assert await peer.calls("sendMessage") == []


async def test_what_shows_nothing_is_refused_in_either_form(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, rich="on") as channel:
        with pytest.raises(Refused) as caught:
            await channel.send(address(CHAT), "\u200b", "k")
        assert caught.value.code == "empty_text"


@pytest.mark.parametrize("where", [CHAT, GROUP])
@pytest.mark.parametrize("has_rich", [True, False])
async def test_a_whole_answer_with_everything_in_it_is_seen_whole(
    peer: Peer, channel: TelegramChannel, where: int, has_rich: bool
) -> None:
    await peer.control("flood", limits={"enabled": False})
    await peer.control("set_bot", has_rich=has_rich)
    try:
        await answer(channel, address(where), WHOLE, actions=(RETRY,))
    finally:
        await peer.control("set_bot", has_rich=True)
    found = await own(peer, where)
    seen = words(" ".join(message["text"] for message in found))
    for part in ("Result", "left", "right", "gamma", "Set", "name", "not bold", "more"):
        assert words(part) in seen
    assert [
        number for number in range(200) if words(f"line_{number} = compute({number}, more)") not in seen
    ] == []
    assert [message["rich"] is not None for message in found] == [has_rich] * len(found)
    assert len(found) == 1 if has_rich else len(found) > 1
    buttons = [message["markup"] is not None for message in found]
    assert buttons == [False] * (len(found) - 1) + [True]
    assert (await peer.chat(where))["drafts"] == {}


async def test_a_final_that_was_shown_wrong_is_repaired(peer: Peer, channel: TelegramChannel) -> None:
    await peer.control("garble", chat=CHAT, keep=20)
    delivery = await answer(channel, address(CHAT), f"{HEADED} that were cut somewhere on their way")
    [message] = await own(peer, CHAT)
    assert message["id"] == int(delivery.message_ids[0])
    assert words(message["text"]) == words(f"{HEADED} that were cut somewhere on their way")


@pytest.mark.parametrize("mode", ["auto", "on"])
async def test_a_list_that_telegram_counts_anew_is_said_once(
    peer: Peer, channel: TelegramChannel, mode: str
) -> None:
    await peer.control("flood", limits={"enabled": False})
    heading = "# Steps\n\n" if mode == "on" else ""
    await answer(channel, address(GROUP), f"{heading}1. Open the lid\n1. Pour the water\n1. Press start")
    [message] = await own(peer, GROUP)
    assert "3. Press start" in message["text"]
    edits = [call for call in await peer.calls("editMessageText") if "not modified" in call["error"]]
    assert edits == []
