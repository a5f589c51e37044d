"""Plays the steps of a streamed answer on a connection, at their times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from tests.mock_model.behaviour import Behaviour
from tests.mock_model.connection import Connection
from tests.mock_model.record import Book, Request, Stage
from tests.mock_model.wheel import Wheel
from tests.mock_model.wire import End, Step

COMMENT = b": keepalive\n\n"


class Player:
    """One answer on its way; it ends by itself, by the client's going or by `abandon`."""

    def __init__(
        self,
        connection: Connection,
        request: Request,
        behaviour: Behaviour,
        steps: Iterator[Step],
        *,
        wheel: Wheel,
        book: Book,
        holds: Callable[[str, Callable[[], None]], bool],
        over: Callable[[], object],
    ) -> None:
        self._connection, self._request, self._behaviour = (
            connection,
            request,
            behaviour,
        )
        self._steps, self._wheel, self._book, self._holds = steps, wheel, book, holds
        self._tell = over
        self._due = request.at
        self._step: Step | None = None
        self._passed = False
        self._waiting = False
        self._blocked = False
        self._over = False
        self._head = b""
        self._never = False

    def start(self) -> None:
        """Send the headers (unless they are to come late) and all that is due."""
        self._connection.on_lost = self._lost
        self._connection.on_writable = self._writable
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-cache",
        }
        if not self._connection.http10:
            headers["Transfer-Encoding"] = "chunked"
        self._head = self._connection.head(200, headers | dict(self._behaviour.headers))
        self._request.status = 200
        waits = self._behaviour.ttft > 0 or self._behaviour.hold is not None
        if waits and not self._behaviour.headers_late:
            self._flush([])
        self._run()

    def abandon(self) -> None:
        """Break the connection off: the script was reset or the server ends."""
        self._finish(End.DROP)

    def _run(self) -> None:
        if self._over or self._waiting:
            return
        if self._connection.paused:
            self._blocked = True
            return
        out: list[bytes] = []
        tokens = 0
        now = time.monotonic()
        while (step := self._current()) is not None:
            if step.hold is not None and not self._passed:
                self._passed = True
                if not self._holds(step.hold, self._released):
                    self._waiting = True
                    break
            if self._due > now:
                self._wait(now)
                break
            self._step = None
            if step.payload:
                out.append(step.payload)
            tokens += step.tokens
            if step.end is not End.NO:
                self._note(tokens)
                self._flush(out, last=step.end is End.BODY)
                self._finish(step.end)
                return
        self._note(tokens)
        if out:
            self._flush(out)

    def _current(self) -> Step | None:
        if self._step is None:
            self._step = next(self._steps, None)
            if self._step is not None:
                self._due += self._step.delay
                self._passed = False
        return self._step

    def _wait(self, now: float) -> None:
        when = self._due
        if self._behaviour.keepalive > 0 and when - now > self._behaviour.keepalive:
            when = now + self._behaviour.keepalive
            self._wheel.at(when, self._comment)
        else:
            self._wheel.at(when, self._run)

    def _comment(self) -> None:
        if self._over:
            return
        self._flush([COMMENT])
        if self._never:
            self._wheel.at(time.monotonic() + self._behaviour.keepalive, self._comment)
        else:
            self._run()

    def _released(self) -> None:
        self._waiting = False
        self._due = time.monotonic()
        self._run()

    def _writable(self) -> None:
        if self._blocked:
            self._blocked = False
            self._run()

    def _note(self, tokens: int) -> None:
        """Before the write, so that no reader can be earlier than the note."""
        if tokens == 0:
            return
        self._request.last_sent = time.monotonic()
        self._request.tokens += tokens
        if self._request.first_sent is None:
            self._request.first_sent = self._request.last_sent
            self._book.reach(self._request, Stage.FIRST_SENT)

    def _flush(self, pieces: list[bytes], *, last: bool = False) -> None:
        if not self._connection.http10:
            pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
            if last:
                pieces.append(b"0\r\n\r\n")
        if self._head:
            pieces.insert(0, self._head)
            self._head = b""
            self._request.headers_sent = time.monotonic()
        self._connection.write(b"".join(pieces))

    def _finish(self, end: End) -> None:
        if end is End.NEVER:
            self._never = True
            if self._behaviour.keepalive > 0:
                self._wheel.at(time.monotonic() + self._behaviour.keepalive, self._comment)
            return
        self._end()
        if end is End.BODY:
            self._connection.done()
        else:
            self._connection.on_lost = None
            self._connection.drop(reset=end is End.RESET)

    def _lost(self) -> None:
        if not self._over:
            self._book.reach(self._request, Stage.CLOSED_EARLY)
            self._end()

    def _end(self) -> None:
        self._over = True
        self._tell()
        self._request.ended = time.monotonic()
        self._book.reach(self._request, Stage.ENDED)
