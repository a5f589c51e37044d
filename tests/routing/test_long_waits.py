"""Failures that take minutes, on a clock that jumps: how long people wait, and how often the sick one is called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from channels.capabilities import LatencyClass, Streaming
from providers.base import (
    CompletionRequest,
    Credential,
    ModelSpec,
    PromptMessage,
    Role,
    StreamEvent,
    TextDelta,
)
from providers.errors import ErrorKind, ProviderError
from providers.fake import Delay, FakeProvider, Hang, Script, answer, cut
from routing.budgets import BUDGETS
from routing.errors import NoModel
from routing.execute import Attempt, Tools, Unbounded, open_stream
from routing.health import Health
from routing.policy import RouteQuery, decide
from tests.routing.models import catalog, model
from tests.routing.test_execute import text
from tests.virtual_time import virtual_time

CLASSES = [LatencyClass.VOICE, LatencyClass.SYNC, LatencyClass.SEMI_SYNC, LatencyClass.ASYNC]
MINUTES = 120.0


class Clinic:
    """Two providers, decided upon anew for each question; `sick` plays a script for the time of day."""

    def __init__(
        self, sick: Callable[[float], Script], *, alone: bool = False, latency: LatencyClass
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.latency = latency
        self.sick, self.well = (
            _Sick("sick", sick),
            FakeProvider("well", default=answer("all is well", ttft=0.1)),
        )
        models = [model("sick/a")] if alone else [model("sick/a"), model("well/b")]
        self.catalog = catalog(*models)
        self.attempts: list[Attempt] = []
        self.health = Health()
        self.tools = Tools(
            providers={"sick": self.sick, "well": self.well},
            credential=lambda _provider, key: Credential(key),
            health=self.health,
            clock=self.loop.time,
            roll=lambda: 0.5,
            sleep=asyncio.sleep,
            money=Unbounded(),
            report=self.attempts.append,
        )

    async def ask(self, *, may_restart: bool = True) -> tuple[str, float]:
        """What is read, "" where nobody answered, and the seconds that it took."""
        began = self.loop.time()
        query = RouteQuery(self.latency, Streaming.EDIT, now=began)
        decision = decide(query, self.catalog, self.health)
        request = CompletionRequest((PromptMessage(Role.USER, "q"),))
        try:
            async with open_stream(decision, lambda *_: request, self.tools, lambda: may_restart) as running:
                said = text([event async for event in running.events])
        except NoModel:
            said = ""
        return said, self.loop.time() - began

    @property
    def calls(self) -> int:
        """Requests to the sick one."""
        return len(self.sick.asked)


class _Sick(FakeProvider):
    """Plays what its condition is when it is asked."""

    def __init__(self, name: str, condition: Callable[[float], Script]) -> None:
        super().__init__(name)
        self._condition = condition

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        self.default = self._condition(asyncio.get_running_loop().time())
        async with super().stream(model, request, credential) as events:
            yield events


def always(script: Script) -> Callable[[float], Script]:
    return lambda _now: script


SILENT: Script = (Delay(MINUTES), *answer("at last"))


@pytest.mark.parametrize("latency", CLASSES)
def test_two_minutes_of_silence_cost_a_first_token_deadline(latency: LatencyClass) -> None:
    @virtual_time
    async def story() -> None:
        clinic = Clinic(always(SILENT), latency=latency)
        said, took = await clinic.ask()
        assert said == "all is well"
        assert took == pytest.approx(BUDGETS[latency].first_token + 0.1)
        assert clinic.calls == 1

    story()


@pytest.mark.parametrize(("is_local", "limit"), [(False, 15.0), (True, 60.0)])
def test_where_nobody_else_is_left_silence_ends_with_a_reason(is_local: bool, limit: float) -> None:
    @virtual_time
    async def story() -> None:
        clinic = Clinic(always(SILENT), alone=True, latency=LatencyClass.SYNC)
        clinic.catalog = catalog(replace(model("sick/a"), is_local=is_local))
        said, took = await clinic.ask()
        assert said == ""
        assert took == pytest.approx(limit)
        assert [each.kind for each in clinic.attempts] == [ErrorKind.FIRST_TOKEN]

    story()


@pytest.mark.parametrize("latency", CLASSES)
def test_a_stall_of_half_a_minute_costs_the_class_s_patience(latency: LatencyClass) -> None:
    @virtual_time
    async def story() -> None:
        stall: Script = (*answer("half an")[:-1], Delay(30.0), TextDelta("answer"))
        clinic = Clinic(always(stall), latency=latency)
        said, took = await clinic.ask()
        assert said == "all is well"
        assert took == pytest.approx(BUDGETS[latency].stall + 0.1)

    story()


def test_a_first_token_after_20_s_is_waited_for_only_where_it_is_local() -> None:
    @virtual_time
    async def story() -> None:
        clinic = Clinic(always(answer("loaded", ttft=20.0)), alone=True, latency=LatencyClass.SYNC)
        clinic.catalog = catalog(replace(model("sick/a"), is_local=True))
        said, took = await clinic.ask()
        assert said == "loaded"
        assert took == pytest.approx(20.0)

    story()


def test_an_answer_that_drips_for_ever_is_ended_by_its_class() -> None:
    @virtual_time
    async def story() -> None:
        drips: Script = [each for _ in range(1000) for each in (TextDelta("x"), Delay(4.0))]
        clinic = Clinic(always(drips), alone=True, latency=LatencyClass.SYNC)
        said, took = await clinic.ask()
        assert said == ""
        assert took == pytest.approx(BUDGETS[LatencyClass.SYNC].total)

    story()


@pytest.mark.parametrize(
    "condition",
    [
        always((ProviderError(ErrorKind.OVERLOADED),)),
        always((ProviderError(ErrorKind.RATE_LIMIT),)),
        always((Hang(),)),
        always(cut("half an", ProviderError(ErrorKind.INCOMPLETE))),
    ],
    ids=["503", "429", "silence", "cut"],
)
def test_in_ten_minutes_of_illness_the_sick_one_is_seldom_called(
    condition: Callable[[float], Script],
) -> None:
    @virtual_time
    async def story() -> None:
        clinic = Clinic(condition, latency=LatencyClass.SEMI_SYNC)
        waits: list[float] = []
        while clinic.loop.time() < 600:
            said, took = await clinic.ask()
            assert said == "all is well"
            waits.append(took)
            await asyncio.sleep(1.0)
        assert len(waits) > 300
        assert clinic.calls <= 20, "five to open its breaker, then a probe a minute"
        assert max(waits) <= BUDGETS[LatencyClass.SEMI_SYNC].first_token + 1.5
        assert _quantile(waits, 0.9) < 0.2

    story()


def test_a_breaker_counts_even_where_there_is_only_one_model() -> None:
    @virtual_time
    async def story() -> None:
        clinic = Clinic(always((ProviderError(ErrorKind.SERVER),)), alone=True, latency=LatencyClass.ASYNC)
        waits = []
        for _ in range(20):
            said, took = await clinic.ask()
            assert said == ""
            waits.append(took)
        assert clinic.calls <= 5 + 18, "asked twice until it is open, then once, as the probe"
        assert waits[5:] == [0.0] * 15, "and nobody waits for a second try"

    story()


def test_a_minute_of_flapping_leaves_nobody_without_an_answer() -> None:
    @virtual_time
    async def story() -> None:
        def flaps(now: float) -> Script:
            is_ill = now < 60 and int(now / 2) % 2 == 0
            return (ProviderError(ErrorKind.SERVER),) if is_ill else answer("sick but up", ttft=0.05)

        clinic = Clinic(flaps, latency=LatencyClass.SYNC)
        waits: list[float] = []
        said = ""
        while clinic.loop.time() < 600:
            said, took = await clinic.ask()
            assert said in ("all is well", "sick but up")
            waits.append(took)
            await asyncio.sleep(0.5)
        assert max(waits) < 2.0
        assert said == "sick but up", "it is found again"

    story()


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]
