"""The typing indicator of one reply: on while nothing is visible, kept alive, off at the end. For channels.delivery."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import structlog

from channels.capabilities import Capabilities, Operation
from channels.errors import ChannelError, RateLimited
from channels.pacing import Budgets, Priority

CALL_DEADLINE = 10.0  # a typing call that takes longer shows nothing useful any more
OFF_DEADLINE = 2.0
KEEP_SHARE = 0.8  # shown again after this share of the time that one call lasts
_SHORTEST = 1.0

_log = structlog.get_logger()


class TypingLight:
    """`show` makes the call, None where the channel has no indicator. Set `is_wanted`, call `keep` when `due`.

    A call runs in a task of its own, so that it never delays the first text; `stop` leaves none behind.
    """

    __slots__ = ("_buckets", "_capabilities", "_clock", "_next", "_on_until", "_show", "_task", "is_wanted")

    def __init__(
        self,
        show: Callable[[bool], Awaitable[None]] | None,
        capabilities: Capabilities,
        buckets: Budgets,
        clock: Callable[[], float],
    ) -> None:
        self.is_wanted = False
        self._show = show if capabilities.typing_ttl is not None else None
        self._capabilities = capabilities
        self._buckets = buckets
        self._clock = clock
        self._next = 0.0
        self._on_until = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def due(self) -> float | None:
        """When `keep` has something to do; None: not at all."""
        return self._next if self.is_wanted and self._show is not None and self._next < math.inf else None

    def keep(self, now: float) -> None:
        """Show it, if it is due, wanted and there is room beside the answer's own writes."""
        due = self.due
        if due is None or now < due:
            return
        if self._task is not None and not self._task.done():
            self._next = now + _SHORTEST
            return
        if self._task is not None and self._task.exception() is not None:
            self._next = math.inf  # an adapter's own fault; `stop` logs it
            return
        ttl = self._capabilities.typing_ttl or _SHORTEST
        wait = self._buckets.wait(self._capabilities.budgets, Operation.TYPING, Priority.TYPING, now)
        if wait > 0:
            self._next = now + wait
            return
        self._buckets.take(self._capabilities.budgets, Operation.TYPING, now)
        self._next = now + max(_SHORTEST, KEEP_SHARE * ttl)
        self._on_until = now + ttl
        self._task = asyncio.get_running_loop().create_task(self._turn_on(), name="typing")

    async def stop(self, *, is_leaving: bool) -> None:
        """End a call in flight and turn the light off; `is_leaving`: without another call."""
        self.is_wanted = False
        if self._task is not None:
            if not self._task.done():
                self._task.cancel()
                await asyncio.wait((self._task,))
            elif not self._task.cancelled() and (fault := self._task.exception()) is not None:
                _log.warning("typing failed", error=type(fault).__name__)
            self._task = None
        if self._show is None or is_leaving or self._clock() >= self._on_until:
            return
        self._on_until = 0.0
        budgets, now = self._capabilities.budgets, self._clock()
        if self._buckets.wait(budgets, Operation.TYPING, Priority.FINAL, now) > 0:
            return
        self._buckets.take(budgets, Operation.TYPING, now)
        try:
            async with asyncio.timeout(OFF_DEADLINE):
                await self._show(False)  # noqa: FBT003 - the callable's one argument
        except (ChannelError, TimeoutError):
            pass  # it goes out by itself

    async def _turn_on(self) -> None:
        if self._show is None:
            return
        try:
            async with asyncio.timeout(CALL_DEADLINE):
                await self._show(True)  # noqa: FBT003 - the callable's one argument
        except RateLimited as error:
            now = self._clock()
            self._buckets.limited(
                self._capabilities.budgets, Operation.TYPING, error.scope, error.retry_after, now
            )
            self._next = now + error.retry_after
        except TimeoutError:
            pass  # the next one may get through
        except ChannelError:
            self._next = math.inf
