"""The rows `providers` and `streams1000`: what a provider costs over the library alone that sends the same bytes.

Every asker is a process of its own on the bot's core; all of them run from the beginning and are told in turn to ask,
round by round, so that what else the machine does in these minutes is everybody's.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.architecture import test_start
from tests.bench.askers import BY_KEY, CLIENTS, Client
from tests.bench.daemon import ROOT
from tests.bench.processes import allow_files, cores, pinned
from tests.bench.provider_table import WIDTH
from tests.bench.rows import MB, Found, Scale, ms
from tests.bench.talk import quantile
from tests.mock_model.client import MockModel, running

PACE = {"count": 25, "gap": 0.002}
"""An answer: 25 pieces, one each 2 ms."""

AT_ONCE = {"count": 25}
"""The same in one write: of the next request beside open streams only the request itself is looked at."""

KB = 1024
TOLD_SECONDS = 120.0
ROUNDS = 5
ALONE, TOGETHER = 40, 160
"""Requests a round, one after the other and 32 in the same moment."""
ITS_OWN_SHARE = 5
"""A model in its own process takes the time of its work, so it is asked a fifth as often."""

OPEN_STREAMS, OPEN_ROUNDS, NEXT = 1000, 3, 100
OPEN_CLIENTS = (
    "chat_httpx",
    "chat_pool",
    "openai",
    "cerebras_http",
    "cerebras_sdk",
    "anthropic_http",
    "anthropic_sdk",
    "gemini",
)


class Told:
    """An asker's process, told one thing after the other."""

    def __init__(self, client: Client, process: asyncio.subprocess.Process) -> None:
        self.client = client
        self._process = process

    async def do(self, what: str, **more: Any) -> dict[str, Any]:
        """Its answer. RuntimeError when it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **more}).encode() + b"\n")
        async with asyncio.timeout(TOLD_SECONDS):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.client.title}: ended with {await self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def told(client: Client, root_url: str, sent: Mapping[str, Any] | None = None) -> AsyncIterator[Told]:
    """The asker on the bot's core, ready to be told."""
    command = [sys.executable, "-m", "tests.bench.asker_process", client.key, root_url]
    with pinned(cores()[0]):
        process = await asyncio.create_subprocess_exec(
            *command,
            json.dumps(sent),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MB,
        )
    try:
        yield Told(client, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def servers(clients: Iterable[Client]) -> AsyncIterator[dict[str, MockModel]]:
    """A mock model of each kind that the askers speak to."""
    with pinned(cores()[1]):
        async with AsyncExitStack() as stack:
            kinds = {one.kind for one in clients if one.kind}
            yield {kind: stack.enter_context(running("--kind", kind)) for kind in sorted(kinds)}


async def sent_by_families(
    clients: Sequence[Client], models: Mapping[str, MockModel]
) -> dict[str, dict[str, Any]]:
    """For each family one request as a provider sends it, out of the mock model's record."""
    found: dict[str, dict[str, Any]] = {}
    for client in clients:
        if client.bare or not client.kind or client.family in found:
            continue
        model = models[client.kind]
        async with told(client, model.root_url) as one:
            await one.do("open")
            found[client.family] = model.chats()[-1]
        model.reset()
    return found


@dataclass(slots=True)
class Rounds:
    """What one asker did, round by round."""

    alone: list[list[float]] = field(default_factory=list)
    together: list[list[float]] = field(default_factory=list)
    cpu_alone: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    base: int = 0
    peak: int = 0


async def providers(_: object, scale: Scale, clients: Sequence[Client] = CLIENTS) -> Found:
    """Time to first text alone and 32 at once, CPU a request, memory; over the same rounds of the library alone."""
    rounds = {one.key: Rounds() for one in clients}
    loads = []
    async with AsyncExitStack() as stack:
        models = await stack.enter_async_context(servers(clients))
        sent = await sent_by_families(clients, models)
        for model in models.values():
            model.script(default=PACE)
            model.config(keep_bodies=False)
        askers = []
        for client in clients:
            root_url = models[client.kind].root_url if client.kind else ""
            askers.append(await stack.enter_async_context(told(client, root_url, sent.get(client.family))))
            await askers[-1].do("open")
            await askers[-1].do("ask", width=WIDTH, count=WIDTH)
        for _round in range(scale.of(ROUNDS)):
            for asker in askers:
                await _one_round(asker, rounds[asker.client.key], scale)
            loads.append(os.getloadavg()[0])
        for asker in askers:
            memory = await asker.do("memory")
            rounds[asker.client.key].base, rounds[asker.client.key].peak = memory["base"], memory["peak"]
    return {
        **figures(rounds),
        "providers.load.least": min(loads),
        "providers.load.most": max(loads),
        "providers.loaded": await asyncio.to_thread(loaded_by_a_look),
    }


def loaded_by_a_look() -> int:
    """SDKs and HTTP clients that are loaded by importing the bot or by asking for help."""
    with tempfile.TemporaryDirectory(prefix="firstword-bench-") as home:
        looks = ("import bot, providers", "from bot.cli.main import main; sys.exit(main(['--help']))")
        found = [test_start.probe(look, Path(home), test_start.HEAVY)["loaded"] for look in looks]
    return sum(len(names) for names in found if isinstance(names, list))


async def _one_round(asker: Told, rounds: Rounds, scale: Scale) -> None:
    share = 1 if asker.client.kind else ITS_OWN_SHARE
    alone = await asker.do("ask", width=1, count=max(1, scale.of(ALONE) // share))
    together = await asker.do("ask", width=WIDTH, count=max(WIDTH, scale.of(TOGETHER) // share))
    rounds.alone.append(alone["first"])
    rounds.together.append(together["first"])
    rounds.cpu_alone.append(alone["cpu"])
    rounds.cpu.append(together["cpu"])
    rounds.waited.append(together["waited"])


def figures(rounds: Mapping[str, Rounds]) -> Found:
    """Medians of the rounds; what is compared is compared within a round."""
    found: Found = {}
    for key, one in rounds.items():
        floors = {other: rounds.get(_of_family(BY_KEY[key], other)) for other in ("library", "pool")}
        p99 = [quantile(each, 0.99) or 0.0 for each in one.together]
        values: Found = {
            "alone.p50": ms(_middle(one.alone)),
            "alone.p99": ms(quantile([value for each in one.alone for value in each], 0.99)),
            "alone.cpu": ms(median(one.cpu_alone)),
            "many.p50": ms(_middle(one.together)),
            "many.p99": ms(median(p99)),
            "many.worst": ms(max(p99)),
            "cpu": ms(median(one.cpu)),
            "waited": ms(median(one.waited)),
            "memory": (one.peak - one.base) / MB,
        }
        if floors["library"] is not None and floors["library"] is not one:
            values["alone.over"] = ms(_over(one, floors["library"]))
        for name, floor in floors.items():
            if floor is not None and floor is not one:
                values[f"cpu.{name}"] = median(a / b for a, b in zip(one.cpu, floor.cpu, strict=True))
        found |= {f"providers.{key}.{name}": value for name, value in values.items()}
    return found


def _of_family(client: Client, bare: str) -> str:
    """The key of the bare asker that sends this client's bytes."""
    return next((one.key for one in CLIENTS if one.bare == bare and one.family == client.family), "")


def _middle(rounds: Sequence[Sequence[float]]) -> float:
    return median(median(each) for each in rounds)


def _over(one: Rounds, floor: Rounds) -> float:
    """How much later the first text of one request is, the medians of each round compared."""
    return median(median(a) - median(b) for a, b in zip(one.alone, floor.alone, strict=True))


async def streams1000(_: object, scale: Scale, keys: Sequence[str] = OPEN_CLIENTS) -> Found:
    """The next request with no stream open and beside 1,000, each round in a fresh process."""
    clients = [BY_KEY[key] for key in keys]
    count, again = scale.of(OPEN_STREAMS), scale.of(NEXT)
    rows: dict[str, list[dict[str, float]]] = {key: [] for key in keys}
    allow_files(4 * OPEN_STREAMS)
    async with servers(clients) as models:
        sent = await sent_by_families(clients, models)
        for number in range(scale.of(OPEN_ROUNDS)):
            for client in clients:
                model = models[client.kind]
                held = {"match": "held", "hold": f"{client.key}{number}", "hold_after": 1, **AT_ONCE}
                model.script(held, default=AT_ONCE)
                model.config(keep_bodies=False)
                async with told(client, model.root_url, sent.get(client.family)) as asker:
                    rows[client.key].append(await _beside_open_ones(asker, count, again))
                model.reset()
    found: Found = {"streams1000.open": count}
    for key, each in rows.items():
        for name in each[0]:
            found[f"streams1000.{key}.{name}"] = median(one[name] for one in each)
    return found


async def _beside_open_ones(asker: Told, count: int, again: int) -> dict[str, float]:
    await asker.do("open")
    await asker.do("ask", width=1, count=again)
    none = await asker.do("ask", width=1, count=again)
    opened = await asker.do("hold", count=count)
    beside = await asker.do("ask", width=1, count=again)
    return {
        "none.p50": median(none["first"]) * 1000,
        "open.p50": median(beside["first"]) * 1000,
        "none.cpu": none["cpu"] * 1000,
        "open.cpu": beside["cpu"] * 1000,
        "ratio": beside["cpu"] / none["cpu"],
        "opening": opened["cpu"] * 1000,
        "memory": opened["bytes"] / KB,
    }
