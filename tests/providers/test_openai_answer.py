"""What the bytes of an answer mean, without a network."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import (
    Finished,
    FinishReason,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageSoFar,
)
from providers.errors import ErrorKind, ProviderError
from providers.exchange import Events
from providers.openai_answer import MAX_WHOLE_BYTES, AnswerReader
from tests.generated import generated

STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


def delta(**fields: Any) -> dict[str, Any]:
    return {"id": "r1", "model": "m1", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def sse(*values: Any) -> bytes:
    lines = (value if isinstance(value, bytes) else orjson.dumps(value) for value in values)
    return b"".join(b"data: " + line + b"\n\n" for line in lines)


def read(*chunks: bytes, reader: AnswerReader | None = None) -> list[StreamEvent]:
    reader = reader or AnswerReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)] + list(reader.close())
    if reader.failure is not None:
        raise reader.failure
    return events


def said(events: list[StreamEvent], kind: type[TextDelta | ReasoningDelta] = TextDelta) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


def failure(*chunks: bytes) -> tuple[str, ErrorKind]:
    """The text that came before the failure, and its kind."""
    reader = AnswerReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)] + list(reader.close())
    assert reader.failure is not None
    assert not any(isinstance(event, Finished) for event in events)
    return said(events), reader.failure.kind


def test_an_answer_begins_and_ends_and_says_its_text_between() -> None:
    events = read(
        sse(delta(role="assistant", content=""), delta(content="Hel"), delta(content="lo"), STOP, USAGE)
    )
    assert events == [
        Started("r1", "m1"),
        TextDelta("Hello"),
        Finished(FinishReason.STOP, Usage(3, 2), "stop"),
    ]


def test_the_request_id_of_the_headers_is_the_better_one() -> None:
    assert read(sse(delta(), STOP), reader=AnswerReader("h1"))[0] == Started("h1", "m1")


def test_an_answer_without_the_end_mark_is_whole() -> None:
    assert read(sse(delta(content="x"), STOP))[-1] == Finished(FinishReason.STOP, None, "stop")


def test_finish_comes_with_the_usage_and_does_not_wait_for_the_end_of_the_body() -> None:
    reader = AnswerReader()
    assert not any(isinstance(event, Finished) for event in reader.feed(sse(delta(content="x"), STOP)))
    assert reader.is_ending and not reader.is_over
    assert reader.feed(sse(USAGE)) == [Finished(FinishReason.STOP, Usage(3, 2), "stop")]
    assert reader.is_over


def test_the_end_mark_finishes_an_answer_without_usage() -> None:
    reader = AnswerReader()
    reader.feed(sse(delta(content="x"), STOP))
    assert reader.feed(sse(b"[DONE]")) == [Finished(FinishReason.STOP, None, "stop")]


def test_whoever_waits_too_long_for_the_end_takes_what_is_there() -> None:
    reader = AnswerReader()
    reader.feed(sse(delta(content="x"), STOP))
    assert reader.stop_waiting() == [Finished(FinishReason.STOP, None, "stop")]


def test_nothing_after_the_end_counts() -> None:
    stream = sse(delta(content="x"), STOP, USAGE, delta(content="y"), {"error": {"type": "api_error"}})
    assert said(read(stream)) == "x"


def test_a_body_that_ends_without_a_finish_reason_is_incomplete() -> None:
    assert failure(sse(delta(content="half"))) == ("half", ErrorKind.INCOMPLETE)


def test_the_end_mark_alone_makes_no_answer_whole() -> None:
    assert failure(sse(delta(content="half"), b"[DONE]")) == ("half", ErrorKind.INCOMPLETE)


def test_an_empty_body_is_incomplete() -> None:
    assert failure() == ("", ErrorKind.INCOMPLETE)
    assert failure(b"\n\n") == ("", ErrorKind.INCOMPLETE)


def test_an_event_that_is_cut_is_incomplete() -> None:
    whole = sse(delta(content="half"), delta(content="é"))
    assert failure(whole[: whole.index("é".encode()) + 1]) == ("half", ErrorKind.INCOMPLETE)


def test_an_empty_answer_is_an_answer() -> None:
    assert read(sse(delta(content=""), STOP, USAGE)) == [
        Started("r1", "m1"),
        Finished(FinishReason.STOP, Usage(3, 2), "stop"),
    ]


GARBAGE = {
    "no UTF-8": b"\xff\xfe\x00garbage \x80\x81\r\n{]\n\n",
    "no JSON": b"data: {]\n\n",
    "a number": b"data: 7\n\n",
    "a list": b"data: []\n\n",
    "choices of a wrong kind": b'data: {"choices": 7}\n\n',
    "a delta of a wrong kind": b'data: {"choices": [{"delta": "x"}]}\n\n',
    "content of a wrong kind": b'data: {"choices": [{"delta": {"content": 7}}]}\n\n',
    "usage of a wrong kind": b'data: {"usage": "x"}\n\n',
    "tool calls of a wrong kind": b'data: {"choices": [{"delta": {"tool_calls": 7}}]}\n\n',
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_bytes_that_are_no_answer_are_malformed_and_what_came_before_is_kept(garbage: bytes) -> None:
    assert failure(sse(delta(content="so far")) + garbage + sse(STOP)) == ("so far", ErrorKind.MALFORMED)


def test_a_page_is_malformed() -> None:
    assert failure(b"<!doctype html><p>Sign in") == ("", ErrorKind.MALFORMED)


def test_a_broken_character_in_a_whole_event_becomes_a_replacement() -> None:
    broken = b'data: {"choices":[{"delta":{"content":"caf\xc3"}}]}\n\n'
    assert said(read(broken + sse(STOP))) == "caf\ufffd"


def test_halves_of_one_character_in_two_events_are_joined() -> None:
    first, second = (
        b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\ude00b"}}]}\n\n',
    )
    assert said(read(first, second, sse(STOP))) == "a\U0001f600b"


def test_half_a_character_that_stays_alone_becomes_a_replacement() -> None:
    assert said(read(b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n', sse(STOP))) == "a\ufffd"


def test_an_error_in_the_stream_is_an_error_and_what_came_before_is_kept() -> None:
    stream = sse(delta(content="so far"), {"error": {"type": "overloaded_error", "message": "busy"}})
    assert failure(stream) == ("so far", ErrorKind.OVERLOADED)


def test_an_error_event_may_be_a_bare_object() -> None:
    stream = b'event: error\ndata: {"type": "rate_limit_error", "message": "slow"}\n\n'
    assert failure(stream) == ("", ErrorKind.RATE_LIMIT)


def test_an_error_may_be_a_line_without_a_field() -> None:
    stream = sse(delta(content="so far")) + b'{"error": {"type": "overloaded_error"}}\n\n'
    assert failure(stream) == ("so far", ErrorKind.OVERLOADED)


def test_an_answer_that_the_model_broke_off_is_an_error() -> None:
    broken = {"choices": [{"delta": {}, "finish_reason": "error"}]}
    assert failure(sse(delta(content="so far"), broken)) == ("so far", ErrorKind.SERVER)


def test_a_ping_says_nothing() -> None:
    ping = b'event: ping\ndata: {"type": "ping"}\n\n: keepalive\n\n'
    assert said(read(ping + sse(delta(content="x")) + ping + sse(STOP))) == "x"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thoughts_have_two_names(field: str) -> None:
    events = read(sse(delta(**{field: "hm"}), delta(content="so"), STOP))
    assert (said(events), said(events, ReasoningDelta)) == ("so", "hm")


def test_thoughts_inside_the_text_are_parted_from_it() -> None:
    events = read(sse(delta(content="<thi"), delta(content="nk>hm</think>"), delta(content="so"), STOP))
    assert (said(events), said(events, ReasoningDelta)) == ("so", "hm")


def test_text_that_only_looked_like_a_tag_is_not_lost_at_the_end() -> None:
    assert said(read(sse(delta(content="a <thi"), STOP, USAGE))) == "a <thi"


def test_a_refusal_is_text() -> None:
    assert said(read(sse(delta(refusal="No."), STOP))) == "No."


def test_content_may_come_in_parts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "so"},
    ]
    events = read(sse(delta(content=parts), STOP))
    assert (said(events), said(events, ReasoningDelta)) == ("so", "hm")


def call(index: int | None, **fields: Any) -> dict[str, Any]:
    return delta(tool_calls=[({} if index is None else {"index": index}) | fields])


def test_a_tool_call_comes_in_pieces_and_says_its_name_once() -> None:
    events = read(
        sse(
            call(0, id="c1", type="function", function={"name": "f", "arguments": ""}),
            call(0, id="c1", function={"name": "f", "arguments": '{"a"'}),
            call(0, function={"arguments": ":1}"}),
            {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
        )
    )
    assert events[1:-1] == [
        ToolCallDelta(0, "c1", "f"),
        ToolCallDelta(0, "", "", '{"a"'),
        ToolCallDelta(0, "", "", ":1}"),
    ]
    assert events[-1] == Finished(FinishReason.TOOL_CALLS, None, "tool_calls")


def test_two_calls_under_one_index_are_two_calls() -> None:
    events = read(
        sse(
            call(0, id="c1", function={"name": "f", "arguments": "{}"}),
            call(0, id="c2", function={"name": "g", "arguments": "{}"}),
            STOP,
        )
    )
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert [(one.index, one.id, one.name) for one in calls] == [(0, "c1", "f"), (1, "c2", "g")]
    assert isinstance(events[-1], Finished) and events[-1].reason is FinishReason.TOOL_CALLS


def test_calls_without_an_id_get_one_each() -> None:
    events = read(
        sse(
            call(0, function={"name": "f", "arguments": "{}"}) | {"id": "answer-1"},
            call(1, function={"name": "f", "arguments": "{}"}),
            STOP,
        )
    )
    ids = [event.id for event in events if isinstance(event, ToolCallDelta)]
    assert all(ids) and len(set(ids)) == 2
    other = read(sse(call(0, function={"name": "f"}) | {"id": "answer-2"}, STOP))
    assert not {event.id for event in other if isinstance(event, ToolCallDelta)} & set(ids)


def test_an_error_inside_a_choice_has_the_kind_of_its_code() -> None:
    broken = {"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 429, "message": "slow"}}]}
    assert failure(sse(delta(content="x"), broken)) == ("x", ErrorKind.RATE_LIMIT)


def test_arguments_that_are_an_object_become_text() -> None:
    events = read(sse(call(None, id="c1", function={"name": "f", "arguments": {"a": 1}}), STOP))
    assert ToolCallDelta(0, "c1", "f", '{"a":1}') in events


REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "tool_calls": FinishReason.TOOL_CALLS,
    "eos": FinishReason.STOP,
    "model_context_window_exceeded": FinishReason.CONTEXT,
}


@pytest.mark.parametrize(("word", "reason"), REASONS.items())
def test_a_finish_reason_has_one_of_five_meanings_and_keeps_its_word(word: str, reason: FinishReason) -> None:
    end = {"choices": [{"delta": {}, "finish_reason": word}]}
    assert read(sse(delta(content="x"), end))[-1] == Finished(reason, None, word)


def test_usage_tells_cached_and_reasoning_tokens_and_the_queue() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    end = STOP | {"usage": usage, "time_info": {"queue_time": 0.25, "prompt_time": 0.5}}
    assert read(sse(delta(content="x"), end))[-1] == Finished(
        FinishReason.STOP, Usage(10, 5, 8, 2, 0.25, 1, 0.5), "stop"
    )


@pytest.mark.parametrize(
    ("timings", "usage"),
    [
        ({"cache_n": 6, "prompt_n": 4, "prompt_ms": 30.5}, Usage(10, 5, 6, prompt_time=0.0305)),
        ({"prompt_ms": "long"}, Usage(10, 5)),
        ("soon", Usage(10, 5)),
    ],
)
def test_what_llama_cpp_says_of_its_cache_counts(timings: Any, usage: Usage) -> None:
    end = STOP | {"usage": {"prompt_tokens": 10, "completion_tokens": 5}, "timings": timings}
    assert read(sse(delta(content="x"), end))[-1] == Finished(FinishReason.STOP, usage, "stop")


def test_usage_before_the_end_is_told_when_it_changes() -> None:
    counted = [
        delta(content="x") | {"usage": {"prompt_tokens": 3, "completion_tokens": n}} for n in (1, 1, 2)
    ]
    events = read(sse(*counted, STOP))
    assert [event for event in events if isinstance(event, UsageSoFar)] == [
        UsageSoFar(Usage(3, 1)),
        UsageSoFar(Usage(3, 2)),
    ]


WHOLE = {
    "id": "r1",
    "model": "m1",
    "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}


def test_an_answer_in_one_piece_is_an_answer() -> None:
    assert read(orjson.dumps(WHOLE)) == [
        Started("r1", "m1"),
        TextDelta("Hello"),
        Finished(FinishReason.STOP, Usage(3, 2), "stop"),
    ]


def test_an_error_in_one_piece_is_an_error() -> None:
    assert failure(b'{"error": {"type": "overloaded_error"}}') == ("", ErrorKind.OVERLOADED)
    assert failure(b'[{"error": {"code": 429}}]') == ("", ErrorKind.RATE_LIMIT)


def test_half_an_answer_in_one_piece_is_incomplete() -> None:
    assert failure(orjson.dumps(WHOLE)[:-9]) == ("", ErrorKind.INCOMPLETE)
    assert failure(orjson.dumps(WHOLE | {"choices": [{"message": {"content": "x"}}]})) == (
        "x",
        ErrorKind.INCOMPLETE,
    )


def test_an_object_that_is_no_answer_is_malformed() -> None:
    assert failure(b'{"status": "ok"}') == ("", ErrorKind.MALFORMED)


def test_an_endless_object_is_malformed() -> None:
    reader = AnswerReader()
    for _ in range(MAX_WHOLE_BYTES // 1_000_000 + 1):
        reader.feed(b"{" + b" " * 1_000_000)
    assert reader.failure is not None and reader.failure.kind is ErrorKind.MALFORMED


STREAM = sse(
    delta(role="assistant", content=""),
    delta(reasoning="hm"),
    delta(content="naïve <think>x</think>"),
    delta(content="\U0001f600 done"),
    call(0, id="c1", function={"name": "f", "arguments": "{}"}),
    STOP,
    USAGE,
    b"[DONE]",
)


async def test_words_that_come_together_are_one_event() -> None:
    pieces = [
        sse(delta(reasoning="h"), delta(reasoning="m"), delta(content="a "), delta(content="b ")),
        sse(delta(content="c"), call(0, id="c1", function={"name": "f", "arguments": "{}"})),
        sse(delta(content="d"), delta(content="e"), STOP, b"[DONE]"),
    ]

    async def read_next() -> bytes:
        return pieces.pop(0)

    events = [event async for event in Events(AnswerReader(), read_next, str)]
    assert [event for event in events if not isinstance(event, Started | Finished)] == [
        ReasoningDelta("hm"),
        TextDelta("a b "),
        TextDelta("c"),
        ToolCallDelta(0, "c1", "f", "{}"),
        TextDelta("de"),
    ]


@generated
@given(st.lists(st.integers(0, len(STREAM)), max_size=20).map(sorted))
def test_however_an_answer_is_cut_it_is_the_same(cuts: list[int]) -> None:
    edges = [0, *cuts, len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert read(*pieces) == read(STREAM)


@generated
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_break_the_reader(noise: bytes, as_data: bool) -> None:
    with pytest.raises(ProviderError) as caught:
        read(sse(delta(content="x")), b"data: " + noise if as_data else noise)
    assert caught.value.kind in {ErrorKind.MALFORMED, ErrorKind.INCOMPLETE, ErrorKind.SERVER}
