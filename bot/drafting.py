"""A short answer at once and a thorough one in its place: draftThenDeep, where an agent's settings want it.

Both models are asked at the same moment. The fast one's short take stands in the bubble until the deep one's answer has
grown as long; the conversation keeps the deep answer alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bot import words
from bot.cascading import Cascading
from bot.prompt import Prompt
from bot.speaking import Speaker
from bot.store.base import Outcome
from bot.watchdog import moved
from channels.capabilities import Streaming
from channels.delivery import Reply
from channels.errors import ChannelError
from channels.programs import RouteTaken
from providers.base import CompletionRequest, PromptMessage, Role, TextDelta
from routing.catalog import Catalog
from routing.errors import NoModel, UnknownModel
from routing.execute import Answer, Attempt, Restarted, Tools, open_stream
from routing.policy import Decision, Reason, RouteQuery, Rung, decide

FAST = "fast"
DEEP = "deep"

DRAFT_TOKENS = 120
"""Tokens of a short take: about three sentences."""

_BRIEFLY = "Answer at once, in at most two sentences. A thorough answer follows separately."


class Bubble(Reply):
    """The reply as the deep model writes it; a draft stands there until its first word."""

    __slots__ = ("_answer", "_draft", "_has_begun", "_shown")

    def __init__(self, shown: Reply) -> None:
        self._shown = shown
        self._answer: list[str] = []
        self._draft: list[str] = []
        self._has_begun = False

    def sketch(self, delta: str) -> None:
        """The draft goes on, unless the answer has begun."""
        if not self._has_begun:
            self._draft.append(delta)
            self._shown.write(delta)

    def sketch_anew(self) -> None:
        """The draft begins anew."""
        if not self._has_begun:
            self._draft.clear()
            self._shown.replace("")

    @property
    def wants_draft(self) -> bool:
        """Whether the answer has not begun."""
        return not self._has_begun

    @property
    def draft(self) -> str:
        """The draft, where it is all that there is; else ""."""
        return "" if self._has_begun else "".join(self._draft)

    def write(self, delta: str) -> None:
        """The answer goes on; its first word takes the draft's place."""
        self._answer.append(delta)
        if self._has_begun:
            self._shown.write(delta)
        elif delta.strip():
            self._has_begun = True
            self._shown.replace("")
            self._shown.write("".join(self._answer))

    def replace(self, text: str) -> None:
        """The answer is now `text`."""
        self._answer[:] = [text]
        if self._has_begun:
            self._shown.replace(text)

    def spoken_by(self, route: RouteTaken) -> None:
        """Handed on."""
        self._shown.spoken_by(route)

    @property
    def error(self) -> ChannelError | None:
        """Why nothing more can be shown."""
        return self._shown.error

    @property
    def text(self) -> str:
        """The answer alone."""
        return self._shown.text if self._has_begun else "".join(self._answer)

    @property
    def visible_text(self) -> str:
        """As much of the answer as a person can see."""
        return self._shown.visible_text if self._has_begun else ""

    @property
    def is_visible(self) -> bool:
        """A person can see some of the answer."""
        return self._has_begun and self._shown.is_visible


