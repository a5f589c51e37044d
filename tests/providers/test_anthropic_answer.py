"""The events of a Messages answer: what they become, and what is wrong with those that become nothing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from providers.anthropic_answer import MAX_MEMO_CHARS, AnswerReader, EventReader, counts_of, usage_of
from providers.base import (
    Finished,
    FinishReason,
    Memo,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageSoFar,
)
from providers.errors import ErrorKind, ProviderError

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "model": "claude-haiku-5-5-20261001",
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "output_tokens": 1,
        },
    },
}
STOP = {"type": "message_stop"}


def begin(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def end(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def last(reason: str = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


TEXT = [begin(0, type="text", text=""), delta(0, "text_delta", text="Hello"), end(0)]


def read(*events: dict[str, Any], schema_tool: str = "") -> list[StreamEvent]:
    reader = AnswerReader("claude-haiku-5-5", "req_1", schema_tool=schema_tool)
    return [one for event in events for one in reader.take(event)] + reader.close()


def failure(*events: dict[str, Any]) -> ErrorKind:
    with pytest.raises(ProviderError) as caught:
        read(*events)
    return caught.value.kind


def test_an_answer_becomes_a_start_texts_counts_and_an_end() -> None:
    before, after = Usage(130, 1, 100, 0, None, 20), Usage(130, 7, 100, 3, None, 20)
    counted = last(output_tokens=7, output_tokens_details={"thinking_tokens": 3})
    assert read(START, {"type": "ping"}, *TEXT, counted, STOP) == [
        Started("req_1", "claude-haiku-5-5-20261001"),
        UsageSoFar(before),
        TextDelta("Hello"),
        Finished(FinishReason.STOP, after, "end_turn"),
    ]


def test_the_messages_id_stands_in_for_a_request_id_that_is_missing() -> None:
    started = AnswerReader("m").take(START)[0]
    assert isinstance(started, Started)
    assert started.request_id == "msg_1"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("pause_turn", FinishReason.LENGTH),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("refusal", FinishReason.CONTENT_FILTER),
        ("model_context_window_exceeded", FinishReason.CONTEXT),
        ("a_reason_of_next_year", FinishReason.STOP),
    ],
)
def test_every_stop_reason_has_a_meaning(raw: str, reason: FinishReason) -> None:
    finished = read(START, *TEXT, last(raw), STOP)[-1]
    assert isinstance(finished, Finished)
    assert (finished.reason, finished.raw) == (reason, raw)


def test_an_answer_whose_end_mark_is_missing_is_whole_once_its_stop_reason_is_there() -> None:
    assert isinstance(read(START, *TEXT, last())[-1], Finished)


def test_an_answer_without_a_stop_reason_is_incomplete() -> None:
    assert failure(START, *TEXT) is ErrorKind.INCOMPLETE
    assert failure(START, *TEXT, STOP) is ErrorKind.INCOMPLETE
    assert failure() is ErrorKind.INCOMPLETE


def test_nothing_follows_the_end() -> None:
    events = read(START, *TEXT, last(), STOP, STOP, delta(0, "text_delta", text="more"))
    assert [type(one) for one in events].count(Finished) == 1
    assert isinstance(events[-1], Finished)


def test_calls_are_numbered_among_themselves_and_come_in_pieces() -> None:
    events = read(
        START,
        *TEXT,
        begin(1, type="tool_use", id="t1", name="weather", input={}),
        delta(1, "input_json_delta", partial_json=""),
        delta(1, "input_json_delta", partial_json='{"city":'),
        delta(1, "input_json_delta", partial_json='"Oslo"}'),
        end(1),
        begin(2, type="tool_use", id="t2", name="clock", input={}),
        end(2),
        begin(3, type="tool_use", id="t3", name="whole", input={"a": 1}),
        end(3),
        last("tool_use"),
        STOP,
    )
    assert [one for one in events if isinstance(one, ToolCallDelta)] == [
        ToolCallDelta(0, "t1", "weather"),
        ToolCallDelta(0, arguments='{"city":'),
        ToolCallDelta(0, arguments='"Oslo"}'),
        ToolCallDelta(1, "t2", "clock"),
        ToolCallDelta(1, arguments="{}"),
        ToolCallDelta(2, "t3", "whole", '{"a":1}'),
    ]


def test_the_tool_that_stands_for_a_schema_is_the_answers_text() -> None:
    events = read(
        START,
        begin(0, type="tool_use", id="t1", name="answer", input={}),
        delta(0, "input_json_delta", partial_json='{"yes":true}'),
        end(0),
        last("tool_use"),
        STOP,
        schema_tool="answer",
    )
    assert [type(one) for one in events] == [Started, UsageSoFar, TextDelta, Finished]
    assert events[-1] == Finished(FinishReason.STOP, Usage(130, 1, 100, 0, None, 20), "tool_use")


def thoughts(text: str = "Hm.") -> list[dict[str, Any]]:
    return [
        begin(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking=text),
        delta(0, "signature_delta", signature="sig=="),
        end(0),
    ]


def test_thoughts_are_told_apart_and_remembered_with_their_signature() -> None:
    events = read(
        START,
        *thoughts(),
        begin(1, type="redacted_thinking", data="opaque"),
        end(1),
        begin(2, type="text", text="He"),
        delta(2, "text_delta", text="llo"),
        end(2),
        begin(3, type="tool_use", id="t1", name="weather", input={}),
        end(3),
        last("tool_use"),
        STOP,
    )
    assert ReasoningDelta("Hm.") in events
    memo = events[-2]
    assert isinstance(memo, Memo)
    assert orjson.loads(memo.data) == {
        "model": "claude-haiku-5-5",
        "blocks": [
            {"type": "thinking", "thinking": "Hm.", "signature": "sig=="},
            {"type": "redacted_thinking", "data": "opaque"},
            {"type": "text", "length": 5},
            {"type": "tool_use", "id": "t1"},
        ],
    }


def test_thoughts_that_are_kept_to_themselves_leave_their_signature() -> None:
    hidden = [thoughts()[0], *thoughts()[2:]]
    events = read(START, *hidden, last(), STOP)
    assert not any(isinstance(one, ReasoningDelta) for one in events)
    assert isinstance(events[-2], Memo)
    assert "sig==" in events[-2].data


def test_an_answer_without_thoughts_has_no_memo() -> None:
    assert not any(isinstance(one, Memo) for one in read(START, *TEXT, last(), STOP))


def test_endless_thoughts_are_not_kept() -> None:
    events = read(START, *thoughts("x" * (MAX_MEMO_CHARS + 1)), last(), STOP)
    assert not any(isinstance(one, Memo) for one in events)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", ErrorKind.OVERLOADED),
        ("rate_limit_error", ErrorKind.RATE_LIMIT),
        ("api_error", ErrorKind.SERVER),
        ("timeout_error", ErrorKind.SERVER),
        ("invalid_request_error", ErrorKind.BAD_REQUEST),
        ("authentication_error", ErrorKind.AUTH),
        ("permission_error", ErrorKind.PERMISSION),
        ("billing_error", ErrorKind.QUOTA),
        ("not_found_error", ErrorKind.MODEL_GONE),
        ("request_too_large", ErrorKind.TOO_LARGE),
        ("an_error_of_next_year", ErrorKind.SERVER),
    ],
)
def test_an_error_in_the_stream_is_known_by_its_type(kind: str, expected: ErrorKind) -> None:
    event = {"type": "error", "error": {"type": kind, "message": "Something is wrong"}}
    assert failure(START, *TEXT, event) is expected
    assert failure(event) is expected


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": "message_start"},
        begin(0),
        begin(0, type="tool_use", id="t1"),
        delta(7, "text_delta", text="x"),
        delta(0, "text_delta"),
        delta(0, "text_delta", text=None),
        {"type": "message_delta", "delta": None},
        START,
    ],
    ids=str,
)
def test_what_is_no_event_of_an_answer_is_malformed(event: dict[str, Any]) -> None:
    assert failure(START, TEXT[0], event) is ErrorKind.MALFORMED


def test_text_before_the_beginning_is_malformed() -> None:
    assert failure(*TEXT) is ErrorKind.MALFORMED


def test_events_and_blocks_that_are_not_known_yet_are_passed_over() -> None:
    odd = [
        begin(1, type="server_tool_use", id="s", name="search", input={}),
        delta(1, "input_json_delta", partial_json="{}"),
        delta(1, "of_next_year", text="x"),
        end(1),
        {"type": "of_next_year"},
    ]
    events = read(START, *TEXT, *odd, last(), STOP)
    assert [type(one) for one in events] == [Started, UsageSoFar, TextDelta, Finished]


def test_halves_of_characters_are_replaced() -> None:
    events = read(START, TEXT[0], delta(0, "text_delta", text="a\ud83d"), last(), STOP)
    assert TextDelta("a\ufffd") in events


def test_counts_are_never_negative_and_odd_ones_count_nothing() -> None:
    odd = {"input_tokens": -5, "output_tokens": 3.0, "cache_read_input_tokens": None, "service_tier": "x"}
    assert usage_of(counts_of(odd)) == Usage(0, 3)


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (str(one["type"]).encode(), orjson.dumps(one)) for one in events
    )


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_events_are_the_same_however_the_bytes_were_cut(size: int) -> None:
    text = sse(START, *TEXT, last(), STOP)
    reader = EventReader()
    found = [one for at in range(0, len(text), size) for one in reader.feed(text[at : at + size])]
    assert found + reader.close() == [START, *TEXT, last(), STOP]
    assert reader.failure is None


def test_what_came_before_a_damaged_event_is_handed_out() -> None:
    reader = EventReader()
    assert reader.feed(sse(START) + b"data: {oops\n\n" + sse(STOP)) == [START]
    assert reader.failure is not None
    assert reader.failure.kind is ErrorKind.MALFORMED


def test_a_damaged_character_costs_one_glyph() -> None:
    reader = EventReader()
    (event,) = reader.feed(b'data: {"type": "x", "text": "a\xff"}\n\n')
    assert event["text"] == "a\ufffd"


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b' {"id": "msg_1"}', b"\n\n<!doctype html>"])
def test_a_page_or_an_object_is_no_stream(body: bytes) -> None:
    reader = EventReader()
    assert reader.feed(body) == []
    assert reader.failure is not None
    assert reader.failure.kind is ErrorKind.MALFORMED


def test_a_body_that_ends_inside_an_event_is_incomplete() -> None:
    reader = EventReader()
    reader.feed(sse(START) + b'event: x\ndata: {"type": "con')
    assert reader.close() == []
    assert reader.failure is not None
    assert reader.failure.kind is ErrorKind.INCOMPLETE
