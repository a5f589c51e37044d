"""Carrying a decision out: ask a rung, retry, go to the next, ask a second one beside it. No I/O of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from providers.base import CompletionRequest, Finished, StreamEvent, TextDelta, Usage, UsageSoFar
from providers.errors import ErrorKind, ProviderError
from routing.attempt import Attempt, Overtaken, Request, Terms, Tools, Unbounded, is_content
from routing.beside import Beside
from routing.budgets import first_token_deadline
from routing.errors import NoModel
from routing.health import Breaker, Key
from routing.hedge import plan
from routing.policy import Decision, Rung
from routing.retry import RULES, Next, retry_delay

__all__ = ["Answer", "AnswerEvent", "Attempt", "Fit", "Restarted", "Tools", "Unbounded", "open_stream"]


@dataclass(frozen=True, slots=True)
class Restarted:
    """What was said so far is void: another rung, or the same again, answers from the start."""

    rung: Rung


AnswerEvent = StreamEvent | Restarted

_NOTHING_MORE = "it went on with nothing"
"""A model that is to go on and says nothing may have taken the answer as whole, or have lost the thread: nobody can
tell, so it is asked anew."""

Fit = Callable[[Rung, str], CompletionRequest]
"""The request for one rung; the text is an answer to continue, "" for none."""


@dataclass(slots=True)
class Answer:
    """A running answer. `rung` is the one that speaks, `attempts` those that are over, `finished` the end.

    Of two requests that ran side by side the one that spoke stands last. `began`: the clock at which the first model
    was asked; deadlines of the whole count from there.
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
    *,
    may_hedge: bool = True,
) -> AsyncIterator[Answer]:
    """The answer to one prompt, from the first rung that gives it.

    Iterating yields provider events, and Restarted where what was said is void. Before the first text another
    rung takes over unseen; after it, the answer is continued where the model's profile takes a prefill,
    restarted where `may_restart()` says that what is shown can be taken back, and otherwise NoModel is raised.
    Raises NoModel when no rung gives a whole answer. Leaving the context closes every request. `after`: the answer
    that this one goes on from, once its calls were made; attempts, first token and deadline are kept together.
    `may_hedge`: another provider may be asked beside a silent one, where `tools.hedges` has any left; False once
    something was done that must not be done twice.
    """
    answer = Answer() if after is None else Answer(after.attempts, ttft=after.ttft, began=after.began)
    run = _Run(decision, fit, tools, may_restart, answer, may_hedge=may_hedge and after is None)
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
        *,
        may_hedge: bool,
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
        self._retried: Counter[Key] = Counter()
        self._gone: set[Key] = set()
        self._passed: list[Rung] = []
        self._may_hedge = may_hedge

    async def ladder(self) -> AsyncGenerator[AnswerEvent, None]:
        """Every event of every rung, until one ends."""
        rung = self._decision.rungs[0] if self._decision.rungs else None
        prefix = ""
        if self._tools.hedges is not None and not self._goes_on:
            self._tools.hedges.asked(self._started)
        while rung is not None:
            try:
                is_silent = bool(prefix)
                async with aclosing(self._ask(rung, prefix)) as events:
                    async for event in events:
                        is_silent = is_silent and (isinstance(event, Restarted) or not is_content(event))
                        if is_silent and isinstance(event, Finished):
                            raise ProviderError(ErrorKind.INCOMPLETE, _NOTHING_MORE)
                        yield event
                return
            except ProviderError as error:
                is_refused = error.kind is ErrorKind.BAD_REQUEST or error.detail == _NOTHING_MORE
                if prefix and is_refused and self._may_restart():
                    prefix = ""  # it is the prefill that it does not take, whatever its profile says
                    self._said.clear()
                    yield Restarted(rung)
                    continue
                following = await self._after(self._answer.rung or rung, error)
            if following is not None and self._said:
                prefix = "".join(self._said) if following.model.profile.prefill else ""
                if not prefix:
                    self._said.clear()
                    yield Restarted(following)
            rung = following
        raise NoModel(self._answer.attempts)

    async def _after(self, rung: Rung, error: ProviderError) -> Rung | None:
        """The rung to ask now that this one failed; None when the answer cannot be had."""
        limit, waited = self._first_token_limit(rung), self._tools.clock() - self._started
        delay = retry_delay(
            error.kind,
            retry=self._retries,
            roll=self._tools.roll(),
            retry_after=error.retry_after,
            time_left=limit - waited,
            here=self._retried[rung.key],
        )
        following = self._next(rung, error)
        if delay is None or not self._can_go_on(rung) or self._is_probe(rung, error):
            return following
        # With another rung left a retry is worth its pause only while a first word would still be in time,
        # and no pause is worth it where another key opens the same model at once.
        if following is not None and (
            delay >= self._decision.budget.target - waited
            or (error.kind is ErrorKind.RATE_LIMIT and following.model.ref == rung.model.ref)
        ):
            return following
        self._retries += 1
        self._retried[rung.key] += 1
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
        rungs = [each for each in self._untried(rung) if self._can_go_on(each)]
        usable = [each for each in rungs if not health.is_disabled(each.key)]
        return [each for each in usable if health.breaker(each.key, now) is not Breaker.OPEN] or usable

    def _is_probe(self, rung: Rung, error: ProviderError) -> bool:
        """Whether its breaker is open, so that it was asked for want of anybody else: once is enough."""
        breaker = self._tools.health.breaker(rung.key, self._tools.clock())
        return RULES[error.kind].counts and breaker is not Breaker.CLOSED

    def _can_go_on(self, rung: Rung) -> bool:
        """Whether it can take up what was said: from the start where that can be taken back, else by a prefill."""
        return not self._said or rung.model.profile.prefill or self._may_restart()

    def _untried(self, rung: Rung) -> list[Rung]:
        """What stands behind a rung, and what was passed over when a second request took its place."""
        rungs = [*self._decision.rungs[self._decision.rungs.index(rung) + 1 :], *self._passed]
        return [each for each in rungs if each.key not in self._gone and each.key != rung.key]

    def _first_token_limit(self, rung: Rung) -> float:
        return first_token_deadline(
            self._decision.budget,
            is_last=all(each.model.ref == rung.model.ref for each in self._untried(rung)),
            is_local=rung.model.is_local,
            p95=self._tools.health.ttft(rung.key, 0.95),
        )

    async def _ask(self, rung: Rung, prefix: str) -> AsyncGenerator[AnswerEvent, None]:
        """One request, and perhaps a second one beside it; both stand in the books afterwards, the speaker last."""
        self._answer.rung = rung
        self._passed = [each for each in self._passed if each.key != rung.key]
        held: list[Attempt] = []
        first = self._request(rung, prefix, lambda attempt: self._leave(attempt, held))
        beside = self._beside(first, held)
        try:
            try:
                async with aclosing(first.events()) as events:
                    async for event in events:
                        if beside is not None and (is_content(event) or isinstance(event, Finished)):
                            beside.settle()
                        self._note(first, event)
                        yield event
                return
            except (ProviderError, Overtaken) as error:
                is_left = isinstance(error, Overtaken)
                if beside is None or beside.second is None or not (is_left or beside.takes_over()):
                    raise
            second = beside.second
            self._pass_over(rung, second.rung, is_left=is_left)
            async with aclosing(beside.events()) as events:
                async for event in events:
                    self._note(second, event)
                    yield event
        finally:
            if beside is not None:
                await beside.close()
                if beside.has_failed and beside.second is not None:
                    self._gone.add(beside.second.rung.key)
            speaker = self._answer.rung
            self._answer.attempts.extend(sorted(held, key=lambda each: each.rung == speaker))

    def _pass_over(self, first: Rung, second: Rung, *, is_left: bool) -> None:
        """The second one speaks. Should it fail, there is still what stood before it, the silent first one too."""
        rungs = self._decision.rungs
        between = rungs[rungs.index(first) + (0 if is_left else 1) : rungs.index(second)]
        self._passed.extend(between)
        self._answer.rung = second

    def _leave(self, attempt: Attempt, held: list[Attempt]) -> None:
        """Book the first of two: at once where it is not the one that spoke, so that whoever reads on can tell."""
        is_speaker = attempt.kind is None and not attempt.cancelled
        (held if is_speaker else self._answer.attempts).append(attempt)

    def _request(
        self, rung: Rung, prefix: str, book: Callable[[Attempt], None], *, hedge: bool = False
    ) -> Request:
        return Request(
            rung,
            self._fit(rung, prefix),
            self._decision,
            self._tools,
            book,
            Terms(len(self._answer.attempts) + int(hedge), self._began, self._first_token_limit(rung), hedge),
        )

    def _beside(self, first: Request, held: list[Attempt]) -> Beside | None:
        """What waits to ask a second rung; None where none may be asked."""
        tools, hedges = self._tools, self._tools.hedges
        if not self._may_hedge or self._said or hedges is None:
            return None
        planned = plan(self._decision, first.rung, tools.health, tools.clock(), hedges.scarcity)
        if planned is None or planned.rung.key in self._gone:
            return None

        def begin() -> Request | None:
            if (
                tools.health.breaker(planned.rung.key, tools.clock()) is not Breaker.CLOSED
                or tools.money.stop(self._decision.payer) is not None
                or not hedges.take()
            ):
                return None
            return self._request(planned.rung, "", held.append, hedge=True)

        return Beside(first, begin, planned.after)

    def _note(self, request: Request, event: StreamEvent) -> None:
        if isinstance(event, TextDelta):
            self._said.append(event.text)
        elif isinstance(event, UsageSoFar | Finished):
            self._answer.usage = request.usage or self._answer.usage
            if isinstance(event, Finished):
                self._answer.finished = event
        if request.ttft is not None and not self._goes_on:
            self._answer.ttft = request.ttft
