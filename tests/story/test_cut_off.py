"""After an end that nobody meant a model is asked only once the message is kept, and with it that it is answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from providers.fake import FakeProvider, answer
from tests.story.inside import Inside, inside, message


class CutOffError(Exception):
    """The process ends, by nobody's wish."""


async def _is_cut_off(folder: Path) -> None:
    with pytest.raises(ExceptionGroup):
        async with inside(folder, FakeProvider()):
            raise CutOffError


@asynccontextmanager
async def _busy_disk(world: Inside) -> AsyncIterator[None]:
    """Nothing is written inside."""
    is_free = threading.Event()
    held = world.app.store.call(lambda _: is_free.wait())
    try:
        yield
    finally:
        is_free.set()
        await held


async def _say(world: Inside, text: str) -> asyncio.Task[bool]:
    taken = asyncio.create_task(world.app.inbox.accept(world.account, message(text)))
    for _ in range(100):
        await asyncio.sleep(0.001)
    return taken


async def test_the_model_is_asked_while_the_message_is_being_written(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", answer("here"))) as world:
        async with _busy_disk(world):
            taken = await _say(world, "hello")
            await world.provider.until_asked()
            assert not taken.done()
        assert await taken


async def test_after_a_cut_the_model_waits_for_the_message(tmp_path: Path) -> None:
    await _is_cut_off(tmp_path)
    async with inside(tmp_path, FakeProvider("one", answer("here"))) as world:
        async with _busy_disk(world):
            taken = await _say(world, "hello")
            assert not world.provider.asked
        assert await taken
        await world.quiet()
        assert world.channel.visible() == ["here"]


async def test_after_an_orderly_end_nothing_waits(tmp_path: Path) -> None:
    await _is_cut_off(tmp_path)
    async with inside(tmp_path, FakeProvider()):
        pass
    async with inside(tmp_path, FakeProvider("one", answer("here"))) as world, _busy_disk(world):
        await _say(world, "hello")
        await world.provider.until_asked()
