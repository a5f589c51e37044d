"""The event-stream grammar, cut anywhere."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ErrorKind, ProviderError
from providers.sse import MAX_LINE_BYTES, Parser, ServerEvent
from tests.generated import generated


def parse(*chunks: bytes) -> list[ServerEvent]:
    parser = Parser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + parser.close()


def data(*chunks: bytes) -> list[bytes]:
    return [event.data for event in parse(*chunks)]


def test_an_empty_line_ends_an_event() -> None:
    parser = Parser()
    assert parser.feed(b"data: one\n") == []
    assert parser.feed(b"\n") == [ServerEvent(b"one")]


def test_several_data_lines_are_one_event() -> None:
    assert data(b"data: one\ndata:\ndata: three\n\n") == [b"one\n\nthree"]


def test_only_one_space_after_the_colon_is_dropped() -> None:
    assert data(b"data:one\n\ndata:  two\n\n") == [b"one", b" two"]


def test_comments_and_other_fields_say_nothing() -> None:
    assert data(b": ping\n\nid: 7\nretry: 10\ndata: one\n\n:\n\n") == [b"one"]


def test_an_event_may_have_a_name_of_its_own_only() -> None:
    events = parse(b"event: error\ndata: one\n\ndata: two\n\n")
    assert [event.name for event in events] == ["error", "message"]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert data(b"\xef\xbb\xbfdata: one\n\n") == [b"one"]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_of_the_grammar_is_known(newline: bytes) -> None:
    stream = newline.join([b"data: one", b"data: more", b"", b"data: two", b"", b""])
    assert data(stream) == [b"one\nmore", b"two"]


def test_the_end_mark_of_a_dialect_ends_nothing_here() -> None:
    assert data(b"data: [DONE]\n\ndata: after\n\n") == [b"[DONE]", b"after"]


def test_the_end_of_the_body_ends_the_last_event() -> None:
    assert data(b"data: one\n\ndata: two") == [b"one", b"two"]


def test_a_line_that_is_no_field_is_handed_out_without_a_name() -> None:
    assert parse(b'data: one\n\n{"error": "gone"}\n\n') == [
        ServerEvent(b"one"),
        ServerEvent(b'{"error": "gone"}', ""),
    ]


def test_a_line_without_end_is_malformed_and_takes_no_more_memory() -> None:
    parser = Parser()
    with pytest.raises(ProviderError) as caught:
        for _ in range(MAX_LINE_BYTES // 1000 + 2):
            parser.feed(b"data: " + b"x" * 1000)
    assert caught.value.kind is ErrorKind.MALFORMED


def test_data_lines_without_end_are_malformed() -> None:
    parser = Parser()
    with pytest.raises(ProviderError) as caught:
        for _ in range(MAX_LINE_BYTES // 1000 + 2):
            parser.feed(b"data: " + b"x" * 1000 + b"\n")
    assert caught.value.kind is ErrorKind.MALFORMED


def test_a_long_line_that_arrives_byte_by_byte_costs_no_more_than_its_bytes() -> None:
    parser = Parser()
    for _ in range(200_000):
        parser.feed(b"x")
    assert len(parser.close()) == 1


line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)


@generated
@given(st.lists(texts.filter(bool), min_size=1, max_size=8), line_ends, st.data())
def test_however_a_stream_is_cut_the_events_are_the_same(
    events: list[str], newline: bytes, draw: st.DataObject
) -> None:
    stream = b"".join(b"data: " + event.encode() + newline + newline for event in events)
    cuts = draw.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert data(*pieces) == [event.encode() for event in events]


@generated
@given(st.binary(max_size=400), st.integers(1, 7))
def test_no_bytes_break_the_parser(stream: bytes, size: int) -> None:
    parse(*(stream[at : at + size] for at in range(0, len(stream), size)))
