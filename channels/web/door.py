"""The HTTP side: every request is judged here, every answer carries the same protective headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from aiohttp import web

from channels.doors import BadBody, is_forwarded, let_in, read_body, tell_anybody, visitor
from channels.web.assets import Asset, load_assets, wrong_token_page
from channels.web.guard import (
    COOKIE,
    SESSION,
    Knock,
    Refusal,
    Rules,
    Tries,
    check_address,
    judge,
    new_session,
    token_is_right,
)
from channels.web.limits import FORM_DEADLINE, MAX_FORM_BYTES

if TYPE_CHECKING:
    from channels.web.settings import WebSettings

# What the page for giving the token needs; it tells nothing about anybody.
_BEFORE_LOGIN = frozenset({"login.css", "theme.js", "icon.svg"})


class Door:
    """Serves the page and its files, and says who may come in."""

    def __init__(self, settings: WebSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._assets = load_assets()
        self._wrong = wrong_token_page(self._assets["login.html"])
        self._tries = Tries()

    def rekey(self, settings: WebSettings) -> None:
        """From now on this token counts, and no session that was begun with the one before."""
        self._settings = settings

    def refusal(self, request: web.Request) -> web.Response | None:
        """The answer to a request that may not be served, or None."""
        knock = _knock(request)
        wait = self._tries.wait(knock.visitor, self._clock()) if knock.authorization else 0.0
        if wait > 0:
            return _wait(wait)
        found = judge(knock, self._rules(), self._clock())
        if found is None:
            let_in(request)
            return None
        if found.is_failed_try:
            self._tries.failed(knock.visitor, self._clock())
        return _refused(found)

    def unavailable(self) -> web.Response:
        """No room for another connection, or not started yet."""
        return _plain(
            503, "No room for another connection just now. Try again in a moment.", {"Retry-After": "5"}
        )

    async def index(self, request: web.Request) -> web.StreamResponse:
        """The page, or the page that asks for the token."""
        refusal = self.refusal(request)
        if refusal is None:
            return _serve(request, self._assets["index.html"])
        if refusal.status == 401 and self._settings.token is not None:
            return _serve(request, self._assets["login.html"], status=401)
        return refusal

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """One of the page's files."""
        name = request.match_info["name"]
        asset = self._assets.get(name)
        refusal = self.refusal(request)
        if refusal is not None and name in _BEFORE_LOGIN and self._settings.token is not None:
            tell_anybody(request)
            found = check_address(_knock(request), self._rules())
            refusal = None if found is None else _refused(found)
        if refusal is not None:
            return refusal
        if asset is None or name.endswith(".html"):
            return _plain(404, "There is no such file.")
        return _serve(request, asset)

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Take the token from the form and give a cookie that proves it."""
        knock = _knock(request)
        wait = self._tries.wait(knock.visitor, self._clock())
        if wait > 0:
            return _wait(wait)
        found = check_address(knock, self._rules())
        if found is not None:
            return _refused(found)
        given = await _form_field(request, "token")
        token = self._rules().token
        if token is None or given is None or not token_is_right(token, given):
            self._tries.failed(knock.visitor, self._clock())
            return _serve(request, self._wrong, status=401)
        response = web.Response(status=303, headers={"Location": "/"} | _headers(request))
        response.set_cookie(
            COOKIE,
            new_session(token, self._clock()),
            max_age=int(SESSION),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=(knock.origin or "").startswith("https://"),
        )
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """Take the cookie back."""
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        response = web.Response(status=303, headers={"Location": "/"} | _headers(request))
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response

    def _rules(self) -> Rules:
        token = self._settings.token
        return Rules(None if token is None else token.get_secret_value(), self._settings.allowed_hosts)


def _knock(request: web.Request) -> Knock:
    transport = request.transport
    peer = None if transport is None else transport.get_extra_info("peername")
    here = None if transport is None else transport.get_extra_info("sockname")
    headers = request.headers
    return Knock(
        method=request.method,
        host=headers.get("Host", ""),
        peer=str(peer[0]) if isinstance(peer, tuple) else "",
        port=int(here[1]) if isinstance(here, tuple) else 0,
        origin=headers.get("Origin"),
        fetch_site=headers.get("Sec-Fetch-Site"),
        authorization=headers.get("Authorization", ""),
        cookie=request.cookies.get(COOKIE, ""),
        is_upgrade="upgrade" in headers.get("Connection", "").lower() or "Upgrade" in headers,
        is_forwarded=is_forwarded(headers),
        visitor=visitor(request),
    )


async def _form_field(request: web.Request, name: str) -> str | None:
    """One field of a small form; None when it is missing, too large or too slow."""
    try:
        body = await read_body(request, MAX_FORM_BYTES, FORM_DEADLINE)
    except BadBody:
        return None
    try:
        values = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20).get(name, [])
    except ValueError:
        return None
    return values[0] if len(values) == 1 else None


def _headers(request: web.Request | None = None) -> dict[str, str]:
    # connect-src names the socket's address too: older Safari does not count ws: as 'self'. The host was judged.
    host = "" if request is None else request.headers.get("Host", "")
    sockets = f" ws://{host} wss://{host}" if host else ""
    # Referrer-Policy is not no-referrer: with that, browsers send "Origin: null" with our own form.
    return {
        "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' data:; connect-src 'self'{sockets}; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }


def _serve(request: web.Request, asset: Asset, status: int = 200) -> web.Response:
    headers = _headers(request) | {"Cache-Control": "no-cache", "ETag": asset.etag}
    if status == 200 and request.headers.get("If-None-Match") == asset.etag:
        return web.Response(status=304, headers=headers)
    return web.Response(
        status=status, body=asset.body, headers=headers | {"Content-Type": asset.content_type}
    )


def _plain(status: int, text: str, more: dict[str, str] | None = None) -> web.Response:
    headers = _headers() | {"Cache-Control": "no-store"} | (more or {})
    return web.Response(status=status, text=text + "\n", headers=headers)


def _refused(refusal: Refusal) -> web.Response:
    more = {"WWW-Authenticate": 'Bearer realm="firstword"'} if refusal.status == 401 else None
    return _plain(refusal.status, refusal.text, more)


def _wait(seconds: float) -> web.Response:
    return _plain(429, "Too many wrong tokens. Wait a minute.", {"Retry-After": str(int(seconds) + 1)})
