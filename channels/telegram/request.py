"""The transport under python-telegram-bot: aiohttp, JSON bodies, orjson, one deadline a call.

A send costs 0.26 ms of CPU this way and 0.71 ms with the library's own httpx transport (python-telegram-bot 22.8,
2026-11). The bot's token is part of every URL, so no exception of aiohttp leaves this file and none is chained.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from telegram.error import NetworkError, TelegramError
from telegram.request import BaseRequest, RequestData

# Connections to one Bot API server. Above it calls wait for a free one, within their deadline.
MAX_CONNECTIONS = 512
# A server that does not take the connection within this time is not there; nothing was sent.
CONNECT_SECONDS = 5.0
# Shorter than the usual 60-75 s of an HTTP server, so that a call seldom meets a connection that is being closed.
KEEP_ALIVE_SECONDS = 30.0

TOO_MANY = 429
_JSON = {"Content-Type": "application/json"}


class NeverSent(NetworkError):
    """No connection: the call has certainly not been carried out."""


class MaybeSent(NetworkError):
    """The connection broke or the deadline passed after the call had gone out."""


class Flooded(TelegramError):
    """429 with the seconds to wait. The library's own RetryAfter warns of a coming change whenever it is made."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"retry after {retry_after:g} s")
        self.retry_after = retry_after


def _proxy_for(base_url: str, configured: str | None) -> str | None:
    """The proxy for all calls, looked up once: aiohttp's trust_env would do it for every request."""
    if configured is not None:
        return configured
    parts = urlsplit(base_url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)


def _new_session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=MAX_CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=300
    )
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


@dataclass(frozen=True, slots=True)
class _Arguments:
    """As much of the library's RequestData as `do_request` reads."""

    parameters: dict[str, Any]
    contains_files: bool = False


class AiohttpRequest(BaseRequest):
    """One pool of connections. `deadline` is for calls that name none (as `read_timeout`), in seconds.

    Calls made while the pool is closed (the last answers of a daemon that drains) open a connection of their own.
    """

    __slots__ = ("_deadline", "_in_flight", "_old", "_proxy", "_session", "_timeouts")

    def __init__(self, base_url: str, *, deadline: float, proxy: str | None = None) -> None:
        self._deadline = deadline
        self._proxy = _proxy_for(base_url, proxy)
        self._session: aiohttp.ClientSession | None = None
        self._old: list[aiohttp.ClientSession] = []
        self._in_flight = 0
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    @property
    def read_timeout(self) -> float:
        """The default deadline, seconds."""
        return self._deadline

    async def initialize(self) -> None:
        """Make the pool; no connection is opened yet."""
        if self._session is None:
            self._session = _new_session()

    async def shutdown(self) -> None:
        """Close the pool; calls that are under way end first."""
        if self._session is not None:
            self._old.append(self._session)
            self._session = None
        await self._close_old()

    async def rebuild(self) -> None:
        """Throw the connections away and start over: the cure for one that hangs."""
        await self.shutdown()
        await self.initialize()

    async def _close_old(self) -> None:
        while self._old and not self._in_flight:
            await self._old.pop().close()

    def _timeout(self, seconds: float) -> aiohttp.ClientTimeout:
        found = self._timeouts.get(seconds)
        if found is None:
            found = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))
            if len(self._timeouts) < 32:
                self._timeouts[seconds] = found
        return found

    async def do_request(  # noqa: PLR0917  (the library's signature)
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """One call; `read_timeout` is the deadline for all of it. Raises NeverSent or MaybeSent."""
        seconds = read_timeout if isinstance(read_timeout, int | float) else self._deadline
        body: bytes | None = None
        if request_data is not None:
            if request_data.contains_files:
                raise TelegramError("this transport sends no files")
            body = orjson.dumps(request_data.parameters)
        status, payload = await self.call(method, url, body, seconds)
        if status == TOO_MANY and (wait := retry_after(payload)) is not None:
            raise Flooded(wait)
        return status, payload

    async def invoke(self, url: str, args: dict[str, Any], seconds: float) -> Any:
        """One method of the Bot API; its result as JSON. Raises what the library raises.

        For what is called many times a second: the library's own methods build an object for the message, each of
        its entities and its quote (0.25 ms for six entities, 22.8, 2026-11), and nothing here would read them.
        """
        return await self.post(url, cast("RequestData", _Arguments(args)), read_timeout=seconds)

    async def call(self, method: str, url: str, body: bytes | None, seconds: float) -> tuple[int, bytes]:
        """Status and body. Raises NeverSent or MaybeSent, whose texts hold no URL."""
        async with self._open(method, url, body, seconds) as response:
            return response.status, await response.read()

    async def download(self, url: str, max_bytes: int, seconds: float) -> tuple[int, bytes | None]:
        """Status and body of a GET; the body is None when it is longer than `max_bytes`."""
        async with self._open("GET", url, None, seconds) as response:
            if (response.content_length or 0) > max_bytes:
                return response.status, None
            found = bytearray()
            async for chunk in response.content.iter_any():
                found += chunk
                if len(found) > max_bytes:
                    return response.status, None
            return response.status, bytes(found)

    @asynccontextmanager
    async def _open(
        self, method: str, url: str, body: bytes | None, seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        session = self._session or _new_session()
        self._in_flight += 1
        try:
            async with session.request(
                method,
                url,
                data=body,
                headers=_JSON if body is not None else None,
                timeout=self._timeout(seconds),
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise NeverSent(type(error).__name__) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise MaybeSent(type(error).__name__) from None
        finally:
            self._in_flight -= 1
            if session is not self._session and session not in self._old:
                await session.close()
            if self._old:
                await self._close_old()

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The object in a body. Raises TelegramError; a lone surrogate in an escape is let through."""
        found = loads(payload)
        if not isinstance(found, dict):
            raise TelegramError("Invalid server response")
        return found


def loads(payload: bytes) -> Any:
    """JSON by orjson, and by the standard library where orjson is too strict (escaped lone surrogates).

    Raises TelegramError, without the payload.
    """
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(payload.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise TelegramError("Invalid server response") from None


def retry_after(payload: bytes) -> float | None:
    """The seconds that a 429 names, None when it names none."""
    try:
        found = loads(payload)
    except TelegramError:
        return None
    parameters = found.get("parameters") if isinstance(found, dict) else None
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return float(seconds) if isinstance(seconds, int | float) else None


def quiet_library_logs() -> None:
    """Keep the library's debug lines out of every log: they hold the token and the texts of messages."""
    for name in ("telegram", "telegram.Bot"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))
