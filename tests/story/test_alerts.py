"""What the owner is told unasked: each kind once in a while, where the owner is, and never about itself."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import words
from bot.access import Policy
from bot.alerts import ALL, Alerts, Kind, teller
from bot.errors import SettingsError
from bot.messenger import OWNER_CHAT
from bot.pairing import MAX_WRONG
from bot.store.chores import forget_person
from bot.store.people import Person
from bot.store.sqlite import SqliteStore
from channels.capabilities import Surface
from channels.errors import Refused
from channels.fake import FakeChannel
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, answer
from tests.story.inside import EDITS, Inside, address, inside, message
from tests.virtual_time import virtual_time

DOWN = (ProviderError(ErrorKind.CONNECT),)
BOSS = Policy(allow=frozenset({"*"}), owners=frozenset({"boss"}))


class Second(FakeChannel):
    """Another account of the channel."""

    @property
    def account(self) -> str:
        """What its settings are called."""
        return "second"


def settings(folder: Path, **alerts: Any) -> Path:
    """A home whose configuration says this of alerts."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"alerts": alerts}))
    return folder


async def quiet(world: Inside) -> None:
    """Until nothing runs, the alerts that were raised included."""
    await world.app.lanes.idle.wait()
    await asyncio.sleep(1.0)
    await world.app.lanes.idle.wait()


def told(world: Inside, space: str = "desk") -> list[str]:
    """What stands in a room."""
    return world.channel.visible(address(space))


def test_a_kind_is_given_out_once_in_a_cooldown_with_the_count_of_what_came_between() -> None:
    now = 0.0
    alerts = Alerts(lambda: now, 60.0, ALL - {Kind.DISK})
    alerts.raise_(Kind.MODELS, "first")
    alerts.raise_(Kind.DISK, "not wanted")
    assert [(each.text, each.held) for each in alerts.due()] == [("first", 0)]
    for number in range(5):
        alerts.raise_(Kind.MODELS, f"again {number}")
    alerts.raise_(Kind.CHANNEL, "something else")
    assert [each.text for each in alerts.due()] == ["something else"]
    now = 60.0
    assert [(each.text, each.held) for each in alerts.due()] == [("again 4", 4)]
    now = 600.0
    assert alerts.due() == []


@virtual_time
async def test_failed_models_are_told_where_the_settings_say_once_in_a_cooldown(tmp_path: Path) -> None:
    home = settings(tmp_path / "home", to=["fake:main:desk"], cooldown=600)
    async with inside(home, FakeProvider("one", default=DOWN), is_virtual=True) as world:
        world.account.is_online = True
        for number in range(3):
            await world.say("hi", number, sender=f"p{number}")
            await quiet(world)
        (first,) = told(world)
        assert "No model answered" in first
        assert "one/m: it cannot be reached" in first
        await asyncio.sleep(700.0)
        _, second = told(world)
        assert "(1 more of this kind since the last time.)" in second
        await asyncio.sleep(7000.0)
        assert len(told(world)) == 2


@virtual_time
async def test_without_a_setting_the_owner_is_told_where_they_spoke_last_also_after_a_restart(
    tmp_path: Path,
) -> None:
    provider = FakeProvider("one", answer("hello"), answer("hello"), default=DOWN)
    async with inside(tmp_path, provider, policy=BOSS, is_virtual=True) as world:
        world.account.is_online = True
        said = message("good morning", 1, sender="boss")
        await world.accept(replace(said, address=address("boss at home")))
        group = replace(address("group"), surface=Surface.GROUP)
        everybody = replace(message("and here", 2, sender="boss"), address=group)
        await world.accept(everybody)
        await quiet(world)
        assert told(world, "boss at home") == ["hello"]
    async with inside(tmp_path, FakeProvider("one", default=DOWN), policy=BOSS, is_virtual=True) as world:
        world.account.is_online = True
        await world.say("hi", 3)
        await quiet(world)
        (alert,) = told(world, "boss at home")
        assert "No model answered" in alert
        assert told(world, "group") == []


