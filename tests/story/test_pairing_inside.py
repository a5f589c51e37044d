"""Letting people in: by a code, by /allowlist, in groups; taken back; and bots that answer each other."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

from bot import words
from bot.access import Activation, Direct, Policy
from bot.home import Home
from bot.loops import SILENCE, TURNS
from bot.pairing import LENGTH, LIFETIME, MAX_PENDING, MAX_WRONG
from bot.store import access
from bot.store.people import Person
from channels.capabilities import Surface
from channels.commands import Role
from channels.events import Address, ConversationKey, Message, Sender
from channels.fake import FakeChannel
from providers.fake import FakeProvider, Until, answer
from tests.story.inside import EDITS, Inside, inside, message
from tests.virtual_time import virtual_time

CLOSED = Policy(owners=frozenset({"olga"}), admins=frozenset({"adam"}), groups=frozenset({"g"}))
CODE = re.compile(rf"\b[A-Z2-9]{{{LENGTH}}}\b")


class People:
    """Who writes to a running app, each in a direct chat of their own."""

    def __init__(self, world: Inside) -> None:
        self.world = world
        self.number = 0

    def event(self, sender: str, text: str, *, group: bool = False, addressed: bool = True) -> Message:
        """A message."""
        self.number += 1
        space, surface = ("g", Surface.GROUP) if group else (f"with {sender}", Surface.DIRECT)
        where = Address(ConversationKey("fake", "main", space), surface)
        who = Sender(sender, sender.title())
        return replace(message(text, self.number), address=where, sender=who, addressed=addressed)

    async def say(self, sender: str, text: str, *, group: bool = False, addressed: bool = True) -> list[str]:
        """What is newly visible once all is quiet."""
        before = len(self.world.channel.visible())
        assert await self.world.accept(self.event(sender, text, group=group, addressed=addressed))
        await self.world.quiet()
        return self.world.channel.visible()[before:]

    async def code(self, sender: str) -> str:
        """The code that a stranger is told."""
        (told,) = await self.say(sender, "hello")
        found = CODE.search(told)
        assert found is not None, told
        return found[0]


class Page(FakeChannel):
    """Another channel."""

    @property
    def name(self) -> str:
        """What its conversations begin with."""
        return "page"


def provider() -> FakeProvider:
    """It always says the same."""
    return FakeProvider("one", default=answer("yes"))


@virtual_time
async def _pairs(folder: Path) -> None:
    async with inside(folder, provider(), policy=CLOSED, is_virtual=True) as world:
        people = People(world)
        code = await people.code("sue")
        assert world.provider.asked == []
        assert await people.say("sue", "are you there?") == []
        assert code in (await people.say("sue", "/pair"))[0]
        (said,) = await people.say("olga", f"/pair approve {code.lower()}")
        assert "fake:main:sue" in said
        assert await people.say("sue", "and now?") == ["yes"]
        assert "member" in (await people.say("sue", "/whoami"))[0]
        (again,) = await people.say("olga", f"/pair approve {code}")
        assert "No one holds this code" in again


def test_a_stranger_is_let_in_by_the_code_that_they_were_told(tmp_path: Path) -> None:
    _pairs(tmp_path)


@virtual_time
async def _expires(folder: Path) -> None:
    async with inside(folder, provider(), policy=CLOSED, is_virtual=True) as world:
        people = People(world)
        code = await people.code("sue")
        await asyncio.sleep(LIFETIME + 1)
        (said,) = await people.say("olga", f"/pair approve {code}")
        assert "No one holds this code" in said
        assert await people.code("sue") != code
        for each in range(MAX_PENDING - 1):
            await people.code(f"other {each}")
        (full,) = await people.say("fourth", "let me in")
        assert CODE.search(full) is None
        assert full == words.pairing_full("fourth")
        assert await people.say("sue", "hi") == []


def test_a_code_holds_an_hour_and_three_may_hold_one(tmp_path: Path) -> None:
    _expires(tmp_path)


@virtual_time
async def _guessing(folder: Path) -> None:
    async with inside(folder, provider(), policy=CLOSED, is_virtual=True) as world:
        people = People(world)
        code = await people.code("sue")
        for guess in range(20):
            (said,) = await people.say("adam", f"/pair approve AAAAAAA{'ABCDEFGHJKLMNPQRSTUV'[guess]}")
            assert ("Too many wrong codes" in said) == (guess >= MAX_WRONG)
        assert "Too many wrong codes" in (await people.say("olga", f"/pair approve {code}"))[0]
        # The command line is another way, which nobody has guessed at.
        found = await world.app.grants.approve(code, access.COMMAND_LINE)
        assert found.let_in is not None
        rows = await world.app.store.call(access.log)
        assert [row.what for row in rows] == ["paired", *["wrong code"] * MAX_WRONG]


def test_guessing_closes_its_way_and_no_other(tmp_path: Path) -> None:
    _guessing(tmp_path)


async def test_a_code_of_another_length_is_a_slip_and_no_guess(tmp_path: Path) -> None:
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        people = People(world)
        for text in ("ABC", "ABCDEFGHJ", "-", "the code"):
            assert await people.say("adam", f"/pair approve {text}") == [words.NO_CODE]
        assert await world.app.store.call(access.log) == []


async def test_only_what_can_be_an_id_is_let_in(tmp_path: Path) -> None:
    """Who types a name believes that its bearer is let in, who is not, or is whoever takes the name (CVE-2026-28480)."""
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        world.account.id_pattern, world.account.id_hint = r"[0-9]{1,20}", "a number"
        people = People(world)
        for text in ("@bob", "bob", "1 2", "other:main:7", "\u0667\u0667", "fake:main:"):
            for command in ("/allowlist add", "/wl", "/op"):
                (said,) = await people.say("olga", f"{command} {text}")
                assert "is no id of a person here: it is a number." in said
        assert await world.app.store.call(access.grants) == []
        assert "`fake:main:7` is a member" in (await people.say("olga", "/wl fake:main:7"))[0]
        world.account.policy = replace(CLOSED, is_local=True)
        for text in ("7", "other:main:7", "fake:second:7"):
            (said,) = await people.say("olga", f"/wl {text}")
            assert said.startswith("There is no account ")
        assert len(await world.app.store.call(access.grants)) == 1


async def test_what_is_forwarded_is_never_a_command(tmp_path: Path) -> None:
    """An owner who hands a stranger's words on to the bot lets nobody in by them; they are asked about."""
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        people = People(world)
        for text in ("/op mallory", "/allowlist add mallory", "!wl mallory", "/budget set off"):
            await world.accept(replace(people.event("olga", text), quotes=True))
            await world.quiet()
        assert world.channel.visible() == ["yes"] * 4
        assert world.provider.asked[0].request.messages[-1].text.endswith("/op mallory")
        assert await world.app.store.call(access.grants) == []
        assert not world.app.desk.spending.is_chosen


