"""The fake REST server: what it takes, what it refuses, and in which words."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson
import pytest

from tests.channels.discord.peer.client import Peer
from tests.channels.discord.peer.raw import Raw


def button(custom_id: str = "stop", label: str = "Stop", **more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 2, "custom_id": custom_id, "label": label, **more}


def row(*inside: Any) -> dict[str, Any]:
    return {"type": 1, "components": list(inside)}


async def test_a_message_is_written_edited_read_and_deleted(peer: Peer, raw: Raw) -> None:
    path = f"/channels/{peer.channel}/messages"
    one = await raw.send("  first  ")
    assert (one["content"], one["edited_timestamp"], one["author"]["id"]) == ("first", None, peer.bot.id)
    changed = await raw.result(
        "PATCH", f"{path}/{one['id']}", {"content": "second", "components": [row(button())]}
    )
    assert changed["content"] == "second" and changed["edited_timestamp"]
    assert (await raw.result("GET", f"{path}/{one['id']}"))["components"][0]["components"][0][
        "label"
    ] == "Stop"
    [seen] = await peer.messages()
    assert (seen["edits"], [text for _, text in seen["history"]]) == (1, ["first", "second"])
    assert seen["buttons"] == [{"custom_id": "stop", "label": "Stop", "disabled": False}]
    await raw.result("PATCH", f"{path}/{one['id']}", {"components": []})
    [seen] = await peer.messages()
    assert (seen["content"], seen["buttons"]) == ("second", [])
    assert (await raw("DELETE", f"{path}/{one['id']}"))[0] == 204
    assert (await raw.refused("PATCH", f"{path}/{one['id']}", {"content": "x"}))[:2] == (404, 10008)
    assert (await raw.refused("DELETE", f"{path}/{one['id']}"))[:2] == (404, 10008)
    assert [one["content"] for one in (await peer.view())["deleted"]] == ["second"]


@pytest.mark.parametrize(
    ("body", "where", "code"),
    [
        ({"content": "x" * 2001}, "content", "BASE_TYPE_MAX_LENGTH"),
        ({"content": "x", "nonce": "n" * 26}, "nonce", "BASE_TYPE_MAX_LENGTH"),
        (
            {"content": "x", "embeds": [{"description": "d" * 4097}]},
            "embeds.0.description",
            "BASE_TYPE_MAX_LENGTH",
        ),
        ({"content": "x", "embeds": [{"title": "t"}] * 11}, "embeds", "BASE_TYPE_MAX_LENGTH"),
        (
            {"content": "x", "components": [row(button(str(n))) for n in range(6)]},
            "components",
            "BASE_TYPE_MAX_LENGTH",
        ),
        (
            {"content": "x", "components": [row(*(button(str(n)) for n in range(6)))]},
            "components.0.components",
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            {"content": "x", "components": [row(button("i" * 101))]},
            "components.0.components.0.custom_id",
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            {"content": "x", "components": [row(button(label="l" * 81))]},
            "components.0.components.0.label",
            "BASE_TYPE_MAX_LENGTH",
        ),
        (
            {"content": "x", "components": [row(button(), button())]},
            "components.0.components.1.custom_id",
            "COMPONENT_CUSTOM_ID_DUPLICATED",
        ),
        ({"content": "x", "components": [button()]}, "components.0.type", "BASE_TYPE_CHOICES"),
        (
            {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
            "allowed_mentions",
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
        ),
        (
            {"content": "x", "allowed_mentions": {"parse": ["all"]}},
            "allowed_mentions.parse.0",
            "BASE_TYPE_CHOICES",
        ),
        (
            {"content": "x", "message_reference": {"message_id": "1"}},
            "message_reference",
            "REPLIES_UNKNOWN_MESSAGE",
        ),
    ],
)
async def test_a_bad_field_is_named_by_its_path(raw: Raw, body: Any, where: str, code: str) -> None:
    path = f"/channels/{raw.peer.channel}/messages"
    status, number, found = await raw.refused("POST", path, body)
    assert (status, number, found["message"]) == (400, 50035, "Invalid Form Body")
    here = found["errors"]
    for step in where.split("."):
        here = here[step]
    assert [one["code"] for one in here["_errors"]] == [code]


async def test_the_length_counts_code_points_and_the_words_are_discords(raw: Raw) -> None:
    await raw.send("\U0001f469" * 2000)
    path = f"/channels/{raw.peer.channel}/messages"
    _, _, found = await raw.refused("POST", path, {"content": "\U0001f469" * 2001})
    [told] = found["errors"]["content"]["_errors"]
    assert told["message"] == "Must be 2000 or fewer in length."


async def test_refusals_carry_discords_numbers(peer: Peer, raw: Raw) -> None:
    await peer.limits(enabled=False)
    path = f"/channels/{peer.channel}/messages"
    theirs = await peer.say("theirs")
    other = await raw.result("POST", path, {"content": "other bot's"}, bot=peer.bots[1])
    assert (await raw.refused("POST", path, {"content": " \n "}))[:2] == (400, 50006)
    assert (await raw.refused("POST", path, {"components": [row(button())]}))[:2] == (400, 50006)
    assert (await raw.refused("POST", "/channels/1/messages", {"content": "x"}))[:2] == (404, 10003)
    assert (await raw.refused("PATCH", f"{path}/{theirs}", {"content": "x"}))[:2] == (403, 50005)
    assert (await raw.refused("PATCH", f"{path}/{other['id']}", {"content": "x"}))[:2] == (403, 50005)
    assert (await raw.refused("GET", "/nothing/here"))[:2] == (404, 0)
    assert (await raw.refused("POST", "/users/@me", {}))[0] == 405
    assert (await raw.refused("GET", "/users/@me", headers={"Authorization": "Bot wrong"}))[:2] == (401, 0)
    await peer.deny("SEND_MESSAGES")
    assert (await raw.refused("POST", path, {"content": "x"}))[:2] == (403, 50013)
    await peer.deny("VIEW_CHANNEL")
    assert (await raw.refused("POST", path, {"content": "x"}))[:2] == (403, 50001)
    await peer.deny()
    await peer.close_dm(peer.bot.dm)
    assert (await raw.refused("POST", f"/channels/{peer.bot.dm}/messages", {"content": "x"}))[:2] == (
        403,
        50007,
    )
    await peer.kick()
    assert (await raw.refused("POST", path, {"content": "x"}))[:2] == (403, 50001)
    assert (await raw.refused("GET", f"/guilds/{peer.guild}"))[:2] == (404, 10004)


async def test_a_body_that_is_no_json_or_says_otherwise_is_refused(peer: Peer, raw: Raw) -> None:
    path, json = f"/channels/{peer.channel}/messages", {"Content-Type": "application/json"}
    assert (await raw.refused("POST", path, data=b"{half", headers=json))[:2] == (400, 50109)
    text = {"Content-Type": "text/plain"}
    assert (await raw.refused("POST", path, data=b"{}", headers=text))[:2] == (400, 50035)
    _, _, headers = await raw("GET", "/users/@me")
    assert headers["Content-Type"] == "application/json"


async def test_a_nonce_makes_a_repeated_message_the_same_for_some_minutes(peer: Peer, raw: Raw) -> None:
    first = await raw.send("once", nonce="n1", enforce_nonce=True)
    again = await raw.send("once", nonce="n1", enforce_nonce=True)
    assert (again["id"], again["nonce"]) == (first["id"], "n1")
    assert await peer.texts() == ["once"]
    other = await raw.send("without", nonce="n1")
    assert other["id"] != first["id"]
    await peer.advance(600)
    assert (await raw.send("later", nonce="n1", enforce_nonce=True))["id"] != first["id"]


async def test_mentions_ping_only_as_allowed(peer: Peer, raw: Raw) -> None:
    role = await peer.add_role("helpers", mentionable=True)
    asked = await peer.say("question")
    text = f"@everyone <@{peer.person}> <@&{role}> `<@{peer.bot.id}>`"
    reply: dict[str, Any] = {"message_reference": {"message_id": asked}}
    await raw.send(text, **reply)
    await raw.send(text, allowed_mentions={"parse": []}, **reply)
    await raw.send(text, allowed_mentions={"parse": ["roles"], "users": [], "replied_user": True}, **reply)
    loud, none, some = [one["pings"] for one in await peer.messages()]
    assert loud == {"users": [peer.person], "roles": [role], "everyone": True}
    assert none == {"users": [], "roles": [], "everyone": False}
    assert some == {"users": [peer.person], "roles": [role], "everyone": False}
    shown = await raw.result("GET", f"/channels/{peer.channel}/messages?limit=2")
    assert [one["mention_everyone"] for one in shown] == [False, False]
    assert [len(one["mentions"]) for one in shown] == [1, 0]
    assert shown[0]["referenced_message"]["id"] == asked and shown[0]["type"] == 19


async def test_history_is_told_newest_first_in_pages(peer: Peer, raw: Raw) -> None:
    ids = await peer.say_all([{"content": str(number)} for number in range(250)])
    path = f"/channels/{peer.channel}/messages"

    async def page(query: str) -> list[int]:
        return [int(one["content"]) for one in await raw.result("GET", f"{path}?{query}")]

    assert await page("limit=3") == [249, 248, 247]
    assert len(await page("")) == 50
    assert await page(f"limit=100&after={ids[9]}") == list(range(109, 9, -1))
    assert await page(f"limit=2&before={ids[9]}") == [8, 7]
    assert await page(f"limit=3&around={ids[9]}") == [10, 9, 8]
    assert (await raw.refused("GET", f"{path}?limit=101"))[1] == 50035
    assert (await raw.refused("GET", f"{path}?after=soon"))[1] == 50035
    old = await peer.say("long ago", ago=3600.0, silent=True)
    assert int(old) < int(ids[0])
    assert await raw.result("GET", f"{path}?limit=1&after=0") == [await raw.result("GET", f"{path}/{old}")]
    await peer.deny("READ_MESSAGE_HISTORY")
    assert await page("limit=3") == []


async def test_an_hour_old_message_takes_few_edits(peer: Peer, raw: Raw) -> None:
    one = await raw.send("old")
    await peer.advance(3700)
    path = f"/channels/{peer.channel}/messages/{one['id']}"
    for number in range(3):
        await raw.result("PATCH", path, {"content": str(number)})
    assert (await raw.refused("PATCH", path, {"content": "too many"}))[:2] == (429, 30046)


async def test_files_come_and_go_through_the_cdn(peer: Peer, raw: Raw) -> None:
    await peer.attach("note.txt", "text/plain", b"hello", content="see")
    [said] = await raw.result("GET", f"/channels/{peer.channel}/messages")
    [file] = said["attachments"]
    assert (file["filename"], file["size"], file["content_type"]) == ("note.txt", 5, "text/plain")
    async with raw.session.get(file["url"]) as response:
        assert await response.read() == b"hello"
    await peer.advance(90_000)
    async with raw.session.get(file["url"]) as response:
        assert response.status == 404
    fresh = await raw.result("POST", "/attachments/refresh-urls", {"attachment_urls": [file["url"]]})
    async with raw.session.get(fresh["refreshed_urls"][0]["refreshed"]) as response:
        assert response.status == 200
    form = aiohttp.FormData(quote_fields=False)
    form.add_field(
        "payload_json", orjson.dumps({"content": "mine"}).decode(), content_type="application/json"
    )
    form.add_field("files[0]", b"data", filename="a.bin", content_type="application/octet-stream")
    sent = await raw.result("POST", f"/channels/{peer.channel}/messages", data=form)
    assert [one["filename"] for one in sent["attachments"]] == ["a.bin"]
    assert (await peer.calls("create_message"))[-1]["files"] == ["a.bin"]


async def test_reactions_typing_threads_and_dms(peer: Peer, raw: Raw) -> None:
    said = await peer.say("nice")
    path = f"/channels/{peer.channel}/messages/{said}"
    assert (await raw("PUT", f"{path}/reactions/%F0%9F%91%8D/@me"))[0] == 204
    await peer.react(said, "\U0001f44d")
    users = await raw.result("GET", f"{path}/reactions/%F0%9F%91%8D")
    assert [one["id"] for one in users] == [peer.bot.id, peer.person]
    assert (await raw.refused("PUT", f"{path}/reactions/word/@me"))[1] in {10014, 0}
    assert (await raw("POST", f"/channels/{peer.channel}/typing"))[0] == 204
    await peer.wait(channel=peer.channel, typing=1)
    opened = await raw.result("POST", f"{path}/threads", {"name": "aside"})
    assert (opened["id"], opened["parent_id"], opened["type"]) == (said, peer.channel, 11)
    await raw.send("in the thread", opened["id"])
    await peer.control("set_channel", channel=opened["id"], archived=True, locked=True)
    assert (await raw.refused("POST", f"/channels/{said}/messages", {"content": "x"}))[1] == 50083
    dm = await raw.result("POST", "/users/@me/channels", {"recipient_id": peer.person})
    assert (dm["id"], dm["type"], dm["recipients"][0]["id"]) == (peer.bot.dm, 1, peer.person)


async def test_commands_are_registered_once_and_new_ones_are_counted(peer: Peer, raw: Raw) -> None:
    await peer.settings(daily_creates=3)
    path = f"/applications/{peer.bot.id}/commands"
    menu: list[dict[str, Any]] = [
        {"name": name, "description": "d", "options": []} for name in ("model", "why")
    ]
    first = await raw.result("PUT", path, menu)
    again = await raw.result("PUT", path, menu)
    assert [one["id"] for one in first] == [one["id"] for one in again]
    assert (await peer.state())["bots"][0]["creates"] == 2
    renamed = [{**menu[0], "name": name} for name in ("x", "y")]
    status, code, found = await raw.refused("PUT", path, renamed)
    assert (status, code) == (429, 30034) and found["retry_after"] > 0
    assert [one["name"] for one in await raw.result("GET", path)] == ["model", "why"]
    here = f"/applications/{peer.bot.id}/guilds/{peer.guild}/commands"
    [own] = await raw.result("PUT", here, [menu[0]])
    assert own["guild_id"] == peer.guild


OPTION = {"type": 3, "name": "name", "description": "d"}


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ({"name": "Capital", "description": "d"}, "0.name"),
        ({"name": "two words", "description": "d"}, "0.name"),
        ({"name": "n" * 33, "description": "d"}, "0.name"),
        ({"name": "n", "description": ""}, "0.description"),
        ({"name": "n", "description": "d" * 101}, "0.description"),
        (
            {"name": "n", "description": "d", "options": [OPTION, {**OPTION, "name": "b", "required": True}]},
            "0.options.1.required",
        ),
        (
            {"name": "n", "description": "d", "options": [{**OPTION, "name": f"o{n}"} for n in range(26)]},
            "0.options",
        ),
        (
            {
                "name": "n",
                "description": "d",
                "options": [{**OPTION, "choices": [{"name": str(n), "value": str(n)} for n in range(26)]}],
            },
            "0.options.0.choices",
        ),
        (
            {
                "name": "n",
                "description": "d",
                "options": [{**OPTION, "autocomplete": True, "choices": [{"name": "a", "value": "a"}]}],
            },
            "0.options.0.autocomplete",
        ),
    ],
)
async def test_a_command_that_breaks_the_grammar_is_refused(raw: Raw, command: Any, where: str) -> None:
    path = f"/applications/{raw.peer.bot.id}/commands"
    _, code, found = await raw.refused("PUT", path, [command])
    here = found["errors"]
    for step in where.split("."):
        here = here[step]
    assert code == 50035 and here["_errors"]


async def test_the_record_of_calls_holds_no_token(peer: Peer, raw: Raw) -> None:
    await raw.send("hello", tts=False)
    await raw("POST", f"/webhooks/{peer.bot.id}/secret-interaction-token", {"content": "x"})
    calls = await peer.calls()
    assert [(one["name"], one["status"]) for one in calls] == [("create_message", 200), ("follow_up", 404)]
    assert calls[0]["body"] == {"content": "hello", "tts": False}
    assert calls[1]["since_previous"] > 0
    record = orjson.dumps(calls).decode()
    assert peer.token not in record and "secret-interaction-token" not in record
