"""How the models are doing right now, keyed by provider, model and credential. Pure: `now` is handed in.

A rung is closed (in use), open (left alone until a time) or half-open (the time is over: one probe decides).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from providers.errors import ErrorKind
from routing.retry import RULES

FAILURES_TO_OPEN = 5
FAILURE_WINDOW = 300.0
COOLDOWN = 60.0
SAMPLES = 64

Key = tuple[str, str, str]
"""(provider, model, credential id)"""


class Breaker(StrEnum):
    """The state of a rung."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(slots=True)
class _State:
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES_TO_OPEN))
    open_until: float = 0.0
    last_failure: float = 0.0
    reason: str = ""
    ttfts: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))


class Health:
    """All cooldowns, breakers, disabled credentials and measured first-token times of one process.

    Bounded by the number of configured rungs: keys come from the catalogue only.
    """

    def __init__(self) -> None:
        self._states: dict[Key, _State] = {}
        self._disabled: dict[tuple[str, str], str] = {}
        self._resting: dict[tuple[str, str], float] = {}

    def breaker(self, key: Key, now: float) -> Breaker:
        """The state of a rung."""
        state = self._states.get(key)
        if self.is_disabled(key) or now < self._resting.get((key[0], key[2]), 0.0):
            return Breaker.OPEN
        if state is None or not state.open_until:
            return Breaker.CLOSED
        return Breaker.OPEN if now < state.open_until else Breaker.HALF_OPEN

    def is_disabled(self, key: Key) -> bool:
        """Whether the credential was refused and has not been changed since."""
        return (key[0], key[2]) in self._disabled

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

    def failed(self, key: Key, kind: ErrorKind, retry_after: float | None, now: float) -> None:
        """A request to the rung failed."""
        rule = RULES[kind]
        state = self._states.setdefault(key, _State())
        state.last_failure = now
        if rule.disables:
            self._disabled[(key[0], key[2])] = str(kind)
        if rule.cooldown is not None:
            # What the provider asked for counts only where the pause is about its limits.
            pause = retry_after if retry_after is not None and kind is ErrorKind.RATE_LIMIT else rule.cooldown
            self._open(state, now + pause, kind)
            if rule.rests_credential:
                self._resting[(key[0], key[2])] = now + pause
        if rule.counts:
            state.failures.append(now)
            recent = [at for at in state.failures if now - at <= FAILURE_WINDOW]
            was_probe = 0.0 < state.open_until <= now
            if was_probe or len(recent) >= FAILURES_TO_OPEN:
                self._open(state, now + COOLDOWN, kind)

    @staticmethod
    def _open(state: _State, until: float, kind: ErrorKind) -> None:
        state.open_until = max(state.open_until, until)
        state.reason = str(kind)

    def began(self, key: Key, ttft: float) -> None:
        """The rung gave its first token after `ttft` seconds."""
        self._states.setdefault(key, _State()).ttfts.append(ttft)

    def succeeded(self, key: Key) -> None:
        """The rung gave a whole answer: it is closed again."""
        self._resting.pop((key[0], key[2]), None)
        state = self._states.get(key)
        if state is not None:
            state.open_until = 0.0
            state.failures.clear()
            state.reason = ""

    def credential_changed(self, provider: str, credential_id: str) -> None:
        """The owner set another secret, or took it away: what was held against it is forgotten."""
        self._disabled.pop((provider, credential_id), None)
        self._resting.pop((provider, credential_id), None)
        for key in [key for key in self._states if (key[0], key[2]) == (provider, credential_id)]:
            del self._states[key]

    def ttft(self, key: Key, quantile: float) -> float | None:
        """A quantile of the last first-token times, None before five were measured."""
        state = self._states.get(key)
        if state is None or len(state.ttfts) < 5:
            return None
        ordered = sorted(state.ttfts)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]