async def test_what_waits_is_dropped_when_its_person_is_let_out(tmp_path: Path) -> None:
    go = asyncio.Event()
    slow = FakeProvider("one", (Until(go), *answer("the first")), default=answer("another"))
    async with inside(tmp_path, slow, policy=CLOSED) as world:
        people = People(world)
        await people.say("adam", "/allowlist add sue")
        for text in ("one", "/deep two", "/deep three"):  # which wait, and are not merged into the first
            assert await world.accept(people.event("sue", text))
        await slow.until_asked()
        sue = Person("fake", "main", "sue")
        assert await world.app.grants.take(sue, access.COMMAND_LINE)
        go.set()
        await world.quiet()
        assert world.channel.visible()[1:] == ["the first"]
        assert len(slow.asked) == 1
        assert await world.app.store.pending() == []


@virtual_time
async def _revoked(folder: Path) -> None:
    async with inside(folder, provider(), policy=CLOSED, is_virtual=True) as world:
        people = People(world)
        code = await people.code("sue")
        await people.say("adam", f"/pair approve {code}")
        assert await people.say("sue", "one") == ["yes"]
        (said,) = await people.say("adam", "/allowlist remove sue")
        assert "taken back" in said
        assert await people.say("sue", "two") == []
        await asyncio.sleep(3601)
        assert CODE.search((await people.say("sue", "three"))[0]) is not None
        assert len(world.provider.asked) == 1


