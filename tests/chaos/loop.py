"""An event loop in virtual time that can be told to do something before each of its rounds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import TypeVarTuple, Unpack

Ts = TypeVarTuple("Ts")

IS_OVER: ContextVar[Callable[[], bool]] = ContextVar("IS_OVER", default=lambda: False)
"""Whether whoever runs here is dead. What a dead one sets a timer for does not come."""


class Stuck(RuntimeError):
    """Everything waits and no timer is set: nothing will ever happen again."""


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, moves the clock. `before` is called before each round of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.before: Callable[[], None] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.before is not None:
            self.before()
        if timeout is None:
            raise Stuck("nothing is ready and no timer is set")
        self.now += timeout
        return []  # no socket, no thread: to ask the machine each time would be a twentieth of a world


class ChaosLoop(asyncio.SelectorEventLoop):
    """Begins at time 0 and never waits. A round runs every callback that is ready, each up to its next await."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        if IS_OVER.get()():  # else what a process repeats goes on through all the lives after it
            timer.cancel()
        return timer

    def before_each_round(self, call: Callable[[], None] | None) -> None:
        """Have `call` called then; it must not raise."""
        self._virtual.before = call
