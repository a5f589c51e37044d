"""A scenario: how the demo's models behave and when they fail, read strictly from JSON. Pure.

A slip is named with its place, what stood there and what is allowed; all of them at once.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import NormalDist
from typing import Any

from providers.base import Price
from providers.errors import ErrorKind

MAX_SECONDS = 86_400.0
MAX_SPEED = 100_000.0
MAX_MODELS = 50
MAX_TOKENS = 10_000_000


class Way(StrEnum):
    """How an answer goes wrong other than by an error that the provider names."""

    SILENCE = "silence"  # the request is taken, and nothing ever comes
    STALL = "stall"  # some tokens, then nothing more
    CUT = "cut"  # some tokens, then the connection is lost
    EMPTY = "empty"  # a proper end without a word
    FILTERED = "filtered"  # some tokens, then the provider's filter ends the answer
    FULL = "full"  # some tokens, then the window is full


ERRORS = (
    *(ErrorKind.RATE_LIMIT, ErrorKind.QUOTA, ErrorKind.OVERLOADED, ErrorKind.SERVER, ErrorKind.CONNECT),
    *(ErrorKind.MALFORMED, ErrorKind.AUTH, ErrorKind.PERMISSION, ErrorKind.BAD_REQUEST),
    *(ErrorKind.CONTEXT_LENGTH, ErrorKind.TOO_LARGE, ErrorKind.MODEL_GONE, ErrorKind.CONTENT_FILTER),
)
"""What a provider says itself. The rest of the kinds is ours: deadlines, and the ways above."""

MIDWAY = 5
"""After how many tokens it happens where nobody says, for what happens in the middle of an answer."""

_KINDS: Mapping[str, ErrorKind | Way] = {kind.value: kind for kind in (*ERRORS, *Way)}
_IN_THE_MIDDLE = frozenset({Way.STALL, Way.CUT, Way.FILTERED, Way.FULL})
_AT_ONCE = frozenset({Way.SILENCE, Way.EMPTY, ErrorKind.CONNECT})
_WAITING = frozenset({ErrorKind.RATE_LIMIT, ErrorKind.QUOTA, ErrorKind.OVERLOADED})


@dataclass(frozen=True, slots=True)
class Span:
    """Any value between two, all alike; one value where they are equal."""

    low: float
    high: float

    def at(self, share: float) -> float:
        """The value below which this share (0 to 1) of all values lies."""
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Tail:
    """Log-normal, as waiting times are: half of the values lie below `median`, 19 of 20 below `p95`."""

    median: float
    p95: float

    def at(self, share: float) -> float:
        """The value below which this share (0 to 1) of all values lies."""
        deviation = math.log(self.p95 / self.median) / NormalDist().inv_cdf(0.95)
        return self.median * math.exp(deviation * NormalDist().inv_cdf(min(max(share, 1e-4), 1 - 1e-4)))


Spread = Span | Tail


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds since the start: from `start` on, before `end`."""

    start: float = 0.0
    end: float = math.inf

    def holds(self, now: float) -> bool:
        """That second lies inside."""
        return self.start <= now < self.end


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and for which requests: those for which everything that is given holds.

    `after`: tokens said before it; `delay`: seconds before it where nothing is said. `requests`: their numbers,
    from 1; `every`: each so-many-th: 5 is the fifth, the tenth ... `probability`: of those that are left.
    """

    kind: ErrorKind | Way
    after: int = 0
    delay: float = 0.0
    retry_after: float | None = None
    requests: frozenset[int] = frozenset()
    every: int | None = None
    probability: float = 1.0
    window: Window = Window()


@dataclass(frozen=True, slots=True)
class Slowdown:
    """The first word comes `factor` times as late, the others `factor` times as slowly."""

    factor: float
    window: Window = Window()


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One model. `answer`: {question} stands for what was asked, {model} for its id; None: the demo's own words."""

    id: str
    title: str = ""
    ttft: Spread = Span(0.05, 0.05)
    speed: Spread = Span(80.0, 80.0)
    answer: str | None = None
    reasoning: str = ""
    context_window: int = 128_000
    max_output: int | None = None
    prefill: bool = True
    price: Price | None = None
    faults: tuple[Fault, ...] = ()
    slowdowns: tuple[Slowdown, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """The models of a rehearsal, in the order in which they are listed. An equal `seed` repeats equal chances."""

    models: tuple[DemoModel, ...]
    seed: int = 0

    def find(self, model: str) -> DemoModel | None:
        """The model of that id."""
        return next((each for each in self.models if each.id == model), None)


def read_scenario(text: bytes | str, where: str) -> Scenario:
    """The scenario that a file holds. ValueError names `where`, each field, what it was and what is allowed."""
    try:
        document = json.loads(text)
    except ValueError as error:  # damaged JSON, or bytes that are no UTF-8
        raise ValueError(f"{where}: is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise ValueError(  # noqa: TRY004 - a value of the file, not of a caller
            f"{where}: {_shown(document)} is not allowed; allowed: an object with models"
        )
    problems: list[str] = []
    top = _Fields(document, "", problems)
    shared = top.objects("faults", _fault)
    models = top.objects("models", lambda row: _model(row, shared), least=1, most=MAX_MODELS)
    seed = top.whole("seed", 0, -(2**63), 2**63)
    top.end()
    ids = [model.id for model in models]
    problems += [
        f"models: the id {twice!r} stands twice" for twice in sorted({i for i in ids if ids.count(i) > 1})
    ]
    if problems:
        raise ValueError(f"{where}: {'; '.join(problems)}")
    return Scenario(models, seed)


def _model(row: _Fields, shared: tuple[Fault, ...]) -> DemoModel:
    most = row.whole("maxOutput", 0, 1, MAX_TOKENS)
    model = DemoModel(
        id=row.text("id", least=1),
        title=row.text("title"),
        ttft=row.spread("ttft", Span(0.05, 0.05), 0.0, MAX_SECONDS, "seconds"),
        speed=row.spread("tokensPerSecond", Span(80.0, 80.0), 0.01, MAX_SPEED, "tokens a second"),
        answer=row.text("answer", least=1) if "answer" in row.values else None,
        reasoning=row.text("reasoning"),
        context_window=row.whole("contextWindow", 128_000, 1, MAX_TOKENS),
        max_output=most or None,
        prefill=row.flag("prefill", default=True),
        price=row.price("cost"),
        faults=(*shared, *row.objects("faults", _fault)),
        slowdowns=row.objects("slowdowns", _slowdown),
    )
    row.end()
    return model


def _fault(row: _Fields) -> Fault:
    kind = row.choice("kind", _KINDS)
    least = 1 if kind in _IN_THE_MIDDLE else 0
    row.refuse("after", kind in _AT_ONCE, kind)
    row.refuse("retryAfter", kind not in _WAITING, kind)
    fault = Fault(
        kind=kind,
        after=row.whole("after", MIDWAY if least else 0, least, MAX_TOKENS),
        delay=row.number("delay", 0.0, 0.0, MAX_SECONDS, "seconds"),
        retry_after=row.number("retryAfter", 0.0, 0.0, MAX_SECONDS, "seconds")
        if "retryAfter" in row.values
        else None,
        requests=row.numbers("requests"),
        every=row.whole("every", 0, 1, MAX_TOKENS) or None,
        probability=row.number("probability", 1.0, 0.0, 1.0, "a share"),
        window=row.window(),
    )
    row.end()
    return fault


def _slowdown(row: _Fields) -> Slowdown:
    slowdown = Slowdown(row.number("factor", None, 0.01, 1000.0, "how many times as slow"), row.window())
    row.end()
    return slowdown


@dataclass(slots=True)
class _Fields:
    """An object of the file. Each reader says what is wrong with its field, and goes on with something harmless."""

    values: Mapping[str, Any]
    path: str
    problems: list[str]
    known: set[str] = field(default_factory=set)

    def take(self, key: str) -> Any:
        """What stands there, None where nothing does."""
        self.known.add(key)
        return self.values.get(key)

    def wrong(self, key: str, allowed: str) -> None:
        """Note that what stands there is not allowed."""
        at = f"{self.path}.{key}" if self.path else key
        if key in self.values:
            self.problems.append(f"{at}: {_shown(self.values[key])} is not allowed; allowed: {allowed}")
        else:
            self.problems.append(f"{at}: is missing; it takes {allowed}")

    def refuse(self, key: str, is_refused: bool, kind: str) -> None:  # noqa: FBT001 - a condition, not a switch
        """A field that means nothing for a kind of fault."""
        if is_refused and key in self.values:
            at = f"{self.path}.{key}"
            self.problems.append(f"{at}: means nothing for the kind {kind}; take it out")

    def end(self) -> None:
        """Name every key that nobody asked for."""
        for key in self.values.keys() - self.known:
            close = difflib.get_close_matches(key, self.known, n=1)
            known = f"nearest: {close[0]}" if close else f"allowed here: {', '.join(sorted(self.known))}"
            self.problems.append(f"{self.path}.{key}".lstrip(".") + f": there is no such key; {known}")

    def number(self, key: str, default: float | None, low: float, high: float, unit: str) -> float:
        """A number in a range; it must be there where there is no default."""
        value = self.take(key)
        if value is None and key not in self.values and default is not None:
            return default
        if _is_number(value) and low <= value <= high:
            return float(value)
        self.wrong(key, f"{unit}, {low:g} to {high:g}")
        return low

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number in a range."""
        value = self.take(key)
        if key not in self.values:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.wrong(key, f"a whole number from {low} to {high}")
        return default

    def text(self, key: str, *, least: int = 0) -> str:
        """A text; with `least` it must be there and so long."""
        value = self.take(key)
        if key not in self.values and not least:
            return ""
        if isinstance(value, str) and len(value) >= least:
            return value
        self.wrong(key, "a text" if not least else "a text that is not empty")
        return ""

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.take(key)
        if key in self.values and not isinstance(value, bool):
            self.wrong(key, "true, false")
        return value if isinstance(value, bool) else default

    def choice(self, key: str, table: Mapping[str, Any]) -> Any:
        """One of some words."""
        value = self.take(key)
        if isinstance(value, str) and value in table:
            return table[value]
        self.wrong(key, f"one of {', '.join(table)}")
        return next(iter(table.values()))

    def numbers(self, key: str) -> frozenset[int]:
        """Numbers of requests."""
        value = self.take(key)
        if key not in self.values:
            return frozenset()
        if isinstance(value, list) and value and all(type(each) is int and each > 0 for each in value):
            return frozenset(value)
        self.wrong(key, "a list of numbers of requests; the first is 1")
        return frozenset()

    def window(self) -> Window:
        """`from` and `until`."""
        start = self.number("from", 0.0, 0.0, MAX_SECONDS * 365, "seconds since the start")
        end = self.number("until", math.inf, 0.0, MAX_SECONDS * 365, "seconds since the start")
        if end <= start:
            self.wrong("until", f"more than from ({start:g})")
        return Window(start, end)

    def spread(self, key: str, default: Spread, low: float, high: float, unit: str) -> Spread:
        """A number, {"between": [LOW, HIGH]}, or {"median": X, "p95": Y}."""
        value = self.take(key)
        if key not in self.values:
            return default
        found = _spread(value)
        if found is not None and low <= found[0] <= found[1] <= high:
            return found[2]
        form = '{"between": [LOW, HIGH]} or {"median": X, "p95": Y}'
        self.wrong(key, f"{unit}, {low:g} to {high:g}: a number, {form}")
        return default

    def price(self, key: str) -> Price | None:
        """Dollars per million tokens: {"input": X, "output": Y}."""
        value = self.take(key)
        if key not in self.values:
            return None
        if isinstance(value, dict) and value.keys() == {"input", "output"}:
            prices = list(value.values())
            if all(_is_number(each) and each >= 0 for each in prices):
                return Price(float(value["input"]), float(value["output"]))
        self.wrong(key, '{"input": X, "output": Y} in US dollars per million tokens')
        return None

    def objects(
        self, key: str, read: Callable[[_Fields], Any], *, least: int = 0, most: int = 1000
    ) -> tuple[Any, ...]:
        """A list of objects, each read by `read`."""
        value = self.take(key)
        if key not in self.values and not least:
            return ()
        if not isinstance(value, list) or not least <= len(value) <= most:
            self.wrong(key, f"a list of {least} to {most} objects")
            return ()
        found = []
        for place, row in enumerate(value):
            at = f"{self.path}.{key}[{place}]".lstrip(".")
            if isinstance(row, dict):
                found.append(read(_Fields(row, at, self.problems)))
            else:
                self.problems.append(f"{at}: {_shown(row)} is not allowed; allowed: an object")
        return tuple(found)


def _spread(value: Any) -> tuple[float, float, Spread] | None:
    """Least and most of what was given, and the spread; None where it is none."""
    if _is_number(value):
        return value, value, Span(value, value)
    pair: Collection[Any] = ()
    if isinstance(value, dict) and value.keys() == {"between"} and isinstance(value["between"], list):
        pair = value["between"]
    elif isinstance(value, dict) and value.keys() == {"median", "p95"}:
        pair = (value["median"], value["p95"])
    if len(pair) != 2 or not all(_is_number(each) for each in pair):
        return None
    low, high = pair
    if "between" in value:
        return low, high, Span(low, high)
    return (low, high, Tail(low, high)) if low > 0 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