@virtual_time
async def test_who_is_no_owner_any_more_is_told_nothing(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one"), policy=BOSS, is_virtual=True) as world:
        await world.accept(replace(message("hello", 1, sender="boss"), address=address("boss at home")))
        await quiet(world)
    other = replace(BOSS, owners=frozenset({"somebody else"}))
    async with inside(tmp_path, FakeProvider("one", default=DOWN), policy=other, is_virtual=True) as world:
        world.account.is_online = True
        await world.say("hi", 3)
        await quiet(world)
        assert told(world, "boss at home") == []


@virtual_time
async def test_who_owns_another_account_is_told_nothing_where_they_own_none(tmp_path: Path) -> None:
    """Ids of one channel say nothing in another; who was an owner here may be anybody's there."""
    async with inside(tmp_path, FakeProvider("one"), policy=BOSS, is_virtual=True) as world:
        await world.accept(replace(message("hello", 1, sender="boss"), address=address("boss at home")))
        await quiet(world)
    mine = replace(BOSS, owners=frozenset({"somebody else"}))
    async with inside(tmp_path, FakeProvider("one", default=DOWN), policy=mine, is_virtual=True) as world:
        world.account.is_online = True
        world.app.accounts["fake", "second"] = replace(world.account, channel=Second(EDITS), policy=BOSS)
        await world.say("hi", 3)
        await quiet(world)
        assert told(world, "boss at home") == []


@virtual_time
async def test_an_alert_waits_until_its_place_is_connected(tmp_path: Path) -> None:
    home = settings(tmp_path / "home", to=["fake:main:desk"])
    async with inside(home, FakeProvider("one", default=DOWN), is_virtual=True) as world:
        await world.say("hi")
        await quiet(world)
        await asyncio.sleep(3600.0)
        assert told(world) == []
        world.account.is_online = True
        await asyncio.sleep(60.0)
        assert len(told(world)) == 1


@virtual_time
async def test_an_alert_waits_until_the_store_can_say_where_the_owner_is(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hello")), policy=BOSS, is_virtual=True) as world:
        world.account.is_online = True
        await world.accept(replace(message("hi", 1, sender="boss"), address=address("desk")))
        await quiet(world)
        with closing(sqlite3.connect(world.app.home.database, isolation_level=None)) as other:
            other.execute("ALTER TABLE choice RENAME TO away")
            world.app.alerts.raise_(Kind.DISK, "the disk fails")
            await asyncio.sleep(100.0)
            assert told(world) == ["hello"]
            other.execute("ALTER TABLE away RENAME TO choice")
        await asyncio.sleep(100.0)
        assert told(world) == ["hello", words.alert("the disk fails", 0)]


@virtual_time
async def test_there_is_no_alert_about_an_alert(tmp_path: Path) -> None:
    home = settings(tmp_path / "home", to=["fake:main:desk"])
    async with inside(home, FakeProvider("one"), is_virtual=True) as world:
        world.account.is_online = True
        world.channel.fail_next("send", *[Refused("no"), ZeroDivisionError(), ZeroDivisionError()] * 5)
        world.app.alerts.raise_(Kind.SECURITY, "somebody guesses codes")
        await quiet(world)
        await asyncio.sleep(7200.0)
        sent = [call.text for call in world.channel.calls if call.name == "send"]
        assert sum("guesses codes" in text for text in sent) == len(sent) == 1


@virtual_time
async def test_a_refused_key_and_a_message_that_is_set_aside_are_told(tmp_path: Path) -> None:
    class Broken(FakeProvider):
        def stream(self, *args: Any, **more: Any) -> Any:
            if self.scripts:
                return super().stream(*args, **more)
            raise ZeroDivisionError

    home = settings(tmp_path / "home", to=["fake:main:desk"])
    provider = Broken("one", (ProviderError(ErrorKind.AUTH),))
    async with inside(home, provider, is_virtual=True, two=FakeProvider("two", answer("hi"))) as world:
        world.account.is_online = True
        await world.say("hi", 1)
        await quiet(world)
        assert world.channel.visible(address()) == ["hi"]
        (alert,) = told(world)
        assert "one refuses its key" in alert


@virtual_time
async def test_guessed_codes_are_told_once_they_close_their_way(tmp_path: Path) -> None:
    home = settings(tmp_path / "home", to=["fake:main:desk"])
    async with inside(home, FakeProvider("one"), policy=BOSS, is_virtual=True) as world:
        world.account.is_online = True
        for number in range(MAX_WRONG + 2):
            assert len(told(world)) == (number >= MAX_WRONG)
            await world.say("/pair approve AAAAAAAA", number, sender="boss")
            await quiet(world)
        (alert,) = told(world)
        assert "five wrong codes (by chat)" in alert


async def test_what_is_no_conversation_stops_the_start(tmp_path: Path) -> None:
    home = settings(tmp_path / "home", to=["somewhere"])
    with pytest.raises(SettingsError, match=r"alerts\.to\[0\].*parts joined by"):
        async with inside(home, FakeProvider("one")):
            pass


@virtual_time
async def test_an_owner_who_is_forgotten_is_told_nothing(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("hi")), policy=BOSS, is_virtual=True) as world:
        await world.accept(replace(message("hello", 1, sender="boss"), address=address("boss at home")))
        await quiet(world)
        store, scope = world.app.store, world.account.scope
        assert isinstance(store, SqliteStore)
        assert OWNER_CHAT in await store.choices(scope)
        await forget_person(store, Person("fake", "main", "boss"))
        assert await store.choices(scope) == {}


async def test_a_thread_can_have_something_told() -> None:
    alerts = Alerts(lambda: 0.0)
    await asyncio.to_thread(teller(alerts, Kind.DISK, words.disk), "full")
    (alert,) = await alerts.next()
    assert "The disk is full" in alert.text
