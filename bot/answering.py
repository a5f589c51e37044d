"""Asking a model for one turn: prompt, decision, stream into the reply; what interrupts it and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot import metrics, words
from bot.access import Trust, is_shared, role_in, trust_of
from bot.accounts import Account
from bot.asked import ours_for, prompt_of, suited
from bot.attachments import Attachments, TurnFiles
from bot.cascading import Cascading
from bot.conversations import Talk
from bot.drafting import Drafting
from bot.ending import Ending
from bot.errors import StoreError
from bot.etiquette import in_company
from bot.exchange import Exchange
from bot.interrupt import StopReason
from bot.lanes import Turn
from bot.media.material import Material
from bot.media.words import note
from bot.pin import pinned
from bot.prompt import Prompt, assemble
from bot.rollout import Rolling
from bot.speaking import Speaker
from bot.spending import payer_of
from bot.store.base import HistoryRow, Outcome
from bot.taint import CONSENT_LIFE, Origin, Taint, offered_to, taint_of
from bot.thoughts import EFFORT, OFF, SHOWN, Thoughts, wanted_effort
from bot.tools import OfferedTool, ToolBox
from bot.watchdog import patience_with
from channels.delivery import Reply
from channels.events import Address, Message, TypingStarted
from channels.markup import close
from channels.programs import Failure
from providers.base import Role
from routing.catalog import Catalog
from routing.errors import UnknownModel
from routing.execute import Tools
from routing.policy import Decision, RouteQuery, decide
from routing.strategy import Difficulty
from routing.tasks import find

_AGAIN = frozenset({StopReason.MERGED, StopReason.EDITED})
_SILENT = frozenset({StopReason.DUPLICATE, StopReason.UNSTORED, StopReason.SHUTDOWN})


class Chosen(Protocol):
    """What people set for wider scopes than one conversation."""

    async def model_for(self, scope: str) -> str | None:
        """The standing choice of a scope ("global", "account:telegram:main"), None where nothing is set."""


@dataclass(frozen=True, slots=True)
class Answering:
    """Asks models. `catalog` gives an agent's models, None for the default agent's.

    `difficulty`: of what was written at an account. `box`: what models may call. `latch` keeps a key of an account for
    good; False: it was kept before. `wall`: seconds since the epoch. `press`: a query with the room and the money that
    are left. `rolling`: who is served by which policy. `judge`: what a
    classifier says of a person's words.
    """

    catalog: Callable[[str | None], Catalog]
    tools: Tools
    chosen: Chosen
    box: ToolBox
    latch: Callable[[str, str, str], Awaitable[bool]]
    attachments: Attachments
    wall: Callable[[], float]
    difficulty: Callable[[str, str], Difficulty]
    press: Callable[[RouteQuery, Catalog], RouteQuery]
    rolling: Rolling
    judge: Callable[[str], Awaitable[str | None]]
    cascading: Cascading
    drafts: Callable[[str | None], bool]

    async def ask(self, turn: Turn, talk: Talk, reply: Reply) -> Ending:
        """Ask until there is an answer or nobody wants one; the text goes into `reply` as it comes."""
        async with self.attachments.of(turn.account.channel) as files:
            return await self._ask(turn, talk, reply, files)

    async def _ask(self, turn: Turn, talk: Talk, reply: Reply, files: TurnFiles) -> Ending:
        while True:
            await self._settle_merged(turn)
            if (problem := _problem(turn, talk)) is not None:
                return Ending(Outcome.DONE, problem)
            questions, history = _questions(turn, talk)
            if not questions:
                return Ending(Outcome.DONE, words.NOTHING_TO_RETRY)
            ending = Ending(Outcome.DONE, questions=questions)
            async with turn.interrupt:
                turn.stage = "files"
                material = await self._material(turn, ending, files)
                if material is not None and material.is_nothing:
                    ending.closing = material.unread
                else:
                    await self._ask_once(turn, talk, reply, ending, history, material)
            reason = turn.interrupt.reason
            if reason in _AGAIN:
                turn.interrupt.clear()
                if turn.can_begin_again:
                    reply.replace("")
                elif reply.text:
                    # It became visible meanwhile. What an earlier life has shown, and this one not, is gone on with.
                    reply.write(f"{close(reply.text)[len(reply.text) :]}\n\n{words.STOPPED}\n\n")
                continue
            if reason is not None:
                _end_for(reason, turn, reply, ending)
            return ending

    @staticmethod
    async def _settle_merged(turn: Turn) -> None:
        """A merged message counts only once it is durable, and only if it is no duplicate."""
        for each in list(turn.merged):  # meanwhile one may come or be deleted
            if not await _is_kept(each) and each in turn.merged:
                turn.merged.remove(each)

    async def _material(self, turn: Turn, ending: Ending, files: TurnFiles) -> Material | None:
        """What came with the messages, read and put into the questions; None where nothing did."""
        messages = _messages(turn)
        if not any(each.attachments for each in messages):
            return None
        models = self.catalog(turn.account.agent).models.values()
        material = await files.read(
            messages,
            sees=any(spec.profile.images for spec in models),
            window=max((spec.context_window for spec in models), default=0),
        )
        ending.questions = [
            (each.sender.name, text) for each, text in zip(messages, material.texts, strict=True)
        ]
        return material

    async def _ask_once(
        self,
        turn: Turn,
        talk: Talk,
        reply: Reply,
        ending: Ending,
        history: Sequence[HistoryRow],
        material: Material | None,
    ) -> None:
        catalog = self.catalog(turn.account.agent)
        prompt, offered = self._prompt(turn, ending, history, material)
        ending.taint = _taint(turn, talk, offered)
        turn.stage = "deciding"
        if (made := await self._decide(turn, talk, prompt, ending)) is None:
            return
        query, decision = made
        turn.stage, turn.patience = "model", patience_with(decision, self.tools.health)
        ending.decision = decision
        fit = prompt.fit if turn.message.asked is None else None
        ending.shadow = self.rolling.shadow(query, decision, catalog, self.tools, fit)
        if material is None:  # else most of it was spent on files, which are not our own work
            metrics.inbound(turn.account.channel.name, self.tools.clock() - turn.accepted_at)
        thoughts = Thoughts(talk.state.choices.get(SHOWN, OFF))
        key = turn.message.address.key
        speaker = Speaker(
            turn=turn,
            reply=reply,
            ending=ending,
            thoughts=thoughts,
            tools=self.tools,
            box=self.box,
            offered=offered,
            latch=lambda call: self.latch(key.channel, key.account, call),
            taint=ending.taint,
        )
        try:
            if turn.consent is not None and (held := _held(talk)) is not None:
                asked_in = talk.lines[-1].turn_id
                await speaker.settle(held, asked_in, is_allowed=turn.consent)
            with in_company(turn, reply, decision, self.tools.health, self.tools.clock()):
                asks: Cascading | Drafting = self.cascading
                if self.drafts(turn.account.agent):
                    asks = Drafting(self.tools, self.cascading)
                await asks.speak(speaker, decision, prompt, query, catalog)
        finally:
            ending.said = thoughts.answer
        if material is not None and material.unread:
            ending.closing = "\n\n".join(part for part in (ending.closing, f"({material.unread})") if part)

    async def _decide(
        self, turn: Turn, talk: Talk, prompt: Prompt, ending: Ending
    ) -> tuple[RouteQuery, Decision] | None:
        """Whom to ask, and what that was decided on; None where it was asked for what there is not."""
        catalog, own = self.catalog(turn.account.agent), _own_words(turn, ending)
        try:
            query = await self.query(turn.account, turn.message.address, talk)
            query = replace(
                query,
                one_shot=turn.one_shot,
                least_tokens=prompt.least_tokens,
                tokens=prompt.tokens,
                difficulty=self.difficulty(own, turn.account.scope),
                judged=await self.judge(own) if own else None,
                payer=payer_of(turn),
                has_images=any(line.message.images for line in prompt.question),
            )
            query = self.press(suited(query, turn.message.asked, catalog), catalog)
            decision = decide(query, catalog, self.tools.health)
        except UnknownModel as error:
            ending.outcome, ending.closing = Outcome.FAILED, words.unknown_model(error.name, error.nearest)
            ending.failure = Failure.UNKNOWN_MODEL
            return None
        if query.task is not None and find(query.task) is None:
            ending.outcome, ending.closing = Outcome.FAILED, words.unknown_task(query.task)
            ending.failure = Failure.REFUSED
            return None
        return query, decision

    def _prompt(
        self, turn: Turn, ending: Ending, history: Sequence[HistoryRow], material: Material | None
    ) -> tuple[Prompt, Sequence[OfferedTool]]:
        """What is asked, and what of ours may be called for it."""
        asked = turn.message.asked
        offered = self.offered(turn.account, *(each.message for each in (turn, *turn.merged)))
        if asked is not None:
            prompt, offered = prompt_of(asked, turn.account.persona), ours_for(asked, offered)
        else:
            prompt = assemble(
                turn.account.system,
                history,
                ending.questions,
                conversation=turn.key,
                is_shared=is_shared(turn.message.address),
                images=material.images if material is not None else (),
            )
        return (prompt.with_tools([each.tool for each in offered]) if offered else prompt), offered

    def offered(self, account: Account, *said: Message | TypingStarted) -> Sequence[OfferedTool]:
        """What a model may call for those who speak to an account: what each of them may, as of now."""
        trust = least_trust(account, said)
        return offered_to(self.box.offered(account.agent, trust), trust)

    async def query(self, account: Account, address: Address, talk: Talk) -> RouteQuery:
        """What a decision depends on in a conversation, before anything is asked there."""
        capabilities = account.channel.capabilities(address)
        return RouteQuery(
            latency=capabilities.latency,
            streaming=capabilities.streaming,
            now=self.tools.clock(),
            roll=self.tools.roll(),
            pinned=pinned(talk.lines, self.wall()),
            chosen_here=talk.state.choices.get("model"),
            chosen_for_account=await self.chosen.model_for(account.scope),
            chosen_for_all=await self.chosen.model_for("global"),
            effort=wanted_effort(talk.state.choices.get(EFFORT)),
            policy=self.rolling.policy(capabilities.latency, str(address.key)),
        )


def least_trust(account: Account, said: Iterable[Message | TypingStarted]) -> Trust:
    """What all who said this are trusted with, as of now."""
    roles = [role_in(each.sender, each.address, account.policy, account.granted) for each in said]
    return trust_of(min(roles))


def _end_for(reason: StopReason, turn: Turn, reply: Reply, ending: Ending) -> None:
    """Nobody wants the answer any more, or not here."""
    if reason in _SILENT:
        ending.leaves = True
        if reason is not StopReason.SHUTDOWN:
            turn.release()
    elif reason is StopReason.DELETED:
        ending.outcome = Outcome.WITHDRAWN
        turn.release()
    elif reason is StopReason.STOPPED:
        ending.outcome, ending.closing = Outcome.STOPPED, words.STOPPED
    elif reason is StopReason.STUCK:
        ending.outcome = Outcome.CUT if reply.is_visible else Outcome.FAILED
        ending.closing, ending.failure = words.STUCK, Failure.SLOW


async def _is_kept(turn: Turn) -> bool:
    try:
        return await asyncio.shield(turn.committed)
    except StoreError:
        return False  # its channel offers it again


def _held(talk: Talk) -> Exchange | None:
    """What waits for a person's consent: only what was said last can be allowed, and once."""
    last = talk.lines[-1].exchange if talk.lines else None
    return last if last is not None and last.held else None


