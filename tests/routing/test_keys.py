"""Several keys of one provider: which key a failure is held against, and who is asked next."""

from __future__ import annotations

import asyncio
import time

import pytest

from channels.capabilities import LatencyClass, Streaming
from providers.base import CompletionRequest, Credential, PromptMessage, Role, TextDelta
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, Script, answer
from routing.budgets import Budget
from routing.catalog import Catalog
from routing.errors import NoModel
from routing.execute import Attempt, Tools, Unbounded, open_stream
from routing.health import Health
from routing.policy import Decision, Reason, RouteQuery, Rung, decide
from tests.routing.models import catalog, model

KEYS = {"one": ("k1", "k2"), "two": ("k3",)}
BUDGET = Budget(target=2.0, first_token=30.0, stall=30.0, total=60.0)
MODELS = catalog(model("one/a"), model("one/b"), model("two/c"), keys=KEYS)


def fails(kind: ErrorKind, retry_after: float | None = None) -> Script:
    return (ProviderError(kind, "made up", retry_after=retry_after),)


class Ladder:
    """Models of two providers under three keys, asked over and over with one memory of their health."""

    def __init__(self, *first: Script, second: Script = (), models: Catalog = MODELS) -> None:
        self.providers = {
            "one": FakeProvider("one", *first),
            "two": FakeProvider("two", second or answer("from two")),
        }
        self.models = models
        self.health = Health()
        self.attempts: list[Attempt] = []
        self.pauses: list[float] = []
        self.may_leave = True

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def tools(self) -> Tools:
        return Tools(
            providers=self.providers,
            credential=lambda _provider, key: Credential(key),
            health=self.health,
            clock=time.monotonic,
            roll=lambda: 0.5,
            sleep=self._sleep,
            money=Unbounded(),
            report=self.attempts.append,
            fallback_on_auth_error=self.may_leave,
        )

    async def ask(self) -> str:
        """The answer of one turn."""
        self.attempts.clear()
        query = RouteQuery(LatencyClass.SYNC, Streaming.EDIT, now=time.monotonic())
        made = decide(query, self.models, self.health)
        decision = Decision(made.rungs, BUDGET, LatencyClass.SYNC, Reason.DEFAULT)
        said = []
        async with open_stream(decision, _fit, self.tools(), lambda: True) as running:
            said.extend([event.text async for event in running.events if isinstance(event, TextDelta)])
        return "".join(said)

    def asked(self) -> list[str]:
        return [f"{each.rung.model.ref} {each.rung.credential_id}" for each in self.attempts]


def _fit(_rung: Rung, _prefix: str) -> CompletionRequest:
    return CompletionRequest((PromptMessage(Role.USER, "q"),))


HELLO = answer("hello")


@pytest.mark.parametrize(
    ("kind", "retry_after", "asked"),
    [
        (ErrorKind.AUTH, None, ["one/a k1", "one/a k2"]),
        (ErrorKind.PERMISSION, None, ["one/a k1", "one/a k2"]),
        (ErrorKind.QUOTA, None, ["one/a k1", "one/a k2"]),
        (ErrorKind.RATE_LIMIT, None, ["one/a k1", "one/a k2"]),
        (ErrorKind.RATE_LIMIT, 0.5, ["one/a k1", "one/a k2"]),
        (ErrorKind.OVERLOADED, None, ["one/a k1", "one/b k1"]),
        (ErrorKind.MODEL_GONE, None, ["one/a k1", "one/b k1"]),
        (ErrorKind.FIRST_TOKEN, None, ["one/a k1", "one/b k1"]),
    ],
)
async def test_a_faulty_key_gives_way_to_the_next_key_and_a_faulty_model_to_the_next_model(
    kind: ErrorKind, retry_after: float | None, asked: list[str]
) -> None:
    ladder = Ladder(fails(kind, retry_after), HELLO)
    assert await ladder.ask() == "hello"
    assert ladder.asked() == asked
    assert ladder.pauses == []


@pytest.mark.parametrize(
    ("kind", "again"),
    [
        (ErrorKind.AUTH, "one/a k2"),
        (ErrorKind.QUOTA, "one/a k2"),
        (ErrorKind.RATE_LIMIT, "one/a k2"),
        (ErrorKind.OVERLOADED, "one/a k1"),
    ],
)
async def test_the_next_turn_begins_with_what_is_not_resting(kind: ErrorKind, again: str) -> None:
    ladder = Ladder(fails(kind), HELLO, HELLO)
    await ladder.ask()
    await ladder.ask()
    assert ladder.asked() == [again]


async def test_with_every_key_refused_another_provider_answers_and_no_refused_key_is_tried_again() -> None:
    ladder = Ladder(fails(ErrorKind.AUTH), fails(ErrorKind.AUTH))
    assert await ladder.ask() == "from two"
    assert ladder.asked() == ["one/a k1", "one/a k2", "two/c k3"]


async def test_no_other_provider_is_asked_where_that_is_switched_off() -> None:
    ladder = Ladder(fails(ErrorKind.AUTH), fails(ErrorKind.AUTH))
    ladder.may_leave = False
    with pytest.raises(NoModel):
        await ladder.ask()
    assert ladder.asked() == ["one/a k1", "one/a k2"]


async def test_the_other_key_of_an_overloaded_model_is_asked_where_there_is_no_other_model() -> None:
    only = catalog(model("one/a"), keys=KEYS)
    ladder = Ladder(fails(ErrorKind.OVERLOADED), HELLO, models=only)
    assert await ladder.ask() == "hello"
    assert ladder.asked() == ["one/a k1", "one/a k2"]


async def test_a_changed_key_is_tried_first_again() -> None:
    ladder = Ladder(fails(ErrorKind.AUTH), HELLO, HELLO)
    await ladder.ask()
    ladder.health.credential_changed("one", "k1")
    await ladder.ask()
    assert ladder.asked() == ["one/a k1"]
