"""An honest stand-in for a model: says what it is and how to connect a real one, and shows how answers stream.

Needs no key and no network. The same conversation always gets the same answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from providers import presets
from providers.base import (
    CompletionRequest,
    Connect,
    Credential,
    Finished,
    FinishReason,
    ModelSpec,
    PromptMessage,
    ProviderSpec,
    Role,
    Started,
    StreamEvent,
    TextDelta,
    Usage,
    refuse_to_continue,
)
from providers.profile import ModelProfile

MODEL = "demo"
QUOTE_CHARS = 400
"""How much of a message the answer repeats."""

CHARS_PER_TOKEN = 4
"""For the counts in the usage: a rule of thumb for English, nothing is billed."""

_WORD = re.compile(r"\s*\S+\s*$|\s*\S+|\s+")
_CODE = re.compile(r"```|\b(code|function|python|script|program|bash|json|sql)\b", re.IGNORECASE)
_LIST = re.compile(r"\b(list|steps?|points?|options?|ideas?|ways?)\b", re.IGNORECASE)


class DemoSettings(BaseModel):
    """`models.providers.demo`."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    api: Literal["demo"] | None = Field(default=None, description="The dialect")
    ttft: Annotated[float, Field(ge=0, le=60)] = Field(default=0.05, description="Seconds to the first word")
    tokens_per_second: Annotated[float, Field(gt=0, le=100_000)] = Field(
        default=80.0, description="Words a second after the first"
    )


class DemoProvider:
    """Answers from a few templates at a given speed."""

    def __init__(self, name: str, settings: DemoSettings) -> None:
        self._name = name
        self._settings = settings

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """The answer word by word. An answer that the request has begun is continued."""
        refuse_to_continue(model, request)
        async with aclosing(self._speak(request)) as events:
            yield events

    async def warm(self) -> None:
        """There is nothing to warm."""

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """The one model."""
        return (spec(self._name),)

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def _speak(self, request: CompletionRequest) -> AsyncGenerator[StreamEvent, None]:
        words = _WORD.findall(_rest(request.messages))
        limit = request.options.max_output
        reason = FinishReason.STOP
        if limit is not None and len(words) > limit:
            words, reason = words[:limit], FinishReason.LENGTH
        yield Started(request_id="demo", model_reported=MODEL)
        clock = asyncio.get_running_loop().time
        due = clock() + self._settings.ttft
        for word in words:
            await asyncio.sleep(max(0.0, due - clock()))
            yield TextDelta(word)
            due += 1 / self._settings.tokens_per_second
        asked = sum(len(message.text) for message in request.messages) // CHARS_PER_TOKEN
        yield Finished(reason, Usage(input_tokens=asked, output_tokens=len(words)), reason.value)


def spec(provider: str) -> ModelSpec:
    """The one model, as provider `provider` has it."""
    profile = ModelProfile(prefill=True, images=True, tools=False, source="providers.demo")
    return ModelSpec(
        provider=provider,
        model=MODEL,
        title="Demo",
        context_window=128_000,
        profile=profile,
        is_local=True,
    )


def reply(messages: Sequence[PromptMessage]) -> str:
    """The answer to a conversation, in Markdown."""
    said = [message.text for message in messages if message.role is Role.USER]
    question = said[-1] if said else ""
    images = sum(len(message.images) for message in messages[-1:])
    parts = [_introduction()]
    if question.strip():
        parts.append(_quoted(question, len(said)))
    if images:
        parts.append(
            f"You also sent {images} {'picture' if images == 1 else 'pictures'}, which I cannot see."
        )
    if _CODE.search(question):
        parts.append(_code(question))
    if _LIST.search(question) or not _CODE.search(question):
        parts.append(_facts(question))
    return "\n\n".join(parts)


def _introduction() -> str:
    variables = [preset.variables[0] for name in presets.KEY_ORDER if (preset := presets.find(name))]
    keys = f"{', '.join(variables[:-1])} or {variables[-1]}"
    return (
        f"I am the **demo model**, a stand-in that only repeats what you write: to talk to a real model, set "
        f"{keys} and restart, or start a local server such as Ollama."
    )


def _quoted(question: str, number: int) -> str:
    text = question.strip()
    if len(text) > QUOTE_CHARS:
        text = f"{text[:QUOTE_CHARS].rstrip()} …"
    lines = "\n".join(f"> {line}" for line in text.replace("```", "'''").splitlines())
    which = "You wrote" if number == 1 else f"This is message {number} of our conversation. You wrote"
    return f"{which}:\n\n{lines}"


def _facts(question: str) -> str:
    words = question.split()
    longest = max(words, key=len, default="")[:40].strip("*_`.,;:!?")
    size = f"**{_count(len(words), 'word')}**, **{_count(len(question), 'character')}**"
    rows = [
        size,
        f"the longest word is `{longest}`" if longest else "no word at all",
        "a question" if question.rstrip().endswith("?") else "not a question",
    ]
    return "What I can tell about it:\n\n" + "\n".join(f"- {row}" for row in rows)


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _code(question: str) -> str:
    words = len(question.split())
    return (
        "Code looks like this when it streams:\n\n"
        "```python\n"
        "def count_words(text: str) -> int:\n"
        '    """Your message has as many as the comment below says."""\n'
        "    return len(text.split())  "
        f"# {words}\n"
        "```"
    )


def _rest(messages: Sequence[PromptMessage]) -> str:
    """The answer, or what is left of it where the last message has begun it."""
    if not messages or messages[-1].role is not Role.ASSISTANT:
        return reply(messages)
    begun = messages[-1].text
    whole = reply(messages[:-1])
    return whole.removeprefix(begun) if whole.startswith(begun) else " …"


def _open(name: str, settings: DemoSettings, connect: Connect) -> DemoProvider:  # noqa: ARG001 - the contract's signature
    return DemoProvider(name, settings)


SPEC = ProviderSpec(name="demo", title="Demo model", settings=DemoSettings, open=_open, is_stand_in=True)
