"""The contract between routing and a provider: a request, a stream of events, nothing else.

A provider enforces only connecting and cancellation; how long to wait for what is routing.execute's business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, SecretStr

from providers.errors import ErrorKind, ProviderError
from providers.profile import ModelProfile


class Role(StrEnum):
    """Who speaks in a prompt."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"  # the result of a tool call; follows the assistant message that made it


class Effort(StrEnum):
    """How much a model reasons before it answers."""

    OFF = "off"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture inside a prompt: bytes, never a URL."""

    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may call. `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model made. `arguments` is JSON as the model wrote it, perhaps not valid."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message of a prompt, in no provider's dialect.

    `calls`: the tool calls that an assistant message made. `call_id`: of a TOOL message, the call that it answers.
    `memo`: what the provider that spoke this assistant message wants back with it, as `Memo` gave it; other
    providers leave it out.
    """

    role: Role
    text: str
    images: tuple[Image, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    memo: str = ""


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """How to answer. None leaves the model's own default. `params` go into the request body as they are."""

    effort: Effort | None = None
    max_output: int | None = None
    temperature: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schema:
    """The JSON schema that an answer has to follow. `name`: a-z, 0-9 and _."""

    name: str
    schema: Mapping[str, Any]
    is_strict: bool = True


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A prompt and how to answer it. `conversation`: a stable opaque id that keeps prefix caches together.

    When the last message is the assistant's, the answer continues it (only where the profile says `prefill`).
    `stable`: how many of the first messages come again unchanged in the next request; where a provider wants
    its cache marked, the marks go there. `tool_choice`: "auto", "none", "required" or a tool's name, None for
    the provider's own default. `prediction`: a text that much of the answer will repeat.
    """

    messages: tuple[PromptMessage, ...]
    options: GenerationOptions = GenerationOptions()
    conversation: str = ""
    stable: int = 0
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    parallel_tools: bool | None = None
    schema: Schema | None = None
    prediction: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens.

    `cache_write_hour`: writing what is kept for an hour rather than for minutes. `above`: a number of tokens and
    the price at which a request with a longer prompt is billed, all of it.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_hour: float | None = None
    above: tuple[int, Price] | None = None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of one provider. `ref` is "provider/model"; a model id may itself hold slashes."""

    provider: str
    model: str
    title: str = ""
    context_window: int = 8192
    max_output: int | None = None
    profile: ModelProfile = ModelProfile()
    price: Price | None = None
    is_local: bool = False

    @property
    def ref(self) -> str:
        """What people and the config call this model."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Credential:
    """A key by its id. The id may be logged, the secret never."""

    id: str
    secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. `input_tokens` includes `cached_tokens` and `cache_write_tokens`.

    `queued`: seconds in the provider's queue. `prompt_time`: seconds that it worked on the prompt.
    `cache_write_hour_tokens`: those of `cache_write_tokens` that are kept for an hour; None: not told apart.
    `predicted_tokens`: of a predicted text, what stands in the answer; `rejected_tokens`: what was tried and does
    not. Both are part of `output_tokens` and billed so.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    queued: float | None = None
    cache_write_tokens: int = 0
    prompt_time: float | None = None
    cache_write_hour_tokens: int | None = None
    predicted_tokens: int = 0
    rejected_tokens: int = 0


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    CONTEXT = "context"  # the context window was full in the middle of the answer


@dataclass(frozen=True, slots=True)
class Started:
    """The provider took the request; always first."""

    request_id: str = ""
    model_reported: str = ""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the model's thoughts; never empty, never shown unless asked for."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call; `id` and `name` come once, `arguments` grow."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class UsageSoFar:
    """Tokens counted up to now; cumulative, may repeat."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is whole; exactly once, always last. `raw`: the provider's own word for the reason."""

    reason: FinishReason
    usage: Usage | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Memo:
    """Opaque text to hand back as `PromptMessage.memo` of this answer; at most once, before Finished."""

    data: str


StreamEvent = Started | TextDelta | ReasoningDelta | ToolCallDelta | UsageSoFar | Memo | Finished


@runtime_checkable
class Provider(Protocol):
    """One configured provider. Safe for many streams at once."""

    @property
    def name(self) -> str:
        """Its name in the settings, the first part of its models' refs."""

    def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AbstractAsyncContextManager[AsyncIterator[StreamEvent]]:
        """Ask the model. Leaving the context closes the request at once, however far it got.

        Events: Started, then deltas, then one Finished. Everything else, a body that ends without a finish
        event included, is a ProviderError. The body of a finished answer is read to its end, so that the
        connection can serve again.
        """

    async def warm(self) -> None:
        """Open a connection ahead of need. Never raises."""

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """What the server offers now. Raises ProviderError. Has its own deadline of a few seconds."""

    async def aclose(self) -> None:
        """Give up what is still open of its own. Clients from `connect` are the app's and stay open."""


@runtime_checkable
class Embeds(Protocol):
    """A provider that makes vectors."""

    async def embed(
        self, model: ModelSpec, texts: Sequence[str], credential: Credential
    ) -> Sequence[Sequence[float]]:
        """One vector of unit length for each text, in their order; any number of texts. Raises ProviderError."""


@runtime_checkable
class Transcribes(Protocol):
    """A provider that writes down speech."""

    async def transcribe(self, model: ModelSpec, audio: bytes, mime: str, credential: Credential) -> str:
        """What was said. Raises ProviderError. Has its own deadline."""


@runtime_checkable
class WarmsPrompts(Protocol):
    """A provider whose prompt cache can be filled ahead of need."""

    async def warm_prompt(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> Usage:
        """Put the stable messages into the cache; nothing is generated. Raises ProviderError."""


@runtime_checkable
class Describes(Protocol):
    """A provider that knows what its models take, whatever is said of them elsewhere."""

    def describe(self, model: ModelSpec) -> ModelSpec:
        """The model as this provider serves it. Looks nothing up that takes time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that are answered together, later and for less. `state`: the provider's own word for how far it is.

    `is_over`: nothing more will come of it. `problems`: why its file was not taken.
    """

    id: str
    state: str
    is_over: bool
    total: int = 0
    completed: int = 0
    failed: int = 0
    problems: tuple[str, ...] = ()


@runtime_checkable
class RunsBatches(Protocol):
    """A provider that answers many requests together. Everything raises ProviderError and has its own deadline."""

    async def submit_batch(self, requests: bytes, credential: Credential) -> Batch:
        """Hand in requests, a JSON object a line: `custom_id`, and `body` in the provider's own dialect.

        BAD_REQUEST names the line that is wrong; then nothing was sent.
        """

    async def batches(self, credential: Credential) -> Sequence[Batch]:
        """The batches that the provider still knows, newest first."""

    async def batch(self, batch_id: str, credential: Credential) -> Batch:
        """How far one is."""

    async def cancel_batch(self, batch_id: str, credential: Credential) -> Batch:
        """Stop one; what is answered already stays."""

    def batch_results(self, batch_id: str, credential: Credential) -> AsyncIterator[bytes]:
        """Pieces of the answers, then of the failures: a JSON object a line, in no order.

        Nothing before the batch is over.
        """


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A model row of the config, in plain values."""

    id: str
    title: str = ""
    context_window: int | None = None
    max_output: int | None = None
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """What an entry point of the group `firstword.providers` names. Importing it imports no SDK.

    `settings` describes one configured provider. `open(name, settings, connect)` makes it; `connect` gives
    the HTTP client to use for an origin (see providers.http). `apis`: the values of a configured provider's
    `api` that this dialect serves, whatever that provider is called. `is_stand_in`: it needs nothing and
    answers only while there is no model at all. `is_default`: it serves every address whose `api` nobody named.
    """

    name: str
    title: str
    settings: type[BaseModel]
    open: Callable[[str, Any, Connect], Provider]
    extra: str | None = None
    apis: tuple[str, ...] = ()
    is_stand_in: bool = False
    is_default: bool = False


class Connect(Protocol):
    """Hands out HTTP clients; the app owns and closes them."""

    def __call__(self, origin: str, stack: str = "httpx") -> Any:
        """An AsyncClient over the shared pool for `origin` ("https://api.example.com").

        `stack`: "httpx" or "httpx2", whose client it is.
        """


def refuse_to_continue(model: ModelSpec, request: CompletionRequest) -> None:
    """Raise BAD_REQUEST for a prompt that ends with the assistant where the model cannot go on from there.

    Every provider calls this first: such a model would begin its answer anew, and a person would read it twice.
    """
    if request.messages and request.messages[-1].role is Role.ASSISTANT and not model.profile.prefill:
        raise ProviderError(ErrorKind.BAD_REQUEST, f"{model.ref} does not continue an answer")


async def complete(
    provider: Provider, model: ModelSpec, request: CompletionRequest, credential: Credential
) -> tuple[str, Finished]:
    """The whole answer at once, over the same stream. Raises ProviderError."""
    parts: list[str] = []
    async with provider.stream(model, request, credential) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                parts.append(event.text)
            elif isinstance(event, Finished):
                return "".join(parts), event
    raise AssertionError("a stream ended without Finished and without an error")
