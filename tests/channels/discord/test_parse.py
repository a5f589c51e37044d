"""Dispatches become events; whatever else comes is dropped with a reason and never raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import Surface
from channels.discord.content import read_ref, url_in
from channels.discord.handles import for_interaction, interaction_of, question_of
from channels.discord.interactions import Command, Press, Typed, buttons, read
from channels.discord.parse import Me, Parsed, parse, unknown_channel
from channels.discord.places import Places
from channels.events import (
    MAX_HANDLE_BYTES,
    Action,
    AttachmentKind,
    Membership,
    MembershipChange,
    Message,
    MessageDeleted,
    MessageEdited,
    Reaction,
    TypingStarted,
)
from tests.channels.discord.payloads import (
    ANN,
    BOT,
    CHANNEL,
    DM,
    GUILD,
    MESSAGE,
    ROLE,
    THREAD,
    attachment,
    direct,
    guild,
    interaction,
    message,
    user,
)
from tests.generated import generated

ME = Me("main", BOT, BOT)


def places(*, joined: bool = False) -> Places:
    found = Places(BOT)
    found.learn("GUILD_CREATE", guild())
    if joined:
        found.joined(THREAD, is_joined=True)
    return found


def one(name: str, data: Any, known: Places | None = None, me: Me = ME) -> Any:
    (event,) = parse(name, data, me, known or places(), "session:7").events
    return event


# -- messages


def test_a_direct_message_is_addressed_and_has_no_one_to_answer_under() -> None:
    event = one("MESSAGE_CREATE", direct("hello"))
    assert isinstance(event, Message)
    assert (event.text, event.addressed, event.event_key, event.message_id) == (
        "hello",
        True,
        f"m:{MESSAGE}",
        MESSAGE,
    )
    assert str(event.address.key) == f"discord:main:{DM}"
    assert (event.address.surface, event.address.reply_to) == (Surface.DIRECT, None)
    assert question_of(event.address.handle) == MESSAGE
    assert (event.sender.id, event.sender.name, event.sender.is_bot) == (ANN, "Ann", False)
    assert event.sent_at.isoformat().startswith("2024-11")


@pytest.mark.parametrize(
    ("more", "addressed"),
    [
        ({}, False),
        ({"mentions": [user(BOT)]}, True),
        ({"mentions": [user("9")]}, False),
        ({"mention_roles": [ROLE]}, True),
        ({"mention_roles": [GUILD]}, False),
        ({"mention_everyone": True}, False),
        ({"type": 19, "referenced_message": {"author": user(BOT)}}, True),
        ({"type": 19, "referenced_message": {"author": user("9")}}, False),
        ({"type": 19, "referenced_message": None}, False),
        ({"channel_id": THREAD}, False),
    ],
)
def test_in_a_server_it_is_meant_when_it_is_mentioned_or_answered(
    more: dict[str, Any], addressed: bool
) -> None:
    event = one("MESSAGE_CREATE", message(**more))
    assert event.addressed is addressed
    assert event.address.reply_to == MESSAGE


def test_in_a_thread_that_it_takes_part_in_everything_is_meant_for_it() -> None:
    event = one("MESSAGE_CREATE", message(channel_id=THREAD), places(joined=True))
    assert event.addressed
    assert str(event.address.key) == f"discord:main:{CHANNEL}:{THREAD}"
    assert event.address.surface is Surface.THREAD


def test_a_bot_that_hears_all_is_meant_by_all() -> None:
    assert one("MESSAGE_CREATE", message(), me=Me("main", BOT, BOT, hears_all=True)).addressed


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"<@{BOT}> hello", "hello"),
        (f"<@!{BOT}>, hello", "hello"),
        (f"<@&{ROLE}>: hello", "hello"),
        (f"hello <@{BOT}>", "hello @Bot"),
        (f"<@{ANN}> said", "@Ann said"),
        ("<@999> said", "<@999> said"),
        ("a <:smile:123456> b <a:wave:123>", "a :smile: b :wave:"),
        (f"<@{BOT}>", "@Bot"),
    ],
)
def test_mentions_become_names_and_the_bots_own_at_the_start_goes(content: str, text: str) -> None:
    mentions = [user(BOT, username="bot", global_name="Bot"), user()]
    assert one("MESSAGE_CREATE", message(content, mentions=mentions)).text == text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (message(author=user(BOT)), "own"),
        (message(author=user("9", bot=True)), "bot"),
        (message(webhook_id="12"), "bot"),
        (message(type=7), "system"),
        (message(type=20), "system"),
        (message(type=[]), "system"),
        (message(""), "no_content"),
        (message(id="x"), "no_message"),
        (message(author=None), "no_user"),
        (message(channel_id=None), "no_channel"),
        ([], "not_an_object"),
    ],
)
def test_what_nobody_said_to_it_is_dropped_with_a_reason(data: Any, reason: str) -> None:
    assert parse("MESSAGE_CREATE", data, ME, places(), "s:1") == Parsed(dropped=reason)


def test_a_nickname_goes_before_a_display_name() -> None:
    event = one("MESSAGE_CREATE", message(member={"nick": "Annie\u202e"}))
    assert event.sender.name == "Annie"


def test_a_forwarded_message_a_sticker_and_a_poll_have_words() -> None:
    forwarded = message("", message_snapshots=[{"message": {"content": "from elsewhere"}}])
    event = one("MESSAGE_CREATE", forwarded)
    assert (event.text, event.quotes) == ("from elsewhere", True)
    assert not one("MESSAGE_CREATE", message("own words")).quotes
    assert one("MESSAGE_CREATE", message("", sticker_items=[{"id": "1", "name": "wave"}])).text == ":wave:"
    poll = {"question": {"text": "Tea?"}, "answers": [{"poll_media": {"text": "yes"}}, {"poll_media": {}}]}
    assert one("MESSAGE_CREATE", message("", poll=poll)).text == "Tea?\n- yes"


@pytest.mark.parametrize(
    ("file", "flags", "kind"),
    [
        (attachment(), 0, AttachmentKind.IMAGE),
        (attachment("v.ogg", "audio/ogg"), 0, AttachmentKind.AUDIO),
        (attachment("v.ogg", "audio/ogg", duration_secs=1.2, waveform="AA"), 8192, AttachmentKind.VOICE),
        (attachment("v.mp4", "video/mp4"), 0, AttachmentKind.VIDEO),
        (attachment("t.csv", "text/csv; charset=utf-8"), 0, AttachmentKind.FILE),
        (attachment("t", None), 0, AttachmentKind.FILE),
    ],
)
def test_a_file_is_known_by_its_type(file: Any, flags: int, kind: AttachmentKind) -> None:
    (found,) = one("MESSAGE_CREATE", message("", attachments=[file], flags=flags)).attachments
    assert found.kind is kind
    assert read_ref(found.ref) == (CHANNEL, MESSAGE, file["id"], file["url"])
    assert url_in(message(attachments=[file]), file["id"]) == file["url"]


# -- everything else


def test_an_edit_has_a_key_of_its_own_time() -> None:
    event = one("MESSAGE_UPDATE", message("new", edited_timestamp="2026-11-21T10:05:00.123000+00:00"))
    assert isinstance(event, MessageEdited)
    assert (event.text, event.message_id) == ("new", MESSAGE)
    again = one("MESSAGE_UPDATE", message("newer", edited_timestamp="2026-11-21T10:05:01.123000+00:00"))
    assert again.event_key != event.event_key


def test_an_update_that_is_no_edit_is_nothing() -> None:
    assert parse("MESSAGE_UPDATE", message(embeds=[{}]), ME, places(), "s:1") == Parsed()


def test_deletions_name_the_messages() -> None:
    event = one("MESSAGE_DELETE", {"id": MESSAGE, "channel_id": CHANNEL, "guild_id": GUILD})
    assert isinstance(event, MessageDeleted)
    assert (event.message_id, event.sender) == (MESSAGE, None)
    many = {"ids": [MESSAGE, "12", "x"], "channel_id": CHANNEL, "guild_id": GUILD}
    found = parse("MESSAGE_DELETE_BULK", many, ME, places(), "s:1").events
    assert [one.message_id for one in found] == [MESSAGE, "12"]


@pytest.mark.parametrize(
    ("name", "added"), [("MESSAGE_REACTION_ADD", True), ("MESSAGE_REACTION_REMOVE", False)]
)
def test_a_reaction_tells_who_what_and_where(name: str, added: bool) -> None:
    data = {"user_id": ANN, "channel_id": CHANNEL, "message_id": MESSAGE, "guild_id": GUILD}
    event = one(name, {**data, "emoji": {"id": None, "name": "\U0001f44d"}, "member": {"user": user()}})
    assert isinstance(event, Reaction)
    assert (event.emoji, event.added, event.sender.id, event.message_id) == (
        "\U0001f44d",
        added,
        ANN,
        MESSAGE,
    )
    assert event.event_key == "r:session:7"
    assert parse(name, {**data, "user_id": BOT, "emoji": {"name": "x"}}, ME, places(), "s:1") == Parsed()


def test_typing_in_a_direct_chat_is_told() -> None:
    event = one("TYPING_START", {"channel_id": DM, "user_id": ANN, "timestamp": 1})
    assert isinstance(event, TypingStarted)
    assert event.address.surface is Surface.DIRECT


def test_coming_into_a_server_and_being_thrown_out_are_told() -> None:
    fresh = Places(BOT)
    joined = one("GUILD_CREATE", guild(), fresh)
    assert isinstance(joined, Membership)
    assert joined.change is MembershipChange.JOINED
    known = Places(BOT)
    known.learn("READY", {"guilds": [{"id": GUILD, "unavailable": True}]})
    assert parse("GUILD_CREATE", guild(), ME, known, "s:1").events == ()
    kicked = one("GUILD_DELETE", {"id": GUILD})
    assert kicked.change is MembershipChange.KICKED
    assert parse("GUILD_DELETE", {"id": GUILD, "unavailable": True}, ME, places(), "s:1").events == ()


def test_being_taken_out_of_a_thread_is_told_and_remembered() -> None:
    known = places(joined=True)
    data = {"id": THREAD, "guild_id": GUILD, "member_count": 1, "removed_member_ids": [BOT]}
    event = one("THREAD_MEMBERS_UPDATE", data, known)
    assert event.change is MembershipChange.LEFT
    known.learn("THREAD_MEMBERS_UPDATE", data)
    place = known.at(THREAD)
    assert place is not None
    assert not place.is_joined


@pytest.mark.parametrize("odd", [None, [], {}, "x", 2.5])
def test_a_channel_of_no_known_type_is_a_channel(odd: Any) -> None:
    known = Places(BOT)
    known.learn("CHANNEL_CREATE", {"id": CHANNEL, "type": odd, "parent_id": odd})
    known.learn("THREAD_LIST_SYNC", {"threads": [{"id": THREAD, "type": odd}], "members": [{"id": odd}]})
    place = known.at(CHANNEL)
    assert place is not None
    assert (place.parent, place.is_joined, place.is_direct) == (None, False, False)


def test_only_an_unknown_channel_of_a_server_is_looked_up() -> None:
    assert unknown_channel("MESSAGE_CREATE", message(channel_id="77"), places()) == "77"
    assert unknown_channel("MESSAGE_CREATE", message(), places()) is None
    assert unknown_channel("MESSAGE_CREATE", direct(), places()) is None
    assert unknown_channel("TYPING_START", message(channel_id="77"), places()) is None


# -- interactions


def test_a_command_is_a_message_with_the_text_that_would_be_typed() -> None:
    found = read(interaction(), ME, places())
    assert isinstance(found, Command)
    assert found.event.text == "/model fast"
    assert found.event.address.surface is Surface.COMMAND
    assert str(found.event.address.key) == f"discord:main:{CHANNEL}"
    assert interaction_of(found.event.address.handle) == found.way
    assert "aW50" not in repr(found.way)


def test_a_command_in_a_thread_answers_there() -> None:
    channel = {"id": "88", "type": 11, "parent_id": CHANNEL}
    found = read(interaction(channel=channel, channel_id="88"), ME, places())
    assert isinstance(found, Command)
    assert str(found.event.address.key) == f"discord:main:{CHANNEL}:88"


def test_a_command_in_a_direct_chat_has_the_user_at_another_place() -> None:
    data = interaction(channel_id=DM, user=user(), channel={"id": DM, "type": 1})
    del data["guild_id"], data["member"]
    found = read(data, ME, places())
    assert isinstance(found, Command)
    assert found.event.sender.id == ANN


def test_a_press_names_the_action_and_the_message() -> None:
    data = interaction(
        3, data={"custom_id": "fw:stop", "component_type": 2}, message=message(author=user(BOT))
    )
    found = read(data, ME, places())
    assert isinstance(found, Press)
    assert (found.event.action, found.event.message_id) == ("stop", MESSAGE)
    assert found.event.address.reply_to == MESSAGE


def test_typing_into_an_option_names_it() -> None:
    options = [{"name": "name", "type": 3, "value": "fa", "focused": True}]
    found = read(interaction(4, data={"name": "model", "options": options}), ME, places())
    assert isinstance(found, Typed)
    assert (found.command, found.option, found.text) == ("model", "name", "fa")


def test_a_button_of_somebody_else_is_dropped() -> None:
    data = interaction(3, data={"custom_id": "other", "component_type": 2}, message=message())
    assert read(data, ME, places()) == "no_content"


def test_buttons_stand_in_one_row() -> None:
    (row,) = buttons([Action("stop", "Stop"), Action("retry", "Retry")])
    assert [(button["custom_id"], button["label"]) for button in row["components"]] == [
        ("fw:stop", "Stop"),
        ("fw:retry", "Retry"),
    ]
    assert buttons([]) == []


def test_a_handle_with_a_long_token_still_fits() -> None:
    found = read(interaction(token="x" * 900), ME, places())
    assert isinstance(found, Command)
    assert len(found.event.address.handle) < MAX_HANDLE_BYTES


@pytest.mark.parametrize(
    "handle", ["", "i:1:2:3", "i:1:2:x:t", "i:a:b:1:t", "i:1:2:3:../../x", "q:x", "nonsense"]
)
def test_a_handle_that_is_none_is_no_way_to_answer(handle: str) -> None:
    assert interaction_of(handle) is None


def test_an_interactions_handle_reads_back() -> None:
    found = read(interaction(), ME, places())
    assert isinstance(found, Command)
    assert interaction_of(for_interaction(found.way)) == found.way


# -- generated events

SNOWFLAKES = st.sampled_from([BOT, ANN, CHANNEL, THREAD, DM, GUILD, ROLE, MESSAGE]) | st.integers(
    0, 2**63
).map(str)
ODD: Any = st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=12)
ODD = (
    ODD
    | st.lists(ODD, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "type", "name", "user"]), ODD, max_size=3)
)
ANY = SNOWFLAKES | ODD


def shaped(**fields: Any) -> Any:
    """A payload with the documented fields, each mostly right, sometimes odd, sometimes left out."""
    return st.fixed_dictionaries({}, optional={key: value | ODD for key, value in fields.items()})


USERS = shaped(
    id=SNOWFLAKES, username=st.text(max_size=20), global_name=st.text(max_size=20), bot=st.booleans()
)
MEMBERS = shaped(nick=st.text(max_size=20), user=USERS, roles=st.lists(SNOWFLAKES, max_size=2))
FILES = shaped(
    id=SNOWFLAKES,
    filename=st.text(max_size=20),
    url=st.text(max_size=30),
    size=st.integers(),
    content_type=st.sampled_from(["image/png", "audio/ogg", "x"]),
)
TEXTS = st.text(max_size=40) | st.sampled_from(
    [f"<@{BOT}> hi", f"<@!{ANN}>", "<:a:1>", f"<@&{ROLE}>", "\ud800"]
)
TIMES = st.sampled_from(
    ["2026-11-21T10:00:00+00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "x"]
)
MESSAGES = shaped(
    id=SNOWFLAKES,
    channel_id=SNOWFLAKES,
    guild_id=SNOWFLAKES,
    type=st.integers(0, 60),
    content=TEXTS,
    author=USERS,
    member=MEMBERS,
    mentions=st.lists(USERS, max_size=3),
    mention_roles=st.lists(SNOWFLAKES, max_size=3),
    referenced_message=shaped(author=USERS, id=SNOWFLAKES),
    attachments=st.lists(FILES, max_size=3),
    message_snapshots=st.lists(
        shaped(message=shaped(content=TEXTS, attachments=st.lists(FILES, max_size=2))), max_size=2
    ),
    sticker_items=st.lists(shaped(name=TEXTS), max_size=2),
    poll=shaped(
        question=shaped(text=TEXTS), answers=st.lists(shaped(poll_media=shaped(text=TEXTS)), max_size=2)
    ),
    edited_timestamp=TIMES,
    webhook_id=SNOWFLAKES,
    flags=st.integers(0, 2**14),
)
OTHERS = shaped(
    id=SNOWFLAKES,
    ids=st.lists(ANY, max_size=4),
    channel_id=SNOWFLAKES,
    guild_id=SNOWFLAKES,
    message_id=SNOWFLAKES,
    user_id=SNOWFLAKES,
    emoji=shaped(id=SNOWFLAKES, name=TEXTS),
    member=MEMBERS,
    unavailable=st.booleans(),
    removed_member_ids=st.lists(ANY, max_size=3),
    added_members=st.lists(shaped(user_id=SNOWFLAKES), max_size=3),
    members=st.lists(shaped(id=SNOWFLAKES), max_size=3),
    parent_id=SNOWFLAKES,
    owner_id=SNOWFLAKES,
    type=st.integers(0, 20),
    threads=st.lists(shaped(id=SNOWFLAKES, type=st.just(11), parent_id=SNOWFLAKES), max_size=3),
    channels=st.lists(shaped(id=SNOWFLAKES, type=st.integers(0, 16)), max_size=3),
    roles=st.lists(shaped(id=SNOWFLAKES, tags=shaped(bot_id=SNOWFLAKES)), max_size=3),
    guilds=st.lists(shaped(id=SNOWFLAKES), max_size=3),
)
INTERACTIONS = shaped(
    id=SNOWFLAKES,
    application_id=SNOWFLAKES,
    type=st.integers(0, 6),
    token=st.text(max_size=30) | st.just("aW50ZXJhY3Rpb24"),
    channel_id=SNOWFLAKES,
    guild_id=SNOWFLAKES,
    channel=shaped(id=SNOWFLAKES, type=st.integers(0, 16), parent_id=SNOWFLAKES),
    member=MEMBERS,
    user=USERS,
    message=MESSAGES,
    data=shaped(
        name=st.text(max_size=40),
        custom_id=st.text(max_size=10) | st.just("fw:stop"),
        options=st.lists(shaped(name=TEXTS, value=TEXTS | st.integers(), focused=st.booleans()), max_size=3),
    ),
)
NAMES = st.sampled_from(
    "READY GUILD_CREATE GUILD_DELETE MESSAGE_CREATE MESSAGE_UPDATE MESSAGE_DELETE MESSAGE_DELETE_BULK"
    " MESSAGE_REACTION_ADD MESSAGE_REACTION_REMOVE TYPING_START CHANNEL_CREATE CHANNEL_DELETE THREAD_CREATE"
    " THREAD_UPDATE THREAD_DELETE THREAD_LIST_SYNC THREAD_MEMBERS_UPDATE SOMETHING_NEW".split()
)
_KNOWN = places(joined=True)


@generated
@given(name=NAMES, data=MESSAGES | OTHERS | ANY, mark=st.text(max_size=5))
def test_no_generated_dispatch_crashes_the_parser(name: str, data: Any, mark: str) -> None:
    unknown_channel(name, data, _KNOWN)
    parsed = parse(name, data, ME, _KNOWN, mark)
    _KNOWN.learn(name, data)
    for event in parsed.events:
        assert event.event_key
        assert str(event.address.key).startswith("discord:main:")
        if isinstance(event, Message | MessageEdited):
            assert event.text.encode() or isinstance(event, Message)
            assert event.sent_at.utcoffset() is not None


@generated
@given(data=INTERACTIONS | ANY)
def test_no_generated_interaction_crashes_the_parser(data: Any) -> None:
    found = read(data, ME, _KNOWN)
    if not isinstance(found, str):
        assert found.event.sender.id
        assert found.way.token.isascii()
