"""From a decision to an answer: stream it, make the calls that the model wants, ask again with their results."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from bot import metrics, words
from bot.calls import MAX_RESULTS, MAX_SHOWN, Allowed, Collected, Plan, key_of, plan, within
from bot.conclusion import failure_of, is_spent, route_of
from bot.ending import Ending
from bot.errors import StoreError
from bot.exchange import MAX_STEP_MEMO, Exchange, kept
from bot.lanes import Turn
from bot.prompt import Prompt
from bot.store.base import Outcome
from bot.taint import CLEAN, Taint
from bot.thoughts import Thoughts
from bot.tools import MAX_STEPS, OfferedTool, ToolBox, ToolResult
from channels.delivery import Reply
from providers.base import (
    FinishReason,
    Memo,
    PromptMessage,
    ReasoningDelta,
    Role,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from providers.errors import ErrorKind
from routing.budgets import MOST_ROOM
from routing.errors import NoModel
from routing.execute import Answer, Restarted, Tools, open_stream
from routing.policy import Decision

log = structlog.get_logger()

_NO_WORDS = "[no answer]"
_UNDONE = ToolResult("it was stopped before it had ended; whether it took effect is not known", is_error=True)
_MADE_BEFORE = ToolResult(
    "this very call was made before, and the process was restarted; whether it took effect is not known",
    is_error=True,
)
_DENIED = ToolResult("the person does not allow this call; it was not made", is_error=True)
_HELD = ToolResult("the person was asked whether this may be called; it was not called yet")


@dataclass(slots=True)
class Step:
    """What one request to a model gave."""

    calls: Collected = field(default_factory=Collected)
    said: list[str] = field(default_factory=list)
    memo: str = ""
    has_thought: bool = False


@dataclass(slots=True)
class Speaker:
    """Gives the answer to one question. `latch` keeps a key for good; False: it was kept before.

    `taint`: what the model has read; it grows with what tools return. `steps`: calls and results that the answer begins
    with, their own included as the turn goes on. `begun`: an answer to the same question that this one takes the place
    of.
    """

    turn: Turn
    reply: Reply
    ending: Ending
    thoughts: Thoughts
    tools: Tools
    box: ToolBox
    offered: Sequence[OfferedTool]
    latch: Callable[[str], Awaitable[bool]]
    taint: Taint = CLEAN
    steps: list[PromptMessage] = field(default_factory=list)
    begun: Answer | None = None
    _made: Counter[str] = field(default_factory=Counter)
    _results: int = 0
    _clean: str = ""
    _made_for: str = field(init=False)

    def __post_init__(self) -> None:
        self._made_for = self.turn.turn_id

    async def speak(self, decision: Decision, prompt: Prompt) -> None:
        """Until the model has said its last word, or nobody can go on; how it ended stands in `ending`."""
        has_text = has_thought = False
        answer = self.begun
        self._clean = self.reply.text
        number = 0
        while True:
            number += 1
            step = Step(
                Collected(MOST_ROOM, MOST_ROOM) if self.turn.message.asked is not None else Collected()
            )
            now = prompt.after(self.steps, must_answer=number == MAX_STEPS)
            try:
                answer = await self._ask(decision, now, step, answer)
            except NoModel as error:
                self._no_model(error, decision)
                self._keep(step)
                return
            except asyncio.CancelledError:
                self._keep(step)
                raise
            has_text, has_thought = has_text or bool(step.said), has_thought or step.has_thought
            calls = self._wanted(step, answer, number, now)
            if self.turn.message.asked is not None and not self.offered:
                self.ending.calls = calls  # they are the program's own
                break
            if not calls or self.reply.error is not None:
                break
            if await self._call(step, calls):
                return
            decision = _fixed(decision, answer)
            if step.said:
                self.reply.write("\n\n")
                self.thoughts.keep("\n\n")
                self._clean = self.reply.text
        self._keep(step)
        if self.turn.message.asked is None:
            _say_how_it_finished(self.ending, has_text=has_text, has_thought=has_thought)

    async def settle(self, asked: Exchange, asked_in: str, *, is_allowed: bool) -> None:
        """Begin with calls that waited for the person: make them, or say that they were not allowed.

        `asked_in`: the turn that asked. However often it is allowed, such a call is made once; and so is one that the
        turn had made itself before the process ended, and asked about when it was taken up again.
        """
        calls = tuple(
            ToolCall(f"{self.turn.turn_id}_0_{at}", call.name, call.arguments)
            for at, call in enumerate(asked.held)
        )
        judged = plan(calls, self.offered, has_consent=True) if is_allowed else Plan()
        unmade = _UNDONE if is_allowed else _DENIED
        self._made_for = asked_in
        held = {call.id for call in asked.held}
        for line in asked.messages:
            others = [call for call in line.calls if call.id not in held]
            self._made.update(
                key_of(asked_in, each, 0) for each in plan(others, self.offered, has_consent=True).run
            )
        await self._make(PromptMessage(Role.ASSISTANT, "", calls=calls), judged, unmade)
        self._made_for = self.turn.turn_id

    async def _ask(self, decision: Decision, prompt: Prompt, step: Step, after: Answer | None) -> Answer:
        channel, reply, thoughts = self.turn.account.channel, self.reply, self.thoughts
        replaceable = channel.capabilities(self.turn.message.address).replaceable
        if after is not None and thoughts.pass_on(len(after.attempts)):
            _part(reply, self._clean, replaceable=replaceable)
        async with open_stream(
            decision,
            prompt.fit,
            self.tools,
            lambda: replaceable or not reply.is_visible,
            after,
            may_hedge=not (self.turn.has_acted or self.steps),
        ) as answer:
            self.ending.answer = answer
            attempt = len(answer.attempts)
            async for event in answer.events:
                self.turn.steps += 1
                if len(answer.attempts) != attempt:  # what a request wanted to call is void once it failed
                    attempt, step.memo = len(answer.attempts), ""
                    step.calls.clear()
                if thoughts.pass_on(len(answer.attempts)):
                    _part(reply, self._clean, replaceable=replaceable)
                match event:
                    case TextDelta(text):
                        self._begin(step, decision, answer)
                        step.said.append(text)
                        reply.write(thoughts.before(text))
                        if reply.error is not None:
                            break  # nothing more can be shown, so nobody needs the rest
                    case ReasoningDelta(text):
                        step.has_thought = True
                        if shown := thoughts.show(text):
                            reply.write(shown)
                    case ToolCallDelta():
                        step.calls.add(event)
                    case Memo(data):
                        step.memo = data if len(data) <= MAX_STEP_MEMO else ""
                    case Restarted():
                        thoughts.clear()
                        step.said.clear()
                        reply.replace(self._clean)
                    case _:
                        pass
        return answer

    def _begin(self, step: Step, decision: Decision, answer: Answer) -> None:
        if not step.said:
            self.reply.spoken_by(route_of(decision, answer))

    def _wanted(self, step: Step, answer: Answer, number: int, asked: Prompt) -> tuple[ToolCall, ...]:
        """The calls to make now, each with an id of its own. What the length limit cut off is no call."""
        if answer.finished is None or answer.finished.reason not in (
            FinishReason.TOOL_CALLS,
            FinishReason.STOP,
        ):
            return ()
        if number == MAX_STEPS:
            return ()
        taken = [call.id for line in (*asked.history, *asked.steps) for call in line.message.calls]
        return step.calls.calls(taken, f"{self.turn.turn_id}_{number}")

    async def _call(self, step: Step, calls: Sequence[ToolCall]) -> bool:
        """Make the calls of one answer. True: some of them wait for the person, and the turn ends here."""
        can_ask = self.turn.message.asked is None
        judged = plan(
            calls, self.offered, oversized=step.calls.oversized(), taint=self.taint, can_ask=can_ask
        )
        said = PromptMessage(Role.ASSISTANT, "".join(step.said), calls=tuple(calls), memo=step.memo)
        await self._make(said, judged, _UNDONE)
        if not judged.held:
            return False
        question = self._question(judged.held)
        exchange = Exchange(
            kept((*self.steps, PromptMessage(Role.ASSISTANT, question))),
            judged.held,
            self.turn.message.sender.id,
        )
        self.ending.exchange, self.ending.closing = exchange, question
        return True

    def _question(self, held: Sequence[ToolCall]) -> str:
        """What the person is asked. Where the wish may be somebody else's, every character is shown and why is said."""
        names = {call.name for call in held}
        is_foreign = any(self.taint.asks_about(each) for each in self.offered if each.tool.name in names)
        calls = [(call.name, call.arguments) for call in held]
        if not is_foreign:
            return words.consent(calls)
        return words.consent(calls, self.taint.to_plain(), limit=MAX_SHOWN)

    async def _make(self, said: PromptMessage, judged: Plan, unmade: ToolResult) -> None:
        """Make what may be made of a message's calls; keep them with their results, `unmade` where there is none."""
        results = {**judged.refused, **{call.id: _HELD for call in judged.held}}
        try:
            await self._run(judged.run, results)
        finally:  # stopped in the middle: what was called is remembered all the same
            self.steps.append(said)
            self.steps.extend(self._told(call, results.get(call.id, unmade)) for call in said.calls)
            self._remember("")

    def _told(self, call: ToolCall, result: ToolResult) -> PromptMessage:
        text = within(result.text or "(nothing)", MAX_RESULTS - self._results)
        self._results += len(text.encode(errors="replace"))
        return PromptMessage(Role.TOOL, f"Error: {text}" if result.is_error else text, call_id=call.id)

    async def _run(self, allowed: Sequence[Allowed], results: dict[str, ToolResult]) -> None:
        """Make calls side by side; each result is in `results` as soon as it is there."""

        async def one(each: Allowed) -> None:
            results[each.call.id] = await self._one(each)

        async with asyncio.TaskGroup() as tasks:
            for each in allowed:
                tasks.create_task(one(each))

    async def _is_new(self, call: Allowed, repeat: int) -> bool:
        """Whether no turn made it for this question before; from now on one has."""
        names = (*self.turn.out_of, self._made_for)
        return all([await self.latch(key_of(name, call, repeat)) for name in names])

    async def _one(self, each: Allowed) -> ToolResult:
        name = each.tool.tool.name
        if each.tool.has_side_effects:
            key = key_of(self._made_for, each, 0)
            self._made[key] += 1
            self.turn.has_acted = True
            try:
                is_new = await self._is_new(each, self._made[key])
            except StoreError as error:
                return ToolResult(f"it could not be written down and was not called: {error}", is_error=True)
            if not is_new:
                metrics.tool_called(each.tool.source, "repeated")
                return _MADE_BEFORE
        result = await self.box.call(name, each.arguments)
        self.turn.steps += 1
        self.ending.taint = self.taint = self.taint.after(each.tool)
        outcome = "failed" if result.is_error else "done"
        metrics.tool_called(each.tool.source, outcome)
        log.info("tool called", tool=name, source=each.tool.source, outcome=outcome)
        return result

    def _keep(self, step: Step) -> None:
        """What later prompts need of this answer beside its text."""
        if self.steps or step.memo:
            self._remember("".join(step.said), step.memo)

    def _remember(self, said: str, memo: str = "") -> None:
        last = PromptMessage(Role.ASSISTANT, said or _NO_WORDS, memo=memo)
        self.ending.exchange = Exchange(kept((*self.steps, last)))

    def _no_model(self, error: NoModel, decision: Decision) -> None:
        self.ending.failure = failure_of(error.attempts, decision)
        failures = [(each.rung.model.ref, each.kind) for each in error.attempts if each.kind is not None]
        if self.reply.is_visible:
            self.ending.outcome, self.ending.closing = Outcome.CUT, words.CUT
        else:
            self.reply.replace("")
            self.ending.outcome = Outcome.FAILED
            is_broke = failures[-1][1] is ErrorKind.BUDGET if failures else is_spent(decision)
            stop = self.tools.money.stop(decision.payer)
            self.ending.closing = words.spent(stop) if is_broke else words.failure(failures)


def _fixed(decision: Decision, answer: Answer) -> Decision:
    """The same ladder from the rung that speaks: a model is changed in the middle only when it fails."""
    if answer.rung is None or answer.rung not in decision.rungs:
        return decision
    return replace(decision, rungs=decision.rungs[decision.rungs.index(answer.rung) :])


def _part(reply: Reply, before: str, *, replaceable: bool) -> None:
    """Take the thoughts of a model that failed from the screen, or end their block where that is impossible."""
    if replaceable:
        reply.replace(before)
    else:
        reply.write("\n\n")


def _say_how_it_finished(ending: Ending, *, has_text: bool, has_thought: bool) -> None:
    finished = ending.answer.finished if ending.answer is not None else None
    if finished is not None and finished.reason is FinishReason.CONTENT_FILTER:
        ending.closing = words.FILTERED if has_text else words.REFUSED
    elif not has_text:
        ending.closing = words.ONLY_THOUGHTS if has_thought else words.EMPTY
    elif finished is not None and finished.reason is FinishReason.LENGTH:
        ending.closing = words.LENGTH
    if not has_text:
        ending.outcome = Outcome.FAILED
