"""A secret that was changed counts from the next request on; the one before it opens nothing any more."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from bot.daemon import Daemon, open_daemon
from bot.home import Home
from bot.settings import load_settings

OLD, NEW = "the-first-secret-0123456789-abcdefgh", "the-second-secret-9876543210-stuvwxyz"
PROXY = {"X-Forwarded-For": "203.0.113.9"}
"""A visitor who does not sit at this machine."""


def slack(secret: str) -> dict[str, str]:
    """The headers of an empty request of Slack's."""
    stamp = str(int(time.time()))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode(), hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/json",
    }


def bearer(secret: str) -> dict[str, str]:
    """As programs and browsers show a token."""
    return {"Authorization": f"Bearer {secret}"}


@dataclass(frozen=True)
class Door:
    """One door: where it is, how its key is shown, where the key stands, and what is answered to who has it."""

    method: str
    path: str
    show: Callable[[str], dict[str, str]]
    place: tuple[str, ...]
    opened: int
    is_public: bool = False


def account(channel: str, *field: str) -> tuple[str, ...]:
    """The place of an account's field."""
    return ("channels", channel, "accounts", "main", *field)


DOORS = {
    "figures": Door("GET", "/metrics", bearer, ("server", "token"), 200),
    "page": Door("GET", "/", bearer, account("web", "token"), 200),
    # Nothing runs behind these doors: who may come in is told that there is no room yet.
    "programs": Door("GET", "/v1/models", bearer, account("api", "token"), 503),
    "telegram": Door(
        "POST",
        "/telegram/main",
        lambda secret: {"X-Telegram-Bot-Api-Secret-Token": secret, "Content-Type": "application/json"},
        account("telegram", "webhook", "secret"),
        503,
        is_public=True,
    ),
    "slack": Door("POST", "/slack/main", slack, account("slack", "signingSecret"), 503, is_public=True),
}


def config(place: tuple[str, ...], secret: str) -> dict[str, Any]:
    """A configuration in which every door has a key of its own and the one at `place` has this one."""
    found: dict[str, Any] = {
        "server": {"port": 0, "token": "token-of-the-server-0123456789"},
        "webhooks": {"port": 0},
        "models": {"detectLocal": False},
        "channels": {
            "web": {"accounts": {"main": {"token": "token-of-the-page-0123456789"}}},
            "api": {"accounts": {"main": {"token": "token-of-programs-0123456789"}}},
            "telegram": {
                "accounts": {
                    "main": {
                        "token": "123456789:AAabcdefghijklmnopqrstuvwxyz012345678",
                        "baseUrl": "http://127.0.0.1:9",
                        "webhook": {
                            "url": "https://bot.example.org",
                            "secret": "secret-of-the-webhook-0123456789",
                        },
                    }
                }
            },
            "slack": {
                "accounts": {
                    "main": {
                        "botToken": "xoxb-111111111111-a",
                        "mode": "http",
                        "signingSecret": "secret-of-the-signatures-0123456789",
                    }
                }
            },
        },
    }
    below = found
    for part in place[:-1]:
        below = below[part]
    below[place[-1]] = secret
    return found


@dataclass
class Running:
    """A daemon that listens, and what it masks in its log."""

    daemon: Daemon
    home: Home
    masked: list[str] = field(default_factory=list)

    def write(self, config: dict[str, Any] | str) -> None:
        """As an editor does: a new file takes the place of the old one."""
        new = self.home.root / "config.json.new"
        new.write_text(config if isinstance(config, str) else json.dumps(config))
        new.replace(self.home.config)

    async def knock(self, door: Door, secret: str) -> int:
        """The status for whoever shows this secret."""
        listening = self.daemon.listening
        address = listening.public if door.is_public else listening.private
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                door.method, f"{address}{door.path}", headers={**PROXY, **door.show(secret)}
            ) as answer,
        ):
            return answer.status


@asynccontextmanager
async def running(folder: Path, config: dict[str, Any]) -> AsyncIterator[Running]:
    """A daemon in this process that listens, with no channel connected."""
    home, masked = Home(folder), list[str]()
    home.config.write_text(json.dumps(config))
    settings = load_settings(home, home.config, {})
    async with open_daemon(settings, lambda _: None, lambda *secrets: masked.extend(secrets)) as daemon:
        yield Running(daemon, home, masked)


@pytest.mark.parametrize("name", DOORS)
async def test_a_changed_secret_counts_at_once_and_the_old_one_no_more(tmp_path: Path, name: str) -> None:
    door = DOORS[name]
    async with running(tmp_path, config(door.place, OLD)) as here:
        assert (await here.knock(door, OLD), await here.knock(door, NEW)) == (door.opened, 401)
        here.write(config(door.place, NEW))
        assert (await here.knock(door, OLD), await here.knock(door, NEW)) == (401, door.opened)
        assert NEW in here.masked
        here.write("{ half a file")
        assert (await here.knock(door, OLD), await here.knock(door, NEW)) == (401, door.opened)
        here.write(config(door.place, OLD))
        assert (await here.knock(door, OLD), await here.knock(door, NEW)) == (door.opened, 401)


async def test_a_secret_that_lies_in_the_store_of_secrets_is_followed_too(tmp_path: Path) -> None:
    door = DOORS["programs"]

    def store(secret: str) -> None:
        Home(tmp_path).credentials.write_text(
            json.dumps({"profiles": {"gate": {"secret": secret, "provider": ""}}})
        )

    store(OLD)
    async with running(tmp_path, config(door.place, "profile:gate")) as here:
        assert await here.knock(door, OLD) == 503
        store(NEW + "-longer")
        assert (await here.knock(door, OLD), await here.knock(door, NEW + "-longer")) == (401, 503)


@pytest.mark.parametrize("bad", ["", "   ", "short", None])
async def test_a_bad_secret_is_not_taken_over(tmp_path: Path, bad: str | None) -> None:
    door = DOORS["figures"]
    async with running(tmp_path, config(door.place, OLD)) as here:
        changed = config(door.place, OLD)
        if bad is None:
            del changed["server"]["token"]
        else:
            changed["server"]["token"] = bad
        here.write(changed)
        assert (await here.knock(door, OLD), await here.knock(door, bad or "")) == (200, 401)


async def test_whoever_came_in_with_the_old_token_has_to_come_again(tmp_path: Path) -> None:
    door = DOORS["page"]
    async with running(tmp_path, config(door.place, OLD)) as here:
        channel = here.daemon.app.accounts["web", "main"].channel
        task = asyncio.create_task(channel.run())
        await asyncio.sleep(0)
        address = here.daemon.listening.private
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            origin = {"Origin": address}
            async with session.post(f"{address}/web/login", data={"token": OLD}, headers=origin) as answer:
                assert answer.status == 200
            async with session.ws_connect(f"{address}/web/socket", headers=origin) as socket:
                assert json.loads(await socket.receive_str())["t"] == "hello"
                here.write(config(door.place, NEW))
                async with session.get(address) as answer:
                    assert answer.status == 401, "the cookie was proof of the old token"
                while (await socket.receive(timeout=20)).type is WSMsgType.TEXT:
                    pass
                assert socket.close_code == 1008
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
