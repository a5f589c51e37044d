"""Cascades: an answer is judged before it counts, and a larger model asked where it is not good enough.

Where nothing can be taken back an answer is kept from sight until it was judged. Where it can, it is shown as it grows
and replaced once at most.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog

from bot import metrics
from bot.prompt import Prompt
from bot.settings.classifying import CascadeSection
from bot.speaking import Speaker
from bot.store.base import Outcome
from channels.capabilities import Streaming
from channels.delivery import Reply
from channels.errors import ChannelError
from channels.programs import RouteTaken
from providers.base import CompletionRequest, TextDelta
from routing.cascade import Cascade, Plan, following, plan
from routing.catalog import Catalog
from routing.checking import Doubt, belief, quick_doubt, verdict, verify_prompt
from routing.errors import NoModel, UnknownModel
from routing.execute import Answer, Attempt, Restarted, Tools, open_stream
from routing.policy import Decision, Reason, RouteQuery, Rung, decide
from routing.strategy import Difficulty

log = structlog.get_logger()

BURST = 3.0
"""Replacements that may come at once, beyond the share that is allowed."""

VOTE_TOKENS = 150
KEPT = "kept"
FAILED = "failed"
SPARED = "spared"

_OWN_CHOICE = frozenset({Reason.TASK, Reason.JUDGED})


class Held(Reply):
    """An answer that nobody sees before it was judged."""

    __slots__ = ("_parts", "_route", "_shown")

    def __init__(self, shown: Reply) -> None:
        self._shown = shown
        self._parts: list[str] = []
        self._route: RouteTaken | None = None

    def write(self, delta: str) -> None:
        """The answer goes on."""
        self._parts.append(delta)

    def replace(self, text: str) -> None:
        """The answer is now `text`."""
        self._parts[:] = [text]

    def spoken_by(self, route: RouteTaken) -> None:
        """Kept for when it is shown."""
        self._route = route

    @property
    def error(self) -> ChannelError | None:
        """Why nothing can be shown any more."""
        return self._shown.error

    @property
    def text(self) -> str:
        """What was written."""
        return "".join(self._parts)

    @property
    def is_visible(self) -> bool:
        """Never."""
        return False

    def show(self) -> None:
        """It was good enough."""
        if self._route is not None:
            self._shown.spoken_by(self._route)
        self._shown.write(self.text)


@dataclass(slots=True)
class Stages:
    """What one question is asked with: the plan, and a decision for each of its models."""

    cascade: Cascade
    plan: Plan
    decisions: Sequence[Decision]


@dataclass(slots=True)
class Cascading:
    """Asks models one after another, as far as the settings want that; else as it was decided."""

    section: CascadeSection
    tools: Tools
    _credit: float = field(default=BURST)

    async def speak(
        self, speaker: Speaker, decision: Decision, prompt: Prompt, query: RouteQuery, catalog: Catalog
    ) -> None:
        """As Speaker.speak, with the answers in between judged."""
        stages = self.stages(speaker, decision, prompt, query, catalog)
        if stages is None:
            await speaker.speak(decision, prompt)
            return
        speaker.ending.decision = replace(decision, reason=Reason.CASCADE)
        self._credit = min(BURST, self._credit + self.section.most)
        await self._climb(speaker, stages, prompt)

    def stages(
        self, speaker: Speaker, decision: Decision, prompt: Prompt, query: RouteQuery, catalog: Catalog
    ) -> Stages | None:
        """The models to ask in turn; None where the question goes its usual way.

        So do questions with tools (a call must not be made for an answer that is thrown away), those that somebody
        or something chose a model for, hard ones, and answers that go on after a restart.
        """
        section, case = self.section, decision.case
        if not section.enabled or query.latency not in section.classes or case is None:
            return None
        if speaker.offered or prompt.tools or speaker.steps or speaker.reply.text:
            return None
        is_chosen = decision.wanted is not None or decision.reason in _OWN_CHOICE
        if is_chosen or case.difficulty is Difficulty.HARD:
            return None
        found = self._usable(query, catalog)
        if not found:
            return None
        figures = {each.model: each for each in section.models}
        cascade = Cascade(
            models=tuple(found),
            quality=lambda name: figures[name].quality,
            cost=lambda name: _cost(figures[name].cost, found[name].rungs[0], query),
            max_expected_cost=math.inf if section.max_expected_cost is None else section.max_expected_cost,
            max_depth=section.max_depth,
            force_order=section.force_order,
            accuracy=section.accuracy,
        )
        best = plan(cascade)
        return Stages(cascade, best, [found[name] for name in best.order])

    def _usable(self, query: RouteQuery, catalog: Catalog) -> dict[str, Decision]:
        """Those of the settings' models that would be asked first now: well, with room, within the budget."""
        found: dict[str, Decision] = {}
        for each in self.section.models:
            wanted = replace(query, one_shot=each.model, task=None, judged=None, pinned=None)
            with suppress(UnknownModel):
                first = catalog.resolve(each.model)[0].model.ref
                decision = decide(wanted, catalog, self.tools.health)
                if decision.rungs and decision.rungs[0].model.ref == first:
                    found[each.model] = replace(decision, reason=Reason.CASCADE, wanted=None)
        return found

    async def _climb(self, speaker: Speaker, stages: Stages, prompt: Prompt) -> None:
        reply, ending = speaker.reply, speaker.ending
        capabilities = speaker.turn.account.channel.capabilities(speaker.turn.message.address)
        holds = capabilities.streaming is Streaming.NONE or not capabilities.replaceable
        answer: Answer | None = None
        last = len(stages.decisions) - 1
        for at, decision in enumerate(stages.decisions):
            ref = decision.rungs[0].model.ref
            if at == last or (at > 0 and not holds):  # what was replaced once stays
                await replace(speaker, begun=answer).speak(decision, prompt)
                return
            held = Held(reply) if holds else None
            asked = replace(speaker, reply=held or reply, begun=answer)
            await asked.speak(_alone(decision), prompt)
            answer = ending.answer
            if reply.error is not None or ending.calls:
                return
            verdict_ = await self._judge(asked, decision, stages, at, prompt)
            ending.cascade = (*ending.cascade, (ref, verdict_))
            metrics.cascaded(verdict_)
            log.info("answer judged", model=ref, outcome=verdict_)
            if verdict_ in (KEPT, SPARED):
                if held is not None:
                    held.show()
                return
            ending.outcome, ending.closing, ending.failure, ending.exchange = Outcome.DONE, "", None, None
            speaker.thoughts.clear()
            if held is None:
                reply.replace("")

    async def _judge(
        self, speaker: Speaker, decision: Decision, stages: Stages, at: int, prompt: Prompt
    ) -> str:
        """KEPT, SPARED where it would be replaced too often, else why it is not good enough."""
        ending = speaker.ending
        if ending.outcome is not Outcome.DONE or ending.answer is None or ending.answer.rung is None:
            return FAILED
        question = "\n".join(text for _, text in ending.questions) or prompt.question[-1].message.text
        said = speaker.thoughts.answer
        said = speaker.reply.text if said is None else said
        wants_json = prompt.wishes is not None and prompt.wishes.form is not None
        doubt = quick_doubt(question, said, wants_json=wants_json)
        likely = 0.0
        if doubt is None:
            votes = await self._votes(ending.answer, decision, question, said)
            if not any(vote is not None for vote in votes):
                return KEPT
            quality = stages.cascade.quality(stages.plan.order[at])
            likely = belief(quality, votes, self.section.accuracy)
        if following(stages.plan.order, at, likely, stages.cascade) is None:
            return KEPT
        if self._credit < 1 and doubt is not Doubt.EMPTY:
            return SPARED
        self._credit = max(0.0, self._credit - 1)
        return doubt or Doubt.SELF_CHECK

    async def _votes(
        self, answer: Answer, decision: Decision, question: str, said: str
    ) -> Sequence[bool | None]:
        """What the model says of its own answer, several times at once; those that are late do not count."""
        if not self.section.votes or answer.rung is None:
            return ()
        options = replace(answer.rung.options, max_output=VOTE_TOKENS)
        request = CompletionRequest(tuple(verify_prompt(question, said)), options)
        alone = replace(decision, rungs=(answer.rung,))
        votes: list[bool | None] = []
        attempts: list[Attempt] = []

        async def vote() -> None:
            text, asked = await self._ask(alone, request)
            attempts.extend(asked.attempts)
            votes.append(verdict(text))

        with suppress(TimeoutError):
            async with asyncio.timeout(2 * decision.budget.first_token), asyncio.TaskGroup() as tasks:
                for _ in range(self.section.votes):
                    tasks.create_task(vote())
        answer.attempts[-1:-1] = attempts  # paid for with the answer, which stays the last
        return votes

    async def _ask(self, decision: Decision, request: CompletionRequest) -> tuple[str, Answer]:
        said: list[str] = []
        async with open_stream(
            decision, lambda *_: request, self.tools, lambda: True, may_hedge=False
        ) as answer:
            with suppress(NoModel):
                async for event in answer.events:
                    match event:
                        case TextDelta(text):
                            said.append(text)
                        case Restarted():
                            said.clear()
                        case _:
                            pass
        return "".join(said), answer


def _alone(decision: Decision) -> Decision:
    """The first model with all its keys, and nobody behind it."""
    first = decision.rungs[0].model.ref
    return replace(decision, rungs=tuple(rung for rung in decision.rungs if rung.model.ref == first))


def _cost(configured: float | None, rung: Rung, query: RouteQuery) -> float:
    """US dollars of one answer, infinite where nobody knows what a hosted model costs."""
    if configured is not None:
        return configured
    price = rung.model.price
    if price is None:
        return 0.0 if rung.model.is_local else math.inf
    tokens = max(query.tokens, query.least_tokens)
    return (tokens * price.input + query.answer_tokens * price.output) / 1_000_000
