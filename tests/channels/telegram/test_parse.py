"""Updates as the Bot API sends them (payloads/*.json), and anything else, become events or a counted drop."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import Surface
from channels.events import AttachmentKind, Event, Membership, Message, MessageEdited, Pressed, Reaction
from channels.telegram.fields import Me
from channels.telegram.parse import Parsed, parse, update_id
from channels.telegram.text import clean_name
from tests.generated import generated

PAYLOADS = Path(__file__).parent / "payloads"
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
ME = Me("main", 700100, "firstword_bot")
GROUP = "-1001234567890"


def load(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


def read(name: str) -> Parsed:
    return parse(load(name), ME)


def one(name: str) -> Event:
    [event] = read(name).events
    return event


def message(name: str) -> Message:
    event = one(name)
    assert isinstance(event, Message)
    return event


def test_a_forwarded_message_is_not_the_word_of_who_forwards_it() -> None:
    update = load("private_text")
    update["message"]["forward_origin"] = {"type": "hidden_user", "date": 1763690000, "sender_user_name": "X"}
    [event] = parse(update, ME).events
    assert isinstance(event, Message) and event.quotes
    assert not message("private_text").quotes


def test_what_an_inline_bot_wrote_is_not_the_word_of_who_chose_it() -> None:
    update = load("private_text")
    update["message"]["via_bot"] = {"id": 99, "is_bot": True, "first_name": "Pictures"}
    [event] = parse(update, ME).events
    assert isinstance(event, Message) and event.quotes


def test_a_private_message_is_a_direct_message_for_the_bot() -> None:
    event = message("private_text")
    assert event.text == "Hello 👋 bot" and event.addressed
    assert str(event.address.key) == "telegram:main:4711" and event.address.surface is Surface.DIRECT
    assert event.address.reply_to is None
    assert event.sender.id == "4711" and event.sender.name == "Person 4711" and not event.sender.is_bot
    assert event.sent_at == datetime.fromtimestamp(1763700000, UTC)
    assert (event.event_key, event.message_id) == ("m:4711:5", "5")


@pytest.mark.parametrize(
    ("name", "addressed"),
    [
        ("group_mention", True),
        ("group_mention_first", True),
        ("group_text_mention", True),
        ("group_command_for_us", True),
        ("group_reply_to_us", True),
        ("topic_text", True),
        ("anonymous_admin", True),
        ("group_other_mention", False),
        ("group_command_for_nobody", False),
        ("group_plain", False),
        ("topic_opened_by_us", False),
    ],
)
def test_in_a_group_only_what_names_the_bot_or_answers_it_is_for_the_bot(name: str, addressed: bool) -> None:
    event = message(name)
    assert event.addressed is addressed
    assert event.address.key.space == GROUP and event.address.reply_to == event.message_id


def test_a_command_that_names_another_bot_is_nobody_s_here_not_even_in_private() -> None:
    assert read("group_command_for_another") == Parsed(dropped="for_another")
    update = load("private_text")
    for name, dropped in (("firstword_bot_two", "for_another"), ("Firstword_Bot", ""), ("", "")):
        update["message"]["text"] = f"/stop@{name} now"
        assert parse(update, ME).dropped == dropped


def test_the_bots_own_name_at_the_start_is_not_part_of_the_question() -> None:
    assert message("group_mention_first").text == "what is new?"
    assert message("group_mention").text == "👍 hey @Firstword_Bot what is new?"
    assert message("group_other_mention").text == "@firstword_bot_two hello"


def test_a_topic_is_a_place_of_its_own_and_a_reply_chain_is_not() -> None:
    topic, reply = message("topic_text").address, message("group_reply_to_us").address
    assert (topic.key.thread, topic.surface) == ("9", Surface.THREAD)
    assert (reply.key.thread, reply.surface) == (None, Surface.GROUP)
    private = message("private_topic").address
    assert (private.key.thread, private.surface) == ("77", Surface.DIRECT)


def test_an_anonymous_administrator_is_known_by_the_group() -> None:
    sender = message("anonymous_admin").sender
    assert sender.id == GROUP and sender.name == "Group" and not sender.is_bot
    assert message("bot_sender").sender.is_bot


def test_files_are_attachments_with_their_largest_size() -> None:
    photo = message("photo")
    assert photo.text == "what is this?"
    assert [(a.kind, a.ref, a.size) for a in photo.attachments] == [(AttachmentKind.IMAGE, "large", 190000)]
    [voice] = message("voice").attachments
    assert (voice.kind, voice.mime, voice.ref) == (AttachmentKind.VOICE, "audio/ogg", "v1")
    [document] = message("document").attachments
    assert (document.kind, document.mime, document.name) == (
        AttachmentKind.FILE,
        "application/pdf",
        ".._.._etc_passwd.pdf",
    )
    assert [a.kind for a in message("animation").attachments] == [AttachmentKind.VIDEO]
    assert [a.kind for a in message("image_as_document").attachments] == [AttachmentKind.IMAGE]


def test_what_is_no_text_is_put_into_words() -> None:
    assert message("sticker").text == "👍"
    assert message("venue").text == "A Place\nA Street 1\n59.93, 30.31"
    assert message("contact").text == "Some Body +100"
    assert message("poll").text == "Tea?\n- yes\n- no"


def test_an_edit_has_a_key_of_its_own_and_the_message_id_that_it_is_about() -> None:
    event = one("edited")
    assert isinstance(event, MessageEdited)
    assert event.message_id == "5" and event.event_key == "e:4711:5:1763700060:1027"
    assert event.sent_at == datetime.fromtimestamp(1763700060, UTC)


def test_a_press_names_its_button_and_asks_to_be_acknowledged() -> None:
    parsed = read("callback")
    [event] = parsed.events
    assert isinstance(event, Pressed)
    assert (event.action, event.message_id, event.address.key.thread) == ("stop:1", "31", "9")
    assert parsed.press == "4382bfdwdsb323b2d9" and event.event_key == "p:4382bfdwdsb323b2d9"
    assert isinstance(one("callback_old_message"), Pressed)
    game = read("callback_game")
    assert game.events == () and game.press == "78" and game.dropped


def test_the_bots_own_comings_and_goings_are_memberships() -> None:
    found = {name: one(name) for name in ("joined", "blocked", "removed")}
    changes = {name: event.change.value for name, event in found.items() if isinstance(event, Membership)}
    assert changes == {"joined": "joined", "blocked": "kicked", "removed": "left"}
    assert read("promoted").events == ()


def test_a_changed_reaction_is_one_taken_off_and_others_put_on() -> None:
    events = read("reaction").events
    found = [(event.emoji, event.added) for event in events if isinstance(event, Reaction)]
    assert found == [("👍", False), ("🔥", True), ("5368324170671202286", True)]
    assert len({event.event_key for event in events}) == 3


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("own_message", "own"),
        ("service_message", "no_content"),
        ("channel_post", "unknown_kind"),
        ("migrate", "migrated"),
        ("promoted", "same_membership"),
    ],
)
def test_what_is_not_for_us_is_dropped_with_a_reason(name: str, reason: str) -> None:
    parsed = read(name)
    assert parsed.events == () and parsed.dropped == reason
    assert parsed.migrated == ((-555, -1001234567890) if name == "migrate" else None)


def test_event_keys_are_unique_and_do_not_depend_on_the_update_id_of_a_message() -> None:
    keys = [event.event_key for name in NAMES for event in read(name).events]
    assert len(keys) == len(set(keys))
    again = load("private_text")
    again["update_id"] = 999_999
    assert parse(again, ME).events == read("private_text").events


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path to a value inside."""
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*path, index))
    return found


