"""The way to Anthropic's API through its SDK, which makes and sends the requests; we read the raw stream ourselves.

Measured on this path against the loopback server (anthropic 2.11, aiohttp's pool below, 25 pieces, 2026-11), CPU for
one answer at 32 streams: `messages.create(stream=True)` 1.5 ms, the same without its pydantic events 0.7 ms, this
0.65 ms, our own HTTP 0.36 ms. So the body goes out as our bytes and the response comes back as it is, both public
features of the SDK's `post`. Importing it takes 1.3 s and 70 MB, which is done in a thread.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2

from providers.anthropic_wire import Answering, Refusal, headers_for
from providers.base import Connect, Credential
from providers.errors import ErrorKind, ProviderError
from providers.exchange import MAX_ERROR_BYTES, Read, Scrub
from providers.failures import error_from_answer
from providers.http import origin_of
from providers.transport2 import NotHttp, is_whole, reader_of

if TYPE_CHECKING:
    import anthropic


class SdkWire:
    """Sends with the SDK's client over the origin's pool, without its retries, timeouts, tracing and key look-up."""

    def __init__(self, base_url: str, headers: Mapping[str, str], connect: Connect) -> None:
        self._base_url = base_url
        self._headers = headers
        self._connect = connect
        self._client: anthropic.AsyncAnthropic | None = None
        self._loading = asyncio.Lock()

    async def prepare(self) -> None:
        """Import the SDK and make its client, in a thread."""
        await self._loaded()

    async def send(
        self, method: str, path: str, content: bytes | None, credential: Credential, scrub: Scrub
    ) -> Answering | Refusal:
        """See Wire."""
        client = self._client or await self._loaded()
        from anthropic import AnthropicError, APIConnectionError, APIStatusError

        options: Any = {"headers": self._sent(credential, has_body=content is not None)}
        # `cast_to`: the response as it is, with its body unread
        how: Any = {"cast_to": httpx2.Response, "options": options, "stream": True}
        try:
            if method == "GET":
                response: httpx2.Response = await client.get(path, **how)
            else:
                response = await client.post(path, content=content, **how)
        except APIStatusError as error:
            return _refusal(error.response, scrub)
        except APIConnectionError as error:
            raise _lost(error.__cause__ or error, scrub) from error
        except httpx2.TransportError as error:  # an error's body that breaks off
            raise _lost(error, scrub) from error
        except AnthropicError as error:
            detail = scrub(f"{type(error).__name__}: {error}")
            raise ProviderError(ErrorKind.BAD_REQUEST, detail) from error
        if response.status_code != 200:  # the SDK takes every 2xx
            await response.aclose()
            return Refusal(
                response.status_code, b"", ProviderError(ErrorKind.MALFORMED, f"HTTP {response.status_code}")
            )
        return Answering(
            response,
            _reader(response, scrub),
            response.headers.get("request-id", ""),
            lambda: is_whole(response),
        )

    async def _loaded(self) -> anthropic.AsyncAnthropic:
        async with self._loading:
            if self._client is None:
                http: httpx2.AsyncClient = self._connect(origin_of(self._base_url), "httpx2")
                self._client = await asyncio.to_thread(_make, self._base_url, http)
            return self._client

    def _sent(self, credential: Credential, *, has_body: bool) -> Mapping[str, Any]:
        from anthropic import omit

        # the SDK's own header for a key is Authorization: Bearer (2.11, _client.py)
        return headers_for(credential, self._headers, has_body=has_body) | {"Authorization": omit}


def _make(base_url: str, http: httpx2.AsyncClient) -> anthropic.AsyncAnthropic:
    """The SDK's client. A key that is given, though empty, keeps it from looking for one in environment and files."""
    was_collecting = gc.isenabled()
    gc.disable()  # 3,300 modules start full collections, which hold every thread: 100-150 ms, without them 35-45
    try:
        import anthropic
    finally:
        if was_collecting:
            gc.enable()
    logging.getLogger("anthropic").setLevel(logging.WARNING)  # its DEBUG prints requests
    return anthropic.AsyncAnthropic(
        api_key="",
        base_url=base_url,
        max_retries=0,
        timeout=http.timeout,
        http_client=http,
        open_telemetry=False,
    )


def _refusal(response: httpx2.Response, scrub: Scrub) -> Refusal:
    body = response.content[:MAX_ERROR_BYTES]
    path = response.request.url.path
    error = error_from_answer(response.status_code, response.headers, body, datetime.now(UTC), scrub, path)
    return Refusal(response.status_code, body, error)


def _lost(error: BaseException, scrub: Scrub) -> ProviderError:
    """What a failed connection is, by the moment at which it failed."""
    match error:
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            kind = ErrorKind.CONNECT
        case httpx2.ProxyError() | httpx2.UnsupportedProtocol():
            kind = ErrorKind.CONNECT
        case NotHttp():
            kind = ErrorKind.MALFORMED
        case _:
            kind = ErrorKind.INCOMPLETE
    return ProviderError(kind, scrub(f"{type(error).__name__}: {error}"))


def _reader(response: httpx2.Response, scrub: Scrub) -> Read:
    raw = reader_of(response)

    async def read() -> bytes:
        try:
            return await raw()
        except httpx2.TransportError as error:
            raise _lost(error, scrub) from error

    return read
