"""What a room's events become. The shapes are those of the specification; anything else must only be dropped."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import Surface
from channels.events import (
    AttachmentKind,
    Membership,
    MembershipChange,
    Message,
    MessageDeleted,
    MessageEdited,
    Reaction,
)
from channels.matrix.memory import Author, Memory
from channels.matrix.parse import invitation
from channels.matrix.rooms import Rooms
from tests.channels.matrix.events import (
    ALICE,
    BOB,
    BOT,
    DIRECT,
    GROUP,
    ME,
    ROOM,
    event,
    read,
    room,
    said,
    text,
)
from tests.generated import generated


def message(found: Any, where: Any = DIRECT, **more: Any) -> Message:
    parsed = read(found, where, **more)
    assert len(parsed.events) == 1, parsed.dropped
    assert isinstance(parsed.events[0], Message)
    return parsed.events[0]


def test_a_message_says_what_who_where_and_when() -> None:
    DIRECT.names[ALICE] = "Alice"
    found = message(said("Hello"))
    assert (found.text, found.sender.id, found.sender.name) == ("Hello", ALICE, "Alice")
    assert str(found.address.key) == "matrix:main:%21room%3Aexample.org"
    assert found.address.surface is Surface.DIRECT
    assert found.sent_at == datetime.fromtimestamp(1_795_000_000.123, UTC)
    assert found.event_key == found.message_id == "$event"


def test_a_room_with_more_than_one_other_is_a_group() -> None:
    found = message(said("Hello"), GROUP)
    assert found.address.surface is Surface.GROUP
    assert found.address.reply_to == "$event"
    assert not found.addressed


def test_a_thread_is_a_conversation_of_its_own() -> None:
    related = {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$x"},
    }
    found = message(said("Hello", **{"m.relates_to": related}), GROUP)
    assert found.address.key.thread == "$root"
    assert found.address.surface is Surface.THREAD


def test_a_room_message_may_start_a_thread() -> None:
    found = message(said("Hello"), GROUP, me=replace(ME, starts_threads=True))
    assert found.address.key.thread == "$event"
    assert message(said("Hello"), me=replace(ME, starts_threads=True)).address.key.thread is None


PILL = '<a href="https://matrix.to/#/%40firstword%3Aexample.org">First Word</a>: hi'


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (text("First Word: hi", **{"m.mentions": {"user_ids": [BOT]}}), "hi"),
        (text("First Word: hi", format="org.matrix.custom.html", formatted_body=PILL), "hi"),
        (text("firstword: hi", **{"m.mentions": {}}), "hi"),
        (text("@firstword:example.org hi"), "hi"),
        (text("@firstword !model fast"), "!model fast"),
        (text("what does firstword say?"), "what does firstword say?"),
        (text("see this", **{"m.mentions": {"user_ids": [BOB, BOT]}}), "see this"),
    ],
)
def test_a_mention_addresses_the_bot(content: dict[str, Any], wanted: str) -> None:
    found = message(event(content), GROUP)
    assert found.addressed
    assert found.text == wanted


@pytest.mark.parametrize(
    "content",
    [
        text("Hello all"),
        text("Firstword or not, who cares", **{"m.mentions": {}}),
        text("firstwords are nice"),
        text("ask firstword", **{"m.mentions": {}}),
        text("x", **{"m.mentions": {"room": True}}),
        text("x", formatted_body='<a href="https://matrix.to/#/@firstword:evil.example">y</a>'),
    ],
)
def test_what_is_said_among_people_does_not(content: dict[str, Any]) -> None:
    assert not message(event(content), GROUP).addressed


def test_in_a_direct_chat_only_a_call_is_taken_off() -> None:
    assert message(said("First Word: hi")).text == "hi"
    assert message(said("Firstword or not, who cares")).text == "Firstword or not, who cares"


def test_an_answer_to_the_bot_addresses_it() -> None:
    memory = Memory()
    memory.authors.put("$mine", Author(BOT))
    found = said(
        "> <@firstword:example.org> I said\n> more\n\nand you?",
        **{"m.relates_to": {"m.in_reply_to": {"event_id": "$mine"}}},
    )
    answer = message(found, GROUP, memory=memory)
    assert answer.addressed
    assert answer.text == "and you?"


def test_the_order_of_a_thread_is_no_answer() -> None:
    """Spec, Threading: is_falling_back says that the reply is for clients without threads."""
    memory = Memory()
    memory.authors.put("$mine", Author(BOT, "$root"))
    related = {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$mine"},
    }
    assert not message(said("hm", **{"m.relates_to": related}), GROUP, memory=memory).addressed


def test_a_quote_that_nobody_replied_to_stays() -> None:
    assert message(said("> <quoted> words\n\nmine")).text == "> <quoted> words\n\nmine"


def test_own_words_and_notices_are_dropped() -> None:
    assert read(event(text("x"), sender=BOT)).dropped == "own"
    for kind in ("m.notice", "m.server_notice", "m.key.verification.request"):
        assert read(event({"msgtype": kind, "body": "x"})).dropped == "notice"


def test_an_edit_gives_the_new_text_of_the_old_message() -> None:
    memory = Memory()
    read(said("Helo"), memory=memory)
    content = text(
        "* Hello",
        **{"m.new_content": text("Hello"), "m.relates_to": {"rel_type": "m.replace", "event_id": "$event"}},
    )
    (found,) = read(event(content, event_id="$edit"), memory=memory).events
    assert isinstance(found, MessageEdited)
    assert (found.message_id, found.event_key, found.text) == ("$event", "$edit", "Hello")


def test_nobody_edits_the_words_of_another() -> None:
    """Homeservers do not check it (spec, Validity of replacement events)."""
    memory = Memory()
    read(said("Hello"), memory=memory)
    content = text(
        "* x", **{"m.new_content": text("x"), "m.relates_to": {"rel_type": "m.replace", "event_id": "$event"}}
    )
    assert read(event(content, event_id="$edit", sender=BOB), memory=memory).dropped == "foreign_edit"


@pytest.mark.parametrize("place", ["top", "content"])
def test_a_redaction_is_a_deletion(place: str) -> None:
    """Room version 11 moved `redacts` into the content."""
    memory = Memory()
    read(said("Hello", **{"m.relates_to": {"rel_type": "m.thread", "event_id": "$root"}}), GROUP, memory)
    gone = {"redacts": "$event"}
    found = event(gone if place == "content" else {}, kind="m.room.redaction", event_id="$gone")
    (deleted,) = read(found | (gone if place == "top" else {}), GROUP, memory).events
    assert isinstance(deleted, MessageDeleted)
    assert (deleted.message_id, deleted.address.key.thread) == ("$event", "$root")


def test_a_reaction_is_put_on_and_taken_off() -> None:
    memory = Memory()
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$mine", "key": "👍"}}
    (on,) = read(event(content, kind="m.reaction", event_id="$r"), memory=memory).events
    (off,) = read(event({}, kind="m.room.redaction", event_id="$x", redacts="$r"), memory=memory).events
    assert isinstance(on, Reaction)
    assert isinstance(off, Reaction)
    assert (on.message_id, on.emoji, on.added) == ("$mine", "👍", True)
    assert (off.message_id, off.emoji, off.added) == ("$mine", "👍", False)


def test_a_deletion_of_our_own_message_is_remembered() -> None:
    memory = Memory()
    memory.authors.put("$mine", Author(BOT))
    found = event({}, kind="m.room.redaction", event_id="$x", redacts="$mine")
    assert read(found, memory=memory).dropped == "own"
    assert memory.deleted.get("$mine") == ALICE


FILE = {"msgtype": "m.image", "body": "cat.png", "info": {"mimetype": "image/png", "size": 5}}


def test_a_file_is_an_attachment_and_its_caption_the_text() -> None:
    plain = message(event(FILE | {"url": "mxc://example.org/abc"}))
    (file,) = plain.attachments
    assert (plain.text, file.kind, file.mime, file.size, file.name) == (
        "",
        AttachmentKind.IMAGE,
        "image/png",
        5,
        "cat.png",
    )
    captioned = message(
        event(FILE | {"url": "mxc://example.org/abc", "filename": "cat.png", "body": "my cat"})
    )
    assert (captioned.text, captioned.attachments[0].name) == ("my cat", "cat.png")


def test_an_encrypted_file_carries_its_key_and_hash() -> None:
    locked = {
        "url": "mxc://example.org/abc",
        "key": {"k": "key"},
        "iv": "iv",
        "hashes": {"sha256": "sum"},
        "v": "v2",
    }
    (file,) = message(event(FILE | {"file": locked})).attachments
    assert json.loads(file.ref) == {"url": "mxc://example.org/abc", "key": "key", "iv": "iv", "sha256": "sum"}
    assert read(event(FILE | {"file": locked | {"hashes": {}}})).dropped == "no_content"


def test_a_voice_note_is_told_from_other_sound() -> None:
    sound = {"msgtype": "m.audio", "body": "note.ogg", "url": "mxc://example.org/abc"}
    assert message(event(sound)).attachments[0].kind is AttachmentKind.AUDIO
    assert (
        message(event(sound | {"org.matrix.msc3245.voice": {}})).attachments[0].kind is AttachmentKind.VOICE
    )


@pytest.mark.parametrize(
    ("before", "now", "by", "change"),
    [
        ("invite", "join", BOT, MembershipChange.JOINED),
        ("join", "leave", BOT, MembershipChange.LEFT),
        ("join", "leave", ALICE, MembershipChange.KICKED),
        ("join", "ban", ALICE, MembershipChange.KICKED),
        ("invite", "leave", ALICE, MembershipChange.LEFT),
    ],
)
def test_what_happens_to_our_place_in_a_room(
    before: str, now: str, by: str, change: MembershipChange
) -> None:
    found = event({"membership": now}, kind="m.room.member", sender=by, state_key=BOT)
    (membership,) = read(found | {"unsigned": {"prev_content": {"membership": before}}}).events
    assert isinstance(membership, Membership)
    assert (membership.change, membership.sender.id) == (change, by)


def test_a_new_name_of_ours_is_no_event() -> None:
    found = event({"membership": "join"}, kind="m.room.member", sender=BOT, state_key=BOT)
    assert read(found | {"unsigned": {"prev_content": {"membership": "join"}}}).dropped == "state"


def test_an_invitation_says_who_and_whether_it_is_direct() -> None:
    state = event({"membership": "invite", "is_direct": True}, kind="m.room.member", state_key=BOT)
    found = invitation(room(), [state], ME)
    assert found is not None
    assert (found.sender.id, found.address.surface) == (ALICE, Surface.DIRECT)
    assert invitation(room(), [], ME) is None


def test_a_room_is_direct_while_two_are_in_it_or_nobody_has_counted() -> None:
    rooms = Rooms(BOT)
    rooms.account_data([{"type": "m.direct", "content": {ALICE: [ROOM]}}])
    assert rooms.room(ROOM).is_direct
    assert not rooms.room("!other:example.org").is_direct
    rooms.joined(ROOM, {"summary": {"m.joined_member_count": 3, "m.invited_member_count": 0}})
    assert not rooms.room(ROOM).is_direct
    rooms.joined(ROOM, {"summary": {"m.joined_member_count": 1, "m.invited_member_count": 1}})
    assert rooms.room(ROOM).is_direct


# -- whatever comes

_IDS = st.sampled_from(
    ["$event", "$other", "$root", ALICE, BOT, BOB, ROOM, "", "\ud800", "mxc://a/b", "x" * 300]
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | _IDS
_WORDS = st.sampled_from(
    "m.text m.notice m.image m.audio m.video m.file m.location m.emote m.replace m.thread m.annotation join leave ban"
    " invite m.room.message m.room.redaction m.reaction m.room.member m.sticker m.poll.start m.room.encrypted".split()
)
_KEYS = st.sampled_from(
    "msgtype body format formatted_body m.mentions user_ids m.relates_to rel_type event_id key is_falling_back"
    " m.in_reply_to m.new_content url file hashes sha256 iv k info mimetype size filename geo_uri redacts membership"
    " displayname is_direct org.matrix.msc3245.voice org.matrix.msc1767.text prev_content".split()
)
_ANY = st.recursive(
    _LEAVES | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=15,
)
_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": _WORDS | _LEAVES,
        "event_id": st.just("$event") | _IDS | _LEAVES,
        "sender": st.sampled_from([ALICE, BOT, BOB]) | _LEAVES,
        "origin_server_ts": st.integers(0, 2**52) | _LEAVES,
        "state_key": st.just(BOT) | _LEAVES,
        "redacts": _IDS | _LEAVES,
        "unsigned": _ANY,
        "content": st.fixed_dictionaries(
            {},
            optional={
                "msgtype": _WORDS | _LEAVES,
                "body": st.text(max_size=60) | _LEAVES,
                "formatted_body": st.just(PILL) | _LEAVES,
                "membership": _WORDS,
                "m.mentions": _ANY,
                "m.relates_to": st.dictionaries(_KEYS, _WORDS | _IDS | _ANY, max_size=4),
                "m.new_content": _ANY | st.just(text("new")),
                "url": _IDS,
                "file": _ANY,
                "info": _ANY,
            },
        )
        | _ANY,
    },
)


@generated
@given(st.lists(_EVENTS | _ANY, min_size=1, max_size=4))
def test_no_event_is_odd_enough_to_raise(events: list[Any]) -> None:
    """Anybody on any homeserver sends anything; what is made of it can be stored."""
    memory, rooms = Memory(), Rooms(BOT)
    rooms.joined(ROOM, {"state": {"events": events}, "timeline": {"events": events}})
    rooms.account_data(events)
    for where in (rooms.room(ROOM), GROUP):
        invitation(where, events, ME)
        for one in events:
            parsed = read(one, where, memory)
            assert bool(parsed.events) != bool(parsed.dropped)
            for found in parsed.events:
                assert found.event_key.encode()
                assert found.sender is None or (found.sender.id and found.sender.name.encode() is not None)
                assert getattr(found, "text", "").encode() is not None
                str(found.address.key).encode()
