"""How the models are doing right now, keyed by provider, model and credential. Pure: `now` is handed in.

A rung is closed (in use), open (left alone until a time) or half-open (the time is over: one probe at a time decides).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from providers.errors import ErrorKind
from routing.baseline import Baseline
from routing.retry import RULES
from routing.tempo import NEVER, Share, Tempo

FAILURES_TO_OPEN = 5
FAILURE_WINDOW = 300.0
COOLDOWN = 60.0
SUCCESSES_TO_CLOSE = 2
PROBE_TIME = 60.0
"""Seconds after which a probe that nobody reported on is taken for lost."""

SLOW_SAMPLES = 10
SLOW_FACTOR = 3.0
"""A rung opens for slowness when its p95 is this many times its own usual p95 and over the class's deadline."""

SLOW = "slow"
FRESH = 256
FRESH_FOR = 600.0
"""Answers, and seconds, after which a first-token time belongs to what is usual."""

SPEEDS = 16
SIZES = (2_000, 16_000)
"""Tokens of a prompt at which another bucket of first-token times begins."""

Key = tuple[str, str, str]
"""(provider, model, credential id)"""


class Breaker(StrEnum):
    """The state of a rung."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a model is expected to do before it was asked here: measured by `models bench`, say. Seconds, tokens/s."""

    ttft_p50: float
    ttft_p95: float
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Tail:
    """A rung's first-token times lately, those counted that never came. Seconds; infinite where they did not come."""

    p50: float
    p90: float
    p95: float


@dataclass(slots=True)
class _State:
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES_TO_OPEN))
    open_until: float = 0.0
    successes: int = 0
    probing_since: float | None = None
    last_failure: float = 0.0
    reason: str = ""
    tempos: dict[int, Tempo] = field(default_factory=dict)
    all_sizes: Tempo = field(default_factory=Tempo)
    fresh: deque[tuple[float, float, int]] = field(default_factory=deque)
    speeds: deque[float] = field(default_factory=lambda: deque(maxlen=SPEEDS))
    waits: deque[tuple[float, float, int]] = field(default_factory=lambda: deque(maxlen=FRESH))


def size_of(tokens: int) -> int:
    """The bucket of a prompt by its tokens."""
    return bisect_right(SIZES, tokens)


