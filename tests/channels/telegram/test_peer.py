"""The fake Bot API server itself: the real library works with it, and it refuses what Telegram refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
import telegram
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken
from telegram.ext import ApplicationBuilder, ContextTypes, MessageHandler, filters

from tests.channels.telegram.peer.client import Peer, start_peer
from tests.channels.telegram.raw import Raw

CHAT = 4711
GROUP = -1001234567890


@pytest_asyncio.fixture
async def bot(peer: Peer) -> AsyncIterator[telegram.Bot]:
    """python-telegram-bot with its own transport: httpx and form bodies."""
    found = telegram.Bot(
        peer.token, base_url=f"{peer.base_url}/bot", base_file_url=f"{peer.base_url}/file/bot"
    )
    async with found:
        yield found


@pytest.mark.slow
async def test_a_bot_of_the_real_library_echoes_by_polling(peer: Peer) -> None:
    """Slow: the library confirms its last update by a short poll, which the server holds for 3 s as Telegram does."""

    async def echo(update: telegram.Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message is not None and update.message.text is not None
        await update.message.reply_text(update.message.text.upper())

    application = ApplicationBuilder().token(peer.token).base_url(f"{peer.base_url}/bot").build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    async with application:
        await application.start()
        assert application.updater is not None
        await application.updater.start_polling(timeout=2)
        said = await peer.say(CHAT, "hello 👋")
        await peer.wait(chat=CHAT, equals="HELLO 👋")
        await peer.wait(confirmed=said["update_id"])
        await application.updater.stop()
        await application.stop()


async def test_the_library_reads_messages_edits_drafts_and_files(peer: Peer, bot: telegram.Bot) -> None:
    await peer.say(CHAT, "hi")
    [update] = await bot.get_updates(timeout=5)
    assert update.message is not None and update.message.from_user is not None
    assert update.message.date.year >= 2026
    bold = telegram.MessageEntity("bold", 0, 3)
    sent = await bot.send_message(
        CHAT, "one two", entities=[bold], reply_to_message_id=update.message.message_id
    )
    assert sent.reply_to_message is not None and sent.entities == (bold,)
    edited = await bot.edit_message_text("three", CHAT, sent.message_id)
    assert isinstance(edited, telegram.Message) and edited.text == "three"
    assert await bot.send_chat_action(CHAT, "typing")
    assert await bot.send_message_draft(CHAT, 7, "preview")
    assert (await peer.chat(CHAT))["drafts"]["0"]["text"] == "preview"
    assert await bot.set_my_commands([("start", "begin")])
    assert (await bot.get_my_commands())[0].command == "start"
    assert await bot.delete_my_commands() and await bot.get_my_commands() == ()
    assert await bot.set_message_reaction(CHAT, sent.message_id, "👍")
    assert (await bot.get_chat(CHAT)).type == "private"
    await peer.file("f1", b"content")
    file = await bot.get_file("f1")
    assert bytes(await file.download_as_bytearray()) == b"content"
    press = await peer.press(CHAT, sent.message_id, "x")
    assert await bot.answer_callback_query(press)
    assert await bot.delete_message(CHAT, sent.message_id)


async def test_the_library_raises_its_own_errors(peer: Peer, bot: telegram.Bot) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(1, "x")
    await peer.control("set_chat", chat=CHAT, trouble="blocked")
    with pytest.raises(Forbidden, match="blocked by the user"):
        await bot.send_message(CHAT, "x")
    await bot.set_webhook("https://example.org/hook")
    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook()
    await peer.control("revoke")
    with pytest.raises(InvalidToken):
        await bot.get_me()
    await peer.control("revoke", off=True)


async def test_all_four_ways_of_passing_parameters_mean_the_same(peer: Peer) -> None:
    await peer.control("set_chat", chat=CHAT)
    await peer.control("flood", limits={"enabled": False})
    entities = [{"type": "bold", "offset": 0, "length": 2}]
    flat = {"chat_id": str(CHAT), "text": "hi 👍", "entities": orjson.dumps(entities).decode()}
    multipart = aiohttp.FormData(default_to_multipart=True)
    for name, value in flat.items():
        multipart.add_field(name, value)
    url = f"{peer.base_url}/bot{peer.token}/sendMessage"
    found = []
    async with aiohttp.ClientSession() as session:
        for how in (
            {"data": flat},
            {"data": multipart},
            {"params": flat},
            {"json": {"chat_id": CHAT, "text": "hi 👍", "entities": entities}},
        ):
            async with session.post(url, **how) as response:
                result = orjson.loads(await response.read())["result"]
                found.append((result["text"], result["entities"]))
    assert found == [("hi 👍", entities)] * 4
    kinds = [call["content_type"] for call in await peer.calls("sendMessage")]
    assert kinds == [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/octet-stream",
        "application/json",
    ]


async def test_tokens_are_checked_as_telegram_does(raw: Raw) -> None:
    assert (await raw("getMe", token="short"))[0] == 404
    assert (await raw("getMe", token="123456:" + "A" * 35))[0] == 401
    assert await raw.refused("noSuchMethod") == "404 Not Found: method not found"
    assert (await raw("GETME"))[0] == 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  \n words \n ", "words"),
        ("a\tb\x00c\rd", "a b cd"),
        ("a\u202eb\u2028c", "abc"),
        ("ring \u030a", "ring"),
        ("x" * 4096, "x" * 4096),
        ("👍" * 2048, "👍" * 2048),
    ],
)
async def test_texts_are_kept_as_telegram_keeps_them(raw: Raw, text: str, shown: str) -> None:
    assert (await raw.result("sendMessage", chat_id=CHAT, text=text))["text"] == shown


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", "400 Bad Request: message text is empty"),
        (" \n\u200b ", "400 Bad Request: text must be non-empty"),
        ("x" * 4097, "400 Bad Request: message is too long"),
        ("👍" * 2049, "400 Bad Request: message is too long"),
    ],
)
async def test_texts_that_cannot_be_shown_are_refused(raw: Raw, text: str, refusal: str) -> None:
    assert await raw.refused("sendMessage", chat_id=CHAT, text=text) == refusal


@pytest.mark.parametrize(
    ("entity", "refusal"),
    [
        ({"type": "bold", "offset": 0, "length": 99}, "ends after the end of the text at UTF-16 offset 99"),
        ({"type": "bold", "offset": 50, "length": 1}, "begins after the end of the text at UTF-16 offset 50"),
        ({"type": "bold", "offset": 1, "length": 2}, "begins in a middle of a UTF-16 symbol"),
        ({"type": "bold", "offset": 0, "length": 1}, "ends in a middle of a UTF-16 symbol"),
        ({"type": "bold", "offset": -1, "length": 1}, "incorrect offset -1"),
        ({"type": "shiny", "offset": 0, "length": 2}, "unsupported entity type"),
        ({"type": "text_link", "offset": 0, "length": 2}, 'can\'t find field "url"'),
    ],
)
async def test_entities_that_do_not_fit_the_text_are_refused(
    raw: Raw, entity: dict[str, Any], refusal: str
) -> None:
    assert refusal in await raw.refused("sendMessage", chat_id=CHAT, text="👍 words", entities=[entity])


async def test_entities_move_with_what_is_cut_from_the_text(raw: Raw) -> None:
    entities = [{"type": "bold", "offset": 4, "length": 3}, {"type": "italic", "offset": 8, "length": 2}]
    found = await raw.result("sendMessage", chat_id=CHAT, text="\n\r  abc\r  ", entities=entities)
    assert found["text"] == "abc" and found["entities"] == [{"type": "bold", "offset": 0, "length": 3}]
    indented = [{"type": "pre", "offset": 0, "length": 5}]
    assert (await raw.result("sendMessage", chat_id=CHAT, text="  abc", entities=indented))["text"] == "  abc"


async def test_edits_follow_the_rules(peer: Peer, raw: Raw) -> None:
    await peer.control("flood", limits={"enabled": False})
    own = (await raw.result("sendMessage", chat_id=CHAT, text="one"))["message_id"]
    other = (await peer.say(CHAT, "not yours"))["message_id"]

    async def refused(**args: Any) -> str:
        return await raw.refused("editMessageText", chat_id=CHAT, **args)

    assert (await refused(message_id=own, text=" one ")).startswith(
        "400 Bad Request: message is not modified"
    )
    assert await refused(message_id=99, text="x") == "400 Bad Request: message to edit not found"
    assert await refused(message_id=other, text="x") == "400 Bad Request: message can't be edited"
    assert await refused(message_id=own, text="x" * 4097) == "400 Bad Request: MESSAGE_TOO_LONG"
    edited = await raw.result("editMessageText", chat_id=CHAT, message_id=own, text="two")
    assert edited["text"] == "two" and edited["edit_date"] >= edited["date"]
    history = [text for _, text in (await peer.chat(CHAT))["messages"][0]["history"]]
    assert history == ["one", "two"]


async def test_one_chat_takes_a_short_burst_and_then_one_message_a_second(peer: Peer, raw: Raw) -> None:
    for _ in range(3):
        await raw.result("sendMessage", chat_id=CHAT, text="x")
    status, body = await raw("sendMessage", chat_id=CHAT, text="x")
    assert status == 429 and body["description"] == "Too Many Requests: retry after 3"
    assert body["parameters"] == {"retry_after": 3}
    waits = [
        (await raw("sendMessage", chat_id=CHAT, text="x"))[1]["parameters"]["retry_after"] for _ in range(3)
    ]
    assert waits == [5, 7, 9]  # trying again during the ban makes it longer
    await peer.control("set_chat", chat=CHAT + 1)
    assert (await raw("sendMessage", chat_id=CHAT + 1, text="x"))[0] == 200
    assert (await raw("sendMessageDraft", chat_id=CHAT + 1, draft_id=1, text="x"))[0] == 200


async def test_a_group_takes_twenty_writes_a_minute_and_edits_count(peer: Peer, raw: Raw) -> None:
    await peer.control("set_chat", chat=GROUP, limits={"chat_rate": 1000.0, "chat_burst": 1000.0})
    own = (await raw.result("sendMessage", chat_id=GROUP, text="x"))["message_id"]
    for number in range(19):
        await raw.result("editMessageText", chat_id=GROUP, message_id=own, text=str(number))
    status, body = await raw("sendMessage", chat_id=GROUP, text="one too many")
    assert status == 429 and 50 <= body["parameters"]["retry_after"] <= 60


async def test_the_whole_bot_has_a_limit_too(peer: Peer, raw: Raw) -> None:
    await peer.control("flood", limits={"token_rate": 5.0})
    statuses = []
    for chat in range(100, 108):
        await peer.control("set_chat", chat=chat)
        statuses.append((await raw("sendMessage", chat_id=chat, text="x"))[0])
    assert statuses[:5] == [200] * 5 and 429 in statuses


async def test_drafts_are_for_private_chats_and_go_when_the_message_comes(peer: Peer, raw: Raw) -> None:
    await peer.control("set_chat", chat=GROUP)
    draft = {"draft_id": 1, "text": "x"}
    assert (
        await raw.refused("sendMessageDraft", chat_id=GROUP, **draft)
        == "400 Bad Request: TEXTDRAFT_PEER_INVALID"
    )
    assert "non-zero" in await raw.refused("sendMessageDraft", chat_id=CHAT, draft_id=0, text="x")
    assert "TOO_LONG" in await raw.refused("sendMessageDraft", chat_id=CHAT, draft_id=1, text="x" * 4097)
    assert await raw.result("sendMessageDraft", chat_id=CHAT, draft_id=1)
    assert await raw.result("sendMessageDraft", chat_id=CHAT, draft_id=1, text="growing")
    assert (await peer.chat(CHAT))["drafts"]["0"]["text"] == "growing"
    await raw.result("sendMessage", chat_id=CHAT, text="grown")
    assert (await peer.chat(CHAT))["drafts"] == {}


async def test_topics_must_exist_and_be_open(peer: Peer, raw: Raw) -> None:
    await peer.control("set_chat", chat=GROUP, is_forum=True, threads=[5, 6], closed_threads=[6])
    args = {"chat_id": GROUP, "text": "x"}
    assert (await raw.result("sendMessage", message_thread_id=5, **args))["is_topic_message"]
    assert "thread not found" in await raw.refused("sendMessage", message_thread_id=7, **args)
    assert "TOPIC_CLOSED" in await raw.refused("sendMessage", message_thread_id=6, **args)


async def test_commands_and_presses_are_checked(raw: Raw) -> None:
    async def refused(*names: str, description: str = "does it") -> str:
        commands = [{"command": name, "description": description} for name in names]
        return await raw.refused("setMyCommands", commands=commands)

    assert "BOT_COMMANDS_TOO_MUCH" in await refused(*(f"c{number}" for number in range(101)))
    assert "BOT_COMMAND_INVALID" in await refused("Upper")
    assert "BOT_COMMAND_DESCRIPTION_INVALID" in await refused("ok", description="")
    assert "query is too old" in await raw.refused("answerCallbackQuery", callback_query_id="1")


async def test_faults_are_met_as_often_as_ordered_and_where(peer: Peer, raw: Raw) -> None:
    await peer.control("set_chat", chat=CHAT + 1)
    await peer.fault("sendMessage", times=2, chat=CHAT, status=502)
    assert (await raw("sendMessage", chat_id=CHAT + 1, text="x"))[0] == 200
    with pytest.raises(orjson.JSONDecodeError):
        await raw("sendMessage", chat_id=CHAT, text="x")
    with pytest.raises(orjson.JSONDecodeError):
        await raw("sendMessage", chat_id=CHAT, text="x")
    assert (await raw("sendMessage", chat_id=CHAT, text="x"))[0] == 200
    await peer.fault("sendMessage", drop="after")
    with pytest.raises(aiohttp.ClientError):
        await raw("sendMessage", chat_id=CHAT, text="it arrived")
    assert "it arrived" in await peer.texts(CHAT)


async def test_calls_are_recorded_with_their_times(peer: Peer, raw: Raw) -> None:
    before = asyncio.get_running_loop().time()
    await peer.fault("sendMessage", delay=0.05)
    await raw.result("sendMessage", chat_id=CHAT, text="x")
    [call] = await peer.calls("sendMessage", chat=CHAT)
    assert before <= call["at"] <= call["done"] - 0.05 <= asyncio.get_running_loop().time()
    assert call["status"] == 200 and call["args"]["text"] == "x"
    assert (await peer.state())["counts"]["sendmessage"] == 1


async def test_a_wait_that_fails_tells_what_it_saw(peer: Peer, raw: Raw) -> None:
    await raw.result("sendMessage", chat_id=CHAT, text="something else")
    with pytest.raises(TimeoutError, match="something else"):
        await peer.wait(timeout=0.05, chat=CHAT, contains="never said")
    with pytest.raises(RuntimeError, match="no such verb"):
        await peer.control("nonsense")


async def test_flags_lift_the_limits_and_keep_the_record_small() -> None:
    async with start_peer("--no-flood", "--lean") as peer, aiohttp.ClientSession() as session:
        raw = Raw(peer, session)
        await peer.say(CHAT, "hello")
        results = [await raw("sendMessage", chat_id=CHAT, text=str(number)) for number in range(40)]
        assert {status for status, _ in results} == {200}
        assert (await peer.calls("sendMessage"))[0]["args"] is None
