"""A provider without a model: plays scripts, keeps a record. For tests of everything above providers."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from providers.base import (
    CompletionRequest,
    Credential,
    Finished,
    FinishReason,
    ModelSpec,
    Started,
    StreamEvent,
    TextDelta,
    Usage,
    refuse_to_continue,
)
from providers.errors import ProviderError
from providers.profile import ModelProfile


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait on the event loop. `seconds` may be 0: the others get a turn."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Until:
    """Wait until the test sets the event."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing more, for ever."""


Step = StreamEvent | ProviderError | Delay | Until | Hang
Script = Sequence[Step]


@dataclass(slots=True)
class Asked:
    """One call of `stream`. `said`: how many events were handed out. `closed`: its context was left."""

    model: ModelSpec
    request: CompletionRequest
    credential: Credential
    said: int = 0
    finished: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event)


def answer(
    text: str,
    *,
    ttft: float = 0.0,
    gap: float = 0.0,
    reason: FinishReason = FinishReason.STOP,
    usage: Usage | None = None,
) -> tuple[Step, ...]:
    """A whole answer, word by word; `ttft` seconds before the first word, `gap` between words."""
    steps: list[Step] = [Started(request_id="fake")]
    words = re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)
    for number, word in enumerate(words):
        wait = gap if number else ttft
        if wait:
            steps.append(Delay(wait))
        steps.append(TextDelta(word))
    steps.append(Finished(reason, usage or Usage(input_tokens=1, output_tokens=len(words)), reason.value))
    return tuple(steps)


def cut(text: str, error: ProviderError) -> tuple[Step, ...]:
    """An answer that breaks off with an error after `text`."""
    return (*answer(text)[:-1], error)


class FakeProvider:
    """Plays the scripts in order, one a call; when they are used up, `default` (an echo where it is None).

    `models` is what `list_models` says. `asked` is the record of every call.
    """

    def __init__(
        self,
        name: str = "fake",
        *scripts: Script,
        default: Script | None = None,
        models: Sequence[ModelSpec] = (),
    ) -> None:
        self.scripts: deque[Script] = deque(scripts)
        self.default = default
        self.models: Sequence[ModelSpec] = models or (self.spec("m", name),)
        self.asked: list[Asked] = []
        self.warmed = 0
        self.closed = False
        self._name = name
        self._arrival = asyncio.Condition()

    @staticmethod
    def spec(model: str = "m", provider: str = "fake", **facts: object) -> ModelSpec:
        """A model that takes prefill and images, unless `facts` say otherwise."""
        profile = ModelProfile(prefill=True, images=True, source="made up")
        return ModelSpec(**{"provider": provider, "model": model, "profile": profile, **facts})  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @property
    def open_streams(self) -> int:
        """Calls whose context has not been left."""
        return sum(not one.closed.is_set() for one in self.asked)

    def then(self, *scripts: Script) -> None:
        """Play these after those that are waiting."""
        self.scripts.extend(scripts)

    async def until_asked(self, count: int = 1) -> Asked:
        """Wait until there were `count` calls; the last of them."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.asked) >= count)
        return self.asked[count - 1]

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """Play the next script."""
        refuse_to_continue(model, request)
        asked = Asked(model, request, credential)
        self.asked.append(asked)
        async with self._arrival:
            self._arrival.notify_all()
        script = self.scripts.popleft() if self.scripts else self.default
        try:
            async with aclosing(_play(asked, script if script is not None else _echo(request))) as events:
                yield events
        finally:
            asked.closed.set()

    async def warm(self) -> None:
        """Count it."""
        self.warmed += 1

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """What it was given."""
        return self.models

    async def aclose(self) -> None:
        """Note it."""
        self.closed = True


async def _play(asked: Asked, script: Script) -> AsyncGenerator[StreamEvent, None]:
    for step in script:
        match step:
            case Delay(seconds):
                await asyncio.sleep(seconds)
            case Until(event):
                await event.wait()
            case Hang():
                await asyncio.Event().wait()
            case ProviderError():
                raise step
            case _:
                asked.said += 1
                asked.finished = isinstance(step, Finished)
                yield step


def _echo(request: CompletionRequest) -> Script:
    return answer(request.messages[-1].text if request.messages else "")
