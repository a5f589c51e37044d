"""What is made of a refusal: the right error, one line in the log, one count, and no text or token in either."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from typing import Any

import pytest
from structlog.testing import capture_logs
from telegram.error import BadRequest

from channels.errors import ChannelError, Gone, GoneWhat, NotAuthorized, Refused
from channels.events import Membership
from channels.telegram.calls import Calls
from channels.telegram.channel import TelegramChannel
from tests.channels.telegram.answers import answer
from tests.channels.telegram.hosts import KeepingHost, address
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
GROUP = -1001234567890
SECRET = "a secret between us"


@pytest.mark.parametrize("chat", [CHAT, GROUP])
@pytest.mark.parametrize(
    ("error", "signal"),
    [
        ([403, "Forbidden: bot was blocked by the user"], "left"),
        ([403, "Forbidden: bot was kicked from the supergroup chat"], "left"),
        ([403, "Forbidden: user is deactivated"], "left"),
        ([400, "Bad Request: chat not found"], "left"),
        ([400, "Bad Request: not enough rights to send text messages to the chat"], "not_permitted"),
        ([400, "Bad Request: have no rights to send a message"], "not_permitted"),
        ([400, "Bad Request: CHAT_WRITE_FORBIDDEN"], "not_permitted"),
        ([400, "Bad Request: TOPIC_CLOSED"], "not_permitted"),
    ],
)
async def test_a_place_that_cannot_be_written_to_is_said_once_and_counted(
    peer: Peer, host: KeepingHost, channel: TelegramChannel, chat: int, error: list[Any], signal: str
) -> None:
    await peer.fault("sendMessage", error=error)
    with capture_logs() as lines, pytest.raises(Gone) as caught:
        await channel.send(address(chat), SECRET, "k")
    assert caught.value.what is GoneWhat.CONVERSATION
    [line] = [line for line in lines if line["event"] == "conversation cannot be written to"]
    assert line["log_level"] == "warning" and line["conversation"] == f"telegram:main:{chat}"
    assert SECRET not in str(lines) and peer.token not in str(lines)
    assert host.signals[signal] == 1


async def test_an_answer_into_a_closed_chat_ends_at_once(peer: Peer, channel: TelegramChannel) -> None:
    await peer.control("set_chat", chat=CHAT, trouble="blocked")
    with pytest.raises(Gone):
        await answer(channel, address(CHAT), "Nobody hears this. " * 20, size=10, pause=0.01)


async def test_a_revoked_token_is_counted_and_is_no_missing_method(
    peer: Peer, host: KeepingHost, channel: TelegramChannel
) -> None:
    await peer.control("revoke")
    try:
        for text in ("plain", "# headed"):
            with pytest.raises(NotAuthorized) as caught:
                await channel.send(address(CHAT), text, "k")
            assert peer.token not in str(caught.value)
    finally:
        await peer.control("revoke", off=True)
    assert host.signals["not_permitted"] >= 2


async def test_our_message_that_somebody_deletes_while_it_grows_comes_once_more(
    peer: Peer, channel: TelegramChannel
) -> None:
    await peer.control("flood", limits={"enabled": False})
    task = asyncio.create_task(
        answer(channel, address(GROUP), "It grows and grows until it is whole.", size=5, pause=0.05)
    )
    seen = await peer.wait(chat=GROUP, contains="It")
    await peer.control("remove", chat=GROUP, message_id=seen["messages"][-1]["id"])
    await task
    assert await peer.texts(GROUP) == ["It grows and grows until it is whole."]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ([400, "Bad Request: message can't be edited"], "not_editable"),
        ([400, "Bad Request: BUTTON_DATA_INVALID"], "bad_request"),
        ([400, "Bad Request: something new"], "bad_request"),
    ],
)
async def test_what_will_never_be_taken_is_refused(
    peer: Peer, channel: TelegramChannel, error: list[Any], code: str
) -> None:
    sent = await channel.send(address(CHAT), "one", "k")
    await peer.fault("editMessageText", error=error)
    with pytest.raises(ChannelError) as caught:
        await channel.edit(address(CHAT), sent.id, "two")
    assert isinstance(caught.value, Refused) and caught.value.code == code


@pytest.mark.parametrize(
    ("chat", "old", "new", "change"),
    [
        (CHAT, "member", "kicked", "kicked"),
        (GROUP, "member", "kicked", "kicked"),
        (GROUP, "administrator", "left", "left"),
        (GROUP, "left", "administrator", "joined"),
        (GROUP, "kicked", "member", "joined"),
    ],
)
async def test_comings_and_goings_of_the_bot_are_events(
    peer: Peer, host: KeepingHost, channel: TelegramChannel, chat: int, old: str, new: str, change: str
) -> None:
    await peer.control("member", chat=chat, user=7, old=old, new=new)
    await host.until(lambda: bool(host.events))
    [event] = host.events
    assert isinstance(event, Membership) and event.change == change and event.sender.id == "7"


async def test_a_refusal_that_was_handled_holds_nothing_of_its_turn(host: KeepingHost) -> None:
    class Turn:
        async def send(self, _: int) -> None:
            raise BadRequest("Bad Request: message is too long")

    turn = Turn()
    known = weakref.ref(turn)
    gc.disable()  # which would find it, some thousand refusals later
    try:
        with contextlib.suppress(ChannelError):
            await Calls("main", host).write(address(CHAT), turn.send, scope="")
        del turn
        assert known() is None
    finally:
        gc.enable()
