"""The rows of what lasts: ten minutes of load, the price of the disk, a kill -9, a start with 10,000 waiting rows."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import aiohttp

from bot.home import Home
from bot.store.sqlite import open_store
from channels.capabilities import Surface
from channels.events import Address, ConversationKey, Message, Sender
from tests.bench.daemon import Daemon, open_home
from tests.bench.meter import Meter
from tests.bench.processes import cpu_seconds, peak_bytes, roam
from tests.bench.rig import Kind, Rig, account, open_bot, open_rig
from tests.bench.rows import FIRST_CHAT, MB, TOKENS, Found, Scale, ms, spread
from tests.bench.talk import Fate, Talk, quantile

RATE, PEOPLE = 100, 3_000
ANSWER = {"count": 10, "gap": 0.5}
"""An answer of 5 s: at 100 a second 500 are open."""
NO_DISK = "/dev/shm"
"""A folder in memory, where there is one (Linux): a commit there waits for nothing."""
KILLS, WAITING, CHATS = 30, 10_000, 1_000
_BUCKET = re.compile(r'^firstword_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


async def sustained(_: Kind, scale: Scale) -> Found:
    """100 messages a second, 500 streams open all the time; as many minutes as are asked for."""
    seconds = 5.0 if scale.quick else scale.minutes * 60
    async with (
        open_rig("--no-flood", "--lean") as rig,
        open_bot(Kind.FIRSTWORD, rig, edit_every=5.0) as bot,
    ):
        rig.model.config(keep_bodies=False)
        rig.model.script(default=ANSWER)
        talk = Talk(rig)
        await asyncio.sleep(1)  # what a start does besides is over
        roam()  # on the peers' core the people would hold up the peers, which would count as the bot's
        meter, began = Meter(bot.pid), time.monotonic()
        open_ones, count = 0, 0
        while (now := time.monotonic() - began) < seconds:
            due = int(now * RATE) + 1 - count
            if due > 0:
                await talk.say(FIRST_CHAT + (count + at) % PEOPLE for at in range(due))
                count += due
                if count % (10 * RATE) < due:
                    open_ones = max(open_ones, rig.model.state()["open"])
            await asyncio.sleep(max(0.0, began + count / RATE - time.monotonic()))
        meter.stop()
        lag = lag_p99(await _metrics(bot.port))
        peak = peak_bytes(bot.pid)
        await asyncio.sleep(ANSWER["count"] * ANSWER["gap"] + 1)  # the last answers end
        lost = await talk.read_chats(patience=30)
        talk.ask_model()
    return {
        "sustained.n": count,
        **spread("sustained", talk.fates.values(), "inbound", "first", "tail", "added"),
        "sustained.peak": open_ones,
        "sustained.lag": ms(lag),
        "sustained.rss": peak / MB,
        "sustained.share": meter.share * 100,
        "sustained.waited": meter.waited / meter.wall * 100,
        "sustained.lost": lost,
    }


async def _metrics(port: int) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        return await response.text()


def lag_p99(metrics: str) -> float | None:
    """Seconds: the bucket's upper edge that 99 of 100 timers kept."""
    buckets = [(float(edge), float(count)) for edge, count in _BUCKET.findall(metrics)]
    most = max((count for _, count in buckets), default=0.0)
    return next((edge for edge, count in sorted(buckets) if most and count >= 0.99 * most), None)


async def durability(_: Kind, scale: Scale) -> Found:
    """First word after a message, with the store on the disk and in memory, in turn; medians of the rounds."""
    folders = {"disk": None, "memory": NO_DISK if os.access(NO_DISK, os.W_OK) else None}
    firsts: dict[str, list[float]] = {name: [] for name in folders}
    for _round in range(1 if scale.quick else 5):
        for name, folder in folders.items():
            async with open_rig("--no-flood") as rig, _bot_in(rig, folder):
                rig.model.script(default={"count": TOKENS})
                talk = Talk(rig)
                fates = await _one_by_one(talk, scale.of(20), scale.of(200))
            firsts[name].append(
                median(one.first_visible - one.offered for one in fates if one.first_visible is not None)
            )
    disk, memory = median(firsts["disk"]), median(firsts["memory"])
    costs = [a - b for a, b in zip(firsts["disk"], firsts["memory"], strict=True)]
    return {
        "durability.disk": ms(disk),
        "durability.memory": ms(memory),
        "durability.costs": ms(median(costs)),
    }


async def _one_by_one(talk: Talk, warm: int, count: int) -> list[Fate]:
    fates = []
    for number in range(warm + count):
        [fate] = await talk.say([FIRST_CHAT + number % 20])
        await talk.until_complete([fate], timeout=10)
        fates.append(fate)
    return fates[warm:]


