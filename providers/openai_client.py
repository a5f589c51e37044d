"""The provider of OpenAI's dialect: sends, reads, maps what goes wrong.

The bytes themselves are the business of openai_request and openai_answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import structlog

from providers import models
from providers.base import (
    CompletionRequest,
    Connect,
    Credential,
    ModelSettings,
    ModelSpec,
    StreamEvent,
    refuse_to_continue,
)
from providers.errors import ErrorKind, ProviderError
from providers.failures import error_from_answer, read_body
from providers.http import is_loopback, origin_of
from providers.openai_answer import AnswerReader
from providers.openai_request import encode, rejected, renamed, request_body
from providers.presets import Preset
from providers.privacy import redact, without
from providers.transport import NotHttp, reader_of

if TYPE_CHECKING:
    from providers.openai_compatible import OpenAICompatibleSettings

ENDING_TIMEOUT = 1.0
"""Seconds to wait for usage and end mark once the finish reason is there."""

DRAIN_TIMEOUT = 1.0
"""Seconds that a finished answer's body may take to end, so that its connection can serve again."""

ERROR_BODY_TIMEOUT = 2.0
MAX_ERROR_BYTES = 64 * 1024
LIST_TIMEOUT = 5.0
WARM_TIMEOUT = 5.0
MAX_LIST_BYTES = 8 * 1024 * 1024
MAX_RESENDS = 3
"""Each takes out at least one more parameter that the model does not know."""

MAX_LEARNED = 500
"""Models whose unknown parameters are remembered."""

_ANSWER, _MODELS = "/chat/completions", "/models"

Read = Callable[[], Awaitable[bytes]]


def _now() -> datetime:
    return datetime.now(UTC)


class OpenAICompatible:
    """One configured server. A parameter that a model rejects as unknown is left out from then on."""

    def __init__(
        self,
        name: str,
        base_url: str,
        settings: OpenAICompatibleSettings,
        preset: Preset | None,
        connect: Connect,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._name = name
        self._base_url = base_url
        self._settings = settings
        self._preset = preset
        self._connect = connect
        self._now = now
        self._origin = origin_of(base_url)
        self._warm_path = preset.warm_path if preset else _MODELS
        self._urls = {path: httpx.URL(f"{base_url}{path}") for path in (_ANSWER, _MODELS, self._warm_path)}
        self._learned: dict[str, dict[str, str | None]] = {}
        self._drains: dict[asyncio.Task[None], httpx.Response] = {}
        self._log = structlog.get_logger()
        self._headers = {
            "accept-encoding": "identity",  # a compressed stream waits for its compressor
            "user-agent": "firstword",
            **settings.headers,
        }

    @property
    def name(self) -> str:
        """Its name in the settings, the first part of its models' refs."""
        return self._name

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """Ask the model; see providers.base.Provider."""
        refuse_to_continue(model, request)
        scrub = _scrub(request, credential)
        response = await self._ask(model, request, credential, scrub)
        reader = AnswerReader(_request_id(response.headers), scrub)
        answer = _Answer(reader, reader_of(response), scrub)
        try:
            yield answer
        finally:
            if reader.is_over and not answer.is_drained:
                self._drain_later(response, answer.read)
            else:
                await response.aclose()

    async def warm(self) -> None:
        """Open a connection ahead of need, by a request without a key. Never raises."""
        try:
            async with asyncio.timeout(WARM_TIMEOUT):
                await self._get(self._warm_path, Credential(id=""), MAX_ERROR_BYTES)
        except (ProviderError, httpx.HTTPError, ValueError, TimeoutError) as error:
            self._log.debug("warming failed", provider=self._name, error=type(error).__name__)

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """What the server offers now. Raises ProviderError; takes at most LIST_TIMEOUT seconds."""
        try:
            async with asyncio.timeout(LIST_TIMEOUT):
                body = await self._get(_MODELS, credential, MAX_LIST_BYTES)
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, f"no list of models within {LIST_TIMEOUT:.0f} s") from error
        try:
            rows = _rows(orjson.loads(body))
        except (orjson.JSONDecodeError, AttributeError, TypeError) as error:
            raise ProviderError(ErrorKind.MALFORMED, "no list of models") from error
        local = is_loopback(self._base_url) or (self._preset is not None and self._preset.is_local)
        return tuple(
            models.describe(self._name, ModelSettings(model, context_window=window), is_local=local)
            for model, window in rows
        )

    async def aclose(self) -> None:
        """Stop reading the ends of finished answers. The connections are the app's."""
        drains = dict(self._drains)
        for task in drains:
            task.cancel()
        await asyncio.gather(*drains, return_exceptions=True)
        for response in drains.values():  # a task that was cancelled before its first step has closed nothing
            await response.aclose()

    async def _ask(
        self,
        model: ModelSpec,
        request: CompletionRequest,
        credential: Credential,
        scrub: Callable[[str], str],
    ) -> httpx.Response:
        conversation_field = self._preset.conversation_field if self._preset else ""
        body = request_body(model, request, self._settings.default_params, conversation_field)
        for left in range(MAX_RESENDS, -1, -1):
            sent = renamed(body, self._learned.get(model.model, {}))
            response = await self._send("POST", _ANSWER, credential, encode(sent), scrub)
            if response.status_code == 200:
                return response
            text = await _error_text(response)
            unknown = rejected(response.status_code, read_body(text), sent)
            if not unknown or not left:
                raise error_from_answer(response.status_code, response.headers, text, self._now(), scrub)
            self._learn(model, unknown)
        raise AssertionError("unreachable")

    def _learn(self, model: ModelSpec, unknown: Mapping[str, str | None]) -> None:
        if model.model not in self._learned and len(self._learned) >= MAX_LEARNED:
            del self._learned[next(iter(self._learned))]
        self._learned.setdefault(model.model, {}).update(unknown)
        self._log.warning("parameter left out", model=model.ref, parameters=sorted(unknown))

    async def _send(
        self,
        method: str,
        path: str,
        credential: Credential,
        content: bytes | None,
        scrub: Callable[[str], str],
    ) -> httpx.Response:
        headers = dict(self._headers)
        if credential.secret is not None:
            headers["authorization"] = f"Bearer {credential.secret.get_secret_value()}"
        if content is not None:
            headers |= {"content-type": "application/json", "accept": "text/event-stream, application/json"}
        client: httpx.AsyncClient = self._connect(self._origin)
        # the client's own build_request merges what is fixed here and parses the address every time: 70 us
        request = httpx.Request(
            method,
            self._urls[path],
            headers=headers,
            content=content,
            extensions={"timeout": client.timeout.as_dict()},
        )
        try:
            return await client.send(request, stream=True)
        except httpx.TransportError as error:
            raise _lost(error, scrub) from error

    async def _get(self, path: str, credential: Credential, limit: int) -> bytes:
        scrub = _scrub(CompletionRequest(()), credential)
        response = await self._send("GET", path, credential, None, scrub)
        try:
            if response.status_code != 200:
                text = await _error_text(response)
                raise error_from_answer(response.status_code, response.headers, text, self._now(), scrub)
            return await _read_up_to(reader_of(response), limit)
        except httpx.TransportError as error:
            raise _lost(error, scrub) from error
        finally:
            await response.aclose()

    def _drain_later(self, response: httpx.Response, read: Read) -> None:
        task = asyncio.create_task(_drain(response, read), name=f"end of an answer of {self._name}")
        self._drains[task] = response
        task.add_done_callback(self._drains.pop)


