"""Calls of the Web API: one pool of connections, a deadline for each, errors as ChannelError.

slack_sdk's client makes them, without its retries: it repeats a call when the connection breaks, which would post a
message twice (slack_sdk 3.47, http_retry.builtin_async_handlers, 2026-11).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from channels.base import Host
from channels.errors import Gone, GoneWhat, RateLimited, Unavailable
from channels.slack.problems import problem

MAX_CONNECTIONS = 512
CONNECT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 30.0


def quiet_library_logs() -> None:
    """Keep the library's lines out of every log: they hold the texts of messages and addresses with tickets."""
    for name in ("slack_sdk", "slack_sdk.web.async_base_client", "slack_sdk.socket_mode"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.ERROR))
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def proxy_for(url: str, configured: str | None) -> str | None:
    """The proxy for a server: the configured one, else that of the environment unless NO_PROXY names the server."""
    if configured is not None:
        return configured
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get({"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme))


class Api:
    """One token's way to the Web API. Calls before `open` and after `close` open a connection of their own."""

    def __init__(
        self,
        token: str,
        base: str,
        *,
        proxy: str | None = None,
        host: Host | None = None,
        seconds: float = 10.0,
    ) -> None:
        quiet_library_logs()
        self._base = base
        self._token = token
        self._configured_proxy = proxy
        self._host = host
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None
        self._is_open = False
        self._in_flight = 0
        self._client = AsyncWebClient(token, base_url=base, retry_handlers=[])
        self._client.proxy = proxy_for(base, proxy)

    def __repr__(self) -> str:
        return f"Api({self._base!r})"

    async def open(self) -> None:
        """Keep one pool from now on."""
        self._is_open = True

    async def close(self) -> None:
        """Close the pool; calls that are under way end first, later ones have a pool of their own."""
        self._is_open = False
        await self._close_unused()

    @asynccontextmanager
    async def _use(self) -> AsyncIterator[aiohttp.ClientSession]:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=MAX_CONNECTIONS, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=300
            )
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
            self._client.session = self._session
        self._in_flight += 1
        try:
            yield self._session
        finally:
            self._in_flight -= 1
            await self._close_unused()

    async def _close_unused(self) -> None:
        if self._is_open or self._in_flight:
            return
        session, self._session, self._client.session = self._session, None, None
        if session is not None:
            await session.close()

    async def write(
        self, method: str, args: dict[str, Any], *, seconds: float, scope: str = "", shows: bool = True
    ) -> dict[str, Any]:
        """Call a method with JSON. `shows`: a person sees its effect, so a lost answer leaves that open.

        Raises ChannelError; `scope` names the budget in RateLimited.
        """
        return (await self._call(method, seconds, scope, shows=shows, json=args))[0]

    async def ask(
        self, method: str, args: dict[str, Any] | None = None, *, seconds: float | None = None
    ) -> dict[str, Any]:
        """Call a method that only reads, with a query. Raises ChannelError."""
        params = {name: str(value) for name, value in (args or {}).items()}
        found = await self._call(method, seconds or self._seconds, method, shows=False, params=params)
        return found[0]

    async def sign_in(self) -> tuple[dict[str, Any], frozenset[str]]:
        """The answer of auth.test, and the scopes that the token was given. Raises ChannelError."""
        data, headers = await self._call("auth.test", self._seconds, "", shows=False, json={})
        scopes = str(headers.get("x-oauth-scopes", ""))
        return data, frozenset(scope.strip() for scope in scopes.split(",") if scope.strip())

    async def open_socket(self) -> str:
        """A fresh address for Socket Mode, good for one connection. Raises ChannelError."""
        data, _ = await self._call("apps.connections.open", self._seconds, "", shows=False, json={})
        url = data.get("url")
        if not isinstance(url, str) or not url.startswith(("ws://", "wss://")):
            raise Unavailable("Slack named no address for a socket")
        return url

    async def respond(self, url: str, body: dict[str, Any], *, seconds: float) -> None:
        """Post to a response_url. Raises ChannelError."""
        async with self.post(url, body, seconds) as response:
            if response.status == 429:
                raise RateLimited(1.0, "", "too many answers to one command")
            if response.status >= 500:
                raise Unavailable(f"HTTP status {response.status}", maybe_sent=True)
            text = (await response.content.read(200)).decode("utf-8", "replace")
        is_ok = text.strip().lower() in ("", "ok") or '"ok":true' in text.replace(" ", "")
        if response.status != 200 or not is_ok:
            raise Gone(GoneWhat.CONVERSATION, "the answer to this command came too late")

    @asynccontextmanager
    async def post(
        self, url: str, body: dict[str, Any], seconds: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A JSON request without the token. Raises Unavailable."""
        proxy = proxy_for(url, self._configured_proxy)
        try:
            async with (
                asyncio.timeout(seconds),
                self._use() as session,
                session.post(url, json=body, allow_redirects=False, proxy=proxy) as response,
            ):
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise problem(error) from None

    @asynccontextmanager
    async def download(self, url: str, seconds: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """A GET with the token; the caller has made sure that it is Slack's. Raises Unavailable."""
        headers = {"Authorization": f"Bearer {self._token}"}
        proxy = proxy_for(url, self._configured_proxy)
        try:
            async with (
                asyncio.timeout(seconds),
                self._use() as session,
                session.get(url, headers=headers, allow_redirects=False, proxy=proxy) as response,
            ):
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise problem(error, is_write=False) from None

    async def _call(
        self, method: str, seconds: float, scope: str, *, shows: bool, **args: Any
    ) -> tuple[dict[str, Any], Any]:
        verb = "GET" if "params" in args else "POST"
        try:
            async with asyncio.timeout(seconds), self._use():
                response = await self._client.api_call(method, http_verb=verb, **args)
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            found = problem(error, scope=scope, is_write=shows)
            if isinstance(found, RateLimited) and self._host is not None:
                self._host.signal("rate_limited")
            raise found from None
        except ValueError:  # an answer that is no JSON
            raise Unavailable("the server answered with something else than JSON", maybe_sent=shows) from None
        data: Any = response.data
        return (data if isinstance(data, dict) else {}), response.headers
