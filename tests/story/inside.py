"""The real app inside the test's own process: real store, lanes, turns and routing; a fake channel and provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.access import Policy
from bot.accounts import Account
from bot.app import App
from bot.compose import open_app
from bot.home import Home
from bot.host import AccountHost
from bot.machine import MACHINE, Machine
from bot.settings import load_settings
from bot.sources import Models
from bot.store.executors import InlineExecutor, ThreadExecutor
from bot.store.sqlite import open_store
from bot.tools import ToolBox
from channels.capabilities import Capabilities, LatencyClass, Streaming, Surface
from channels.events import Address, ConversationKey, Event, Message, Sender
from channels.fake import FakeChannel
from providers.fake import FakeProvider
from routing.catalog import Catalog, Choice

EPOCH = 1_795_000_000.0
EDITS = Capabilities(LatencyClass.SYNC, Streaming.EDIT, deletes=True, typing_ttl=5.0, notes=True)


@dataclass(slots=True)
class Inside:
    """A running app with one fake account, everybody allowed, and one fake model."""

    app: App
    channel: FakeChannel
    provider: FakeProvider
    account: Account

    async def accept(self, event: Event) -> bool:
        """What the adapter would do with an event."""
        return await self.app.inbox.accept(self.account, event)

    async def say(self, text: str, number: int = 1, *, sender: str = "ann", key: str = "") -> bool:
        """Somebody writes the message `number`."""
        return await self.accept(message(text, number, sender=sender, key=key))

    @staticmethod
    def everybody() -> Policy:
        """The policy that lets everybody in."""
        return Policy(allow=frozenset({"*"}))

    async def settled(self) -> None:
        """Until what was begun beside the lanes has ended."""
        async with asyncio.timeout(30):
            while any(task.get_name().startswith("warm") for task in asyncio.all_tasks()):
                await asyncio.sleep(0)

    async def quiet(self) -> None:
        """Until nothing runs."""
        async with asyncio.timeout(30):
            await self.app.lanes.idle.wait()


def address(space: str = "room") -> Address:
    """A direct chat."""
    return Address(ConversationKey("fake", "main", space), Surface.DIRECT)


def message(text: str, number: int = 1, *, sender: str = "ann", key: str = "") -> Message:
    """A message to the bot."""
    event_key = key or f"event {number}"
    return Message(
        event_key,
        str(number),
        address(),
        Sender(sender, sender.title()),
        text,
        datetime(2026, 11, 21, tzinfo=UTC),
    )


@asynccontextmanager
async def inside(
    folder: Path,
    provider: FakeProvider,
    capabilities: Capabilities = EDITS,
    *,
    box: ToolBox | None = None,
    policy: Policy = Policy(allow=frozenset({"*"})),  # noqa: B008 - frozen
    is_virtual: bool = False,
    machine: Machine = MACHINE,
    **fallbacks: FakeProvider,
) -> AsyncIterator[Inside]:
    """The app over a store in `folder`; `provider` first, then the fallbacks.

    `is_virtual`: all times are the loop's, and the store works in the loop's thread; else they are `machine`'s.
    """
    home = Home(folder)
    home.prepare()
    settings = load_settings(home, home.config, {})
    providers = {each.name: each for each in (provider, *fallbacks.values())}
    specs = [each.models[0] for each in providers.values()]
    catalog = Catalog(
        models={spec.ref: spec for spec in specs},
        primary=Choice(specs[0]),
        fallbacks=tuple(Choice(spec) for spec in specs[1:]),
        aliases={"fast": (Choice(specs[0]),), "deep": (Choice(specs[-1]),)},
    )
    models = Models(dict(providers), {}, "made up", "", catalog)
    loop = asyncio.get_running_loop()
    machine = Machine(loop.time, lambda: EPOCH + loop.time()) if is_virtual else machine
    executor = InlineExecutor if is_virtual else ThreadExecutor
    async with (
        open_store(home.database, clock=machine.wall, executor=executor) as store,
        open_app(settings, home, store, models, box, machine=machine) as app,
    ):
        account = Account(
            FakeChannel(capabilities), policy, "", "allow", "groups", granted=app.grants.of("fake", "main")
        )
        host = AccountHost(
            channel="fake",
            name="main",
            home=home,
            inbox=app.inbox,
            store=store,
            conversations=app.conversations,
            choices=app.choices,
            catalog=models.catalog,
            specs=app.table.specs,
            is_draining=lambda: app.is_draining,
            account=account,
        )
        assert isinstance(account.channel, FakeChannel)
        account.channel.host = host
        app.accounts["fake", "main"] = account
        yield Inside(app, account.channel, provider, account)
