"""Signed requests: what is not Slack's gets nowhere, what is kept is confirmed, the rest comes again."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from channels.events import Event, Message, Pressed, TypingStarted
from channels.slack.channel import SlackChannel
from channels.slack.timing import Timing
from channels.slack.webhook import MAX_BODY, Webhook, is_genuine
from tests.channels.slack.hosts import PERSON, QUICK, KeepingHost, address, settings
from tests.channels.slack.payloads import envelope, message
from tests.channels.slack.peer.client import Peer

DM = "D0PERSON01"
CHANNEL = "C0GENERAL1"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_531_420_618.0


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    return KeepingHost(tmp_path)


def sign(body: bytes, stamp: float = NOW, secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), b"v0:%d:%b" % (int(stamp), body), hashlib.sha256)
    return f"v0={digest.hexdigest()}"


@asynccontextmanager
async def listening(peer: Peer, host: KeepingHost, timing: Timing = QUICK) -> AsyncIterator[SlackChannel]:
    """An account in http mode behind a listener, to which the fake workspace posts."""
    channel = SlackChannel("main", settings(peer, mode="http", appToken=None), host, timing=timing)
    (route,) = channel.routes()
    assert (route.method, route.path, route.is_public) == ("POST", "/slack/main", True)
    app = web.Application(client_max_size=8 * MAX_BODY)
    app.router.add_route(route.method, route.path, route.handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await peer.settings(http_url=f"http://127.0.0.1:{runner.addresses[0][1]}/slack/main")
    task = asyncio.create_task(channel.run())
    try:
        await peer.wait(method="auth.test")
        yield channel
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()


def test_the_documented_example_is_genuine() -> None:
    """Slack docs, "Verifying requests from Slack" (2026-11): its secret, timestamp, body and signature."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
        b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert is_genuine(SECRET, "1531420618", signature, body, NOW)
    assert is_genuine(SECRET, "1531420618", signature, body, NOW + 300)
    assert not is_genuine(SECRET, "1531420618", signature, body, NOW + 301)
    assert not is_genuine(SECRET, "1531420618", signature, body, NOW - 301)


@pytest.mark.parametrize(
    ("secret", "stamp", "signature"),
    [
        (SECRET, "1531420618", "v0=" + "0" * 64),
        (SECRET, "1531420618", sign(b"other")),
        (SECRET, "1531420618", sign(b"body").removeprefix("v0=")),
        (SECRET, "1531420618", sign(b"body").replace("v0=", "v1=")),
        (SECRET, "1531420618", sign(b"body", secret="another")),
        (SECRET, "1531420617", sign(b"body")),
        (SECRET, "", sign(b"body")),
        (SECRET, "yesterday", sign(b"body")),
        (SECRET, "-1531420618", sign(b"body")),
        (SECRET, "\u0661531420618", sign(b"body")),
        (SECRET, "1531420618", ""),
        (SECRET, "1531420618", "v0=\u00e9\udc80"),
        ("", "1531420618", sign(b"body", secret="")),
        ("   ", "1531420618", sign(b"body", secret="   ")),
    ],
)
def test_everything_else_is_not(secret: str, stamp: str, signature: str) -> None:
    assert is_genuine(SECRET, "1531420618", sign(b"body"), b"body", NOW)
    assert not is_genuine(secret, stamp, signature, b"body", NOW)


async def test_the_address_is_verified(peer: Peer, host: KeepingHost) -> None:
    async with listening(peer, host):
        assert await peer.control("verify_url") == {"status": 200, "body": {"challenge": "a-challenge"}}


async def test_events_commands_and_presses_come_in(peer: Peer, host: KeepingHost) -> None:
    from channels.events import Action

    async with listening(peer, host) as channel:
        head = await peer.mention(CHANNEL, "hello & <goodbye>")
        await host.until(lambda: bool(host.events))
        sent = await channel.send(
            address(CHANNEL, head["ts"]), "hi", "k", actions=(Action("retry", "Retry"),)
        )
        await peer.press(CHANNEL, sent.id, "firstword:retry")
        await host.until(lambda: bool(host.of(Pressed)))
        await peer.command(CHANNEL, "/firstword", "model fast")
        await host.until(lambda: len(host.of(Message)) == 2)
        host.refusals[PERSON] = "You may not."
        await peer.command(CHANNEL, "/firstword", "model fast")
        await peer.wait(channel=CHANNEL, contains="You may not.")
    assert host.texts == ["hello & <goodbye>", "/model fast"]


