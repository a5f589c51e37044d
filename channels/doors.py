"""What every door to the outside needs: who knocks, a body within bounds, and the word that somebody was let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, Final, Protocol, runtime_checkable

from aiohttp import web

FORWARDED: Final = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "Tailscale-User-Login",
)
"""Headers with which a proxy says that it passes a request on."""

BODY_SECONDS: Final = 10.0
"""Seconds that the body of somebody who is not known yet may take to arrive."""

LET_IN: Final[web.RequestKey[Callable[[], None]]] = web.RequestKey("let_in")
"""Where the listener waits to hear that a request is known; see `let_in`."""


@runtime_checkable
class Rekeys(Protocol):
    """A channel whose proofs (ChannelSpec.proofs) may be changed while it runs."""

    def rekey(self, settings: Any) -> None:
        """From now on the proofs of these settings count, and those before them no more. Takes over nothing else."""


class BadBody(Exception):
    """A body that is not read. `status`: the HTTP status that says why."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


def is_forwarded(headers: Mapping[str, str]) -> bool:
    """Whether a proxy passed the request on, so that the address at the other end says nothing about the visitor."""
    return any(name in headers for name in FORWARDED)


def is_loopback(peer: str) -> bool:
    """Whether `peer` is this machine, also when it is written as IPv4 inside IPv6."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def visitor(request: web.Request) -> str:
    """Whose tries are counted together: an IPv4 address, or the /64 of an IPv6 address.

    A proxy on this machine is asked for whom it speaks; what others write into those headers counts for nothing.
    """
    peer = request.remote or ""
    if is_loopback(peer):
        # The last one is what the proxy next to us has seen; those before it are what it was told.
        told = ",".join(request.headers.getall("X-Forwarded-For", [])) or request.headers.get("X-Real-IP", "")
        peer = told.rpartition(",")[2].strip() or peer
    try:
        address = ip_address(peer.strip("[]").partition("%")[0])
    except ValueError:
        return peer[:64]
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def let_in(request: web.Request) -> None:
    """Say, as soon as it is sure, that the request comes from somebody who may: the limits on strangers end for it."""
    tell = request.get(LET_IN)
    if tell is not None:
        tell()


def tell_anybody(request: web.Request) -> None:
    """Say that what is answered is told to anybody, so that nobody is let in by it: the limits on strangers hold on."""
    request[LET_IN] = _nobody


def _nobody() -> None:
    """Nobody was let in."""


async def read_body(request: web.Request, max_bytes: int, seconds: float = BODY_SECONDS) -> bytes:
    """The body as it came, read as far as `max_bytes`.

    Raises BadBody: 413 too long, 408 too slow, 415 packed, 400 cut off. Signatures are made over what is sent, and
    what unpacks to a thousand times its size is not unpacked for a stranger.
    """
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise BadBody(415)
    if (request.content_length or 0) > max_bytes:
        raise BadBody(413)
    found = bytearray()
    is_whole = False
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                found += chunk
                if len(found) > max_bytes:
                    raise BadBody(413)
        is_whole = True
    except TimeoutError:
        raise BadBody(408) from None
    except (web.RequestPayloadError, ConnectionError):
        raise BadBody(400) from None
    finally:
        if not is_whole:
            found.clear()  # the error and the request hold each other, and this, until the collector comes
    return bytes(found)
