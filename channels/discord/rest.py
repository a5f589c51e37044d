"""The REST API over one pool of connections: no call ever waits for a bucket inside.

discord.py's own client sleeps in its limiter, silently and for as long as the bucket says, while newer text waits
behind the older edit; its 429s are slept out up to five times. Nothing of that can be switched off:
`max_ratelimit_timeout` is 30 s at least (discord/http.py 2.7.1, HTTPClient.__init__). Here a write that a bucket does
not allow is refused at once with the seconds to wait, and delivery, which knows what is newest, decides. It also lets
two accounts talk to two servers; in discord.py the address is one class attribute for the whole process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson

from channels.discord.buckets import Buckets
from channels.discord.problems import is_global, problem, retry_after
from channels.discord.timing import Timing
from channels.errors import ChannelError, RateLimited, TooLong, Unavailable

Json = dict[str, Any]

# Discord docs, Reference, User Agent (2026-11): "DiscordBot (url, version)"; others may be blocked. Assumed: a name
# does where a project has no address.
USER_AGENT = "DiscordBot (firstword, 0.1) aiohttp"
_MAX_ANSWER = 8_000_000
_CHUNK = 65_536


class Rest:
    """One account's calls. `clock` is the loop's kind of time; `signal` counts what the channel refused."""

    def __init__(
        self,
        base: str,
        token: str,
        buckets: Buckets,
        timing: Timing,
        *,
        proxy: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        signal: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._base = base
        self._token = token
        self._buckets = buckets
        self._timing = timing
        self._proxy = proxy
        self._clock = clock
        self._signal = signal
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Rest({self._base!r})"

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pool, also for the gateway; made on first use within the running loop."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, limit_per_host=100, keepalive_timeout=60, ttl_dns_cache=300
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT},
                trust_env=self._proxy is None,
            )
        return self._session

    @property
    def proxy(self) -> str | None:
        """The proxy that was set, if any."""
        return self._proxy

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """A call that shows nothing. Raises ChannelError."""
        return await self.call(method, path, body, seconds=self._timing.ask, query=query, is_write=False)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        seconds: float,
        scope: str = "",
        query: Json | None = None,
        is_write: bool = True,
        is_open: bool = False,
    ) -> Any:
        """The decoded answer, None for an empty one. Raises ChannelError, RateLimited also before anything is sent.

        `scope`: the bucket it draws on, "" for one that is not followed. `is_open`: the path carries a token of its
        own, so that the bot's is not sent and the bot's limits do not count (interactions).
        """
        if scope and (wait := self._buckets.begin(scope, self._clock())) > 0:
            raise RateLimited(wait, scope, "held back")
        try:
            status, headers, raw = await self._exchange(
                method, path, body, seconds, query, is_write=is_write, is_open=is_open
            )
        except BaseException:
            if scope:
                self._buckets.lost(scope)
            raise
        now = self._clock()
        if scope:
            self._buckets.told(scope, headers, now)
        answer = _decoded(raw)
        if 200 <= status < 300:
            return answer
        if status == 429:
            self._signal("rate_limited")
            wait = retry_after(answer if isinstance(answer, dict) else {}, headers)
            self._buckets.refused(scope, wait, now, is_global=is_global(answer, headers) and not is_open)
        raise problem(status, answer, headers, scope=scope, is_write=is_write)

    async def _exchange(
        self,
        method: str,
        path: str,
        body: Any,
        seconds: float,
        query: Json | None,
        *,
        is_write: bool,
        is_open: bool,
    ) -> tuple[int, Any, bytes]:
        """One request. Exceptions are never chained: the library's may quote the path, which may hold a token."""
        headers = {} if is_open else {"Authorization": f"Bot {self._token}"}
        data = None
        if body is not None:
            data = orjson.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            async with asyncio.timeout(seconds):
                request = self.session.request(
                    method,
                    self._base + path,
                    data=data,
                    headers=headers,
                    params={key: str(value) for key, value in (query or {}).items()},
                    proxy=self._proxy,
                    allow_redirects=False,
                )
                async with request as response:
                    raw = await response.content.read(_MAX_ANSWER)
                    while len(raw) < _MAX_ANSWER and not response.content.at_eof():
                        raw += await response.content.read(_MAX_ANSWER - len(raw))
                    return response.status, response.headers, raw
        except aiohttp.ClientConnectorError:
            raise Unavailable("Discord cannot be reached") from None
        except TimeoutError:
            raise Unavailable("no answer within the deadline", maybe_sent=is_write) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(type(error).__name__, maybe_sent=is_write) from None

    async def download(self, url: str, max_bytes: int) -> bytes | None:
        """A file of the CDN; None when it is there no more. Follows no redirect. Raises ChannelError."""
        try:
            async with (
                asyncio.timeout(self._timing.download),
                self.session.get(url, proxy=self._proxy, allow_redirects=False) as response,
            ):
                if response.status in (401, 403, 404, 410):
                    return None
                if response.status != 200:
                    raise Unavailable(f"the file was answered with HTTP status {response.status}")
                if (response.content_length or 0) > max_bytes:
                    raise TooLong(f"{response.content_length} of {max_bytes} bytes")
                parts, size = [], 0
                async for chunk in response.content.iter_chunked(_CHUNK):
                    parts.append(chunk)
                    size += len(chunk)
                    if size > max_bytes:
                        raise TooLong(f"more than {max_bytes} bytes")
                return b"".join(parts)
        except ChannelError:
            raise
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the file could not be fetched: {type(error).__name__}") from None


def _decoded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return None
