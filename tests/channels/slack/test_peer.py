"""The fake Slack keeps Slack's documented rules: the Web API, past every library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from tests.channels.slack.peer.client import Peer, start_peer
from tests.channels.slack.peer.raw import Raw

DM = "D0000001"
PUBLIC = "C0000001"
PRIVATE = "G0000001"
PERSON = "U0PERSON01"


@pytest_asyncio.fixture
async def raw(peer: Peer) -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as session:
        for channel in (DM, PUBLIC, PRIVATE):
            await peer.control("set_channel", channel=channel, user=PERSON)
        await peer.control("limits", enabled=False)
        yield Raw(peer, session)


def button(**fields: Any) -> dict[str, Any]:
    label = {"type": "plain_text", "text": fields.pop("label", "Stop")}
    return {"type": "button", "action_id": "stop", "text": label, **fields}


def actions(**fields: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": [button(**fields)]}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


async def test_all_four_ways_to_pass_arguments_are_understood(peer: Peer, raw: Raw) -> None:
    blocks = [section("hi")]
    flat = {"channel": DM, "text": "hi", "blocks": orjson.dumps(blocks).decode()}
    url, headers = f"{peer.base_url}chat.postMessage", {"Authorization": f"Bearer {peer.bot_token}"}
    for how in (
        {"data": flat, "headers": headers},
        {"json": {"channel": DM, "text": "hi", "blocks": blocks}, "headers": headers},
        {"params": flat, "headers": headers},
        {"data": {**flat, "token": peer.bot_token}},
    ):
        async with raw.session.post(url, **how) as response:
            found = orjson.loads(await response.read())
        assert found["ok"] and found["message"]["blocks"][0]["text"] == blocks[0]["text"]
    calls = await peer.calls("chat.postMessage")
    assert len(calls) == 4 and "token" not in orjson.dumps(calls[3]["args"]).decode()


async def test_tokens_are_told_apart(peer: Peer, raw: Raw) -> None:
    assert await raw.refused("auth.test", token="") == "not_authed"
    assert await raw.refused("auth.test", token="xoxb-nobody") == "invalid_auth"
    assert await raw.refused("auth.test", token=peer.app_token) == "not_allowed_token_type"
    assert await raw.refused("apps.connections.open") == "not_allowed_token_type"
    assert await raw.refused("no.such") == "unknown_method"
    first, second = await raw.result("auth.test"), peer.other(1)
    other = await raw.result("auth.test", token=second.bot_token)
    assert first["team_id"] == peer.team and other["team_id"] == second.team != peer.team
    assert other["user_id"] == second.bot_user and other["bot_id"] == second.bot_id


@pytest.mark.parametrize("trouble", ["token_revoked", "account_inactive", "invalid_auth"])
async def test_a_revoked_token_is_refused_by_its_reason(peer: Peer, raw: Raw, trouble: str) -> None:
    await peer.control("revoke", trouble=trouble)
    assert await raw.refused("auth.test") == trouble
    await raw.result("apps.connections.open", token=peer.app_token)
    await peer.control("revoke", trouble=trouble, which="app")
    assert await raw.refused("apps.connections.open", token=peer.app_token) == trouble
    assert (await peer.calls("auth.test"))[-1]["error"] == trouble


async def test_scopes_are_told_in_a_header_and_asked_for_by_method(peer: Peer, raw: Raw) -> None:
    await peer.settings(scopes=["chat:write", "im:history"])
    headers = {"Authorization": f"Bearer {peer.bot_token}"}
    async with raw.session.post(f"{peer.base_url}auth.test", headers=headers) as response:
        assert response.headers["x-oauth-scopes"] == "chat:write,im:history"
    await raw.result("conversations.history", channel=DM)
    _, body = await raw("conversations.history", channel=PUBLIC)
    assert body["error"] == "missing_scope"
    assert body["needed"] == "channels:history" and body["provided"] == "chat:write,im:history"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({}, "no_text"),
        ({"text": "  "}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"markdown_text": "x", "text": "y"}, "markdown_text_conflict"),
        ({"markdown_text": "x", "blocks": [section("y")]}, "markdown_text_conflict"),
        ({"text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
        ({"text": "x", "blocks": "[{"}, "invalid_blocks_format"),
        ({"blocks": [section("x")] * 51}, "invalid_blocks"),
        ({"blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"blocks": [{"type": "nonsense"}]}, "invalid_blocks"),
        ({"blocks": [actions(action_id="a" * 256)]}, "invalid_blocks"),
        ({"blocks": [actions(label="a" * 76)]}, "invalid_blocks"),
        ({"blocks": [actions(value="a" * 2001)]}, "invalid_blocks"),
        ({"blocks": [actions(style="loud")]}, "invalid_blocks"),
        ({"blocks": [{"type": "actions", "elements": []}]}, "invalid_blocks"),
        ({"blocks": [{"type": "actions", "elements": [button(), button()]}]}, "invalid_blocks"),
        ({"blocks": [{"type": "markdown", "text": "x" * 6001}] * 2}, "msg_blocks_too_long"),
        ({"text": "x", "metadata": {"event_type": "turn"}}, "invalid_metadata_schema"),
    ],
)
async def test_a_message_that_breaks_a_rule_is_refused_by_its_name(
    raw: Raw, args: dict[str, Any], error: str
) -> None:
    assert await raw.refused("chat.postMessage", channel=DM, **args) == error


@pytest.mark.parametrize(
    "args",
    [
        {"text": "x" * 40_000},
        {"markdown_text": "x" * 12_000},
        {"blocks": [section("x" * 3000)] * 50},
        {"blocks": [actions(action_id="a" * 255, label="b" * 75, value="c" * 2000, style="danger")]},
        {"blocks": [{"type": "markdown", "text": "x" * 12_000}, actions()], "text": "short"},
        {"text": "x", "metadata": {"event_type": "turn", "event_payload": {"key": "1"}}},
    ],
)
async def test_a_message_at_the_limits_is_taken(raw: Raw, args: dict[str, Any]) -> None:
    assert (await raw.result("chat.postMessage", channel=DM, **args))["ts"]


async def test_invalid_blocks_say_where(raw: Raw) -> None:
    _, body = await raw("chat.postMessage", channel=DM, blocks=[section("x" * 3001)])
    assert body["errors"] == ["must be less than 3001 characters [json-pointer:/blocks/0/text/text]"]


async def test_a_channel_is_closed_in_slacks_own_words(peer: Peer, raw: Raw) -> None:
    post = {"text": "x"}
    assert await raw.refused("chat.postMessage", channel="C9", **post) == "channel_not_found"
    ts = (await raw.result("chat.postMessage", channel=PUBLIC, **post))["ts"]
    await peer.control("kick", channel=PUBLIC)
    await peer.control("kick", channel=PRIVATE)
    assert await raw.refused("chat.postMessage", channel=PUBLIC, **post) == "not_in_channel"
    assert await raw.refused("chat.postMessage", channel=PRIVATE, **post) == "channel_not_found"
    assert await raw.refused("conversations.history", channel=PUBLIC) == "not_in_channel"
    await peer.control("invite", channel=PUBLIC)
    await peer.control("archive", channel=PUBLIC)
    assert await raw.refused("chat.postMessage", channel=PUBLIC, **post) == "is_archived"
    assert await raw.refused("chat.update", channel=PUBLIC, ts=ts, **post) == "is_inactive"
    await peer.control("archive", channel=PUBLIC, off=True)
    await raw.result("chat.update", channel=PUBLIC, ts=ts, **post)


async def test_edits_follow_the_rules(peer: Peer, raw: Raw) -> None:
    own = (await raw.result("chat.postMessage", channel=DM, text="one"))["ts"]
    other = (await peer.say(DM, "not yours"))["ts"]

    async def refused(**args: Any) -> str:
        return await raw.refused("chat.update", channel=DM, **args)

    assert await refused(ts="1.000001", text="x") == "message_not_found"
    assert await refused(ts=other, text="x") == "cant_update_message"
    assert await refused(ts=own, text="") == "no_text"
    assert await refused(ts=own, text="x" * 4001) == "msg_too_long"
    assert await raw.refused("chat.delete", channel=DM, ts=other) == "cant_delete_message"
    await raw.result("chat.update", channel=DM, ts=own, text="two")
    [seen] = await peer.messages(DM)
    assert [text for _, text in seen["history"]] == ["one", "two"] and seen["edited"]
    await peer.settings(edit_window=60)
    await peer.advance(61)
    assert await refused(ts=own, text="three") == "edit_window_closed"
    await raw.result("chat.delete", channel=DM, ts=own)
    assert await peer.messages(DM) == [] and len((await peer.channel(DM))["deleted"]) == 1


async def test_an_edit_without_blocks_keeps_the_old_ones(peer: Peer, raw: Raw) -> None:
    ts = (await raw.result("chat.postMessage", channel=DM, text="t", blocks=[section("said"), actions()]))[
        "ts"
    ]
    await raw.result("chat.update", channel=DM, ts=ts, text="only the fallback")
    [seen] = await peer.messages(DM)
    assert seen["shown"] == "said" and [one["action_id"] for one in seen["buttons"]] == ["stop"]
    await raw.result("chat.update", channel=DM, ts=ts, text="now the text", blocks=[])
    [seen] = await peer.messages(DM)
    assert seen["shown"] == "now the text" and seen["buttons"] == []
    await raw.result("chat.update", channel=DM, ts=ts, markdown_text="**bold**")
    [seen] = await peer.messages(DM)
    assert seen["shown"] == "**bold**" and seen["text"] == "*bold*"


async def test_metadata_stays_through_edits_and_is_read_back_on_request(raw: Raw) -> None:
    mark = {"event_type": "turn", "event_payload": {"key": "k1"}}
    ts = (await raw.result("chat.postMessage", channel=DM, text="x", metadata=mark))["ts"]
    await raw.result("chat.update", channel=DM, ts=ts, text="y")
    [plain] = (await raw.result("conversations.history", channel=DM))["messages"]
    [full] = (await raw.result("conversations.history", channel=DM, include_all_metadata=True))["messages"]
    assert "metadata" not in plain and full["metadata"] == mark
    await raw.result("chat.update", channel=DM, ts=ts, text="z", metadata={})
    [full] = (await raw.result("conversations.history", channel=DM, include_all_metadata=True))["messages"]
    assert "metadata" not in full


async def test_history_pages_newest_first_and_leaves_replies_to_replies(peer: Peer, raw: Raw) -> None:
    said = [(await peer.say(PUBLIC, str(number)))["ts"] for number in range(5)]
    answers = [(await peer.say(PUBLIC, f"re {number}", thread=said[1]))["ts"] for number in range(3)]

    async def page(method: str, **args: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {peer.bot_token}"}
        url = f"{peer.base_url}{method}"
        async with raw.session.get(url, params={"channel": PUBLIC, **args}, headers=headers) as response:
            return dict(orjson.loads(await response.read()))

    first = await page("conversations.history", limit="3")
    cursor = first["response_metadata"]["next_cursor"]
    second = await page("conversations.history", limit="3", cursor=cursor)
    assert [m["text"] for m in first["messages"]] == ["4", "3", "2"] and first["has_more"]
    assert [m["text"] for m in second["messages"]] == ["1", "0"] and not second["has_more"]
    assert second["messages"][0]["reply_count"] == 3
    later = await page("conversations.history", oldest=said[2])
    assert [m["text"] for m in later["messages"]] == ["4", "3"]
    later = await page("conversations.history", oldest=said[2], inclusive="1")
    assert [m["text"] for m in later["messages"]] == ["4", "3", "2"]
    thread = await page("conversations.replies", ts=said[1], oldest=answers[0])
    assert [m["text"] for m in thread["messages"]] == ["1", "re 1", "re 2"]
    assert await page("conversations.replies", ts="1.000001") == {"ok": False, "error": "thread_not_found"}
    assert (await page("conversations.history", oldest="soon"))["error"] == "invalid_ts_oldest"
    await peer.control("limits", enabled=True, non_marketplace=True)
    assert len((await page("conversations.history", limit="100"))["messages"]) == 5
    assert (await page("conversations.history"))["error"] == "ratelimited"


async def test_a_file_is_given_to_the_bearer_only(peer: Peer, raw: Raw) -> None:
    said = await peer.attach(DM, "notes.txt", "text/plain", b"some notes", text="read this")
    [message] = await peer.messages(DM, from_bot=False)
    assert message["subtype"] == "file_share" and message["ts"] == said["ts"]
    [file] = message["files"]
    assert (await raw.result("files.info", file=file["id"]))["file"]["size"] == 10
    headers = {"Authorization": f"Bearer {peer.bot_token}"}
    async with raw.session.get(file["url_private"], headers=headers) as response:
        assert await response.read() == b"some notes"
    async with raw.session.get(file["url_private"]) as response:
        assert response.content_type == "text/html" and "Sign in" in await response.text()
    async with raw.session.get(file["url_private"], allow_redirects=False) as response:
        assert response.status == 302
    assert await raw.refused("files.info", file="F9") == "file_not_found"


async def test_people_bots_and_channels_are_described(peer: Peer, raw: Raw) -> None:
    await peer.control("person", user="U1", name="ada")
    assert (await raw.result("users.info", user="U1"))["user"]["profile"]["display_name"] == "ada"
    assert await raw.refused("users.info", user="U9") == "user_not_found"
    assert (await raw.result("bots.info"))["bot"]["id"] == peer.bot_id
    opened = (await raw.result("conversations.open", users="U1"))["channel"]["id"]
    assert (await raw.result("conversations.info", channel=opened))["channel"]["user"] == "U1"
    assert (await raw.result("chat.postMessage", channel="U1", text="psst"))["channel"] == opened
    listed = await raw.result("conversations.list", types="public_channel,private_channel")
    assert [channel["id"] for channel in listed["channels"]] == [PUBLIC, PRIVATE]


async def test_reactions_are_put_on_once(peer: Peer, raw: Raw) -> None:
    ts = (await peer.say(DM, "x"))["ts"]
    args = {"channel": DM, "timestamp": ts, "name": "eyes"}
    await raw.result("reactions.add", **args)
    assert await raw.refused("reactions.add", **args) == "already_reacted"
    assert await raw.refused("reactions.add", channel=DM, timestamp=ts, name="Not One") == "invalid_name"
    await raw.result("reactions.remove", **args)
    assert await raw.refused("reactions.remove", **args) == "no_reaction"


async def test_an_ephemeral_message_is_one_persons(peer: Peer, raw: Raw) -> None:
    args = {"channel": PUBLIC, "text": "only you"}
    assert await raw.refused("chat.postEphemeral", user="U9", **args) == "user_not_in_channel"
    ts = (await raw.result("chat.postEphemeral", user=PERSON, **args))["message_ts"]
    assert (await raw.result("conversations.history", channel=PUBLIC))["messages"] == []
    assert await raw.refused("chat.update", channel=PUBLIC, ts=ts, text="x") == "message_not_found"
    assert [message["to"] for message in await peer.messages(PUBLIC)] == [PERSON]


async def test_what_a_bot_writes_is_echoed_escaped_and_its_pings_are_noted(peer: Peer, raw: Raw) -> None:
    body = await raw.result("chat.postMessage", channel=DM, text="a < b & <https://x.y|z> &lt;!here&gt;")
    assert body["message"]["text"] == "a &lt; b &amp; <https://x.y|z> &lt;!here&gt;"
    assert await peer.pings() == []
    await raw.result("chat.postMessage", channel=DM, markdown_text="`<!channel>` is code")
    assert await peer.pings() == []
    await raw.result("chat.postMessage", channel=DM, text="<!channel> and <@U0PERSON01|you>")
    await raw.result("chat.postMessage", channel=DM, markdown_text="<!here>")
    await raw.result("chat.postMessage", channel=DM, text="x", blocks=[section("<!everyone>")])
    await raw.result("chat.postMessage", channel=DM, text="@channel", link_names=True)
    assert await peer.pings() == ["channel", PERSON, "here", "everyone", "channel"]


async def test_a_status_line_goes_with_the_answer_or_after_two_minutes(peer: Peer, raw: Raw) -> None:
    said = (await peer.say(DM, "hello"))["ts"]
    where = {"channel_id": DM, "thread_ts": said}
    await raw.result("assistant.threads.setStatus", status="is thinking...", **where)
    assert (await peer.channel(DM))["statuses"] == {said: "is thinking..."}
    await raw.result("chat.postMessage", channel=DM, thread_ts=said, text="here")
    assert (await peer.channel(DM))["statuses"] == {}
    await raw.result("assistant.threads.setStatus", status="is thinking...", **where)
    await peer.advance(121)
    assert (await peer.channel(DM))["statuses"] == {}
    wrong = {"channel_id": DM, "thread_ts": "1.000001", "status": "x"}
    assert await raw.refused("assistant.threads.setStatus", **wrong) == "invalid_thread_ts"
    await raw.result("assistant.threads.setTitle", title="About tea", **where)
    prompts = [{"title": "More", "message": "Tell me more"}]
    await raw.result("assistant.threads.setSuggestedPrompts", prompts=prompts, **where)
    seen = await peer.channel(DM)
    assert seen["titles"] == {said: "About tea"} and seen["prompts"] == {said: prompts}


async def test_the_head_of_a_thread_leaves_a_tombstone(peer: Peer, raw: Raw) -> None:
    said = (await peer.say(PUBLIC, "question"))["ts"]
    await raw.result("chat.postMessage", channel=PUBLIC, thread_ts=said, text="answer")
    await peer.delete(PUBLIC, said)
    [stone] = (await raw.result("conversations.history", channel=PUBLIC))["messages"]
    assert stone["subtype"] == "tombstone" and stone["ts"] == said
    await raw.result("chat.postMessage", channel=PUBLIC, thread_ts=said, text="still here")


async def test_a_home_is_published_for_a_person(peer: Peer, raw: Raw) -> None:
    view = {"type": "home", "blocks": [section("hello")]}
    await raw.result("views.publish", user_id=PERSON, view=view)
    assert (await peer.state())["homes"] == {PERSON: view}
    assert await raw.refused("views.publish", user_id=PERSON, view={"type": "modal"}) == "invalid_arguments"


async def test_faults_are_met_as_often_as_ordered_and_where(peer: Peer, raw: Raw) -> None:
    post = {"channel": DM, "text": "x"}
    await peer.fault("chat.postMessage", times=2, channel=DM, error="fatal_error")
    await raw.result("chat.postMessage", channel=PUBLIC, text="x")
    assert [await raw.refused("chat.postMessage", **post) for _ in range(2)] == ["fatal_error"] * 2
    await peer.fault("chat.postMessage", retry_after=7)
    assert await raw.refused("chat.postMessage", **post) == "ratelimited"
    assert (await peer.calls("chat.postMessage"))[-1]["retry_after"] == 7
    await peer.fault("chat.postMessage", html=True)
    with pytest.raises(orjson.JSONDecodeError):
        await raw("chat.postMessage", **post)
    await peer.fault("chat.postMessage", lose="after")
    with pytest.raises(aiohttp.ClientError):
        await raw("chat.postMessage", channel=DM, text="it arrived")
    await peer.fault("chat.postMessage", lose="before")
    with pytest.raises(aiohttp.ClientError):
        await raw("chat.postMessage", channel=DM, text="it did not")
    assert await peer.texts(DM) == ["it arrived"]


async def test_a_wait_that_fails_tells_what_it_saw(peer: Peer, raw: Raw) -> None:
    await raw.result("chat.postMessage", channel=DM, text="something else")
    with pytest.raises(TimeoutError, match="something else"):
        await peer.wait(timeout=0.05, channel=DM, contains="never said")
    with pytest.raises(RuntimeError, match="no_such_verb"):
        await peer.control("nonsense")
    with pytest.raises(RuntimeError, match="bad_order"):
        await peer.control("edit", ts="1.000001")


async def test_flags_lift_the_limits_and_keep_the_record_small() -> None:
    async with start_peer("--no-limits", "--lean") as peer, aiohttp.ClientSession() as session:
        raw = Raw(peer, session)
        await peer.say(DM, "hello")
        results = [await raw("chat.postMessage", channel=DM, text=str(number)) for number in range(40)]
        assert {status for status, _ in results} == {200}
        assert (await peer.calls("chat.postMessage"))[0]["args"] is None
        assert peer.control_now("state")["counts"]["chat.postMessage"] == 40
