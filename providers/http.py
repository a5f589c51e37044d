"""HTTP for providers: one pool per origin, shared by all, under httpx and httpx2 alike.

Importing this costs nothing; httpx, httpx2 and aiohttp load when the first client of theirs is asked for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

    import httpx

    from providers.pool import Pool

CONNECT_TIMEOUT = 3.0
"""Seconds for DNS, TCP and TLS together."""

KEEP_ALIVE = 120.0
"""Seconds that an idle connection is kept: people pause longer than httpx's default of 5."""

STALE_AFTER = 2.0
"""Seconds. A kept connection that idled longer may be closed by the server just as it is used again.
Servers close idle connections after 5 s (Node, uvicorn) to 75 s (nginx); their docs, 2026-11."""


class Pools:
    """HTTP clients over one pool per origin. Is the `connect` that providers are opened with.

    The clients are shared: closing one does nothing, closing the pools closes everything. HTTP_PROXY,
    HTTPS_PROXY, ALL_PROXY and NO_PROXY are honoured where `trust_env` is set, for http:// proxies (an https
    origin is tunnelled with CONNECT), any other kind fails every request; loopback is never sent through a proxy.
    """

    def __init__(
        self,
        *,
        keep_alive: float = KEEP_ALIVE,
        connect_timeout: float = CONNECT_TIMEOUT,
        stale_after: float = STALE_AFTER,
        trust_env: bool = True,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._keep_alive = keep_alive
        self._connect_timeout = connect_timeout
        self._stale_after = stale_after
        self._proxies = proxies(os.environ if environ is None else environ) if trust_env else {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._pools: dict[str, Pool] = {}
        self._context: ssl.SSLContext | None = None
        self._making_context = asyncio.Lock()

    def __call__(self, origin: str, stack: str = "httpx") -> Any:
        """The client for `origin` ("https://api.example.com"); a longer URL is cut to its origin.

        `stack`: "httpx" or "httpx2", whose AsyncClient it is; both use the origin's one pool. Timeouts: connecting
        only; how long to wait for an answer is the caller's business.
        """
        client = self._clients.get((origin, stack))
        if client is None:
            key = origin_of(origin)
            client = self._clients.get((key, stack))
            if client is None:
                client = self._clients[key, stack] = self._make(key, stack)
        return client

    def client(self, origin: str) -> httpx.AsyncClient:
        """The httpx client for `origin`."""
        client: httpx.AsyncClient = self(origin)
        return client

    async def aclose(self) -> None:
        """Close every connection, open streams included."""
        for pool in self._pools.values():
            await pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _make(self, origin: str, stack: str) -> Any:
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = self._pool(origin)
        if stack == "httpx2":
            from providers import transport2

            return transport2.SharedClient(transport2.Transport(pool), connect_timeout=self._connect_timeout)
        if stack != "httpx":
            raise ValueError(f"{stack!r} is no HTTP stack; known: httpx, httpx2")
        from providers import transport

        return transport.SharedClient(transport.Transport(pool), connect_timeout=self._connect_timeout)

    def _pool(self, origin: str) -> Pool:
        from providers.pool import Pool

        proxy, refusal = None, ""
        try:
            proxy = proxy_for(origin, self._proxies)
        except ValueError as error:  # told with every request: a start without this provider may be fine
            refusal = str(error)
        return Pool(
            keep_alive=self._keep_alive,
            tls=self._tls,
            proxy=proxy,
            refusal=refusal,
            stale_after=self._stale_after,
        )

    async def _tls(self) -> ssl.SSLContext:
        import httpx

        async with self._making_context:
            if self._context is None:  # about 20 ms of reading certificates, so not on the loop
                self._context = await asyncio.to_thread(httpx.create_ssl_context)
            return self._context


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL. ValueError for what is no http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is no http:// or https:// address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port}" if parts.port else f"{parts.scheme}://{host}"


def is_loopback(url: str) -> bool:
    """The URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The proxy variables of an environment by scheme ("http", "https", "all", "no"), lower case before upper."""
    found: dict[str, str] = {}
    for scheme in ("http", "https", "all", "no"):
        value = environ.get(f"{scheme}_proxy") or environ.get(f"{scheme}_proxy".upper())
        if value:
            found[scheme] = value
    return found


def proxy_for(origin: str, found: Mapping[str, str]) -> str | None:
    """The proxy that requests to `origin` go through. ValueError for a kind of proxy that is not supported."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    proxy = found.get(parts.scheme) or found.get("all")
    if proxy is None or is_loopback(origin) or _is_exempt(host, found.get("no", "")):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    scheme = urlsplit(proxy).scheme
    if scheme != "http":
        raise ValueError(f"{parts.scheme.upper()}_PROXY: {scheme}:// is not supported; allowed: http://")
    return proxy


def _is_exempt(host: str, no_proxy: str) -> bool:
    """The host or a domain above it stands in NO_PROXY ("*" stands for every host)."""
    names = [name.strip().lower().lstrip(".") for name in no_proxy.split(",")]
    return any(name and (name in {"*", host} or host.endswith(f".{name}")) for name in names)
