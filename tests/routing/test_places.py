"""Requests within limits, as they are carried out: people begin at once, the background where there is room."""

from __future__ import annotations

import asyncio

import pytest

from channels.capabilities import LatencyClass
from providers.allowance import Limits
from providers.base import CompletionRequest, Credential, PromptMessage, Role, TextDelta
from providers.errors import ErrorKind
from providers.fake import FakeProvider, answer
from routing.budgets import BUDGETS
from routing.errors import NoModel
from routing.execute import Attempt, Tools, Unbounded, open_stream
from routing.health import Breaker, Health
from routing.places import Places
from routing.policy import Decision, Reason, Rung
from routing.pressure import Pressure
from tests.routing.models import model
from tests.virtual_time import virtual_time

PEOPLE, BACKGROUND = LatencyClass.SYNC, LatencyClass.BATCH


class Site:
    """One provider with one key, its limits, and when each request reached it."""

    def __init__(self, *, takes: float = 0.0, **limits: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.provider = FakeProvider("one", default=answer("hello", ttft=takes))
        self.health = Health()
        self.attempts: list[Attempt] = []
        self.places = Places(Pressure({"one": Limits(**limits)}), self.loop.time)
        self.tools = Tools(
            providers={"one": self.provider},
            credential=lambda _provider, key: Credential(key),
            health=self.health,
            clock=self.loop.time,
            roll=lambda: 0.5,
            sleep=asyncio.sleep,
            money=Unbounded(),
            report=self.attempts.append,
            places=self.places,
        )
        self.rung = Rung(model("one/a"), "key")
        self.began: list[tuple[str, float]] = []

    async def ask(self, name: str, latency: LatencyClass) -> str:
        """One whole answer."""
        decision = Decision((self.rung,), BUDGETS[latency], latency, Reason.DEFAULT, tokens=100)
        request = CompletionRequest((PromptMessage(Role.USER, name),))

        def fit(_rung: Rung, _so_far: str) -> CompletionRequest:
            self.began.append((name, self.loop.time()))
            return request

        async with open_stream(decision, fit, self.tools, lambda: True) as stream:
            return "".join([event.text async for event in stream.events if isinstance(event, TextDelta)])


@virtual_time
async def test_a_night_of_mails_never_takes_the_place_of_a_person() -> None:
    site = Site(takes=1.0, concurrent=4)
    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(site.ask(f"mail {number}", BACKGROUND))
        await asyncio.sleep(0.5)
        for number in range(2):
            tasks.create_task(site.ask(f"ann {number}", PEOPLE))
        await asyncio.sleep(0.1)
        assert site.provider.open_streams == 4
    assert {name for name, at in site.began if at == 0.5} == {"ann 0", "ann 1"}
    assert len([1 for each in site.attempts if each.kind is None]) == 12
    assert site.places.pressure.full(BACKGROUND, 1, site.loop.time()) == frozenset()


@virtual_time
async def test_waiting_for_room_is_no_failure_and_counts_in_no_time_of_the_model() -> None:
    site = Site(requests_per_minute=2)
    await site.ask("first mail", BACKGROUND)
    assert await site.ask("second mail", BACKGROUND) == "hello"
    assert site.loop.time() >= 60
    assert site.health.breaker(site.rung.key, site.loop.time()) is Breaker.CLOSED
    assert [each.ttft for each in site.attempts] == [0.0, 0.0]


@virtual_time
async def test_a_mail_that_finds_no_room_for_minutes_fails_and_rests_nobody() -> None:
    site = Site(tokens_per_day=300)
    await site.ask("first mail", BACKGROUND)
    with pytest.raises(NoModel) as refused:
        await site.ask("second mail", BACKGROUND)
    assert [each.kind for each in refused.value.attempts] == [ErrorKind.RATE_LIMIT]
    assert site.health.breaker(site.rung.key, site.loop.time()) is Breaker.CLOSED
    assert await site.ask("ann", PEOPLE) == "hello"


@virtual_time
async def test_a_request_that_fails_or_is_given_up_leaves_its_place() -> None:
    site = Site(takes=50.0, concurrent=1)
    asked = asyncio.create_task(site.ask("mail", BACKGROUND))
    await site.provider.until_asked()
    asked.cancel()
    await asyncio.wait([asked])
    assert site.places.pressure.wait(site.rung.account, PEOPLE, 1, site.loop.time()) == 0
    with pytest.raises(NoModel) as silent:
        await site.ask("ann", PEOPLE)
    assert silent.value.attempts[-1].kind is ErrorKind.FIRST_TOKEN
    assert site.places.pressure.wait(site.rung.account, PEOPLE, 1, site.loop.time()) == 0