@asynccontextmanager
async def _bot_in(rig: Rig, folder: str | None) -> AsyncIterator[Daemon]:
    with tempfile.TemporaryDirectory(prefix="firstword-bench-", dir=folder) as home:
        async with _bot_at(rig, Path(home)) as daemon:
            yield daemon


@asynccontextmanager
async def _bot_at(rig: Rig, home: Path, edit_every: float | None = None) -> AsyncIterator[Daemon]:
    """The daemon in a home that outlives it; ready, and holding a poll."""
    channels = {"telegram": {"main": account(rig.telegram, edit_every, keeps_limits=False)}}

    async def nothing() -> None:
        """Its own readiness is what counts."""

    async with open_home(home, rig.model.base_url, channels, nothing) as daemon:
        yield daemon


async def recovery(_: Kind, scale: Scale) -> Found:
    """Kill -9 while an answer grows; from the next process's readiness to its first visible text in that chat."""
    took: list[float] = []
    ready: list[float] = []
    whole = 0
    with tempfile.TemporaryDirectory(prefix="firstword-bench-") as folder:
        async with open_rig("--no-flood") as rig:
            for number in range(scale.of(KILLS)):
                chat = FIRST_CHAT + number
                rig.model.script(default={"count": 400, "gap": 0.05})
                async with _bot_at(rig, Path(folder), edit_every=0.5) as bot:
                    talk = Talk(rig)
                    [fate] = await talk.say([chat])
                    await _shown(rig, chat, after=0.0, count=2)
                    os.kill(bot.pid, signal.SIGKILL)
                    await bot.ended
                before = time.monotonic()
                rig.model.script(default={"count": TOKENS, "gap": 0.02})
                async with _bot_at(rig, Path(folder), edit_every=0.5) as bot:
                    ready.append(bot.ready)
                    since = before + bot.ready
                    took.append(max(0.0, await _shown(rig, chat, after=before, count=1) - since))
                    whole += not await talk.until_complete([fate], timeout=20)
    return {
        "recovery.n": len(took),
        "recovery.ready": quantile(ready, 0.5),
        "recovery.p50": ms(quantile(took, 0.5)),
        "recovery.worst": ms(max(took)),
        "recovery.lost": len(took) - whole,
    }


async def _shown(rig: Rig, chat: int, *, after: float, count: int) -> float:
    """When the `count`th visible text of the bot after that time stood in this chat."""
    methods = {"sendmessage", "editmessagetext", "sendmessagedraft"}
    async with asyncio.timeout(20):
        while True:
            done = [
                float(call["done"])
                for call in await rig.telegram.calls()
                if call["method"] in methods
                and call["status"] == 200
                and call["done"] > after
                and int(call["args"].get("chat_id", 0)) == chat
            ]
            if len(done) >= count:
                return done[count - 1]
            await asyncio.sleep(0.005)  # between two looks at the record


async def backlog(_: Kind, scale: Scale) -> Found:
    """A start with 10,000 messages kept and not answered: until it is ready, until the model is asked first."""
    ready, asked, cpu = [], [], []
    for _round in range(1 if scale.quick else 3):
        with tempfile.TemporaryDirectory(prefix="firstword-bench-") as folder:
            await _fill(Home(Path(folder)), scale.of(WAITING))
            async with open_rig("--no-flood", "--lean") as rig:
                rig.model.script(default={"count": 5})
                before = time.monotonic()
                async with _bot_at(rig, Path(folder)) as bot:
                    ready.append(bot.ready)
                    cpu.append(cpu_seconds(bot.pid))
                    async with asyncio.timeout(60):
                        while not (marks := rig.model.marks()):
                            await asyncio.sleep(0.01)  # between two looks at the record
                    asked.append(min(mark[1] for mark in marks) - before)
    return {
        "backlog.n": scale.of(WAITING),
        "backlog.ready": quantile(ready, 0.5),
        "backlog.first": quantile(asked, 0.5),
        "backlog.cpu": quantile(cpu, 0.5),
    }


async def _fill(home: Home, count: int) -> None:
    """So many messages, of 1,000 people, as a daemon that died has kept them."""
    home.database.parent.mkdir(mode=0o700, parents=True)
    async with open_store(home.database) as store:
        kept = [
            store.add_message(_message(number), f"t{number:026d}", time.time()) for number in range(count)
        ]
        await asyncio.gather(*kept)


def _message(number: int) -> Message:
    person = str(FIRST_CHAT + number % CHATS)
    address = Address(ConversationKey("telegram", "main", person), Surface.DIRECT)
    now = datetime.now(UTC)
    text = f"tell me about qid{number}q"
    return Message(f"waiting-{number}", str(number + 1), address, Sender(person, "Ann"), text, now)
