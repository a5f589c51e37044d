"""What the page says, as events; and what it may not say."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import Surface
from channels.events import Message, TypingStarted
from channels.web.parse import (
    BadFrame,
    Models,
    Open,
    Ping,
    Say,
    Typing,
    clean,
    parse_frame,
    to_event,
    well_formed,
)
from tests.generated import generated

LIMIT = 1000
NOW = datetime(2026, 11, 21, tzinfo=UTC)
CONVERSATION = "conversation-1"
SAY = {"t": "say", "c": CONVERSATION, "id": "message-1", "text": "Hello"}


def parse(**changes: Any) -> Any:
    return parse_frame(json.dumps(SAY | changes), LIMIT)


def refused(raw: str | bytes) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        parse_frame(raw, LIMIT)
    return caught.value


def test_every_kind_of_frame_is_understood() -> None:
    assert parse() == Say(CONVERSATION, "message-1", "Hello")
    assert parse(quiet=True).is_quiet
    assert parse_frame('{"t": "open", "c": "conversation-1"}', LIMIT) == Open(CONVERSATION)
    assert parse_frame(b'{"t": "models", "c": "conversation-1"}', LIMIT) == Models(CONVERSATION)
    assert parse_frame('{"t": "typing", "c": "conversation-1"}', LIMIT) == Typing(CONVERSATION)
    assert parse_frame('{"t": "ping"}', LIMIT) == Ping()


def test_a_message_carries_the_pages_own_id_and_the_conversation() -> None:
    event = to_event(parse(), "main", NOW)
    assert isinstance(event, Message)
    assert (event.event_key, event.message_id, event.text) == ("message-1", "message-1", "Hello")
    assert str(event.address.key) == "web:main:conversation-1"
    assert event.address.surface is Surface.DIRECT and event.address.reply_to == "message-1"
    assert event.sender.id == "owner" and event.sent_at == NOW and event.addressed


def test_typing_is_an_event_of_its_own() -> None:
    assert isinstance(to_event(Typing(CONVERSATION), "main", NOW), TypingStarted)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ("", "frame"),
        ("{", "frame"),
        (b"\xff\xfe", "frame"),
        ("[" * 100_000, "frame"),
        ("[]", "frame"),
        ("null", "frame"),
        ("7", "frame"),
        ("{}", "t"),
        ('{"t": "shout"}', "t"),
        ('{"t": ["say"]}', "t"),
        ('{"t": "open"}', "c"),
        ('{"t": "open", "c": 7}', "c"),
        ('{"t": "open", "c": "short"}', "c"),
        ('{"t": "open", "c": "../../etc/passwd"}', "c"),
        ('{"t": "open", "c": "conversation\\u0000"}', "c"),
        (json.dumps({"t": "open", "c": "c" * 65}), "c"),
        (json.dumps(SAY | {"id": None}), "id"),
        (json.dumps(SAY | {"id": "no spaces here"}), "id"),
        (json.dumps(SAY | {"text": None}), "text"),
        (json.dumps(SAY | {"text": {"a": 1}}), "text"),
    ],
)
def test_junk_is_refused_by_the_name_of_its_field(raw: str | bytes, field: str) -> None:
    error = refused(raw)
    assert error.code == "bad_frame"
    assert error.data["field"] == field and "allowed" in error.data


def test_a_refusal_names_the_message_that_it_is_about() -> None:
    assert refused(json.dumps(SAY | {"text": 7})).about == "message-1"


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\0", "\r\n"])
def test_an_empty_message_is_refused(text: str) -> None:
    error = refused(json.dumps(SAY | {"text": text}))
    assert (error.code, error.about) == ("empty", "message-1")


def test_a_long_message_is_refused_with_its_size_and_the_limit() -> None:
    assert len(parse(text="x" * LIMIT).text) == LIMIT
    error = refused(json.dumps(SAY | {"text": "\u00e9" * LIMIT}))
    assert (error.code, error.about) == ("too_long", "message-1")
    assert error.data == {"got": 2 * LIMIT, "allowed": LIMIT}


def test_broken_characters_do_not_cost_the_message() -> None:
    raw = '{"t": "say", "c": "conversation-1", "id": "message-1", "text": "a\\ud800b\\u0000c\\r\\nd"}'
    assert parse_frame(raw, LIMIT) == Say(CONVERSATION, "message-1", "a\ufffdbc\nd")


@generated
@given(st.text(st.characters(codec=None, categories=("Cs", "L", "Cc", "So"))))
def test_a_cleaned_text_can_be_encoded_and_cleaning_it_again_changes_nothing(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert clean(cleaned) == cleaned
    assert "\0" not in cleaned and "\r" not in cleaned


@generated
@given(st.text(st.characters(codec=None, categories=("Cs", "L", "So"))))
def test_mending_surrogates_keeps_the_length_that_a_browser_counts(text: str) -> None:
    units = len(text.encode("utf-16-le", "surrogatepass"))
    assert len(well_formed(text).encode("utf-16-le")) == units


@generated
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_json_comes_the_answer_is_a_frame_or_a_refusal(body: object) -> None:
    with suppress(BadFrame):
        parse_frame(json.dumps(body), LIMIT)
