"""The fake Slack's Socket Mode: hello, envelopes, acknowledgements, redelivery, and connections that die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.channels.slack.peer.client import Peer
from tests.channels.slack.peer.raw import Raw

DM = "D0000001"
PUBLIC = "C0000001"
PERSON = "U0PERSON01"
QUICK = {"ack": 0.1, "retries": [0, 0.05, 0.05]}


@pytest_asyncio.fixture
async def raw(peer: Peer) -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as session:
        yield Raw(peer, session)


async def ack(ws: aiohttp.ClientWebSocketResponse, frame: dict[str, Any], **payload: Any) -> None:
    await ws.send_json({"envelope_id": frame["envelope_id"], **({"payload": payload} if payload else {})})


async def test_an_event_is_wrapped_and_done_when_it_is_acknowledged(peer: Peer, raw: Raw) -> None:
    async with raw.socket() as ws:
        said = await peer.say(DM, "1 < 2")
        frame = await ws.receive_json()
        assert frame["type"] == "events_api" and frame["accepts_response_payload"] is False
        body = frame["payload"]
        assert body["type"] == "event_callback" and body["event_id"] == said["event_ids"][0]
        assert body["team_id"] == peer.team and body["api_app_id"] == peer.app_id
        assert body["authorizations"][0]["user_id"] == peer.bot_user
        event = body["event"]
        assert (event["type"], event["channel_type"], event["ts"]) == ("message", "im", said["ts"])
        assert event["text"] == "1 &lt; 2" and event["user"] == PERSON
        await ack(ws, frame)
        [delivery] = await peer.wait(acked=1)
        assert [attempt["number"] for attempt in delivery["attempts"]] == [0]


async def test_an_event_that_is_not_acknowledged_comes_three_times_more(peer: Peer, raw: Raw) -> None:
    await peer.settings(**QUICK)
    async with raw.socket() as ws:
        await peer.say(DM, "hello")
        frames = [await ws.receive_json() for _ in range(4)]
        assert [frame["retry_attempt"] for frame in frames] == [0, 1, 2, 3]
        assert [frame["retry_reason"] for frame in frames] == ["", "timeout", "timeout", "timeout"]
        assert len({frame["payload"]["event_id"] for frame in frames}) == 1
        assert len({frame["envelope_id"] for frame in frames}) == 4
        [delivery] = await peer.wait(acked=1, outcome="unacked")
        assert len(delivery["attempts"]) == 4


async def test_a_late_acknowledgement_ends_nothing_but_the_next_one_does(peer: Peer, raw: Raw) -> None:
    await peer.settings(**QUICK)
    async with raw.socket() as ws:
        await peer.say(DM, "hello")
        first, second = await ws.receive_json(), await ws.receive_json()
        await ack(ws, first)
        await ack(ws, second)
        [delivery] = await peer.wait(acked=1)
        assert len(delivery["attempts"]) == 2


async def test_one_mention_is_told_twice_in_a_channel_and_once_in_a_direct_message(
    peer: Peer, raw: Raw
) -> None:
    async with raw.socket() as ws:
        said = await peer.mention(PUBLIC, "hello")
        events = [(await ws.receive_json())["payload"] for _ in range(2)]
        assert [body["event"]["type"] for body in events] == ["message", "app_mention"]
        assert [body["event_id"] for body in events] == said["event_ids"]
        assert {body["event"]["ts"] for body in events} == {said["ts"]}
        assert "channel_type" not in events[1]["event"]
        await peer.mention(DM, "hello")
        await peer.say(DM, "the next")
        told = [(await ws.receive_json())["payload"]["event"] for _ in range(2)]
        assert [event["type"] for event in told] == ["message", "message"]


async def test_every_kind_of_event_arrives_in_its_documented_shape(peer: Peer, raw: Raw) -> None:
    async with raw.socket() as ws:

        async def told(verb: str, **body: Any) -> dict[str, Any]:
            await peer.control(verb, **body)
            return dict((await ws.receive_json())["payload"]["event"])

        one = {"channel": PUBLIC, "text": "one"}
        said = await told("say", items=[one])
        where = {"channel": PUBLIC, "ts": said["ts"]}
        changed = await told("edit", **where, text="two")
        assert changed["subtype"] == "message_changed" and changed["message"]["text"] == "two"
        assert changed["previous_message"]["text"] == "one" and "user" not in changed
        reply = await told("say", items=[{**one, "thread": said["ts"]}])
        assert reply["thread_ts"] == said["ts"] and reply["parent_user_id"] == PERSON
        bot = await told("say", items=[{**one, "bot": {"bot_id": "B9", "username": "ci"}}])
        assert bot["subtype"] == "bot_message" and bot["bot_id"] == "B9"
        added = await told("react", **where, name="eyes")
        assert added["type"] == "reaction_added" and added["item"]["ts"] == said["ts"]
        assert (await told("react", **where, name="eyes", off=True))["type"] == "reaction_removed"
        stone = await told("delete", **where)
        assert stone["subtype"] == "message_changed" and stone["message"]["subtype"] == "tombstone"
        gone = await told("delete", channel=PUBLIC, ts=reply["ts"])
        assert gone["subtype"] == "message_deleted" and gone["deleted_ts"] == reply["ts"]
        thread = await told("assistant")
        assert thread["type"] == "assistant_thread_started"
        assert thread["assistant_thread"]["user_id"] == PERSON
        home = await told("home")
        assert (home["type"], home["channel"]) == (
            "app_home_opened",
            thread["assistant_thread"]["channel_id"],
        )
        preview = await told("unfurl", channel=PUBLIC, ts=bot["ts"])
        assert preview["subtype"] == "message_changed" and "edited" not in preview["message"]
        assert preview["message"]["text"] == preview["previous_message"]["text"]
        assert (await told("invite", channel=PUBLIC))["user"] == peer.bot_user
        joined = (await ws.receive_json())["payload"]["event"]
        assert joined["subtype"] == "channel_join" and f"<@{peer.bot_user}>" in joined["text"]
        assert (await told("archive", channel=PUBLIC))["type"] == "channel_archive"
        kicked = [await told("kick", channel=PUBLIC), (await ws.receive_json())["payload"]["event"]]
        assert [event["type"] for event in kicked] == ["channel_left", "member_left_channel"]
        assert (await told("revoke", event="tokens_revoked"))["tokens"]["bot"] == [peer.bot_user]
        assert (await told("revoke", event="app_uninstalled"))["type"] == "app_uninstalled"


async def test_the_app_hears_its_own_messages_and_only_those_of_its_channels(peer: Peer, raw: Raw) -> None:
    async with raw.socket() as ws:
        await peer.control("set_channel", channel=DM, user=PERSON)
        sent = await raw.result("chat.postMessage", channel=DM, text="mine")
        own = (await ws.receive_json())["payload"]["event"]
        assert own["bot_id"] == peer.bot_id and own["user"] == peer.bot_user and "subtype" not in own
        await raw.result("chat.update", channel=DM, ts=sent["ts"], text="still mine")
        assert (await ws.receive_json())["payload"]["event"]["subtype"] == "message_changed"
        await peer.control("set_channel", channel=PUBLIC, is_member=False)
        assert (await peer.say(PUBLIC, "not for you"))["event_ids"] == []
        await peer.settings(events=["message.im"])
        assert (await peer.mention("C0000002", "not subscribed"))["event_ids"] == []
        assert len((await peer.say(DM, "subscribed"))["event_ids"]) == 1


async def test_events_are_spread_over_the_open_connections(peer: Peer, raw: Raw) -> None:
    async with raw.socket() as one, raw.socket() as two:
        await peer.wait(sockets=2)
        await peer.say_all([{"channel": DM, "text": str(number)} for number in range(6)])
        got = [(await ws.receive_json())["payload"]["event"]["text"] for ws in (one, two) for _ in range(3)]
        assert sorted(got) == list("012345")


async def test_an_eleventh_connection_is_sent_away(peer: Peer, raw: Raw) -> None:
    opened = [await raw.result("apps.connections.open", token=peer.app_token) for _ in range(11)]
    sockets = [await raw.session.ws_connect(found["url"]) for found in opened]
    firsts = [await ws.receive_json() for ws in sockets]
    assert [frame["type"] for frame in firsts] == ["hello"] * 10 + ["disconnect"]
    assert firsts[9]["num_connections"] == 10 and firsts[10]["reason"] == "too_many_websockets"
    for ws in sockets:
        await ws.close()
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await raw.session.ws_connect(opened[0]["url"])


async def test_an_event_waits_for_a_connection_only_briefly(peer: Peer, raw: Raw) -> None:
    await peer.settings(offline=0.05)
    await peer.say(DM, "lost")
    [lost] = await peer.wait(acked=1, outcome="lost")
    assert lost["payload"]["event"]["text"] == "lost"
    await peer.settings(offline=5)
    await peer.say(DM, "kept")
    async with raw.socket() as ws:
        assert (await ws.receive_json())["payload"]["event"]["text"] == "kept"


async def test_what_a_cut_connection_had_not_acknowledged_comes_over_the_next(peer: Peer, raw: Raw) -> None:
    async with raw.socket() as ws:
        await peer.say(DM, "hello")
        first = await ws.receive_json()
        await peer.drop_sockets()
        assert (await ws.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    async with raw.socket() as ws:
        again = await ws.receive_json()
        assert again["payload"] == first["payload"] and again["retry_attempt"] == 1
        assert again["retry_reason"] == "socket_closed"
        await ack(ws, again)
        await peer.wait(acked=1)


@pytest.mark.parametrize("mute", [False, True])
async def test_a_deaf_connection_lives_on_and_tells_nothing(peer: Peer, raw: Raw, mute: bool) -> None:
    await peer.settings(**QUICK, ping=0.02)
    async with raw.socket(autoping=False) as ws:
        await peer.control("deafen", mute=mute)
        await peer.say(DM, "unheard")
        await peer.wait(acked=1, outcome="unacked")
        await ws.ping(b"there?")
        await peer.control("deafen", off=True)
        await peer.say(DM, "heard")
        kinds, frame = set(), await ws.receive()
        while frame.type is not aiohttp.WSMsgType.TEXT:
            kinds.add(frame.type)
            frame = await ws.receive()
        assert (aiohttp.WSMsgType.PONG in kinds) is not mute
        assert orjson.loads(frame.data)["payload"]["event"]["text"] == "heard"


async def test_a_goodbye_leaves_time_and_sends_nothing_new_over_the_old_connection(
    peer: Peer, raw: Raw
) -> None:
    async with raw.socket() as old:
        await peer.control("disconnect", reason="refresh_requested", close_after=0.2)
        frame = await old.receive_json()
        assert (frame["type"], frame["reason"]) == ("disconnect", "refresh_requested")
        async with raw.socket() as new:
            await peer.say_all([{"channel": DM, "text": str(number)} for number in range(4)])
            got = [(await new.receive_json())["payload"]["event"]["text"] for _ in range(4)]
            assert got == ["0", "1", "2", "3"]
            assert (await old.receive()).type is not aiohttp.WSMsgType.TEXT


async def test_an_event_can_be_late(peer: Peer, raw: Raw) -> None:
    async with raw.socket() as ws:
        await peer.settings(delay=0.1)
        await peer.say(DM, "first said")
        await peer.settings(delay=0)
        await peer.say(DM, "then said")
        got = [(await ws.receive_json())["payload"]["event"]["text"] for _ in range(2)]
        assert got == ["then said", "first said"]


async def test_the_same_event_can_arrive_twice(peer: Peer, raw: Raw) -> None:
    async with raw.socket() as ws:
        await peer.say(DM, "hello", copies=2)
        ids = [(await ws.receive_json())["payload"]["event_id"] for _ in range(2)]
        assert ids[0] == ids[1]


async def test_frames_may_be_nonsense_in_both_directions(peer: Peer, raw: Raw) -> None:
    async with raw.socket() as ws:
        await peer.control("frame", text="{not json")
        assert await ws.receive_str() == "{not json"
        await ws.send_str("nor this")
        await peer.say(DM, "hello")
        await ack(ws, await ws.receive_json())
        await peer.wait(acked=1)
        assert (await peer.state())["strange_frames"] == ["nor this"]


async def test_a_press_carries_its_message_and_a_way_to_answer(peer: Peer, raw: Raw) -> None:
    stop = {
        "type": "button",
        "action_id": "stop",
        "value": "v",
        "text": {"type": "plain_text", "text": "Stop"},
    }
    await peer.control("set_channel", channel=DM, user=PERSON)
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": "said"}},
        {"type": "actions", "elements": [stop]},
    ]
    await peer.settings(echo=False)
    ts = (await raw.result("chat.postMessage", channel=DM, text="x", blocks=blocks))["ts"]
    with pytest.raises(RuntimeError, match="no_such_button"):
        await peer.press(DM, ts, "other")
    async with raw.socket() as ws:
        pressed = await peer.press(DM, ts, "stop")
        frame = await ws.receive_json()
        assert frame["type"] == "interactive" and frame["accepts_response_payload"] is True
        body = frame["payload"]
        assert body["type"] == "block_actions" and body["actions"][0]["action_id"] == "stop"
        assert body["actions"][0]["value"] == "v" and body["message"]["ts"] == ts
        assert body["container"]["channel_id"] == DM and body["user"]["id"] == PERSON
        await ack(ws, frame)
        await peer.wait(acked=1, kind="interactive")
    url = pressed["response_url"]
    for number in range(5):
        answer = {"text": f"note {number}", "replace_original": number == 4}
        async with raw.session.post(url, json=answer) as response:
            assert response.status == 200
    async with raw.session.post(url, json={"text": "six"}) as response:
        assert response.status == 404 and (await response.json())["error"] == "used_url"
    seen = await peer.messages(DM)
    assert [message["shown"] for message in seen] == ["note 4", "note 0", "note 1", "note 2", "note 3"]
    assert [message["to"] for message in seen] == ["", *[PERSON] * 4]


async def test_a_command_is_answered_by_its_acknowledgement_and_for_half_an_hour(
    peer: Peer, raw: Raw
) -> None:
    async with raw.socket() as ws:
        typed = await peer.command(PUBLIC, "/firstword", "model fast")
        frame = await ws.receive_json()
        assert frame["type"] == "slash_commands" and frame["payload"]["text"] == "model fast"
        assert frame["payload"]["command"] == "/firstword" and frame["payload"]["user_id"] == PERSON
        await ack(ws, frame, text="on it")
        await peer.wait(channel=PUBLIC, equals="on it")
    async with raw.session.post(
        typed["response_url"], json={"text": "done", "response_type": "in_channel"}
    ) as response:
        assert response.status == 200
    assert [(m["shown"], m["to"]) for m in await peer.messages(PUBLIC)] == [("on it", PERSON), ("done", "")]
    await peer.advance(1801)
    async with raw.session.post(typed["response_url"], json={"text": "late"}) as response:
        assert (await response.json())["error"] == "expired_url"


async def test_an_unanswered_command_is_not_sent_again(peer: Peer, raw: Raw) -> None:
    await peer.settings(**QUICK)
    async with raw.socket() as ws:
        await peer.command(PUBLIC, "/firstword", "help")
        await ws.receive_json()
        [delivery] = await peer.wait(acked=1, outcome="unacked")
        assert len(delivery["attempts"]) == 1


async def test_two_workspaces_share_nothing(peer: Peer, raw: Raw) -> None:
    second = peer.other(1)
    async with raw.socket() as ours, Raw(second, raw.session).socket() as theirs:
        await second.say(DM, "there")
        await peer.say(DM, "here")
        assert (await ours.receive_json())["payload"]["event"]["text"] == "here"
        assert (await theirs.receive_json())["payload"]["team_id"] == second.team
    assert [m["shown"] for m in await peer.messages(DM, from_bot=False)] == ["here"]


@asynccontextmanager
async def bolt(peer: Peer, ping: float = 10) -> AsyncIterator[tuple[AsyncApp, AsyncSocketModeHandler]]:
    """The pinned Bolt, connected."""
    app = AsyncApp(client=AsyncWebClient(token=peer.bot_token, base_url=peer.base_url))
    handler = AsyncSocketModeHandler(app, peer.app_token, ping_interval=ping)
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]
        await peer.wait(sockets=1)
        yield app, handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


async def test_bolt_runs_its_whole_flow_over_a_socket(peer: Peer) -> None:
    async with bolt(peer) as (app, _):

        @app.event("message")
        async def answer(event: dict[str, Any], set_status: Any, say_stream: Any) -> None:
            await set_status("is thinking...")
            stream = await say_stream(buffer_size=1)
            await stream.append(markdown_text="You said ")
            await stream.stop(markdown_text=event["text"], blocks=[RETRY])

        @app.action("retry")
        async def retry(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
            await ack()
            ts = body["container"]["message_ts"]
            await client.chat_update(channel=body["channel"]["id"], ts=ts, markdown_text="Again")

        @app.command("/firstword")
        async def command(ack: Any, body: dict[str, Any]) -> None:
            await ack(f"heard {body['text']}")

        await peer.say(PUBLIC, "tea")
        seen = await peer.wait(channel=PUBLIC, equals="You said tea", state="completed")
        assert [status for _, _, status in seen["status_log"]] == ["is thinking..."]
        assert seen["statuses"] == {}
        await peer.press(PUBLIC, seen["messages"][-1]["ts"], "retry")
        await peer.wait(channel=PUBLIC, equals="Again", buttons=[])
        await peer.command(PUBLIC, "/firstword", "help")
        await peer.wait(channel=PUBLIC, equals="heard help")
        [start] = await peer.calls("chat.startStream")
        assert start["args"]["recipient_user_id"] == PERSON
        assert start["args"]["recipient_team_id"] == peer.team


async def test_bolt_comes_back_after_a_cut_a_goodbye_and_a_silence(peer: Peer) -> None:
    await peer.settings(ping=0.05, offline=10)
    async with bolt(peer, ping=0.1) as (app, _):
        heard: asyncio.Queue[str] = asyncio.Queue()

        @app.event("message")
        async def answer(event: dict[str, Any]) -> None:
            await heard.put(event["text"])

        await peer.drop_sockets()
        await peer.wait(sockets=1, opened=2)
        await peer.say(DM, "after the cut")
        assert await heard.get() == "after the cut"
        await peer.control("disconnect", reason="warning", close_after=5)
        await peer.wait(sockets=1, opened=3)
        await peer.say(DM, "after the goodbye")
        assert await heard.get() == "after the goodbye"
        await peer.control("deafen", mute=True)
        await peer.wait(sockets=1, opened=4)
        await peer.say(DM, "after the silence")
        assert await heard.get() == "after the silence"


RETRY = {
    "type": "actions",
    "elements": [{"type": "button", "action_id": "retry", "text": {"type": "plain_text", "text": "Retry"}}],
}
