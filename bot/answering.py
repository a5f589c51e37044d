"""Asking a model for one turn: prompt, decision, stream into the reply; what interrupts it and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot import metrics, words
from bot.conversations import Talk
from bot.errors import StoreError
from bot.interrupt import StopReason
from bot.lanes import Turn
from bot.prompt import Prompt, assemble
from bot.store.base import HistoryRow, Outcome
from bot.thoughts import EFFORT, OFF, SHOWN, Thoughts, wanted_effort
from channels.base import OpensAttachments
from channels.capabilities import Surface
from channels.delivery import Reply
from channels.errors import ChannelError
from channels.events import Attachment, AttachmentKind
from channels.markup import close
from providers.base import FinishReason, Image, ReasoningDelta, Role, TextDelta
from routing.catalog import Catalog
from routing.errors import NoModel, UnknownModel
from routing.execute import Answer, Restarted, Tools, open_stream
from routing.policy import Decision, RouteQuery, decide

IMAGE_MAX_BYTES = 5_000_000
IMAGE_DEADLINE = 10.0
MAX_IMAGES = 4
_SHARED = frozenset({Surface.GROUP, Surface.THREAD})
_AGAIN = frozenset({StopReason.MERGED, StopReason.EDITED})
_SILENT = frozenset({StopReason.DUPLICATE, StopReason.UNSTORED, StopReason.SHUTDOWN})


@dataclass(slots=True)
class Ending:
    """How the asking ended. `closing`: a note to put after what is visible, or the whole text where nothing is.

    `leaves`: show and record nothing; the turn is not over, or not ours. `questions`: what was asked. `said`: the
    answer without the thoughts that were shown before it, None where none were.
    """

    outcome: Outcome
    closing: str = ""
    leaves: bool = False
    decision: Decision | None = None
    answer: Answer | None = None
    questions: Sequence[tuple[str, str]] = field(default_factory=tuple)
    said: str | None = None


class Chosen(Protocol):
    """What people set for wider scopes than one conversation."""

    async def model_for(self, scope: str) -> str | None:
        """The standing choice of a scope ("global", "account:telegram:main"), None where nothing is set."""


@dataclass(frozen=True, slots=True)
class Answering:
    """Asks models. `catalog` gives an agent's models, None for the default agent's."""

    catalog: Callable[[str | None], Catalog]
    tools: Tools
    chosen: Chosen

    async def ask(self, turn: Turn, talk: Talk, reply: Reply) -> Ending:
        """Ask until there is an answer or nobody wants one; the text goes into `reply` as it comes."""
        while True:
            await self._settle_merged(turn)
            questions, history = _questions(turn, talk)
            if not questions:
                return Ending(Outcome.DONE, words.NOTHING_TO_RETRY)
            ending = Ending(Outcome.DONE, questions=questions)
            async with turn.interrupt:
                await self._ask_once(turn, talk, reply, ending, history)
            reason = turn.interrupt.reason
            if reason in _AGAIN:
                turn.interrupt.clear()
                if turn.can_begin_again:
                    reply.replace("")
                else:  # it became visible meanwhile
                    reply.write(f"{close(reply.text)[len(reply.text) :]}\n\n{words.STOPPED}\n\n")
                continue
            if reason in _SILENT:
                ending.leaves = True
                if reason is not StopReason.SHUTDOWN:
                    turn.release()
            elif reason is StopReason.DELETED:
                ending.outcome = Outcome.WITHDRAWN
                turn.release()
            elif reason is StopReason.STOPPED:
                ending.outcome, ending.closing = Outcome.STOPPED, words.STOPPED
            return ending

    @staticmethod
    async def _settle_merged(turn: Turn) -> None:
        """A merged message counts only once it is durable, and only if it is no duplicate."""
        for each in list(turn.merged):  # meanwhile one may come or be deleted
            if not await _is_kept(each) and each in turn.merged:
                turn.merged.remove(each)

    async def _ask_once(
        self, turn: Turn, talk: Talk, reply: Reply, ending: Ending, history: Sequence[HistoryRow]
    ) -> None:
        catalog = self.catalog(turn.account.agent)
        images = await self._images(turn, catalog)
        prompt = assemble(
            turn.account.system,
            history,
            ending.questions,
            conversation=turn.key,
            is_shared=turn.message.address.surface in _SHARED,
            images=images,
        )
        try:
            decision = decide(await self._query(turn, talk, prompt), catalog, self.tools.health)
        except UnknownModel as error:
            ending.outcome, ending.closing = Outcome.FAILED, words.unknown_model(error.name, error.nearest)
            return
        ending.decision = decision
        metrics.inbound(turn.account.channel.name, self.tools.clock() - turn.accepted_at)
        thoughts = Thoughts(talk.state.choices.get(SHOWN, OFF))
        try:
            await self._stream(turn, reply, ending, decision, prompt, thoughts)
        finally:
            ending.said = thoughts.answer

    async def _query(self, turn: Turn, talk: Talk, prompt: Prompt) -> RouteQuery:
        capabilities = turn.account.channel.capabilities(turn.message.address)
        return RouteQuery(
            latency=capabilities.latency,
            streaming=capabilities.streaming,
            now=self.tools.clock(),
            one_shot=turn.one_shot,
            chosen_here=talk.state.choices.get("model"),
            chosen_for_account=await self.chosen.model_for(turn.account.scope),
            chosen_for_all=await self.chosen.model_for("global"),
            least_tokens=prompt.least_tokens,
            has_images=any(line.message.images for line in prompt.question),
            effort=wanted_effort(talk.state.choices.get(EFFORT)),
        )

    async def _stream(
        self,
        turn: Turn,
        reply: Reply,
        ending: Ending,
        decision: Decision,
        prompt: Prompt,
        thoughts: Thoughts,
    ) -> None:
        replaceable = turn.account.channel.capabilities(turn.message.address).replaceable
        has_thought = has_text = False
        try:
            async with open_stream(
                decision, prompt.fit, self.tools, lambda: replaceable or not reply.is_visible
            ) as answer:
                ending.answer = answer
                async for event in answer.events:
                    if thoughts.pass_on(len(answer.attempts)):
                        _part(reply, replaceable=replaceable)
                    match event:
                        case TextDelta(text):
                            has_text = True
                            reply.write(thoughts.before(text))
                            if reply.error is not None:
                                break  # nothing more can be shown, so nobody needs the rest
                        case ReasoningDelta(text):
                            has_thought = True
                            if shown := thoughts.show(text):
                                reply.write(shown)
                        case Restarted():
                            thoughts.clear()
                            reply.replace("")
                        case _:
                            pass
        except NoModel as error:
            failures = [(each.rung.model.ref, each.kind) for each in error.attempts if each.kind is not None]
            if reply.is_visible:
                ending.outcome, ending.closing = Outcome.CUT, words.CUT
            else:
                reply.replace("")
                ending.outcome, ending.closing = Outcome.FAILED, words.failure(failures)
            return
        _say_how_it_finished(ending, has_text=has_text, has_thought=has_thought)

    async def _images(self, turn: Turn, catalog: Catalog) -> tuple[Image, ...]:
        channel = turn.account.channel
        wanted = [each for each in turn.message.attachments if each.kind is AttachmentKind.IMAGE][:MAX_IMAGES]
        if not wanted or not isinstance(channel, OpensAttachments):
            return ()
        if not any(spec.profile.images for spec in catalog.models.values()):
            return ()
        opened: list[Image] = []
        for each in wanted:
            try:
                async with asyncio.timeout(IMAGE_DEADLINE):
                    data = await channel.open_attachment(each.ref, IMAGE_MAX_BYTES)
            except (ChannelError, TimeoutError):
                continue  # the prompt names the attachment in words all the same
            opened.append(Image(each.mime, data))
        return tuple(opened)


def _part(reply: Reply, *, replaceable: bool) -> None:
    """Take the thoughts of a model that failed from the screen, or end their block where that is impossible."""
    if replaceable:
        reply.replace("")
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


async def _is_kept(turn: Turn) -> bool:
    try:
        return await asyncio.shield(turn.committed)
    except StoreError:
        return False  # its channel offers it again


def _questions(turn: Turn, talk: Talk) -> tuple[Sequence[tuple[str, str]], Sequence[HistoryRow]]:
    """What to ask, and what was said before it. A retry asks again: the last, or what the pressed answer was to."""
    if not turn.is_retry:
        asked = [
            (each.message.sender.name, _with_attachments(each.message.text, each.message.attachments))
            for each in (turn, *turn.merged)
        ]
        return asked, talk.lines
    lines, end = talk.lines, len(talk.lines)
    if turn.is_press:
        pressed = turn.message.message_id
        answers = (at for at, row in enumerate(lines) if row.role != Role.USER and row.message_id == pressed)
        end = next(answers, 0)
    said = [at for at in range(end) if lines[at].role == Role.USER]
    if not said:
        return (), ()
    # A question may have come in several messages, which were answered together.
    first = last = said[-1]
    while first - 1 in said and lines[first - 1].turn_id == lines[last].turn_id != "":
        first -= 1
    return [(row.speaker, row.text) for row in lines[first : last + 1]], lines[:first]


def _with_attachments(text: str, attachments: Sequence[Attachment]) -> str:
    notes = [f"[attached {each.kind}: {each.name or each.mime}]" for each in attachments]
    return "\n".join([text, *notes]) if text else "\n".join(notes)
