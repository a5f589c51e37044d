"""Carrying a decision out: ask a rung, watch its deadlines, retry, go to the next. No I/O of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

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
from routing.budgets import MOST_ROOM, first_token_deadline, longest_answer
from routing.errors import NoModel
from routing.health import Breaker, Health
from routing.policy import Decision, Rung
from routing.retry import RULES, Next, retry_delay
from routing.watch import Watch

T = TypeVar("T")

MEASURED_TOKENS = 16
"""An answer of fewer tokens says nothing about a model's speed."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """What was said so far is void: another rung, or the same again, answers from the start."""

    rung: Rung


AnswerEvent = StreamEvent | Restarted


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. `kind` None: it gave a whole answer. `ttft` in seconds, None when no token came.

    `cancelled`: nobody wanted the rest.
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


@dataclass(frozen=True, slots=True)
class Tools:
    """What carrying out needs from outside.

    `clock` is monotonic seconds, `roll` a number in 0..1, `sleep` waits. `report` is told every attempt.
    """

    providers: Mapping[str, Provider]
    credential: Callable[[str, str], Credential]
    health: Health
    clock: Callable[[], float]
    roll: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]
    report: Callable[[Attempt], None]
    fallback_on_auth_error: bool = True


Fit = Callable[[Rung, str], CompletionRequest]
"""The request for one rung; the text is an answer to continue, "" for none."""


@dataclass(slots=True)
class Answer:
    """A running answer. `rung` is the one that speaks, `attempts` those that are over, `finished` the end.

    `began`: the clock at which the first model was asked; deadlines of the whole count from there.
    """

    attempts: list[Attempt] = field(default_factory=list)
    rung: Rung | None = None
    finished: Finished | None = None
    usage: Usage | None = None
    ttft: float | None = None
    began: float | None = None
    events: AsyncIterator[AnswerEvent] = field(init=False)

    def __aiter__(self) -> AsyncIterator[AnswerEvent]:
        return self.events


@asynccontextmanager
async def open_stream(
    decision: Decision,
    fit: Fit,
    tools: Tools,
    may_restart: Callable[[], bool],
    after: Answer | None = None,
) -> AsyncIterator[Answer]:
    """The answer to one prompt, from the first rung that gives it.

    Iterating yields provider events, and Restarted where what was said is void. Before the first text another
    rung takes over unseen; after it, the answer is continued where the model's profile takes a prefill,
    restarted where `may_restart()` says that what is shown can be taken back, and otherwise NoModel is raised.
    Raises NoModel when no rung gives a whole answer. Leaving the context closes every request. `after`: the answer
    that this one goes on from, once its calls were made; attempts, first token and deadline are kept together.
    """
    answer = Answer() if after is None else Answer(after.attempts, ttft=after.ttft, began=after.began)
    run = _Run(decision, fit, tools, may_restart, answer)
    async with aclosing(run.ladder()) as events:
        answer.events = events
        yield answer


