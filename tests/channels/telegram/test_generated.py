"""Updates in the documented shapes, and beside them: none crashes the parser, and what comes out is well formed."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import Surface
from channels.events import ConversationKey, Message, Pressed, Reaction
from channels.telegram.albums import merged
from channels.telegram.fields import Me
from channels.telegram.parse import WANTED, parse, update_id
from tests.generated import generated

ME = Me("main", 700100, "firstword_bot")

# Bot API docs, Update, Message, User, Chat, MessageEntity, CallbackQuery, ... (10.3, 2026-11).
IDS = st.sampled_from([4711, -1001234567890, 700100, 9]) | st.integers(min_value=-(2**52), max_value=2**52)
TEXTS = st.text(max_size=40) | st.sampled_from(
    ["@firstword_bot hi", "/stop@firstword_bot", "👍", "\ud83d", ""]
)
JUNK: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just([]) | st.just({})
)


def shape(required: dict[str, Any], optional: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """An object with these fields."""
    return st.fixed_dictionaries(required, optional=optional or {})


USER = shape(
    {"id": IDS, "is_bot": st.booleans(), "first_name": TEXTS},
    {"last_name": TEXTS, "username": TEXTS, "language_code": st.just("en")},
)
CHAT = shape(
    {"id": IDS, "type": st.sampled_from(["private", "group", "supergroup", "channel"])},
    {"title": TEXTS, "first_name": TEXTS, "is_forum": st.just(True), "is_direct_messages": st.booleans()},
)
ENTITY = shape(
    {
        "type": st.sampled_from(["mention", "bot_command", "text_mention", "bold", "new_kind"]),
        "offset": st.integers(-5, 50),
        "length": st.integers(-5, 50),
    },
    {"user": USER},
)


def _blocks(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return shape({}, {"blocks": st.lists(inner, max_size=2), "items": inner, "cells": inner, "text": inner})


FILE = shape(
    {"file_id": TEXTS, "file_unique_id": TEXTS},
    {
        "file_size": st.integers(-1, 2**40),
        "mime_type": TEXTS | st.just("image/png"),
        "file_name": TEXTS,
        "emoji": TEXTS,
        "width": st.integers(),
        "height": st.integers(),
    },
)
FILES = dict.fromkeys(("voice", "audio", "video", "video_note", "animation", "document", "sticker"), FILE)
WORDS = {
    "text": TEXTS,
    "caption": TEXTS,
    "entities": st.lists(ENTITY, max_size=3),
    "caption_entities": st.lists(ENTITY, max_size=3),
    "photo": st.lists(FILE, max_size=3),
    "dice": shape({"emoji": TEXTS, "value": st.integers()}),
    "contact": shape({"phone_number": TEXTS, "first_name": TEXTS}),
    "location": shape({"latitude": st.floats(), "longitude": st.floats()}),
    "venue": shape({"title": TEXTS, "address": TEXTS, "location": shape({"latitude": st.floats()})}),
    "checklist": shape({"title": TEXTS, "tasks": st.lists(shape({"text": TEXTS}), max_size=3)}),
    "rich_message": shape(
        {"blocks": st.lists(st.recursive(shape({"text": TEXTS}), _blocks, max_leaves=6), max_size=3)}
    ),
    "poll": shape({"question": TEXTS, "options": st.lists(shape({"text": TEXTS}), max_size=3)}),
}
PLACE = {
    "message_thread_id": IDS,
    "is_topic_message": st.booleans(),
    "sender_chat": CHAT,
    "media_group_id": TEXTS,
    "migrate_to_chat_id": IDS,
    "edit_date": st.integers(0, 2**40),
}
BARE = {"message_id": IDS, "date": st.integers(0, 2**40), "chat": CHAT, "from": USER}
PARENT = shape(BARE, WORDS)
MESSAGE = shape(BARE, WORDS | FILES | PLACE | {"reply_to_message": PARENT})
MEMBER = shape(
    {
        "status": st.sampled_from(["member", "left", "kicked", "administrator", "restricted", "creator"]),
        "user": USER,
    },
    {"is_member": st.booleans()},
)
EMOJI = shape(
    {"type": st.sampled_from(["emoji", "custom_emoji", "paid"])}, {"emoji": TEXTS, "custom_emoji_id": TEXTS}
)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "message": MESSAGE,
    "edited_message": MESSAGE,
    "callback_query": shape(
        {"id": TEXTS, "from": USER, "chat_instance": TEXTS}, {"message": MESSAGE, "data": TEXTS}
    ),
    "my_chat_member": shape(
        {
            "chat": CHAT,
            "from": USER,
            "date": st.integers(),
            "old_chat_member": MEMBER,
            "new_chat_member": MEMBER,
        }
    ),
    "message_reaction": shape(
        {
            "chat": CHAT,
            "message_id": IDS,
            "date": st.integers(),
            "old_reaction": st.lists(EMOJI, max_size=3),
            "new_reaction": st.lists(EMOJI, max_size=3),
        },
        {"user": USER, "actor_chat": CHAT},
    ),
    "stopped_message_generation": shape({"chat": CHAT, "draft_id": IDS}, {"message_thread_id": IDS}),
    "channel_post": MESSAGE,
    "a_kind_of_next_year": JUNK,
}


@st.composite
def updates(draw: st.DrawFn) -> Any:
    """One update of one kind, as documented, or with up to three fields that are missing or of another type."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    update = {"update_id": draw(st.integers(0, 2**31)), kind: draw(KINDS[kind])}
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        _spoil(draw, update)
    return update


def _spoil(draw: st.DrawFn, inside: Any) -> None:
    """Walk to some field and put something else there."""
    while isinstance(inside, dict | list) and inside:
        places = sorted(inside) if isinstance(inside, dict) else list(range(len(inside)))
        place = draw(st.sampled_from(places))
        deeper = inside[place]
        if not isinstance(deeper, dict | list) or not deeper or draw(st.booleans()):
            if draw(st.booleans()):
                del inside[place]
            else:
                inside[place] = draw(JUNK)
            return
        inside = deeper


def test_every_kind_that_is_asked_for_is_generated() -> None:
    assert set(WANTED) <= set(KINDS)


@generated
@given(update=updates())
def test_no_update_crashes_the_parser_and_what_comes_out_can_be_stored(update: Any) -> None:
    parsed = parse(update, ME)
    update_id(update)
    assert bool(parsed.events) or bool(parsed.dropped) or parsed.migrated is not None
    for event in parsed.events:
        orjson.dumps(event)  # no lone surrogate, no float that is none
        key = event.address.key
        assert event.event_key and key.channel == "telegram" and key.account == "main"
        assert ConversationKey.parse(str(key)) == key
        assert event.sender is not None and event.sender.id.lstrip("-").isdigit()
        if event.address.surface is Surface.DIRECT:
            assert int(key.space) > 0
        if isinstance(event, Pressed):
            assert event.message_id and event.event_key[:2] in {"p:", "s:"}
        if isinstance(event, Reaction):
            assert event.emoji
        if isinstance(event, Message):
            assert event.text or event.attachments
            assert merged([event]) == event


@generated
@given(update=st.recursive(JUNK, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner)))
def test_nothing_at_all_crashes_the_parser(update: Any) -> None:
    assert parse(update, ME).dropped
