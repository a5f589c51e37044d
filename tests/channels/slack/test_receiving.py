"""What people do in the workspace arrives once, in order, and is confirmed only when it is kept."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from channels.base import HistoryLine
from channels.capabilities import Surface
from channels.errors import Gone, Refused
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
    TypingStarted,
)
from channels.slack.interact import parse_command
from channels.slack.payload import handle
from tests.channels.slack.hosts import PERSON, QUICK, KeepingHost, address, running
from tests.channels.slack.peer.client import Peer

DM = "D0PERSON01"
CHANNEL = "C0GENERAL1"


@pytest.fixture
def host(tmp_path: Path) -> KeepingHost:
    return KeepingHost(tmp_path)


async def test_an_event_is_confirmed_only_after_the_host_has_taken_it(peer: Peer, host: KeepingHost) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def gate(_: Event) -> None:
        entered.set()
        await leave.wait()

    host.gate = gate
    async with running(peer, host):
        said = await peer.say(DM, "precious")
        await entered.wait()
        (delivery,) = await peer.deliveries()
        assert delivery["outcome"] == "waiting"
        leave.set()
        await peer.wait(acked=1, event_id=said["event_ids"][0])
    assert host.texts == ["precious"]


async def test_what_has_no_room_is_not_confirmed_and_comes_again(peer: Peer, host: KeepingHost) -> None:
    await peer.settings(ack=0.1, retries=[0, 0.05, 0.1])
    host.room = lambda _: len(host.offered) > 2
    async with running(peer, host):
        said = await peer.say(DM, "patience")
        (delivery,) = await peer.wait(acked=1, event_id=said["event_ids"][0])
    assert [attempt["number"] for attempt in delivery["attempts"]] == [0, 1, 2]
    assert delivery["attempts"][1]["reason"] == "timeout"
    assert len(host.offered) == 3
    assert host.texts == ["patience"]


async def test_a_slow_host_is_offered_a_message_once_although_slack_repeats_it(
    peer: Peer, host: KeepingHost
) -> None:
    await peer.settings(ack=0.05, retries=[0, 0.05])
    leave = asyncio.Event()

    async def gate(_: Event) -> None:
        await leave.wait()

    host.gate = gate
    async with running(peer, host):
        await peer.say(DM, "slowly")
        await peer.wait(acked=1, outcome="unacked")
        leave.set()
        await host.until(lambda: bool(host.events))
        await peer.say(DM, "next")
        await host.until(lambda: len(host.events) == 2)
    assert len(host.offered) == 2


async def test_copies_and_the_two_events_of_a_mention_are_one_message(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        await peer.mention(CHANNEL, "hello", copies=3)
        await peer.wait(acked=2)
        await peer.say(DM, "after it")
        await host.until(lambda: "after it" in host.texts)
    assert host.texts == ["hello", "after it"]
    assert len(host.offered) == 2


async def test_the_bots_own_name_is_read_where_it_is_mentioned(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        await peer.say(CHANNEL, f"ask <@{peer.bot_user}> about it")
        await host.until(lambda: bool(host.events))
    assert host.texts == ["ask @firstword about it"]


async def test_many_messages_keep_their_order(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        await peer.say_all([{"channel": DM, "text": str(number)} for number in range(50)])
        await host.until(lambda: len(host.events) == 50)
    assert host.texts == [str(number) for number in range(50)]


async def test_the_bots_own_messages_and_other_bots_are_not_heard(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host) as channel:
        head = await peer.say(DM, "question")
        sent = await channel.send(address(DM, head["ts"]), "my own", "k")
        await channel.edit(address(DM, head["ts"]), sent.id, "my own words")
        await peer.say(CHANNEL, f"<@{peer.bot_user}> beep", bot={"bot_id": "B0OTHER001", "username": "robot"})
        await peer.say(DM, "end")
        await host.until(lambda: "end" in host.texts)
        await peer.wait(acked=5)
    assert host.texts == ["question", "end"]
    assert host.signals["self_message"] >= 2


async def test_a_channel_is_heard_but_only_a_mention_is_addressed(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        await peer.say(CHANNEL, "people among themselves")
        await peer.mention(CHANNEL, "and you?")
        await host.until(lambda: len(host.events) == 2)
    assert [event.addressed for event in host.of(Message)] == [False, True]


async def test_in_a_thread_with_the_bot_no_mention_is_needed(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        head = await peer.mention(CHANNEL, "hello")
        await host.until(lambda: len(host.events) == 1)
        await peer.say(CHANNEL, "go on", thread=head["ts"])
        await peer.say(CHANNEL, "<@U0OTHER001> what do you think?", thread=head["ts"])
        await host.until(lambda: len(host.events) == 3)
    assert [event.addressed for event in host.of(Message)] == [True, True, False]
    assert {event.address.key.thread for event in host.of(Message)} == {head["ts"]}


async def test_after_a_restart_the_stored_history_says_where_the_bot_takes_part(
    peer: Peer, host: KeepingHost
) -> None:
    head = await peer.say(CHANNEL, "an old thread", silent=True)
    key = str(address(CHANNEL, head["ts"]).key)
    host.lines[key] = [HistoryLine("assistant", "an old answer", "1.1", 0.0)]
    async with running(peer, host):
        await peer.say(CHANNEL, "go on", thread=head["ts"])
        other = await peer.say(CHANNEL, "a thread of others")
        await peer.say(CHANNEL, "indeed", thread=other["ts"])
        await host.until(lambda: len(host.events) == 3)
    assert [event.addressed for event in host.of(Message)] == [True, False, False]


async def test_what_follows_a_mention_at_once_needs_none_of_its_own(peer: Peer, host: KeepingHost) -> None:
    """The mention is not durable yet, and nothing was answered in that thread, when the next line comes."""
    both = asyncio.Barrier(2)
    host.gate = lambda _: both.wait()
    async with running(peer, host):
        head = await peer.mention(CHANNEL, "hello")
        await peer.say(CHANNEL, "and one more thing", thread=head["ts"])
        await host.until(lambda: len(host.events) == 2)
    assert all(event.addressed for event in host.of(Message))


async def test_follow_ups_can_be_switched_off(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host, followUps=False):
        head = await peer.mention(CHANNEL, "hello")
        await peer.say(CHANNEL, "go on", thread=head["ts"])
        await host.until(lambda: len(host.events) == 2)
    assert [event.addressed for event in host.of(Message)] == [True, False]


async def test_names_are_looked_up_beside_and_known_from_then_on(peer: Peer, host: KeepingHost) -> None:
    await peer.control("person", user=PERSON, name="Somebody")
    async with running(peer, host):
        await peer.say(DM, "first")
        await host.until(lambda: len(host.events) == 1)
        await peer.wait(method="users.info")
        for number in range(100):
            await peer.say(DM, str(number))
            await host.until(lambda: len(host.events) == number + 2)  # noqa: B023 - called at once
            if host.of(Message)[-1].sender.name:
                break
    assert host.of(Message)[0].sender.name == ""
    assert host.of(Message)[-1].sender.name


async def test_edits_deletions_and_reactions_of_people_are_events(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host) as channel:
        said = await peer.say(DM, "tyop")
        sent = await channel.send(address(DM, said["ts"]), "answer", "k")
        await peer.edit(DM, said["ts"], "typo")
        await peer.react(DM, sent.id, "-1")
        await peer.react(DM, sent.id, "-1", off=True)
        other = await peer.say(DM, "never mind")
        await peer.delete(DM, other["ts"])
        await host.until(lambda: bool(host.of(MessageDeleted)))
    assert host.of(MessageEdited)[0].text == "typo"
    assert [(event.emoji, event.added) for event in host.of(Reaction)] == [
        ("\U0001f44e", True),
        ("\U0001f44e", False),
    ]
    assert host.of(Reaction)[0].address.key.thread == said["ts"]
    assert host.of(MessageDeleted)[0].message_id == other["ts"]


async def test_an_invitation_and_a_removal_are_events(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        await peer.control("invite", channel=CHANNEL)
        await peer.control("invite", channel=CHANNEL, user="U0OTHER001")
        await peer.control("kick", channel=CHANNEL)
        await host.until(lambda: len(host.of(Membership)) == 3)
    changes = [event.change for event in host.of(Membership)]
    assert changes[0] is MembershipChange.JOINED
    assert MembershipChange.KICKED in changes


# -- commands and presses


async def test_a_command_is_confirmed_at_once_and_answered_to_that_person_alone(
    peer: Peer, host: KeepingHost
) -> None:
    async with running(peer, host) as channel:
        await peer.say(CHANNEL, "hello")
        await peer.command(CHANNEL, "/firstword", "model fast")
        await peer.wait(acked=1, kind="slash_commands")
        await host.until(lambda: len(host.events) == 2)
        event = host.of(Message)[1]
        assert event.text == "/model fast"
        await channel.send(event.address, "Model: **fast** <!channel>", "k")
        await peer.wait(channel=CHANNEL, contains="fast")
    (answer,) = await peer.messages(CHANNEL)
    assert answer["to"] == PERSON
    assert await peer.pings() == []


async def test_an_answer_to_a_command_that_comes_too_late_is_given_up(peer: Peer, host: KeepingHost) -> None:
    """Slack docs, response_url (2026-11): five answers within thirty minutes."""
    async with running(peer, host) as channel:
        await peer.say(CHANNEL, "hello")
        for _ in range(2):
            await peer.command(CHANNEL, "/firstword", "help")
        await host.until(lambda: len(host.events) == 3)
        first, second = (event.address for event in host.of(Message)[1:])
        for number in range(5):
            await channel.send(first, f"part {number}", "k")
        with pytest.raises(Gone):
            await channel.send(first, "one too many", "k")
        await peer.advance(1801)
        with pytest.raises(Gone):
            await channel.send(second, "too late", "k")
        with pytest.raises(Refused):
            await channel.edit(first, "r:k", "changed")
    assert await peer.texts(CHANNEL) == [f"part {number}" for number in range(5)]


async def test_an_address_that_is_not_slacks_is_never_answered(peer: Peer, host: KeepingHost) -> None:
    way = handle(PERSON, peer.team, "https://hooks.slack.com.evil.org/x")
    where = Address(ConversationKey("slack", "main", CHANNEL), Surface.COMMAND, handle=way)
    async with running(peer, host) as channel:
        with pytest.raises(Gone):
            await channel.send(where, "a secret", "k")


async def test_who_may_not_is_told_in_the_confirmation_and_nobody_else_is(
    peer: Peer, host: KeepingHost
) -> None:
    host.refusals[PERSON] = "You <may> not."
    async with running(peer, host):
        await peer.say(CHANNEL, "hello", user="U0OTHER001")
        await peer.command(CHANNEL, "/firstword", "model fast")
        (delivery,) = await peer.wait(acked=1, kind="slash_commands")
        assert delivery["answer"] == {"response_type": "ephemeral", "text": "You &lt;may&gt; not."}
        host.refusals[PERSON] = ""
        await peer.command(CHANNEL, "/firstword", "model fast")
        await peer.wait(acked=2, kind="slash_commands")
    assert host.texts == ["hello"]
    (answer,) = await peer.messages(CHANNEL)
    assert (answer["shown"], answer["to"]) == ("You <may> not.", PERSON)


async def test_a_command_for_which_there_is_no_room_is_not_confirmed(peer: Peer, host: KeepingHost) -> None:
    await peer.settings(ack=0.1)
    host.room = lambda _: False
    async with running(peer, host):
        await peer.command(CHANNEL, "/firstword", "model fast")
        await peer.wait(acked=1, kind="slash_commands", outcome="unacked")


async def test_the_name_of_the_command_is_nobodys_secret(host: KeepingHost) -> None:
    """Two bots in one workspace have two commands; each app hears only its own, so the name is not compared."""
    from tests.channels.slack.payloads import ME, NOW, command

    parsed = parse_command(command("help", command="/otherword"), ME, frozenset({"help"}), NOW)
    assert isinstance(parsed.events[0], Message)
    assert parsed.events[0].text == "/help"


async def test_typed_commands_reach_the_host_as_they_were_typed(peer: Peer, host: KeepingHost) -> None:
    async with running(peer, host):
        await peer.say(DM, "!model fast")
        await peer.mention(CHANNEL, "/model fast")
        await host.until(lambda: len(host.events) == 2)
    assert host.texts == ["!model fast", "/model fast"]


async def test_a_press_that_is_refused_is_explained_to_the_one_who_pressed(
    peer: Peer, host: KeepingHost
) -> None:
    from channels.events import Action

    async with running(peer, host) as channel:
        head = await peer.say(CHANNEL, "hello")
        sent = await channel.send(
            address(CHANNEL, head["ts"]), "answer", "k", actions=(Action("retry", "Retry"),)
        )
        await peer.press(CHANNEL, sent.id, "firstword:retry")
        await host.until(lambda: bool(host.of(Pressed)))
        host.refusals["U0OTHER001"] = "Only <you> may."
        await peer.press(CHANNEL, sent.id, "firstword:retry", user="U0OTHER001")
        await peer.wait(channel=CHANNEL, contains="Only <you> may.")
    assert len(host.of(Pressed)) == 1
    assert host.of(Pressed)[0].address.key.thread == head["ts"]
    assert [one["to"] for one in await peer.messages(CHANNEL)] == ["", "U0OTHER001"]


# -- the chat with the bot


async def test_an_opened_chat_shows_suggestions_and_takes_its_title_from_the_first_question(
    peer: Peer, host: KeepingHost
) -> None:
    async with running(peer, host):
        thread = (await peer.control("assistant", channel=DM))["thread"]
        await peer.wait(method="assistant.threads.setSuggestedPrompts")
        await peer.say(DM, "What is the capital of France?", thread=thread)
        await peer.wait(method="assistant.threads.setTitle")
        await peer.say(DM, "And of Spain?", thread=thread)
        await host.until(lambda: len(host.of(Message)) == 2)
    seen = await peer.channel(DM)
    assert seen["titles"][thread] == "What is the capital of France?"
    assert len(host.of(TypingStarted)) == 1
    assert {event.address.key.thread for event in host.of(Message)} == {thread}


async def test_a_chat_of_a_newer_app_shows_suggestions_once_and_without_a_thread(
    peer: Peer, host: KeepingHost
) -> None:
    async with running(peer, host):
        for _ in range(3):
            await peer.control("home", channel=DM, tab="messages")
        await peer.wait(acked=3)
        await peer.wait(method="assistant.threads.setSuggestedPrompts")
        await peer.say(DM, "hello")
        await host.until(lambda: bool(host.of(Message)))
    (call,) = await peer.calls("assistant.threads.setSuggestedPrompts")
    assert "thread_ts" not in call["args"]
    assert len(call["args"]["prompts"]) == 3


async def test_a_stranger_is_shown_no_suggestions(peer: Peer, host: KeepingHost) -> None:
    host.refusals[PERSON] = ""
    async with running(peer, host):
        await peer.control("assistant", channel=DM)
        await peer.wait(acked=1)
        await peer.say(DM, "hello")
        await host.until(lambda: bool(host.of(Message)))
    assert await peer.calls("assistant.") == []


async def test_what_was_missed_in_the_latest_conversation_waits_for_no_other(
    peer: Peer, host: KeepingHost
) -> None:
    """Slack lets fifty reads through in a minute: the place that was last talked in is read first, and counts at once."""
    async with running(peer, host):
        heads = [await peer.say(DM, f"head {number}") for number in range(3)]
        await host.until(lambda: len(host.events) == 3 and len(json.loads(_seen(host))) == 4)
    for head in heads:
        await peer.say(DM, "missed", thread=head["ts"], silent=True)
    await peer.control("limits", method="conversations.replies", per_minute=2, burst=1)
    async with running(peer, host):
        await host.until(lambda: len(host.events) == 4)
    assert host.of(Message)[-1].address.key.thread == heads[-1]["ts"]


async def test_what_is_said_after_a_gap_waits_for_what_was_missed_before_it(
    peer: Peer, host: KeepingHost
) -> None:
    """Slack hands out at once what is said after a restart; what was said before it is found by the look alone."""
    async with running(peer, host):
        head = await peer.say(DM, "head")
        await host.until(lambda: len(host.events) == 1 and len(json.loads(_seen(host))) == 2)
    await peer.say(DM, "missed", thread=head["ts"], silent=True)
    await peer.fault("conversations.replies", delay=0.3)
    async with running(peer, host):
        await peer.say(DM, "said later", thread=head["ts"])
        await host.until(lambda: len(host.events) == 3)
    assert host.texts == ["head", "missed", "said later"]


async def test_where_somebody_waits_the_look_back_is_at_once(peer: Peer, host: KeepingHost) -> None:
    """The places are looked at one after the other, the one spoken in last first."""
    rooms = [f"D0ROOM{number:04}" for number in range(6)]
    async with running(peer, host, direct="inline"):
        for room in rooms:
            await peer.say(room, "before")
        await host.until(lambda: len(json.loads(_seen(host))) == len(rooms))
    await peer.say(rooms[0], "missed", silent=True)
    for room in rooms[1:]:
        await peer.fault("conversations.history", channel=room, delay=0.5)
    async with running(peer, host, direct="inline"):
        await peer.say(rooms[0], "said later")
        await host.until(lambda: len(host.events) == len(rooms) + 2)
    assert host.texts[len(rooms) :] == ["missed", "said later"]


async def test_what_is_said_after_a_gap_waits_no_longer_than_slack_does(
    peer: Peer, host: KeepingHost
) -> None:
    async with running(peer, host):
        head = await peer.say(DM, "head")
        await host.until(lambda: len(host.events) == 1 and len(json.loads(_seen(host))) == 2)
    await peer.fault("conversations.replies", hang=True)
    async with running(peer, host, replace(QUICK, in_turn=0.05)):
        said = await peer.say(DM, "said later", thread=head["ts"])
        await peer.wait(acked=1, event_id=said["event_ids"][0])
    assert host.texts == ["head", "said later"]


def _seen(host: KeepingHost) -> str:
    return next((value for name, value in host.cursors.items() if name.startswith("seen:")), "{}")