class _Answer:
    """The events of one answer. What came before an error is handed out before it is raised."""

    def __init__(self, reader: AnswerReader, read: Read, scrub: Callable[[str], str]) -> None:
        self.read = read
        self.is_drained = False
        self._reader = reader
        self._scrub = scrub
        self._ready: deque[StreamEvent] = deque()

    def __aiter__(self) -> _Answer:
        return self

    async def __anext__(self) -> StreamEvent:
        while not self._ready:
            if self._reader.failure is not None:
                raise self._reader.failure
            if self._reader.is_over:
                raise StopAsyncIteration
            self._ready.extend(await self._more())
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
            raise _lost(error, self._scrub) from error
        if chunk:
            return self._reader.feed(chunk)
        self.is_drained = True
        return self._reader.close()


async def _drain(response: httpx.Response, read: Read) -> None:
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT):
            while await read():
                pass
    except (httpx.TransportError, TimeoutError):
        pass  # the answer was whole; only its connection is lost
    finally:
        await response.aclose()


async def _error_text(response: httpx.Response) -> bytes:
    try:
        async with asyncio.timeout(ERROR_BODY_TIMEOUT):
            return await _read_up_to(reader_of(response), MAX_ERROR_BYTES)
    except (httpx.TransportError, TimeoutError):
        return b""
    finally:
        await response.aclose()


async def _read_up_to(read: Read, limit: int) -> bytes:
    parts = bytearray()
    while len(parts) < limit and (chunk := await read()):
        parts += chunk
    return bytes(parts)


def _lost(error: httpx.TransportError | TimeoutError, scrub: Callable[[str], str]) -> ProviderError:
    """A failed connection's kind, by the moment at which it failed."""
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


def _scrub(request: CompletionRequest, credential: Credential) -> Callable[[str], str]:
    def scrub(text: str) -> str:
        secret = credential.secret.get_secret_value() if credential.secret else ""
        return redact(without(text, [message.text for message in request.messages]), [secret])

    return scrub


def _request_id(headers: Mapping[str, str]) -> str:
    return headers.get("x-request-id") or headers.get("request-id") or ""


def _rows(body: Any) -> list[tuple[str, int | None]]:
    """Ids and context windows of a list of models; vLLM, OpenRouter, LM Studio and llama.cpp each say it elsewhere."""
    rows = body["data"] if isinstance(body, dict) and "data" in body else body
    found: list[tuple[str, int | None]] = []
    for row in rows:
        meta = row.get("meta") or {}
        window = (
            row.get("max_model_len")
            or row.get("context_length")
            or row.get("max_context_length")
            or meta.get("n_ctx")
        )
        found.append((str(row["id"]).removeprefix("models/"), window if isinstance(window, int) else None))
    return found
