"""A second request beside a silent first one. One of the two speaks, never both. No I/O of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from providers.base import StreamEvent
from providers.errors import ProviderError
from routing.attempt import Request, is_content


class Beside:
    """Begins the second request after `after` seconds, unless the first has begun to answer or is over by then.

    Whichever gives its first piece of an answer first goes on; the other one is ended at once. `begin` makes the
    second request, None where there may be none after all. `close` when the first one is over, however it ended.
    """

    def __init__(self, first: Request, begin: Callable[[], Request | None], after: float) -> None:
        self.second: Request | None = None
        self._first = first
        self._make = begin
        self._is_settled = False
        self._events: deque[StreamEvent] = deque()
        self._error: Exception | None = None
        self._is_over = False
        self._more: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(after, self._begin)

    def settle(self) -> None:
        """The first one has given a piece of its answer: the second one is not wanted any more."""
        if self._is_settled:
            return
        self._is_settled = True
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def takes_over(self) -> bool:
        """The first one failed: whether the second one runs, and so is the one to listen to."""
        self._timer.cancel()
        if self.second is None or self._is_settled or self._error is not None:
            return False
        self._is_settled = True
        return True

    @property
    def has_failed(self) -> bool:
        """Whether the second one ended with an error."""
        return self._error is not None

    async def events(self) -> AsyncGenerator[StreamEvent, None]:
        """What the second one says, from its beginning. Raises what it failed with."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self._is_over:
                break
            self._more = asyncio.get_running_loop().create_future()
            await self._more
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """End what still runs; nothing of it is left when this returns."""
        self._timer.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait((self._task,))
        self._task = None  # what ended it holds this object: without the ring all is freed at once

    def _begin(self) -> None:
        if self._first.ttft is not None or self._is_settled:
            return
        self.second = self._make()
        if self.second is not None:
            work = self._run(self.second)
            self._task = asyncio.get_running_loop().create_task(work, name="second request")

    async def _run(self, second: Request) -> None:
        try:
            async with aclosing(second.events()) as events:
                async for event in events:
                    self._events.append(event)
                    if not self._is_settled and is_content(event):
                        self._is_settled = True
                        self._first.overtake()
                    self._wake()
        except Exception as error:  # noqa: BLE001 - raised again to whoever listens
            self._error = error
            if not isinstance(error, ProviderError) and not self._is_settled:
                self._is_settled = True
                self._first.overtake()  # a fault of ours is not to be hidden
        finally:
            self._is_over = True
            self._wake()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)
