"""The rulings on errors, as one table that is walked row by row through `open_stream` itself.

A row says for one kind of error what is asked next where another key of the same model, another model of another
provider, or nobody is left: `A` is the one that fails, `K` its other key, `M` the other model, a figure the pause in
seconds before what follows, `-` the end without an answer. The class is async: target 2 s, first token within 8 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from bot import words
from channels.capabilities import LatencyClass
from providers.base import CompletionRequest, Credential, PromptMessage, Role
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, answer, cut
from routing.budgets import BUDGETS
from routing.errors import NoModel
from routing.execute import Attempt, Restarted, Tools, Unbounded, open_stream
from routing.health import Breaker, Health
from routing.policy import Decision, Reason, Rung
from tests.routing.models import model
from tests.routing.test_execute import text
from tests.virtual_time import virtual_time


@dataclass(frozen=True, slots=True)
class Row:
    """One kind. `cooldown`: seconds that the rung rests; None: not. `counts`: towards the breaker. `says`: to a person."""

    kind: ErrorKind
    ruling: int
    key: str
    model: str
    last: str
    says: str
    cooldown: float | None = None
    counts: bool = False
    disables: bool = False


TABLE = (
    Row(ErrorKind.RATE_LIMIT, 3, "A K", "A M", "A -", "its rate limit is reached", cooldown=60),
    Row(ErrorKind.QUOTA, 3, "A K", "A M", "A -", "its account has no quota left", cooldown=3600),
    Row(ErrorKind.OVERLOADED, 4, "A K", "A M", "A -", "it is overloaded", counts=True),
    Row(ErrorKind.SERVER, 4, "A 1 A K", "A 1 A M", "A 1 A -", "its server failed", counts=True),
    Row(ErrorKind.CONNECT, 4, "A 1 A K", "A 1 A M", "A 1 A -", "it cannot be reached", counts=True),
    Row(ErrorKind.INCOMPLETE, 4, "A 1 A K", "A 1 A M", "A 1 A -", "it broke off", counts=True),
    Row(ErrorKind.MALFORMED, 4, "A 1 A K", "A 1 A M", "A 1 A -", "something that is no answer", counts=True),
    Row(ErrorKind.FIRST_TOKEN, 5, "A K", "A M", "A -", "it did not begin to answer in time", counts=True),
    Row(ErrorKind.STALL, 5, "A K", "A M", "A -", "it fell silent in the middle", counts=True),
    Row(ErrorKind.TOTAL, 5, "A -", "A -", "A -", "it took too long", counts=True),
    Row(ErrorKind.AUTH, 1, "A K", "A M", "A -", "no valid key is set for it", disables=True),
    Row(ErrorKind.PERMISSION, 1, "A K", "A M", "A -", "its key may not use this model", disables=True),
    Row(ErrorKind.BAD_REQUEST, 2, "A -", "A -", "A -", "it did not accept the request"),
    Row(ErrorKind.TOO_LARGE, 2, "A -", "A -", "A -", "the request is too large for it"),
    Row(ErrorKind.CONTENT_FILTER, 2, "A -", "A -", "A -", "its content filter refused"),
    # The other model of this table has the same window: ruling 2 wants a larger one.
    Row(ErrorKind.CONTEXT_LENGTH, 2, "A -", "A -", "A -", "the conversation is too long for it"),
    Row(ErrorKind.MODEL_GONE, 2, "A K", "A M", "A -", "no longer has this model", cooldown=86400),
    Row(ErrorKind.CANCELLED, 2, "A -", "A -", "A -", "it was cancelled"),
    Row(ErrorKind.BUDGET, 2, "A K", "A M", "A -", "it costs more than is left of the budget"),
)
PLACES = ("key", "model", "last")
ROWS = pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row.kind))
LEFT = pytest.mark.parametrize("left", PLACES)
A, K, M = Rung(model("one/a"), "first"), Rung(model("one/a"), "second"), Rung(model("two/b"), "key")


class Walk:
    """One question where A fails for ever in one way and whoever else is left answers."""

    def __init__(
        self,
        left: str,
        error: ProviderError,
        *,
        said: str = "",
        latency: LatencyClass = LatencyClass.ASYNC,
        prefill: bool = False,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.trace: list[str] = []
        self.seen = ""
        self.restarts = 0
        self.failed: Sequence[Attempt] = ()
        self.health = Health()
        rungs = {"key": (A, K), "model": (A, M), "last": (A,)}[left]
        if prefill:
            rungs = tuple(replace(each, model=model(each.model.ref, prefill=True)) for each in rungs)
        self.decision = Decision(rungs, BUDGETS[latency], latency, Reason.DEFAULT)
        self._error, self._said = error, said
        self.providers = {name: FakeProvider(name) for name in ("one", "two")}
        self.tools = Tools(
            providers=self.providers,
            credential=self._open,
            health=self.health,
            clock=self.loop.time,
            roll=lambda: 0.5,
            sleep=self._sleep,
            money=Unbounded(),
            report=lambda _: None,
        )

    def _open(self, provider: str, key: str) -> Credential:
        """Called just before each request."""
        letter = {"first": "A", "second": "K", "key": "M"}[key]
        self.trace.append(letter)
        failing = cut(self._said, self._error) if self._said else (self._error,)
        self.providers[provider].then(failing if letter == "A" else answer("the rest"))
        return Credential(key)

    async def _sleep(self, seconds: float) -> None:
        self.trace.append(f"{seconds:g}")
        await asyncio.sleep(seconds)

    @staticmethod
    def fit(_rung: Rung, so_far: str) -> CompletionRequest:
        messages = [PromptMessage(Role.USER, "q")]
        if so_far:
            messages.append(PromptMessage(Role.ASSISTANT, so_far))
        return CompletionRequest(tuple(messages))

    async def go(self, *, may_restart: bool = True) -> str:
        events = []
        try:
            async with open_stream(self.decision, self.fit, self.tools, lambda: may_restart) as running:
                async for event in running.events:
                    events.append(event)  # noqa: PERF401 - what came before an error counts
        except NoModel as error:
            self.trace.append("-")
            self.failed = error.attempts
        self.restarts = sum(isinstance(event, Restarted) for event in events)
        self.seen = text(events)
        return " ".join(self.trace)


def test_the_table_has_every_kind_once() -> None:
    assert sorted(row.kind for row in TABLE) == sorted(ErrorKind)


@ROWS
@LEFT
def test_before_the_first_text_the_row_is_followed_unseen(row: Row, left: str) -> None:
    @virtual_time
    async def story() -> None:
        walk = Walk(left, ProviderError(row.kind))
        wanted = getattr(row, left)
        assert await walk.go() == wanted
        assert walk.restarts == 0
        assert walk.seen == ("" if wanted.endswith("-") else "the rest")

    story()


@ROWS
@LEFT
def test_after_the_first_text_a_fresh_answer_replaces_it_where_it_can(row: Row, left: str) -> None:
    @virtual_time
    async def story() -> None:
        walk = Walk(left, ProviderError(row.kind), said="half of ")
        wanted = getattr(row, left)
        assert await walk.go() == wanted
        assert walk.seen == ("half of " if wanted.endswith("-") else "the rest")
        assert (
            walk.restarts == len(walk.trace) - sum(each.isdigit() or each == "-" for each in walk.trace) - 1
        )

    story()


@ROWS
@LEFT
def test_after_the_first_text_a_model_that_takes_a_prefill_goes_on(row: Row, left: str) -> None:
    @virtual_time
    async def story() -> None:
        walk = Walk(left, ProviderError(row.kind), said="half of ", prefill=True)
        wanted = getattr(row, left)
        assert await walk.go(may_restart=False) == wanted
        said = "half of " * wanted.count("A")
        assert walk.seen == (said if wanted.endswith("-") else f"{said}the rest")
        assert walk.restarts == 0

    story()


@ROWS
@LEFT
def test_after_the_first_text_that_cannot_be_taken_back_the_answer_ends_at_once(row: Row, left: str) -> None:
    @virtual_time
    async def story() -> None:
        walk = Walk(left, ProviderError(row.kind), said="half of ")
        assert await walk.go(may_restart=False) == "A -", "nobody is asked, and nothing waited for, in vain"
        assert walk.seen == "half of "
        assert walk.loop.time() == 0

    story()


@ROWS
def test_a_rung_rests_or_is_left_alone_as_long_as_the_row_says(row: Row) -> None:
    health = Health()
    health.failed(A.key, row.kind, None, 1000.0)
    assert health.is_disabled(A.key) is row.disables
    is_open = health.breaker(A.key, 1000.1) is Breaker.OPEN
    assert is_open is (row.cooldown is not None or row.disables)
    if row.cooldown is not None:
        assert health.breaker(A.key, 1000.0 + row.cooldown - 1) is Breaker.OPEN
        assert health.breaker(A.key, 1000.0 + row.cooldown + 1) is Breaker.HALF_OPEN


@ROWS
def test_five_failures_open_the_breaker_of_the_kinds_that_count(row: Row) -> None:
    health = Health()
    for at in range(5):
        assert row.cooldown or row.disables or health.breaker(A.key, at) is Breaker.CLOSED
        health.failed(A.key, row.kind, None, float(at))
    is_open = health.breaker(A.key, 5.0) is Breaker.OPEN
    assert is_open is (row.counts or row.cooldown is not None or row.disables)


@ROWS
def test_a_person_reads_what_was_wrong_and_what_to_do(row: Row) -> None:
    said = words.failure([("one/a", row.kind)])
    assert row.says in said
    assert "/" in said.replace("one/a", "") or "owner" in said, "it says what to do"
    assert str(row.kind) not in said or "_" not in str(row.kind), "no code of ours"


RETRY_AFTER = (
    # class, seconds asked for, with another key, with another model, alone
    (LatencyClass.ASYNC, 0.5, "A K", "A 0.5 A 0.5 A M", "A 0.5 A 0.5 A -"),
    (LatencyClass.ASYNC, 1.5, "A K", "A 1.5 A M", "A 1.5 A 1.5 A -"),
    (LatencyClass.ASYNC, 3.0, "A K", "A M", "A 3 A 3 A -"),
    (LatencyClass.ASYNC, 20.0, "A K", "A M", "A -"),
    (LatencyClass.SYNC, 0.4, "A K", "A 0.4 A M", "A 0.4 A 0.4 A -"),
    (LatencyClass.SYNC, 0.6, "A K", "A M", "A 0.6 A 0.6 A -"),
    (LatencyClass.SYNC, 0.0, "A K", "A 0 A 0 A M", "A 0 A 0 A -"),
)


@pytest.mark.parametrize("case", RETRY_AFTER, ids=lambda case: f"{case[0]} {case[1]:g}")
@LEFT
def test_a_rate_limit_is_waited_for_only_within_what_is_left_for_a_first_word(
    case: tuple[LatencyClass, float, str, str, str], left: str
) -> None:
    @virtual_time
    async def story() -> None:
        latency, seconds, *wanted = case
        walk = Walk(left, ProviderError(ErrorKind.RATE_LIMIT, retry_after=seconds), latency=latency)
        assert await walk.go() == wanted[PLACES.index(left)]

    story()


@pytest.mark.parametrize("latency", [LatencyClass.VOICE, LatencyClass.SYNC])
@LEFT
def test_where_a_word_is_due_sooner_a_failing_server_is_not_asked_again(
    latency: LatencyClass, left: str
) -> None:
    @virtual_time
    async def story() -> None:
        walk = Walk(left, ProviderError(ErrorKind.SERVER), latency=latency)
        assert await walk.go() == {"key": "A K", "model": "A M", "last": "A 1 A -"}[left]

    story()


@virtual_time
async def test_a_context_that_is_too_long_goes_to_the_first_larger_window() -> None:
    walk = Walk("model", ProviderError(ErrorKind.CONTEXT_LENGTH))
    large = replace(M, model=model("two/b", window=100_000))
    walk.decision = replace(walk.decision, rungs=(A, K, large))
    assert await walk.go() == "A M"


@virtual_time
async def test_no_other_provider_is_told_of_a_refused_key_where_the_owner_does_not_want_it() -> None:
    walk = Walk("model", ProviderError(ErrorKind.AUTH))
    walk.tools = replace(walk.tools, fallback_on_auth_error=False)
    assert await walk.go() == "A -"


@virtual_time
async def test_where_nothing_can_be_taken_back_only_a_model_that_takes_a_prefill_is_asked() -> None:
    walk = Walk("model", ProviderError(ErrorKind.STALL), said="half of ")
    takes = replace(M, model=model("two/b", prefill=True))
    walk.decision = replace(walk.decision, rungs=(A, K, takes))
    assert await walk.go(may_restart=False) == "A M"
    assert walk.seen == "half of the rest"


@virtual_time
async def test_a_model_that_refuses_a_prefill_against_its_profile_answers_from_the_start() -> None:
    walk = Walk("model", ProviderError(ErrorKind.STALL), said="half of ", prefill=True)
    walk.providers["two"].then((ProviderError(ErrorKind.BAD_REQUEST, "no prefill"),))
    assert await walk.go() == "A M M"
    assert (walk.seen, walk.restarts) == ("the rest", 1)


@virtual_time
async def test_where_nothing_can_be_taken_back_a_refused_prefill_ends_the_answer() -> None:
    walk = Walk("model", ProviderError(ErrorKind.STALL), said="half of ", prefill=True)
    walk.providers["two"].then((ProviderError(ErrorKind.BAD_REQUEST, "no prefill"),))
    assert await walk.go(may_restart=False) == "A M -"
    assert walk.seen == "half of "
