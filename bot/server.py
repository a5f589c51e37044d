"""The two listeners: a private one (page, health, metrics) and, when a channel asks for it, a public one."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import SecretStr

from bot.errors import BotError
from bot.gate import LIMITS, Gate, Limits
from channels.base import Route
from channels.doors import is_forwarded, is_loopback, let_in, tell_anybody

MAX_BODY = 2 * 1024 * 1024
SHUTDOWN_GRACE = 2.0
IDLE = 75.0
"""Seconds that a connection is kept for another request; proxies keep theirs for 60."""

LINGER = 2.0
"""Seconds for which the rest of a body is read and thrown away after its request was answered."""

BACKLOG = 512
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Health:
    """What /healthz, /readyz and /metrics tell. `ready` gives None when all is well, else what is missing.

    `serves`: whether people are answered although something is missing. `token` is asked for each request, so that
    one that was changed counts at once.
    """

    ready: Callable[[], Mapping[str, str] | None]
    metrics: Callable[[], tuple[bytes, str]]
    token: Callable[[], SecretStr | None] = lambda: None
    serves: Callable[[], bool] = lambda: False

    def allows(self, request: web.Request) -> bool:
        """Whoever sits at this machine may look; anybody else shows `server.token` as a bearer token.

        A page of another site that was pointed at this machine by its name server has a foreign Host, and a
        proxy on this machine says for whom it asks.
        """
        is_here = is_loopback(request.remote or "") and not is_forwarded(request.headers)
        token = self.token()
        if is_here and _host_of(request) in LOOPBACK_NAMES:
            return True
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        wanted = token.get_secret_value() if token is not None else ""
        is_right = hmac.compare_digest(
            shown.encode(errors="surrogateescape"), wanted.encode(errors="surrogateescape")
        )
        return bool(wanted.strip()) and is_right


def _host_of(request: web.Request) -> str:
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""


def _requests_log() -> logging.Logger:
    """For faults of our own handlers: what strangers send that is no HTTP would fill the log at their pleasure."""

    def is_ours(record: logging.LogRecord) -> bool:
        return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)

    log = logging.getLogger("aiohttp.server.firstword")
    if not log.filters:
        log.addFilter(is_ours)
    return log


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the daemon listens; None where it does not."""

    private: str
    public: str | None = None


def _app(gate: Gate) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY, middlewares=[gate.middleware()])
    app.on_response_prepare.append(gate.answered)
    return app


def _private_app(gate: Gate, routes: Sequence[Route], health: Health) -> web.Application:
    app = _app(gate)

    async def healthz(request: web.Request) -> web.Response:
        tell_anybody(request)  # nothing but that the process lives
        return web.json_response({"ok": True})

    async def readyz(request: web.Request) -> web.Response:
        if not health.allows(request):
            raise web.HTTPUnauthorized
        let_in(request)
        missing = health.ready()
        is_ready = missing is None or health.serves()
        body = orjson.dumps({"ready": is_ready, "missing": missing or {}})
        return web.Response(body=body, status=200 if is_ready else 503, content_type="application/json")

    async def metrics(request: web.Request) -> web.Response:
        if not health.allows(request):
            raise web.HTTPUnauthorized
        let_in(request)
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
    routes: Sequence[Route],
    health: Health,
    private: tuple[str, int],
    public: tuple[str, int],
    *,
    limits: Limits = LIMITS,
    report: Callable[[str], None] = lambda _: None,
    refresh: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Listening]:
    """Listen while the context is open, each listener behind a gate of its own (`limits`, `report`: see bot.gate).

    `refresh` is awaited before each request, so that secrets that were changed count for it.

    Raises BotError, naming the setting, when a port is taken, and when others could reach the private one without a
    token.
    """
    runners: list[web.AppRunner] = []
    inner = [route for route in routes if not route.is_public]
    outer = [route for route in routes if route.is_public]
    is_guarded = health.token() is not None
    try:
        gate = Gate(limits, report, refresh)
        app = _private_app(gate, inner, health)
        address = await _listen(app, gate, private, "server", runners, is_for_all=is_guarded)
        public_address = None
        if outer:
            gate = Gate(limits, report, refresh, is_public=True)
            app = _app(gate)
            _add(app, outer)
            public_address = await _listen(app, gate, public, "webhooks", runners, is_for_all=True)
        yield Listening(address, public_address)
    finally:
        for runner in reversed(runners):
            await runner.cleanup()


async def _listen(
    app: web.Application,
    gate: Gate,
    where: tuple[str, int],
    section: str,
    runners: list[web.AppRunner],
    *,
    is_for_all: bool,
) -> str:
    host, port = where
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_GRACE,
        keepalive_timeout=IDLE,
        lingering_time=LINGER,
        logger=_requests_log(),
        auto_decompress=False,  # what is signed are the bytes that were sent
    )
    await runner.setup()
    runners.append(runner)
    site = _Site(runner, gate, host, port)
    try:
        await site.start()
    except OSError as error:
        raise BotError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); "
            f"set {section}.port to a free port (0 takes any), or stop what uses it"
        ) from error
    for bound in site.addresses:
        # Names and abbreviations ("0", "*") are judged by what they led to.
        if not is_for_all and not is_loopback(bound[0]):
            raise BotError(
                f"{section}.host: {host!r} lets other machines in ({bound[0]}); use 127.0.0.1, or set {section}.token"
            )
    bound_host, bound_port = site.addresses[0]
    shown = f"[{bound_host}]" if ":" in bound_host else bound_host
    return f"http://{shown}:{bound_port}"


class _Site(web.BaseSite):
    """Listens on a TCP port, each connection behind the gate."""

    def __init__(self, runner: web.AppRunner, gate: Gate, host: str, port: int) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._gate = gate
        self._where = (host, port)

    @property
    def name(self) -> str:
        """For aiohttp's lists."""
        return f"http://{self._where[0]}:{self._where[1]}"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """What it is bound to."""
        sockets = getattr(self._server, "sockets", ())  # uvloop's server is no asyncio.Server
        return [each.getsockname()[:2] for each in sockets]

    async def start(self) -> None:
        """Bind and listen. Raises OSError."""
        await super().start()
        make = self._runner.server
        assert make is not None  # noqa: S101 - the runner was set up
        host, port = self._where
        if not host:
            raise OSError("no address")  # asyncio would take every address of this machine
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._gate.guard(make), host, port, backlog=self._backlog, reuse_address=True
        )
