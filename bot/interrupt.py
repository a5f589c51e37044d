"""Stopping one piece of a task from outside, with a reason, while the task lives on."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum
from types import TracebackType
from typing import Self


class StopReason(StrEnum):
    """Why a running answer is wanted no more, or differently."""

    STOPPED = "stopped"  # a person said stop: keep the part, mark it
    EDITED = "edited"  # the question reads differently now: answer again in the same messages
    DELETED = "deleted"  # the question is gone: take the answer away
    MERGED = "merged"  # the person went on typing: ask again with both
    DUPLICATE = "duplicate"  # the message was known: show nothing
    UNSTORED = "unstored"  # the message could not be kept; the platform will offer it again
    STUCK = "stuck"  # nothing moved for too long: keep the part, and say so
    SHUTDOWN = "shutdown"  # save and leave; goes on after the restart


_PASSING = frozenset({None, StopReason.EDITED, StopReason.MERGED})


class Interrupt:
    """A scope that `fire` ends early. Entered and left by one task, as often as it likes.

    Inside `async with interrupt:` a fire cancels what is awaited and the scope ends quietly; `reason` then
    says why. A fire while nothing is inside takes effect at the next entry.
    """

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self._task: asyncio.Task[object] | None = None
        self._has_cancelled = False

    def fire(self, reason: StopReason) -> None:
        """End the scope. The first reason stands until `clear`.

        But what asks again gives way to what ends, and a shutdown replaces any.
        """
        is_stronger = self.reason in _PASSING and reason not in _PASSING
        if self.reason is None or is_stronger or reason is StopReason.SHUTDOWN:
            self.reason = reason
        if self._task is not None and not self._has_cancelled:
            self._has_cancelled = True
            self._task.cancel()

    def clear(self) -> None:
        """Forget the reason, to go round again."""
        self.reason = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        self._has_cancelled = False
        if self.reason is not None and self._task is not None:
            self._has_cancelled = True
            self._task.cancel()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        if not self._has_cancelled or task is None:
            return False
        if kind is None:
            # Nothing was awaited since: the cancel is still to come, and would hit whatever follows the scope.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            if task.uncancel() > 0:
                raise asyncio.CancelledError
            return False
        # Only our own cancel is swallowed; when somebody else cancelled the task too, theirs stands.
        is_ours_alone = task.uncancel() == 0
        return is_ours_alone and issubclass(kind, asyncio.CancelledError)
