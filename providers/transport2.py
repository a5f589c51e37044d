"""The same as transport.py for httpx2, the fork that Anthropic's SDK takes: both put themselves over one pool.

httpx2's exceptions have the names of httpx's and are other classes (httpx2 2.16, 2026-11).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Self

import httpx2

from providers.pool import Broken, Fault, Incoming, Pool, Sending, limits_of


class NotHttp(httpx2.RemoteProtocolError):
    """The peer answered with something that is not HTTP."""


_ERRORS: Mapping[Fault, type[httpx2.TransportError]] = {
    Fault.CONNECT: httpx2.ConnectError,
    Fault.CONNECT_TIMEOUT: httpx2.ConnectTimeout,
    Fault.PROXY: httpx2.ProxyError,
    Fault.ADDRESS: httpx2.UnsupportedProtocol,
    Fault.WRITE: httpx2.WriteError,
    Fault.READ: httpx2.ReadError,
    Fault.READ_TIMEOUT: httpx2.ReadTimeout,
    Fault.CLOSED_EARLY: httpx2.RemoteProtocolError,
    Fault.NOT_HTTP: NotHttp,
}


class Body(httpx2.AsyncByteStream):
    """A response's bytes as they come off the socket. `aclose` before the end closes the connection at once."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    @property
    def is_whole(self) -> bool:
        """Every byte has arrived and been handed out; the connection is back in the pool."""
        return self._incoming.is_whole

    async def read(self) -> bytes:
        """What has arrived by now, at least a byte; b"" at the end. Raises httpx2.TransportError."""
        try:
            return await self._incoming.read()
        except Broken as error:
            raise _ERRORS[error.fault](str(error)) from error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes in the pieces they came in."""
        while chunk := await self.read():
            yield chunk

    async def aclose(self) -> None:
        """Close the connection, unless the body was read to its end and gave it back already."""
        self._incoming.close()


class Transport(httpx2.AsyncBaseTransport):
    """Sends over a pool that it does not own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; returns when the response's headers are there."""
        content = _content(request)  # first: it may take a header away
        connect, read = limits_of(request.extensions)
        repeatable = isinstance(request.stream, httpx2.ByteStream)
        sending = Sending(
            request.method, str(request.url), request.headers.raw, content, repeatable, connect, read
        )
        try:
            incoming = await self._pool.send(sending)
        except Broken as error:
            raise _ERRORS[error.fault](str(error)) from error
        body = Body(incoming)
        return httpx2.Response(
            incoming.status,
            headers=list(incoming.headers),
            stream=body,
            request=request,
            extensions={
                "http_version": b"HTTP/1.1",
                "reason_phrase": incoming.reason.encode(),
                _BODY: body,
            },
        )

    async def aclose(self) -> None:
        """Does nothing; the pool's owner closes the connections."""


def reader_of(response: httpx2.Response) -> Callable[[], Awaitable[bytes]]:
    """A function that gives the next bytes of a response's body, b"" at the end; raises httpx2.TransportError.

    Goes straight to the socket's reader where the response came from here and is not compressed.
    """
    body = response.extensions.get(_BODY)
    if isinstance(body, Body) and "content-encoding" not in response.headers:
        return body.read
    chunks = response.aiter_bytes()
    return lambda: anext(chunks, b"")


def is_whole(response: httpx2.Response) -> bool:
    """Every byte of the body has arrived and been read, so that the connection is back in the pool."""
    body = response.extensions.get(_BODY)
    return isinstance(body, Body) and body.is_whole


_BODY = "firstword.body"
"""Where a response of ours carries its body."""


def _content(request: httpx2.Request) -> bytes | AsyncIterator[bytes]:
    try:
        return request.content
    except httpx2.RequestNotRead:
        request.headers.pop("Transfer-Encoding", None)
        if not isinstance(request.stream, httpx2.AsyncByteStream):
            raise TypeError("a streamed request body must be asynchronous") from None
        return aiter(request.stream)


class _NoCookies(httpx2.Cookies):
    """Forgets what it is told; httpx2 would parse every response's cookies and send them to the next model."""

    def extract_cookies(self, response: httpx2.Response) -> None:
        pass

    def set_cookie_header(self, request: httpx2.Request) -> None:
        pass


class SharedClient(httpx2.AsyncClient):
    """A client whose owner is the pool: whoever uses it may close it without closing it for the others.

    Keeps no cookies, follows no redirects, reads no environment.
    """

    def __init__(self, transport: Transport, *, connect_timeout: float) -> None:
        timeout = httpx2.Timeout(None, connect=connect_timeout)
        self._none = _NoCookies()
        super().__init__(transport=transport, timeout=timeout, trust_env=False)

    @property
    def cookies(self) -> httpx2.Cookies:
        """Always empty."""
        return self._none

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        """Does nothing."""

    async def aclose(self) -> None:
        """Does nothing; the pool closes the connections."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Does nothing, like `aclose`."""
