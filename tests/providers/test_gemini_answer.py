"""What comes of the bytes of an answer. Samples in the shapes of the Gemini API's documentation, 2026-11."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from providers.errors import ErrorKind
from providers.gemini_answer import MAX_CALLS, AnswerReader, read_usage
from tests.generated import generated


def chunk(
    *parts: dict[str, Any], finish: str = "", usage: dict[str, Any] | None = None, **more: Any
) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    value = {"candidates": [candidate], "modelVersion": "gemini-3.8-flash", "responseId": "r1", **more}
    if usage is not None:
        value["usageMetadata"] = usage
    return event(value)


def event(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\r\n\r\n"


USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def read(*chunks: bytes) -> tuple[list[StreamEvent], AnswerReader]:
    reader = AnswerReader("gemini-3.8-flash", "made-up")
    events = [event for each in chunks for event in reader.feed(each)]
    return events + reader.close(), reader


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_an_answer_in_pieces() -> None:
    events, reader = read(
        chunk({"text": "Hel"}, usage={"promptTokenCount": 10, "totalTokenCount": 10}),
        chunk({"text": "lo"}, usage=USAGE, finish="STOP"),
    )
    assert events == [
        Started("r1", "gemini-3.8-flash"),
        UsageSoFar(Usage(10)),
        TextDelta("Hel"),
        UsageSoFar(Usage(10, 5)),
        TextDelta("lo"),
        Finished(FinishReason.STOP, Usage(10, 5), "STOP"),
    ]
    assert reader.is_over


def test_thoughts_are_told_apart_from_the_answer_and_counted_as_output() -> None:
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 30}
    events, _ = read(
        chunk({"text": "**Considering**", "thought": True}),
        chunk({"text": "Yes"}, usage=usage, finish="STOP"),
    )
    assert ReasoningDelta("**Considering**") in events
    assert text_of(events) == "Yes"
    assert events[-1] == Finished(FinishReason.STOP, Usage(9, 32, reasoning_tokens=30), "STOP")


def test_a_call_comes_whole_and_keeps_the_servers_id() -> None:
    call = {
        "functionCall": {"name": "weather", "args": {"city": "Oslo"}, "id": "fc1"},
        "thoughtSignature": "sig",
    }
    events, _ = read(chunk(call, {"functionCall": {"name": "clock"}}, finish="STOP", usage=USAGE))
    assert [event for event in events if isinstance(event, ToolCallDelta)] == [
        ToolCallDelta(0, "fc1", "weather", '{"city":"Oslo"}'),
        ToolCallDelta(1, "r1-1", "clock", "{}"),
    ]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason is FinishReason.TOOL_CALLS


def test_signatures_are_handed_out_as_a_memo_with_the_parts_that_they_came_in() -> None:
    events, _ = read(
        chunk({"text": "Let "}),
        chunk({"text": "me"}),
        chunk({"text": "!", "thoughtSignature": "s1"}),
        chunk({"text": "", "thoughtSignature": "s2"}, finish="STOP", usage=USAGE),
    )
    memo = events[-2]
    assert isinstance(memo, Memo)
    assert orjson.loads(memo.data) == {
        "gemini": "gemini-3.8-flash",
        "parts": [["t", 6, ""], ["t", 1, "s1"], ["t", 0, "s2"]],
    }


def test_without_signatures_there_is_no_memo() -> None:
    events, _ = read(chunk({"text": "Hi"}, finish="STOP", usage=USAGE))
    assert not any(isinstance(event, Memo) for event in events)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("STOP", FinishReason.STOP),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("SAFETY", FinishReason.CONTENT_FILTER),
        ("RECITATION", FinishReason.CONTENT_FILTER),
        ("LANGUAGE", FinishReason.CONTENT_FILTER),
        ("BLOCKLIST", FinishReason.CONTENT_FILTER),
        ("PROHIBITED_CONTENT", FinishReason.CONTENT_FILTER),
        ("SPII", FinishReason.CONTENT_FILTER),
        ("IMAGE_SAFETY", FinishReason.CONTENT_FILTER),
        ("A_REASON_OF_NEXT_YEAR", FinishReason.STOP),
    ],
)
def test_every_way_to_end_has_its_reason(finish: str, reason: FinishReason) -> None:
    events, _ = read(chunk({"text": "Hi"}, finish=finish, usage=USAGE))
    assert events[-1] == Finished(reason, Usage(10, 5), finish)


@pytest.mark.parametrize(
    ("finish", "kind"),
    [
        ("MALFORMED_FUNCTION_CALL", ErrorKind.MALFORMED),
        ("UNEXPECTED_TOOL_CALL", ErrorKind.MALFORMED),
        ("OTHER", ErrorKind.SERVER),
        ("MISSING_THOUGHT_SIGNATURE", ErrorKind.BAD_REQUEST),
    ],
)
def test_a_model_that_broke_off_has_not_answered(finish: str, kind: ErrorKind) -> None:
    events, reader = read(chunk({"text": "Hi"}, finish=finish, usage=USAGE))
    assert text_of(events) == "Hi"
    assert reader.failure is not None
    assert reader.failure.kind is kind
    assert not any(isinstance(event, Finished) for event in events)


def test_a_prompt_that_is_blocked_ends_with_the_reason() -> None:
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 4},
    }
    events, _ = read(event(blocked))
    assert events[-1] == Finished(FinishReason.CONTENT_FILTER, Usage(4), "PROHIBITED_CONTENT")


def test_feedback_that_blocks_nothing_is_no_end() -> None:
    events, _ = read(
        chunk({"text": "Hi"}, promptFeedback={"safetyRatings": []}), chunk(finish="STOP", usage=USAGE)
    )
    assert events[-1] == Finished(FinishReason.STOP, Usage(10, 5), "STOP")


def test_an_error_in_the_stream_has_the_kind_of_its_code_and_the_wait_of_its_details() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"}]
    error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE", "details": details}
    events, reader = read(chunk({"text": "Hel"}), event({"error": error}))
    assert text_of(events) == "Hel"
    assert reader.failure is not None
    assert (reader.failure.kind, reader.failure.retry_after) == (ErrorKind.OVERLOADED, 36.0)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", ErrorKind.INCOMPLETE),
        (chunk({"text": "Hel"}), ErrorKind.INCOMPLETE),
        (chunk({"text": "Hel"}) + b'data: {"candidates": [{"con', ErrorKind.INCOMPLETE),
        (chunk({"text": "Hel"}) + b"data: nonsense\n\n", ErrorKind.MALFORMED),
        (event({"hello": "world"}), ErrorKind.MALFORMED),
        (event([1, 2]), ErrorKind.MALFORMED),
        (event({"candidates": 7}), ErrorKind.MALFORMED),
        (event({"candidates": [{"content": {"parts": [{"functionCall": {}}]}}]}), ErrorKind.MALFORMED),
        (event({"candidates": [{"content": {"parts": [3]}}]}), ErrorKind.MALFORMED),
        (event({"usageMetadata": 3}), ErrorKind.MALFORMED),
        (b"<html><body>502 Bad Gateway</body></html>", ErrorKind.MALFORMED),
        (b'{"candidates": [', ErrorKind.INCOMPLETE),
    ],
)
def test_what_is_no_whole_answer_says_so(body: bytes, kind: ErrorKind) -> None:
    events, reader = read(body)
    assert reader.failure is not None
    assert reader.failure.kind is kind
    assert not any(isinstance(event, Finished) for event in events)


def test_an_answer_that_lost_its_stream_on_the_way_is_read_all_the_same() -> None:
    values = [
        orjson.loads(each[6:]) for each in (chunk({"text": "Hel"}), chunk({"text": "lo"}, finish="STOP"))
    ]
    events, _ = read(orjson.dumps(values))
    assert text_of(events) == "Hello"
    assert isinstance(events[-1], Finished)


def test_half_a_character_costs_one_glyph_and_not_the_answer() -> None:
    broken = chunk({"text": "caf\u00e9"}, finish="STOP", usage=USAGE).replace(b"\xc3\xa9", b"\xc3")
    events, _ = read(broken)
    assert text_of(events) == "caf\ufffd"
    assert isinstance(events[-1], Finished)


def test_usage_that_never_comes_is_not_waited_for() -> None:
    reader = AnswerReader("m", "c")
    events = reader.feed(chunk({"text": "Hi"}, finish="STOP"))
    assert reader.is_ending
    assert not any(isinstance(event, Finished) for event in events)
    assert reader.stop_waiting() == [Finished(FinishReason.STOP, None, "STOP")]


def test_counts_never_go_down_and_are_never_negative() -> None:
    before = read_usage({"promptTokenCount": 10, "candidatesTokenCount": 5, "cachedContentTokenCount": 8})
    assert before == Usage(10, 5, cached_tokens=8)
    assert read_usage({"promptTokenCount": 3, "candidatesTokenCount": -4}, before) == before
    assert read_usage({"promptTokenCount": None, "cachedContentTokenCount": 99}) == Usage()


def test_more_calls_than_any_model_makes_are_no_answer() -> None:
    calls = [{"functionCall": {"name": "f"}} for _ in range(MAX_CALLS + 1)]
    _, reader = read(chunk(*calls, finish="STOP", usage=USAGE))
    assert reader.failure is not None
    assert reader.failure.kind is ErrorKind.MALFORMED


@generated
@given(st.data())
def test_however_the_bytes_are_cut_the_answer_is_the_same(data: st.DataObject) -> None:
    body = chunk({"text": "gr\u00fc\u00df \U0001f44b"}) + chunk({"text": "dich"}, finish="STOP", usage=USAGE)
    whole, _ = read(body)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert read(*pieces)[0] == whole


@generated
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything(noise: bytes) -> None:
    _, reader = read(chunk({"text": "Hi"}), noise)
    assert reader.is_over or reader.failure is not None
