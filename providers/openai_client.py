"""The provider of OpenAI's dialect: sends, reads, maps what goes wrong.

The bytes themselves are the business of openai_request and openai_answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx
import orjson
import structlog

from providers import models
from providers.allowance import UNLIMITED, Limits
from providers.base import (
    CompletionRequest,
    Connect,
    Credential,
    ModelSettings,
    ModelSpec,
    StreamEvent,
    refuse_to_continue,
)
from providers.embeddings import Endpoint, embed_openai, private
from providers.errors import ErrorKind, ProviderError
from providers.exchange import (
    Drains,
    Events,
    Scrub,
    close,
    error_body,
    failure,
    lost,
    read_up_to,
    scrubber,
    send,
)
from providers.failures import list_of, read_body
from providers.gemini_failures import sharpen
from providers.http import is_loopback, origin_of
from providers.limits import Gate
from providers.openai_answer import AnswerReader
from providers.openai_audio import transcribe
from providers.openai_request import encode, rejected, renamed, request_body
from providers.openai_servers import Question, Row, helped, questions, rows_of, windows
from providers.presets import Preset
from providers.transport import is_whole, reader_of

LIST_TIMEOUT = 4.0
WINDOWS_TIMEOUT = 1.0
"""Seconds for what a local server says beside its list; without it a list is still a list."""

WARM_TIMEOUT = 5.0
MAX_LIST_BYTES = 8 * 1024 * 1024
MAX_RESENDS = 3
"""Each takes out at least one more parameter that the model does not know."""

MAX_LEARNED = 500
"""Models whose unknown parameters are remembered."""

_ANSWER, _MODELS = "/chat/completions", "/models"


class Given(Protocol):
    """What the client reads of a provider's settings."""

    @property
    def default_params(self) -> Mapping[str, Any]:
        """Fields of every body."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Sent with every request."""


class Dialect(Protocol):
    """A relative of OpenAI's chat completions that asks in its own way and answers in the same."""

    def body(self, model: ModelSpec, request: CompletionRequest) -> dict[str, Any]:
        """The request as a JSON object. ProviderError(BAD_REQUEST) for what the server is known to refuse."""

    async def ask(self, body: Mapping[str, Any], credential: Credential, scrub: Scrub) -> httpx.Response:
        """Send it; the answer as soon as its head is there, whatever its status. Raises ProviderError."""


