"""The rows of the channels: how stale a growing answer is, against the least that the channel's write budgets allow.

The real adapter in the real daemon, the platform's peer with its documented limits kept, answers of lognormal length
with a median of 4 s. Each conversation has the budgets for itself: a chat, a channel, a workspace or an account of its
own, as its platform counts. Staleness and first text are what a person sees, the way over the peer included.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from channels.capabilities import Capabilities, Surface
from channels.discord.buckets import Buckets
from channels.discord.limits import Offers as DiscordOffers
from channels.discord.settings import DiscordSettings
from channels.events import Address, ConversationKey
from channels.matrix.limits import Offers as MatrixOffers
from channels.matrix.settings import MatrixSettings
from channels.slack.limits import Offers as SlackOffers
from channels.slack.payload import handle
from channels.slack.settings import SlackSettings
from channels.telegram.limits import Offers as TelegramOffers
from channels.telegram.settings import TelegramSettings
from tests.bench.bounds import Bucket, binding, declared, least
from tests.bench.crowd import Crowd, Question
from tests.bench.daemon import open_daemon
from tests.bench.pacer import answers
from tests.bench.processes import cores, pinned
from tests.bench.rig import Kind
from tests.bench.rows import Found, Scale, ms
from tests.bench.sites.base import Site
from tests.bench.sites.discord import open_discord
from tests.bench.sites.matrix import open_matrix
from tests.bench.sites.slack import open_slack
from tests.bench.sites.telegram import open_telegram
from tests.bench.talk import quantile
from tests.mock_model.client import running
from tests.peers import find_synapse

GAP = 0.05
LONGEST = 15.0
MEDIAN = 4.0
_HIDDEN = "x" * 40


@dataclass(frozen=True, slots=True)
class Ground:
    """One kind of place at one channel.

    `offered`: what the adapter declares there. `documented`: what the platform's own documents (or its peer, where
    there are none) allow; empty where nothing is limited. `count` conversations, asked `rounds` times with `rest`
    seconds between, in which the budgets fill up; `every` seconds a new question.
    """

    key: str
    open: Callable[[int], AbstractAsyncContextManager[Site]]
    offered: Callable[[], Capabilities]
    documented: tuple[Bucket, ...]
    count: int = 100
    rounds: int = 1
    rest: float = 0.0
    every: float = 0.2


def _telegram(chat: int) -> Capabilities:
    surface = Surface.DIRECT if chat > 0 else Surface.GROUP
    settings = TelegramSettings.model_validate({"token": f"700100:{_HIDDEN}"})
    key = ConversationKey("telegram", "main", str(chat))
    return TelegramOffers(settings).at(Address(key, surface))


def _discord() -> Capabilities:
    settings = DiscordSettings.model_validate({"token": f"{_HIDDEN}.{_HIDDEN[:8]}.{_HIDDEN}"})
    key = ConversationKey("discord", "main", "1")
    return DiscordOffers(settings, Buckets()).at(Address(key, Surface.DIRECT), 0.0)


def _slack(thread: str | None) -> Capabilities:
    settings = SlackSettings.model_validate({"botToken": f"xoxb-{_HIDDEN}", "appToken": f"xapp-{_HIDDEN}"})
    key = ConversationKey("slack", "main", "C0", thread)
    surface = Surface.GROUP if thread is None else Surface.THREAD
    return SlackOffers(settings).at(Address(key, surface, handle=handle("U0", "T0")))


def _matrix(**more: float) -> Capabilities:
    given = {"homeserver": "http://localhost", "userId": "@b:localhost", "accessToken": "x"}
    settings = MatrixSettings.model_validate({**given, **more})
    return MatrixOffers(settings).at(Address(ConversationKey("matrix", "main", "!r"), Surface.DIRECT))


LIFTED = {"writesPerSecond": 2, "writeBurst": 10}
"""What the owner of a homeserver that limits nothing might set."""
# Workspaces, each with the app: the documented limits are one workspace's.
SPACES = 50

GROUNDS = {
    "telegram": (
        Ground(
            "telegram.private",
            open_telegram,
            lambda: _telegram(1),
            # Telegram publishes no figure for drafts: the fake's, which bots are known to live with.
            (Bucket(5.0, 10, free=1),),
        ),
        Ground(
            "telegram.group",
            lambda count: open_telegram(count, is_group=True),
            lambda: _telegram(-1),
            (Bucket(1.0, 3), Bucket(20 / 60, 20)),
        ),
    ),
    "discord": (
        Ground("discord.dm", open_discord, _discord, (Bucket(1.0, 5, free=1),)),
        Ground(
            "discord.guild",
            lambda count: open_discord(count, is_guild=True),
            _discord,
            (Bucket(1.0, 5, free=1),),
        ),
    ),
    "slack": (
        Ground(
            "slack.thread",
            lambda count: open_slack(count, spaces=min(count, SPACES)),
            lambda: _slack("1.0"),
            (Bucket(100 / 60, 25, free=2),),
            count=SPACES,
            rounds=2,
            rest=20.0,
        ),
        Ground(
            "slack.inline",
            lambda count: open_slack(count, spaces=min(count, SPACES), channel="inline"),
            lambda: _slack(None),
            (Bucket(50 / 60, 12, free=1),),
            count=SPACES,
            rounds=2,
            rest=20.0,
        ),
    ),
    "matrix": (
        Ground(
            "matrix.usual",
            open_matrix,
            _matrix,
            (Bucket(0.2, 10),),
            count=40,
            every=1.0,
        ),
        Ground(
            "matrix.lifted",
            lambda count: open_matrix(count, keeps_limits=False, **LIFTED),
            lambda: _matrix(**LIFTED),
            (),
            count=40,
            every=1.0,
        ),
    ),
}


async def channel(name: str, kind: Kind, scale: Scale) -> Found:
    """All grounds of one channel. The 60-line bot knows Telegram only and streams by edits: it is left out."""
    found: Found = {}
    if kind is Kind.FLOOR:
        return found
    for ground in GROUNDS[name]:
        if name == "matrix" and find_synapse() is None:
            print(
                f"{ground.key} is not measured: Synapse is not on this machine (`make peers`)",
                file=sys.stderr,
            )
            continue
        found |= await measure(ground, scale)
    return found


async def measure(ground: Ground, scale: Scale) -> Found:
    """One ground: its figures."""
    count = scale.of(ground.count, least=4)
    rounds = 1 if scale.quick else ground.rounds
    lengths = [min(seconds, LONGEST) for seconds in answers(count * rounds)]
    tokens = [max(4, round(seconds / GAP)) for seconds in lengths]
    with pinned(cores()[1]), running("--steady") as model:
        async with ground.open(count) as site:
            channels = {site.channel: site.accounts()}
            async with open_daemon(model.base_url, channels, site.connected):
                crowd = Crowd(model)
                crowd.script(tokens, GAP)
                lost = 0
                for number in range(rounds):
                    if number:
                        await asyncio.sleep(ground.rest)  # the budgets fill up
                    part = tokens[number * count : (number + 1) * count]
                    await _round(crowd, site, part, ground.every)
                    lost = await crowd.until_complete(patience=60)
                crowd.ask_model()
                writes = await site.writes()
    return figures(ground, crowd.questions, lost, [(one.is_text, one.status) for one in writes])


async def _round(crowd: Crowd, site: Site, tokens: Sequence[int], every: float) -> None:
    for place, count in enumerate(tokens):
        await crowd.ask(site, [place], [count])
        await asyncio.sleep(every)  # what the bot as a whole may write is not the point


def figures(
    ground: Ground, questions: Sequence[Question], lost: int, writes: Sequence[tuple[bool, int]]
) -> Found:
    """What is printed of one ground."""
    key, own = ground.key, declared(ground.offered())
    whole = [(one.age_written, one.seconds) for one in questions]
    pairs = [(age, seconds) for age, seconds in whole if age is not None]
    age = sum(age for age, _ in pairs)
    seen = [one.age for one in questions if one.age is not None]
    bound = binding(own, MEDIAN)
    found: Found = {
        f"{key}.n": len(questions),
        f"{key}.r": bound.rate,
        f"{key}.b": bound.burst,
        f"{key}.seen": statistics.fmean(seen) if seen else None,
        f"{key}.bound": statistics.fmean(least(own, seconds) for _, seconds in pairs) if pairs else None,
        f"{key}.over": _over(age, own, [seconds for _, seconds in pairs]),
        f"{key}.calls": sum(is_text for is_text, _ in writes) / len(questions),
        f"{key}.most": statistics.fmean(binding(own, seconds).most(seconds) for _, seconds in pairs)
        if pairs
        else None,
        f"{key}.other": sum(not is_text for is_text, _ in writes) / len(questions),
        f"{key}.refused": sum(status == 429 for _, status in writes),
        f"{key}.lost": lost,
    }
    if ground.documented:
        found[f"{key}.platform"] = _over(age, ground.documented, [seconds for _, seconds in pairs])
    fates = [one.fate for one in questions]
    for name, values in (
        ("first", [fate.first for fate in fates]),
        ("tail", [fate.tail for fate in fates]),
        ("reached", [one.tail_to_peer for one in questions]),
    ):
        for part, quantile_name in ((0.5, "p50"), (0.99, "p99")):
            found[f"{key}.{name}.{quantile_name}"] = ms(quantile(values, part))
    return found


def _over(age: float, buckets: Sequence[Bucket], lengths: Sequence[float]) -> float | None:
    return age / sum(least(buckets, seconds) for seconds in lengths) if lengths else None
