"""Values for the store's tests: one message, one record, as small as they can be."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.exchange import Exchange
from bot.store.base import HistoryRow, Outcome, TurnRecord
from channels.capabilities import Surface
from channels.events import Address, ConversationKey, Message, Sender
from providers.base import PromptMessage, Role, ToolCall

SOME_TIME = 1_795_000_000.0
KEY = ConversationKey("fake", "main", "4711")


def message(event_key: str, text: str = "What is the time?", space: str = "4711") -> Message:
    key = ConversationKey("fake", "main", space)
    return Message(
        event_key=event_key,
        message_id=f"m-{event_key}",
        address=Address(key, Surface.DIRECT, reply_to=f"m-{event_key}", handle="token"),
        sender=Sender("u-1", "Ada"),
        text=text,
        sent_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
    )


def record(turn_id: str, *, text: str = "Noon.", space: str = "4711", session: int = 1) -> TurnRecord:
    return TurnRecord(
        turn_id=turn_id,
        key=str(ConversationKey("fake", "main", space)),
        session=session,
        inbox_ids=(turn_id,),
        outcome=Outcome.DONE,
        history=(
            HistoryRow("user", "What is the time?", "m-1", SOME_TIME, "Ada", turn_id=turn_id),
            HistoryRow(
                "assistant",
                text,
                "9",
                SOME_TIME + 1,
                turn_id=turn_id,
                note={"model": "demo"},
                exchange=Exchange(
                    (
                        PromptMessage(Role.ASSISTANT, "", calls=(ToolCall("c1", "clock__now", "{}"),)),
                        PromptMessage(Role.TOOL, "12:00", call_id="c1"),
                        PromptMessage(Role.ASSISTANT, text, memo="kept"),
                    )
                ),
            ),
        ),
        parts=("9",),
        model="demo/demo",
        cost_usd=0.0125,
        started_at=SOME_TIME,
        ended_at=SOME_TIME + 1,
        detail={"reason": "default", "attempts": [{"rung": 0, "ttft": 0.21}], "usage": {"input": 12}},
    )
