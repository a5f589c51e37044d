"""Who may come in: the host a request names, the page it comes from, and the token it brings. Pure.

Three questions, in this order. Does the request name an address that is ours (a page elsewhere can point its
own name at 127.0.0.1)? If it changes something or opens the socket: does it come from our own page (browsers
send WebSocket upgrades across sites)? And is the visitor known: by the token where one is set, else by
sitting at this machine?
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from channels.doors import is_loopback

COOKIE = "firstword_session"
SESSION = 30 * 24 * 3600.0
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Knock:
    """What a request says of itself. `peer` is the address at the other end, `port` the port it came in on.

    `is_forwarded`: a proxy passed it on, so `peer` says nothing about the visitor. `visitor`: whose tries count
    together.
    """

    method: str
    host: str
    peer: str
    port: int
    origin: str | None = None
    fetch_site: str | None = None
    authorization: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)
    is_upgrade: bool = False
    is_forwarded: bool = False
    visitor: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is turned away: an HTTP status, a stable word, and a sentence for the person who sent it.

    `is_failed_try`: it brought a token that is wrong, which the limit on guessing counts.
    """

    status: int
    code: str
    text: str
    is_failed_try: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What `judge` goes by. `token` None: none is set."""

    token: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()


def judge(knock: Knock, rules: Rules, now: float) -> Refusal | None:
    """None when the request may be served, else why not."""
    return check_address(knock, rules) or _check_visitor(knock, rules, now)


def check_address(knock: Knock, rules: Rules) -> Refusal | None:
    """The first two questions alone, for what a visitor may see before giving the token."""
    if not _is_our_host(knock, rules):
        shown = knock.host[:100]
        return Refusal(
            403,
            "host",
            f"This page is not served under the name {shown!r}. Use http://127.0.0.1:{knock.port}/ "
            "or add the name to the channel's allowedHosts.",
        )
    if knock.method in _SAFE_METHODS and not knock.is_upgrade:
        return None
    if knock.origin is None:
        if _bearer_is_right(knock, rules):
            return None
        return Refusal(
            403,
            "origin_missing",
            "The request does not say which page it comes from. A program sends the token instead: "
            "Authorization: Bearer TOKEN.",
        )
    if not _is_our_page(knock) or knock.fetch_site not in {None, "same-origin", "none"}:
        return Refusal(403, "origin", "The request comes from another site's page.")
    return None


def _check_visitor(knock: Knock, rules: Rules, now: float) -> Refusal | None:
    if rules.token is None:
        if is_loopback(knock.peer) and not knock.is_forwarded:
            return None
        return Refusal(
            401,
            "token_not_set",
            "Only this machine's own browsers are let in, because the channel has no token set.",
        )
    if _bearer_is_right(knock, rules) or session_is_valid(rules.token, knock.cookie, now):
        return None
    return Refusal(401, "token", "The token is missing or wrong.", is_failed_try=bool(knock.authorization))


def token_is_right(token: str, given: str) -> bool:
    """Compare without telling by the time taken how much of it was right."""
    return hmac.compare_digest(_digest(token), _digest(given))


def new_session(token: str, now: float) -> str:
    """A cookie's value that proves knowledge of the token without carrying it; changing the token ends it."""
    until = str(int(now + SESSION))
    return f"{until}.{_signature(token, until)}"


def session_is_valid(token: str, cookie: str, now: float) -> bool:
    """Whether `new_session` made this value with the same token, and it has not run out."""
    until, _, signature = cookie.partition(".")
    if not until.isascii() or not until.isdigit() or len(until) > 12:
        return False
    return hmac.compare_digest(_signature(token, until).encode(), signature.encode(errors="replace")) and (
        now < int(until)
    )


class Tries:
    """Counts failed tries per peer: after `most` within `window` seconds the peer has to wait.

    Remembers at most `peers` peers; the one seen longest ago is forgotten first.
    """

    def __init__(self, most: int = 10, window: float = 60.0, peers: int = 1000) -> None:
        self._most = most
        self._window = window
        self._peers = peers
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, peer: str, now: float) -> float:
        """Seconds until this peer may try again; 0 when it may now."""
        count, since = self._failed.get(peer, (0, now))
        if since > now:  # the clock was set back
            since = now
            self._failed[peer] = (count, now)
        left = since + self._window - now
        return left if count >= self._most and left > 0 else 0.0

    def failed(self, peer: str, now: float) -> None:
        """Count one."""
        count, since = self._failed.pop(peer, (0, now))
        if now - since >= self._window:
            count, since = 0, now
        self._failed[peer] = (count + 1, since)
        while len(self._failed) > self._peers:
            self._failed.popitem(last=False)


def _is_our_host(knock: Knock, rules: Rules) -> bool:
    host = knock.host.lower()
    ours = [f"{name}:{knock.port}" for name in _LOCAL_NAMES]
    if knock.port == 80:
        ours.extend(_LOCAL_NAMES)
    if host in ours or host in rules.allowed_hosts:
        return True
    name, _, port = host.rpartition(":")
    return port.isdigit() and name in rules.allowed_hosts


def _is_our_page(knock: Knock) -> bool:
    try:
        origin = urlsplit((knock.origin or "").lower())
    except ValueError:
        return False
    return origin.scheme in {"http", "https"} and origin.netloc == knock.host.lower()


def _bearer_is_right(knock: Knock, rules: Rules) -> bool:
    scheme, _, given = knock.authorization.partition(" ")
    return (
        rules.token is not None and scheme.lower() == "bearer" and token_is_right(rules.token, given.strip())
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def _signature(token: str, until: str) -> str:
    return hmac.new(token.encode(), f"firstword web session {until}".encode(), hashlib.sha256).hexdigest()
