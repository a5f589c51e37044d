"""A day of questions and the models that answer it, made up or recorded: what `simulate` plays. Same seed, same day.

Every draw belongs to one question and one model, so that all policies meet the very same luck.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any

from channels.capabilities import LatencyClass
from providers.base import ModelSpec, Price
from providers.errors import ErrorKind
from routing.catalog import Catalog, Choice
from routing.errors import TraceError
from routing.strategy import Difficulty

DAY = 86_400.0
PEAK = 15
"""The busiest hour, UTC: the morning of America and the evening of Europe (source documents: queues in US hours)."""

SIGMA = 0.35
"""Spread of the logarithm of first-token times: p95 about 1.8 times the median, as hosted models show (2026-11)."""

MOST_QUESTIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """`at`: seconds since midnight, UTC. `tokens`: of the prompt; `answer`: of its answer. `seen`: ref -> seconds."""

    number: int
    at: float
    latency: LatencyClass
    conversation: str
    tokens: int = 600
    answer: int = 200
    difficulty: Difficulty = Difficulty.USUAL
    streams: bool = True
    seen: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """How a model behaves. `ttft`: the median; `queued` and `hung`: shares that wait 1 to 5 s, or for ever.

    `busy`: times slower at its busiest hour. `failing`: the share of requests that fail at once.
    """

    spec: ModelSpec
    ttft: float
    speed: float = 100.0
    queued: float = 0.02
    hung: float = 0.0005
    failing: float = 0.001
    busy: float = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to a model from `start` to `end`. `slower`: times; `failing`: share; `price`: times."""

    ref: str
    start: float
    end: float
    slower: float = 1.0
    failing: float = 0.0
    price: float = 1.0


@dataclass(frozen=True, slots=True)
class Draw:
    """What a request to a model comes to: seconds to the first token (infinite: never), or an error at once."""

    ttft: float
    speed: float
    kind: ErrorKind | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """Everything that is played. `draw`: question, model's ref, how often it was asked for it. `budget`: US dollars."""

    name: str
    questions: Sequence[Question]
    catalog: Catalog
    draw: Callable[[Question, str, int, float], Draw]
    events: Sequence[Event] = ()
    budget: float = math.inf

    def price(self, ref: str, at: float) -> Price | None:
        """A model's price at a time of the day."""
        price = self.catalog.models[ref].price
        times = math.prod(
            each.price for each in self.events if each.ref == ref and each.start <= at < each.end
        )
        if price is None or times == 1.0:
            return price
        return Price(price.input * times, price.output * times)


# A made-up day

MIX = (
    (LatencyClass.VOICE, 0.05),
    (LatencyClass.SYNC, 0.3),
    (LatencyClass.SEMI_SYNC, 0.4),
    (LatencyClass.ASYNC, 0.25),
)
"""Of a hundred questions, how many come from which class of channel."""

MODELS = (
    Model(ModelSpec("alpha", "large", context_window=128_000, price=Price(2.0, 8.0)), 0.4, 80.0, queued=0.04),
    Model(ModelSpec("beta", "medium", context_window=64_000, price=Price(0.5, 2.0)), 0.45, 120.0),
    Model(ModelSpec("gamma", "small", context_window=32_000, price=Price(0.1, 0.4)), 0.2, 300.0),
)
"""Three providers as they are to be had (2026-11): the first is the default, the last is what "fast" names."""

NOON, EVENING = 12 * 3600.0, 18 * 3600.0

SCENARIOS: Mapping[str, tuple[str, Sequence[Event], float, float]] = MappingProxyType(
    {
        "calm": ("nothing happens", (), 1.0, math.inf),
        "outage": (
            "the default fails for half an hour at noon and is ten times slower for an hour in the evening",
            (
                Event("alpha/large", NOON, NOON + 1800, failing=1.0),
                Event("alpha/large", EVENING, EVENING + 3600, slower=10.0),
            ),
            1.0,
            math.inf,
        ),
        "peak": ("the default is six times slower at its busiest hour, every day alike", (), 6.0, math.inf),
        "price": (
            "the default costs five times as much from noon on, with $10 for the day",
            (Event("alpha/large", NOON, DAY, price=5.0),),
            1.0,
            10.0,
        ),
    }
)
"""Name -> what happens, the events, times slower at the default's busiest hour, US dollars for the day."""


def scenario(name: str, seed: int = 1, count: int = 3_000) -> Day:
    """A day of about `count` questions. Raises KeyError for an unknown name."""
    _, events, busy, budget = SCENARIOS[name]
    first = MODELS[0]
    models = (Model(first.spec, first.ttft, first.speed, first.queued, busy=busy), *MODELS[1:])
    by_ref = {each.spec.ref: each for each in models}
    catalog = Catalog(
        models={each.spec.ref: each.spec for each in models},
        primary=Choice(models[0].spec),
        fallbacks=tuple(Choice(each.spec) for each in models[1:]),
        aliases={"fast": (Choice(models[-1].spec),), "deep": (Choice(models[0].spec),)},
    )

    def draw(question: Question, ref: str, again: int, at: float) -> Draw:
        return drawn(by_ref[ref], events, Random(f"{seed} {question.number} {ref} {again}"), at)  # noqa: S311 - a simulation

    return Day(name, tuple(_questions(Random(f"day {seed}"), count)), catalog, draw, events, budget)  # noqa: S311 - a simulation


