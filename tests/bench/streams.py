"""The rows with thousands of conversations: streams at once, and memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.bench.meter import Meter
from tests.bench.processes import rss_bytes
from tests.bench.rig import Kind, open_bot, open_rig
from tests.bench.rows import FIRST_CHAT, Found, Scale, offer, spread
from tests.bench.talk import Talk

KB = 1024
EDIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` new messages a second, each answered with `tokens` of them `gap` seconds apart."""

    rate: int
    tokens: int
    gap: float
    hold: int
    """Seconds for which the load goes on once the first answers have ended."""

    @property
    def at_once(self) -> int:
        """Streams that are open when the load is even."""
        return round(self.rate * self.tokens * self.gap)


THOUSAND = Load(rate=100, tokens=20, gap=0.5, hold=10)
TEN_THOUSAND = Load(rate=200, tokens=50, gap=1.0, hold=10)


async def streams(kind: Kind, name: str, load: Load) -> Found:
    """An open loop; CPU is taken from the moment the load is even until it ends."""
    count = load.at_once + load.rate * load.hold
    async with open_rig("--no-flood", "--lean") as rig, open_bot(kind, rig, edit_every=EDIT_SECONDS) as bot:
        rig.model.config(keep_bodies=False)
        talk = Talk(rig)
        await _warm_up(talk)
        rig.model.script(default={"count": load.tokens, "gap": load.gap})
        idle = rss_bytes(bot.pid)
        offering = asyncio.create_task(offer(talk, load.rate, count))
        await asyncio.sleep(load.at_once / load.rate)  # the ramp, a part of the measurement
        meter = Meter(bot.pid)
        await asyncio.sleep(max(0.0, load.hold - 1))
        meter.stop()
        peak = rig.model.state()["open"]
        await offering
        # Every answer that was asked for has ended a stream's length from now.
        await asyncio.sleep(load.tokens * load.gap + 1)
        lost = await talk.read_chats(patience=30)
        talk.ask_model()
    return {
        **spread(name, talk.fates.values(), "inbound", "first", "tail", "added"),
        f"{name}.peak": peak,
        f"{name}.share": meter.share * 100,
        f"{name}.waited": meter.waited / meter.wall * 100,
        f"{name}.peers": meter.peers_busy * 100,
        f"{name}.complete": (count - lost) / count * 100,
        f"{name}.lost": lost,
        f"{name}.memory": (meter.rss - idle) / max(peak, 1) / KB,
    }


async def _warm_up(talk: Talk) -> None:
    """Some messages before: what is loaded with the first ones belongs to no conversation."""
    talk.rig.model.script(default={"count": 5})
    await offer(talk, 100, 20, first_chat=FIRST_CHAT)
    await talk.read_chats(patience=15)
    talk.fates.clear()


async def streams1k(kind: Kind, scale: Scale) -> Found:
    """1,000 at once: 100 new a second, 2 tokens a second each, edits every 5 s."""
    load = Load(rate=20, tokens=10, gap=0.2, hold=2) if scale.quick else THOUSAND
    return await streams(kind, "streams1k", load)


async def streams10k(kind: Kind, scale: Scale) -> Found:
    """10,000 at once: 200 new a second, 1 token a second each, edits every 5 s."""
    load = Load(rate=100, tokens=10, gap=0.3, hold=2) if scale.quick else TEN_THOUSAND
    return await streams(kind, "streams10k", load)


async def memory(kind: Kind, scale: Scale) -> Found:
    """What a conversation leaves behind once its answer is complete: the slope between two counts."""
    first, second = scale.of(1000, least=50), scale.of(3000, least=100)
    async with open_rig("--no-flood", "--lean") as rig, open_bot(kind, rig) as bot:
        rig.model.config(keep_bodies=False)
        talk = Talk(rig)
        await _warm_up(talk)
        sizes = []
        for begin, end in ((0, first), (first, second)):
            await offer(talk, 100, end - begin, first_chat=FIRST_CHAT + 1000 + begin)
            await talk.read_chats(patience=15)
            await asyncio.sleep(1 if scale.quick else 5)  # what is written behind goes, and its buffers
            sizes.append(rss_bytes(bot.pid))
    return {"memory.idle": (sizes[1] - sizes[0]) / (second - first) / KB}
