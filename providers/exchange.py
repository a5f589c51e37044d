"""One request and its answer over httpx, with failures as ProviderErrors: what every HTTP dialect shares."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Protocol

import httpx

from providers.base import CompletionRequest, Credential, ReasoningDelta, StreamEvent, TextDelta
from providers.errors import ErrorKind, ProviderError
from providers.failures import error_from_answer
from providers.privacy import redact, without
from providers.transport import NotHttp, reader_of

ERROR_BODY_TIMEOUT = 2.0
"""Seconds for the body of an answer that is an error."""

MAX_ERROR_BYTES = 64 * 1024

DRAIN_TIMEOUT = 1.0
"""Seconds that a finished answer's body may take to end, so that its connection can serve again."""

ENDING_TIMEOUT = 1.0
"""Seconds to wait for usage and end mark once the finish reason is there."""

Read = Callable[[], Awaitable[bytes]]
Scrub = Callable[[str], str]


def scrubber(request: CompletionRequest, credential: Credential) -> Scrub:
    """A function that takes the key and every piece of the prompt out of a text."""

    def scrub(text: str) -> str:
        secret = credential.secret.get_secret_value() if credential.secret else ""
        private = [message.text for message in request.messages]
        private += [call.arguments for message in request.messages for call in message.calls]
        return redact(without(text, [*private, request.prediction]), [secret])

    return scrub


async def send(client: httpx.AsyncClient, request: httpx.Request, scrub: Scrub) -> httpx.Response:
    """The answer as soon as its head is there, whatever its status; close it. Raises ProviderError."""
    try:
        return await client.send(request, stream=True)
    except httpx.TransportError as error:
        raise lost(error, scrub) from error


def lost(error: httpx.TransportError | TimeoutError, scrub: Scrub) -> ProviderError:
    """What a failed connection is, by the moment at which it failed: CONNECT was never sent, the others were."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            kind = ErrorKind.CONNECT
        case httpx.ProxyError() | httpx.UnsupportedProtocol():
            kind = ErrorKind.CONNECT
        case NotHttp():
            kind = ErrorKind.MALFORMED
        case _:
            kind = ErrorKind.INCOMPLETE
    return ProviderError(kind, scrub(f"{type(error).__name__}: {error}"))


async def error_body(response: httpx.Response) -> bytes:
    """The beginning of an error's body, as much as comes in time. Closes the response; raises nothing."""
    try:
        async with asyncio.timeout(ERROR_BODY_TIMEOUT):
            return await read_up_to(reader_of(response), MAX_ERROR_BYTES)
    except (httpx.TransportError, TimeoutError):
        return b""
    finally:
        await close(response)


def failure(response: httpx.Response, body: bytes, scrub: Scrub) -> ProviderError:
    """The error that an answer of another status than 200 is."""
    return error_from_answer(
        response.status_code, response.headers, body, datetime.now(UTC), scrub, response.request.url.path
    )


async def read_up_to(read: Read, limit: int) -> bytes:
    """The body; it may be cut where it is longer than `limit` bytes."""
    parts = bytearray()
    while len(parts) < limit and (chunk := await read()):
        parts += chunk
    return bytes(parts)


_NOTHING = httpx.ByteStream(b"")
_WORDS = frozenset({TextDelta, ReasoningDelta})


async def close(response: httpx.Response) -> None:
    """Close a response and free it: httpx's response and its stream hold each other until a collection runs."""
    await response.aclose()
    response.stream = _NOTHING


class ReadsAnswer(Protocol):
    """Makes the events of one answer out of its bytes. `failure` is raised once all events before it are handed out."""

    @property
    def is_ending(self) -> bool:
        """The answer is whole but for what may follow its end."""

    @property
    def is_over(self) -> bool:
        """Nothing more comes."""

    @property
    def failure(self) -> ProviderError | None:
        """What is wrong with it."""

    def feed(self, chunk: bytes) -> Sequence[StreamEvent]:
        """More bytes."""

    def close(self) -> Sequence[StreamEvent]:
        """The body has ended."""

    def stop_waiting(self) -> Sequence[StreamEvent]:
        """What was still to follow the end does not come."""


class Events:
    """The events of one answer. What came before an error is handed out before it is raised.

    Text that came in one read is one event: whoever reads on has a price for each (20 us of CPU, 2026-11).
    """

    def __init__(self, reader: ReadsAnswer, read: Read, scrub: Scrub) -> None:
        self.read = read
        self._reader = reader
        self._scrub = scrub
        self._ready: deque[StreamEvent] = deque()

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> StreamEvent:
        while not self._ready:
            if self._reader.failure is not None:
                raise self._reader.failure
            if self._reader.is_over:
                raise StopAsyncIteration
            self._ready.extend(joined(await self._more()))
        return self._ready.popleft()

    async def _more(self) -> Sequence[StreamEvent]:
        try:
            if self._reader.is_ending:
                async with asyncio.timeout(ENDING_TIMEOUT):
                    chunk = await self.read()
            else:
                chunk = await self.read()
        except (httpx.TransportError, TimeoutError) as error:
            if self._reader.is_ending:
                return self._reader.stop_waiting()
            raise lost(error, self._scrub) from error
        return self._reader.feed(chunk) if chunk else self._reader.close()


def joined(events: Sequence[StreamEvent]) -> Sequence[StreamEvent]:
    """The same with each run of text, and of thoughts, as one event. Pure."""
    if len(events) < 2:
        return events
    found: list[StreamEvent] = []
    for kind, run in groupby(events, type):
        if kind not in _WORDS:
            found.extend(run)
            continue
        text = "".join([each.text for each in run if isinstance(each, (TextDelta, ReasoningDelta))])
        found.append(TextDelta(text) if kind is TextDelta else ReasoningDelta(text))
    return found


class Drains:
    """Reads the ends of finished answers in the background, so that nobody waits and no connection is lost."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._tasks: dict[asyncio.Task[None], httpx.Response] = {}

    def add(self, response: httpx.Response, read: Read) -> None:
        """Read what is left, for DRAIN_TIMEOUT seconds at most, and close the response."""
        task = asyncio.create_task(_drain(response, read), name=f"end of an answer of {self._owner}")
        self._tasks[task] = response
        task.add_done_callback(self._tasks.pop)

    async def aclose(self) -> None:
        """Stop reading and close what is open."""
        tasks = dict(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for response in tasks.values():  # a task that was cancelled before its first step has closed nothing
            await close(response)


async def _drain(response: httpx.Response, read: Read) -> None:
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT):
            while await read():
                pass
    except (httpx.TransportError, TimeoutError):
        pass  # the answer was whole; only its connection is lost
    finally:
        await close(response)
