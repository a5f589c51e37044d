"""Telegram's webhook against the whole table: nothing forged, packed, misplaced or repeated has an effect."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from channels.telegram import SPEC, TelegramSettings
from tests.channels.telegram.fixtures import peer, peer_process
from tests.channels.telegram.peer.client import Peer
from tests.security.house import House, open_house
from tests.security.posts import VECTORS, Post, refused

__all__ = ["peer", "peer_process"]

HEADER = "X-Telegram-Bot-Api-Secret-Token"
SECRET = "secret-of-the-first-webhook-0123456789_A"
OTHER = "secret-of-the-other-webhook-0123456789_B"
ANN = 4711


@dataclass(frozen=True)
class Telegram:
    """A secret in a header, over TLS; no part of the request is signed (Bot API docs, setWebhook, 2026-11)."""

    proof: str = HEADER
    other_path: str = "/telegram/second"
    other_secret: str = OTHER

    @property
    def without(self) -> Mapping[str, str]:
        """See Prover."""
        body = "the secret says nothing about the body, which TLS protects"
        time = "the secret says nothing about the time; an update counts once, by its update_id"
        return {
            "one bit of the body": body,
            "one byte more": body,
            "an empty body": body,
            "six minutes old": time,
            "six minutes ahead": time,
        }

    def sign(self, post: Post, *, secret: str | None = None, age: float = 0.0) -> Post:
        """See Prover."""
        return post.with_header(HEADER, SECRET if secret is None else secret)


def update(number: int, text: str = "hello") -> Post:
    """What Telegram posts when Ann writes."""
    person = {"id": ANN, "is_bot": False, "first_name": "Ann"}
    message = {
        "message_id": number,
        "date": int(time.time()),
        "chat": {"id": ANN, "type": "private", "first_name": "Ann"},
        "from": person,
        "text": text,
    }
    body = orjson.dumps({"update_id": number, "message": message})
    return Telegram().sign(Post("/telegram/main", body, (("Content-Type", "application/json"),)))


def accounts(peer: Peer) -> dict[str, TelegramSettings]:
    """Two accounts behind webhooks."""

    def account(token: str, secret: str) -> TelegramSettings:
        webhook = {"url": "https://bot.example.org", "secret": secret}
        given: dict[str, Any] = {"token": token, "baseUrl": peer.base_url, "webhook": webhook}
        return TelegramSettings.model_validate(given)

    return {"main": account(peer.token, SECRET), "second": account(peer.token, OTHER)}


async def shown(peer: Peer) -> int:
    """How often something was shown to somebody."""
    writes = ("send", "edit", "delete", "answer", "forward", "copy")
    return len([call for call in await peer.calls() if call["method"].startswith(writes)])


async def test_nothing_but_what_telegram_sends_has_an_effect(peer: Peer, tmp_path: Path) -> None:
    async with open_house(tmp_path, SPEC, accounts(peer)) as house:
        before = await shown(peer)
        wrong, sent = await refused(update(1), Telegram(), house.public, house.effects)
        assert wrong == []
        assert sent == len(VECTORS) - len(Telegram().without) >= 30
        await house.inside.quiet()
        assert (await shown(peer), house.turned_away) == (before, [])


async def test_what_telegram_sends_counts_once_however_often_it_comes(peer: Peer, tmp_path: Path) -> None:
    async with open_house(tmp_path, SPEC, accounts(peer)) as house, aiohttp.ClientSession() as session:
        assert await update(1, "hello").send(session, house.public) == 200
        await house.answered(1)
        before = (house.effects(), await shown(peer))
        for again in (update(1, "hello"), update(1, "another text under the same number")):
            for is_chunked in (False, True):
                spoiled = Post(again.path, again.body, again.headers[::-1], is_chunked=is_chunked)
                assert await spoiled.send(session, house.public) == 200, (
                    "confirmed, or it would come for ever"
                )
        await house.inside.quiet()
        assert (house.effects(), await shown(peer)) == before
        assert len(house.inside.provider.asked) == 1


async def test_what_cannot_be_read_is_confirmed_and_has_no_effect(peer: Peer, tmp_path: Path) -> None:
    async with open_house(tmp_path, SPEC, accounts(peer)) as house, aiohttp.ClientSession() as session:
        before = (house.effects(), await shown(peer))
        for body in (b"", b"\xff\xfe", b"[]", b"null", b'"x"', b"{}", b'{"update_id": 1}', b"[" * 100_000):
            post = Post("/telegram/main", body, update(1).headers)
            assert await post.send(session, house.public) == 200, body[:20]
        await house.inside.quiet()
        assert (house.effects(), await shown(peer)) == before


async def test_a_stranger_s_message_is_read_by_nobody(peer: Peer, tmp_path: Path) -> None:
    """The signature proves the platform, not the person."""
    async with open_house(tmp_path, SPEC, accounts(peer), allow=("1",)) as house:
        await _say(house, update(1, "let me in"))
        await house.inside.quiet()
        assert house.inside.provider.asked == []


async def _say(house: House, post: Post) -> None:
    async with aiohttp.ClientSession() as session:
        assert await post.send(session, house.public) == 200
