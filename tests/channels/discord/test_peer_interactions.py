"""The fake server's interactions: deadlines, tokens, and what may be answered once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.discord.peer.client import Peer
from tests.channels.discord.peer.raw import Raw, Socket

INTENTS = 1 | 1 << 9 | 1 << 12 | 1 << 15
MENU = [
    {
        "name": "model",
        "description": "Choose",
        "options": [
            {"type": 3, "name": "name", "description": "Which", "required": True, "autocomplete": True},
            {"type": 4, "name": "turns", "description": "How long"},
        ],
    },
    {
        "name": "memory",
        "description": "Memory",
        "options": [{"type": 1, "name": "clear", "description": "Forget"}],
    },
]


async def begin(peer: Peer, raw: Raw) -> Socket:
    await raw.result("PUT", f"/applications/{peer.bot.id}/commands", MENU)
    return await (await (await raw.socket()).identify(INTENTS)).until_ready()


async def answer(raw: Raw, asked: dict[str, Any], kind: int, **data: Any) -> tuple[int, Any]:
    path = f"/interactions/{asked['id']}/{asked['token']}/callback?with_response=1"
    status, body, _ = await raw("POST", path, {"type": kind, "data": data})
    return status, body


def hook(asked: dict[str, Any], tail: str = "") -> str:
    return f"/webhooks/{asked['application_id']}/{asked['token']}{tail}"


async def test_a_command_is_deferred_filled_and_followed_up(peer: Peer, raw: Raw) -> None:
    socket = await begin(peer, raw)
    number = await peer.command("model", {"name": "fast", "turns": 3})
    asked = await socket.until("INTERACTION_CREATE")
    assert (asked["id"], asked["type"], asked["context"], asked["channel"]["id"]) == (
        number,
        2,
        0,
        peer.channel,
    )
    assert asked["member"]["user"]["id"] == peer.person and "user" not in asked
    assert asked["data"]["options"] == [
        {"name": "name", "type": 3, "value": "fast"},
        {"name": "turns", "type": 4, "value": 3},
    ]
    status, body = await answer(raw, asked, 5)
    assert (status, body["interaction"]["response_message_loading"]) == (200, True)
    assert (await peer.interaction(number))["state"] == "deferred"
    assert (await socket.until("MESSAGE_CREATE"))["flags"] == 128
    await raw.result("PATCH", hook(asked, "/messages/@original"), {"content": "done"})
    assert (await socket.until("MESSAGE_UPDATE"))["content"] == "done"
    more = await raw.result("POST", hook(asked), {"content": "and more"})
    found = await peer.wait(interaction=number, state="answered")
    assert (found["original"]["content"], found["original"]["thinking"]) == ("done", False)
    assert [one["content"] for one in found["followups"]] == ["and more"]
    assert await peer.texts() == ["done", "and more"]
    assert (await raw("DELETE", hook(asked, f"/messages/{more['id']}")))[0] == 204
    assert (await raw("DELETE", hook(asked, "/messages/@original")))[0] == 204
    assert await peer.texts() == []
    assert (await raw.refused("GET", hook(asked, "/messages/@original")))[:2] == (404, 10008)


async def test_the_first_follow_up_fills_a_deferred_message(peer: Peer, raw: Raw) -> None:
    socket = await begin(peer, raw)
    await peer.command("model", {"name": "fast"})
    asked = await socket.until("INTERACTION_CREATE")
    _, body = await answer(raw, asked, 5, flags=64)
    filled = await raw.result("POST", hook(asked), {"content": "late"})
    assert filled["id"] == body["interaction"]["response_message_id"]
    assert filled["flags"] == 64


async def test_an_interaction_must_be_answered_in_time_and_once(peer: Peer, raw: Raw) -> None:
    socket = await begin(peer, raw)
    number = await peer.command("model", {"name": "fast"})
    asked = await socket.until("INTERACTION_CREATE")
    assert (await raw.refused("PATCH", hook(asked, "/messages/@original"), {"content": "x"}))[1] == 10015
    assert (await answer(raw, asked, 4, content="quick"))[0] == 200
    status, body = await answer(raw, asked, 4, content="twice")
    assert (status, body["code"]) == (400, 40060)
    number = await peer.command("model", {"name": "slow"})
    asked = await socket.until("INTERACTION_CREATE")
    await peer.advance(3.1)
    assert (await peer.interaction(number))["state"] == "failed"
    status, body = await answer(raw, asked, 5)
    assert (status, body["code"], body["message"]) == (404, 10062, "Unknown interaction")
    assert (await answer(raw, {**asked, "token": "x"}, 5))[1]["code"] == 10062


async def test_a_token_lives_for_fifteen_minutes(peer: Peer, raw: Raw) -> None:
    socket = await begin(peer, raw)
    await peer.command("model", {"name": "fast"})
    asked = await socket.until("INTERACTION_CREATE")
    _, body = await answer(raw, asked, 4, content="here")
    await peer.advance(890)
    await raw.result("PATCH", hook(asked, "/messages/@original"), {"content": "still"})
    await peer.advance(11)
    refused = await raw.refused("PATCH", hook(asked, "/messages/@original"), {"content": "no more"})
    assert refused[:2] == (401, 50027)
    number = body["interaction"]["response_message_id"]
    await raw.result(
        "PATCH", f"/channels/{peer.channel}/messages/{number}", {"content": "by the bot's token"}
    )
    assert await peer.texts() == ["by the bot's token"]


async def test_an_ephemeral_answer_is_seen_by_one_person_and_no_bot_route(peer: Peer, raw: Raw) -> None:
    socket = await begin(peer, raw)
    other = await peer.add_user("bob")
    await peer.command("model", {"name": "fast"})
    asked = await socket.until("INTERACTION_CREATE")
    _, body = await answer(raw, asked, 4, content="for you", flags=64)
    number = body["interaction"]["response_message_id"]
    assert [one["ephemeral"] for one in (await peer.view(person=peer.person))["messages"]] == [True]
    assert (await peer.view(person=other))["messages"] == []
    assert (await raw.refused("GET", f"/channels/{peer.channel}/messages/{number}"))[1] == 10008
    await peer.say("next")
    assert (await socket.until("MESSAGE_CREATE"))["content"] == "next"


async def test_a_press_comes_with_its_message_and_may_change_it(peer: Peer, raw: Raw) -> None:
    socket = await begin(peer, raw)
    buttons = [{"type": 1, "components": [{"type": 2, "style": 4, "custom_id": "stop", "label": "Stop"}]}]
    one = await raw.send("growing", components=buttons)
    number = await peer.press(one["id"], "stop")
    asked = await socket.until("INTERACTION_CREATE")
    assert (asked["type"], asked["data"]["custom_id"], asked["message"]["content"]) == (3, "stop", "growing")
    assert (await answer(raw, asked, 6))[0] == 200
    assert (await peer.interaction(number))["state"] == "answered"
    await peer.press(one["id"], "stop")
    asked = await socket.until("INTERACTION_CREATE")
    await answer(raw, asked, 7, content="stopped", components=[])
    assert await peer.texts() == ["stopped"]
    with pytest.raises(RuntimeError, match="no button"):
        await peer.press(one["id"], "stop")


async def test_an_option_completes_and_its_choices_are_checked(peer: Peer, raw: Raw) -> None:
    socket = await begin(peer, raw)
    number = await peer.complete("model", "name", "fa")
    asked = await socket.until("INTERACTION_CREATE")
    assert asked["type"] == 4
    assert asked["data"]["options"] == [{"name": "name", "type": 3, "value": "fa", "focused": True}]
    assert (await answer(raw, asked, 4, content="no"))[1]["code"] == 50035
    many = [{"name": str(n), "value": str(n)} for n in range(26)]
    assert (await answer(raw, asked, 8, choices=many))[1]["code"] == 50035
    await answer(raw, asked, 8, choices=many[:2])
    assert [one["name"] for one in (await peer.interaction(number))["choices"]] == ["0", "1"]


async def test_a_person_can_only_send_what_the_menu_offers(peer: Peer, raw: Raw) -> None:
    socket = await begin(peer, raw)
    for name, options in (
        ("nothing", {}),
        ("model", {}),
        ("model", {"name": 3}),
        ("model", {"name": "a", "x": 1}),
    ):
        with pytest.raises(RuntimeError):
            await peer.command(name, options)
    await peer.command("memory clear", channel=peer.bot.dm)
    asked = await socket.until("INTERACTION_CREATE")
    assert asked["data"]["options"] == [{"name": "clear", "type": 1}]
    assert (asked["user"]["id"], asked["context"], "member" in asked) == (peer.person, 1, False)


async def test_webhook_routes_have_buckets_of_their_own_and_need_no_token(peer: Peer, raw: Raw) -> None:
    socket = await begin(peer, raw)
    await peer.limits(buckets={"edit_message": [1, 60.0]})
    await peer.command("model", {"name": "fast"})
    asked = await socket.until("INTERACTION_CREATE")
    await answer(raw, asked, 4, content="0")
    url = peer.api_url + hook(asked, "/messages/@original")
    told = []
    for number in range(6):
        async with raw.session.patch(url, json={"content": str(number)}) as response:
            told.append((response.status, response.headers["X-RateLimit-Remaining"]))
    assert told == [(200, "4"), (200, "3"), (200, "2"), (200, "1"), (200, "0"), (429, "0")]
