"""Polling: what is confirmed to Telegram and when, and what happens when the line is bad."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from channels.events import Event, Message
from channels.telegram.channel import TelegramChannel
from channels.telegram.timing import Timing
from tests.channels.telegram.hosts import QUICK, KeepingHost, running, settings
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
HOOK = "https://bot.example.org"
PATIENT = Timing()


def texts(host: KeepingHost) -> list[str]:
    return [event.text for event in host.events if isinstance(event, Message)]


async def test_an_update_is_confirmed_only_after_the_host_has_taken_it(peer: Peer, host: KeepingHost) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def gate(event: Event) -> None:
        entered.set()
        await leave.wait()

    host.gate = gate
    async with running(peer, host):
        said = await peer.say(CHAT, "precious")
        await entered.wait()
        assert (await peer.state())["confirmed"] < said["update_id"]
        leave.set()
        await peer.wait(confirmed=said["update_id"])
    assert texts(host) == ["precious"]


async def test_updates_that_were_fetched_but_not_taken_come_again_after_a_crash(
    peer: Peer, host: KeepingHost, tmp_path: Path
) -> None:
    stuck = asyncio.Event()

    async def gate(event: Event) -> None:
        if isinstance(event, Message) and event.text == "second":
            stuck.set()
            await asyncio.Event().wait()

    host.gate = gate
    async with running(peer, host):
        await peer.say(CHAT, "first")
        await host.until(lambda: texts(host) == ["first"])
        await peer.say(CHAT, "second")
        await stuck.wait()
    after = KeepingHost(tmp_path)
    after.cursors = host.cursors
    async with running(peer, after):
        await after.until(lambda: "second" in texts(after))
    assert texts(after) == ["second"]


async def test_what_has_no_room_is_offered_again_and_nothing_behind_it_is_confirmed(
    peer: Peer, host: KeepingHost
) -> None:
    refused: list[str] = []

    def room(event: Event) -> bool:
        if isinstance(event, Message) and event.text == "two" and len(refused) < 3:
            refused.append(event.text)
            return False
        return True

    host.room = room
    said = await peer.say_all([{"chat": CHAT, "text": text} for text in ("one", "two", "three")])
    async with running(peer, host):
        await peer.wait(confirmed=said[2]["update_id"])
    assert len(refused) == 3 and sorted(texts(host)) == ["one", "three", "two"]
    offsets = [call["args"]["offset"] for call in await peer.calls("getUpdates")]
    assert said[1]["update_id"] in offsets  # "one" was confirmed, "two" was not
    assert said[2]["update_id"] not in offsets


async def test_a_batch_is_offered_at_once_and_in_order(peer: Peer, host: KeepingHost) -> None:
    entered: list[str] = []
    all_in = asyncio.Event()

    async def gate(event: Event) -> None:
        assert isinstance(event, Message)
        entered.append(event.text)
        if len(entered) == 20:
            all_in.set()
        await all_in.wait()

    host.gate = gate
    await peer.say_all([{"chat": CHAT + number % 3, "text": str(number)} for number in range(20)])
    async with running(peer, host):
        await asyncio.wait_for(all_in.wait(), 30)
    assert entered == [str(number) for number in range(20)]


async def test_a_long_queue_is_read_to_its_end(peer: Peer, host: KeepingHost) -> None:
    said = await peer.say_all([{"chat": CHAT, "text": str(number)} for number in range(250)])
    async with running(peer, host):
        await peer.wait(confirmed=said[-1]["update_id"])
    assert texts(host) == [str(number) for number in range(250)]


async def test_the_offset_survives_a_restart_and_belongs_to_one_bot(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        said = await peer.say(CHAT, "hello")
        await host.until(lambda: any(name.startswith("offset:") for name in host.cursors))
    bot_id = peer.token.partition(":")[0]
    assert host.cursors[f"offset:{bot_id}"] == str(said["update_id"] + 1)
    since = (await peer.calls())[-1]["seq"]
    async with running(peer, host):
        pass
    assert (await peer.calls("getUpdates", since=since))[0]["args"]["offset"] == said["update_id"] + 1


async def test_update_ids_may_be_drawn_anew_below_the_stored_offset(peer: Peer, host: KeepingHost) -> None:
    bot_id = peer.token.partition(":")[0]
    host.cursors[f"offset:{bot_id}"] = "900000000"
    await peer.control("next_update", id=500)
    async with running(peer, host):
        said = await peer.say(CHAT, "after a quiet week")
        await host.until(lambda: bool(host.events))
        await peer.wait(confirmed=said["update_id"])
        await peer.say(CHAT, "and on")
        await host.until(lambda: len(host.events) == 2)


async def test_the_wanted_kinds_are_named_and_a_set_webhook_is_removed(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        state = await peer.state()
        assert set(state["allowed"]) == {
            "message",
            "edited_message",
            "callback_query",
            "my_chat_member",
            "message_reaction",
            "stopped_message_generation",
        }
        [call] = await peer.calls("deleteWebhook")
        assert not call["args"].get("drop_pending_updates")


JUNK = [
    "[]",
    '"text"',
    "null",
    "17",
    "{}",
    '{"update_id": "no number", "message": {}}',
    '{"update_id": 0}',
    '{"update_id": 0, "message": null}',
    '{"update_id": 0, "message": {"message_id": 1, "chat": {"id": 4711}, "date": 1, "text": "nobody said this"}}',
    '{"update_id": 0, "message": {"message_id": "x", "from": {"id": 1}, "chat": {"id": 4711}, "text": "y"}}',
    '{"update_id": 0, "message": {"message_id": 1, "from": {"id": 1}, "chat": {"id": 1}, "date": 1e99, "text": "z"}}',
    '{"update_id": 0, "callback_query": {"id": 7}}',
    '{"update_id": 0, "brand_new_kind": {"message": {}}}',
    '{"update_id": 0, "my_chat_member": {"chat": {"id": -5}}}',
    '{"update_id": 0, "message_reaction": {"chat": {"id": 5}, "message_id": 1}}',
]


async def test_junk_between_updates_is_counted_and_passed_over(peer: Peer, host: KeepingHost) -> None:
    for junk in JUNK:
        number = (await peer.state())["next_update"]
        await peer.control("junk", json=junk.replace('"update_id": 0', f'"update_id": {number}'))
    async with running(peer, host):
        said = await peer.say(CHAT, "a real one")
        await host.until(lambda: texts(host) == ["a real one"])
        await peer.wait(confirmed=said["update_id"])
        await peer.say(CHAT, "another")
        await host.until(lambda: len(host.events) == 2)
    # Four of them are of no kind that is known (offered once or twice, as the batches fall), the rest is malformed.
    assert host.signals["event_malformed"] >= len(JUNK) - 4
    assert host.signals["event_unknown"] >= 3


async def test_junk_that_cannot_be_confirmed_does_not_make_a_tight_loop(
    peer: Peer, host: KeepingHost
) -> None:
    for _ in range(3):
        await peer.control("junk", json="null")
    channel = TelegramChannel("main", settings(peer), host, timing=QUICK)
    task = asyncio.create_task(channel.run())
    calls = await peer.wait(method="getUpdates", count=5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gaps = [after["at"] - before["done"] for before, after in itertools.pairwise(calls)]
    assert min(gaps) >= QUICK.full * 0.8


async def test_odd_characters_arrive_as_text_that_can_be_stored(peer: Peer, host: KeepingHost) -> None:
    odd = r"nul\u0000 half\ud83d bidi\u202e end"
    message = (
        '{"update_id": %d, "message": {"message_id": 5, "date": 1700000000, "text": "' + odd + '",'
        '"from": {"id": 4711, "is_bot": false, "first_name": "\\u202eevil\\u0000"},'
        '"chat": {"id": 4711, "type": "private"}}}'
    )
    async with running(peer, host):
        await peer.control("junk", json=message % 950_000, id=950_000)
        await host.until(lambda: bool(host.events))
    [event] = host.events
    assert isinstance(event, Message)
    assert event.text == "nul  half\ufffd bidi end" and event.sender.name == "evil"
    event.text.encode()


async def test_duplicate_and_shuffled_updates_are_offered_and_all_confirmed(
    peer: Peer, host: KeepingHost
) -> None:
    numbers = (200_003, 200_001, 200_002, 200_001)
    bodies = [
        json.dumps(
            {
                "update_id": number,
                "message": {
                    "message_id": number,
                    "date": 1_700_000_000,
                    "text": str(number),
                    "from": {"id": CHAT, "is_bot": False, "first_name": "P"},
                    "chat": {"id": CHAT, "type": "private"},
                },
            }
        )
        for number in numbers
    ]
    for number, body in zip(numbers, bodies, strict=True):
        await peer.control("junk", json=body, id=number)
    async with running(peer, host):
        await host.until(lambda: len(host.events) == 3)
        await peer.wait(confirmed=200_003)
        offsets = [call["args"]["offset"] for call in await peer.calls("getUpdates")]
    assert texts(host) == ["200001", "200002", "200003"] and offsets[-1] == 200_004


@pytest.mark.slow
async def test_a_poll_that_never_returns_is_thrown_away(peer: Peer, host: KeepingHost) -> None:
    """Slow: a poll is held for whole seconds, so one second is the least that can be waited for."""
    await peer.fault("getUpdates", hang=True)
    channel = TelegramChannel("main", settings(peer, pollSeconds=1), host, timing=QUICK)
    task = asyncio.create_task(channel.run())
    await peer.wait(holding=True)
    await peer.say(CHAT, "anybody there?")
    await host.until(lambda: bool(host.events))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert host.signals["reconnected"] == 1 and host.signals["poll_failed"] == 1
    assert [online for online, _ in host.states] == [True, False, True, False]


@pytest.mark.parametrize(
    "fault",
    [{"status": 502}, {"drop": "before"}, {"malformed": True}, {"error": [500, "Internal"]}, {"status": 200}],
)
async def test_a_failed_poll_is_tried_again_and_said(
    peer: Peer, host: KeepingHost, fault: dict[str, Any]
) -> None:
    await peer.fault("getUpdates", times=2, **fault)
    async with running(peer, host):
        await peer.say(CHAT, "hello")
        await host.until(lambda: bool(host.events))
    assert host.signals["poll_failed"] == 2
    assert host.states[-1] == (False, "stopped") and host.states[-2] == (True, "")


@pytest.mark.slow
async def test_flood_control_on_polls_is_waited_out(peer: Peer, host: KeepingHost) -> None:
    """Slow: retry_after is in whole seconds."""
    await peer.fault("getUpdates", error=[429, "Too Many Requests: retry after 1", {"retry_after": 1}])
    async with running(peer, host):
        first, second = (await peer.calls("getUpdates"))[:2]
    assert second["at"] - first["done"] >= 1.0 and host.signals["rate_limited"] == 1


@pytest.mark.slow
async def test_another_poller_is_named_and_given_way(peer: Peer, host: KeepingHost) -> None:
    """Slow: the server holds a second conflict back for 3 s, as Telegram does."""
    async with running(peer, host), aiohttp.ClientSession() as session:
        url = f"{peer.base_url}/bot{peer.token}/getUpdates"
        async with session.post(url, json={"timeout": 1, "offset": 0}) as response:
            assert response.status in (200, 409)
        await peer.wait(holding=True)
        await peer.say(CHAT, "hello")
        await host.until(lambda: bool(host.events))
    assert host.signals["conflict"] >= 1
    assert any("other getUpdates request" in reason for online, reason in host.states if not online)


async def test_it_waits_for_a_server_that_is_not_there_yet(peer: Peer, host: KeepingHost) -> None:
    await peer.fault("getMe", times=3, drop="before")
    async with running(peer, host):
        assert len(await peer.calls("getMe")) == 4
    assert host.states[0][0] is False


async def test_presses_are_acknowledged_even_when_there_is_no_room(peer: Peer, host: KeepingHost) -> None:
    host.room = lambda _: False
    async with running(peer, host):
        press = await peer.press(CHAT, 1, "x")
        await peer.wait(method="answerCallbackQuery")
    assert press in (await peer.state())["answers"]


async def test_a_press_too_old_to_acknowledge_does_no_harm(peer: Peer, host: KeepingHost) -> None:
    await peer.fault("answerCallbackQuery", error=[400, "Bad Request: query is too old"])
    async with running(peer, host):
        await peer.press(CHAT, 1, "x")
        await peer.wait(method="answerCallbackQuery", status=400)
        await peer.say(CHAT, "on it goes")
        await host.until(lambda: len(host.events) == 2)
