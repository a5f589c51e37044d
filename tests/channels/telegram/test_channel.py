"""The adapter against the fake Bot API server: what goes over the wire, and what a person sees."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from channels.base import (
    Deletes,
    Edits,
    OpensAttachments,
    RegistersCommands,
    Routes,
    ShowsButtons,
    Streams,
    Typing,
)
from channels.capabilities import Operation, Streaming
from channels.commands import CommandSpec
from channels.errors import Gone, GoneWhat, NotAuthorized, RateLimited, Refused, TooLong, Unavailable
from channels.events import Action, Address, Membership, Message, MessageEdited, Pressed, Reaction
from channels.telegram.channel import TelegramChannel
from channels.telegram.drafts import Drafts
from channels.telegram.timing import Timing
from tests.channels.telegram.hosts import QUICK, KeepingHost, address, running, settings
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
GROUP = -1001234567890
BASIC_GROUP = -555


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    return KeepingHost(tmp_path)


@pytest_asyncio.fixture
async def channel(peer: Peer, host: KeepingHost) -> AsyncIterator[TelegramChannel]:
    await peer.control("set_chat", chat=CHAT)
    await peer.control("set_chat", chat=GROUP, is_forum=True, threads=[9])
    async with running(peer, host) as channel:
        yield channel


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
        ShowsButtons,
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


async def test_a_draft_grows_and_the_final_message_takes_its_place(
    peer: Peer, channel: TelegramChannel
) -> None:
    where = address(CHAT)
    stream = await channel.start_stream(where, "The ans", "k1")
    await channel.update_stream(where, stream, "The **answer** is", "wer is")
    seen = await peer.chat(CHAT)
    assert seen["messages"] == []
    assert seen["drafts"]["0"]["text"] == "The answer is"
    sent = await channel.finish_stream(where, stream, "The answer is 42.", " 42.", "k1")
    seen = await peer.chat(CHAT)
    assert [message["text"] for message in seen["messages"]] == ["The answer is 42."]
    assert seen["drafts"] == {} and sent.id == str(seen["messages"][0]["id"])
    assert len({draft for _, draft, _ in seen["draft_log"]}) == 1


async def test_the_same_part_has_the_same_draft_after_a_restart(peer: Peer, channel: TelegramChannel) -> None:
    first = await channel.start_stream(address(CHAT), "before", "key-1")
    second = await channel.start_stream(address(CHAT), "after", "key-1")
    other = await channel.start_stream(address(CHAT), "else", "key-2")
    assert first == second != other and int(first) > 0


async def test_a_draft_is_painted_again_before_it_fades(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, Timing(draft_refresh=0.1)) as channel:
        stream = await channel.start_stream(address(CHAT), "slow", "k")
        calls = await peer.wait(method="sendMessageDraft", count=3)
        assert {call["args"]["text"] for call in calls} == {"slow"}
        await channel.finish_stream(address(CHAT), stream, "slow no more", None, "k")
        count = (await peer.state())["counts"]["sendmessagedraft"]
        await channel.send(address(CHAT), "later", "k2")
    assert (await peer.state())["counts"]["sendmessagedraft"] <= count + 1


async def test_a_draft_that_nobody_finishes_is_forgotten_and_one_that_grows_is_not() -> None:
    now, painted = 0.0, []

    async def paint(where: Address, number: int, text: str) -> None:
        painted.append(text)

    drafts = Drafts(paint, Timing(draft_refresh=20, draft_forget=100), lambda: now)
    drafts.painted(address(CHAT), 1, "left behind")
    now = 90.0
    drafts.painted(address(CHAT), 2, "growing")
    now = 110.0
    task = asyncio.create_task(drafts.keep_alive())
    await asyncio.sleep(0)  # one step: all that is due now
    task.cancel()
    assert painted == ["growing"] and len(drafts) == 1


async def test_a_draft_that_is_finished_at_once_does_not_stop_the_keeper() -> None:
    painted: list[str] = []

    async def paint(where: Address, number: int, text: str) -> None:
        painted.append(text)

    drafts = Drafts(paint, Timing(draft_refresh=0), lambda: 0.0)
    task = asyncio.create_task(drafts.keep_alive())
    await asyncio.sleep(0)  # it waits for a first draft
    drafts.painted(address(CHAT), 1, "gone before it wakes")
    drafts.closed(address(CHAT), 1)
    await asyncio.sleep(0)
    assert not task.done() and painted == []
    task.cancel()


async def test_drafts_are_refused_in_groups_and_edits_are_offered_there(channel: TelegramChannel) -> None:
    assert channel.capabilities(address(CHAT)).streaming is Streaming.NATIVE
    assert channel.capabilities(address(CHAT)).preview
    assert channel.capabilities(address(GROUP)).streaming is Streaming.EDIT
    with pytest.raises(Refused):
        await channel.start_stream(address(GROUP), "no", "k")


@pytest.mark.parametrize(
    "fault",
    [
        {"error": [400, "Bad Request: TEXTDRAFT_PEER_INVALID"]},
        {"error": [404, "Not Found"]},
    ],
)
async def test_a_chat_without_drafts_is_streamed_by_edits_from_then_on(
    peer: Peer, channel: TelegramChannel, fault: dict[str, Any]
) -> None:
    await peer.fault("sendMessageDraft", **fault)
    with pytest.raises(Refused):
        await channel.start_stream(address(CHAT), "x", "k")
    assert channel.capabilities(address(CHAT)).streaming is Streaming.EDIT
    assert channel.capabilities(address(CHAT + 1)).streaming is Streaming.NATIVE


@pytest.mark.parametrize(
    ("mode", "private", "group"),
    [
        ("auto", Streaming.NATIVE, Streaming.EDIT),
        ("drafts", Streaming.NATIVE, Streaming.NONE),
        ("edits", Streaming.EDIT, Streaming.EDIT),
        ("off", Streaming.NONE, Streaming.NONE),
    ],
)
def test_the_stream_setting_decides_how_answers_grow(
    peer: Peer, host: KeepingHost, mode: str, private: Streaming, group: Streaming
) -> None:
    channel = TelegramChannel("main", settings(peer, stream=mode), host)
    assert channel.capabilities(address(CHAT)).streaming is private
    assert channel.capabilities(address(GROUP)).streaming is group


def test_budgets_stay_below_the_published_limits(peer: Peer, host: KeepingHost) -> None:
    channel = TelegramChannel("main", settings(peer), host)
    group = {budget.scope: budget for budget in channel.capabilities(address(GROUP)).budgets}
    whole = group[f"chat:{GROUP}"]
    assert whole.burst + 60 * whole.rate <= 20 and whole.operations >= {Operation.SEND, Operation.EDIT}
    assert group[f"edits:{GROUP}"].rate == pytest.approx(1 / 3)
    assert group["token"].burst + group["token"].rate <= 30
    private = {budget.scope: budget for budget in channel.capabilities(address(CHAT)).budgets}
    assert private[f"chat:{CHAT}"].rate == 1.0 and Operation.STREAM not in private[f"chat:{CHAT}"].operations
    topic = {budget.scope for budget in channel.capabilities(address(GROUP, thread=9)).budgets}
    assert topic == set(group)
    free = TelegramChannel("main", settings(peer, limits="none", editInterval=5), host)
    assert {budget.scope: budget.rate for budget in free.capabilities(address(GROUP)).budgets} == {
        f"edits:{GROUP}": 0.2
    }


async def test_a_text_that_becomes_too_long_is_refused_before_it_is_sent(
    peer: Peer, channel: TelegramChannel
) -> None:
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


async def test_messages_edits_presses_reactions_and_membership_arrive(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    said = await peer.say(CHAT, "hello 👋")
    await peer.edit(CHAT, said["message_id"], "hello there")
    sent = await channel.send(address(CHAT), "choose", "k")
    await channel.show_buttons(address(CHAT), sent.id, [Action("yes", "Yes"), Action("no", "No")])
    press = await peer.press(CHAT, int(sent.id), "yes")
    await peer.control("react", chat=CHAT, message_id=int(sent.id), old=["👍"], new=["❤"])
    await peer.control("member", chat=GROUP, user=7, new="member")
    await host.until(lambda: len(host.events) == 6)
    message, edited, pressed, *reactions, joined = host.events
    assert isinstance(message, Message) and message.text == "hello 👋" and message.addressed
    assert message.sender.id == str(CHAT) and message.sender.name == f"Person {CHAT}"
    assert isinstance(edited, MessageEdited) and edited.text == "hello there"
    assert edited.message_id == message.message_id and edited.event_key != message.event_key
    assert isinstance(pressed, Pressed) and pressed.action == "yes" and pressed.message_id == sent.id
    assert [(one.emoji, one.added) for one in reactions if isinstance(one, Reaction)] == [
        ("👍", False),
        ("❤", True),
    ]
    assert isinstance(joined, Membership) and joined.change == "joined"
    await peer.wait(method="answerCallbackQuery")
    assert press in (await peer.state())["answers"]


async def test_buttons_can_be_taken_away_and_long_ids_are_refused(
    peer: Peer, channel: TelegramChannel
) -> None:
    await peer.control("flood", limits={"enabled": False})
    sent = await channel.send(address(CHAT), "choose", "k")
    await channel.show_buttons(address(CHAT), sent.id, [Action("a", "A")])
    assert (await peer.chat(CHAT))["messages"][0]["markup"] == {
        "inline_keyboard": [[{"text": "A", "callback_data": "a"}]]
    }
    await channel.show_buttons(address(CHAT), sent.id, [])
    await channel.show_buttons(address(CHAT), sent.id, [])
    assert (await peer.chat(CHAT))["messages"][0]["markup"] is None
    with pytest.raises(Refused):
        await channel.show_buttons(address(CHAT), sent.id, [Action("x" * 65, "X")])


async def test_a_file_is_opened_within_its_limit(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    await peer.file("photo-1", b"x" * 1000)
    await peer.file("liar", b"x" * 1000, size=10)
    await peer.file("huge", b"x", size=30_000_000)
    await peer.say(
        CHAT, extra={"photo": [{"file_id": "photo-1", "width": 9, "height": 9}], "caption": "look"}
    )
    await host.until(lambda: bool(host.events))
    message = host.events[0]
    assert isinstance(message, Message) and message.text == "look"
    ref = message.attachments[0].ref
    assert await channel.open_attachment(ref, 1000) == b"x" * 1000
    for name, limit in (("photo-1", 999), ("liar", 999), ("huge", 10**9)):
        with pytest.raises(TooLong):
            await channel.open_attachment(name, limit)
    with pytest.raises(Gone):
        await channel.open_attachment("unknown", 1000)


async def test_the_menu_is_set_once_and_again_only_when_it_changed(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host) as channel:
        await host.until(lambda: "menu" in host.cursors)
        await channel.register_commands(host.commands())
        assert len(await peer.calls("setMyCommands")) == 1
        await channel.register_commands((CommandSpec("new", "start over"),))
    [commands] = (await peer.state())["commands"].values()
    assert commands == [{"command": "new", "description": "start over"}]
    [first, _] = await peer.calls("setMyCommands")
    assert [entry["command"] for entry in first["args"]["commands"]] == ["model", "stop"]


async def test_a_menu_that_telegram_finds_too_long_is_shortened(peer: Peer, tmp_path: Path) -> None:
    many = [CommandSpec(f"c{number}", "does it") for number in range(150)]
    await peer.fault("setMyCommands", times=2, error=[400, "Bad Request: BOT_COMMANDS_TOO_MUCH"])
    host = KeepingHost(tmp_path, many)
    async with running(peer, host):
        await host.until(lambda: "menu" in host.cursors)
    [commands] = (await peer.state())["commands"].values()
    assert len(commands) == 64 and commands[0]["command"] == "c0"


async def test_a_menu_that_fails_does_not_stop_the_account(peer: Peer, host: KeepingHost) -> None:
    await peer.fault("setMyCommands", status=502)
    async with running(peer, host):
        await peer.wait(method="setMyCommands")
        await peer.say(CHAT, "still here?")
        await host.until(lambda: bool(host.events))
        assert host.signals["menu_failed"] == 1


async def test_a_refused_token_ends_the_run_with_one_clear_error(peer: Peer, host: KeepingHost) -> None:
    await peer.control("revoke")
    channel = TelegramChannel("main", settings(peer), host, timing=QUICK)
    with pytest.raises(NotAuthorized):
        await channel.run()
    await peer.control("revoke", off=True)
    task = asyncio.create_task(channel.run())
    await peer.wait(holding=True)
    await peer.control("revoke")
    await peer.say(CHAT, "wake up")
    with pytest.raises(NotAuthorized) as caught:
        await asyncio.wait_for(task, 10)
    await peer.control("revoke", off=True)
    assert peer.token not in str(caught.value) and peer.token not in repr(host.states)


async def test_the_token_is_in_no_log_and_no_error(
    peer: Peer, host: KeepingHost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    errors: list[BaseException] = []
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host) as channel:
        for fault in ({"status": 502}, {"drop": "before"}, {"malformed": True}, {"status": 302}):
            await peer.fault("sendMessage", **fault)
            with pytest.raises(Unavailable) as caught:
                await channel.send(address(CHAT), "x", "k")
            errors.append(caught.value)
    await peer.control("revoke")
    with pytest.raises(NotAuthorized) as refused:
        await TelegramChannel("main", settings(peer), host, timing=QUICK).run()
    await peer.control("revoke", off=True)
    errors.append(refused.value)
    told = "".join(f"{error!r} {error.__cause__!r} {error.__suppress_context__}" for error in errors)
    assert peer.token not in told + caplog.text + repr(channel) + repr(settings(peer))
    assert "False" not in told


async def test_sends_still_work_while_the_account_is_being_stopped(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    await peer.fault("sendMessage", delay=0.2)
    async with running(peer, host) as channel:
        under_way = asyncio.create_task(channel.send(address(CHAT), "while it stops", "k1"))
        await peer.wait(method="sendMessage", arrived=True)
    await under_way
    await channel.send(address(CHAT), "after it stopped", "k2")
    assert await peer.texts(CHAT) == ["while it stops", "after it stopped"]
