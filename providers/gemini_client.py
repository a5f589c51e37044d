"""The provider of Gemini's dialect: sends, reads, maps what goes wrong.

The bytes themselves are the business of gemini_request and gemini_answer; which cache serves, of gemini_cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx
import structlog

from providers import exchange, models
from providers.base import (
    CompletionRequest,
    Connect,
    Credential,
    ModelSettings,
    ModelSpec,
    StreamEvent,
    refuse_to_continue,
)
from providers.embeddings import Endpoint, Vector, in_batches, private, vectors
from providers.errors import ErrorKind, ProviderError
from providers.exchange import (
    Drains,
    Events,
    Scrub,
    close,
    error_body,
    lost,
    read_up_to,
    scrubber,
    send,
)
from providers.failures import list_of, read_body
from providers.gemini_answer import AnswerReader
from providers.gemini_cache import PrefixCaches, Start, Use, creation, with_cache
from providers.gemini_failures import sharpen
from providers.gemini_request import encode, prompt_of, rejected, request_body, without
from providers.http import origin_of
from providers.limits import Gate
from providers.transport import is_whole, reader_of

if TYPE_CHECKING:
    from providers.gemini import GeminiSettings


LIST_TIMEOUT = 5.0
WARM_TIMEOUT = 5.0
CACHE_TIMEOUT = 60.0
"""Seconds that making a cache may take: the server reads the whole beginning first."""

PAGE_SIZE = 1000
MAX_PAGES = 5
MAX_LIST_BYTES = 8 * 1024 * 1024
MAX_RESENDS = 4
"""Each takes out at least one more parameter that the model does not know, or a cache that is gone."""

MAX_LEARNED = 500
"""Models whose unknown parameters and addresses are remembered."""

EMBED_BATCH = 100
"""Texts a request; more are answered 400. Gemini API, batchEmbedContents, 2026-11."""


class Gemini:
    """One configured address. A parameter that a model rejects as unknown is left out from then on."""

    def __init__(self, name: str, settings: GeminiSettings, connect: Connect) -> None:
        self._name = name
        self._base = f"{settings.root}/v1beta"
        self._settings = settings
        self._connect = connect
        self._origin = origin_of(self._base)
        self._addresses: dict[str, httpx.URL] = {}
        self._learned: dict[str, dict[str, str | None]] = {}
        self._caches = PrefixCaches(
            settings.cache_min_tokens, settings.cache_ttl, is_on=settings.cache_min_tokens > 0
        )
        self._making: asyncio.Task[None] | None = None
        self._gate = Gate(settings.limits.plain())
        self._drains = Drains(name)
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
        scrub = scrubber(request, credential)
        with self._gate.admit(credential.id, request):
            response = await self._ask(model, request, credential, scrub)
            request_id = response.headers.get("x-request-id", "")
            reader = AnswerReader(model.model, f"call-{uuid4().hex[:12]}", request_id, scrub)
            answer = Events(reader, reader_of(response), scrub)
            try:
                yield answer
            finally:
                if reader.is_over and not is_whole(response):
                    self._drains.add(response, answer.read)
                else:
                    await close(response)

    async def warm(self) -> None:
        """Open a connection ahead of need, by a request without a key. Never raises."""
        try:
            async with asyncio.timeout(WARM_TIMEOUT):
                await self._get("models?pageSize=1", Credential(id=""))
        except (ProviderError, httpx.HTTPError, ValueError, TimeoutError) as error:
            self._log.debug("warming failed", provider=self._name, error=type(error).__name__)

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """What the server offers now to talk to. Raises ProviderError; takes at most LIST_TIMEOUT seconds."""
        found: list[ModelSpec] = []
        scrub = scrubber(CompletionRequest(()), credential)
        page = ""
        try:
            async with asyncio.timeout(LIST_TIMEOUT):
                for _ in range(MAX_PAGES):
                    query = urlencode({"pageSize": PAGE_SIZE, **({"pageToken": page} if page else {})})
                    value = list_of(await self._get(f"models?{query}", credential), scrub)
                    found += [self._described(row) for row in value.get("models", ()) if _is_for_chat(row)]
                    page = str(value.get("nextPageToken") or "")
                    if not page:
                        break
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, f"no list of models within {LIST_TIMEOUT:.0f} s") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise ProviderError(ErrorKind.MALFORMED, "no list of models") from error
        return tuple(found)

    async def embed(
        self, model: ModelSpec, texts: Sequence[str], credential: Credential
    ) -> Sequence[Sequence[float]]:
        """One vector of unit length for each text; see providers.base.Embeds."""
        name = f"models/{_bare(model.model)}"
        endpoint = self._endpoint(f"{name}:batchEmbedContents", credential, texts)
        size = self._settings.embedding_dimensions

        async def ask(batch: Sequence[str]) -> list[Vector]:
            # a content of its own for each text: gemini-embedding-2 makes one vector of several parts
            common: dict[str, Any] = {"model": name} | ({"outputDimensionality": size} if size else {})
            rows = [common | {"content": {"parts": [{"text": text}]}} for text in batch]
            answer = await endpoint.post({"requests": rows})
            return vectors(lambda: [row["values"] for row in answer["embeddings"]], len(batch))

        return await in_batches(texts, EMBED_BATCH, ask)

    def describe(self, model: ModelSpec) -> ModelSpec:
        """See providers.base.Describes: under a name of one's own too a model is what its vendor made."""
        return models.of_vendor("gemini", model)

    async def aclose(self) -> None:
        """Stop reading the ends of finished answers and making a cache. Caches that exist run out by themselves."""
        await self._drains.aclose()
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)

    async def _ask(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential, scrub: Scrub
    ) -> httpx.Response:
        prompt = prompt_of(model, request.messages)
        body = request_body(model, request, prompt, self._settings.default_params)
        use = self._caches.look(f"{model.model} {credential.id}", request, prompt, body)
        for left in range(MAX_RESENDS, -1, -1):
            sent = without(body, self._learned.get(model.model, {}))
            if use.name and use.start is not None:
                sent = with_cache(sent, use.name, use.start)
            response = await self._send("POST", self._address(model.model), credential, encode(sent), scrub)
            if response.status_code == 200:
                self._consider(model, credential, body, use.make)
                return response
            text = await error_body(response)
            if use.name and use.start is not None and response.status_code in {400, 403, 404} and left:
                self._caches.lost(use.start)  # it is gone, or was not the reason: once more without it
                use = Use()
                continue
            unknown = rejected(response.status_code, read_body(text), sent)
            if not unknown or not left:
                raise _failure(response, text, scrub)
            self._learn(model, unknown)
        raise AssertionError("unreachable")

    def _learn(self, model: ModelSpec, unknown: Mapping[str, str | None]) -> None:
        if model.model not in self._learned and len(self._learned) >= MAX_LEARNED:
            del self._learned[next(iter(self._learned))]
        self._learned.setdefault(model.model, {}).update(unknown)
        self._log.warning("parameter left out", model=model.ref, parameters=sorted(unknown))

    def _consider(
        self, model: ModelSpec, credential: Credential, body: Mapping[str, Any], start: Start | None
    ) -> None:
        """Make a cache beside the answer that has begun; one at a time."""
        if start is None or (self._making is not None and not self._making.done()):
            return
        self._caches.begin(start)
        sent = creation(_bare(model.model), body, start, self._settings.cache_ttl)
        making = self._make(model, credential, sent, start)
        self._making = asyncio.create_task(making, name=f"prompt cache of {self._name}")

    async def _make(
        self, model: ModelSpec, credential: Credential, body: Mapping[str, Any], start: Start
    ) -> None:
        texts = [part["text"] for content in body["contents"] for part in content["parts"] if "text" in part]
        endpoint = self._endpoint("cachedContents", credential, texts)
        try:
            made = await endpoint.post(body, CACHE_TIMEOUT)
            name, tokens = str(made["name"]), (made.get("usageMetadata") or {}).get("totalTokenCount")
        except ProviderError as error:
            self._log.warning(
                "prompt cache not made", model=model.ref, error=str(error.kind), reason=error.detail
            )
        except (AttributeError, KeyError, TypeError):
            self._log.warning("prompt cache not made", model=model.ref, error=str(ErrorKind.MALFORMED))
        else:
            self._caches.made(start, name)
            self._log.info("prompt cache made", model=model.ref, cached_tokens=tokens)

    def _endpoint(self, path: str, credential: Credential, texts: Sequence[str]) -> Endpoint:
        url = f"{self._base}/{quote(path, safe='/:')}"
        return Endpoint(
            self._connect(self._origin), url, self._keyed(credential), private(texts, credential), _failure
        )

    def _address(self, model: str) -> httpx.URL:
        address = self._addresses.get(model)
        if address is None:
            if len(self._addresses) >= MAX_LEARNED:
                self._addresses.clear()
            path = quote(f"models/{_bare(model)}", safe="/")
            address = httpx.URL(f"{self._base}/{path}:streamGenerateContent?alt=sse")
            self._addresses[model] = address
        return address

    def _keyed(self, credential: Credential) -> dict[str, str]:
        headers = dict(self._headers)
        if credential.secret is not None:
            headers["x-goog-api-key"] = credential.secret.get_secret_value()
        return headers

    async def _send(
        self, method: str, url: httpx.URL, credential: Credential, content: bytes | None, scrub: Scrub
    ) -> httpx.Response:
        headers = self._keyed(credential)
        if content is not None:
            headers |= {"content-type": "application/json", "accept": "text/event-stream, application/json"}
        client: httpx.AsyncClient = self._connect(self._origin)
        # the client's own build_request merges what is fixed here every time: 70 us
        request = httpx.Request(
            method, url, headers=headers, content=content, extensions={"timeout": client.timeout.as_dict()}
        )
        return await send(client, request, scrub)

    async def _get(self, path: str, credential: Credential) -> bytes:
        scrub = scrubber(CompletionRequest(()), credential)
        response = await self._send("GET", httpx.URL(f"{self._base}/{path}"), credential, None, scrub)
        try:
            if response.status_code != 200:
                raise _failure(response, await error_body(response), scrub)
            return await read_up_to(reader_of(response), MAX_LIST_BYTES)
        except httpx.TransportError as error:
            raise lost(error, scrub) from error
        finally:
            await close(response)

    def _described(self, row: Mapping[str, Any]) -> ModelSpec:
        given = ModelSettings(
            _bare(str(row["name"])),
            str(row.get("displayName") or ""),
            _tokens(row.get("inputTokenLimit")),
            _tokens(row.get("outputTokenLimit")),
        )
        return models.describe(self._name, given, reasoning=True if row.get("thinking") is True else None)


def _failure(response: httpx.Response, body: bytes, scrub: Scrub) -> ProviderError:
    return sharpen(exchange.failure(response, body, scrub), body)


def _bare(model: str) -> str:
    """The id without the kind of resource that Google writes before it."""
    return model.removeprefix("models/")


def _is_for_chat(row: Mapping[str, Any]) -> bool:
    methods = row.get("supportedGenerationMethods") or ("generateContent",)
    return "generateContent" in methods and models.is_for_chat(str(row["name"]))


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
