"""Asking a provider in a test."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import SecretStr

from providers.base import (
    CompletionRequest,
    Credential,
    Finished,
    GenerationOptions,
    ModelSpec,
    PromptMessage,
    Provider,
    ReasoningDelta,
    Role,
    StreamEvent,
    TextDelta,
)
from providers.errors import ErrorKind, ProviderError
from providers.http import Pools
from providers.openai_client import OpenAICompatible
from providers.openai_compatible import SPEC
from providers.profile import ModelProfile
from tests.canary import canary

SECRET = f"sk-very-secret-{canary('provider')}-123456"
KEY = Credential("mock:config", SecretStr(SECRET))
MODEL = ModelSpec("mock", "m", profile=ModelProfile())


def compatible(pools: Pools, base_url: str, name: str = "mock", **settings: object) -> OpenAICompatible:
    """An OpenAI-compatible provider at an address."""
    given = SPEC.settings.model_validate({"baseUrl": base_url, **settings})
    opened = SPEC.open(name, given, pools)
    assert isinstance(opened, OpenAICompatible)
    return opened


def question(
    text: str = "hi", options: GenerationOptions = GenerationOptions(), conversation: str = ""
) -> CompletionRequest:
    """A prompt of one message."""
    return CompletionRequest((PromptMessage(Role.USER, text),), options, conversation)


@dataclass(slots=True)
class Heard:
    """What came of a request."""

    events: list[StreamEvent] = field(default_factory=list)
    error: ProviderError | None = None

    @property
    def text(self) -> str:
        """What a person would have seen."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def thoughts(self) -> str:
        """What nobody would have seen."""
        return "".join(event.text for event in self.events if isinstance(event, ReasoningDelta))

    @property
    def kind(self) -> ErrorKind | None:
        """Why it failed."""
        return self.error.kind if self.error else None

    @property
    def finished(self) -> Finished | None:
        """The end of a whole answer."""
        return next((event for event in self.events if isinstance(event, Finished)), None)


async def ask(
    provider: Provider,
    request: CompletionRequest | str = "hi",
    model: ModelSpec = MODEL,
    credential: Credential = KEY,
) -> Heard:
    """The whole answer, or what came before the error."""
    heard = Heard()
    asked = question(request) if isinstance(request, str) else request
    try:
        async with provider.stream(model, asked, credential) as events:
            async for event in events:
                heard.events.append(event)
    except ProviderError as error:
        heard.error = error
    return heard
