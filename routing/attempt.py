"""One request to one rung: its deadlines while it runs, its place in the books when it is over. No I/O of its own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from providers.base import (
    CompletionRequest,
    Credential,
    Finished,
    FinishReason,
    Provider,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageSoFar,
)
from providers.errors import ErrorKind, ProviderError
from routing.budgets import MOST_ROOM, longest_answer
from routing.health import Health
from routing.hedge import Hedges
from routing.ledger import Payer, Stop
from routing.places import Places
from routing.policy import Decision, Rung
from routing.watch import Watch

T = TypeVar("T")

MEASURED_TOKENS = 16
"""An answer of fewer tokens says nothing about a model's speed."""


CHARACTERS_SAID = 4
"""Characters of an answer that are taken for a token where nobody counted."""

CHARACTERS_READ = 3
"""The same of a prompt, where more than it comes to is held for it."""


class Overtaken(Exception):
    """Another request has given the first word meanwhile; this one was ended."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. `kind` None: it gave a whole answer. `ttft` in seconds, None when no token came.

    `cancelled`: nobody wanted the rest. `hedge`: it was the second one, beside another. `is_estimated`: it was
    cancelled before the provider said what it cost; `usage` is our own estimate.
    """

    rung: Rung
    number: int
    took: float
    ttft: float | None = None
    kind: ErrorKind | None = None
    detail: str = ""
    cancelled: bool = False
    usage: Usage | None = None
    model_reported: str = ""
    speed: float | None = None
    hedge: bool = False
    is_estimated: bool = False


class Hold(Protocol):
    """Money that is held for one request."""

    def settle(self, usage: Usage | None) -> None:
        """The request is over and used so much; None: nobody knows, or nothing. Only the first call counts."""


class Money(Protocol):
    """Who may spend what. Every request to a model is let in here first."""

    async def enter(self, rung: Rung, payer: Payer, tokens: int, patience: float) -> Hold:
        """Hold what a request with a prompt of so many tokens may cost at most. Raises ProviderError(BUDGET).

        Waits up to `patience` seconds where all that is left is held for others.
        """

    def stop(self, payer: Payer) -> Stop | None:
        """What keeps a payer from every model that costs money now."""


class Unbounded:
    """Lets everything in and adds up nothing: for whoever asks outside of the daemon, at their own command."""

    async def enter(self, rung: Rung, payer: Payer, tokens: int, patience: float) -> Hold:
        """At once."""
        del rung, payer, tokens, patience
        return self

    def stop(self, payer: Payer) -> Stop | None:
        """Nothing."""
        del payer
        return None

    def settle(self, usage: Usage | None) -> None:
        """Added to nothing."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What carrying out needs from outside.

    `clock` is monotonic seconds, `roll` a number in 0..1, `sleep` waits. `money` lets every request in and is told
    what it used; `report` is told every attempt. `hedges`: how many second requests there may be, None for none.
    `places` keeps what runs in the background from taking what people need.
    """

    providers: Mapping[str, Provider]
    credential: Callable[[str, str], Credential]
    health: Health
    clock: Callable[[], float]
    roll: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]
    report: Callable[[Attempt], None]
    money: Money
    fallback_on_auth_error: bool = True
    hedges: Hedges | None = None
    places: Places = field(default_factory=Places)


