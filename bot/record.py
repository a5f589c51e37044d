"""What is kept and said of a turn that is over: history, figures, the small line, the log line. Pure but for logs."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import structlog

from bot import metrics, words
from bot.access import is_shared, trust_of
from bot.conversations import Talk
from bot.difficulty import table_name
from bot.ending import Ending
from bot.exchange import Exchange
from bot.lanes import Turn
from bot.pin import pin_of
from bot.prices import cost
from bot.remedies import remedy
from bot.store.base import HistoryRow, Outcome, Store, TurnRecord
from bot.taint import Origin, brought_by
from channels.delivery import Delivery, Reply
from channels.events import AnswerNote, ConversationKey
from providers.base import Role
from providers.errors import ErrorKind
from routing.execute import Answer, Attempt
from routing.policy import NO_CREDENTIAL, Decision
from routing.replay import record_of

log = structlog.get_logger()

MAX_END_TRIES = 35
LONGEST_END_PAUSE = 60.0
"""Pauses of 1 s, 2 s and so on up to this: half an hour in all."""

MAX_TOOLS = 20
"""Calls of one turn that are named with it."""

USAGE_OFF = "off"
USAGE_TOKENS = "tokens"
USAGE_FULL = "full"
USAGE_COST = "cost"


def total_cost(ending: Ending) -> float | None:
    """The cost of all attempts; None when that of any that gave usage is unknown."""
    if ending.answer is None:
        return None
    costs = [
        cost(each.rung.model, each.usage, each.rung.options)
        for each in (*ending.drafted, *ending.answer.attempts)
        if each.usage is not None
    ]
    known = [each for each in costs if each is not None]
    return sum(known) if known and len(known) == len(costs) else None


def answer_note(ending: Ending, reply: Reply) -> AnswerNote | None:
    """The small line under an answer; None when no model spoke."""
    answer, decision = ending.answer, ending.decision
    if answer is None or answer.rung is None or decision is None:
        return None
    last = answer.attempts[-1] if answer.attempts else None
    usage = answer.usage
    return AnswerNote(
        model=answer.rung.model.title or answer.rung.model.ref,
        reason=_why(decision, answer),
        first_visible=reply.first_visible,
        tokens_per_s=last.speed if last is not None else None,
        input_tokens=usage.input_tokens if usage is not None else None,
        output_tokens=usage.output_tokens if usage is not None else None,
        cost_usd=total_cost(ending),
    )


def _why(decision: Decision, answer: Answer) -> str:
    said = words.reason(decision.reason, decision.wanted)
    for each in answer.attempts:
        if each.kind is not None and not each.hedge:
            return f"{said}; {each.rung.model.ref}: {words.kind(each.kind)}"
    return said


def footer(talk: Talk, note: AnswerNote | None) -> str:
    """The line that `/usage` asked for, "" where it is off."""
    mode = talk.state.choices.get("usage", USAGE_OFF)
    if mode == USAGE_OFF or note is None:
        return ""
    parts = [note.model]
    if mode in (USAGE_TOKENS, USAGE_FULL) and note.output_tokens is not None:
        parts.append(f"{note.input_tokens} + {note.output_tokens} tokens")
    if mode == USAGE_FULL:
        if note.first_visible is not None:
            parts.append(f"first word {note.first_visible * 1000:.0f} ms")
        if note.tokens_per_s is not None:
            parts.append(f"{note.tokens_per_s:.0f} tokens/s")
        parts.append(note.reason)
    if mode in (USAGE_COST, USAGE_FULL):
        parts.append("cost unknown" if note.cost_usd is None else f"${note.cost_usd:.5f}")
    return f"_{' · '.join(parts)}_"


def history_of(
    turn: Turn, ending: Ending, note: AnswerNote | None, delivery: Delivery, said: str, now: float
) -> tuple[HistoryRow, ...]:
    """The lines that this turn adds to its conversation; none for commands, notes and withdrawn questions.

    `said`: the answer alone; closing notes and the line of /usage are no part of the conversation.
    """
    if turn.is_command or turn.say is not None or ending.outcome is Outcome.WITHDRAWN or not ending.questions:
        return ()
    origins = _origins(turn, ending)
    trust = str(trust_of(turn.role)) if is_shared(turn.message.address) else ""
    asked = tuple(
        HistoryRow(
            role=Role.USER,
            text=text,
            message_id=each.message.message_id,
            at=each.received_at,
            speaker=speaker,
            turn_id=turn.turn_id,
            exchange=_known(None, origins, trust),
        )
        for each, (speaker, text) in zip((turn, *turn.merged), ending.questions, strict=False)
    )
    kept = (
        {**asdict(replace(note, first_visible=delivery.first_visible)), **_pin(ending)}
        if note is not None
        else None
    )
    answered = HistoryRow(
        role=Role.ASSISTANT,
        text=said or delivery.text,
        message_id=delivery.message_ids[-1] if delivery.message_ids else "",  # where its buttons are
        at=now,
        outcome=ending.outcome,
        turn_id=turn.turn_id,
        note=kept,
        exchange=_known(ending.exchange, origins, trust),
    )
    return (*asked, answered)


def _origins(turn: Turn, ending: Ending) -> tuple[str, ...]:
    """What this turn's lines hold that the person did not say, for the turns after it."""
    found = ending.taint.origins | brought_by(each.message for each in (turn, *turn.merged))
    if turn.is_final:
        found |= {Origin.UNKNOWN}
    return tuple(sorted(found))


