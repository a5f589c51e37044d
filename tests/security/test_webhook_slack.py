"""Slack's signed requests against the whole table: events, commands and presses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from channels.slack import SPEC, SlackSettings
from tests.channels.slack.fixtures import peer, peer_process
from tests.channels.slack.peer.client import Peer
from tests.channels.slack.peer.deliveries import sign
from tests.security.house import House, open_house
from tests.security.posts import VECTORS, Post, flip, refused

__all__ = ["peer", "peer_process"]

STAMP, SIGNATURE = "X-Slack-Request-Timestamp", "X-Slack-Signature"
CHANNEL = "C0GENERAL1"
OTHER = "signing-secret-of-another-app-0123456789"
KINDS = ("event", "command", "press")


@dataclass(frozen=True)
class Slack:
    """HMAC-SHA256 over version, time and raw body (Slack docs, "Verifying requests from Slack", 2026-11)."""

    secret: str
    proof: str = SIGNATURE
    other_path: str = "/slack/second"
    other_secret: str = OTHER
    without: Mapping[str, str] = ()  # type: ignore[assignment] # every row says something of it

    def sign(self, post: Post, *, secret: str | None = None, age: float = 0.0) -> Post:
        """See Prover."""
        made = sign(self.secret if secret is None else secret, int(time.time() - age), post.body)
        return post.with_header(STAMP, made[STAMP]).with_header(SIGNATURE, made[SIGNATURE])


def accounts(peer: Peer) -> dict[str, SlackSettings]:
    """Two accounts that take requests, with secrets of their own."""

    def account(secret: str) -> SlackSettings:
        given: dict[str, Any] = {"botToken": peer.bot_token, "mode": "http", "signingSecret": secret}
        return SlackSettings.model_validate({**given, "apiBase": peer.base_url})

    return {"main": account(peer.signing_secret), "second": account(OTHER)}


@asynccontextmanager
async def captured(peer: Peer) -> AsyncIterator[list[Post]]:
    """What the fake workspace posts meanwhile, as it posts it, in place of our own listener."""
    found: list[Post] = []

    async def take(request: web.Request) -> web.Response:
        kept = tuple((name, value) for name, value in request.headers.items() if name in wanted)
        found.append(Post("/slack/main", await request.read(), kept))
        return web.Response()

    wanted = ("Content-Type", STAMP, SIGNATURE)
    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await peer.settings(http_url=f"http://127.0.0.1:{runner.addresses[0][1]}/")
    try:
        yield found
    finally:
        await runner.cleanup()


async def posted(peer: Peer, house: House, kind: str) -> Post:
    """A request of this kind, genuine to the byte and not yet seen by us."""
    async with captured(peer) as found:
        if kind == "press":
            [said] = await _captured_events(peer, found, "a first question")
            async with aiohttp.ClientSession() as session:
                assert await said.send(session, house.public) == 200
            await house.answered(1)
            [shown] = await peer.messages(CHANNEL)
            found.clear()
            await peer.press(CHANNEL, shown["ts"], "firstword:retry")
            await peer.wait(acked=1, kind="interactive")
        elif kind == "command":
            await peer.command(CHANNEL, "/firstword", "a question by command")
            await peer.wait(acked=1, kind="slash_commands")
        else:
            await _captured_events(peer, found, "a question")
        return found[0]


async def _captured_events(peer: Peer, found: list[Post], text: str) -> list[Post]:
    said = await peer.mention(CHANNEL, text)
    for event in said["event_ids"]:
        await peer.wait(acked=1, event_id=event)
    return [post for post in found if b'"app_mention"' in post.body]


async def shown(peer: Peer) -> int:
    """How often something was shown to somebody."""
    return len(await peer.calls("chat."))


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_but_what_slack_signed_has_an_effect_and_that_once(
    peer: Peer, tmp_path: Path, kind: str
) -> None:
    async with open_house(tmp_path, SPEC, accounts(peer)) as house, aiohttp.ClientSession() as session:
        post = await posted(peer, house, kind)
        prover, writes, asked = (
            Slack(peer.signing_secret),
            await shown(peer),
            len(house.inside.provider.asked),
        )
        wrong, sent = await refused(post, prover, house.public, house.effects)
        assert wrong == []
        assert sent == len(VECTORS) >= 35
        await house.inside.quiet()
        assert (await shown(peer), house.turned_away) == (writes, [])

        assert await post.send(session, house.public) == 200
        await house.answered(asked + 1)
        assert len(house.inside.provider.asked) == asked + 1
        before, writes = house.effects(), await shown(peer)
        # Slack itself sends an event again, up to three times, each signed anew.
        for again in (post, prover.sign(post), replace(prover.sign(post), is_chunked=True)):
            assert await again.send(session, house.public) == 200
        await house.inside.quiet()
        assert (house.effects(), await shown(peer)) == (before, writes)


async def test_what_a_signature_or_its_time_may_not_look_like(peer: Peer, tmp_path: Path) -> None:
    async with open_house(tmp_path, SPEC, accounts(peer)) as house, aiohttp.ClientSession() as session:
        post = await posted(peer, house, "event")
        before = house.effects()
        stamp, signature = post.header(STAMP), post.header(SIGNATURE)
        bad = {
            "no time": post.without(STAMP),
            "the time twice": replace(post, headers=(*post.headers, (STAMP, stamp))),
            "one bit of the time": post.with_header(STAMP, flip(stamp.encode(), len(stamp) - 1).decode()),
            "a sign before the time": post.with_header(STAMP, f"+{stamp}"),
            "a nought before the time": post.with_header(STAMP, f"0{stamp}"),
            "a time in hexadecimal": post.with_header(STAMP, hex(int(stamp))),
            "a fraction of time": post.with_header(STAMP, f"{stamp}.0"),
            "digits of another script": post.with_header(STAMP, "\u0661" * 10),
            "a time without end": post.with_header(STAMP, "9" * 4000),
            "no time at all": post.with_header(STAMP, ""),
            "a time that moves the body": post.with_header(STAMP, f"{stamp}:"),
            "another version": post.with_header(SIGNATURE, signature.replace("v0=", "v1=")),
            "no version": post.with_header(SIGNATURE, signature.removeprefix("v0=")),
            "capitals": post.with_header(SIGNATURE, "v0=" + signature[3:].upper()),
            "noughts": post.with_header(SIGNATURE, "v0=" + "0" * 64),
            "the same JSON, written anew": replace(post, body=orjson.dumps(orjson.loads(post.body)) + b"\n"),
        }
        found = {name: await each.send(session, house.public) for name, each in bad.items()}
        assert {name: status for name, status in found.items() if status not in (400, 401)} == {}
        assert house.effects() == before
