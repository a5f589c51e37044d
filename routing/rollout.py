"""Who is served by which policy: a share of the conversations that grows as the figures allow it. Pure.

off -> shadow -> 20 -> 50 -> 100 % of the conversations are chosen for by figures and difficulty ("smart"), the others
in the order of the settings ("static"). Sticky: a conversation's hash decides, so that whoever is in at 20 % is in at
50 %. While both policies serve people, each latency class is compared, and taken back alone where it is clearly worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from zlib import crc32

from routing.gates import ENOUGH, Arm, Gate, fault, gates


class Policy(StrEnum):
    """How candidates are ordered."""

    STATIC = "static"  # as the settings list them
    SMART = "smart"  # by what the question needs and how the models are doing


class Stage(StrEnum):
    """How far the smart policy is rolled out."""

    OFF = "off"
    SHADOW = "shadow"  # decided and compared, never acted on
    FIFTH = "20"
    HALF = "50"
    ALL = "100"


STAGES = tuple(Stage)
SHARES: Mapping[Stage, int] = MappingProxyType(
    {Stage.OFF: 0, Stage.SHADOW: 0, Stage.FIFTH: 20, Stage.HALF: 50, Stage.ALL: 100}
)
"""Of a hundred conversations, how many the smart policy serves."""

LOOK_EVERY = 10
"""Answers of a class after which it is asked whether something has to be taken back."""


def bucket(conversation: str) -> int:
    """A conversation's place, 0..99; the same for ever."""
    return crc32(b"rollout " + conversation.encode(errors="replace")) % 100


def policy_at(stage: Stage, conversation: str) -> Policy:
    """Who serves a conversation."""
    return Policy.SMART if bucket(conversation) < SHARES[stage] else Policy.STATIC


@dataclass(slots=True)
class Rollout:
    """The stage and what was seen in it. `cost_cap`: the most that an answer may cost, times the old policy's.

    `configured`: the stage of the settings that this began with. `held`: latency classes that were taken back, and
    why. `arms`: class -> policy -> figures since the stage began. `decided` and `differing`: decisions that both
    policies made, and those in which they named another model first.
    """

    stage: Stage = Stage.ALL
    configured: Stage = Stage.ALL
    cost_cap: float = 1.5
    since: float = 0.0
    held: dict[str, str] = field(default_factory=dict)
    arms: dict[str, dict[Policy, Arm]] = field(default_factory=dict)
    decided: int = 0
    differing: int = 0

    @property
    def compares(self) -> bool:
        """Whether both policies serve people, so that one can be measured by the other."""
        return 0 < SHARES[self.stage] < 100

    @property
    def shadows(self) -> bool:
        """Whether the policy that does not serve is to decide too."""
        return self.stage is Stage.SHADOW

    def policy(self, latency: str, conversation: str) -> Policy:
        """Who serves a conversation of a class."""
        return Policy.STATIC if latency in self.held else policy_at(self.stage, conversation)

    def arm(self, latency: str, policy: Policy) -> Arm:
        """The figures of a policy in a class."""
        return self.arms.setdefault(latency, {}).setdefault(policy, Arm())

    def answered(
        self, latency: str, policy: Policy, *, seconds: float | None, failed: bool, cost_usd: float | None
    ) -> str | None:
        """Book an answer. Gives why its class is taken back now, None for everything else."""
        if not self.compares or latency in self.held:
            return None
        arm = self.arm(latency, policy)
        arm.add(seconds=seconds, failed=failed, cost_usd=cost_usd)
        return self._judged(latency) if arm.decisions % LOOK_EVERY == 0 else None

    def disliked(self, latency: str, policy: Policy, count: int = 1) -> str | None:
        """Book that people took an answer badly (or, -1, no longer do). Gives why its class is taken back now."""
        if not self.compares or latency in self.held:
            return None
        arm = self.arm(latency, policy)
        arm.disliked = max(0, arm.disliked + count)
        return self._judged(latency)

    def _judged(self, latency: str) -> str | None:
        why = fault(self.arm(latency, Policy.SMART), self.arm(latency, Policy.STATIC), self.cost_cap)
        if why is not None:
            self.held[latency] = why
        return why

    def compared(self, *, is_same: bool) -> None:
        """Both policies decided one question."""
        self.decided += 1
        self.differing += not is_same

    def gates(self) -> Mapping[str, Sequence[Gate]]:
        """The conditions for the next stage, by class; () where there is nothing to wait for."""
        if self.stage is Stage.SHADOW:
            return {"all": (Gate("decisions", self.decided >= ENOUGH, f"{self.decided} of {ENOUGH}"),)}
        if not self.compares:
            return {}
        return {
            latency: gates(self.arm(latency, Policy.SMART), self.arm(latency, Policy.STATIC), self.cost_cap)
            for latency in sorted(self.arms)
            if latency not in self.held
        }

    @property
    def may_go_on(self) -> bool:
        """Whether every class that is used met its conditions; a class of few questions holds up nobody."""
        found = self.gates()
        if not found:
            return not self.compares
        told = [each for each in found.values() if each[0].is_met]
        return bool(told) and all(gate.is_met for each in told for gate in each)

    def go(self, stage: Stage, now: float) -> None:
        """Begin a stage; what was seen in the one before no longer counts, and nothing is held back any more."""
        self.stage, self.since = stage, now
        self.held, self.arms = {}, {}
        self.decided = self.differing = 0

    def beside(self, step: int) -> Stage:
        """The next stage (1) or the one before (-1); at the ends the same."""
        return STAGES[max(0, min(len(STAGES) - 1, STAGES.index(self.stage) + step))]

    def to_plain(self) -> Mapping[str, Any]:
        """As plain values."""
        return {
            "stage": str(self.stage),
            "configured": str(self.configured),
            "since": self.since,
            "held": dict(self.held),
            "decided": [self.decided, self.differing],
            "arms": {
                latency: {str(policy): arm.to_plain() for policy, arm in arms.items()}
                for latency, arms in self.arms.items()
            },
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], configured: Stage, cost_cap: float) -> Rollout:
        """What `to_plain` gave, unless the settings name another stage than then: that begins anew.

        Raises ValueError, TypeError, KeyError or AttributeError for anything else.
        """
        if plain["configured"] != configured:
            return cls(configured, configured, cost_cap)
        decided, differing = plain["decided"]
        return cls(
            stage=Stage(plain["stage"]),
            configured=configured,
            cost_cap=cost_cap,
            since=float(plain["since"]),
            held={str(latency): str(why) for latency, why in plain["held"].items()},
            arms={
                str(latency): {Policy(policy): Arm.from_plain(arm) for policy, arm in arms.items()}
                for latency, arms in plain["arms"].items()
            },
            decided=int(decided),
            differing=int(differing),
        )