def is_content(event: StreamEvent) -> bool:
    """Whether it is a piece of an answer, rather than of what leads to one."""
    return isinstance(event, ToolCallDelta) or (isinstance(event, TextDelta) and bool(event.text))


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one request. `number`: how many were over before it.

    `began`: when the first model was asked; the deadline of the whole counts from there. `first_token`: seconds that
    it may stay silent. `hedge`: it runs beside another.
    """

    number: int
    began: float
    first_token: float
    hedge: bool = False


class Request:
    """One request to one rung. Iterate `events` once, in one task; `book` is told its end, whatever it is."""

    def __init__(
        self,
        rung: Rung,
        request: CompletionRequest,
        decision: Decision,
        tools: Tools,
        book: Callable[[Attempt], None],
        terms: Terms,
    ) -> None:
        self.rung = rung
        self.ttft: float | None = None
        self.usage: Usage | None = None
        self.is_overtaken = False
        self._request = request
        self._decision = decision
        self._tools = tools
        self._report = book
        self._terms = terms
        self._started = tools.clock()
        self._most = longest_answer(rung.options.max_output or rung.model.max_output)
        self._room, self._thoughts = self._most, MOST_ROOM
        self._model_reported = ""
        self._watch: Watch | None = None
        self._hold: Hold | None = None

    def overtake(self) -> None:
        """Another has the first word: end this one."""
        self.is_overtaken = True
        if self._watch is not None:
            self._watch.interrupt()

    async def events(self) -> AsyncGenerator[StreamEvent, None]:
        """What the model says. Raises ProviderError, and Overtaken after `overtake`."""
        tools, key = self._tools, self.rung.key
        await self._enter()
        tools.health.asked(key, self._started)
        self._watch = Watch()
        try:
            provider = tools.providers[self.rung.model.provider]
            credential = tools.credential(self.rung.model.provider, self.rung.credential_id)
            stream = provider.stream(self.rung.model, self._request, credential)
            events = await self._within(stream.__aenter__())
            ignored: tuple[type[Exception], ...] = ()
            try:
                while self._room >= 0:
                    event = self._within_room(await self._within(anext(events)))
                    self._note(event)
                    yield event
                    if isinstance(event, Finished):
                        break
                else:
                    yield Finished(FinishReason.LENGTH, self.usage, "ended here")
            except (asyncio.CancelledError, GeneratorExit, Overtaken):
                ignored = (ProviderError,)  # nobody wants the answer any more: closing may fail
                raise
            finally:
                with suppress(*ignored):
                    await stream.__aexit__(None, None, None)
        except ProviderError as error:
            now = tools.clock()
            tools.health.failed(key, error.kind, error.retry_after, now, self._decision.tokens)
            self._book(kind=error.kind, detail=error.detail)
            raise
        except Overtaken:
            tools.health.overtaken(key, tools.clock(), self._decision.tokens)
            self._book(cancelled=True)
            raise
        except BaseException:
            tools.health.let_go(key)
            self._book(cancelled=True)
            raise
        finally:
            self._watch.close()
        tools.health.succeeded(key)
        self._book(detail=f"ended at {self._most} characters" if self._room < 0 else "")

    async def _enter(self) -> None:
        """Begin where there is room. Raises ProviderError."""
        decision, places = self._decision, self._tools.places
        patience = decision.budget.total / 3
        try:
            await places.enter(self.rung.account, decision.latency, decision.tokens, patience)
            try:
                self._hold = await self._tools.money.enter(
                    self.rung, decision.payer, self._prompt_tokens(), self._patience()
                )
            except BaseException:
                places.leave(self.rung.account, decision.latency)
                raise
        except ProviderError as error:  # it was never sent, and says nothing of the model
            self._tell(kind=error.kind, detail=error.detail)
            raise
        self._started = self._tools.clock()

    def _prompt_tokens(self) -> int:
        """About, and as often as not too many: what tools found makes a prompt longer than what was decided on."""
        said = sum(len(each.text) for each in self._request.messages)
        return max(self._decision.tokens, math.ceil(said / CHARACTERS_READ))

    def _patience(self) -> float:
        """Seconds to wait for money that is held for others; a second request, and a second rung, wait for none."""
        waited = self._tools.clock() - self._terms.began
        return 0.0 if self._terms.hedge else max(0.0, self._decision.budget.first_token - waited)

    async def _within(self, awaitable: Awaitable[T]) -> T:
        """What `awaitable` gives, within the deadline that counts now."""
        watch, now, budget = self._watch, self._tools.clock(), self._decision.budget
        if watch is None:
            raise RuntimeError("a request is watched only while its events are read")
        if self.ttft is None:
            limit, kind = self._started + self._terms.first_token - now, ErrorKind.FIRST_TOKEN
        else:
            limit, kind = budget.stall, ErrorKind.STALL
        left = self._terms.began + max(budget.total, self._terms.first_token) - now
        if left < limit:
            limit, kind = left, ErrorKind.TOTAL
        watch.arm(0.0 if self.is_overtaken else limit)
        try:
            given = await awaitable
        except asyncio.CancelledError:
            if not watch.has_fired():
                raise
            if self.is_overtaken:
                raise Overtaken from None
            raise ProviderError(kind, f"nothing within {limit:.1f} s") from None
        except StopAsyncIteration:
            raise ProviderError(ErrorKind.INCOMPLETE, "the stream ended without a finish event") from None
        finally:
            watch.disarm()
        if self.is_overtaken:
            raise Overtaken
        return given

    def _within_room(self, event: StreamEvent) -> StreamEvent:
        """The event, or as much of it as there is room for."""
        match event:
            case TextDelta(text):
                self._room -= len(text)
                return event if self._room >= 0 else TextDelta(text[: self._room])
            case ReasoningDelta(text):
                self._thoughts -= len(text)
                if self._thoughts < 0:
                    self._room = -1
            case ToolCallDelta():
                self._room -= len(event.arguments)
            case _:
                pass
        return event

    def _note(self, event: StreamEvent) -> None:
        match event:
            case Started():
                self._model_reported = event.model_reported
            case UsageSoFar(usage):
                self.usage = usage
            case Finished():
                self.usage = event.usage or self.usage
            case _ if self.ttft is None:
                now, decision = self._tools.clock(), self._decision
                self.ttft = now - self._started
                self._tools.health.began(
                    self.rung.key, self.ttft, now, decision.tokens, decision.budget.first_token
                )
            case _:
                pass

    def _book(
        self,
        *,
        kind: ErrorKind | None = None,
        detail: str = "",
        cancelled: bool = False,
    ) -> None:
        self._tools.places.leave(self.rung.account, self._decision.latency)
        self._tell(kind=kind, detail=detail, cancelled=cancelled)

    def _tell(self, *, kind: ErrorKind | None, detail: str, cancelled: bool = False) -> None:
        took = self._tools.clock() - self._started
        usage, speed = self.usage, None
        if usage is not None and self.ttft is not None and took > self.ttft:
            speed = usage.output_tokens / (took - self.ttft)
            if kind is None and not cancelled and usage.output_tokens >= MEASURED_TOKENS:
                self._tools.health.ran_at(self.rung.key, speed)
        is_estimated = cancelled and usage is None and self._decision.tokens > 0
        if is_estimated:  # what was read and said is billed, whoever listens
            usage = self._estimate()
        if self._hold is not None:
            has_begun = kind is not None and self.ttft is not None
            self._hold.settle(usage or (self._estimate() if has_begun else None))
        attempt = Attempt(
            rung=self.rung,
            number=self._terms.number,
            took=took,
            ttft=self.ttft,
            kind=kind,
            detail=detail,
            cancelled=cancelled,
            usage=usage,
            model_reported=self._model_reported,
            speed=speed,
            hedge=self._terms.hedge,
            is_estimated=is_estimated,
        )
        self._tools.report(attempt)
        self._report(attempt)

    def _estimate(self) -> Usage:
        said = max(0, self._most - self._room)
        return Usage(self._decision.tokens, math.ceil(said / CHARACTERS_SAID))
