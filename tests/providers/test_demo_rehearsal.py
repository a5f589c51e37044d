"""The demo plays scenarios: by the rules of every provider, from a file, on a clock that can be moved."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from providers.base import CompletionRequest, Credential, ModelSpec, Provider, StreamEvent
from providers.conformance import KINDS, MIDWAY, SAID, THOUGHT, WAITS, ProviderConformance, Scene
from providers.demo import SPEC, DemoProvider, DemoSettings, spec
from providers.demo_scenario import DemoModel, Scenario, read_scenario
from providers.errors import ErrorKind
from providers.http import Pools
from tests.providers.ask import ask

NOBODY = Credential("demo:none")
EXAMPLE = Path(__file__).parents[2] / "deploy" / "rehearsal.json"


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def scenario(scene: Scene) -> Scenario:
    """A scene of the kit as a scenario of one model."""
    fault: dict[str, Any] | None = None
    model: dict[str, Any] = {"id": "m", "ttft": 0, "tokensPerSecond": 100_000, "answer": SAID}
    if scene in KINDS:
        kind = KINDS[scene].value
        fault = {"kind": "cut" if kind == "incomplete" else kind}
        if scene in MIDWAY:
            fault["after"] = 3
        if WAITS.get(scene) is not None:
            fault["retryAfter"] = WAITS[scene]
    match scene:
        case Scene.THOUGHTS:
            model["reasoning"] = THOUGHT
        case Scene.NOTHING:
            fault = {"kind": "empty"}
        case Scene.FILTERED:
            fault = {"kind": "filtered", "after": 50}
        case Scene.TOO_MUCH:
            model["maxOutput"] = 3
        case Scene.SLOW:
            model["ttft"] = 0.2
        case Scene.SILENT:
            fault = {"kind": "silence"}
        case Scene.STALLED:
            fault = {"kind": "stall", "after": 2}
        case Scene.ENDLESS:
            model |= {"answer": "on and " * 10_000, "tokensPerSecond": 200}
        case _:
            pass
    model["faults"] = [fault] if fault else []
    return read_scenario(json.dumps({"models": [model]}), "kit")


class Stage:
    """Plays whichever scene is wanted, and sees who asks and who leaves."""

    def __init__(self) -> None:
        self.asked = 0
        self.left = asyncio.Event()
        self.demo = DemoProvider("demo", scenario(Scene.ANSWER))
        self.name = "demo"
        self.warm, self.list_models, self.aclose = self.demo.warm, self.demo.list_models, self.demo.aclose

    def play(self, scene: Scene) -> None:
        self.demo = DemoProvider("demo", scenario(scene))

    async def until_asked(self, count: int) -> None:
        while self.asked < count:
            await asyncio.sleep(0)

    async def until_closed(self) -> None:
        await self.left.wait()

    def connections(self) -> None:
        return None

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        self.asked += 1
        try:
            async with self.demo.stream(model, request, credential) as events:
                yield events
        finally:
            self.left.set()


class TestRehearsal(ProviderConformance):
    scenes: ClassVar[frozenset[Scene]] = frozenset(Scene) - {
        *(Scene.TOOL_CALL, Scene.TWO_CALLS, Scene.NEGATIVE, Scene.ONLY_THOUGHTS),
        *(Scene.DROPS, Scene.CLOSES),  # the same as a cut: nothing is connected
    }

    @pytest.fixture
    def peer(self) -> Stage:
        return Stage()

    @pytest.fixture
    def provider(self, peer: Stage) -> Provider:
        return peer

    @pytest.fixture
    def model(self) -> ModelSpec:
        return spec("demo", DemoModel("m"))

    @pytest.fixture
    def credential(self) -> Credential:
        return NOBODY


def rehearsal(time: Time, *models: dict[str, Any], **more: Any) -> DemoProvider:
    read = read_scenario(json.dumps({"models": list(models), **more}), "test")
    return DemoProvider("demo", read, clock=time, sleep=time.sleep)


def named(model: str) -> ModelSpec:
    return spec("demo", DemoModel(model))


async def kinds(provider: DemoProvider, model: str, time: Time, seconds: Sequence[float]) -> list[str]:
    """What comes of a request at each of these seconds: its kind, or "ok"."""
    start, found = time.now, []
    for second in seconds:
        time.now = start + second
        heard = await ask(provider, "hi", named(model), NOBODY)
        found.append(heard.kind.value if heard.kind else "ok")
    return found


async def test_windows_count_from_the_moment_at_which_the_provider_was_opened() -> None:
    time = Time()
    outage = {"kind": "overloaded", "from": 60, "until": 180}
    provider = rehearsal(time, {"id": "m", "faults": [outage]})
    assert await kinds(provider, "m", time, [0, 61, 179, 200]) == ["ok", "overloaded", "overloaded", "ok"]


async def test_requests_are_numbered_for_each_model_apart() -> None:
    time = Time()
    second = [{"kind": "server", "requests": [2]}]
    provider = rehearsal(time, {"id": "a", "faults": second}, {"id": "b", "faults": second})
    found = [await kinds(provider, model, time, [0]) for model in ("a", "b", "a", "b")]
    assert found == [["ok"], ["ok"], ["server"], ["server"]]


async def test_an_answer_takes_the_time_that_the_scenario_says() -> None:
    time = Time()
    model = {"id": "m", "ttft": 2, "tokensPerSecond": 4, "answer": "a b c d e"}
    began = time.now
    heard = await ask(rehearsal(time, model), "hi", named("m"), NOBODY)
    assert heard.text == "a b c d e"
    assert time.now - began == pytest.approx(2 + 4 / 4)


async def test_a_model_that_the_scenario_does_not_have_is_gone_and_the_others_are_named() -> None:
    heard = await ask(rehearsal(Time(), {"id": "m"}), "hi", named("other"), NOBODY)
    assert heard.error is not None
    assert heard.kind is ErrorKind.MODEL_GONE
    assert "it has m" in heard.error.detail


async def test_models_are_listed_as_the_scenario_describes_them(tmp_path: Path, pools: Pools) -> None:
    file = tmp_path / "s.json"
    cost = {"input": 1, "output": 2}
    rows = [{"id": "a", "title": "A", "contextWindow": 500, "prefill": False, "cost": cost}, {"id": "b"}]
    file.write_text(json.dumps({"models": rows}))
    provider = SPEC.open("mine", DemoSettings(scenario=file), pools)
    first, second = await provider.list_models(NOBODY)
    assert (first.ref, first.title, first.context_window, first.profile.prefill) == (
        "mine/a",
        "A",
        500,
        False,
    )
    assert first.price is not None
    assert second.price is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("{", "is not JSON"),
        ('{"models": [{"id": "m", "ttft": -1}]}', "models[0].ttft: -1 is not allowed; allowed: seconds"),
        (" " * 1_000_001, "is larger than 1000000 bytes"),
    ],
)
def test_a_scenario_that_cannot_be_played_is_a_wrong_setting(
    tmp_path: Path, text: str | None, said: str
) -> None:
    file = tmp_path / "s.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValidationError) as caught:
        DemoSettings.model_validate({"scenario": str(file)})
    assert str(file) in str(caught.value)
    assert said in str(caught.value)


async def test_the_example_can_be_rehearsed_from_its_first_minute_to_its_last() -> None:
    time = Time()
    provider = DemoProvider(
        "demo", read_scenario(EXAMPLE.read_bytes(), "example"), clock=time, sleep=time.sleep
    )
    found = await kinds(provider, "quick", time, [0, 10, 20, 30, 70, 200])
    assert found == ["ok", "ok", "ok", "rate_limit", "overloaded", "incomplete"]
    assert await kinds(provider, "last", time, [0, 100]) == ["ok", "ok"]
