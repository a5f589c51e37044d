"""Taking up what was unfinished when the process ended: same messages, same order, nothing said twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum

import structlog

from bot import metrics, words
from bot.access import authorise
from bot.accounts import Account
from bot.inbox import Inbox
from bot.lanes import Turn
from bot.record import end_turn
from bot.store.base import Outcome, PendingTurn, Store, TurnRecord
from channels.capabilities import Surface

log = structlog.get_logger()

MAX_AGE = 15 * 60.0
"""An interactive message older than this is not answered unasked after a restart (a rival sent 110 answers
up to 15 hours late: openclaw issue 39138)."""

MAX_AGE_SLOW = 24 * 3600.0
"""The same for mail and jobs."""

MAX_ATTEMPTS = 3
"""A message that was being answered when the process died this often is set aside."""

_SLOW = frozenset({Surface.EMAIL, Surface.JOB})


class Verdict(StrEnum):
    """What becomes of an unfinished turn."""

    RESUME = "resume"
    STALE = "stale"
    POISONED = "poisoned"
    CLOSED = "closed"  # whoever said it may not talk to us any more
    UNWANTED = "unwanted"  # nobody waits for the answer any more


def judge(pending: PendingTurn, account: Account, now: float) -> Verdict:
    """The verdict on one unfinished turn. Pure. What people have seen half of is always finished."""
    if not authorise(pending.message, account.policy).is_allowed:
        return Verdict.CLOSED
    if not account.channel.capabilities(pending.message.address).durable:
        return Verdict.UNWANTED
    if pending.attempts > MAX_ATTEMPTS and not pending.is_final:
        return Verdict.POISONED
    limit = MAX_AGE_SLOW if pending.message.address.surface in _SLOW else MAX_AGE
    if now - pending.received_at > limit and not pending.parts:
        return Verdict.STALE
    return Verdict.RESUME


async def resume(
    store: Store,
    accounts: Mapping[tuple[str, str], Account],
    inbox: Inbox,
    clock: Callable[[], float],
    wall: Callable[[], float],
) -> int:
    """Put every unfinished turn back into its lane; returns how many. Call it before anything new comes in."""
    resumed = 0
    told: set[str] = set()
    for pending in await store.pending():
        key = pending.message.address.key
        account = accounts.get((key.channel, key.account))
        if account is None:
            continue  # switched off for now; it waits in the inbox
        turn = _turn(pending, account, clock())
        verdict = judge(pending, account, wall())
        if verdict is Verdict.RESUME:
            resumed += 1
            await inbox.dispatch(turn)
            continue
        metrics.event_dropped(key.channel, str(verdict))
        log.warning(
            "unfinished turn set aside", conversation=str(key), reason=str(verdict), turn_id=turn.turn_id
        )
        if verdict in (Verdict.CLOSED, Verdict.UNWANTED) or turn.key in told:
            outcome = Outcome.STALE if verdict is Verdict.STALE else Outcome.FAILED
            record = TurnRecord(turn.turn_id, turn.key, 0, (turn.turn_id,), outcome, ended_at=wall())
            end_turn(store, record)
            continue
        told.add(turn.key)
        turn.say = words.STALE if verdict is Verdict.STALE else words.POISONED
        await inbox.dispatch(turn)
    return resumed


def _turn(pending: PendingTurn, account: Account, now: float) -> Turn:
    committed = asyncio.get_running_loop().create_future()
    committed.set_result(True)
    return Turn(
        turn_id=pending.turn_id,
        message=pending.message,
        account=account,
        committed=committed,
        accepted_at=now,
        received_at=pending.received_at,
        is_owner=pending.message.sender.id in account.policy.owners or account.policy.is_local,
        is_resumed=True,
        resumed=pending.parts,
        resumed_text=pending.text,
        is_final=pending.is_final,
    )
