"""Writing answers to a connection: whole, as a stream of events, or the problem that stands in their place."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from channels.api import render
from channels.api.pending import Pending
from channels.api.problems import Problem

if TYPE_CHECKING:
    from typing import Any

SILENCE = 10.0
"""Seconds without a byte after which a stream says that it is still there. Proxies give up after 30 to 60."""

WRITE_DEADLINE = 30.0
"""Seconds that whoever asked may take to read a piece; then it has hung up."""

_STREAM = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


def reply(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    """A whole answer in JSON."""
    return web.Response(
        status=status,
        body=render.encode(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"} | (headers or {}),
    )


def refusal(problem: Problem, headers: dict[str, str] | None = None) -> web.Response:
    """A problem in place of an answer."""
    found = dict(headers or {})
    if problem.retry_after is not None:
        found["Retry-After"] = str(problem.retry_after)
    if problem.status == 401:
        found["WWW-Authenticate"] = 'Bearer realm="firstword"'
    return reply(problem.status, problem.body(), found)


async def whole(pending: Pending, created: int) -> web.Response:
    """The answer when it is over. Nobody reads it where whoever asked has hung up."""
    while not pending.is_over:
        await pending.news(None)
    headers = {"x-request-id": pending.id} | render.headers(pending.route)
    if pending.problem is not None or pending.conclusion is None:
        return refusal(pending.problem or Problem(499, "hung up"), headers)
    return reply(200, render.completion(pending.id, created, pending.take(), pending.conclusion), headers)


class Stream:
    """The answer as events. Until the first byte a problem is a status of its own, after it an event."""

    def __init__(self, request: web.Request, pending: Pending, chunks: render.Chunks, silence: float) -> None:
        self._request = request
        self._pending = pending
        self._chunks = chunks
        self._silence = silence
        self._response: web.StreamResponse | None = None
        self._has_begun = False

    async def run(self) -> web.StreamResponse:
        """Write until the answer is over or whoever asked has hung up."""
        try:
            return await self._run()
        except (ConnectionError, TimeoutError):
            self._pending.hang_up()
            return self._response or web.Response(status=499)

    async def _run(self) -> web.StreamResponse:
        pending = self._pending
        while True:
            is_news = await pending.news(self._silence)
            if pending.is_gone:
                return self._response or web.Response(status=499)
            found = b"" if is_news else render.WAITING
            model = pending.route.model if pending.route is not None else ""
            if text := pending.take():
                found += self._first(model) + self._chunks.text(model, text)
            if pending.problem is not None:
                if self._response is None and not found:
                    return refusal(pending.problem, self._headers())
                found += render.event(pending.problem.body())
            elif pending.conclusion is not None:
                found += self._first(model) + self._chunks.last(model, pending.conclusion)
            if found:
                await self._write(found)
            if pending.is_over and self._response is not None:
                await self._response.write_eof()
                return self._response

    def _headers(self) -> dict[str, str]:
        return {"x-request-id": self._pending.id} | render.headers(self._pending.route)

    def _first(self, model: str) -> bytes:
        has_begun, self._has_begun = self._has_begun, True
        return b"" if has_begun else self._chunks.first(model)

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(WRITE_DEADLINE):
            if self._response is None:
                self._response = web.StreamResponse(headers=_STREAM | self._headers())
                await self._response.prepare(self._request)
            await self._response.write(data)
