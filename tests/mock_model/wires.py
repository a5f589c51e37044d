"""Asking the mock in each dialect, for its own tests."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.mock_model.client import MockModel

CLAUDE, GEMINI = "claude-haiku-5-5", "gemini-3.8-flash"
VERSION = {"anthropic-version": "2023-06-01"}
USER = {"role": "user", "content": "hello"}
PART = {"role": "user", "parts": [{"text": "hello"}]}


async def post(server: MockModel, path: str, body: Any, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.root_url, timeout=10) as http:
        return await http.post(
            path, json=body, headers={name.replace("_", "-"): v for name, v in headers.items()}
        )


async def get(server: MockModel, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.root_url, timeout=10) as http:
        return await http.get(path, headers={name.replace("_", "-"): v for name, v in headers.items()})


async def claude(server: MockModel, **more: Any) -> httpx.Response:
    """A question to Anthropic's dialect."""
    body = {"model": CLAUDE, "max_tokens": 4096, "messages": [USER]} | more
    async with httpx.AsyncClient(base_url=server.root_url, timeout=10) as http:
        return await http.post("/v1/messages", json=body, headers=VERSION)


async def gemini(
    server: MockModel, *, verb: str = "streamGenerateContent?alt=sse", **more: Any
) -> httpx.Response:
    """A question to Gemini's dialect; `model` is not part of the body."""
    model = more.pop("model", GEMINI)
    return await post(server, f"/v1beta/models/{model}:{verb}", {"contents": [PART]} | more)


async def chat(server: MockModel, **more: Any) -> httpx.Response:
    """A question to whatever chat completions the server speaks."""
    return await post(server, "/v1/chat/completions", {"model": "m", "messages": [USER]} | more)


def events(response: httpx.Response) -> list[Any]:
    """The `data:` lines of a stream, parsed."""
    lines = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def names(response: httpx.Response) -> list[str]:
    """The `event:` lines of a stream."""
    return [line[7:] for line in response.text.splitlines() if line.startswith("event: ")]
