"""The provider of Anthropic's dialect: sends, reads, remembers what a model does not take.

The bytes are the business of anthropic_request and anthropic_answer, the way to the API of a Wire.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import orjson
import structlog

from providers import models
from providers.allowance import UNLIMITED, Limits
from providers.anthropic_answer import AnswerReader, EventReader, counts_of, usage_of
from providers.anthropic_models import described
from providers.anthropic_request import (
    Style,
    encode,
    rejected,
    request_body,
    schema_tool,
    warming_body,
)
from providers.anthropic_wire import MAX_BYTES, MESSAGES, MODELS, Answering, Refusal, Wire
from providers.base import (
    CompletionRequest,
    Credential,
    ModelSpec,
    StreamEvent,
    Usage,
    refuse_to_continue,
)
from providers.errors import ErrorKind, ProviderError
from providers.exchange import Drains, Read, Scrub, close, joined, read_up_to, scrubber
from providers.failures import list_of, read_body
from providers.limits import Gate

ENDING_TIMEOUT = 1.0
"""Seconds to wait for the end mark once the stop reason is there."""

LIST_TIMEOUT = 5.0
WARM_TIMEOUT = 5.0
WARM_PROMPT_TIMEOUT = 60.0
"""Seconds to read a long prompt into the cache."""

MAX_PAGES = 20
MAX_RESENDS = 3
"""Each takes out at least one more part that the model does not know."""

MAX_LEARNED = 500
"""Models whose unknown parameters are remembered."""


class Anthropic:
    """One configured endpoint. What a model rejects as unknown is left out from then on."""

    def __init__(self, name: str, style: Style, wire: Wire, limits: Limits = UNLIMITED) -> None:
        self._name = name
        self._style = style
        self._wire = wire
        self._learned: dict[str, frozenset[str]] = {}
        self._gate = Gate(limits)
        self._drains = Drains(name)
        self._log = structlog.get_logger()

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
        scrub = scrubber(request, credential)
        with self._gate.admit(credential.id, request):
            answering = await self._ask(model, request, credential, scrub, is_warming=False)
            reader = AnswerReader(model.model, answering.request_id, scrub, schema_tool(model, request))
            answer = _Answer(reader, answering.read)
            try:
                yield answer
            finally:
                if reader.is_over and not answering.is_whole():
                    self._drains.add(answering.response, _quiet(answering.read))
                else:
                    await close(answering.response)

    async def warm(self) -> None:
        """Load what has to be loaded and open a connection, by a request without a key. Never raises."""
        try:
            async with asyncio.timeout(WARM_TIMEOUT):
                await self._wire.prepare()
                await self._get(f"{MODELS}?limit=1", Credential(id=""))
        except (ProviderError, TimeoutError, ImportError) as error:
            self._log.debug("warming failed", provider=self._name, error=type(error).__name__)

    async def warm_prompt(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> Usage:
        """Put the stable messages into the cache; see providers.base.WarmsPrompts.

        Takes at most WARM_PROMPT_TIMEOUT seconds.
        """
        scrub = scrubber(request, credential)
        try:
            async with asyncio.timeout(WARM_PROMPT_TIMEOUT):
                answering = await self._ask(model, request, credential, scrub, is_warming=True)
                body = await _whole(answering)
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, f"no cache within {WARM_PROMPT_TIMEOUT:.0f} s") from error
        try:
            return usage_of(counts_of(orjson.loads(body)["usage"]))
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ProviderError(ErrorKind.MALFORMED, "no usage in the answer") from error

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """What the server offers now. Raises ProviderError; takes at most LIST_TIMEOUT seconds."""
        try:
            await self._wire.prepare()
            async with asyncio.timeout(LIST_TIMEOUT):
                rows = await self._rows(credential)
            return tuple(spec for row in rows if (spec := described(self._name, row)) is not None)
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, f"no list of models within {LIST_TIMEOUT:.0f} s") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise ProviderError(ErrorKind.MALFORMED, "no list of models") from error

    def describe(self, model: ModelSpec) -> ModelSpec:
        """See providers.base.Describes: under a name of one's own too a model is what its vendor made."""
        return models.of_vendor("anthropic", model)

    async def aclose(self) -> None:
        """Stop reading the ends of finished answers. The connections are the app's."""
        await self._drains.aclose()

    async def _ask(
        self,
        model: ModelSpec,
        request: CompletionRequest,
        credential: Credential,
        scrub: Scrub,
        *,
        is_warming: bool,
    ) -> Answering:
        build = warming_body if is_warming else request_body
        for left in range(MAX_RESENDS, -1, -1):
            known = self._learned.get(model.model, frozenset())
            body = build(model, request, self._style, known)
            got = await self._wire.send("POST", MESSAGES, encode(body), credential, scrub)
            if isinstance(got, Answering):
                return got
            unknown = rejected(got.status, read_body(got.body), body)
            if not unknown - known or not left:
                raise got.error
            self._learn(model, unknown)
        raise AssertionError("unreachable")

    def _learn(self, model: ModelSpec, unknown: frozenset[str]) -> None:
        if model.model not in self._learned and len(self._learned) >= MAX_LEARNED:
            del self._learned[next(iter(self._learned))]
        self._learned[model.model] = self._learned.get(model.model, frozenset()) | unknown
        self._log.warning("parameter left out", model=model.ref, parameters=sorted(unknown))

    async def _rows(self, credential: Credential) -> list[dict[str, Any]]:
        """Every page of the list; a server that does not page sends one."""
        rows: list[dict[str, Any]] = []
        scrub = scrubber(CompletionRequest(()), credential)
        query: dict[str, str] = {"limit": "1000"}
        for _ in range(MAX_PAGES):
            page = list_of(await self._get(f"{MODELS}?{urlencode(query)}", credential), scrub)
            rows += page["data"]
            if page.get("has_more") is not True or not page.get("last_id"):
                break
            query["after_id"] = str(page["last_id"])
        return rows

    async def _get(self, path: str, credential: Credential) -> bytes:
        scrub = scrubber(CompletionRequest(()), credential)
        got = await self._wire.send("GET", path, None, credential, scrub)
        if isinstance(got, Refusal):
            raise got.error
        return await _whole(got)