def load(hour: float) -> float:
    """How busy an hour of the day is, 0..1: a quiet night, a peak."""
    return 0.5 + 0.5 * math.cos((hour - PEAK) / 24 * 2 * math.pi)


def _questions(chance: Random, count: int) -> Iterable[Question]:
    """Arrivals by thinning: as many an hour as it is busy, never fewer than a tenth of the peak."""
    at, number, conversation = 0.0, 0, 0
    mean = sum(0.1 + 0.9 * load(hour) for hour in range(24)) / 24
    rate = count / DAY / mean
    classes, shares = [each for each, _ in MIX], [share for _, share in MIX]
    places = {each: f"{each}-0" for each in classes}
    while (at := at + chance.expovariate(rate)) < DAY:
        if chance.random() > 0.1 + 0.9 * load(at / 3600):
            continue
        latency = chance.choices(classes, shares)[0]
        if chance.random() < 0.25:  # about four questions a conversation
            conversation += 1
            places[latency] = f"{latency}-{conversation}"
        difficulty = chance.choices(list(Difficulty), (0.3, 0.55, 0.15))[0]
        tokens, answer = int(chance.lognormvariate(6.3, 0.8)), max(8, int(chance.lognormvariate(5.0, 0.7)))
        yield Question(number, at, latency, places[latency], tokens, answer, difficulty)
        number += 1


def drawn(model: Model, events: Sequence[Event], chance: Random, at: float) -> Draw:
    """What a request comes to now."""
    now = [each for each in events if each.ref == model.spec.ref and each.start <= at < each.end]
    rolls = [chance.random() for _ in range(4)]
    normal = chance.gauss(0.0, 1.0)
    if rolls[0] < max([model.failing, *(each.failing for each in now)]):
        return Draw(0.15, 0.0, ErrorKind.OVERLOADED)
    if rolls[1] < model.hung:
        return Draw(math.inf, 0.0)
    slower = math.prod(each.slower for each in now) * (1 + (model.busy - 1) * load(at / 3600) ** 4)
    ttft = model.ttft * slower * math.exp(SIGMA * normal)
    if rolls[2] < model.queued:
        ttft += 1.0 + 4.0 * rolls[3]
    return Draw(ttft, model.speed / slower)


# A recorded day


def recorded(lines: Iterable[str], name: str = "recorded") -> Day:
    """A trace: a JSON object a line, as `route replay --json` prints turns, or {"at", "class", "ttft": {REF: seconds}}.

    What a model would have done where it was not asked is what it did nearest in time elsewhere. Raises TraceError.
    """
    rows: list[tuple[float, Question]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(rows) >= MOST_QUESTIONS:
            raise TraceError(f"line {number}: at most {MOST_QUESTIONS} questions")
        try:
            rows += [(each.at, each) for each in _rows(json.loads(line), len(rows))]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise TraceError(
                f"line {number}: no recorded question ({type(error).__name__}: {error})"
            ) from error
    questions = [question for _, question in sorted(rows, key=lambda row: row[0])]
    known: dict[str, list[tuple[float, float | None]]] = {}
    for question in questions:
        for ref, ttft in question.seen.items():
            known.setdefault(ref, []).append((question.at, ttft))
    if not known:
        raise TraceError("no model was asked in it")
    refs = sorted(known, key=lambda ref: -len(known[ref]))
    specs = {ref: _spec(ref) for ref in refs}
    catalog = Catalog(
        models=specs,
        primary=Choice(specs[refs[0]]),
        fallbacks=tuple(Choice(specs[ref]) for ref in refs[1:]),
    )

    def draw(question: Question, ref: str, _: int, at: float) -> Draw:
        if ref in question.seen:
            return _as_seen(question.seen[ref])
        times = known[ref]
        near = bisect.bisect(times, at, key=lambda row: row[0])
        found = min(times[max(0, near - 1) : near + 1], key=lambda row: abs(row[0] - at))
        return _as_seen(found[1])

    return Day(name, questions, catalog, draw)


def _spec(ref: str) -> ModelSpec:
    provider, _, model = ref.partition("/")
    return ModelSpec(provider, model or provider, context_window=1_000_000)


def _as_seen(ttft: float | None) -> Draw:
    return Draw(0.5, 0.0, ErrorKind.SERVER) if ttft is None else Draw(ttft, 100.0)


def _rows(row: Mapping[str, Any], number: int) -> list[Question]:
    held = row.get("turns")
    if isinstance(held, list):
        return [each for at, one in enumerate(held) for each in _rows(one, number + at)]
    seen = row.get("ttft")
    if not isinstance(seen, Mapping):  # a turn: what each of its requests came to
        seen = {each["model"]: each["ttft"] for each in row["attempts"] if not each.get("cancelled")}
    usage = row.get("usage") or {}
    return [
        Question(
            number=number,
            at=float(row["at"] if "at" in row else row["ended_at"]),
            latency=LatencyClass(row["class"] if "class" in row else row["latency_class"]),
            conversation=str(row.get("conversation", number)),
            tokens=int(row.get("tokens", usage.get("input_tokens") or 600)),
            answer=int(row.get("answer", usage.get("output_tokens") or 200)),
            difficulty=Difficulty(row.get("difficulty", Difficulty.USUAL)),
            seen={str(ref): None if ttft is None else max(0.0, float(ttft)) for ref, ttft in seen.items()},
        )
    ]
