"""The two listeners: a private one (page, health, metrics) and, when a channel asks for it, a public one."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from pydantic import SecretStr

from bot.errors import BotError
from channels.base import Route

MAX_BODY = 2 * 1024 * 1024
SHUTDOWN_GRACE = 2.0
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Health:
    """What /healthz, /readyz and /metrics tell. `ready` gives None when all is well, else what is missing."""

    ready: Callable[[], Mapping[str, str] | None]
    metrics: Callable[[], tuple[bytes, str]]
    token: SecretStr | None = None

    def allows(self, request: web.Request) -> bool:
        """Whoever sits at this machine may look; anybody else shows `server.token` as a bearer token.

        A page of another site that was pointed at this machine by its name server has a foreign Host, and a
        proxy on this machine says for whom it asks.
        """
        is_here = request.remote is None or ipaddress.ip_address(request.remote).is_loopback
        is_here = is_here and not any(name in request.headers for name in FORWARDED)
        if is_here and _host_of(request) in LOOPBACK_NAMES:
            return True
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        wanted = self.token.get_secret_value().encode() if self.token is not None else b""
        return bool(wanted) and hmac.compare_digest(shown, wanted)


def _host_of(request: web.Request) -> str:
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the daemon listens; None where it does not."""

    private: str
    public: str | None = None


def _private_app(routes: Sequence[Route], health: Health) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY)

    async def healthz(_: web.Request) -> web.Response:
        # Says nothing but that the process lives, so anybody may ask.
        return web.json_response({"ok": True})

    async def readyz(request: web.Request) -> web.Response:
        if not health.allows(request):
            raise web.HTTPUnauthorized
        missing = health.ready()
        body = orjson.dumps({"ready": missing is None, "missing": missing or {}})
        return web.Response(
            body=body, status=200 if missing is None else 503, content_type="application/json"
        )

    async def metrics(request: web.Request) -> web.Response:
        if not health.allows(request):
            raise web.HTTPUnauthorized
        body, content_type = health.metrics()
        return web.Response(body=body, headers={"Content-Type": content_type})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    _add(app, routes)
    return app


def _add(app: web.Application, routes: Sequence[Route]) -> None:
    for route in routes:
        app.router.add_route(route.method, route.path, route.handler)


@asynccontextmanager
async def open_servers(
    routes: Sequence[Route], health: Health, private: tuple[str, int], public: tuple[str, int]
) -> AsyncIterator[Listening]:
    """Listen while the context is open. Raises BotError, naming the setting, when a port is taken."""
    runners: list[web.AppRunner] = []
    try:
        inner = [route for route in routes if not route.is_public]
        address = await _listen(_private_app(inner, health), private, "server.port", runners)
        outer = [route for route in routes if route.is_public]
        public_address = None
        if outer:
            app = web.Application(client_max_size=MAX_BODY)
            _add(app, outer)
            public_address = await _listen(app, public, "webhooks.port", runners)
        yield Listening(address, public_address)
    finally:
        for runner in reversed(runners):
            await runner.cleanup()


async def _listen(
    app: web.Application, where: tuple[str, int], setting: str, runners: list[web.AppRunner]
) -> str:
    host, port = where
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_GRACE)
    await runner.setup()
    runners.append(runner)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise BotError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); "
            f"set {setting} to a free port (0 takes any), or stop what uses it"
        ) from error
    addresses: list[Any] = runner.addresses
    bound_host, bound_port = addresses[0][0], addresses[0][1]
    shown = f"[{bound_host}]" if ":" in bound_host else bound_host
    return f"http://{shown}:{bound_port}"
