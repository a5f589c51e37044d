"""Room on keys: what is left, what is kept for people, and the order of what waits."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import LatencyClass
from providers.allowance import DAY, MINUTE, Limits
from providers.errors import ErrorKind, ProviderError
from routing.places import Places
from routing.pressure import Pressure
from tests.virtual_time import virtual_time

KEY = ("one", "k1")
PEOPLE, BACKGROUND = LatencyClass.SYNC, LatencyClass.BATCH


def pressure(kept: float = 0.5, **limits: int) -> Pressure:
    return Pressure({"one": Limits(**limits)}, kept)


def test_a_provider_without_limits_has_room_for_everything() -> None:
    free = Pressure({"one": Limits()})
    for _ in range(1000):
        free.take(KEY, BACKGROUND, 100_000, 0.0)
    assert free.wait(KEY, BACKGROUND, 100_000, 0.0) == 0
    assert free.full(BACKGROUND, 1, 0.0) == frozenset()


def test_the_background_gets_its_share_of_requests_and_people_the_rest() -> None:
    used = pressure(requests_per_minute=10)
    for _ in range(5):
        assert used.wait(KEY, BACKGROUND, 1, 0.0) == 0
        used.take(KEY, BACKGROUND, 1, 0.0)
    assert used.wait(KEY, BACKGROUND, 1, 0.0) == MINUTE
    assert used.wait(KEY, PEOPLE, 1, 0.0) == 0
    for _ in range(5):
        used.take(KEY, PEOPLE, 1, 0.0)
    assert used.wait(KEY, PEOPLE, 1, 1.0) == MINUTE - 1.0
    assert used.wait(KEY, BACKGROUND, 1, MINUTE) == 0


def test_people_may_use_all_of_it_and_the_background_waits_for_what_they_leave() -> None:
    used = pressure(tokens_per_minute=1000)
    used.take(KEY, PEOPLE, 900, 0.0)
    assert used.wait(KEY, BACKGROUND, 100, 0.0) == 0
    assert used.wait(KEY, BACKGROUND, 200, 0.0) == MINUTE
    assert used.full(BACKGROUND, 200, 0.0) == {KEY}
    assert used.full(PEOPLE, 100, 0.0) == frozenset()


def test_a_prompt_larger_than_the_share_goes_alone_and_only_when_nobody_used_anything() -> None:
    used = pressure(tokens_per_day=1000)
    assert used.wait(KEY, BACKGROUND, 5000, 0.0) == 0
    used.take(KEY, PEOPLE, 1, 0.0)
    assert used.wait(KEY, BACKGROUND, 5000, 0.0) == DAY


@pytest.mark.parametrize(("places", "kept", "share"), [(10, 0.5, 5), (10, 0.8, 2), (3, 0.5, 1), (1, 0.5, 1)])
def test_the_background_holds_no_more_places_than_its_share(places: int, kept: float, share: int) -> None:
    used = pressure(kept, concurrent=places)
    for _ in range(share):
        assert used.wait(KEY, BACKGROUND, 1, 0.0) == 0
        used.take(KEY, BACKGROUND, 1, 0.0)
    assert used.wait(KEY, BACKGROUND, 1, 0.0) > 0
    used.release(KEY, BACKGROUND)
    assert used.wait(KEY, BACKGROUND, 1, 0.0) == 0


def test_keys_of_one_provider_are_counted_apart() -> None:
    used = pressure(requests_per_minute=1)
    used.take(KEY, PEOPLE, 1, 0.0)
    assert used.wait(("one", "k2"), PEOPLE, 1, 0.0) == 0
    assert used.full(PEOPLE, 1, 0.0) == {KEY}


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 100), st.floats(0, 30), st.booleans()),
        max_size=60,
    ),
    st.integers(1, 20),
    st.integers(200, 2000),
    st.integers(1, 8),
    st.floats(0, 0.95),
)
def test_whatever_comes_the_background_never_has_more_than_its_share(
    events: list[tuple[bool, int, float, bool]], requests: int, tokens: int, concurrent: int, kept: float
) -> None:
    used = pressure(kept, requests_per_minute=requests, tokens_per_minute=tokens, concurrent=concurrent)
    now, running = 0.0, 0
    taken: list[tuple[float, int]] = []
    most_requests, most_tokens, most_at_once = (
        max(1, int(limit * (1 - kept) + 1e-9)) for limit in (requests, tokens, concurrent)
    )
    for is_person, amount, pause, ends in events:
        now += pause
        if ends and running:
            used.release(KEY, BACKGROUND)
            running -= 1
        if is_person:
            used.take(KEY, PEOPLE, amount, now)
            used.release(KEY, PEOPLE)
        elif amount <= most_tokens and used.wait(KEY, BACKGROUND, amount, now) == 0:
            used.take(KEY, BACKGROUND, amount, now)
            running += 1
            taken.append((now, amount))
        lately = [each for at, each in taken if now - at < MINUTE]
        assert len(lately) <= most_requests
        assert sum(lately) <= most_tokens
        assert running <= most_at_once


@virtual_time
async def test_people_begin_at_once_and_the_background_when_a_place_is_left() -> None:
    loop = asyncio.get_running_loop()
    places = Places(pressure(concurrent=2), loop.time)
    began: list[str] = []

    async def work(name: str, latency: LatencyClass, took: float) -> None:
        await places.enter(KEY, latency, 1, 100.0)
        began.append(f"{name} at {loop.time():.0f}")
        await asyncio.sleep(took)
        places.leave(KEY, latency)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work("first mail", BACKGROUND, 5.0))
        tasks.create_task(work("second mail", BACKGROUND, 5.0))
        tasks.create_task(work("ann", PEOPLE, 1.0))
    assert began == ["first mail at 0", "ann at 0", "second mail at 5"]


@virtual_time
async def test_what_never_finds_room_is_told_so_and_takes_no_place() -> None:
    places = Places(pressure(requests_per_minute=2), asyncio.get_running_loop().time)
    await places.enter(KEY, BACKGROUND, 1, 10.0)
    places.leave(KEY, BACKGROUND)
    with pytest.raises(ProviderError) as refused:
        await places.enter(KEY, BACKGROUND, 1, 10.0)
    assert refused.value.kind is ErrorKind.RATE_LIMIT
    assert places.pressure.wait(KEY, PEOPLE, 1, 10.0) == 0


@virtual_time
async def test_whoever_gives_up_waiting_lets_the_next_one_begin() -> None:
    loop = asyncio.get_running_loop()
    places = Places(pressure(concurrent=1), loop.time)
    await places.enter(KEY, BACKGROUND, 1, 10.0)
    impatient = asyncio.create_task(places.enter(KEY, BACKGROUND, 1, 100.0))
    patient = asyncio.create_task(places.enter(KEY, BACKGROUND, 1, 100.0))
    await asyncio.sleep(1.0)
    impatient.cancel()
    places.leave(KEY, BACKGROUND)
    await patient
    assert loop.time() < 5
    assert impatient.cancelled()
