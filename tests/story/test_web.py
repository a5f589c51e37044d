"""Whole messages over the page's own socket and the private listener, through a real daemon."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.mock_model.client import MockModel
from tests.story.running import Daemon, config, daemon

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second


TALK = "conversation-1"


class Page:
    """An open page as a program: it says, and puts together what it is shown."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, talk: str = TALK) -> None:
        self._socket = socket
        self._talk = talk
        self.shown: dict[str, str] = {}
        self.notes: dict[str, dict[str, Any]] = {}
        self.lines: list[dict[str, Any]] = []

    async def open(self) -> None:
        """Show the conversation."""
        await self._socket.send_json({"t": "open", "c": self._talk})
        await self.until(lambda frame: frame["t"] == "opened")

    async def say(self, text: str, number: int) -> None:
        """Say something, and wait until it is taken over."""
        said = {"t": "say", "c": self._talk, "id": f"message-{number}", "text": text}
        await self._socket.send_json(said)
        await self.until(lambda frame: frame["t"] == "said")

    async def until(self, holds: Callable[[dict[str, Any]], bool], within: float = 30.0) -> None:
        """Read frames until one is so."""
        async with asyncio.timeout(within):
            while True:
                frame = json.loads((await self._socket.receive()).data)
                self._take(frame)
                if holds(frame):
                    return

    async def until_shown(self, text: str, within: float = 30.0) -> None:
        """Until a message holds these words."""
        if not any(text in each for each in self.shown.values()):
            await self.until(lambda _: any(text in each for each in self.shown.values()), within)

    def vanish(self) -> None:
        """Be gone without a word, as a telephone in a tunnel is."""
        self._socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["t"]:
            case "opened":
                self.lines = frame["lines"]
                for line in self.lines:
                    if line["role"] == "assistant":
                        self.shown[line["id"]] = line["text"]
            case "show":
                self.shown[frame["id"]] = frame["text"]
            case "more":
                whole = self.shown[frame["id"]]
                self.shown[frame["id"]] = whole[: len(whole) - frame.get("cut", 0)] + frame["text"]
            case "note":
                self.notes[frame["id"]] = frame["note"]
            case _:
                pass


@asynccontextmanager
async def page(running: Daemon, talk: str = TALK) -> AsyncIterator[Page]:
    """A page that has the conversation open. Of failures, one a minute is told in each."""
    async with (
        aiohttp.ClientSession(headers={"Origin": running.address}) as session,
        session.ws_connect(f"{running.address}/web/socket") as socket,
    ):
        opened = Page(socket, talk)
        await opened.open()
        yield opened


async def test_an_answer_grows_on_the_page_and_ends_with_its_line(
    tmp_path: Path, mock_model: MockModel
) -> None:
    mock_model.script(default={"tokens": ["One ", "two ", "three."], "hold": "go", "hold_after": 2})
    async with daemon(tmp_path / "home", config(mock_model.base_url)) as running, page(running) as shown:
        await shown.say("count", 1)
        await shown.until_shown("One two")
        mock_model.release("go")
        await shown.until_shown("One two three.")
        await shown.until(lambda frame: frame["t"] == "note")
        (note,) = shown.notes.values()
        assert note["model"] == "mock/m"
        assert note["reason"] == "default"
        assert note["firstVisible"] > 0


async def test_a_reload_shows_what_was_said(tmp_path: Path, mock_model: MockModel) -> None:
    mock_model.script(default={"text": "an answer to keep"})
    async with daemon(tmp_path / "home", config(mock_model.base_url)) as running:
        async with page(running) as shown:
            await shown.say("a question to keep", 1)
            await shown.until_shown("an answer to keep")
        assert await running.stop() == 0
        await running.start()
        async with page(running) as again:
            assert [line["text"] for line in again.lines] == ["a question to keep", "an answer to keep"]


async def test_an_answer_goes_on_where_it_stood_when_the_daemon_was_killed(
    tmp_path: Path, mock_model: MockModel
) -> None:
    words = [f"word{number} " for number in range(8)]
    mock_model.script(
        {"tokens": words, "hold": "never", "hold_after": 4, "times": 1}, default={"tokens": words}
    )
    async with daemon(tmp_path / "home", config(mock_model.base_url)) as running:
        async with page(running) as shown:
            await shown.say("go on", 1)
            await shown.until_shown("word3")
            await running.kept("part", 1)
            await running.kill()
        await running.start()
        async with page(running) as again:
            await again.until_shown("word7")
            assert len(again.shown) == 1
            assert set(again.shown) == set(shown.shown)


async def test_the_same_message_sent_again_after_a_lost_connection_is_answered_once(
    tmp_path: Path, mock_model: MockModel
) -> None:
    async with daemon(tmp_path / "home", config(mock_model.base_url)) as running:
        for _ in range(2):
            async with page(running) as shown:
                await shown.say("only once", 1)
                await shown.until_shown("word")
        assert len(mock_model.chats()) == 1


async def test_health_and_figures_are_for_whoever_sits_here(tmp_path: Path, mock_model: MockModel) -> None:
    async with daemon(tmp_path / "home", config(mock_model.base_url)) as running:
        assert (await running.get("/healthz"))[0] == 200
        assert (await running.get("/readyz"))[0] == 200
        status, metrics = await running.get("/metrics")
        assert status == 200
        assert "firstword_channel_online" in metrics
        async with aiohttp.ClientSession(headers={"Host": "evil.example"}) as session:
            for path in ("/metrics", "/readyz", "/", "/web/main.js"):
                async with session.get(running.address + path) as response:
                    assert response.status in (401, 403, 421), path


async def test_a_foreign_page_gets_no_socket(tmp_path: Path, mock_model: MockModel) -> None:
    async with daemon(tmp_path / "home", config(mock_model.base_url)) as running:
        for headers in ({"Origin": "https://evil.example"}, {}):
            async with aiohttp.ClientSession(headers=headers) as session:
                with pytest.raises(aiohttp.WSServerHandshakeError):
                    await session.ws_connect(f"{running.address}/web/socket")


async def test_a_proxy_on_this_machine_does_not_open_the_figures(
    tmp_path: Path, mock_model: MockModel
) -> None:
    async with (
        daemon(tmp_path / "home", config(mock_model.base_url)) as running,
        aiohttp.ClientSession() as session,
    ):
        for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP"):
            async with session.get(f"{running.address}/metrics", headers={name: "192.0.2.1"}) as response:
                assert response.status == 401
