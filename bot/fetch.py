"""The one fetcher for addresses that people, files or models name: what is public, within bounds, as bytes.

It looks a name up, checks every address that it leads to and connects to exactly those, anew for each redirect, so
that no name leads into a network of our own. It sends no cookie, no key and no referrer, and asks no proxy, behind
which it could not tell where it goes.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.addresses import Forbidden, all_public, checked, redirected
from bot.errors import BotError

if TYPE_CHECKING:
    import aiohttp

MAX_BYTES = 20 * 1024 * 1024
DEADLINE = 10.0
"""Seconds from the first look-up to the last byte, redirects included."""

MAX_REDIRECTS = 3
USER_AGENT = "firstword (a chat bot that was sent this address)"

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port -> the addresses behind them, as text. Raises OSError."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PIECE = 65536


class Fault(StrEnum):
    """Why there are no bytes."""

    FORBIDDEN = "forbidden"  # the address may not be asked; `detail` says why
    UNKNOWN = "unknown"  # nobody has that name
    UNREACHABLE = "unreachable"  # no connection, or it broke
    STATUS = "status"  # an answer, but not the thing; `detail` is the status
    REDIRECTS = "redirects"  # too many, or to nowhere
    KIND = "kind"  # not what was asked for; `detail` is its media type
    TOO_LARGE = "too large"
    TOO_SLOW = "too slow"
    DAMAGED = "damaged"  # packed in a way that cannot be unpacked


class FetchError(BotError):
    """Nothing was fetched. `detail`: a word or two, never the address: keys stand in addresses."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault}: {detail}" if detail else str(fault))
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address held. `mime` as the server said it, parameters and all; `url` after redirects."""

    data: bytes = field(repr=False)
    mime: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches. `resolve` and `allows` are the look-up and the rule over addresses; a test hands in its own."""

    resolve: Resolve
    allows: Callable[[Sequence[str]], bool] = all_public
    deadline: float = DEADLINE

    async def get(self, url: str, *, max_bytes: int = MAX_BYTES, kinds: Sequence[str] = ()) -> Fetched:
        """GET. `kinds`: beginnings of the media types that are wanted ("image/"), () for any. Raises FetchError."""
        try:
            async with asyncio.timeout(self.deadline):
                return await self._get(checked(url), max_bytes, kinds)
        except TimeoutError:
            raise FetchError(Fault.TOO_SLOW) from None
        except Forbidden as error:
            raise FetchError(Fault.FORBIDDEN, str(error.why)) from None

    async def _get(self, url: str, max_bytes: int, kinds: Sequence[str]) -> Fetched:
        import aiohttp

        try:
            for _ in range(MAX_REDIRECTS + 1):
                async with (
                    await self._session(url) as session,
                    session.get(url, allow_redirects=False) as answer,
                ):
                    target = answer.headers.get("Location", "")
                    if answer.status not in _REDIRECTS or not target:
                        return await _body(answer, url, max_bytes, kinds)
                url = redirected(url, target)
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            raise FetchError(Fault.UNREACHABLE, type(error).__name__) from None
        raise FetchError(Fault.REDIRECTS)

    async def _session(self, url: str) -> aiohttp.ClientSession:
        """A session for one request, which can reach the addresses that were checked and none else."""
        import aiohttp

        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = parts.hostname or ""
        try:
            found = await self.resolve(host, port)
        except OSError:
            raise FetchError(Fault.UNKNOWN) from None
        if not self.allows(found):
            raise FetchError(Fault.FORBIDDEN, "private")
        connector = aiohttp.TCPConnector(resolver=_pinned(host, found), force_close=True, use_dns_cache=False)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # the whole has one deadline already
            headers={"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
            max_line_size=16384,
            max_field_size=16384,
        )


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses behind a name, as this machine's resolver knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _pinned(host: str, addresses: Sequence[str]) -> Any:
    """A resolver that knows one name and these addresses."""
    import aiohttp.abc

    class Pinned(aiohttp.abc.AbstractResolver):
        async def resolve(
            self, host_: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[aiohttp.abc.ResolveResult]:
            if host_.strip("[]").lower().rstrip(".") != host:
                raise OSError("a name that nobody has checked")
            return [
                {
                    "hostname": host_,
                    "host": each,
                    "port": port,
                    "family": socket.AF_INET6 if ":" in each else socket.AF_INET,
                    "proto": socket.IPPROTO_TCP,
                    "flags": socket.AI_NUMERICHOST,
                }
                for each in addresses
            ]

        async def close(self) -> None:
            """Nothing is open."""

    return Pinned()


async def _body(answer: aiohttp.ClientResponse, url: str, max_bytes: int, kinds: Sequence[str]) -> Fetched:
    if answer.status != 200:
        raise FetchError(Fault.STATUS, str(answer.status))
    mime = answer.headers.get("Content-Type", "").strip().lower()
    if kinds and not mime.startswith(tuple(kinds)):
        raise FetchError(Fault.KIND, mime.partition(";")[0][:60] or "none")
    unpack = _unpacker(answer.headers.get("Content-Encoding", "").strip().lower())
    if answer.content_length is not None and answer.content_length > max_bytes:
        raise FetchError(Fault.TOO_LARGE)
    parts: list[bytes] = []
    size = 0
    async for piece in answer.content.iter_chunked(_PIECE):
        part = piece if unpack is None else _unpacked(unpack, piece, max_bytes - size)
        size += len(part)
        if size > max_bytes:
            raise FetchError(Fault.TOO_LARGE)
        parts.append(part)
    if unpack is not None and not unpack.eof:
        raise FetchError(Fault.DAMAGED)
    return Fetched(b"".join(parts), mime, url)


def _unpacker(encoding: str) -> zlib._Decompress | None:
    """For servers that pack all the same; they were asked not to."""
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    raise FetchError(Fault.DAMAGED, "an encoding that nobody asked for")


def _unpacked(unpack: zlib._Decompress, piece: bytes, room: int) -> bytes:
    """No more than one byte beyond the room: what is larger is never unpacked."""
    try:
        part = unpack.decompress(piece, max(room, 0) + 1)
    except zlib.error:
        raise FetchError(Fault.DAMAGED) from None
    if unpack.unconsumed_tail:
        raise FetchError(Fault.TOO_LARGE)
    return part