def _known(exchange: Exchange | None, origins: tuple[str, ...], trust: str) -> Exchange | None:
    """With what bot.taint asks of a line later; None where there is nothing to know."""
    if not origins and not trust:
        return exchange
    return replace(exchange or Exchange(()), taint=origins, trust=trust)


def _pin(ending: Ending) -> Mapping[str, Any]:
    if ending.answer is None or ending.answer.rung is None or ending.decision is None:
        return {}
    attempts = ending.answer.attempts
    if attempts and attempts[-1].hedge and all(each.kind is None for each in attempts):
        # One late first word is no reason to leave the model that holds the conversation.
        return pin_of(ending.decision.rungs[0].model.ref, ending.decision)
    return pin_of(ending.answer.rung.model.ref, ending.decision)


def detail_of(turn: Turn, ending: Ending, delivery: Delivery) -> Mapping[str, Any]:
    """Decision, attempts and timings as plain values, for /why, /status and the command line. No word of a message."""
    detail: dict[str, Any] = {
        "first_visible": delivery.first_visible,
        "edits": delivery.edits,
        "splits": delivery.splits,
    }
    if ending.decision is not None:
        detail["reason"] = str(ending.decision.reason)
        detail["wanted"] = ending.decision.wanted
        detail["latency_class"] = str(ending.decision.latency)
        detail["target"] = ending.decision.budget.target
        detail["ladder"] = [rung.model.ref for rung in ending.decision.rungs]
        detail["excluded"] = [[each.ref, str(each.why)] for each in ending.decision.excluded]
        if ending.cascade:
            detail["cascade"] = [list(each) for each in ending.cascade]
        if ending.shadow:
            detail["shadow"] = ending.shadow
        detail["prompt_tokens"] = ending.decision.tokens
        detail["decision"] = record_of(ending.decision, table_name())
    if ending.answer is not None:
        detail["attempts"] = [attempt_detail(each) for each in ending.answer.attempts]
        if ending.drafted:
            detail["drafted"] = [attempt_detail(each) for each in ending.drafted]
        detail["ttft"] = ending.answer.ttft
        if ending.answer.usage is not None:
            detail["usage"] = asdict(ending.answer.usage)
        detail["cost_usd"] = total_cost(ending)
        detail["stages"] = _stages(turn, ending.answer, delivery)
    if ending.exchange is not None:
        called = [call.name for each in ending.exchange.messages for call in each.calls]
        detail["tools"] = called[:MAX_TOOLS]
    return detail


def _stages(turn: Turn, answer: Answer, delivery: Delivery) -> Mapping[str, float]:
    """Where the time to the first word went, in seconds, as far as it is known."""
    if answer.began is None or answer.ttft is None or delivery.first_visible is None:
        return {}
    before, lost = answer.began - turn.accepted_at, 0.0
    for each in answer.attempts:
        if each.kind is None or each.ttft is not None:
            break
        lost += each.took
    shown = delivery.first_visible - before - lost - answer.ttft
    return {"before": before, "lost": lost, "waited": answer.ttft, "shown": max(0.0, shown)}


def attempt_detail(attempt: Attempt) -> dict[str, Any]:
    """One request as plain values."""
    return {
        "model": attempt.rung.model.ref,
        "credential": attempt.rung.credential_id,
        "took": attempt.took,
        "ttft": attempt.ttft,
        "tokens_per_s": attempt.speed,
        "error": str(attempt.kind) if attempt.kind is not None else None,
        "detail": attempt.detail or None,
        "cancelled": attempt.cancelled,
        "hedge": attempt.hedge,
        "usage_estimated": attempt.is_estimated,
        "model_reported": attempt.model_reported,
    }


