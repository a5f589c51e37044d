"""The scripted provider that tests above this room lean on."""

from __future__ import annotations

import asyncio

from providers.base import Credential, TextDelta
from providers.errors import ErrorKind, ProviderError
from providers.fake import Delay, FakeProvider, Hang, Until, answer, cut
from tests.providers.ask import ask, question

KEY = Credential("fake:none")


async def test_scripts_are_played_in_order_then_the_default() -> None:
    fake = FakeProvider("fake", answer("one"), answer("two"), default=answer("more"))
    assert [(await ask(fake)).text for _ in range(4)] == ["one", "two", "more", "more"]


async def test_without_a_script_it_echoes() -> None:
    assert (await ask(FakeProvider(), "say this")).text == "say this"


async def test_errors_come_where_the_script_has_them() -> None:
    fake = FakeProvider("fake", cut("half of", ProviderError(ErrorKind.INCOMPLETE)))
    heard = await ask(fake)
    assert (heard.text, heard.kind) == ("half of", ErrorKind.INCOMPLETE)


async def test_every_call_is_recorded_with_what_became_of_it() -> None:
    fake = FakeProvider("fake", answer("one"), [Hang()])
    await ask(fake, "hi", FakeProvider.spec("m1"), KEY)
    task = asyncio.create_task(ask(fake, "again"))
    asked = await fake.until_asked(2)
    assert fake.open_streams == 1
    task.cancel()
    await asyncio.wait_for(asked.closed.wait(), 30)
    first = fake.asked[0]
    assert (first.model.ref, first.credential.id, first.finished) == ("fake/m1", "fake:none", True)
    assert first.request.messages[0].text == "hi"
    assert not asked.finished and fake.open_streams == 0


async def test_it_waits_for_the_test_and_on_the_loop() -> None:
    go = asyncio.Event()
    fake = FakeProvider("fake", [TextDelta("a"), Delay(0), Until(go), *answer("b")])
    async with fake.stream(FakeProvider.spec(), question(), KEY) as events:
        assert await anext(events) == TextDelta("a")
        go.set()
        assert TextDelta("b") in [event async for event in events]


async def test_leaving_early_closes_the_call() -> None:
    fake = FakeProvider("fake", answer("a b c"))
    async with fake.stream(FakeProvider.spec(), question(), KEY) as events:
        await anext(events)
    assert fake.asked[0].closed.is_set() and fake.asked[0].said == 1