def test_what_is_taken_back_counts_from_the_next_message_on(tmp_path: Path) -> None:
    _revoked(tmp_path)


async def test_a_name_opens_nothing(tmp_path: Path) -> None:
    """Who was let in is known by id: a stranger who takes over the name stays outside, the member may change theirs."""
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        people = People(world)
        await people.say("adam", "/allowlist add sue")
        thief = replace(people.event("thief", "hi"), sender=Sender("thief", "Sue"))
        await world.accept(thief)
        await world.quiet()
        assert world.provider.asked == []
        renamed = replace(people.event("sue", "hi"), sender=Sender("sue", "Somebody"))
        await world.accept(renamed)
        await world.quiet()
        assert len(world.provider.asked) == 1


async def test_nobody_grants_as_much_as_they_are(tmp_path: Path) -> None:
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        people = People(world)
        await people.say("adam", "/op sue")
        assert await people.say("adam", "/deop adam") == [words.OWNER_ONLY]
        assert "admin" in (await people.say("olga", "/op sue"))[0]
        assert "an admin already" in (await people.say("sue", "/allowlist add sue"))[0]
        assert "member" in (await people.say("sue", "/wl tim"))[0]
        # An admin takes back what is below an admin, and not what makes another one.
        assert "stays an admin" in (await people.say("adam", "/dwl sue"))[0]
        assert "taken back" in (await people.say("adam", "/dwl tim"))[0]
        assert "taken back" in (await people.say("olga", "/deop sue"))[0]
        rows = await world.app.store.call(access.log)
        assert [(row.what, row.about.rpartition(":")[2], row.actor.rpartition(":")[2]) for row in rows] == [
            ("revoked", "sue", "olga"),
            ("revoked", "tim", "adam"),
            ("granted", "tim", "sue"),
            ("granted", "sue", "olga"),
        ]


async def test_a_pairing_gives_nothing_in_a_group(tmp_path: Path) -> None:
    """GHSA-2gvc-4f3c-2855: commands of a room were authorised by the pairings of direct chats."""
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        people = People(world)
        code = await people.code("sue")
        await people.say("olga", f"/pair approve {code}")
        assert "(member)" in (await people.say("sue", "/whoami"))[0]
        assert "(guest)" in (await people.say("sue", "/whoami", group=True))[0]
        world.account.policy = replace(CLOSED, groups=frozenset())
        assert await people.say("sue", "/whoami", group=True) == []


async def test_in_a_group_only_what_is_addressed_is_answered_until_an_admin_says_otherwise(
    tmp_path: Path,
) -> None:
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        people = People(world)
        assert await people.say("gil", "hello all", group=True, addressed=False) == []
        assert await people.say("gil", "hello bot", group=True) == ["yes"]
        assert await people.say("gil", "/activation always", group=True) == []
        assert await people.say("gil", "/allowlist add gil", group=True) == []
        assert "always" in (await people.say("adam", "/activation always", group=True))[0]
        assert await people.say("gil", "hello all", group=True, addressed=False) == ["yes"]
        assert await people.say("adam", "/allowlist list", group=True) == [words.IN_PRIVATE]
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        people = People(world)
        people.number = 100
        assert await people.say("gil", "still there?", group=True, addressed=False) == ["yes"]
        assert "mention" in (await people.say("adam", "/activation mention", group=True))[0]
        assert await people.say("gil", "hello all", group=True, addressed=False) == []
        world.account.policy = replace(CLOSED, activation=Activation.ALWAYS)
        assert "always" in (await people.say("adam", "/activation default", group=True))[0]
        assert await people.say("gil", "hello all", group=True, addressed=False) == ["yes"]


