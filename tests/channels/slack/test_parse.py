"""Payloads become events: who, where the answer will stand, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from channels.capabilities import Surface
from channels.events import (
    AttachmentKind,
    Event,
    Membership,
    MembershipChange,
    Message,
    MessageDeleted,
    MessageEdited,
    Pressed,
    Reaction,
)
from channels.slack.interact import parse_command, parse_press
from channels.slack.parse import parse_event
from channels.slack.payload import Known, Me, Parsed, read_handle
from tests.channels.slack.payloads import (
    BOT,
    BOT_ID,
    CHANNEL,
    DIRECT,
    INLINE,
    LATER,
    ME,
    NOBODY,
    NOW,
    OTHER,
    PERSON,
    TEAM,
    TS,
    changed,
    command,
    deleted,
    envelope,
    message,
    press,
    reaction,
)

E = TypeVar("E", bound=Event)
CALLED = f"<@{BOT}> hello"
NAMES = frozenset({"help", "model", "agentstatus"})


def parse(event: dict[str, Any], me: Me = ME, known: Known = NOBODY) -> Parsed:
    return parse_event(envelope(event), me, known)


def only(kind: type[E], parsed: Parsed) -> E:
    (event,) = parsed.events
    assert isinstance(event, kind)
    return event


def test_a_direct_message_begins_a_thread_of_its_own() -> None:
    event = only(Message, parse(message("hello &lt;b&gt; &amp; more")))
    assert (event.text, event.addressed) == ("hello <b> & more", True)
    assert str(event.address.key) == f"slack:main:{DIRECT}:{TS}"
    assert event.address.surface is Surface.DIRECT
    assert event.sent_at == datetime(2023, 11, 14, 22, 13, 20, 100, tzinfo=UTC)
    assert read_handle(event.address.handle) == {"u": PERSON, "t": TEAM}


def test_answers_may_stand_beside_the_question_instead() -> None:
    assert only(Message, parse(message(), INLINE)).address.key.thread is None
    event = only(Message, parse(message(CALLED, channel=CHANNEL), INLINE))
    assert (event.address.key.thread, event.address.surface) == (None, Surface.GROUP)


def test_a_command_in_a_direct_message_is_about_the_chat_and_opens_no_thread() -> None:
    me = replace(ME, commands=frozenset({"model"}))
    for said in ("!model fast", "/model", " !MODEL: fast"):
        assert only(Message, parse(message(said), me)).address.key.thread is None
    for said in ("model fast", "!fast hello", "!modelling is fun"):
        assert only(Message, parse(message(said), me)).address.key.thread == TS
    assert only(Message, parse(message("!model", thread_ts=TS, ts=LATER), me)).address.key.thread == TS


def test_a_message_in_a_thread_belongs_to_that_thread() -> None:
    for me in (ME, INLINE):
        event = only(Message, parse(message(ts=LATER, thread_ts=TS), me))
        assert (event.address.key.thread, event.message_id) == (TS, LATER)


def test_a_mention_in_a_channel_is_answered_in_its_thread() -> None:
    event = only(Message, parse(message(CALLED, channel=CHANNEL)))
    assert (event.text, event.addressed) == ("hello", True)
    assert (event.address.key.thread, event.address.surface) == (TS, Surface.THREAD)


def test_a_mention_comes_twice_under_one_key() -> None:
    plain = only(Message, parse(message(CALLED, channel=CHANNEL)))
    event = message(CALLED, channel=CHANNEL, type="app_mention")
    del event["channel_type"]
    assert only(Message, parse(event)) == plain


def test_a_channel_message_without_a_mention_is_not_addressed() -> None:
    parsed = parse(message(channel=CHANNEL))
    event = only(Message, parsed)
    assert not event.addressed
    assert event.address.key.thread is None
    assert not parsed.is_follow_up


def test_a_reply_in_a_thread_may_go_on_unless_it_names_somebody_else() -> None:
    assert parse(message(channel=CHANNEL, thread_ts=TS, ts=LATER)).is_follow_up
    assert not parse(message(f"<@{OTHER}> look", channel=CHANNEL, thread_ts=TS, ts=LATER)).is_follow_up


def test_a_group_chat_needs_a_mention_as_a_channel_does() -> None:
    event = message(channel="G0GROUP001", channel_type="mpim")
    assert not only(Message, parse(event)).addressed


def test_mentions_channels_and_links_read_as_words() -> None:
    said = f"<@{OTHER}> in <#C1|general>, <!here>, <!date^1^{{date}}|today>, <https://a.b/?x=1&amp;y=2|docs>, <https://a.b>, <mailto:a@b.c|a@b.c>"
    event = only(Message, parse(message(said), known=Known({OTHER: "Somebody"})))
    assert event.text == (
        "@Somebody in #general, @here, today, docs (https://a.b/?x=1&y=2), https://a.b, a@b.c"
    )


def test_unknown_people_are_named_for_a_look_up() -> None:
    parsed = parse(message(f"<@{OTHER}> and <@{OTHER}>"), known=Known({PERSON: "Person"}))
    assert parsed.strangers == (OTHER,)
    assert only(Message, parsed).sender.name == "Person"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"user": BOT}, "own"),
        ({"bot_id": BOT_ID, "user": None}, "own"),
        ({"bot_id": "B0OTHER001"}, "bot"),
        ({"subtype": "bot_message", "bot_id": "B0OTHER001"}, "subtype"),
        ({"user": "USLACKBOT"}, "bot"),
        ({"subtype": "channel_join"}, "subtype"),
        ({"subtype": "channel_topic"}, "subtype"),
        ({"text": ""}, "no_content"),
        ({"user": 7}, "no_sender"),
        ({"ts": "yesterday"}, "no_ts"),
        ({"channel": None}, "no_channel"),
        ({"thread_ts": ["x"]}, "no_thread_ts"),
    ],
)
def test_what_nobody_says_to_the_bot_is_dropped(more: dict[str, Any], reason: str) -> None:
    parsed = parse(message(**more) if more.get("channel", "") is not None else {**message(), **more})
    assert (parsed.events, parsed.dropped) == ((), reason)


def test_files_come_along_with_their_kind() -> None:
    files = [
        {
            "id": "F1",
            "name": "a/b.png",
            "mimetype": "image/png",
            "size": 7,
            "url_private": "https://files.slack.com/a",
        },
        {
            "id": "F2",
            "name": "v.m4a",
            "mimetype": "audio/mp4",
            "subtype": "slack_audio",
            "url_private_download": "https://files.slack.com/v",
        },
        {"id": "F3", "file_access": "check_file_info"},
        {"id": "F4", "mode": "tombstone"},
        "odd",
    ]
    event = only(Message, parse(message("", subtype="file_share", files=files)))
    image, voice, other = event.attachments
    assert (image.kind, image.name, image.size) == (AttachmentKind.IMAGE, "a_b.png", 7)
    assert voice.kind is AttachmentKind.VOICE
    assert other.ref == "id:F3"


def test_a_forwarded_message_is_quoted() -> None:
    shared = [{"is_share": True, "text": "line one\nline two"}, {"text": "a preview"}]
    event = only(Message, parse(message("see", attachments=shared)))
    assert (event.text, event.quotes) == ("see\n\n> line one\n> line two", True)
    assert not only(Message, parse(message("see", attachments=shared[1:]))).quotes


def test_an_edit_is_about_the_same_message_under_a_key_of_its_own() -> None:
    event = only(MessageEdited, parse(changed("better")))
    assert (event.message_id, event.text, event.addressed) == (TS, "better", True)
    assert str(event.address.key) == f"slack:main:{DIRECT}:{TS}"
    assert event.event_key != only(Message, parse(message())).event_key


def test_an_edit_that_takes_the_mention_away_stays_in_its_thread() -> None:
    event = only(MessageEdited, parse(changed("never mind", CALLED, channel=CHANNEL)))
    assert (event.address.key.thread, event.addressed) == (TS, False)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (changed("same", "same"), "same_text"),
        (changed("grown", user=BOT), "own"),
        (changed("grown", bot_id=BOT_ID), "own"),
        (changed("grown", bot_id="B0OTHER001"), "bot"),
        (deleted(user=BOT), "own"),
        (deleted(bot_id="B0OTHER001"), "bot"),
        (reaction(user=BOT), "own"),
        (reaction(item={"type": "file"}), "no_content"),
        ({"type": "emoji_changed"}, "unknown_kind"),
    ],
)
def test_changes_that_nobody_made_are_dropped(event: dict[str, Any], reason: str) -> None:
    assert parse(event) == Parsed(dropped=reason)


def test_a_deletion_names_the_message() -> None:
    event = only(MessageDeleted, parse(deleted()))
    assert (event.message_id, event.address.key.thread) == (TS, TS)
    stone = changed("This message was deleted.", thread_ts=TS)
    stone["message"] = {
        "type": "message",
        "subtype": "tombstone",
        "user": "USLACKBOT",
        "ts": TS,
        "thread_ts": TS,
    }
    assert only(MessageDeleted, parse(stone)).message_id == TS


def test_reactions_carry_the_emoji_and_the_thread_of_our_message() -> None:
    known = Known(threads={f"{CHANNEL}:{TS}": "1600000000.000001"})
    event = only(Reaction, parse(reaction("+1::skin-tone-3"), known=known))
    assert (event.emoji, event.added) == ("\U0001f44d\U0001f3fc", True)
    assert event.address.key.thread == "1600000000.000001"
    removed = only(Reaction, parse(reaction("party_parrot", "reaction_removed")))
    assert (removed.emoji, removed.added, removed.address.key.thread) == (":party_parrot:", False, None)


@pytest.mark.parametrize(
    ("event", "change"),
    [
        ({"type": "member_joined_channel", "user": BOT, "inviter": PERSON}, MembershipChange.JOINED),
        ({"type": "member_left_channel", "user": BOT}, MembershipChange.LEFT),
        ({"type": "channel_left", "actor_id": PERSON}, MembershipChange.KICKED),
        ({"type": "group_left", "actor_id": BOT}, MembershipChange.LEFT),
        ({"type": "channel_archive", "user": PERSON}, MembershipChange.LEFT),
    ],
)
def test_coming_and_going_of_the_bot_are_events(event: dict[str, Any], change: MembershipChange) -> None:
    found = only(Membership, parse({"channel": CHANNEL, "event_ts": LATER, **event}))
    assert found.change is change
    assert found.sender.id in (PERSON, BOT)


def test_coming_and_going_of_others_is_none() -> None:
    event = {"type": "member_joined_channel", "user": PERSON, "channel": CHANNEL, "event_ts": LATER}
    assert parse(event).dropped == "somebody_else"


def test_slacks_own_stop_button_is_a_press_of_stop() -> None:
    event = {
        "type": "agent_session_stopped",
        "channel": DIRECT,
        "thread_ts": TS,
        "user": PERSON,
        "streaming_message_ts": [LATER],
        "event_ts": LATER,
    }
    found = only(Pressed, parse(event))
    assert (found.action, found.message_id, found.address.key.thread) == ("stop", LATER, TS)
    assert parse(event).stopped == (DIRECT, TS)


def test_an_opened_chat_is_told() -> None:
    thread = {"user_id": PERSON, "channel_id": DIRECT, "thread_ts": TS, "context": {}}
    opened = parse({"type": "assistant_thread_started", "assistant_thread": thread}).opened
    assert opened is not None
    assert (opened.channel, opened.thread, opened.user) == (DIRECT, TS, PERSON)
    home = {"type": "app_home_opened", "user": PERSON, "channel": DIRECT, "tab": "messages"}
    opened = parse(home).opened
    assert opened is not None
    assert opened.thread is None
    assert parse({**home, "tab": "home"}).opened is None


def test_a_removed_app_is_told() -> None:
    assert parse({"type": "app_uninstalled"}).revoked
    assert parse({"type": "tokens_revoked", "tokens": {"bot": [BOT]}}).revoked
    assert not parse({"type": "tokens_revoked", "tokens": {"oauth": [PERSON]}}).revoked


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("model fast", "/model fast"),
        ("/model fast", "/model fast"),
        ("!MODEL fast", "/MODEL fast"),
        ("agentstatus", "/agentstatus"),
        ("", "/help"),
        ("what is a model?", "what is a model?"),
    ],
)
def test_the_umbrella_command_carries_commands_and_questions(typed: str, said: str) -> None:
    event = only(Message, parse_command(command(typed), ME, NAMES, NOW))
    assert event.text == said
    assert event.addressed
    assert (event.address.surface, event.sent_at) == (Surface.COMMAND, NOW)
    assert read_handle(event.address.handle)["r"] == "https://hooks.slack.com/commands/T/1/x"


def test_a_press_says_which_button_under_which_message() -> None:
    event = only(Pressed, parse_press(press(), ME))
    assert (event.action, event.message_id, event.address.reply_to) == ("stop", LATER, LATER)
    assert str(event.address.key) == f"slack:main:{CHANNEL}:{TS}"
    assert parse_press(press("somebody_elses"), ME).dropped == "somebody_else"
    assert parse_press({"type": "view_submission"}, ME).dropped == "unknown_kind"
