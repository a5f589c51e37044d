"""Calls of the Client-Server API. The one place of this adapter where HTTP is spoken for what people see.

matrix-nio is not used for it: its calls keep no deadline of the caller's, come back as typed objects that leave out
what their schemas do not know (a thread, an edit), and one malformed room spoils a whole sync. It keeps the keys.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from channels.errors import ChannelError, Gone, GoneWhat, Refused, TooLong, Unavailable
from channels.matrix.problems import problem

# A sync after a long absence is large; beyond this something is wrong with it.
_MAX_BODY = 256 * 2**20
_CHUNK = 2**16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
# Matrix specification v1.16, "Matrix Content (mxc://) URIs" and "Server Name"; with dots alone a path would lead away.
_MXC = re.compile(r"mxc://([A-Za-z0-9.:\[\]-]*[A-Za-z0-9\]])/([A-Za-z0-9_-]+)")

Fetch = Callable[[str, int], Awaitable[bytes]]
"""See channels.base.Host.fetch."""


def path(*parts: str, version: str = "v3") -> str:
    """A path of the Client-Server API with every part percent-encoded."""
    return f"/_matrix/client/{version}/" + "/".join(quote(part, safe="") for part in parts)


class Wire:
    """One account's way to its homeserver. The token goes into a header, never into an address or an error."""

    def __init__(self, homeserver: str, proxy: str | None = None) -> None:
        self.homeserver = homeserver
        self.token = ""
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Wire({self.homeserver!r})"

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pool, made on first use; the store of keys makes its calls through it too."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=30),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                trust_env=self._proxy is None,
                proxy=self._proxy,
            )
            # aiohttp repeats a PUT by itself when a kept connection breaks; who writes has to hear of it, as only
            # delivery knows whether the text is still wanted.
            self._session._retry_connection = False  # noqa: SLF001
        return self._session

    async def close(self) -> None:
        """Hang up. The next call makes a new pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(
        self,
        method: str,
        where: str,
        body: Mapping[str, Any] | None = None,
        *,
        seconds: float,
        query: Mapping[str, str] | None = None,
        scope: str = "",
        is_write: bool = False,
    ) -> dict[str, Any]:
        """The answer's JSON object. Raises ChannelError; the call ends within `seconds`."""
        url = URL(self.homeserver + where + (f"?{urlencode(query)}" if query else ""), encoded=True)
        data = None if body is None else orjson.dumps(body)
        try:
            async with (
                asyncio.timeout(seconds),
                self.session.request(method, url, data=data, headers=self._headers()) as answer,
            ):
                raw = await _read(answer, _MAX_BODY)
                status, retry_after = answer.status, answer.headers.get("Retry-After")
        except (OSError, aiohttp.ClientError) as error:  # TimeoutError is an OSError
            raise _unreachable(error, is_write=is_write) from None
        found = _json(raw)
        if 200 <= status < 300 and isinstance(found, dict):
            return found
        if 200 <= status < 300:
            raise Unavailable("the homeserver's answer is no JSON object", maybe_sent=is_write)
        raise problem(status, found, scope=scope, is_write=is_write, retry_after=retry_after)

    async def download(self, mxc: str, max_bytes: int, seconds: float, fetch: Fetch) -> bytes:
        """The bytes behind an mxc:// address. Raises TooLong beyond `max_bytes`, Gone when there is nothing.

        `fetch`: for what the homeserver says lies elsewhere; the token does not go there (Client-Server API v1.11,
        "Content repository", 2026-11: answers 307 and 308).
        """
        found = _MXC.fullmatch(mxc)
        if found is None:
            raise Gone(GoneWhat.MESSAGE, "not a Matrix media address")
        server, media = found.groups()
        try:
            return await self._media(
                path("media", "download", server, media, version="v1"), max_bytes, seconds, fetch
            )
        except Refused as error:
            if error.code != "no_such_method":
                raise
        # A homeserver from before v1.11 knows only the address without authentication.
        old = f"/_matrix/media/v3/download/{quote(server, safe='')}/{quote(media, safe='')}"
        return await self._media(old, max_bytes, seconds, fetch)

    async def _media(self, where: str, max_bytes: int, seconds: float, fetch: Fetch) -> bytes:
        url = URL(self.homeserver + where, encoded=True)
        for _ in range(_MOST_REDIRECTS + 1):
            found = await self._one(url, max_bytes, seconds)
            if isinstance(found, bytes):
                return found
            if found.origin() != url.origin():
                return await fetch(str(found), max_bytes)
            url = found
        raise Gone(GoneWhat.MESSAGE, "the homeserver sends from one address to the next")

    async def _one(self, url: URL, max_bytes: int, seconds: float) -> bytes | URL:
        """What lies there, or where the homeserver says it does."""
        try:
            async with (
                asyncio.timeout(seconds),
                self.session.get(url, headers=self._headers(), allow_redirects=False) as answer,
            ):
                if answer.status in _REDIRECTS and (target := answer.headers.get("Location")):
                    return url.join(URL(target))
                if answer.status != 200:
                    found = problem(answer.status, _json(await _read(answer, _CHUNK)))
                    raise Gone(GoneWhat.MESSAGE, "not found") if isinstance(found, Gone) else found
                if (answer.content_length or 0) > max_bytes:
                    raise TooLong(f"{answer.content_length} of {max_bytes} bytes")
                return await _read(answer, max_bytes)
        except (OSError, aiohttp.ClientError) as error:
            raise _unreachable(error, is_write=False) from None
        except ValueError:
            raise Gone(GoneWhat.MESSAGE, "the homeserver names no address") from None

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers


async def _read(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    pieces, size = [], 0
    async for piece in answer.content.iter_chunked(_CHUNK):
        size += len(piece)
        if size > max_bytes:
            raise TooLong(f"more than {max_bytes} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _json(raw: bytes) -> Any:
    """None where it is no JSON. Half a surrogate pair, which orjson refuses, must not spoil a whole sync."""
    try:
        return orjson.loads(raw)
    except ValueError:
        pass
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _unreachable(error: Exception, *, is_write: bool) -> ChannelError:
    """Why there was no answer. The library's own text may hold addresses; its class says enough."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ServerTimeoutError) and not isinstance(
        error, aiohttp.SocketTimeoutError
    ):
        return Unavailable("the homeserver cannot be reached")
    what = (
        "no answer in time"
        if isinstance(error, TimeoutError)
        else f"connection lost ({type(error).__name__})"
    )
    return Unavailable(what, maybe_sent=is_write)
