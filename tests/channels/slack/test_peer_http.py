"""The fake Slack's HTTP delivery: signed requests, three seconds, retries; with the pinned Bolt behind them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from tests.channels.slack.peer.client import Peer
from tests.channels.slack.peer.deliveries import sign

DM = "D0000001"
PERSON = "U0PERSON01"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(peer: Peer, app: web.Application) -> AsyncIterator[None]:
    """An app behind the request URL."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        await peer.settings(
            http_url=f"http://127.0.0.1:{port}/slack/events", ack=0.3, retries=[0, 0.02, 0.02]
        )
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(peer: Peer, handler: Handler) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/slack/events", handler)
    async with listening(peer, app):
        yield


async def test_an_event_is_signed_over_its_raw_body(peer: Peer) -> None:
    got: list[tuple[bytes, dict[str, str]]] = []

    async def handler(request: web.Request) -> web.Response:
        got.append((await request.read(), dict(request.headers)))
        return web.Response()

    async with answering(peer, handler):
        said = await peer.say(DM, "grüße")
        await peer.wait(acked=1)
    [(body, headers)] = got
    assert orjson.loads(body)["event"]["ts"] == said["ts"] and "X-Slack-Retry-Num" not in headers
    assert SignatureVerifier(peer.signing_secret).is_valid_request(body, headers)
    assert not SignatureVerifier(peer.other(1).signing_secret).is_valid_request(body, headers)


async def test_an_event_that_fails_comes_three_times_more_and_says_why(peer: Peer) -> None:
    got: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        headers = request.headers
        got.append((headers.get("X-Slack-Retry-Num", ""), headers.get("X-Slack-Retry-Reason", "")))
        if len(got) == 1:
            await asyncio.sleep(1)
        return web.Response(status=500 if len(got) < 3 else 200)

    async with answering(peer, handler):
        await peer.say(DM, "hello")
        [delivery] = await peer.wait(acked=1)
    assert got == [("", ""), ("1", "http_timeout"), ("2", "http_error")]
    assert len(delivery["attempts"]) == 3
    await peer.settings(retries=[0])
    await peer.say(DM, "nobody listens")
    [delivery] = await peer.wait(acked=1, outcome="unacked")
    assert delivery["attempts"][1]["reason"] == "connection_failed"


async def test_an_app_may_ask_for_no_retry(peer: Peer) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    async with answering(peer, handler):
        await peer.say(DM, "hello")
        [delivery] = await peer.wait(acked=1, outcome="unacked")
        assert len(delivery["attempts"]) == 1


async def test_bolt_runs_its_whole_flow_over_http(peer: Peer) -> None:
    client = AsyncWebClient(token=peer.bot_token, base_url=peer.base_url)
    app = AsyncApp(client=client, signing_secret=peer.signing_secret)

    @app.event("message")
    async def answer(event: dict[str, Any], say: Any) -> None:
        button = {"type": "button", "action_id": "retry", "text": {"type": "plain_text", "text": "Retry"}}
        said = {"type": "section", "text": {"type": "mrkdwn", "text": f"You said {event['text']}"}}
        await say(text="an answer", blocks=[said, {"type": "actions", "elements": [button]}])

    @app.action("retry")
    async def retry(ack: Any, respond: Any) -> None:
        await ack()
        await respond("Again", replace_original=True)

    @app.command("/firstword")
    async def command(ack: Any, body: dict[str, Any]) -> None:
        await ack(f"heard {body['text']}")

    async with listening(peer, app.web_app("/slack/events")):
        verified = await peer.control("verify_url")
        assert verified == {"status": 200, "body": {"challenge": "a-challenge"}}
        await peer.say(DM, "tea")
        seen = await peer.wait(channel=DM, equals="You said tea", buttons=["retry"])
        await peer.press(DM, seen["messages"][-1]["ts"], "retry")
        await peer.wait(channel=DM, equals="Again", buttons=[])
        await peer.command(DM, "/firstword", "model fast & cheap")
        await peer.wait(channel=DM, equals="heard model fast & cheap")


async def test_bolt_refuses_a_forged_and_an_old_request(peer: Peer) -> None:
    client = AsyncWebClient(token=peer.bot_token, base_url=peer.base_url)
    app = AsyncApp(client=client, signing_secret=peer.other(1).signing_secret)
    async with listening(peer, app.web_app("/slack/events")):
        await peer.say(DM, "forged")
        [delivery] = await peer.wait(acked=1, outcome="unacked")
        assert {attempt["status"] for attempt in delivery["attempts"]} == {401}
    app = AsyncApp(client=client, signing_secret=peer.signing_secret)
    async with listening(peer, app.web_app("/slack/events")):
        await peer.advance(-600)
        await peer.say(DM, "old")
        delivery = (await peer.wait(acked=2, outcome="unacked"))[1]
        assert {attempt["status"] for attempt in delivery["attempts"]} == {401}


def test_the_signature_is_the_documented_one() -> None:
    headers = sign("a-secret", 1531420618, b"body=1")
    expected = hmac.new(b"a-secret", b"v0:1531420618:body=1", hashlib.sha256).hexdigest()
    assert headers == {"X-Slack-Request-Timestamp": "1531420618", "X-Slack-Signature": f"v0={expected}"}
