"""Buttons: under messages, under previews, answered at once whoever presses."""

from __future__ import annotations

import asyncio

import pytest

from channels.delivery import open_reply
from channels.errors import Refused
from channels.events import Action, Pressed
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from channels.telegram.buttons import keyboard
from channels.telegram.channel import TelegramChannel
from tests.channels.telegram.answers import RETRY, STOP
from tests.channels.telegram.hosts import KeepingHost, address, running
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
GROUP = -1001234567890


async def test_buttons_ride_on_the_message_and_cost_no_call_of_their_own(
    peer: Peer, channel: TelegramChannel
) -> None:
    sent = await channel.send(address(CHAT), "choose", "k", actions=(STOP, RETRY))
    [message] = (await peer.chat(CHAT))["messages"]
    buttons = [
        {"text": "Stop", "callback_data": "stop"},
        {"text": "Retry", "callback_data": "retry"},
    ]
    assert message["markup"] == {"inline_keyboard": [buttons]}
    await channel.edit(address(CHAT), sent.id, "chosen")
    await channel.edit(address(CHAT), sent.id, "chosen")
    [message] = (await peer.chat(CHAT))["messages"]
    assert message["markup"] is None
    [edit, _] = await peer.calls("editMessageText")
    assert "reply_markup" not in edit["args"]


def test_an_id_that_telegram_cannot_carry_is_refused_and_long_rows_are_broken() -> None:
    for wrong in ("", "x" * 65, "é" * 33):
        with pytest.raises(Refused):
            keyboard([Action(wrong, "X")])
    rows = keyboard([Action(str(number), f"a longer label {number}") for number in range(4)])
    assert [len(row) for row in rows["inline_keyboard"]] == [1, 1, 1, 1]


async def test_a_press_is_answered_at_once_and_says_what_and_where(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    sent = await channel.send(address(CHAT), "choose", "k", actions=(RETRY,))
    press = await peer.press(CHAT, int(sent.id), "retry")
    await peer.wait(answered=press)
    await host.until(lambda: bool(host.events))
    [event] = host.events
    assert isinstance(event, Pressed)
    assert (event.action, event.message_id) == ("retry", sent.id)
    assert event.address.reply_to is None  # a private chat quotes nothing


async def test_a_press_in_a_topic_stays_in_the_topic(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    sent = await channel.send(address(GROUP, thread=9), "choose", "k", actions=(RETRY,))
    await peer.press(GROUP, int(sent.id), "retry", user=7)
    await host.until(lambda: bool(host.events))
    [event] = host.events
    assert isinstance(event, Pressed) and event.address.key.thread == "9" and event.sender.id == "7"


async def test_whoever_may_not_press_is_told_so_alone_and_nothing_happens(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    host.refusals = {"66": "This is not for you.", "67": ""}
    sent = await channel.send(address(GROUP), "choose", "k", actions=(RETRY,))
    told = await peer.press(GROUP, int(sent.id), "retry", user=66)
    silent = await peer.press(GROUP, int(sent.id), "retry", user=67)
    answer = await peer.wait(answered=told)
    assert answer["text"] == "This is not for you."
    assert "text" not in await peer.wait(answered=silent)
    await peer.wait(confirmed=(await peer.state())["next_update"] - 1)
    assert host.events == []


async def test_a_press_that_is_answered_too_late_does_no_harm(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    await peer.control("set_bot", press_life=0)
    await peer.press(CHAT, 1, "x")
    await peer.wait(method="answerCallbackQuery", status=400)
    await host.until(lambda: len(host.events) == 1)


async def test_a_preview_has_a_button_of_its_own_that_stops(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    stream = await channel.start_stream(address(CHAT), "half an ans", "k")
    [call] = await peer.calls("sendMessageDraft")
    assert call["args"]["can_stop"] is True and call["args"]["keep_on_stop"] is True
    await peer.control("stop_draft", chat=CHAT)
    await host.until(lambda: bool(host.events))
    [event] = host.events
    assert isinstance(event, Pressed)
    assert (event.action, event.message_id, event.sender.id) == ("stop", stream, str(CHAT))
    assert str(event.address.key) == f"telegram:main:{CHAT}"
    await channel.finish_stream(
        address(CHAT), stream, "half an ans\n\n(stopped)", None, "k", actions=(RETRY,)
    )
    seen = await peer.chat(CHAT)
    assert seen["drafts"] == {} and len(seen["messages"]) == 1


async def test_a_preview_in_a_topic_of_a_private_chat_is_stopped_there(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    await channel.start_stream(address(CHAT, thread=3), "half", "k")
    await peer.control("stop_draft", chat=CHAT, thread=3)
    await host.until(lambda: bool(host.events))
    [event] = host.events
    assert isinstance(event, Pressed) and event.address.key.thread == "3"


async def test_without_buttons_nothing_can_be_pressed(peer: Peer, host: KeepingHost) -> None:
    await peer.control("set_chat", chat=CHAT)
    async with running(peer, host, buttons=False) as channel:
        assert not channel.capabilities(address(CHAT)).buttons
        await channel.start_stream(address(CHAT), "half", "k")
    [call] = await peer.calls("sendMessageDraft")
    assert "can_stop" not in call["args"]


async def test_while_it_grows_an_answer_can_be_stopped_and_then_repeated(
    peer: Peer, channel: TelegramChannel
) -> None:
    await peer.control("flood", limits={"enabled": False})
    clock = asyncio.get_running_loop().time
    async with open_reply(channel, address(GROUP), MemoryJournal(), Budgets(), clock=clock) as reply:
        reply.offer((STOP,))
        reply.write("It grows")
        seen = await peer.wait(chat=GROUP, contains="It grows")
        assert _ids(seen) == ["stop"]
        reply.write(" and is whole.")
        await reply.finish(actions=(RETRY,))
    seen = await peer.chat(GROUP)
    assert _ids(seen) == ["retry"] and len(seen["messages"]) == 1


def _ids(chat: dict[str, object]) -> list[str]:
    messages = chat["messages"]
    assert isinstance(messages, list)
    markup = messages[-1]["markup"]
    return [button["callback_data"] for row in markup["inline_keyboard"] for button in row]