class Health:
    """All cooldowns, breakers, disabled credentials and measured times of one process.

    Bounded by the number of configured rungs: keys come from the catalogue only. `epoch`: what to add to `now` for
    the seconds since 1970, so that hours of the day are known. `expected`: (provider, model) -> what to expect of it.
    """

    def __init__(
        self, epoch: float = 0.0, expected: Mapping[tuple[str, str], Expectation] | None = None
    ) -> None:
        self.epoch = epoch
        self.expected: dict[tuple[str, str], Expectation] = dict(expected or {})
        self._states: dict[Key, _State] = {}
        self._disabled: dict[tuple[str, str], str] = {}
        self._resting: dict[tuple[str, str], float] = {}
        self._baselines: dict[tuple[str, str, int], Baseline] = {}
        self._tick = 0

    # The breaker

    def breaker(self, key: Key, now: float) -> Breaker:
        """The state of a rung. HALF_OPEN is said to one caller at a time: to nobody while a probe runs."""
        state = self._states.get(key)
        # Asked of every candidate of every decision, and nearly always there is nothing to look up.
        is_held = self._disabled or self._resting
        if is_held and (self.is_disabled(key) or now < self._resting.get((key[0], key[2]), 0.0)):
            return Breaker.OPEN
        if state is None or not state.open_until:
            return Breaker.CLOSED
        if now < state.open_until:
            return Breaker.OPEN
        is_probing = state.probing_since is not None and now - state.probing_since < PROBE_TIME
        return Breaker.OPEN if is_probing else Breaker.HALF_OPEN

    def asked(self, key: Key, now: float) -> None:
        """A request to the rung begins; on a rung that is not closed it is the probe."""
        state = self._states.get(key)
        if state is not None and state.open_until:
            state.probing_since = now

    def let_go(self, key: Key) -> None:
        """A request ended without telling anything: nobody wanted the rest."""
        state = self._states.get(key)
        if state is not None:
            state.probing_since = None

    def is_disabled(self, key: Key) -> bool:
        """Whether the credential was refused and has not been changed since."""
        return bool(self._disabled) and (key[0], key[2]) in self._disabled

    def reason(self, key: Key) -> str:
        """Why a rung is not closed, "" when it is."""
        disabled = self._disabled.get((key[0], key[2]))
        state = self._states.get(key)
        if disabled or (state is not None and state.open_until):
            return disabled or (state.reason if state is not None else "")
        return str(ErrorKind.QUOTA) if (key[0], key[2]) in self._resting else ""

    def last_failure(self, key: Key) -> float:
        """When the rung failed last, 0.0 for never; the least recently failed is probed first."""
        state = self._states.get(key)
        return state.last_failure if state is not None else 0.0

    def failed(
        self, key: Key, kind: ErrorKind, retry_after: float | None, now: float, tokens: int = 0
    ) -> None:
        """A request to the rung failed."""
        rule = RULES[kind]
        state = self._states.setdefault(key, _State())
        state.last_failure = now
        state.probing_since = None
        state.successes = 0
        if rule.disables:
            self._disabled[(key[0], key[2])] = str(kind)
        if rule.cooldown is not None:
            # What the provider asked for counts only where the pause is about its limits.
            pause = retry_after if retry_after is not None and kind is ErrorKind.RATE_LIMIT else rule.cooldown
            self._open(state, now + pause, str(kind))
            if rule.rests_credential:
                self._resting[(key[0], key[2])] = now + pause
        if rule.counts:
            self._note(state, NEVER, now, tokens)
            state.failures.append(now)
            recent = [at for at in state.failures if now - at <= FAILURE_WINDOW]
            was_probe = 0.0 < state.open_until <= now
            if was_probe or len(recent) >= FAILURES_TO_OPEN:
                self._open(state, now + COOLDOWN, str(kind))

    @staticmethod
    def _open(state: _State, until: float, reason: str) -> None:
        state.open_until = max(state.open_until, until)
        state.successes = 0
        state.reason = reason

    def succeeded(self, key: Key) -> None:
        """The rung gave a whole answer. SUCCESSES_TO_CLOSE of them in a row close it again."""
        self._resting.pop((key[0], key[2]), None)
        state = self._states.get(key)
        if state is None:
            return
        state.probing_since = None
        state.failures.clear()
        if state.open_until:
            state.successes += 1
            if state.successes >= SUCCESSES_TO_CLOSE:
                state.open_until, state.successes, state.reason = 0.0, 0, ""

    def credential_changed(self, provider: str, credential_id: str) -> None:
        """The owner set another secret, or took it away: what was held against it is forgotten."""
        self._disabled.pop((provider, credential_id), None)
        self._resting.pop((provider, credential_id), None)
        for key in [key for key in self._states if (key[0], key[2]) == (provider, credential_id)]:
            del self._states[key]

    # Times

    def began(self, key: Key, ttft: float, now: float, tokens: int = 0, deadline: float = NEVER) -> None:
        """The rung gave its first token after `ttft` seconds, to a prompt of so many tokens.

        `deadline`: the class's for a first token. Being beyond it, and slow against its own usual times, opens the
        rung when most of the last answers were (one slow answer in ten is every provider's p95).
        """
        state = self._states.setdefault(key, _State())
        self._note(state, ttft, now, tokens)
        size = size_of(tokens)
        baseline = self._baselines.setdefault((key[0], key[1], size), Baseline())
        state.fresh.append((ttft, now, size))
        # What is usual is not measured by what happens right now.
        while state.fresh and (len(state.fresh) > FRESH or now - state.fresh[0][1] > FRESH_FOR):
            seconds, at, of_size = state.fresh.popleft()
            older = self._baselines.setdefault((key[0], key[1], of_size), Baseline())
            older.add(seconds, at + self.epoch)
        usual = baseline.quantile(0.95)
        times = state.all_sizes.recent(SLOW_SAMPLES, now, FAILURE_WINDOW)
        if usual is None or state.open_until or len(times) < SLOW_SAMPLES:
            return
        slow = sorted(times)[int(0.95 * len(times))]
        late = sum(each > max(SLOW_FACTOR * usual, deadline) for each in times)
        if slow > max(SLOW_FACTOR * usual, deadline) and late > len(times) // 2:
            self._open(state, now + COOLDOWN, SLOW)

    def _note(self, state: _State, ttft: float, now: float, tokens: int) -> None:
        self._tick += 1
        state.tempos.setdefault(size_of(tokens), Tempo()).add(ttft, now, self._tick)
        state.all_sizes.add(ttft, now, self._tick)
        state.waits.append((ttft, now, size_of(tokens)))

    def overtaken(self, key: Key, now: float, tokens: int = 0) -> None:
        """Another began to answer while the rung was silent, and it was left: it was late, by how much nobody knows."""
        self.let_go(key)
        self._note(self._states.setdefault(key, _State()), NEVER, now, tokens)

    def tail(self, key: Key, now: float, tokens: int = 0) -> Tail | None:
        """The first-token times lately for prompts of about that size; None where fewer than ten are known."""
        state = self._states.get(key)
        if state is None:
            return None
        size = size_of(tokens)
        recent = [(seconds, of_size) for seconds, at, of_size in state.waits if now - at <= FRESH_FOR]
        times = sorted(seconds for seconds, of_size in recent if of_size == size)
        if len(times) < SLOW_SAMPLES:
            times = sorted(seconds for seconds, _ in recent)
        if len(times) < SLOW_SAMPLES:
            return None
        p50, p90, p95 = (times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.9, 0.95))
        return Tail(p50, p90, p95)

    def ran_at(self, key: Key, speed: float) -> None:
        """A whole answer came at so many tokens a second."""
        self._states.setdefault(key, _State()).speeds.append(speed)

    def ttft(self, key: Key, quantile: float) -> float | None:
        """A quantile of the last first-token times, None before five were measured."""
        state = self._states.get(key)
        return state.all_sizes.quantile(quantile) if state is not None else None

    def expected_ttft(self, key: Key, quantile: float) -> float | None:
        """The same, from what was expected of the model where nothing was measured yet. `quantile` 0.5 or 0.95."""
        measured = self.ttft(key, quantile)
        expected = self.expected.get(key[:2])
        if measured is not None or expected is None:
            return measured
        return expected.ttft_p50 if quantile <= 0.5 else expected.ttft_p95

    def speed(self, key: Key) -> float | None:
        """Tokens a second after the first, the middle of the last answers; None where nothing is known."""
        state = self._states.get(key)
        if state is not None and state.speeds:
            return sorted(state.speeds)[len(state.speeds) // 2]
        expected = self.expected.get(key[:2])
        return expected.speed if expected is not None else None

    def lately(self, key: Key, limit: float, now: float, tokens: int) -> Share:
        """The share of the last answers to prompts of that size which began within `limit` seconds."""
        state = self._states.get(key)
        tempo = state.tempos.get(size_of(tokens)) if state is not None else None
        return tempo.within(limit, now, self._tick) if tempo is not None else Share(0.0, 0.0)

    def usually(self, key: Key, limit: float, now: float, tokens: int) -> float | None:
        """The share that begins within `limit` seconds at this hour of the day, None where too little is known."""
        baseline = self._baselines.get((key[0], key[1], size_of(tokens)))
        return baseline.share(limit, now + self.epoch) if baseline is not None else None

    # What outlives a process

    def to_plain(self) -> Mapping[str, Any]:
        """The usual times as plain values."""
        return {
            f"{size} {provider}/{model}": baseline.to_plain()
            for (provider, model, size), baseline in self._baselines.items()
        }

    def take_plain(self, plain: Mapping[str, Any]) -> None:
        """Take up what `to_plain` gave. Raises ValueError, TypeError or AttributeError for anything else."""
        taken = {name: Baseline.from_plain(rows) for name, rows in plain.items()}
        for name, baseline in taken.items():
            size, _, ref = name.partition(" ")
            provider, _, model = ref.partition("/")
            self._baselines[(provider, model, int(size))] = baseline
