"""What keeps an account connected: a silent connection is made anew, and an old one is not heard any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as families

from bot import metrics
from bot.alerts import Alerts, Kind
from bot.home import Home
from bot.host import AccountHost
from bot.store.executors import InlineExecutor
from bot.store.sqlite import open_store
from bot.supervisor import GRACE, RESTART_MAX, Supervisor
from channels.errors import NotAuthorized
from providers.fake import FakeProvider, answer
from tests.story.inside import EPOCH, Inside, inside, message
from tests.virtual_time import virtual_time

SILENCE = 60.0

Run = Callable[[int], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Lives:
    """The runs of one account's channel; `play` is what each does, told its number."""

    world: Inside
    host: AccountHost
    alerts: Alerts
    begun: list[float] = field(default_factory=list)

    @property
    def now(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()

    async def until(self, count: int) -> None:
        """So many have begun."""
        while len(self.begun) < count:
            await asyncio.sleep(1.0)


@asynccontextmanager
async def living(
    folder: Path, play: Callable[[Lives], Run], *, silence: float | None = SILENCE
) -> AsyncIterator[Lives]:
    """A supervised account whose channel does what `play` says."""
    async with inside(folder, FakeProvider("one", answer("hello")), is_virtual=True) as world:
        host = world.channel.host
        assert isinstance(host, AccountHost)
        loop = asyncio.get_running_loop()
        alerts = Alerts(loop.time)
        lives = Lives(world, host, alerts)
        run = play(lives)

        async def one() -> None:
            lives.begun.append(loop.time())
            await run(len(lives.begun))

        world.channel.run = one  # type: ignore[method-assign]  # what a stranger's adapter would be
        world.account.silence = silence
        keeper = Supervisor(loop.time, lambda: EPOCH + loop.time(), alerts)
        tasks = [
            asyncio.create_task(keeper.keep(world.account)),
            asyncio.create_task(keeper.tell_offline(world.app.accounts, 300.0)),
        ]
        try:
            yield lives
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def counted(name: str, **labels: str) -> float:
    """A metric as it stands."""
    return sum(
        sample.value
        for family in families(metrics.exposition().decode())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@virtual_time
async def test_a_connection_that_falls_silent_is_made_anew(tmp_path: Path) -> None:
    def play(lives: Lives) -> Run:
        async def run(_: int) -> None:
            for _ in range(10):
                lives.host.heard()
                lives.host.online(is_online=True)
                await asyncio.sleep(30.0)
            await asyncio.Event().wait()  # half open: nothing comes any more, and nothing says so

        return run

    before = counted("firstword_connections_rebuilt_total")
    signals = counted("firstword_signals_total", signal="silent_connection")
    async with living(tmp_path, play) as lives:
        await lives.until(2)
        # Heard until 270 s, then given up after the silence and begun again after the first pause.
        assert 270.0 + SILENCE <= lives.begun[1] <= 270.0 + 1.5 * SILENCE
        assert counted("firstword_connections_rebuilt_total") == before + 1
        assert counted("firstword_signals_total", signal="silent_connection") == signals + 1
        assert lives.world.account.is_online
        await lives.until(4)


@virtual_time
async def test_whoever_declares_no_silence_or_says_that_it_is_away_is_left_in_peace(tmp_path: Path) -> None:
    def quiet(lives: Lives) -> Run:
        async def run(_: int) -> None:
            lives.host.heard()
            lives.host.online(is_online=True)
            await asyncio.Event().wait()

        return run

    async with living(tmp_path / "quiet", quiet, silence=None) as lives:
        await asyncio.sleep(86_400.0)
        assert len(lives.begun) == 1

    def away(lives: Lives) -> Run:
        async def run(_: int) -> None:
            lives.host.heard()
            lives.host.online(is_online=True)
            await asyncio.sleep(30.0)
            lives.host.online(is_online=False, reason="told to wait for an hour")
            await asyncio.sleep(3600.0)
            lives.host.online(is_online=True)
            await asyncio.sleep(50.0)
            lives.host.heard()
            await asyncio.sleep(51.0)
            lives.host.online(is_online=False, reason="for a moment")
            await asyncio.sleep(4.0)
            lives.host.online(is_online=True)
            await asyncio.sleep(50.0)
            lives.host.heard()
            await asyncio.Event().wait()

        return run

    async with living(tmp_path / "away", away) as lives:
        await asyncio.sleep(3830.0)
        assert len(lives.begun) == 1
        assert [each.kind for each in lives.alerts.due()] == [Kind.CHANNEL]
        await lives.until(2)  # and then it falls silent


@virtual_time
async def test_what_an_old_connection_still_says_is_not_heard(tmp_path: Path) -> None:
    said: list[bool] = []
    tasks: list[asyncio.Task[None]] = []

    def play(lives: Lives) -> Run:
        async def listener(number: int) -> None:
            """As a library's reader that a reconnect forgot: it outlives its run and hears everything too."""
            await asyncio.sleep(600.0)
            said.append(await lives.host.accept(message(f"from {number}", number)))
            lives.host.online(is_online=False, reason=f"run {number} is over")
            await lives.host.set_cursor("where", str(number))
            lives.host.signal("conflict")

        async def run(number: int) -> None:
            lives.host.heard()
            lives.host.online(is_online=True)
            tasks.append(asyncio.create_task(listener(number)))
            await asyncio.sleep(300.0 if number == 1 else 1e9)

        return run

    late, conflicts = (
        counted("firstword_late_calls_total"),
        counted("firstword_signals_total", signal="conflict"),
    )
    async with living(tmp_path, play, silence=None) as lives:
        await asyncio.sleep(700.0)
        assert said == [False]
        assert lives.world.account.is_online
        assert lives.world.channel.visible() == []
        assert await lives.host.cursor("where") is None
        assert counted("firstword_late_calls_total") == late + 4
        assert counted("firstword_signals_total", signal="conflict") == conflicts
        await asyncio.gather(*tasks)
        await lives.world.quiet()
        assert said == [False, True]
        assert lives.world.channel.visible() == ["hello"]
        assert await lives.host.cursor("where") == "2"


@virtual_time
async def test_how_far_a_connection_came_is_written_down_as_it_ends(tmp_path: Path) -> None:
    """When it gives way to another and at the stop of the daemon: what was said since would never be asked for."""

    def play(lives: Lives) -> Run:
        async def run(number: int) -> None:
            lives.host.heard()
            lives.host.online(is_online=True)
            try:
                await asyncio.Event().wait()
            finally:
                await lives.host.set_cursor("where", str(number))

        return run

    late = counted("firstword_late_calls_total")
    async with living(tmp_path, play) as lives:
        await lives.until(2)
        assert await lives.host.cursor("where") == "1"
    async with open_store(Home(tmp_path).database, executor=InlineExecutor) as store:
        assert await store.cursor("fake", "main", "where") == "2"
    assert counted("firstword_late_calls_total") == late


@virtual_time
async def test_a_turn_goes_on_when_its_connection_is_made_anew(tmp_path: Path) -> None:
    heard: list[bool] = []

    def play(lives: Lives) -> Run:
        async def send(address: Any, text: str, send_key: str, **more: Any) -> Any:
            await asyncio.sleep(40.0 if not heard else 0.0)
            heard.append(True)
            lives.host.signal("rate_limited")
            return await sound(address, text, send_key, **more)

        sound = lives.world.channel.send
        lives.world.channel.send = send  # type: ignore[method-assign]  # an adapter that tells while it sends

        async def run(number: int) -> None:
            lives.host.online(is_online=True)
            if number == 1:
                await lives.host.accept(message("hi"))
                await asyncio.sleep(20.0)
                return
            await asyncio.Event().wait()

        return run

    late = counted("firstword_late_calls_total")
    async with living(tmp_path, play, silence=None) as lives:
        await lives.until(2)
        while not lives.world.app.lanes.idle.is_set():
            await asyncio.sleep(1.0)
        assert lives.world.channel.visible() == ["hello"]
        assert counted("firstword_late_calls_total") == late


@virtual_time
async def test_connections_that_do_not_end_never_become_many(tmp_path: Path) -> None:
    ends = asyncio.Event()

    def play(lives: Lives) -> Run:
        async def run(_: int) -> None:
            lives.host.heard()
            lives.host.online(is_online=True)
            while not ends.is_set():
                try:
                    await ends.wait()
                except asyncio.CancelledError:
                    continue

        return run

    before = counted("firstword_tasks_abandoned_total", what="channel")
    async with living(tmp_path, play) as lives:
        await lives.until(1)
        await asyncio.sleep(10 * (SILENCE + GRACE + RESTART_MAX))
        assert len(lives.begun) == 2
        assert counted("firstword_tasks_abandoned_total", what="channel") == before + 2
        assert not lives.world.account.is_online
        ends.set()
        await lives.until(3)


@virtual_time
async def test_an_account_that_is_not_let_in_is_told_to_the_owner_and_not_tried_again(tmp_path: Path) -> None:
    def play(_: Lives) -> Run:
        async def run(_: int) -> None:
            raise NotAuthorized("the token is not accepted")

        return run

    async with living(tmp_path, play) as lives:
        await asyncio.sleep(200.0)
        assert len(lives.begun) == 1
        (alert,) = lives.alerts.due()
        assert alert.kind is Kind.CHANNEL
        assert "the token is not accepted" in alert.text
