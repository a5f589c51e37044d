"""One open page: reads its frames in order, writes what the hub has for it, each at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType

from channels.web import limits
from channels.web.hub import Hub, Question
from channels.web.parse import (
    BadFrame,
    Frame,
    Models,
    Open,
    Ping,
    Say,
    Typing,
    key_of,
    parse_frame,
    to_event,
)
from channels.web.render import commands_of, history_line, models_of
from channels.web.subscriber import Subscriber

if TYPE_CHECKING:
    from aiohttp.web import WebSocketResponse

    from channels.base import Host

GOING_AWAY = 1001
TOO_MUCH = 1008
TRY_LATER = 1013


class Connection:
    """A WebSocket that was let in. `serve` returns when it is closed from either side."""

    def __init__(
        self,
        socket: WebSocketResponse,
        host: Host,
        hub: Hub,
        account: str,
        *,
        max_message_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._socket = socket
        self._host = host
        self._hub = hub
        self._account = account
        self._max_message_bytes = max_message_bytes
        self._clock = clock
        self._bucket = limits.Bucket(limits.FRAME_RATE, limits.FRAME_BURST, clock)
        self._refused = 0
        self._space: str | None = None
        self._something = asyncio.Event()
        self._subscriber = Subscriber(self._something.set)
        self._listing: asyncio.Task[None] | None = None
        self._has_to_leave = False

    async def serve(self) -> None:
        """Speak with the page until it leaves."""
        self._subscriber.tell(
            {
                "t": "hello",
                "commands": commands_of(self._host.commands()),
                "maxMessageBytes": self._max_message_bytes,
            }
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write())
                try:
                    await self._read(tasks)
                finally:
                    writer.cancel()
                    if self._listing is not None:
                        self._listing.cancel()
        finally:
            if self._space is not None:
                self._hub.unsubscribe(self._space, self._subscriber)

    def leave(self) -> None:
        """Let it end by itself: who sits there has to prove anew who they are."""
        self._has_to_leave = True
        self._something.set()

    async def close(self, code: int, reason: bytes = b"") -> None:
        """End it from our side."""
        await self._socket.close(code=code, message=reason)

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        async for message in self._socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return
            wait = self._bucket.take()
            try:
                frame = parse_frame(message.data, self._max_message_bytes)
                if wait > 0:
                    raise BadFrame("rate", frame.id if isinstance(frame, Say) else None, retry=wait)
                await self._take(frame, tasks)
            except BadFrame as error:
                self._refuse(error)
            if self._refused > limits.MAX_REFUSED:
                await self.close(TOO_MUCH, b"too many refused frames")
                return

    def _refuse(self, error: BadFrame) -> None:
        self._refused += 1
        self._subscriber.tell({"t": "refused", "id": error.about, "code": error.code} | error.data)

    async def _take(self, frame: Frame, tasks: asyncio.TaskGroup) -> None:
        match frame:
            case Ping():
                self._subscriber.tell({"t": "pong"})
            case Open():
                await self._open(frame)
            case Say():
                await self._say(frame)
            case Typing():
                await self._host.accept(to_event(frame, self._account, datetime.now(UTC)))
            case Models():
                if self._listing is None or self._listing.done():
                    self._listing = tasks.create_task(self._list_models(frame))

    async def _open(self, frame: Open) -> None:
        rows = await self._host.history(key_of(self._account, frame.conversation), limits.HISTORY_LINES)
        kept: list[dict[str, Any]] = []
        for place, row in enumerate(rows):
            line = history_line(row)
            line["id"] = line["id"] or f"history-{place}"
            kept.append(line)
        if self._space is not None:
            self._hub.unsubscribe(self._space, self._subscriber)
        self._subscriber.reset()
        self._space = frame.conversation
        self._hub.subscribe(frame.conversation, self._subscriber, kept)

    async def _say(self, frame: Say) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        # Told to the other pages first: the answer may begin before `accept` returns.
        question = Question(frame.id, frame.text, now.timestamp())
        self._hub.said(frame.conversation, question, self._subscriber, is_quiet=frame.is_quiet)
        if not await self._host.accept(to_event(frame, self._account, now)):
            raise BadFrame("busy", frame.id, retry=2.0)
        self._subscriber.tell({"t": "said", "id": frame.id})

    async def _list_models(self, frame: Models) -> None:
        models = await self._host.models(key_of(self._account, frame.conversation))
        self._subscriber.tell({"t": "models", "c": frame.conversation, "models": models_of(models)})

    async def _write(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            if self._has_to_leave:
                await self.close(TOO_MUCH, b"the token was changed")
                return
            if self._subscriber.is_overrun:
                await self.close(TRY_LATER, b"too slow; connect again")
                return
            while (frame := self._subscriber.take()) is not None:
                try:
                    async with asyncio.timeout(limits.SEND_DEADLINE):
                        await self._socket.send_frame(frame, WSMsgType.TEXT)
                except (ConnectionError, TimeoutError):
                    await self.close(TRY_LATER)
                    return
