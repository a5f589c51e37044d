"""The rows that send messages one by one, 32 at once, and 80 a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench.meter import Meter
from tests.bench.processes import cpu_seconds, rss_bytes
from tests.bench.rig import Kind, Rig, open_bot, open_rig
from tests.bench.talk import Fate, Talk, quantile

FIRST_CHAT = 1_000_000
TOKENS = 50
MB = 1024 * 1024
Found = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of each row is run. `quick`: about a tenth, to see that the rig works. `minutes`: of the row `sustained`."""

    quick: bool = False
    minutes: float = 10.0

    def of(self, full: int, least: int = 1) -> int:
        """The number for this run."""
        return max(least, full // 10) if self.quick else full


def ms(value: float | None) -> float | None:
    """Seconds in milliseconds."""
    return None if value is None else value * 1000


def spread(prefix: str, fates: Iterable[Fate], *names: str) -> Found:
    """p50 and p99 of these parts of the fates, in ms."""
    fates = list(fates)
    found: Found = {}
    for name in names:
        values = [getattr(one, name) for one in fates]
        for part, quantile_name in ((0.5, "p50"), (0.99, "p99")):
            found[f"{prefix}.{name}.{quantile_name}"] = ms(quantile(values, part))
    return found


async def start(kind: Kind, scale: Scale) -> Found:
    """Start three times: ready, idle, first message. Memory and CPU are of the last start."""
    ready, first = [], []
    found: Found = {}
    for last in [False] * scale.of(2, least=0) + [True]:
        async with open_rig("--no-flood") as rig, open_bot(kind, rig) as bot:
            rig.model.script(default={"count": TOKENS})
            ready.append(bot.ready)
            if last:
                idle = 1.0 if scale.quick else 10.0
                before = cpu_seconds(bot.pid)
                await asyncio.sleep(idle)  # the length of the measurement
                found["start.cpu"] = (cpu_seconds(bot.pid) - before) / idle * 100
                found["start.memory"] = rss_bytes(bot.pid) / MB
            else:
                first.append(await _first_message(rig))
            if scale.quick:
                first.append(await _first_message(rig))
    return {
        "start.ready": quantile(ready, 0.5),
        "start.first": ms(quantile(first, 0.5)),
        **found,
    }


async def _first_message(rig: Rig) -> float | None:
    talk = Talk(rig)
    [fate] = await talk.say([FIRST_CHAT])
    await talk.until_complete([fate], timeout=30)
    return None if fate.complete is None else fate.complete - fate.offered


async def serial(kind: Kind, scale: Scale) -> Found:
    """One message in flight, no time to first token, 50 tokens at once, 20 conversations in turn."""
    async with open_rig("--no-flood") as rig, open_bot(kind, rig) as bot:
        rig.model.script(default={"count": TOKENS})
        talk = Talk(rig)
        await _one_by_one(talk, scale.of(40))
        before = await _calls(rig)
        meter = Meter(bot.pid)
        fates = await _one_by_one(talk, scale.of(400))
        meter.stop()
        made = await _calls(rig) - before
        talk.ask_model()
    return {
        **spread("serial", fates, "inbound", "first", "tail", "added"),
        "serial.cpu": ms(meter.cpu / len(fates)),
        "serial.calls": made / len(fates),
        "serial.waited": ms(meter.waited / len(fates)),
        "serial.lost": sum(one.complete is None for one in fates),
    }


async def _calls(rig: Rig) -> int:
    """Calls of the Bot API so far, but for polls."""
    counts = (await rig.telegram.state())["counts"]
    return int(counts.get("calls", 0) - counts.get("getupdates", 0))


async def _one_by_one(talk: Talk, count: int) -> list[Fate]:
    fates = []
    for number in range(count):
        [fate] = await talk.say([FIRST_CHAT + number % 20])
        await talk.until_complete([fate], timeout=10)
        fates.append(fate)
    return fates


async def throughput(kind: Kind, scale: Scale) -> Found:
    """32 conversations, each with one message in flight, the next as soon as the answer is complete."""
    async with open_rig("--no-flood") as rig, open_bot(kind, rig) as bot:
        rig.model.script(default={"count": TOKENS})
        talk = Talk(rig)
        await _lanes(talk, 32, scale.of(200, least=32))
        meter = Meter(bot.pid)
        count = scale.of(1500, least=64)
        lost = await _lanes(talk, 32, count)
        meter.stop()
    return {
        "throughput.rate": (count - lost) / meter.wall,
        "throughput.capacity": (count - lost) / max(meter.cpu, 0.01),
        "throughput.share": meter.share * 100,
        "throughput.peers": meter.peers_busy * 100,
        "throughput.lost": lost,
    }


async def _lanes(talk: Talk, lanes: int, count: int) -> int:
    """Send `count` messages through the lanes; how many were not answered within 30 s of the last event."""
    open_ones = await talk.say(range(FIRST_CHAT, FIRST_CHAT + lanes))
    left = count - lanes
    waiting = {one.marker for one in open_ones}
    deadline = time.monotonic() + 30
    while waiting and time.monotonic() < deadline:
        done = await talk.watch()
        if not done:
            await asyncio.sleep(0.002)  # between two looks at the record
            continue
        deadline = time.monotonic() + 30
        waiting -= {one.marker for one in done}
        again = [one.chat for one in done][: max(left, 0)]
        left -= len(again)
        if again:
            waiting |= {one.marker for one in await talk.say(again)}
    return len(waiting)


async def open_loop(kind: Kind, scale: Scale) -> Found:
    """80 messages a second whatever the bot does; TTFT 500 ms, 50 tokens each 20 ms, edits each second."""
    rate, seconds = 80, scale.of(20, least=2)
    async with open_rig("--no-flood") as rig, open_bot(kind, rig, edit_every=1.0) as bot:
        rig.model.script(default={"count": TOKENS, "ttft": 0.5, "gap": 0.02})
        talk = Talk(rig)
        await _one_by_one(talk, 2)
        before = await _calls(rig)
        meter = Meter(bot.pid)
        fates = await offer(talk, rate, rate * seconds)
        lost = await talk.until_complete(fates, timeout=20)
        meter.stop()
        made = await _calls(rig) - before
        talk.ask_model()
    return {
        **spread("open", fates, "inbound", "first", "tail", "added"),
        "open.cpu": ms(meter.cpu / len(fates)),
        "open.calls": made / len(fates),
        "open.lost": lost,
    }


async def offer(talk: Talk, rate: float, count: int, *, first_chat: int = FIRST_CHAT + 1000) -> list[Fate]:
    """Offer `count` messages at an even rate, each in a chat of its own, without looking at the answers."""
    started = time.monotonic()
    fates: list[Fate] = []
    while len(fates) < count:
        due = min(count, int((time.monotonic() - started) * rate) + 1)
        if due > len(fates):
            fates += await talk.say(range(first_chat + len(fates), first_chat + due))
        await asyncio.sleep(max(0.0, started + len(fates) / rate - time.monotonic()))
    return fates


__all__ = ["Found", "Scale", "offer", "open_loop", "serial", "start", "throughput"]
