"""The gate before a listener: counts and times connections until somebody who may come in has been let in.

Everything here happens before any credential is looked at, so that no header that a stranger adds switches it off.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Middleware

from channels.doors import BODY_SECONDS, LET_IN, is_loopback, visitor

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Make = Callable[[], asyncio.Protocol]


@dataclass(frozen=True, slots=True)
class Limits:
    """What strangers may do. Figures are ours: far above what a platform or a person needs."""

    headers: float = 10.0
    """Seconds from the connection, or from the first byte of a further request, to the end of its headers."""

    bodies: float = BODY_SECONDS + 2.0
    """Seconds from then until the request is let in or answered; the door's own limit comes first and says so."""

    connections: int = 256
    """Connections of strangers at once. One more ends the one that has waited longest, not the newest: who may
    come in is known within milliseconds, who wants to block the way has to stay."""

    each: int = 32
    """Of these, how many one address may hold. A proxy on this machine speaks for many and is not counted."""

    held: int = 8 * 1024 * 1024
    """Bytes that strangers together may have sent. One more ends whoever has sent most: platforms send little."""

    rate: float = 4.0
    """Requests a second of one visitor that nobody lets in, after `burst`."""

    burst: float = 120.0
    visitors: int = 4096
    """How many visitors are remembered; the one seen longest ago is forgotten first."""


LIMITS = Limits()


class Bucket:
    """One token bucket a visitor: a request takes a token and gets it back when it is let in."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> float:
        """Take one and return 0, or return the seconds until there is one."""
        level, now = self._level(who)
        if level < 1:
            return (1 - level) / self._limits.rate
        self._keep(who, level - 1, now)
        return 0.0

    def give_back(self, who: str) -> None:
        """The request was let in."""
        level, now = self._level(who)
        self._keep(who, min(self._limits.burst, level + 1), now)

    def _level(self, who: str) -> tuple[float, float]:
        now = self._clock()
        level, at = self._levels.get(who, (self._limits.burst, now))
        return min(self._limits.burst, level + (now - at) * self._limits.rate), now

    def _keep(self, who: str, level: float, now: float) -> None:
        self._levels[who] = (level, now)
        self._levels.move_to_end(who)
        while len(self._levels) > self._limits.visitors:
            self._levels.popitem(last=False)


class Gate:
    """One listener's. `report` is told why a connection or request was turned away: "crowd", "slow", "rate".

    `refresh` is awaited before each request that is handed on. `is_public`: only signatures are looked at behind it,
    which nobody guesses. Then a proxy on this machine that does not say for whom it asks is not counted: all of a
    platform's requests would wait for one stranger's.
    """

    def __init__(
        self,
        limits: Limits = LIMITS,
        report: Callable[[str], None] = lambda _: None,
        refresh: Callable[[], Awaitable[None]] | None = None,
        *,
        is_public: bool = False,
    ) -> None:
        self.limits = limits
        self._is_public = is_public
        self._report = report
        self._refresh = refresh
        self._bucket = Bucket(limits, asyncio.get_running_loop().time)
        self._strangers: dict[Connection, None] = {}
        self._held = 0
        self._of: dict[object, Connection] = {}

    @property
    def strangers(self) -> int:
        """Connections on which nobody was let in yet."""
        return len(self._strangers)

    def guard(self, make: Make) -> Make:
        """The protocol factory of a server, with each connection behind the gate."""
        return lambda: Connection(self, make())

    def came(self, connection: Connection, inner: object) -> None:
        """A connection was made."""
        self._of[inner] = connection
        self._strangers[connection] = None
        if connection.peer and not is_loopback(connection.peer):
            of_it = [each for each in self._strangers if each.peer == connection.peer]
            if len(of_it) > self.limits.each:
                self.turn_away(of_it[0], "crowd")
        if len(self._strangers) > self.limits.connections:
            self.turn_away(next(iter(self._strangers)), "crowd")

    def left(self, connection: Connection, inner: object) -> None:
        """A connection has ended."""
        self._of.pop(inner, None)
        self._release(connection)

    def turn_away(self, connection: Connection, why: str) -> None:
        """End a connection at once."""
        self._release(connection)
        self._report(why)
        connection.abort()

    def sent(self, connection: Connection, size: int) -> None:
        """A connection has sent so many bytes more."""
        if connection not in self._strangers:
            return
        connection.held += size
        self._held += size
        while self._held > self.limits.held:
            self.turn_away(max(self._strangers, key=lambda each: each.held), "crowd")

    def _release(self, connection: Connection) -> None:
        """It is no stranger's any more."""
        self._strangers.pop(connection, None)
        self._held -= connection.held
        connection.held = 0

    def middleware(self) -> Middleware:
        """What an application at this gate does with each request before any handler."""

        @web.middleware
        async def pass_gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._pass(request, handler)

        return pass_gate

    async def _pass(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = self._of.get(request.protocol)
        who = visitor(request)
        is_counted = not (self._is_public and is_loopback(who))
        wait = self._bucket.take(who) if is_counted else 0.0
        if wait > 0:
            self._report("rate")
            response = web.Response(status=429, headers={"Retry-After": str(ceil(wait))})
            response.force_close()
            return response
        is_known = False

        def let_in() -> None:
            nonlocal is_known
            if not is_known:
                is_known = True
                if is_counted:
                    self._bucket.give_back(who)
                if connection is not None:
                    self._release(connection)
                    connection.expect(None)

        request[LET_IN] = let_in
        if connection is not None:
            connection.is_busy = True
            connection.expect(self.limits.bodies)
        try:
            if self._refresh is not None:
                await self._refresh()
            response_ = await handler(request)
        except web.HTTPException as error:
            if not is_known:
                error.force_close()
            raise
        finally:
            if connection is not None:
                connection.is_busy = False
                connection.expect(None)
        if not is_known and not response_.prepared:
            response_.force_close()
        return response_

    async def answered(self, request: web.Request, response: web.StreamResponse) -> None:
        """For `on_response_prepare`: a door that answers has let in, also one that does not say so itself."""
        if response.status < 400:
            tell = request.get(LET_IN)
            if tell is not None:
                tell()


class Connection(asyncio.Protocol):
    """Hands everything on to the protocol behind it, and watches the time while nobody is known."""

    def __init__(self, gate: Gate, inner: asyncio.Protocol) -> None:
        self._gate = gate
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.is_busy = False
        self.peer = ""
        self.held = 0

    def expect(self, seconds: float | None) -> None:
        """Something has to happen within so many seconds, else the connection ends; None: nothing has to."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None and self._transport is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._late)

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    def _late(self) -> None:
        self._gate.turn_away(self, "slow")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no asyncio.Transport
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self.expect(self._gate.limits.headers)
        self._inner.connection_made(transport)
        self._gate.came(self, self._inner)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. Also a known connection sends the headers of its next request in time."""
        self._gate.sent(self, len(data))
        if self._timer is None and not self.is_busy:
            self.expect(self._gate.limits.headers)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """See asyncio.Protocol."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.expect(None)
        self._transport = None
        self._gate.left(self, self._inner)
        self._inner.connection_lost(exc)
