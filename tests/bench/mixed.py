"""500 answers that grow at once in one daemon, a quarter of them in each of the four channels.

No platform's limits are kept, as those would be measured: the peers refuse nothing, and where the adapter keeps limits
of its own accord the conversations are spread over several accounts (two Discord bots, 20 Slack workspaces, 5 Matrix
accounts). Telegram and Discord edit every 5 s, Slack streams, Matrix edits as its account's budget lets it. Matrix is
the small server of sites/stub.py: Synapse needs more than a core for 125 streams.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tests.bench.crowd import Crowd, Question
from tests.bench.daemon import open_daemon
from tests.bench.meter import Meter
from tests.bench.processes import cores, pinned, rss_bytes
from tests.bench.rig import Kind
from tests.bench.rows import MB, Found, Scale, spread
from tests.bench.sites.base import Site
from tests.bench.sites.discord import open_discord
from tests.bench.sites.light import open_light_matrix
from tests.bench.sites.slack import open_slack
from tests.bench.sites.telegram import open_telegram
from tests.bench.streams import EDIT_SECONDS, KB, Load
from tests.mock_model.client import running

FULL = Load(rate=16, tokens=33, gap=1.0, hold=20)
QUICK = Load(rate=16, tokens=6, gap=0.5, hold=4)
WARM = 2  # questions at each site before anything is measured


async def mixed500(kind: Kind, scale: Scale) -> Found:
    """512 at once: 16 new a second, 1 token a second each. The 60-line bot knows Telegram only: it is left out."""
    if kind is Kind.FLOOR:
        return {}
    return await mixed(QUICK if scale.quick else FULL)


async def mixed(load: Load) -> Found:
    """An open loop over the four sites in turn; CPU is taken while the load is even."""
    count = load.at_once + load.rate * load.hold
    each = -(-count // 4) + WARM
    with pinned(cores()[1]), running("--steady") as model:
        async with AsyncExitStack() as stack:
            sites = await _open(stack, each)
            channels = {site.channel: site.accounts() for site in sites}

            async def connected() -> None:
                await asyncio.gather(*(site.connected() for site in sites))

            bot = await stack.enter_async_context(open_daemon(model.base_url, channels, connected))
            model.config(keep_bodies=False)
            await _warm_up(Crowd(model), sites)
            crowd = Crowd(model, _numbers=iter(range(1000, 100_000)))
            model.script(default={"count": load.tokens, "gap": load.gap})
            idle = rss_bytes(bot.pid)
            offering = asyncio.create_task(_offer(crowd, sites, load, count))
            await asyncio.sleep(load.at_once / load.rate)  # the ramp
            meter = Meter(bot.pid)
            await asyncio.sleep(max(0.0, load.hold - 1))
            meter.stop()
            peak = model.state()["open"]
            await offering
            await asyncio.sleep(load.tokens * load.gap + 1)  # every answer has ended by then
            lost = await crowd.until_complete(patience=30)
            crowd.ask_model()
            writes = [one for site in sites for one in await site.writes()]
    return {
        **_figures(crowd.questions, meter, idle, peak),
        "mixed500.lost": lost,
        "mixed500.refused": sum(one.status == 429 for one in writes),
        "mixed500.calls": len(writes) / count,
    }


async def _open(stack: AsyncExitStack, each: int) -> list[Site]:
    telegram = open_telegram(each, keeps_limits=False, stream="edits", editInterval=EDIT_SECONDS)
    discord = open_discord(each, keeps_limits=False, bots=2, editInterval=EDIT_SECONDS)
    slack = open_slack(each, spaces=20, is_direct=True, keeps_limits=False)
    matrix = open_light_matrix(each, bots=5, writesPerSecond=50, writeBurst=1000)
    return [
        await stack.enter_async_context(telegram),
        await stack.enter_async_context(discord),
        await stack.enter_async_context(slack),
        await stack.enter_async_context(matrix),
    ]


async def _warm_up(crowd: Crowd, sites: Sequence[Site]) -> None:
    """Some questions before: what is loaded with the first ones belongs to no conversation."""
    crowd.model.script(default={"count": 5})
    for site in sites:
        places = range(site.places - WARM, site.places)
        await crowd.ask(site, list(places), [5] * WARM)
    await crowd.until_complete(patience=15)


async def _offer(crowd: Crowd, sites: Sequence[Site], load: Load, count: int) -> None:
    """`count` questions at an even rate, at the sites in turn, each in a conversation of its own.

    Each comes up to the time between two tokens later: else the tokens of all the streams of a channel would fall
    into the same parts of each second.
    """
    chance, started = random.Random(11), time.monotonic()
    dues = sorted((number / load.rate + load.gap * chance.random(), number) for number in range(count))
    for due, number in dues:
        await asyncio.sleep(max(0.0, started + due - time.monotonic()))
        await crowd.ask(sites[number % len(sites)], [number // len(sites)], [load.tokens])


def _figures(questions: Sequence[Question], meter: Meter, idle: int, peak: int) -> Found:
    found: Found = {
        **spread("mixed500", [one.fate for one in questions], "inbound", "first", "tail", "added"),
        "mixed500.n": len(questions),
        "mixed500.peak": peak,
        "mixed500.share": meter.share * 100,
        "mixed500.waited": meter.waited / meter.wall * 100,
        "mixed500.peers": meter.peers_busy * 100,
        "mixed500.rss": meter.rss / MB,
        "mixed500.memory": (meter.rss - idle) / max(peak, 1) / KB,
    }
    for name in ("telegram", "discord", "slack", "matrix"):
        fates = [one.fate for one in questions if one.site.channel == name]
        found |= spread(f"mixed500.{name}", fates, "inbound", "tail", "added")
    return found
