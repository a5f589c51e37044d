"""The provider of Cerebras: OpenAI's client, asking in Cerebras' way.

What is asked is the business of cerebras_request, which way it goes of a Wire, the answer of openai_client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import httpx
import structlog

from providers import presets
from providers.base import Batch, CompletionRequest, Connect, Credential, ModelSpec, StreamEvent
from providers.cerebras_batch import Batches
from providers.cerebras_request import Style, encode, headers_of, packed, request_body
from providers.cerebras_wire import Wire
from providers.exchange import Scrub, close
from providers.openai_client import OpenAICompatible

if TYPE_CHECKING:
    from providers.cerebras import CerebrasSettings

PACK_ELSEWHERE = 256 * 1024
"""Bytes from which packing is done in a thread: text of that size takes 0.7 ms, a picture 8 ms (2026-11)."""

PREPARE_TIMEOUT = 10.0


class Cerebras:
    """One configured endpoint."""

    def __init__(
        self, name: str, base_url: str, settings: CerebrasSettings, wire: Wire, connect: Connect
    ) -> None:
        self._name = name
        self._wire = wire
        style = Style(settings.default_params, settings.thoughts, settings.queue_threshold)
        asking = _Asking(name, style, wire, settings.compress_from)
        # the preset of the endpoint's kind, whatever it is called: it knows the path that warms
        preset = presets.find("cerebras")
        self._client = OpenAICompatible(
            name, base_url, settings, preset, connect, asking, limits=settings.limits.plain()
        )
        self._batches = Batches(base_url, settings.headers, connect)
        self._log = structlog.get_logger()

    @property
    def name(self) -> str:
        """Its name in the settings, the first part of its models' refs."""
        return self._name

    def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AbstractAsyncContextManager[AsyncIterator[StreamEvent]]:
        """Ask the model; see providers.base.Provider."""
        return self._client.stream(model, request, credential)

    async def warm(self) -> None:
        """Load what has to be loaded and open a connection, by a request without a key. Never raises."""
        try:
            async with asyncio.timeout(PREPARE_TIMEOUT):
                await self._wire.prepare()
        except (ImportError, TimeoutError) as error:
            self._log.debug("warming failed", provider=self._name, error=type(error).__name__)
        await self._client.warm()

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """What the server offers now. Raises ProviderError; takes at most five seconds."""
        return await self._client.list_models(credential)

    async def submit_batch(self, requests: bytes, credential: Credential) -> Batch:
        """See providers.base.RunsBatches."""
        return await self._batches.submit(requests, credential)

    async def batches(self, credential: Credential) -> Sequence[Batch]:
        """See providers.base.RunsBatches."""
        return await self._batches.all(credential)

    async def batch(self, batch_id: str, credential: Credential) -> Batch:
        """See providers.base.RunsBatches."""
        return await self._batches.one(batch_id, credential)

    async def cancel_batch(self, batch_id: str, credential: Credential) -> Batch:
        """See providers.base.RunsBatches."""
        return await self._batches.cancel(batch_id, credential)

    def batch_results(self, batch_id: str, credential: Credential) -> AsyncIterator[bytes]:
        """See providers.base.RunsBatches."""
        return self._batches.results(batch_id, credential)

    async def aclose(self) -> None:
        """Stop reading the ends of finished answers. The connections are the app's."""
        await self._client.aclose()


class _Asking:
    """Cerebras' way to ask: its fields, its headers, and long bodies packed."""

    def __init__(self, name: str, style: Style, wire: Wire, compress_from: int | None) -> None:
        self._name = name
        self._style = style
        self._wire = wire
        self._compress_from = compress_from
        self._log = structlog.get_logger()

    def body(self, model: ModelSpec, request: CompletionRequest) -> dict[str, Any]:
        """See openai_client.Dialect."""
        return request_body(model, request, self._style)

    async def ask(self, body: Mapping[str, Any], credential: Credential, scrub: Scrub) -> httpx.Response:
        """See openai_client.Dialect. A server that takes no packed body gets plain ones from then on."""
        content, headers = encode(body), headers_of(body, self._style)
        if self._compress_from is None or len(content) < self._compress_from:
            return await self._wire.send(content, headers, credential, scrub)
        if len(content) < PACK_ELSEWHERE:
            small = packed(content)
        else:
            small = await asyncio.to_thread(packed, content)
        response = await self._wire.send(small, {**headers, "content-encoding": "gzip"}, credential, scrub)
        if response.status_code != httpx.codes.UNSUPPORTED_MEDIA_TYPE:
            return response
        await close(response)
        self._compress_from = None
        self._log.warning("packed requests are refused, plain ones sent", provider=self._name)
        return await self._wire.send(content, headers, credential, scrub)