class OpenAICompatible:
    """One configured server. A parameter that a model rejects as unknown is left out from then on."""

    def __init__(
        self,
        name: str,
        base_url: str,
        settings: Given,
        preset: Preset | None,
        connect: Connect,
        dialect: Dialect | None = None,
        *,
        limits: Limits = UNLIMITED,
    ) -> None:
        self._name = name
        self._dialect = dialect
        self._base_url = base_url
        self._root = base_url.removesuffix("/v1")
        self._settings = settings
        self._preset = preset
        self._connect = connect
        self._origin = origin_of(base_url)
        self._warm_path = preset.warm_path if preset else _MODELS
        self._urls = {path: httpx.URL(f"{base_url}{path}") for path in (_ANSWER, _MODELS, self._warm_path)}
        self._learned: dict[str, dict[str, str | None]] = {}
        self._keeps_thoughts = dialect is None and (preset is None or preset.takes_thoughts)
        self._gate = Gate(limits)
        self._drains = Drains(name)
        self._keeping: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()
        self._headers = settings.headers

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
            ref = model.ref if self._keeps_thoughts else ""
            reader = AnswerReader(_request_id(response.headers), scrub, ref)
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
                await self._get(self._warm_path, Credential(id=""), MAX_LIST_BYTES)
        except (ProviderError, httpx.HTTPError, ValueError, TimeoutError) as error:
            self._log.debug("warming failed", provider=self._name, error=type(error).__name__)

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """What the server offers now to talk to. Raises ProviderError; takes at most 5 seconds."""
        try:
            async with asyncio.timeout(LIST_TIMEOUT):
                body = await self._get(_MODELS, credential, MAX_LIST_BYTES)
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, f"no list of models within {LIST_TIMEOUT:.0f} s") from error
        try:
            rows = rows_of(list_of(body, scrubber(CompletionRequest(()), credential)))
        except (AttributeError, KeyError, TypeError) as error:
            raise ProviderError(ErrorKind.MALFORMED, "no list of models") from error
        found = await self._windows(rows, credential)
        local = is_loopback(self._base_url) or (self._preset is not None and self._preset.is_local)
        return tuple(
            models.describe(
                self._name,
                ModelSettings(row.id, context_window=found.get(row.id) or row.window),
                is_local=local,
            )
            for row in rows
            if models.is_for_chat(row.id)
        )

    async def embed(
        self, model: ModelSpec, texts: Sequence[str], credential: Credential
    ) -> Sequence[Sequence[float]]:
        """One vector of unit length for each text; see providers.base.Embeds."""
        return await embed_openai(self._endpoint("/embeddings", credential, texts), model.model, texts)

    async def transcribe(self, model: ModelSpec, audio: bytes, mime: str, credential: Credential) -> str:
        """What was said; see providers.base.Transcribes. Takes at most TRANSCRIBE_TIMEOUT seconds."""
        endpoint = self._endpoint("/audio/transcriptions", credential)
        return await transcribe(endpoint, model.model, audio, mime)

    async def aclose(self) -> None:
        """Stop what goes on behind finished answers. The connections are the app's."""
        await self._drains.aclose()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _ask(
        self,
        model: ModelSpec,
        request: CompletionRequest,
        credential: Credential,
        scrub: Scrub,
    ) -> httpx.Response:
        if self._dialect is not None:
            body = self._dialect.body(model, request)
        else:
            conversation_field = self._preset.conversation_field if self._preset else ""
            body = request_body(model, request, self._settings.default_params, conversation_field)
        for left in range(MAX_RESENDS, -1, -1):
            sent = renamed(body, self._learned.get(model.model, {}))
            if self._dialect is not None:
                response = await self._dialect.ask(sent, credential, scrub)
            else:
                response = await self._send("POST", _ANSWER, credential, encode(sent), scrub)
            if response.status_code == 200:
                self._keep_loaded(sent, credential)
                return response
            text = await error_body(response)
            unknown = rejected(response.status_code, read_body(text), sent)
            if not unknown or not left:
                raise helped(_failure(response, text, scrub), read_body(text).message, model.model)
            self._learn(model, unknown)
        raise AssertionError("unreachable")

    async def _windows(self, rows: Sequence[Row], credential: Credential) -> dict[str, int]:
        """The windows that the server tells only when asked in its own words; what it does not tell is left out."""
        found: dict[str, int] = {}
        try:
            async with asyncio.timeout(WINDOWS_TIMEOUT):
                for question in questions(rows):
                    found |= windows(question, await self._told(question, credential), rows)
        except TimeoutError:
            self._log.debug("windows not told in time", provider=self._name)
        return found

    async def _told(self, question: Question, credential: Credential) -> Any:
        url = f"{self._root}{question.path}"
        try:
            if question.body is not None:
                return await self._endpoint(url, credential).post(question.body)
            return orjson.loads(await self._get(url, credential, MAX_LIST_BYTES))
        except (ProviderError, orjson.JSONDecodeError) as error:
            self._log.debug("window not told", provider=self._name, error=type(error).__name__)
            return None

    def _keep_loaded(self, sent: Mapping[str, Any], credential: Credential) -> None:
        """Tell the server how long the model stays loaded, beside the answer that has begun; one at a time.

        Ollama's `/v1` does not read `keep_alive` and leaves alone what its own path has set (its issue 9355).
        """
        is_busy = self._keeping is not None and not self._keeping.done()
        if is_busy or "keep_alive" not in sent or self._preset is None or not self._preset.keep_path:
            return
        endpoint = self._endpoint(f"{self._root}{self._preset.keep_path}", credential)
        body = {"model": sent["model"], "keep_alive": sent["keep_alive"], "stream": False}
        self._keeping = asyncio.create_task(self._keep(endpoint, body), name=f"keep a model of {self._name}")

    async def _keep(self, endpoint: Endpoint, body: Mapping[str, Any]) -> None:
        try:
            await endpoint.post(body)
        except ProviderError as error:
            self._log.warning("model not kept loaded", provider=self._name, error=str(error.kind))

    def _endpoint(self, path: str, credential: Credential, texts: Sequence[str] = ()) -> Endpoint:
        headers = headers_for(credential, self._headers, has_body=False)
        url = path if "://" in path else f"{self._base_url}{path}"
        return Endpoint(self._connect(self._origin), url, headers, private(texts, credential), _failure)

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
        scrub: Scrub,
    ) -> httpx.Response:
        headers = headers_for(credential, self._headers, has_body=content is not None)
        client: httpx.AsyncClient = self._connect(self._origin)
        # the client's own build_request merges what is fixed here and parses the address every time: 70 us
        request = httpx.Request(
            method,
            self._urls.get(path) or path,
            headers=headers,
            content=content,
            extensions={"timeout": client.timeout.as_dict()},
        )
        return await send(client, request, scrub)

    async def _get(self, path: str, credential: Credential, limit: int) -> bytes:
        scrub = scrubber(CompletionRequest(()), credential)
        response = await self._send("GET", path, credential, None, scrub)
        try:
            if response.status_code != 200:
                text = await error_body(response)
                raise _failure(response, text, scrub)
            return await read_up_to(reader_of(response), limit)
        except httpx.TransportError as error:
            raise lost(error, scrub) from error
        finally:
            await close(response)


def headers_for(credential: Credential, given: Mapping[str, str], *, has_body: bool) -> dict[str, str]:
    """The headers of a request; the key stands in Authorization and nowhere else."""
    headers = {
        "accept-encoding": "identity",  # a compressed stream waits for its compressor
        "user-agent": "firstword",
        **given,
    }
    if credential.secret is not None:
        headers["authorization"] = f"Bearer {credential.secret.get_secret_value()}"
    if has_body:
        headers |= {"content-type": "application/json", "accept": "text/event-stream, application/json"}
    return headers


def _request_id(headers: Mapping[str, str]) -> str:
    return headers.get("x-request-id") or headers.get("request-id") or ""


def _failure(response: httpx.Response, body: bytes, scrub: Scrub) -> ProviderError:
    """With what Google's endpoint of this dialect tells beside the words: which quota is used up, and until when."""
    return sharpen(failure(response, body, scrub), body)