class _Run:
    """One ladder being climbed."""

    def __init__(
        self,
        decision: Decision,
        fit: Fit,
        tools: Tools,
        may_restart: Callable[[], bool],
        answer: Answer,
    ) -> None:
        self._decision = decision
        self._fit = fit
        self._tools = tools
        self._may_restart = may_restart
        self._answer = answer
        self._said: list[str] = []
        self._retries = 0
        self._started = tools.clock()
        self._goes_on = answer.ttft is not None
        if answer.began is None:
            answer.began = self._started
        self._began = answer.began
        self._watch = Watch()

    async def ladder(self) -> AsyncGenerator[AnswerEvent, None]:
        """Every event of every rung, until one ends."""
        rung = self._decision.rungs[0] if self._decision.rungs else None
        prefix = ""
        try:
            while rung is not None:
                try:
                    async with aclosing(self._ask(rung, prefix)) as events:
                        async for event in events:
                            yield event
                    return
                except ProviderError as error:
                    following = await self._after(rung, error)
                if following is not None and self._said:
                    prefix = "".join(self._said) if following.model.profile.prefill else ""
                    if not prefix:
                        if not self._may_restart():
                            break
                        self._said.clear()
                        yield Restarted(following)
                rung = following
        finally:
            self._watch.close()
        raise NoModel(self._answer.attempts)

    async def _after(self, rung: Rung, error: ProviderError) -> Rung | None:
        """The rung to ask now that this one failed; None when the answer cannot be had."""
        limit = self._first_token_limit(rung)
        delay = retry_delay(
            error.kind,
            retry=self._retries,
            roll=self._tools.roll(),
            retry_after=error.retry_after,
            time_left=limit - (self._tools.clock() - self._started),
        )
        following = self._next(rung, error)
        if delay is None:
            return following
        # With another rung left a retry is worth its pause only while a first word would still be in time,
        # and no pause is worth it where another key opens the same model at once.
        if following is not None and (
            delay >= self._decision.budget.target
            or (error.kind is ErrorKind.RATE_LIMIT and following.model.ref == rung.model.ref)
        ):
            return following
        self._retries += 1
        await self._tools.sleep(delay)
        return rung

    def _next(self, rung: Rung, error: ProviderError) -> Rung | None:
        below = self._below(rung)
        match RULES[error.kind].then:
            case Next.ANY:
                return next(iter(below), None)
            case Next.OTHER_MODEL:
                other_models = [r for r in below if r.model.ref != rung.model.ref]
                return next(iter(other_models or below), None)
            case Next.OTHER_CREDENTIAL:
                others = [r for r in below if (r.key[0], r.key[2]) != (rung.key[0], rung.key[2])]
                own = [r for r in others if r.model.provider == rung.model.provider]
                # The provider's next key comes before anybody else, whatever the order of the ladder.
                return next(iter((own or others) if self._tools.fallback_on_auth_error else own), None)
            case Next.LARGER_WINDOW:
                larger = (r for r in below if r.model.context_window > rung.model.context_window)
                return next(larger, None)
            case Next.NOWHERE:
                return None

    def _below(self, rung: Rung) -> list[Rung]:
        """The rungs that may still be asked: those that rest meanwhile only where there is no other."""
        health, now = self._tools.health, self._tools.clock()
        rungs = self._decision.rungs[self._decision.rungs.index(rung) + 1 :]
        usable = [each for each in rungs if not health.is_disabled(each.key)]
        return [each for each in usable if health.breaker(each.key, now) is not Breaker.OPEN] or usable

    def _first_token_limit(self, rung: Rung) -> float:
        below = self._decision.rungs[self._decision.rungs.index(rung) + 1 :]
        return first_token_deadline(
            self._decision.budget,
            is_last=all(each.model.ref == rung.model.ref for each in below),
            is_local=rung.model.is_local,
            p95=self._tools.health.ttft(rung.key, 0.95),
        )

    async def _ask(self, rung: Rung, prefix: str) -> AsyncGenerator[AnswerEvent, None]:
        """One request, with its deadlines; books its end whatever it is."""
        limit = self._first_token_limit(rung)
        most = longest_answer(rung.options.max_output or rung.model.max_output)
        entry = _Entry(rung, len(self._answer.attempts), self._tools.clock(), limit, most)
        self._answer.rung = rung
        self._tools.health.asked(rung.key, entry.started)
        provider = self._tools.providers[rung.model.provider]
        credential = self._tools.credential(rung.model.provider, rung.credential_id)
        stream = provider.stream(rung.model, self._fit(rung, prefix), credential)
        try:
            events = await self._within(entry, stream.__aenter__())
            ignored: tuple[type[Exception], ...] = ()
            try:
                while entry.room >= 0:
                    event = entry.within_room(await self._within(entry, anext(events)))
                    self._note(entry, event)
                    yield event
                    if isinstance(event, Finished):
                        break
                else:
                    self._answer.finished = entry.cut()
                    yield self._answer.finished
            except (asyncio.CancelledError, GeneratorExit):
                ignored = (ProviderError,)  # nobody wants the answer any more: closing may fail
                raise
            finally:
                with suppress(*ignored):
                    await stream.__aexit__(None, None, None)
        except ProviderError as error:
            self._tools.health.failed(
                rung.key, error.kind, error.retry_after, self._tools.clock(), self._decision.tokens
            )
            self._book(entry, kind=error.kind, detail=error.detail)
            raise
        except BaseException:
            self._tools.health.let_go(rung.key)
            self._book(entry, cancelled=True)
            raise
        self._tools.health.succeeded(rung.key)
        self._book(entry, detail=f"ended at {most} characters" if entry.room < 0 else "")

    async def _within(self, entry: _Entry, awaitable: Awaitable[T]) -> T:
        """What `awaitable` gives, within the deadline that counts now."""
        now, budget = self._tools.clock(), self._decision.budget
        if entry.ttft is None:
            limit, kind = entry.started + entry.first_token - now, ErrorKind.FIRST_TOKEN
        else:
            limit, kind = budget.stall, ErrorKind.STALL
        left = self._began + max(budget.total, entry.first_token) - now
        if left < limit:
            limit, kind = left, ErrorKind.TOTAL
        self._watch.arm(limit)
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._watch.has_fired():
                raise ProviderError(kind, f"nothing within {limit:.1f} s") from None
            raise
        except StopAsyncIteration:
            raise ProviderError(ErrorKind.INCOMPLETE, "the stream ended without a finish event") from None
        finally:
            self._watch.disarm()

    def _note(self, entry: _Entry, event: StreamEvent) -> None:
        match event:
            case TextDelta(text):
                self._said.append(text)
                self._first(entry)
            case Started():
                entry.model_reported = event.model_reported
            case UsageSoFar(usage):
                self._answer.usage = entry.usage = usage
            case Finished():
                self._answer.finished = event
                if event.usage is not None:
                    self._answer.usage = entry.usage = event.usage
            case _:
                self._first(entry)

    def _first(self, entry: _Entry) -> None:
        if entry.ttft is None:
            entry.ttft = self._tools.clock() - entry.started
            if not self._goes_on:
                self._answer.ttft = entry.ttft
            self._tools.health.began(
                entry.rung.key,
                entry.ttft,
                self._tools.clock(),
                self._decision.tokens,
                self._decision.budget.first_token,
            )

    def _book(
        self,
        entry: _Entry,
        *,
        kind: ErrorKind | None = None,
        detail: str = "",
        cancelled: bool = False,
    ) -> None:
        took = self._tools.clock() - entry.started
        speed = None
        if entry.usage is not None and entry.ttft is not None and took > entry.ttft:
            speed = entry.usage.output_tokens / (took - entry.ttft)
            if kind is None and not cancelled and entry.usage.output_tokens >= MEASURED_TOKENS:
                self._tools.health.ran_at(entry.rung.key, speed)
        attempt = Attempt(
            rung=entry.rung,
            number=entry.number,
            took=took,
            ttft=entry.ttft,
            kind=kind,
            detail=detail,
            cancelled=cancelled,
            usage=entry.usage,
            model_reported=entry.model_reported,
            speed=speed,
        )
        self._answer.attempts.append(attempt)
        self._tools.report(attempt)


@dataclass(slots=True)
class _Entry:
    """An attempt while it runs."""

    rung: Rung
    number: int
    started: float
    first_token: float
    room: int
    """Characters that it may still say; below zero: it said too much."""
    ttft: float | None = None
    usage: Usage | None = None
    model_reported: str = ""
    thoughts: int = MOST_ROOM

    def within_room(self, event: StreamEvent) -> StreamEvent:
        """The event, or as much of it as there is room for."""
        match event:
            case TextDelta(text):
                self.room -= len(text)
                return event if self.room >= 0 else TextDelta(text[: self.room])
            case ReasoningDelta(text):
                self.thoughts -= len(text)
                if self.thoughts < 0:
                    self.room = -1
            case ToolCallDelta():
                self.room -= len(event.arguments)
            case _:
                pass
        return event

    def cut(self) -> Finished:
        """The end of an answer that was ended here."""
        return Finished(FinishReason.LENGTH, self.usage, "ended here")
