"""Taking up what was unfinished when the process ended: same messages, same order, nothing said twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from bot import metrics, words
from bot.access import authorise, role_in
from bot.accounts import Account
from bot.inbox import TAKEN_BACK, Inbox
from bot.lanes import Turn
from bot.patience import MAX_CRASHES, MAX_ERRORS, age_limit
from bot.record import end_turn
from bot.store.base import Outcome, PendingTurn, Store, TurnRecord
from bot.tries import set_aside
from channels.base import Edits
from channels.capabilities import SendKey

log = structlog.get_logger()


class Verdict(StrEnum):
    """What becomes of an unfinished turn."""

    RESUME = "resume"
    STALE = "stale"
    POISONED = "poisoned"
    CLOSED = "closed"  # whoever said it may not talk to us any more
    UNWANTED = "unwanted"  # nobody waits for the answer any more


_SAID_INSTEAD = {words.STALE: Verdict.STALE, words.POISONED: Verdict.POISONED}
"""What was being said in an answer's place when the process ended: the message still ends in that way."""


def judge(pending: PendingTurn, account: Account, now: float) -> Verdict:
    """The verdict on one unfinished turn. Pure. What people have seen half of is always finished."""
    if not authorise(pending.message, account.policy, account.granted).is_allowed:
        return Verdict.CLOSED
    if not account.channel.capabilities(pending.message.address).durable:
        return Verdict.UNWANTED
    if pending.is_final and pending.text in _SAID_INSTEAD:
        return _SAID_INSTEAD[pending.text]
    if (pending.attempts >= MAX_CRASHES or pending.errors >= MAX_ERRORS) and not pending.is_final:
        return Verdict.POISONED
    if pending.message.text == TAKEN_BACK:
        return Verdict.RESUME  # what stands of an answer is taken back, and nothing said
    if now - pending.received_at > age_limit(pending.message.address.surface) and not pending.parts:
        return Verdict.STALE
    return Verdict.RESUME


async def resume(
    store: Store,
    accounts: Mapping[tuple[str, str], Account],
    inbox: Inbox,
    clock: Callable[[], float],
    wall: Callable[[], float],
) -> int:
    """Put every unfinished turn back into its lane; returns how many messages. Call it before anything new comes in."""
    recovery = Recovery(store, accounts, inbox, clock, wall)
    resumed = 0
    for each in await store.pending():
        try:
            verdict = await recovery.take_up(each)
        except Exception as error:  # an adapter's fault must not keep the others, and the start, waiting
            log.exception("unfinished turn left", error=type(error).__name__, turn_id=each.turn_id)
            continue
        if verdict is Verdict.RESUME:
            resumed += 1 + len(each.merged)
    return resumed


@dataclass(frozen=True, slots=True)
class Recovery:
    """Takes unfinished turns up again. `told`: of which ends conversations were told already; once is enough."""

    store: Store
    accounts: Mapping[tuple[str, str], Account]
    inbox: Inbox
    clock: Callable[[], float]
    wall: Callable[[], float]
    told: set[tuple[str, Verdict]] = field(default_factory=set)

    async def take_up(self, pending: PendingTurn) -> Verdict | None:
        """Put a turn back into its lane, or end it as the verdict says. None: its account is switched off; it waits."""
        key = pending.message.address.key
        account = self.accounts.get((key.channel, key.account))
        if account is None:
            return None
        turn = _turn(pending, account, self.clock())
        for each in [each for each in turn.merged if each.message.text == TAKEN_BACK]:
            turn.merged.remove(each)
            self._end(each, Outcome.WITHDRAWN)
        verdict = judge(pending, account, self.wall())
        if verdict is Verdict.RESUME:
            await self.inbox.dispatch(turn)
            return verdict
        metrics.event_dropped(key.channel, str(verdict))
        log.warning("unfinished turn ended", conversation=str(key), reason=str(verdict), turn_id=turn.turn_id)
        if verdict is Verdict.POISONED:
            # All that was being answered together: each of them may be what ends the process, and all had their effect.
            for each in (turn, *turn.merged):
                each.burial = _reason(pending)
            for each in turn.merged:
                self._end(each, Outcome.FAILED)
            turn.merged = []
        if verdict in (Verdict.CLOSED, Verdict.UNWANTED) or (turn.key, verdict) in self.told:
            self._end(turn, Outcome.STALE if verdict is Verdict.STALE else Outcome.FAILED)
            return verdict
        # A word that was being said before may have been read before the others were written.
        if _is_sure_to_be_read(turn) and pending.text not in _SAID_INSTEAD:
            self.told.add((turn.key, verdict))
        turn.say = words.STALE if verdict is Verdict.STALE else words.POISONED
        await self.inbox.dispatch(turn)
        return verdict

    def _end(self, turn: Turn, outcome: Outcome) -> None:
        if turn.burial:
            self.store.bury(turn.turn_id, turn.burial, keeps_answer=False)
            set_aside(turn, turn.burial)
            return
        ids = (turn.turn_id, *turn.merged_ids)
        record = TurnRecord(turn.turn_id, turn.key, 0, ids, outcome, ended_at=self.wall())
        end_turn(self.store, record)


def _is_sure_to_be_read(turn: Turn) -> bool:
    """Whether a word of ours can stand in its answer's place, which may be there already under that key, for good."""
    channel = turn.account.channel
    keeps = channel.capabilities(turn.message.address).send_key is not SendKey.NONE
    return not (keeps and turn.may_stand and not turn.resumed) or isinstance(channel, Edits)


def _reason(pending: PendingTurn) -> str:
    if pending.attempts >= MAX_CRASHES:
        return f"the process ended {pending.attempts} times while this was being answered"
    return f"its answer failed {pending.errors} times"


def _turn(pending: PendingTurn, account: Account, now: float) -> Turn:
    committed = asyncio.get_running_loop().create_future()
    committed.set_result(True)
    crashes = max(each.attempts for each in (pending, *pending.merged))
    return Turn(
        turn_id=pending.turn_id,
        message=pending.message,
        account=account,
        committed=committed,
        accepted_at=now,
        received_at=pending.received_at,
        role=role_in(pending.message.sender, pending.message.address, account.policy, account.granted),
        is_resumed=True,
        crashes=crashes,
        may_stand=crashes > 0 or pending.is_final,
        resumed=pending.parts,
        resumed_text=pending.text,
        is_final=pending.is_final,
        merged=[_turn(each, account, now) for each in pending.merged],
    )