def end_turn(store: Store, record: TurnRecord, tries: int = 0) -> None:
    """Write the end of a turn without waiting: whatever reads the store next sees it, durable or not yet.

    A disk that does not take it is tried again for half an hour: until it is written the row stays open, and a crash
    would have the answer shown once more. There are never more of these than there were lanes when it began to fail,
    as nothing new is answered that cannot be stored.
    """

    def note(written: asyncio.Future[None]) -> None:
        if written.cancelled():
            return
        error = written.exception()
        if error is None:
            if tries:
                log.warning("turn stored late", turn_id=record.turn_id, attempt=tries + 1)
            return
        if tries in {0, MAX_END_TRIES}:
            log.error("turn not stored", turn_id=record.turn_id, error=str(error))
        if tries < MAX_END_TRIES:
            seconds = min(LONGEST_END_PAUSE, 2.0**tries)
            asyncio.get_running_loop().call_later(seconds, end_turn, store, record, tries + 1)

    store.finish_turn(record).add_done_callback(note)


def report_attempt(attempt: Attempt) -> None:
    """One log line and the metrics of one provider request."""
    spec = attempt.rung.model
    usage = attempt.usage
    outcome = "cancelled" if attempt.cancelled else "failed" if attempt.kind is not None else "done"
    metrics.attempt_finished(spec.provider, spec.model, outcome, attempt.kind, attempt.ttft, attempt.speed)
    if attempt.hedge:
        metrics.hedged(spec.provider, "lost" if attempt.cancelled else "failed" if attempt.kind else "won")
    if usage is not None:
        metrics.tokens_used(spec.provider, usage.input_tokens, usage.cached_tokens, usage.output_tokens)
        if usage.queued is not None:
            metrics.queued(spec.provider, spec.model, usage.queued)
    price = cost(spec, usage, attempt.rung.options)
    if attempt.kind in (ErrorKind.AUTH, ErrorKind.PERMISSION):
        log.error("credential refused", provider=spec.provider, credential=attempt.rung.credential_id)
    if attempt.kind is ErrorKind.RATE_LIMIT:
        metrics.provider_limited(spec.provider)
    say = log.info if attempt.kind is None else log.warning
    say(
        "attempt finished",
        provider=spec.provider,
        model=spec.model,
        rung=attempt.number,
        outcome=outcome,
        error=str(attempt.kind) if attempt.kind is not None else None,
        reason=attempt.detail or None,
        todo=_todo(attempt),
        ttft=_round(attempt.ttft),
        queued=_round(usage.queued) if usage is not None else None,
        tokens_per_s=_round(attempt.speed),
        input_tokens=usage.input_tokens if usage is not None else None,
        cached_tokens=usage.cached_tokens if usage is not None else None,
        output_tokens=usage.output_tokens if usage is not None else None,
        cost_usd=price,
    )


def _todo(attempt: Attempt) -> str | None:
    """What the owner can do about a failed attempt."""
    if attempt.kind is None:
        return None
    rung = attempt.rung
    return remedy(
        attempt.kind, rung.model.provider, model=rung.model.model, has_key=rung.credential_id != NO_CREDENTIAL
    )


def note_doubt(turn_id: str, conversation: ConversationKey) -> None:
    """A message is about to be sent that an earlier life, or an earlier try, may have sent: it may stand twice.

    Takes no turn: it hangs on the turn's own reply, and the two would wait in a ring for the garbage collector.
    """
    log.warning("send may be a second one", turn_id=turn_id, conversation=str(conversation))
    metrics.sends_doubtful(conversation.channel)


def log_turn(turn: Turn, ending: Ending, delivery: Delivery) -> None:
    """The one line of a turn, and its metrics."""
    answer = ending.answer
    channel = turn.message.address.key.channel
    metrics.turn_ended(channel, ending.outcome)
    if delivery.first_visible is not None and not turn.is_command:
        metrics.first_visible(channel, delivery.first_visible)
    if delivery.edits:
        metrics.edited(channel, delivery.edits)
    attempts = answer.attempts if answer is not None else []
    for before, after in itertools.pairwise([each for each in attempts if not each.hedge]):
        if before.kind is not None and before.rung != after.rung:
            metrics.fell_back(before.rung.model.provider, before.kind)
    log.info(
        "command answered" if turn.is_command else "turn finished",
        outcome=str(ending.outcome),
        model=answer.rung.model.ref if answer is not None and answer.rung is not None else None,
        reason=str(ending.decision.reason) if ending.decision is not None else None,
        ttft=_round(answer.ttft) if answer is not None else None,
        first_visible=_round(delivery.first_visible),
        edits=delivery.edits,
    )


def _round(value: float | None) -> float | None:
    return round(value, 4) if value is not None else None
