"""Values to bytes and back."""

from __future__ import annotations

from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store.codec import decode, decode_message, encode, encode_message, encode_text
from channels.events import Address, Attachment, Message
from tests.bot.store.examples import message
from tests.generated import generated

# Any text that Python can hold, lone surrogates and pairs of them included.
_ANY = st.text(st.characters() | st.sampled_from("\x00\ud83d\ude00\udfff"), max_size=30)
_OFFSETS = st.integers(-80_000, 80_000).map(lambda seconds: timezone(timedelta(seconds=seconds)))
_TIMES = st.datetimes(timezones=st.just(UTC) | _OFFSETS)

_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: _ANY,
    datetime: _TIMES,
    int: st.integers(0, 2**63 - 1),
    bool: st.booleans(),
    type(None): st.none(),
}


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as the events are made of; a field that is added to one is covered without a change."""
    if kind in _LEAVES:
        return _LEAVES[kind]
    if get_origin(kind) is UnionType:
        return st.one_of([_values(one) for one in get_args(kind)])
    if get_origin(kind) is tuple:
        return st.lists(_values(get_args(kind)[0]), max_size=3).map(tuple)
    if isinstance(kind, type) and is_dataclass(kind):
        fields = {name: _values(one) for name, one in get_type_hints(kind).items() if name != NOT_KEPT}
        return st.builds(kind, **fields)
    return st.sampled_from(kind)


NOT_KEPT = "asked"  # what a program brought is never asked again


@generated
@given(_values(Message))
def test_every_message_comes_back_as_it_was(original: Message) -> None:
    assert decode_message(encode_message(original)) == original


def test_a_message_with_every_field_set_comes_back_as_it_was() -> None:
    original = message("e1", "\ud83d \x00 \ude00 " + "x" * 1_000_000)
    assert decode_message(encode_message(original)) == original


def test_two_halves_of_a_character_stay_two() -> None:
    halves = "\ud83d" + "\ude00"
    assert len(decode_message(encode_message(message("e1", halves))).text) == 2


def test_fields_of_a_newer_version_are_passed_over() -> None:
    raw = orjson.loads(encode_message(message("e1")))
    for part in (raw, raw["address"], raw["address"]["key"], raw["sender"]):
        part["invented_later"] = {"a": [1]}
    assert decode_message(orjson.dumps(raw)) == message("e1")


def test_fields_that_an_older_version_did_not_know_take_their_defaults() -> None:
    raw = orjson.loads(encode_message(message("e1")))
    del raw["addressed"], raw["attachments"], raw["address"]["handle"], raw["sender"]["is_bot"]
    assert decode_message(orjson.dumps(raw)).attachments == ()


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b"\xff", b'"text"', b'{"event_key": 1}'])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        decode_message(data)


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY, inner, max_size=3),
    max_leaves=8,
)


@generated
@given(_PLAIN)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert decode(encode(value)) == value


def test_a_detail_may_hold_what_json_has_no_word_for() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    value = {1: (1, 2), "at": at, "huge": 2**70, "set": {3}, "kind": Attachment, "text": "\ud800"}
    for data in (encode(value), encode_text(value)):
        found = decode(data)
        assert found["1"] == [1, 2] and found["at"] == at.isoformat() and found["set"] == [3]
        assert found["huge"] == 2**70 and found["text"] == "\ud800"


def test_an_address_that_breaks_its_own_rule_cannot_come_back() -> None:
    raw = orjson.loads(encode_message(message("e1")))
    raw["address"]["handle"] = "x" * 3000
    with pytest.raises(ValueError, match="handle"):
        decode_message(orjson.dumps(raw))
    assert Address.__dataclass_fields__["handle"].default == ""
