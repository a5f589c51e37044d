"""One shard: connect, resume or identify, watch that it is not silent, connect again."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import structlog

from channels.discord.intake import Arrived, Intake
from channels.discord.sequence import Progress
from channels.discord.session import Session
from channels.discord.timing import Timing, resume_pause
from channels.discord.wire import ConnectionClosed, Identity, ReconnectWebSocket, Socket
from channels.errors import NotAuthorized, Unavailable
from channels.waiting import backoff

log = structlog.get_logger()

# Discord docs, Opcodes and Status Codes, Gateway Close Event Codes (2026-11).
AUTHENTICATION_FAILED, DISALLOWED_INTENTS = 4004, 4014
_FATAL = {
    4010: "Discord refuses the shard number",
    4011: "Discord wants more shards; a restart asks how many",
    4012: "Discord no longer serves this version of the gateway",
    4013: "Discord refuses the intents",
}
_YOUNG = 10.0
_LONGEST_RESUME = 5.0
_NEW_SESSION = frozenset({4007, 4009})  # invalid number, session timed out: these cannot be resumed
_BROKEN = (
    OSError,
    aiohttp.ClientError,
    TimeoutError,
    ValueError,
    KeyError,
    TypeError,
    zlib.error,
    RuntimeError,
)


class DisallowedIntents(Exception):
    """4014: the application has not switched on a privileged intent."""


@dataclass(slots=True)
class Shard:
    """`gateway` gives the address for a new session after waiting as long as an identify has to wait.

    `on_state` is told why the shard is not ready, "" when it is.

    `on_interaction` is called at once with each interaction and its confirmation. `on_frame`: something came.
    """

    session_pool: Callable[[], aiohttp.ClientSession]
    proxy: str | None
    identity: Identity
    intake: Intake
    timing: Timing
    chance: random.Random
    gateway: Callable[[int], Awaitable[str]]
    on_state: Callable[[int, str], None]
    on_interaction: Callable[[Any, Callable[[], None]], None]
    on_frame: Callable[[], None]
    session: Session | None = None
    progress: Progress | None = None
    _generation: int = 0
    _failures: int = 0
    _is_ready: bool = False
    _ready_at: float = 0.0
    _short_lives: int = 0
    _arrived: deque[Arrived] = field(default_factory=deque)

    async def run(self) -> None:
        """Until cancelled. Raises NotAuthorized and DisallowedIntents."""
        while True:
            pause = 0.0
            try:
                await self._live()
            except ReconnectWebSocket as asked:
                pause = self._reconnect(asked)
            except ConnectionClosed as closed:
                self._closed(closed.code)
                pause = self._failed(f"the gateway closed with {closed.code}")
            except Unavailable as error:
                pause = self._failed(error.detail)
            except _BROKEN as error:
                pause = self._failed(f"the gateway cannot be reached ({type(error).__name__})")
            await asyncio.sleep(pause)

    async def _live(self) -> None:
        """One connection from beginning to end; always ends by an exception."""
        session = self.session
        url = session.url if session is not None else await self.gateway(self.identity.shard)
        self._generation += 1
        self._is_ready = False
        generation = self._generation

        def dispatched(socket: Socket, name: str, data: Any) -> None:
            if generation == self._generation:  # not of a connection that was given up
                self._dispatched(socket, name, data)

        async with Socket(
            self.session_pool(), self.identity, dispatched, proxy=self.proxy, silence=self.timing.silence
        ) as socket:
            try:
                async with asyncio.timeout(self.timing.hello):
                    await socket.open(url, session)
                await self._until_ready(socket)
                while True:
                    await self._poll(socket)
            finally:
                self._generation += 1
                if self._is_ready:
                    self.session = socket.session() or self.session
                if socket.close_code in _NEW_SESSION:
                    self.session = None

    async def _until_ready(self, socket: Socket) -> None:
        """Until READY, or RESUMED behind all that is sent again. Raises TimeoutError when nothing of it comes."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timing.ready) as limit:
                while not self._is_ready:
                    before = socket.seq
                    await self._poll(socket)
                    if socket.seq != before:  # confirmed heartbeats alone are no progress
                        limit.reschedule(loop.time() + self.timing.ready)
        except TimeoutError:
            # A session that is not resumed may be the reason: the second time a new one begins.
            self.session = None if self._failures else self.session
            raise

    async def _poll(self, socket: Socket) -> None:
        """Take one frame and hand its dispatch on; one that is interrupted here goes on with the next connection."""
        await socket.poll()
        self.on_frame()
        while self._arrived:
            await self.intake.put(self._arrived[0])
            self._arrived.popleft()

    def _dispatched(self, socket: Socket, name: str, data: Any) -> None:
        """Called by the library within `poll`, once for a dispatch."""
        seq = socket.seq
        if name == "READY":
            found = socket.session()
            self.progress = Progress(found.id if found is not None else "", seq - 1, begins=seq)
        elif self.progress is None:
            self.progress = Progress(
                self.session.id if self.session else "", self.session.seq if self.session else 0
            )
        assert self.progress is not None  # noqa: S101 - set above
        progress = self.progress
        progress.begin(seq)
        if name in ("READY", "RESUMED"):
            self._is_ready, self._failures = True, 0
            self._ready_at = asyncio.get_running_loop().time()
            self.session = socket.session() or self.session
            self.on_state(self.identity.shard, "")
            log.info("gateway ready", channel="discord", shard=self.identity.shard, resumed=name == "RESUMED")
        if name == "INTERACTION_CREATE":
            self.on_interaction(data, lambda: progress.end(seq))
            return
        self._arrived.append(Arrived(progress, seq, name, data))

    def _reconnect(self, asked: ReconnectWebSocket) -> float:
        """The other end asks for it, or hung up. Returns the seconds to wait."""
        if not asked.resume:
            # Discord docs, Gateway, Resuming: after op 9 wait 1 to 5 s. Only a new session brings anything.
            self.session = None
            self.on_state(self.identity.shard, "the session ended; a new one begins")
            return self.timing.retry_first * (2.0 + 8.0 * self.chance.random())
        return self._after_life() if self._is_ready else self._failed("the gateway hung up")

    def _after_life(self) -> float:
        """A connection that worked is made again at once; one that keeps ending young, less and less soon."""
        lived = asyncio.get_running_loop().time() - self._ready_at
        self._short_lives = self._short_lives + 1 if lived < _YOUNG else 0
        first, last = self.timing.retry_first, min(_LONGEST_RESUME, self.timing.retry_last)
        return resume_pause(self._short_lives, first, last, self.chance.random())

    def _closed(self, code: int | None) -> None:
        """Raises what no other try can mend."""
        if code == AUTHENTICATION_FAILED:
            raise NotAuthorized("Discord does not accept the token")
        if code == DISALLOWED_INTENTS:
            self.session = None
            raise DisallowedIntents
        if code in _FATAL:
            raise NotAuthorized(_FATAL[code])
        self.session = None  # 1000: the other end ended the session on purpose

    def _failed(self, reason: str) -> float:
        if self._is_ready:
            self._is_ready = False
            return self._after_life()
        self._failures += 1
        self.on_state(self.identity.shard, reason)
        wait = backoff(self._failures, self.timing.retry_first, self.timing.retry_last, self.chance.random())
        log.warning(
            "gateway lost", channel="discord", shard=self.identity.shard, reason=reason, retry_after=wait
        )
        return wait
