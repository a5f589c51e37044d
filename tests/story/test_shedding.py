"""Too much at hand: mail goes first, people in a live chat last, and each class reads an honest word, programs too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot import metrics, words
from bot.limits import Limits, Rate
from bot.shedding import SHARES, Most, is_shed
from channels.capabilities import LatencyClass
from channels.events import Address, ConversationKey, Message
from providers.fake import FakeProvider, Until, answer
from tests.channels.api.site import Site, body, open_site
from tests.story.inside import EDITS, Inside, inside, message
from tests.virtual_time import virtual_time

ORDER = (LatencyClass.BATCH, LatencyClass.ASYNC, LatencyClass.SEMI_SYNC, LatencyClass.SYNC)


@pytest.mark.parametrize(
    ("messages", "size", "shed"),
    [
        (0, 0, 0),
        (49, 0, 0),
        (50, 0, 1),
        (0, 500, 1),
        (74, 499, 1),
        (75, 0, 2),
        (90, 0, 3),
        (99, 999, 3),
        (100, 0, 4),
        (0, 1000, 4),
    ],
)
def test_the_fuller_it_is_the_more_classes_are_shed_batch_first(messages: int, size: int, shed: int) -> None:
    most = Most(100, 1000)
    assert [is_shed(each, messages, size, most) for each in ORDER] == [True] * shed + [False] * (4 - shed)


def test_ten_thousand_messages_or_256_mebibytes_are_the_end_for_everybody() -> None:
    assert not any(is_shed(each, 4_999, 2**27 - 1, Most()) for each in SHARES)
    assert all(is_shed(each, 10_000, 0, Most()) and is_shed(each, 0, 2**28, Most()) for each in SHARES)


@pytest.mark.parametrize(("latency", "taken"), list(zip(ORDER, (5, 8, 9, 10), strict=True)))
async def test_each_class_is_taken_up_to_its_share_and_then_told(
    tmp_path: Path, latency: LatencyClass, taken: int
) -> None:
    release = asyncio.Event()
    provider = FakeProvider("m", default=(Until(release), *answer("an answer")))
    async with inside(tmp_path, provider, replace(EDITS, latency=latency)) as world:
        world.app.lanes.most = Most(10)
        before = dropped(f"shed_{latency}")
        for number in range(12):
            await world.accept(in_room(f"question {number}", number))
        await world.accept(in_room("/ping", 20))
        release.set()
        await world.quiet()
        shown = world.channel.visible()
        assert shown.count("an answer") == taken
        assert shown.count(words.OVERLOADED) == 12 - taken
        assert sum("pong" in each for each in shown) == 1, "commands are answered however full it is"
        assert dropped(f"shed_{latency}") - before == 12 - taken
        await world.accept(in_room("again", 30))
        await world.quiet()
        assert world.channel.visible().count("an answer") == taken + 1


async def test_texts_that_wait_count_by_their_bytes_until_they_wait_no_more(tmp_path: Path) -> None:
    release = asyncio.Event()
    provider = FakeProvider("m", default=(Until(release), *answer("an answer")))
    async with inside(tmp_path, provider) as world:
        world.app.lanes.most = Most(size=3_000)
        await world.say("first", 1, sender="ann")
        await world.say("é" * 1_000, 2, sender="bob")
        assert world.app.lanes.waiting_bytes == 2_000
        await world.say("z" * 1_000, 3, sender="cem")
        await world.say("four", 4, sender="dan")
        release.set()
        await world.quiet()
        assert world.channel.visible().count(words.OVERLOADED) == 1
        assert (world.app.lanes.waiting, world.app.lanes.waiting_bytes) == (0, 0)


@virtual_time
async def test_commands_and_notes_do_not_pile_up_where_nothing_can_be_shown(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("m"), is_virtual=True) as world:
        world.app.lanes.most = Most(3)
        world.channel.latency = 30.0
        before = dropped("full")
        for number in range(5):
            assert await world.accept(in_room("/ping", number))
        await world.app.lanes.idle.wait()
        assert len(world.channel.visible()) == 3
        assert dropped("full") - before == 2
        assert await world.app.store.pending() == [], (
            "what was not taken does not come back at the next start"
        )
        assert await world.accept(in_room("/ping", 9))
        await world.app.lanes.idle.wait()
        assert len(world.channel.visible()) == 4


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_program_is_told_each_time_to_come_again_later_and_nothing_of_it_is_kept(
    tmp_path: Path, *, is_stream: bool
) -> None:
    release = asyncio.Event()
    provider = FakeProvider("m", default=(Until(release), *answer("an answer")))
    async with inside(tmp_path, provider) as world, programs(world) as site:
        world.app.lanes.most = Most(1)
        before = dropped("shed_async", "api")
        first = asyncio.create_task(site.ask(**body(stream=is_stream)))
        await provider.until_asked(1)
        for _ in range(3):
            response = await site.ask(**body(stream=is_stream))
            assert (response.status_code, response.headers["retry-after"]) == (429, "5")
            error = response.json()["error"]
            assert (error["code"], error["message"]) == ("rate_limit_exceeded", words.OVERLOADED)
        release.set()
        assert (await first).status_code == 200
        await world.quiet()
        assert dropped("shed_async", "api") - before == 3
        assert len(await world.app.store.turns(None, 10)) == 1
        world.app.is_draining = True
        assert (await site.ask(**body(stream=is_stream))).status_code == 503


async def test_a_program_with_a_limit_of_its_own_is_told_each_time_when_to_come_again(tmp_path: Path) -> None:
    provider = FakeProvider("m", default=answer("an answer"))
    async with inside(tmp_path, provider) as world, programs(world) as site:
        world.app.inbox.limits = Limits(Rate(per_minute=1), Rate())
        found = [await site.ask(**body()) for _ in range(4)]
        assert [each.status_code for each in found] == [200, 429, 429, 429]
        assert all("too many you have sent" in each.json()["error"]["message"] for each in found[1:])


@asynccontextmanager
async def programs(world: Inside) -> AsyncIterator[Site]:
    """The endpoint for programs in front of the app, in the place of its channel."""
    assert world.channel.host is not None
    async with open_site(world.channel.host) as site:
        world.account.channel = site.channel
        yield site


def dropped(reason: str, channel: str = "fake") -> float:
    labels = {"channel": channel, "reason": reason}
    return metrics.REGISTRY.get_sample_value("firstword_events_dropped_total", labels) or 0.0


def in_room(text: str, number: int) -> Message:
    key = ConversationKey("fake", "main", f"room {number}")
    return replace(
        message(text, number, sender=f"p{number}"), address=Address(key, message("").address.surface)
    )
