"""A server that is an address: the library's HTTP transports over a client whose answers have a bound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from bot.mcp.lines import MAX_MESSAGE

CONNECT_DEADLINE = 10.0
READ_DEADLINE = 300.0
"""Seconds of silence on a stream that a server holds open."""

GOODBYE = 1.0
"""Seconds for telling a server that its session is over."""


class TooLarge(httpx2.StreamError):
    """An answer that is longer than MAX_MESSAGE, or whose length cannot be told."""


def open_web(url: str, headers: Mapping[str, str], transport: str) -> AbstractAsyncContextManager[Any]:
    """The two streams of a connection. Raises httpx2.HTTPError, perhaps in a group."""
    if transport == "sse":
        return sse_client(
            url,
            headers=dict(headers),
            timeout=CONNECT_DEADLINE,
            sse_read_timeout=READ_DEADLINE,
            httpx_client_factory=_client,
        )
    return _streamable(url, headers)


@asynccontextmanager
async def _streamable(url: str, headers: Mapping[str, str]) -> AsyncIterator[Any]:
    timeout = httpx2.Timeout(CONNECT_DEADLINE, read=READ_DEADLINE)
    async with (
        _client(dict(headers), timeout) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=MAX_MESSAGE) as streams,
    ):
        yield streams


def _client(
    headers: dict[str, str] | None = None,
    timeout: httpx2.Timeout | None = None,
    auth: httpx2.Auth | None = None,
) -> httpx2.AsyncClient:
    """A client of one server. Asks for plain bytes: what is packed small may be large."""
    return httpx2.AsyncClient(
        headers={**(headers or {}), "Accept-Encoding": "identity"},
        timeout=timeout if timeout is not None else CONNECT_DEADLINE,
        auth=auth,
        event_hooks={"request": [_hurry_goodbye], "response": [_bound]},
    )


async def _hurry_goodbye(request: httpx2.Request) -> None:
    if request.method == "DELETE":
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), GOODBYE)


async def _bound(response: httpx2.Response) -> None:
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        return
    if response.headers.get("content-encoding", "identity") != "identity":
        response.stream = _Bounded(response.stream, 0, "it packs its answers though it was asked not to")
    elif not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
        reason = f"its answer is longer than {MAX_MESSAGE // 1024 // 1024} MB"
        response.stream = _Bounded(response.stream, MAX_MESSAGE, reason)


class _Bounded(httpx2.AsyncByteStream):
    """Raises TooLarge in place of the byte after `most`."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int, reason: str) -> None:
        self._stream, self._most, self._reason = stream, most, reason

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > self._most:
                raise TooLarge(self._reason)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
