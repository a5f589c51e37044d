"""Results as text, names, and lines: for any input."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.mcp.lines import Lines, TooLong
from bot.mcp.naming import described, offered_name
from bot.mcp.results import NOTHING, cut, result_of
from tests.generated import generated

NAMES = st.text(max_size=80) | st.from_regex(r"[a-z_]{0,6}(_[0-9a-f]{10})?", fullmatch=True)


@generated
@given(st.text(max_size=300), st.integers(min_value=80, max_value=400))
def test_a_cut_text_fits_and_begins_as_the_whole_did(text: str, most: int) -> None:
    short = cut(text, most)
    assert len(short.encode()) <= most
    assert short == text or text.startswith(short.rpartition("\n[Cut off here: ")[0])


@given(NAMES, NAMES)
def test_a_name_is_what_every_provider_takes(server: str, tool: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", offered_name(server, tool))


_JSON = st.recursive(
    st.none() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
_WORDS = st.sampled_from(["type", "properties", "required", "anyOf", "oneOf", "allOf", "not", "$defs"])


@given(st.dictionaries(_WORDS, _JSON))
def test_a_schema_is_one_of_an_object_with_plain_names_or_none(schema: dict[str, object]) -> None:
    made = described(schema)
    if made is not None:
        assert made["type"] == "object"
        assert all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name) for name in made["properties"])
        assert not {"anyOf", "oneOf", "allOf", "not"} & made.keys()
        assert made.get("required", ["x"])


def test_what_may_be_given_one_way_or_another_is_named_once() -> None:
    one = {"properties": {"a": {"type": "string"}}, "required": ["a"]}
    two = {"properties": {"b": {}}, "required": ["b"]}
    assert described({"oneOf": [one, two], "$defs": {}}) == {
        "$defs": {},
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {}},
    }
    assert described({"allOf": [one, two]}) == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {}},
        "required": ["a", "b"],
    }


@given(st.sets(st.tuples(NAMES, NAMES), min_size=2, max_size=20))
def test_no_two_tools_have_one_name(pairs: set[tuple[str, str]]) -> None:
    assert len({offered_name(*pair) for pair in pairs}) == len(pairs)


@generated
@given(st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line)), st.integers(1, 50))
def test_lines_come_whole_however_the_bytes_are_cut(lines: list[bytes], size: int) -> None:
    data = b"".join(line + b"\n" for line in lines)
    cutter = Lines(40)
    found = [each for at in range(0, len(data), size) for each in cutter.feed(data[at : at + size])]
    kept = [line for line in lines if line.strip() or len(line) > 40]
    assert [each if isinstance(each, bytes) else b"" for each in found] == [
        line if len(line) <= 40 else b"" for line in kept
    ]


def test_a_line_that_is_too_long_still_tells_whom_it_answers() -> None:
    assert TooLong(b'{"jsonrpc": "2.0", "id": 12, "result": {"x', b"").answers == 12
    assert TooLong(b'{"id":"listen-3","result":{"x', b"").answers == "listen-3"
    assert TooLong(b'{"result":{"id":99,"x', b'xx"}]},"jsonrpc":"2.0","id":5}').answers == 5
    assert TooLong(b'{"result":{"id":99,"x', b'xx","id":5}}').answers is None
    assert (
        TooLong(b'{"jsonrpc":"2.0","id":3,"method":"sampling/createMessage","params":{"', b"}}").answers
        is None
    )


def test_what_is_no_text_is_put_in_words() -> None:
    content = [
        {"type": "text", "text": "one"},
        {"type": "audio", "mimeType": "audio/wav", "data": "AAAA"},
        {"type": "resource_link", "name": "menu", "uri": "file:///menu.txt"},
        {"type": "resource", "resource": {"uri": "file:///a", "text": "inside"}},
        {"type": "resource", "resource": {"uri": "file:///b", "mimeType": "x/y", "blob": "AAAAAAAA"}},
        {"type": "hologram"},
    ]
    assert result_of({"content": content}).text.splitlines() == [
        "one",
        "[A sound, audio/wav, 3 bytes: it cannot be played here.]",
        "[A link to menu, file:///menu.txt]",
        "[file:///a]",
        "inside",
        "[A file, file:///b, x/y, 6 bytes: it cannot be shown here.]",
        "[Something of the kind 'hologram': it cannot be shown here.]",
    ]


def test_text_goes_before_structure_and_nothing_is_said() -> None:
    assert result_of({"content": [{"type": "text", "text": "x"}], "structuredContent": {"a": 1}}).text == "x"
    assert result_of({"content": [], "structuredContent": {"a": "ä"}}).text == '{"a": "ä"}'
    assert result_of({"content": []}).text == NOTHING
    assert result_of({"content": [], "isError": True}).is_error