async def test_what_has_no_room_is_refused_and_comes_again(peer: Peer, host: KeepingHost) -> None:
    await peer.settings(retries=[0, 0.05, 0.1])
    host.room = lambda _: len(host.offered) > 2
    async with listening(peer, host):
        said = await peer.say(DM, "patience")
        (delivery,) = await peer.wait(acked=1, event_id=said["event_ids"][0])
    assert [attempt["status"] for attempt in delivery["attempts"]] == [503, 503, 200]
    assert host.texts == ["patience"]


async def test_a_host_that_is_too_slow_for_slack_is_asked_again_and_keeps_one(
    peer: Peer, host: KeepingHost
) -> None:
    from dataclasses import replace

    await peer.settings(retries=[0.05, 0.1, 0.2])
    leave = asyncio.Event()

    async def gate(_: Event) -> None:
        if len(host.offered) == 1:
            await leave.wait()

    host.gate = gate
    async with listening(peer, host, replace(QUICK, ack=0.05)):
        said = await peer.say(DM, "slow")
        (delivery,) = await peer.wait(acked=1, event_id=said["event_ids"][0])
    assert [attempt["status"] for attempt in delivery["attempts"]] == [503, 200]
    assert host.texts == ["slow"]


async def test_a_chat_whose_first_message_is_on_its_way_at_the_stop_is_confirmed(
    peer: Peer, host: KeepingHost
) -> None:
    """There is nobody any more who would give the chat its title; the message counts all the same."""

    async def until_stopped(event: Event) -> None:
        while isinstance(event, Message) and host.states[-1:] != [(False, "stopped")]:
            await asyncio.sleep(0.01)

    host.gate = until_stopped
    async with listening(peer, host):
        head = await peer.say(DM, "head", silent=True)
        opened = {"channel_id": DM, "thread_ts": head["ts"], "user_id": PERSON}
        await peer.control("event", event={"type": "assistant_thread_started", "assistant_thread": opened})
        await host.until(lambda: bool(host.of(TypingStarted)))
        said = await peer.say(DM, "hello", thread=head["ts"])
        while not any(key.startswith("m:") for key in host.offered):
            await asyncio.sleep(0.01)
    (delivery,) = await peer.wait(acked=1, event_id=said["event_ids"][0])
    assert [attempt["status"] for attempt in delivery["attempts"]] == [200]


async def test_nothing_is_taken_before_the_account_is_signed_in(host: KeepingHost) -> None:
    hook = Webhook(SECRET, host, QUICK, time.time)
    status, _ = await posted(hook, orjson.dumps(envelope(message())))
    assert status == 503


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-Slack-Request-Timestamp": "1"}, 401),
        ({"X-Slack-Signature": "v0=00"}, 401),
        ({"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=00"}, 401),
    ],
)
async def test_an_unsigned_request_is_refused_and_counted(
    host: KeepingHost, headers: dict[str, str], status: int
) -> None:
    hook = Webhook(SECRET, host, QUICK, time.time)
    assert (await posted(hook, b"{}", headers))[0] == status
    assert host.signals == {"request_refused": 1}


async def test_a_body_beyond_all_measure_is_not_read(host: KeepingHost) -> None:
    hook = Webhook(SECRET, host, QUICK, time.time)
    assert (await posted(hook, b"x" * (MAX_BODY + 1)))[0] == 413


async def test_bytes_are_verified_as_they_came_even_if_they_are_no_text(
    peer: Peer, host: KeepingHost
) -> None:
    async with listening(peer, host) as channel:
        (route,) = channel.routes()
        secret = peer.signing_secret
        for body in (b"\xff\xfe", b"[1]", b"not json", b"null"):
            assert (await posted_to(route.handler, body, secret=secret))[0] == 200
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for body in (b"payload=%7B", b"payload=", b"%ff=%ff", b"a=1"):
            assert (await posted_to(route.handler, body, form, secret=secret))[0] == 200
    assert host.events == []
    assert host.signals["event_malformed"] >= 3


async def posted(hook: Webhook, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    return await posted_to(hook.handle, body, headers)


async def posted_to(
    handler: Any, body: bytes, headers: dict[str, str] | None = None, *, secret: str = SECRET
) -> tuple[int, bytes]:
    """POST a body to a handler, signed now unless the headers say something about that."""
    app = web.Application(client_max_size=8 * MAX_BODY)
    app.router.add_route("POST", "/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stamp = time.time()
    signed = {"X-Slack-Request-Timestamp": str(int(stamp)), "X-Slack-Signature": sign(body, stamp, secret)}
    given = {"Content-Type": "application/json", **(headers or {})}
    if headers is None or "Content-Type" in headers:
        given |= signed
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            async with session.post(url, data=io.BytesIO(body), headers=given) as response:
                return response.status, await response.read()
    finally:
        await runner.cleanup()