def _problem(turn: Turn, talk: Talk) -> str | None:
    """Why this person cannot allow or forbid anything now; None for every other turn."""
    if turn.consent is None:
        return None
    held = _held(talk)
    if held is None or not _means(turn, talk.lines[-1]):
        return words.NO_CONSENT_WANTED
    if held.asked != turn.message.sender.id:
        return words.NOT_YOURS_TO_ALLOW
    return words.CONSENT_EXPIRED if turn.received_at - talk.lines[-1].at > CONSENT_LIFE else None


def _taint(turn: Turn, talk: Talk, offered: Sequence[OfferedTool]) -> Taint:
    """What the model reads that the person did not say: all that is at hand counts, whatever a window then holds."""
    messages = [each.message for each in (turn, *turn.merged)]
    trust = least_trust(turn.account, messages)
    found = taint_of(messages, talk.lines, offered, trust)
    # Calls that were made before a restart are not in the prompt; what came of them may be.
    return replace(found, origins=found.origins | {Origin.UNKNOWN}) if turn.resumed_text else found


def _means(turn: Turn, asked: HistoryRow) -> bool:
    """Whether an answer is to what was asked last: a button's is where it stands, words came after it was shown."""
    return asked.message_id == turn.message.message_id if turn.is_press else asked.at <= turn.received_at


def _questions(turn: Turn, talk: Talk) -> tuple[Sequence[tuple[str, str]], Sequence[HistoryRow]]:
    """What to ask, and what was said before it. A retry asks again: the last, or what the pressed answer was to."""
    if turn.consent is not None:
        return [(turn.message.sender.name, words.ALLOWED if turn.consent else words.DENIED)], talk.lines
    if not turn.is_retry:
        return [(each.sender.name, _with_attachments(each)) for each in _messages(turn)], talk.lines
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


def _own_words(turn: Turn, ending: Ending) -> str:
    """What the person wrote: neither what came in files nor the word that asks for a question again."""
    if turn.is_retry:
        return "\n".join(text for _, text in ending.questions)
    return "\n".join(each.text for each in _messages(turn))


def _messages(turn: Turn) -> Sequence[Message]:
    """The messages that are asked about; none where what was said before is asked again."""
    return (
        () if turn.is_retry or turn.consent is not None else [each.message for each in (turn, *turn.merged)]
    )


def _with_attachments(message: Message) -> str:
    notes = [note(each) for each in message.attachments]
    return "\n".join([message.text, *notes] if message.text else notes)
