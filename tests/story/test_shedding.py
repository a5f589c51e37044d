"""Too much at hand: mail goes first, people in a live chat last, and each class reads an honest word."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot import metrics, words
from bot.shedding import SHARES, Most, is_shed
from channels.capabilities import LatencyClass
from channels.events import Address, ConversationKey, Message
from providers.fake import FakeProvider, Until, answer
from tests.story.inside import EDITS, inside, message

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


def dropped(reason: str) -> float:
    labels = {"channel": "fake", "reason": reason}
    return metrics.REGISTRY.get_sample_value("firstword_events_dropped_total", labels) or 0.0


def in_room(text: str, number: int) -> Message:
    key = ConversationKey("fake", "main", f"room {number}")
    return replace(
        message(text, number, sender=f"p{number}"), address=Address(key, message("").address.surface)
    )