async def test_a_command_that_is_kept_for_admins_has_no_side_way(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.config.write_text(json.dumps({"commands": {"roles": {"model": "admin"}}}))
    async with inside(tmp_path, provider(), policy=replace(CLOSED, allow=frozenset({"mia"}))) as world:
        people = People(world)
        denied = words.too_low(Role.ADMIN)
        for text in ("/model one/m", "/new one/m", "/fast on", "/deep on", "/fast auto"):
            assert denied in (await people.say("mia", text))[0], text
        assert "model" not in (await world.app.conversations.get("fake:main:with%20mia")).state.choices
        for number, text in enumerate(("/model one/m", "/new one/m", "/fast on")):
            assert denied not in (await people.say("adam", text))[0], number
        assert "model" in (await world.app.conversations.get("fake:main:with%20adam")).state.choices


async def test_direct_chats_are_open_to_whom_the_setting_says(tmp_path: Path) -> None:
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        people = People(world)
        world.account.policy = replace(CLOSED, direct=Direct.OPEN)
        assert await people.say("sue", "hi") == ["yes"]
        world.account.policy = replace(CLOSED, direct=Direct.ALLOWLIST)
        assert await people.say("sue", "hi") == [words.stranger("sue", "allow")]
        world.account.policy = replace(CLOSED, direct=Direct.DISABLED)
        assert await people.say("tim", "hi") == []
        assert await people.say("adam", "hi") == []
        assert await people.say("olga", "hi") == ["yes"]


async def test_whoever_sits_at_the_machine_lets_people_into_every_account(tmp_path: Path) -> None:
    """What the page on loopback is: its code finds the account by itself."""
    async with inside(tmp_path, provider(), policy=CLOSED) as world:
        people = People(world)
        code = await people.code("sue")
        page = replace(world.account, channel=Page(EDITS), policy=CLOSED)
        asked = people.event("olga", f"/pair approve {code}")
        elsewhere = replace(asked, address=Address(ConversationKey("page", "main", "1"), Surface.DIRECT))
        for number, policy in enumerate((CLOSED, Policy(is_local=True))):
            page.policy = policy
            await world.app.inbox.accept(page, replace(elsewhere, event_key=f"page {number}"))
            await world.quiet()
        channel = page.channel
        assert isinstance(channel, FakeChannel)
        refused, approved = channel.visible()
        assert "No one holds" in refused
        assert "fake:main:sue" in approved
        assert await people.say("sue", "hi") == ["yes"]


@virtual_time
async def _two_bots(folder: Path) -> None:
    open_to_all = Policy(allow=frozenset({"*"}))
    async with inside(folder, provider(), policy=open_to_all, is_virtual=True) as world:
        people = People(world)
        ours = theirs = 0
        while (await people.say("robot", f"As a language model I agree. {theirs}")) == ["yes"]:
            ours, theirs = ours + 1, theirs + 1
            await asyncio.sleep(1.0)
        assert (ours, theirs) == (TURNS, TURNS)
        assert await people.say("ann", "and me?") == ["yes"]
        await asyncio.sleep(SILENCE)
        assert await people.say("robot", "again") == ["yes"]


def test_two_bots_that_face_each_other_stop_before_the_twelfth_message(tmp_path: Path) -> None:
    _two_bots(tmp_path)


@virtual_time
async def _fast_people(folder: Path) -> None:
    open_to_all = Policy(allow=frozenset({"*"}))
    async with inside(folder, provider(), policy=open_to_all, is_virtual=True) as world:
        people = People(world)
        for number in range(18):  # below twenty a minute, which is another limit
            pause = (1.0, 2.5)[number % 9 == 8]
            await asyncio.sleep(pause)
            assert await people.say("typist", "go on") == ["yes"], number


def test_whoever_writes_fast_is_no_bot(tmp_path: Path) -> None:
    _fast_people(tmp_path)
