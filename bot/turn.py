"""The story of one message, top to bottom: open the reply, ask, show, record."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass

import structlog

from bot import metrics, words
from bot.answering import Answering
from bot.conclusion import conclusion_of
from bot.conversations import Conversations, Talk
from bot.ending import Ending
from bot.errors import StoreError, Undelivered
from bot.feedback import Feedback
from bot.interrupt import StopReason
from bot.lanes import Turn
from bot.record import answer_note, detail_of, end_turn, footer, history_of, log_turn, note_doubt, total_cost
from bot.store.base import HistoryRow, Outcome, Store, TurnRecord
from bot.store.outbox import LooseJournal, TurnJournal
from bot.tries import Tries, set_aside
from channels.base import Channel
from channels.capabilities import SendKey
from channels.delivery import Delivery, Reply, open_reply
from channels.errors import ChannelError, Gone, RateLimited, Refused, Unavailable
from channels.events import Action, AnswerNote
from channels.programs import Conclusion, Failure
from channels.steps import Past

log = structlog.get_logger()

STOP = Action("stop", words.STOP_BUTTON)
RETRY = Action("retry", words.RETRY_BUTTON)
ALLOW = Action("allow", words.ALLOW_BUTTON)
DENY = Action("deny", words.DENY_BUTTON)


@dataclass(frozen=True, slots=True)
class Turns:
    """Runs turns. `clock` is monotonic, `wall` seconds since the epoch.

    `command` answers a command turn; `names` are those of all commands. `tries`: what follows on one that failed.
    """

    store: Store
    tries: Tries
    conversations: Conversations
    answering: Answering
    command: Callable[[Turn], Awaitable[str]]
    clock: Callable[[], float]
    wall: Callable[[], float]
    feedback: Feedback
    names: Container[str] = ()

    async def run(self, turn: Turn) -> None:
        """One message to one answer. Never raises but for cancellation: a fault ends this turn alone."""
        async with self.tries.suspects.apart(turn):
            await self._run(turn)

    async def _run(self, turn: Turn) -> None:
        address = turn.message.address
        with structlog.contextvars.bound_contextvars(
            turn_id=turn.turn_id,
            conversation=turn.key,
            channel=address.key.channel,
            message_id=turn.message.message_id,
        ):
            since = self.wall() if turn.is_resumed else turn.received_at
            tries = 0
            await self.tries.begin(turn)
            while (error := await self._try(turn)) is not None:
                tries += 1
                if not await self.tries.again(turn, error, tries, since):
                    break
            if error is not None and turn.burial and turn.say is None:
                await self._say(turn, words.SET_ASIDE, "x")

    async def _try(self, turn: Turn) -> StoreError | Undelivered | None:
        """One try; why it has to be repeated, None where the turn is over."""
        try:
            await self._story(turn)
        except (StoreError, Undelivered) as error:
            return error
        except Exception as error:  # the lane's edge: one turn's fault must not stop the others
            log.exception("turn failed", error=type(error).__name__)
            await self._apologise(turn)
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
                past=Past(turn.is_resumed, turn.resumed_text),
            ) as reply:
                turn.reply = reply
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
        if turn.say is not None:
            reply.write(self._marked(turn, turn.say))
            return Ending(Outcome.DONE)
        if turn.is_final:
            # The whole answer is written down, a command's effect too; only its last showing is unsure.
            reply.write(turn.resumed_text)
            return Ending(Outcome.DONE, questions=turn.texts)
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
            # What was shown is taken back where the channel can.
            with contextlib.suppress(ValueError):
                reply.replace("")
            return await reply.finish()
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
            if isinstance(error, Refused):
                await self._say(turn, words.UNSHOWN, "?")
            return Delivery(text=reply.text)
        except ChannelError as error:
            # Not done: the inbox row stays open, and the answer is shown at the next try or after the next start.
            is_away = isinstance(error, RateLimited | Unavailable)
            said = f"the channel did not take the answer: {type(error).__name__} {error.detail}".rstrip()
            raise Undelivered(said, is_away=is_away) from error

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
            set_aside(turn, turn.burial)
            return
        end_turn(self.store, record)
        self._note(turn, ending, delivery)
        if turn.message.address.handle:
            await self.conversations.note_handle(turn.key, turn.message.address.handle)

    def _note(self, turn: Turn, ending: Ending, delivery: Delivery) -> None:
        """What the rollout and later reactions need of it."""
        if turn.is_retry:
            self.feedback.asked_again(turn)
        if not turn.is_resumed:
            self.feedback.rolling.ended(ending, delivery)
        self.feedback.answered(turn, ending, delivery)

    def _marked(self, turn: Turn, text: str) -> str:
        return words.marked(text, turn.account.mark, self.names)

    def _journal(self, turn: Turn) -> TurnJournal | LooseJournal:
        can = turn.account.channel.capabilities(turn.message.address)
        if not can.durable:
            return LooseJournal(turn.turn_id)
        is_unsure = can.send_key is SendKey.NONE and turn.crashes > 0
        doubt = functools.partial(note_doubt, turn) if is_unsure else None
        return TurnJournal(self.store, turn.turn_id, turn.committed, self.clock, turn.resumed, doubt=doubt)

    async def _apologise(self, turn: Turn) -> None:
        """Say plainly that it failed, once, and close the turn."""
        metrics.turn_ended(turn.message.address.key.channel, Outcome.FAILED)
        await self._say(turn, words.BROKEN, "!")
        ids = (turn.turn_id, *(each.turn_id for each in turn.merged))
        record = TurnRecord(turn.turn_id, turn.key, 0, ids, Outcome.FAILED, ended_at=self.wall())
        end_turn(self.store, record)

    async def _say(self, turn: Turn, text: str, mark: str) -> None:
        """A plain sentence of its own, where the answer cannot be shown; that it cannot be either is only logged."""
        channel: Channel = turn.account.channel
        try:
            journal = LooseJournal(f"{turn.turn_id}{mark}")
            async with (
                asyncio.timeout(30),
                open_reply(
                    channel, turn.message.address, journal, turn.account.budgets, clock=self.clock
                ) as reply,
            ):
                said = self._marked(turn, text)
                await reply.finish(closing=said, conclusion=Conclusion(failure=Failure.BROKEN, words=said))
        except (ChannelError, TimeoutError) as error:
            log.error("failure not shown", error=type(error).__name__)
        except Exception as error:  # an adapter's fault, perhaps, and the same again
            log.exception("failure not shown", error=type(error).__name__)
