"""Whole messages over the page's own socket and the private listener, through a real daemon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.mock_model.client import MockModel
from tests.story.running import Daemon, config, daemon

pytestmark = pytest.mark.slow  # each starts a real daemon, about a second


@asynccontextmanager
async def page(running: Daemon, conversation: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """The socket of an open page."""
    async with (
        aiohttp.ClientSession(headers={"Origin": running.address}) as session,
        session.ws_connect(f"{running.address}/web/socket") as socket,
    ):
        await socket.send_json({"type": "open", "conversation": conversation})
        yield socket


async def until(socket: aiohttp.ClientWebSocketResponse, kind: str, **fields: Any) -> dict[str, Any]:
    """The next frame of that type with those fields."""
    async with asyncio.timeout(10):
        while True:
            frame = json.loads((await socket.receive()).data)
            if frame.get("type") == kind and all(frame.get(name) == value for name, value in fields.items()):
                return dict(frame)


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
