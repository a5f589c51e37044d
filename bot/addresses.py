"""Which addresses of a network a stranger's URL may lead to: those of the public internet alone. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import urljoin, urlsplit, urlunsplit

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL = 4000

# IANA IPv4 and IPv6 Special-Purpose Address Registries, and multicast (2026-11).
# Python's own `is_global` differs between patch releases, so it is asked besides, not instead.
_CLOSED = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 "
        "203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32 "  # the last: Azure's own services
        "2001::/23 2001:db8::/32 2002::/16 3fff::/20"
    ).split()
)
_GLOBAL = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 from which addresses are given out (IANA, "IPv6 Address Space", 2026-11)."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PORTS = frozenset({80, 443})
_FREE_PORTS = 1024


class BadUrl(StrEnum):
    """Why a URL is not asked."""

    MALFORMED = "malformed"
    SCHEME = "scheme"  # neither http nor https
    CREDENTIALS = "credentials"  # a name or password stands in it
    PORT = "port"  # one that belongs to something else than the web
    DOWNGRADE = "downgrade"  # from https to http
    PRIVATE = "private"  # leads into a network of our own


class Forbidden(ValueError):
    """A URL that may not be asked."""

    def __init__(self, why: BadUrl) -> None:
        super().__init__(str(why))
        self.why = why


def is_public(address: IpAddress) -> bool:
    """Whether an address belongs to the public internet. What wraps an IPv4 address is as public as that."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _GLOBAL:
            return False
    if any(address in network for network in _CLOSED if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def all_public(addresses: Sequence[str]) -> bool:
    """Whether every address is public; a name that leads to one that is not is one that plays tricks."""
    try:
        return bool(addresses) and all(is_public(ipaddress.ip_address(each)) for each in addresses)
    except ValueError:
        return False


def checked(url: str) -> str:
    """The URL as it may be asked, its host in lower case and ASCII, without its fragment. Raises Forbidden."""
    if len(url) > MAX_URL or not url.isprintable() or any(char.isspace() or char == "\\" for char in url):
        raise Forbidden(BadUrl.MALFORMED)
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise Forbidden(BadUrl.MALFORMED) from None
    if parts.scheme not in ("http", "https"):
        raise Forbidden(BadUrl.SCHEME)
    if not host:
        raise Forbidden(BadUrl.MALFORMED)
    if "@" in parts.netloc:
        raise Forbidden(BadUrl.CREDENTIALS)
    if port is not None and port not in _PORTS and port < _FREE_PORTS:
        raise Forbidden(BadUrl.PORT)
    name = _host(host)
    where = f"[{name}]" if ":" in name else name
    return urlunsplit(
        (parts.scheme, where if port is None else f"{where}:{port}", parts.path or "/", parts.query, "")
    )


def redirected(url: str, target: str) -> str:
    """Where `url` leads when its answer says `target`. Raises Forbidden."""
    try:
        joined = urljoin(url, target.strip())
    except ValueError:
        raise Forbidden(BadUrl.MALFORMED) from None
    found = checked(joined)
    if url.startswith("https:") and found.startswith("http:"):
        raise Forbidden(BadUrl.DOWNGRADE)
    return found


def _host(host: str) -> str:
    """A name in the ASCII form that is looked up; an IP address in its usual form."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        name = host.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        raise Forbidden(BadUrl.MALFORMED) from None
    if not name:
        raise Forbidden(BadUrl.MALFORMED)
    return name
