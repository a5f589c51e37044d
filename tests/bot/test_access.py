"""Closed by default: who may talk, for every kind of event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.access import (
    CLOSED_GROUP,
    IGNORED,
    STRANGER,
    Direct,
    Finding,
    Policy,
    Verdict,
    authorise,
)
from channels.capabilities import Surface
from channels.commands import Role
from channels.events import (
    Address,
    ConversationKey,
    Event,
    Membership,
    MembershipChange,
    Message,
    MessageDeleted,
    MessageEdited,
    Pressed,
    Reaction,
    Sender,
    TypingStarted,
    Unreadable,
    UnreadableReason,
)
from tests.generated import generated

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GUEST, MEMBER, ADMIN, OWNER = (Verdict(Finding.ALLOWED, role) for role in Role)
CLOSED = Direct.ALLOWLIST


def events(sender: str, surface: Surface, *, space: str = "g1", is_bot: bool = False) -> list[Event]:
    """One event of every kind by that sender."""
    where = Address(ConversationKey("c", "a", space), surface)
    who = Sender(sender, "Name", is_bot)
    return [
        Message("k", "m", where, who, "hi", NOW),
        MessageEdited("k", "m", where, who, "hi", NOW),
        Reaction("k", "m", where, who, "+"),
        Pressed("k", "m", where, who, "stop"),
        Membership("k", "m", where, who, MembershipChange.JOINED),
        TypingStarted("k", "m", where, who),
        Unreadable("k", "m", where, who, UnreadableReason.ENCRYPTED),
    ]


def verdicts(policy: Policy, sender: str, surface: Surface, **where: object) -> set[Verdict]:
    return {authorise(event, policy) for event in events(sender, surface, **where)}  # type: ignore[arg-type]


def test_with_nothing_configured_everybody_is_a_stranger() -> None:
    assert verdicts(Policy(direct=CLOSED), "4711", Surface.DIRECT) == {STRANGER}
    assert verdicts(Policy(), "4711", Surface.GROUP) == {IGNORED}


def test_only_ids_on_the_list_may_talk_whatever_the_event() -> None:
    policy = Policy(allow=frozenset({"4711"}), owners=frozenset({"1"}), direct=CLOSED)
    assert verdicts(policy, "4711", Surface.DIRECT) == {MEMBER}
    assert verdicts(policy, "1", Surface.DIRECT) == {OWNER}
    assert verdicts(policy, "4712", Surface.DIRECT) == {STRANGER}
    assert verdicts(policy, "", Surface.DIRECT) == {IGNORED}


def test_a_display_name_gives_no_rights() -> None:
    policy = Policy(allow=frozenset({"Name"}), direct=CLOSED)
    assert verdicts(policy, "4711", Surface.DIRECT) == {STRANGER}


def test_a_group_answers_only_when_it_is_listed() -> None:
    policy = Policy(allow=frozenset({"4711"}), groups=frozenset({"g1"}), owners=frozenset({"1"}))
    assert verdicts(policy, "4712", Surface.GROUP) == {GUEST}
    assert verdicts(policy, "4711", Surface.GROUP, space="g2") == {IGNORED}
    assert verdicts(policy, "1", Surface.GROUP, space="g2") == {CLOSED_GROUP, OWNER}


def test_what_is_not_addressed_to_us_is_ignored_in_a_group() -> None:
    where = Address(ConversationKey("c", "a", "g1"), Surface.GROUP)
    said = Message("k", "m", where, Sender("4711"), "hi all", NOW, addressed=False)
    policy = Policy(allow=frozenset({"4711"}), groups=frozenset({"g1"}))
    assert authorise(said, policy) is IGNORED


@generated
@given(st.sampled_from(list(Surface)), st.text(max_size=5))
def test_bots_are_never_answered(surface: Surface, sender: str) -> None:
    policy = Policy(allow=frozenset({"*"}), groups=frozenset({"*"}), owners=frozenset({sender}))
    assert verdicts(policy, sender, surface, is_bot=True) == {IGNORED}


def test_whoever_reaches_a_local_channel_is_the_owner() -> None:
    assert verdicts(Policy(is_local=True), "anyone", Surface.DIRECT) == {OWNER}


@pytest.mark.parametrize("policy", [Policy(), Policy(allow=frozenset({"4711"}))])
def test_a_deletion_without_a_sender_may_take_back(policy: Policy) -> None:
    where = Address(ConversationKey("c", "a", "g1"), Surface.DIRECT)
    assert authorise(MessageDeleted("k", "m", where), policy).is_allowed


def test_a_command_follows_the_rules_of_the_place_where_it_was_given() -> None:
    """In a listed group whoever is there may give one, as with a mention; elsewhere the list of people counts."""
    policy = Policy(allow=frozenset({"4711"}), groups=frozenset({"g1"}), owners=frozenset({"1"}))

    def given(sender: str, space: str, *, is_shared: bool) -> Verdict:
        where = Address(ConversationKey("c", "a", space), Surface.COMMAND, is_shared=is_shared)
        return authorise(Message("k", "m", where, Sender(sender), "/help", NOW), policy)

    assert given("stranger", "g1", is_shared=True) == GUEST
    assert given("4711", "g2", is_shared=True) is IGNORED
    assert given("1", "g2", is_shared=True) is CLOSED_GROUP
    assert given("stranger", "g1", is_shared=False) is STRANGER
    assert given("4711", "d1", is_shared=False) == MEMBER


def test_an_owner_may_take_the_bot_into_any_group_but_it_answers_only_in_listed_ones() -> None:
    policy = Policy(allow=frozenset({"4711"}), owners=frozenset({"1"}))
    where = Address(ConversationKey("c", "a", "g2"), Surface.GROUP)

    def invited(sender: str) -> Verdict:
        return authorise(Membership("k", "", where, Sender(sender), MembershipChange.INVITED), policy)

    assert invited("1") == OWNER
    assert invited("4711") is IGNORED
    assert authorise(Message("k", "m", where, Sender("1"), "hi", NOW), policy) is CLOSED_GROUP
