"""What people do to an answer by hand, and what a channel may ask of the daemon, through the real app."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot import metrics, words
from bot.access import Direct, Policy
from bot.conversations import Conversations
from bot.store.base import Outcome
from channels.capabilities import Capabilities, LatencyClass, Streaming, Surface
from channels.errors import Refused
from channels.events import (
    Membership,
    MembershipChange,
    Message,
    Pressed,
    Sender,
    Unreadable,
    UnreadableReason,
)
from providers.base import Started, TextDelta
from providers.fake import FakeProvider, Hang, answer
from tests.story.inside import address, inside, message

BUTTONS = Capabilities(LatencyClass.SYNC, Streaming.EDIT, deletes=True, buttons=True)


async def test_stop_stands_under_a_running_answer_and_a_press_on_it_says_nothing_more(tmp_path: Path) -> None:
    """The answer that stands there says that it was stopped; afterwards it offers to try again."""
    script = (Started(), TextDelta("The beginning"), Hang())
    async with inside(tmp_path, FakeProvider("one", script, answer("again")), BUTTONS) as world:
        await world.say("a question")
        async with asyncio.timeout(30):
            while not world.channel.messages:
                await asyncio.sleep(0.01)
        assert [action.id for action in world.channel.messages[0].actions] == ["stop"]
        await world.accept(Pressed("p1", "1", address(), Sender("ann"), "stop"))
        await world.quiet()
        assert world.channel.visible() == ["The beginning\n\n(stopped)"]
        assert [action.id for action in world.channel.messages[0].actions] == ["retry"]
        await world.accept(Pressed("p2", "1", address(), Sender("ann"), "retry"))
        await world.quiet()
        assert world.channel.visible() == ["The beginning\n\n(stopped)", "again"]
        assert world.channel.violations == []


async def test_answers_of_commands_have_no_buttons(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("x")), BUTTONS) as world:
        await world.say("/whoami")
        await world.quiet()
        assert [message.actions for message in world.channel.messages] == [()]


async def test_an_answer_that_a_channel_will_never_show_ends_and_says_so(tmp_path: Path) -> None:
    """A missing right: it is not tried again after the next start, and the person is told in plain words."""
    async with inside(tmp_path, FakeProvider("one", answer("words"))) as world:
        world.channel.fail_next("send", Refused("not_permitted"))
        await world.say("a question")
        await world.quiet()
        assert world.channel.visible() == [words.UNSHOWN]
        (row,) = await world.app.store.turns(None, 10)
        assert row.outcome is Outcome.UNDELIVERABLE


@pytest.mark.parametrize(
    ("policy", "surface", "expected"),
    [
        (Policy(allow=frozenset({"ann"})), Surface.DIRECT, None),
        (Policy(), Surface.DIRECT, words.PAIR_FIRST),
        (Policy(direct=Direct.ALLOWLIST), Surface.DIRECT, words.stranger("ann", "allow")),
        (Policy(allow=frozenset({"ann"}), groups=frozenset({"room"})), Surface.GROUP, None),
        (Policy(allow=frozenset({"ann"})), Surface.GROUP, words.NOT_HERE),
        (Policy(owners=frozenset({"ann"})), Surface.GROUP, words.closed_group("room", "groups")),
    ],
)
async def test_a_channel_can_ask_who_may_do_what_before_it_answers(
    tmp_path: Path, policy: Policy, surface: Surface, expected: str | None
) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("x"))) as world:
        world.account.policy = policy
        said = message("/help")
        said = replace(said, address=replace(said.address, surface=surface))
        assert world.channel.host is not None
        assert world.channel.host.refusal(said) == expected
        bot = replace(said, sender=Sender("ann", is_bot=True))
        assert world.channel.host.refusal(bot) == ""


async def test_joining_and_leaving_is_counted_whoever_did_it(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("x"))) as world:
        world.account.policy = Policy()
        kicked = Membership("m1", "", address(), Sender("stranger"), MembershipChange.KICKED)
        before = metrics.exposition().decode()
        assert await world.accept(kicked)
        line = 'firstword_events_accepted_total{channel="fake",kind="membership"} '
        assert _value(metrics.exposition().decode(), line) == _value(before, line) + 1


async def test_a_message_without_a_key_is_answered_in_words_once_an_hour(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("x"))) as world:
        for number in range(3):
            unread = Unreadable(
                f"u{number}", f"m{number}", address(), Sender("ann"), UnreadableReason.ENCRYPTED
            )
            assert await world.accept(unread)
        await world.quiet()
        assert world.channel.visible() == [words.unreadable(UnreadableReason.ENCRYPTED)]
        assert world.provider.asked == []


def _value(exposition: str, line: str) -> float:
    found = [each for each in exposition.splitlines() if each.startswith(line)]
    return float(found[0].removeprefix(line)) if found else 0.0


def in_thread(text: str, number: int, thread: str, sender: str = "ann") -> Message:
    """Said in a thread of the room."""
    said = message(text, number, sender=sender)
    where = replace(address(), key=replace(address().key, thread=thread), surface=Surface.THREAD)
    return replace(said, address=where)


async def test_a_thread_begins_with_what_was_chosen_in_its_space(tmp_path: Path) -> None:
    one, two = FakeProvider("one", answer("quick")), FakeProvider("two", answer("deep thought"))
    async with inside(tmp_path, one, two=two) as world:
        world.account.policy = Policy(allow=frozenset({"*"}), groups=frozenset({"*"}))
        await world.say("/model deep", 1)
        await world.quiet()
        await world.accept(in_thread("a question", 2, "t1"))
        await world.quiet()
        await world.accept(in_thread("/model fast", 3, "t1"))
        await world.quiet()
        await world.accept(in_thread("another", 4, "t1"))
        await world.accept(in_thread("a third", 5, "t2"))
        await world.quiet()
        assert [len(one.asked), len(two.asked)] == [1, 2]


async def test_a_choice_that_a_thread_took_back_stays_taken_back_when_it_is_read_anew(tmp_path: Path) -> None:
    one, two = FakeProvider("one", answer("quick"), answer("quick")), FakeProvider("two", answer("deep"))
    async with inside(tmp_path, one, two=two) as world:
        world.account.policy = Policy(allow=frozenset({"*"}), groups=frozenset({"*"}))
        await world.say("/model deep", 1)
        await world.quiet()
        await world.accept(in_thread("/model default", 2, "t1"))
        await world.quiet()
        afresh = Conversations(world.app.store)
        assert (await afresh.get(str(in_thread("", 3, "t1").address.key))).state.choices == {}
        assert (await afresh.get(str(in_thread("", 3, "t2").address.key))).state.choices == {"model": "deep"}


async def test_stop_beside_the_threads_ends_ones_own_answer_in_a_thread(tmp_path: Path) -> None:
    script = (Started(), TextDelta("The beginning"), Hang())
    async with inside(tmp_path, FakeProvider("one", script, script)) as world:
        world.account.policy = Policy(allow=frozenset({"*"}), groups=frozenset({"*"}))
        await world.accept(in_thread("mine", 1, "t1"))
        await world.accept(in_thread("theirs", 2, "t2", sender="bob"))
        async with asyncio.timeout(30):
            while len(world.channel.messages) < 2:
                await asyncio.sleep(0.01)
        await world.say("/stop", 3)
        async with asyncio.timeout(30):
            while not any("(stopped)" in text for text in world.channel.visible()):
                await asyncio.sleep(0.01)
        assert [text for text in world.channel.visible() if "(stopped)" in text] == [
            "The beginning\n\n(stopped)"
        ]
        async with asyncio.timeout(30):
            while world.app.lanes.running != 1:  # the other one runs on; the command's own turn ends
                await asyncio.sleep(0.01)


async def test_retry_under_an_older_answer_asks_its_own_question_again(tmp_path: Path) -> None:
    provider = FakeProvider("one", answer("to the first"), answer("to the second"), answer("again"))
    async with inside(tmp_path, provider, BUTTONS) as world:
        for number, text in ((1, "the first"), (2, "the second")):
            await world.say(text, number)
            await world.quiet()
        first = world.channel.messages[0].id
        await world.accept(Pressed("p1", first, address(), Sender("ann"), "retry"))
        await world.quiet()
        assert provider.asked[2].request.messages[-1].text == "the first"
        assert "to the second" not in [said.text for said in provider.asked[2].request.messages]
        assert world.channel.visible()[-1] == "again"


async def test_our_own_words_name_commands_as_they_are_typed_there(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer(""))) as world:
        world.account.mark = "!"
        await world.say("a question", 1)
        await world.quiet()
        await world.say("/help", 2)
        await world.quiet()
        silent, listed = world.channel.visible()
        assert "!retry asks again" in silent
        assert "!model" in listed
        assert "/model" not in listed


def test_only_names_of_commands_are_marked() -> None:
    names = {"model", "retry"}
    text = "/retry or /model x; not https://x.org/model, /models or a/model"
    assert words.marked(text, "!", names) == "!retry or !model x; not https://x.org/model, /models or a/model"
    assert words.marked(text, "/", names) == text