async def _whole(answering: Answering) -> bytes:
    try:
        return await read_up_to(answering.read, MAX_BYTES)
    finally:
        await close(answering.response)


def _quiet(read: Read) -> Read:
    """Reads to the end of an answer that is whole already; that it breaks off is nobody's business any more."""

    async def rest() -> bytes:
        try:
            return await read()
        except ProviderError:
            return b""

    return rest


class _Answer:
    """The events of one answer. What came before an error is handed out before it is raised."""

    def __init__(self, reader: AnswerReader, read: Read) -> None:
        self._reader = reader
        self._read = read
        self._events = EventReader()
        self._ready: deque[StreamEvent] = deque()
        self._failure: ProviderError | None = None

    def __aiter__(self) -> _Answer:
        return self

    async def __anext__(self) -> StreamEvent:
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if self._reader.is_over:
                raise StopAsyncIteration
            await self._more()
        return self._ready.popleft()

    async def _more(self) -> None:
        try:
            if self._reader.is_ending:
                async with asyncio.timeout(ENDING_TIMEOUT):
                    chunk = await self._read()
            else:
                chunk = await self._read()
        except (ProviderError, TimeoutError):
            if not self._reader.is_ending:
                raise
            chunk = b""
        found: list[StreamEvent] = []
        try:
            for event in self._events.feed(chunk) if chunk else self._events.close():
                found.extend(self._reader.take(event))
            if self._events.failure is not None and not self._reader.is_over:
                self._failure = self._events.failure
            elif not chunk:
                found.extend(self._reader.close())
        except ProviderError as error:
            self._failure = error
        self._ready.extend(joined(found))
