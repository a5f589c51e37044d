"""A daemon between peers whose lines can be troubled: what the fault stories share."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.channels.telegram.peer.client import Peer
from tests.faults.proxy import Proxy, open_proxy
from tests.mock_model.client import MockModel
from tests.story.conftest import GROUP
from tests.story.running import Daemon, config

WHOLE = "well, this is the whole answer"
BACK = "sick no more, this is the whole answer"
TOKEN = "a-token-of-the-fault-stories"
PATIENCE = 75.0
"""Seconds in which what was broken works again: a model that failed five times rests for sixty."""


@dataclass(slots=True)
class Scene:
    """A daemon on Telegram and its endpoint; `sick`, asked first, behind a line that can fail, and `well` beside it."""

    daemon: Daemon
    peer: Peer
    model: MockModel
    telegram: Proxy
    sick: Proxy
    _chats: Iterator[int] = field(default_factory=lambda: itertools.count(5001))

    def somebody(self) -> int:
        """A person who has not said anything yet."""
        return next(self._chats)

    async def answer(self, chat: int, text: str, expects: str, within: float = PATIENCE) -> None:
        """Somebody asks, and the answer stands there whole."""
        await self.peer.say(chat, text)
        await self.shown(chat, expects, within)

    async def shown(self, chat: int, expects: str, within: float = PATIENCE) -> None:
        """Wait until a message stands in the chat that is nothing but this text."""
        await self.peer.wait(chat=chat, equals=expects, timeout=within)

    async def said_once(self, chat: int, *texts: str) -> None:
        """The chat holds these messages of the bot and no other."""
        found = await self.peer.texts(chat)
        assert sorted(found) == sorted(texts), found

    async def metric(self, name: str, **labels: str) -> float:
        """See Daemon.metric."""
        return await self.daemon.metric(name, **labels)

    @asynccontextmanager
    async def counted(self, name: str, **labels: str) -> AsyncIterator[None]:
        """The metric grows while the block runs, or soon after it."""
        before = await self.metric(name, **labels)
        yield
        await until_async(lambda: self.metric(name, **labels), lambda value: value > before)

    async def healthy(self) -> None:
        """Everything works again, without a hand: the sick one is asked and answers."""
        await self.sick.heal()
        await self.telegram.heal()
        await self.peer.control("clear_faults")
        self.well_again()
        async with asyncio.timeout(PATIENCE):
            while True:
                chat = self.somebody()
                await self.peer.say(chat, "are you back?")
                await self.peer.wait(chat=chat, count=1, timeout=PATIENCE)
                if BACK in await self.peer.texts(chat):
                    return
                await asyncio.sleep(0.5)  # its breaker may be open

    async def release(self, name: str) -> None:
        """Let the answer that is held, or is about to be, go on."""
        async with asyncio.timeout(PATIENCE):
            while not self.model.release(name):
                await asyncio.sleep(0.01)

    async def forgive(self) -> None:
        """Nothing is held against the two any more, as after their keys were seen to work."""
        await self.daemon.ask("reload", proved=[["sick", ""], ["well", ""]])

    def all_well(self) -> None:
        """Whoever is asked says the same, at once: on a busy machine the second is asked beside the first."""
        self.model.script(default={"text": BACK})

    def well_again(self) -> None:
        """Both models answer at once."""
        self.model.script({"model": "s", "text": BACK}, {"model": "w", "text": WHOLE})


async def until_async(get: Callable[[], Any], holds: Callable[[Any], bool], within: float = PATIENCE) -> Any:
    """Look again and again until it is so; what it was then."""
    value = None
    try:
        async with asyncio.timeout(within):
            while not holds(value := await get()):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"it stayed {value!r}") from None
    return value


def settings(peer: Peer, telegram: str, sick: str, well: str, **changes: Any) -> dict[str, Any]:
    """The daemon's configuration: two providers, everybody may talk, programs too."""
    providers = {
        "sick": {"baseUrl": f"{sick}/v1", "model": {"id": "s", "contextWindow": 32_000}},
        "well": {"baseUrl": f"{well}/v1", "model": {"id": "w", "contextWindow": 64_000}},
    }
    account = {"token": peer.token, "baseUrl": telegram, "allow": ["*"], "groups": [GROUP]}
    whole = config("", telegram={"accounts": {"main": account}}, api={"accounts": {"main": {"token": TOKEN}}})
    whole["models"] = {
        "detectLocal": False,
        "providers": {
            name: {"baseUrl": row["baseUrl"], "api": "openai-completions", "models": [row["model"]]}
            for name, row in providers.items()
        },
    }
    whole["agents"] = {"defaults": {"model": {"primary": "sick/s", "fallbacks": ["well/w"]}}}
    return whole | changes


@asynccontextmanager
async def open_scene(
    home: Path,
    peer_line: Mapping[str, Any],
    model: MockModel,
    command: tuple[str, ...] = (),
    sick_host: str = "",
    *,
    secrecy: ssl.SSLContext | None = None,
) -> AsyncIterator[Scene]:
    """Everything running; the daemon is killed at the end if it still lives. `sick_host`: a name in place of 127.0.0.1.

    `secrecy`: the sick one speaks TLS with it.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90))
        )
        peer = Peer(int(peer_line["port"]), str(peer_line["token"]), session)
        await peer.control("reset")
        model.reset()
        model.config(models=["s", "w"])
        telegram = await stack.enter_async_context(open_proxy(peer.port))
        sick = await stack.enter_async_context(open_proxy(model.port, secrecy))
        address = sick.url.replace("127.0.0.1", sick_host) if sick_host else sick.url
        daemon = Daemon(home, settings(peer, telegram.url, address, model.root_url))
        daemon.command = (*command, *daemon.command)
        await daemon.start()
        stack.push_async_callback(daemon.kill)
        scene = Scene(daemon, peer, model, telegram, sick)
        scene.well_again()
        yield scene
