"""One origin's connections over aiohttp, under whichever HTTP library a dialect or its SDK is written for.

httpx and httpx2 (the fork that Anthropic's SDK takes) each have exceptions and streams of their own; transport.py
and transport2.py put them around the same pool. What went wrong is told here by the moment it happened: `Fault`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import aiohttp
import yarl

if TYPE_CHECKING:
    from aiohttp.connector import Connection

READ_BYTES = 64 * 1024
"""Body bytes held per response before the peer is slowed down (aiohttp pauses reading at twice this)."""

LARGE_BODY_BYTES = 256 * 1024
"""A body beyond this gives the loop a turn between its pieces."""

_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Fault(Enum):
    """When a request failed. The first four: it was never sent."""

    CONNECT = auto()  # refused, unreachable, DNS, TLS, certificate, a closed pool
    CONNECT_TIMEOUT = auto()
    PROXY = auto()
    ADDRESS = auto()  # no URL that can be asked
    WRITE = auto()  # sent, at least in part
    READ = auto()
    READ_TIMEOUT = auto()
    CLOSED_EARLY = auto()  # sent; the peer closed before its answer was whole
    NOT_HTTP = auto()  # sent; the answer is not HTTP


class Broken(Exception):
    """A request failed; `fault` says when."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


def fault_of(error: aiohttp.ClientError | OSError) -> Fault:
    """What an exception of aiohttp means, most specific first."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return Fault.CONNECT_TIMEOUT
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return Fault.PROXY
        case aiohttp.ClientConnectorError() | aiohttp.ServerFingerprintMismatch():
            return Fault.CONNECT
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return Fault.ADDRESS
        case aiohttp.SocketTimeoutError() | TimeoutError():
            return Fault.READ_TIMEOUT
        case aiohttp.ClientResponseError():
            return Fault.NOT_HTTP
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return Fault.CLOSED_EARLY
        case aiohttp.ClientConnectionResetError():
            return Fault.WRITE
        case _:
            return Fault.READ


def _broken(error: aiohttp.ClientError | OSError) -> Broken:
    return Broken(fault_of(error), str(error) or type(error).__name__)


@dataclass(frozen=True, slots=True)
class Sending:
    """A request in no library's words. `repeatable`: its body is still there to be sent once more.

    `connect` and `read`: seconds for a connection and between two pieces of the answer; None: no limit.
    """

    method: str
    url: str
    headers: Sequence[tuple[bytes, bytes]]
    content: bytes | AsyncIterator[bytes]
    repeatable: bool
    connect: float | None = None
    read: float | None = None


class Incoming:
    """An answer's head, and its bytes as they come off the socket."""

    def __init__(self, response: aiohttp.ClientResponse, opened: set[Incoming]) -> None:
        self._response = response
        self._opened = opened
        opened.add(self)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def reason(self) -> str:
        """The words behind the status."""
        return self._response.reason or ""

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """As they came."""
        return self._response.raw_headers

    @property
    def is_whole(self) -> bool:
        """Every byte has arrived and been handed out; the connection is back in the pool."""
        return self._response.content.at_eof()

    async def read(self) -> bytes:
        """What has arrived by now, at least a byte; b"" at the end. Raises Broken."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(error) from error
        except RuntimeError as error:  # aiohttp's word for a connection that was closed on this side
            if "closed" not in str(error):
                raise
            raise Broken(Fault.READ, "the pool was closed") from error

    def close(self) -> None:
        """Close the connection, unless the body was read to its end and gave it back already."""
        self._opened.discard(self)
        self._response.close()


class Pool:
    """One origin's connections: no limit, no cookies, no redirects, no decompression, no proxy but the given one.

    `tls` makes the SSL context when it is first needed. A `refusal` is why no request can be sent at all. A kept
    connection that idled `stale_after` seconds and is dropped before a byte of the answer gets the request once
    more on another connection. (aiohttp itself sends a GET once more where the connection was dropped; never a
    POST.)
    """

    def __init__(
        self,
        *,
        keep_alive: float,
        tls: Callable[[], Awaitable[ssl.SSLContext]],
        proxy: str | None = None,
        refusal: str = "",
        stale_after: float,
    ) -> None:
        self._keep_alive = keep_alive
        self._tls = tls
        self._proxy = proxy
        self._refusal = refusal
        self._stale_after = stale_after
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._incoming: set[Incoming] = set()

    async def send(self, sending: Sending) -> Incoming:
        """Send a request; returns when the answer's head is there. Raises Broken."""
        session = self._session or await self._open(sending.url)
        try:
            try:
                response = await self._send(session, sending)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if isinstance(error, aiohttp.ClientConnectorError) or not self._may_repeat(sending):
                    raise
                response = await self._send(session, sending)
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(error) from error
        except UnicodeError as error:  # a host name that no resolver takes; Python raises this, no OSError
            host = yarl.URL(sending.url, encoded=True).host
            raise Broken(Fault.CONNECT, f"{host!r} is no host name: {error}") from error
        except RuntimeError as error:  # aiohttp's "Session is closed"
            if not self._closed:
                raise
            raise Broken(Fault.CONNECT, "the pool is closed") from error
        return Incoming(response, self._incoming)

    async def aclose(self) -> None:
        """Close every connection, streams included. Requests made later fail."""
        self._closed = True
        # whoever waits for the next bytes is woken; aiohttp would leave them waiting
        for incoming in list(self._incoming):
            incoming.close()
        if self._session is not None:
            await self._session.close()

    async def _open(self, url: str) -> aiohttp.ClientSession:
        async with self._opening:
            if self._closed:
                raise Broken(Fault.CONNECT, "the pool is closed")
            if self._refusal:
                raise Broken(Fault.PROXY, self._refusal)
            if self._session is None:
                connector = _Connector(
                    limit=0,
                    keepalive_timeout=self._keep_alive,
                    ttl_dns_cache=60,
                    ssl=await self._tls() if url.startswith("https:") else True,
                )
                self._session = aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    skip_auto_headers=_AUTOMATIC,
                    read_bufsize=READ_BYTES,
                )
            return self._session

    def _may_repeat(self, sending: Sending) -> bool:
        """The connection may have been closed before the request came, and the body is still there."""
        return _IDLE.get() >= self._stale_after and sending.repeatable

    async def _send(self, session: aiohttp.ClientSession, sending: Sending) -> aiohttp.ClientResponse:
        _IDLE.set(_FRESH)
        return await session.request(
            sending.method,
            yarl.URL(sending.url, encoded=True),
            headers=[(name.decode("ascii"), value.decode("latin-1")) for name, value in sending.headers],
            data=_data(sending.content),
            allow_redirects=False,
            proxy=self._proxy,
            timeout=aiohttp.ClientTimeout(connect=sending.connect, sock_read=sending.read),
        )


def _data(content: bytes | AsyncIterator[bytes]) -> bytes | BytesIO | AsyncIterator[bytes] | None:
    """aiohttp sends bytes together with the head, and a large file piece by piece."""
    if not isinstance(content, bytes):
        return content
    return BytesIO(content) if len(content) > LARGE_BODY_BYTES else content or None


_FRESH = -1.0

_IDLE: ContextVar[float] = ContextVar("idle", default=_FRESH)
"""Seconds that the connection of this task's request had idled; _FRESH for a new one."""


class _Connector(aiohttp.TCPConnector):
    """Measures how long a kept connection has idled when it is handed out again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._released: WeakKeyDictionary[object, float] = WeakKeyDictionary()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        since = self._released.get(protocol)
        _IDLE.set(_FRESH if since is None else self._loop.time() - since)
        connection.add_callback(partial(self._note, protocol))
        return connection

    def _note(self, protocol: object) -> None:
        self._released[protocol] = self._loop.time()


def limits_of(extensions: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The limits for connecting and for reading of a request's extensions, as both libraries write them."""
    limits = extensions.get("timeout") or {}
    return limits.get("connect"), limits.get("read")