def check(parsed: Parsed) -> None:
    assert bool(parsed.events) != bool(parsed.dropped)
    for event in parsed.events:
        assert event.event_key and str(event.address.key)
        event.event_key.encode()
        if isinstance(event, Message):
            event.text.encode()
            event.sender.name.encode()


@generated
@given(update=JSON)
def test_no_json_whatever_makes_the_parser_fail(update: Any) -> None:
    check(parse(update, ME))
    update_id(update)


@generated
@given(data=st.data(), value=JSON)
def test_no_single_wrong_value_makes_the_parser_fail(data: st.DataObject, value: Any) -> None:
    update = copy.deepcopy(load(data.draw(st.sampled_from(NAMES))))
    path = data.draw(st.sampled_from(places(update)[1:]))
    target = update
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    check(parse(update, ME))


@generated
@given(name=st.text())
def test_a_name_is_one_short_line_that_turns_nothing_around(name: str) -> None:
    cleaned = clean_name(name)
    cleaned.encode()
    assert len(cleaned) <= 64 and "\n" not in cleaned and "\u202e" not in cleaned and "\x00" not in cleaned


def test_a_rich_message_that_somebody_passes_on_is_its_words() -> None:
    update = copy.deepcopy(load("private_text"))
    del update["message"]["text"]
    update["message"].pop("entities", None)
    cells = [[{"text": "left"}, {"text": {"type": "bold", "text": "right"}}]]
    update["message"]["rich_message"] = {
        "blocks": [{"type": "heading", "text": "Title", "size": 1}, {"type": "table", "cells": cells}]
    }
    [event] = parse(update, ME).events
    assert isinstance(event, Message)
    assert event.text.split() == ["Title", "left", "right"]


def test_a_checklist_is_its_lines() -> None:
    update = copy.deepcopy(load("private_text"))
    del update["message"]["text"]
    update["message"].pop("entities", None)
    update["message"]["checklist"] = {"title": "To do", "tasks": [{"id": 1, "text": "this"}, {"text": 5}]}
    [event] = parse(update, ME).events
    assert isinstance(event, Message) and event.text == "To do\n- this"
