"""The story of one message, top to bottom: open the reply, ask, show, record."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from bot import metrics, words
from bot.access import authorise
from bot.accounts import Manner
from bot.alerts import Kind
from bot.answering import Answering
from bot.conclusion import conclusion_of
from bot.conversations import Conversations, Talk
from bot.ending import Ending
from bot.errors import Broken, StoreError, Undelivered
from bot.feedback import Feedback
from bot.interrupt import StopReason
from bot.lanes import Turn
from bot.notes import Notes
from bot.record import answer_note, detail_of, end_turn, footer, history_of, log_turn, note_doubt, total_cost
from bot.store.base import HistoryRow, Outcome, Store, TurnRecord
from bot.store.outbox import LooseJournal, TurnJournal
from bot.tries import Tries, set_aside
from bot.watchdog import GRACE, SHOWING, End, Watchdog
from channels.capabilities import SendKey
from channels.delivery import Delivery, Reply, open_reply
from channels.errors import ChannelError, Gone, RateLimited, Refused, Unavailable
from channels.events import Action, AnswerNote
from channels.programs import Conclusion, Failure
from channels.steps import Past
from providers.errors import ErrorKind

log = structlog.get_logger()

STOP = Action("stop", words.STOP_BUTTON)
RETRY = Action("retry", words.RETRY_BUTTON)
ALLOW = Action("allow", words.ALLOW_BUTTON)
DENY = Action("deny", words.DENY_BUTTON)

_MODELS_FAILED = frozenset({Failure.LIMITED, Failure.SLOW, Failure.UNAVAILABLE})
_NOTED = _MODELS_FAILED | {Failure.BROKEN}


@dataclass(frozen=True, slots=True)
class Turns:
    """Runs turns. `clock` is monotonic, `wall` seconds since the epoch.

    `command` answers a command turn. `tries`: what follows on one that failed. `met` is told whom we have answered.
    """

    store: Store
    tries: Tries
    conversations: Conversations
    answering: Answering
    command: Callable[[Turn], Awaitable[str]]
    clock: Callable[[], float]
    wall: Callable[[], float]
    feedback: Feedback
    notes: Notes
    watchdog: Watchdog
    met: Callable[[Turn], None]

    async def run(self, turn: Turn) -> None:
        """One message to one answer. Never raises but for cancellation: a fault ends this turn alone."""
        if turn.asks_model and not _may_be_heard(turn):
            metrics.event_dropped(turn.message.address.key.channel, "closed")
            log.info("waiting message dropped", turn_id=turn.turn_id, reason="no longer let in")
            self._fail(turn, Outcome.WITHDRAWN)
            return
        try:
            async with self.tries.suspects.apart(turn):
                await self._run(turn)
        except Exception as error:  # beyond what a try takes: it waits for the next start, the others go on
            log.exception("turn left behind", error=type(error).__name__, turn_id=turn.turn_id)

    async def _run(self, turn: Turn) -> None:
        address = turn.message.address
        with structlog.contextvars.bound_contextvars(
            turn_id=turn.turn_id,
            conversation=turn.key,
            channel=address.key.channel,
            message_id=turn.message.message_id,
        ):
            since = self.wall() if turn.is_resumed or turn.say is not None else turn.received_at
            tries = 0
            await self.tries.begin(turn)
            while (error := await self._try(turn)) is not None:
                tries += 1
                if isinstance(error, Broken) and not _may_begin_again(turn):
                    await self._apologise(turn, words.BROKEN)
                    return
                if not await self.tries.again(turn, error, tries, since):
                    break
            if error is not None and turn.burial and turn.say is None:
                said = words.POISONED if isinstance(error, Broken) else words.SET_ASIDE
                await self.notes.tell(turn, said, "x")

    async def _try(self, turn: Turn) -> StoreError | Undelivered | Broken | None:
        """One try; why it has to be repeated, None where the turn is over."""
        try:
            end = await self.watchdog.run(turn, self._story(turn), self._close)
            if end is End.ITSELF:
                return None
            if end is End.TOLD:
                self._fail(turn)
                return None
        except (StoreError, Undelivered) as error:
            if turn.interrupt.reason is not StopReason.STUCK:
                return error
        except Exception as error:  # the lane's edge: one turn's fault must not stop the others
            log.exception("turn failed", error=type(error).__name__)
            if turn.interrupt.reason is not StopReason.STUCK:
                return Broken(f"a fault of ours ended it: {type(error).__name__}")
        await self._apologise(turn, words.STUCK)
        return None

    async def _story(self, turn: Turn) -> None:
        account, address = turn.account, turn.message.address
        turn.started_at = self.wall()
        journal = self._journal(turn)
        with contextlib.closing(journal):
            async with open_reply(
                account.channel,
                address,
                journal,
                account.budgets,
                clock=self.clock,
                since=turn.accepted_at,
                past=Past(turn.is_resumed, turn.resumed_text, may_stand=turn.may_stand),
            ) as reply:
                turn.reply = reply
                reply.tell_doubts(functools.partial(note_doubt, turn.turn_id, turn.message.address.key))
                if turn.asks_model:
                    reply.offer((STOP,))
                talk = await self.conversations.of(turn.key, is_kept=turn.message.asked is None)
                turn.session = talk.state.session
                ending = await self._answer(turn, talk, reply)
                turn.is_closing = True
                if ending.leaves:
                    await self._leave(turn, journal, reply)
                    return
                note = answer_note(ending, reply)
                delivery = await self._show(turn, talk, reply, ending, note)
                if turn.is_turned_away:
                    return  # which is to cost next to nothing; it is counted
                if reply.is_withdrawn:  # the disk knew the message, or did not take it
                    turn.release()
                    return
                said = reply.text if ending.said is None else ending.said
                rows = history_of(turn, ending, note, delivery, said, self.wall())
                await self._record(turn, talk, ending, delivery, rows)

    async def _leave(self, turn: Turn, journal: TurnJournal | LooseJournal, reply: Reply) -> None:
        """Not ours to end: a duplicate, a message that could not be kept, or the daemon stops."""
        if turn.interrupt.reason is not StopReason.SHUTDOWN:
            journal.withdraw()
        await reply.leave()
        if turn.interrupt.reason is StopReason.SHUTDOWN:
            self.store.rest(turn.turn_id)
            if reply.visible_text:
                await self.store.progress(turn.turn_id, reply.visible_text)

    async def _answer(self, turn: Turn, talk: Talk, reply: Reply) -> Ending:
        if turn.is_turned_away:
            return Ending(Outcome.FAILED, turn.say or "", failure=Failure.LIMITED)
        if turn.say is not None:
            reply.write(self._marked(turn, turn.say))
            return Ending(Outcome.DONE)
        if turn.is_final and turn.interrupt.reason is not StopReason.DELETED:
            # The whole answer is written down, a command's effect too; only its last showing is unsure.
            reply.write(turn.resumed_text)
            is_cut = turn.is_stopped and turn.resumed_text.endswith(words.STOPPED)
            return Ending(Outcome.STOPPED if is_cut else Outcome.DONE, questions=turn.texts)
        if turn.is_stopped and turn.interrupt.reason is not StopReason.DELETED:
            reply.write(turn.resumed_text)  # what stands of it stays
            return Ending(Outcome.STOPPED, words.STOPPED, questions=turn.texts)
        if turn.is_command:
            if not await asyncio.shield(turn.committed):
                return Ending(Outcome.DONE, leaves=True)
            reply.write(self._marked(turn, await self.command(turn)))
            return Ending(Outcome.DONE)
        return await self.answering.ask(turn, talk, reply)

    async def _show(
        self, turn: Turn, talk: Talk, reply: Reply, ending: Ending, note: AnswerNote | None
    ) -> Delivery:
        if ending.outcome is Outcome.WITHDRAWN:
            return await _take_back(reply)
        if ending.failure in _MODELS_FAILED and turn.interrupt.reason is not StopReason.STUCK:
            self._tell_owner(ending)
        if is_note(turn, ending, reply) and (manner := self.notes.manner(turn)) is not Manner.REPLY:
            return await self._show_nothing(turn, reply, ending, manner)
        turn.stage = SHOWING
        said = self._marked(turn, ending.closing)
        closing = "\n\n".join(part for part in (said, footer(talk, note)) if part)
        asked = (ALLOW, DENY) if ending.asks_consent else (RETRY,)
        actions = asked if turn.asks_model else ()
        try:
            end = conclusion_of(ending) if turn.message.asked is not None else None
            return await reply.finish(closing=closing, note=note, actions=actions, conclusion=end)
        except (Gone, Refused) as error:
            reason = error.code if isinstance(error, Refused) else "gone"
            log.warning("answer undeliverable", reason=reason, error=error.detail)
            ending.outcome = Outcome.UNDELIVERABLE
            if isinstance(error, Refused) and turn.say is None:
                await self.notes.tell(turn, words.UNSHOWN, "?")
            return Delivery(text=reply.text)
        except ChannelError as error:
            # Not done: the inbox row stays open, and the answer is shown at the next try or after the next start.
            is_away = isinstance(error, RateLimited | Unavailable)
            turn.may_stand = turn.may_stand or (isinstance(error, Unavailable) and error.maybe_sent)
            said = f"the channel did not take the answer: {type(error).__name__} {error.detail}".rstrip()
            raise Undelivered(said, is_away=is_away) from error

    async def _show_nothing(self, turn: Turn, reply: Reply, ending: Ending, manner: Manner) -> Delivery:
        """There is no answer, and nobody is to read that. The conversation remembers it all the same."""
        ending.said = self._marked(turn, ending.closing)
        delivery = await _take_back(reply)
        if manner is Manner.REACTION and not reply.is_withdrawn:
            await self.notes.show_sign(turn)
        return delivery

    def _tell_owner(self, ending: Ending) -> None:
        attempts = ending.answer.attempts if ending.answer is not None else ()
        failed = [(each.rung.model.ref, each.kind) for each in attempts if each.kind is not None]
        if failed and failed[-1][1] is not ErrorKind.BUDGET:  # which has an alert of its own
            self.tries.alerts.raise_(Kind.MODELS, words.models_down(failed))

    async def _record(
        self,
        turn: Turn,
        talk: Talk,
        ending: Ending,
        delivery: Delivery,
        rows: Sequence[HistoryRow],
    ) -> None:
        answer = ending.answer
        record = TurnRecord(
            turn_id=turn.turn_id,
            key=turn.key,
            session=turn.session,
            inbox_ids=(turn.turn_id, *(each.turn_id for each in turn.merged)),
            outcome=ending.outcome,
            history=tuple(rows),
            parts=delivery.message_ids,
            model=answer.rung.model.ref if answer is not None and answer.rung is not None else "",
            cost_usd=total_cost(ending),
            started_at=turn.started_at,
            ended_at=self.wall(),
            detail=detail_of(turn, ending, delivery),
            sender=turn.message.sender.id,
        )
        talk.add(turn.session, rows)
        log_turn(turn, ending, delivery)
        if turn.burial:
            await self.store.bury(turn.turn_id, turn.burial, keeps_answer=False)
            set_aside(turn, turn.burial, self.tries.alerts)
            return
        end_turn(self.store, record)
        self._note(turn, ending, delivery)
        if turn.message.address.handle:
            try:
                await self.conversations.note_handle(turn.key, turn.message.address.handle)
            except StoreError as error:  # the answer stands, and is not to be given once more for that
                log.warning("handle not stored", error=str(error))

    def _note(self, turn: Turn, ending: Ending, delivery: Delivery) -> None:
        """What the rollout and later reactions need of it."""
        if turn.is_retry:
            self.feedback.asked_again(turn)
        if not turn.is_resumed:
            self.feedback.rolling.ended(ending, delivery)
        self.feedback.answered(turn, ending, delivery)
        self.met(turn)

    def _marked(self, turn: Turn, text: str) -> str:
        return self.notes.marked(turn, text)

    def _journal(self, turn: Turn) -> TurnJournal | LooseJournal:
        can = turn.account.channel.capabilities(turn.message.address)
        if turn.is_loose or not can.durable:
            return LooseJournal(turn.turn_id)
        is_unsure = can.send_key is SendKey.NONE and (turn.crashes > 0 or turn.may_stand)
        doubt = functools.partial(note_doubt, turn.turn_id, turn.message.address.key) if is_unsure else None
        return TurnJournal(
            self.store,
            turn.turn_id,
            turn.committed,
            self.clock,
            turn.resumed,
            doubt=doubt,
            counted=turn.counted,
        )

    async def _close(self, turn: Turn) -> bool:
        """End what is shown of a turn that does not go on: whatever it still writes is refused. False: it cannot be."""
        reply = turn.reply
        if reply is None or turn.say is not None or turn.stage == SHOWING:
            return False
        manner = Manner.REPLY if reply.visible_text else self.notes.manner(turn)
        said = self._marked(turn, words.STUCK)
        try:
            async with asyncio.timeout(GRACE):
                await reply.finish(
                    closing=said if manner is Manner.REPLY else "",
                    conclusion=Conclusion(failure=Failure.SLOW, words=said),
                )
        except TimeoutError:
            pass  # it is offered on, for as long as the end of any answer
        except (ChannelError, StoreError, RuntimeError) as error:
            log.warning("stuck answer not closed", error=type(error).__name__)
            return False
        if manner is Manner.REACTION:
            await self.notes.show_sign(turn)
        return not reply.is_withdrawn

    async def _apologise(self, turn: Turn, text: str) -> None:
        """Say plainly that it failed, once, and close the turn. That words of our own failed is only logged."""
        if turn.say is None:
            await self.notes.tell(turn, text, "!")
        self._fail(turn)

    def _fail(self, turn: Turn, outcome: Outcome = Outcome.FAILED) -> None:
        """Its end, for which nobody has anything to write but that it is over."""
        metrics.turn_ended(turn.message.address.key.channel, outcome)
        ids = (turn.turn_id, *(each.turn_id for each in turn.merged))
        record = TurnRecord(turn.turn_id, turn.key, 0, ids, outcome, ended_at=self.wall())
        end_turn(self.store, record)


async def _take_back(reply: Reply) -> Delivery:
    """Show nothing; what stands already is taken back where the channel can, and now."""
    with contextlib.suppress(ValueError):
        reply.replace("")
    try:
        return await reply.finish()
    except ChannelError as error:
        log.warning("answer not taken back", error=type(error).__name__)
        return Delivery()


def is_note(turn: Turn, ending: Ending, reply: Reply) -> bool:
    """Whether what is to be shown stands in an answer's place and tells of a failure of ours, not of the question."""
    is_failed = ending.outcome is Outcome.FAILED and ending.failure in _NOTED
    return is_failed and turn.asks_model and not reply.visible_text


def _may_be_heard(turn: Turn) -> bool:
    """Whether whoever said it still may: it may have waited behind others, and its person was let out meanwhile."""
    account = turn.account
    return authorise(turn.message, account.policy, account.granted).is_allowed


def _may_begin_again(turn: Turn) -> bool:
    """Whether another try can do no harm: nothing was done that cannot be taken back, and somebody still waits."""
    capabilities = turn.account.channel.capabilities(turn.message.address)
    return turn.asks_model and capabilities.durable and not turn.has_acted