@dataclass(frozen=True, slots=True)
class Drafting:
    """Asks two models at once where that is possible; else `otherwise` asks as usual."""

    tools: Tools
    otherwise: Cascading

    async def speak(
        self, speaker: Speaker, decision: Decision, prompt: Prompt, query: RouteQuery, catalog: Catalog
    ) -> None:
        """As Speaker.speak."""
        pair = self.pair(speaker, decision, query, catalog)
        if pair is None:
            await self.otherwise.speak(speaker, decision, prompt, query, catalog)
            return
        fast, deep = pair
        bubble = Bubble(speaker.reply)
        speaker.ending.decision = deep
        async with self._sketched(bubble, fast, prompt) as attempts:
            try:
                await replace(speaker, reply=bubble).speak(deep, prompt)
            finally:
                speaker.ending.drafted = attempts
        if bubble.draft and speaker.ending.outcome is Outcome.FAILED:
            speaker.reply.replace(bubble.draft.removesuffix(words.MORE_FOLLOWS))
            speaker.ending.outcome = Outcome.CUT
            speaker.ending.closing = f"{words.ONLY_DRAFT} {speaker.ending.closing}".strip()

    def pair(
        self, speaker: Speaker, decision: Decision, query: RouteQuery, catalog: Catalog
    ) -> tuple[Decision, Decision] | None:
        """The decisions for the draft and for the answer; None where the question goes its usual way.

        So do questions that somebody chose a model for, those of programs, those that go on after calls or a restart,
        and all where a draft could not be written over.
        """
        turn = speaker.turn
        capabilities = turn.account.channel.capabilities(turn.message.address)
        is_edited = capabilities.streaming is Streaming.EDIT and capabilities.replaceable
        if not is_edited or turn.message.asked is not None or decision.wanted is not None:
            return None
        if turn.consent is not None or speaker.steps or speaker.reply.text or turn.is_resumed:
            return None
        fast, deep = (self._decided(alias, query, catalog) for alias in (FAST, DEEP))
        if fast is None or deep is None or fast.rungs[0].model.ref == deep.rungs[0].model.ref:
            return None
        first = fast.rungs[0].model.ref
        return replace(
            fast, rungs=tuple(_short(each) for each in fast.rungs if each.model.ref == first)
        ), deep

    def _decided(self, alias: str, query: RouteQuery, catalog: Catalog) -> Decision | None:
        """The ladder of an alias, where one of its models would be asked first now."""
        try:
            refs = {choice.model.ref for choice in catalog.resolve(alias)}
            decision = decide(replace(query, one_shot=alias), catalog, self.tools.health)
        except UnknownModel:
            return None
        if not decision.rungs or decision.rungs[0].model.ref not in refs:
            return None
        return replace(decision, reason=Reason.DIFFICULTY, wanted=None)

    @asynccontextmanager
    async def _sketched(
        self, bubble: Bubble, decision: Decision, prompt: Prompt
    ) -> AsyncIterator[list[Attempt]]:
        """The draft is written while the body runs, and left as soon as nobody wants it. Gives its attempts."""
        attempts: list[Attempt] = []
        task = asyncio.create_task(self._sketch(bubble, decision, prompt, attempts), name="draft")
        try:
            yield attempts
        finally:
            task.cancel()
            await asyncio.wait((task,))
        if not task.cancelled():
            task.result()

    async def _sketch(
        self, bubble: Bubble, decision: Decision, prompt: Prompt, attempts: list[Attempt]
    ) -> None:
        def fit(rung: Rung, so_far: str) -> CompletionRequest:
            return _briefly(prompt.fit(rung, so_far))

        answer: Answer | None = None
        try:
            async with open_stream(decision, fit, self.tools, lambda: True, may_hedge=False) as answer:
                async for event in answer.events:
                    moved()
                    if isinstance(event, TextDelta):
                        bubble.sketch(event.text)
                    elif isinstance(event, Restarted):
                        bubble.sketch_anew()
                    if not bubble.wants_draft:
                        return
            bubble.sketch(words.MORE_FOLLOWS)
        except NoModel:
            bubble.sketch_anew()
        finally:
            attempts.extend(answer.attempts if answer is not None else ())


def _short(rung: Rung) -> Rung:
    most = rung.options.max_output
    tokens = DRAFT_TOKENS if most is None else min(most, DRAFT_TOKENS)
    return replace(rung, options=replace(rung.options, max_output=tokens))


def _briefly(request: CompletionRequest) -> CompletionRequest:
    """The same, asked for a short take and with nothing to call."""
    first, *rest = request.messages
    if first.role is Role.SYSTEM:
        head = replace(first, text=f"{first.text}\n\n{_BRIEFLY}")
        return replace(request, messages=(head, *rest), tools=(), tool_choice=None)
    head = PromptMessage(Role.SYSTEM, _BRIEFLY)
    messages = (head, *request.messages)
    return replace(request, messages=messages, stable=request.stable + 1, tools=(), tool_choice=None)
