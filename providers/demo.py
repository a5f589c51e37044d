"""An honest stand-in for a model, and the stage on which people rehearse routing and outages without keys.

Without a scenario it says what it is and how to connect a real model, and shows how answers stream; with one it
plays the models that the file describes. Needs no key and no network.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from providers.base import (
    CompletionRequest,
    Connect,
    Credential,
    ModelSpec,
    ProviderSpec,
    StreamEvent,
    refuse_to_continue,
)
from providers.demo_plan import plan, script
from providers.demo_scenario import DemoModel, Scenario, Span, read_scenario
from providers.errors import ErrorKind, ProviderError
from providers.profile import ModelProfile

MODEL = "demo"
MAX_SCENARIO_BYTES = 1_000_000
_LONG = 3600.0

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class DemoSettings(BaseModel):
    """`models.providers.demo`, and every provider whose `api` is demo."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    api: Literal["demo"] | None = Field(default=None, description="The dialect")
    ttft: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.05, description="Seconds to the first word; without a scenario"
    )
    tokens_per_second: Annotated[float, Field(gt=0, le=100_000)] = Field(
        default=80.0, description="Words a second after the first; without a scenario"
    )
    scenario: Path | None = Field(
        default=None, description="A JSON file with the models to play, their speed and their faults"
    )

    @model_validator(mode="after")
    def _can_be_played(self) -> Self:
        self.played()
        return self

    def played(self) -> Scenario:
        """What is to be played. Reads the scenario's file; raises ValueError."""
        if self.scenario is not None:
            return load(self.scenario)
        speed = self.tokens_per_second
        model = DemoModel(MODEL, "Demo", ttft=Span(self.ttft, self.ttft), speed=Span(speed, speed))
        return Scenario((model,))


class DemoProvider:
    """Plays a scenario. `clock`: seconds that only grow; the first request and every window count from `open`."""

    def __init__(
        self, name: str, scenario: Scenario, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._name = name
        self._scenario = scenario
        self._clock = clock
        self._sleep = sleep
        self._start = clock()
        self._asked: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """The answer word by word, or what the scenario has instead."""
        refuse_to_continue(model, request)
        played = self._scenario.find(model.model)
        if played is None:
            known = ", ".join(each.id for each in self._scenario.models)
            raise ProviderError(ErrorKind.MODEL_GONE, f"the scenario has no such model; it has {known}")
        self._asked[played.id] += 1
        async with aclosing(self._play(played, self._asked[played.id], request)) as events:
            yield events

    async def warm(self) -> None:
        """There is nothing to warm."""

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """The models of the scenario, in its order."""
        return tuple(spec(self._name, each) for each in self._scenario.models)

    async def aclose(self) -> None:
        """There is nothing to close."""

    async def _play(
        self, model: DemoModel, number: int, request: CompletionRequest
    ) -> AsyncGenerator[StreamEvent, None]:
        began = self._clock()
        planned = plan(model, self._scenario.seed, number, began - self._start)
        for step in script(model, planned, request):
            await self._sleep(max(0.0, began + step.due - self._clock()))
            if isinstance(step.what, ProviderError):
                raise step.what
            while step.what is None:
                await self._sleep(_LONG)
            yield step.what


def spec(provider: str, model: DemoModel | None = None) -> ModelSpec:
    """A model, as provider `provider` has it; None: the one without a scenario."""
    model = model or DemoModel(MODEL, "Demo")
    return ModelSpec(
        provider=provider,
        model=model.id,
        title=model.title,
        context_window=model.context_window,
        max_output=model.max_output,
        profile=ModelProfile(prefill=model.prefill, images=True, tools=False, source="providers.demo"),
        price=model.price,
        is_local=model.price is None,
    )


def load(path: Path) -> Scenario:
    """The scenario in a file. ValueError says what is wrong with it."""
    try:
        with path.expanduser().open("rb") as file:
            text = file.read(MAX_SCENARIO_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from error
    if len(text) > MAX_SCENARIO_BYTES:
        raise ValueError(f"{path}: is larger than {MAX_SCENARIO_BYTES} bytes")
    return read_scenario(text, str(path))


def _open(name: str, settings: DemoSettings, connect: Connect) -> DemoProvider:  # noqa: ARG001 - the contract's signature
    return DemoProvider(name, settings.played())


SPEC = ProviderSpec(name="demo", title="Demo model", settings=DemoSettings, open=_open, is_stand_in=True)
"""The stand-in for a model."""
