"""What would be decided for a text, said without asking a model or sending anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot import words
from bot.difficulty import difficulty_of, table_name
from bot.prompt import tokens_of
from channels.capabilities import Streaming
from providers.base import PromptMessage, Role
from routing.case import Reason
from routing.catalog import Catalog
from routing.complexity import Complexity, assess
from routing.health import Breaker, Health
from routing.hedge import plan
from routing.policy import Decision, RouteQuery, decide
from routing.replay import record_of
from routing.rollout import Policy
from routing.strategy import STRATEGIES, Row
from routing.weights import Weights


@dataclass(frozen=True, slots=True)
class Asked:
    """What to decide. `tokens`: of the whole prompt, None for those of the text. `model`: chosen once."""

    text: str
    row: Row
    model: str | None = None
    tokens: int | None = None
    policy: Policy = Policy.SMART
    roll: float = 0.5


def explain(
    asked: Asked, catalog: Catalog, health: Health, weights: Weights | None, now: float
) -> Mapping[str, Any]:
    """The decision layer by layer, as plain values; what `lines` puts into words. Raises UnknownModel."""
    weighed = assess(asked.text, weights)
    difficulty = difficulty_of(weighed)
    own = tokens_of(PromptMessage(Role.USER, asked.text))
    query = RouteQuery(
        latency=asked.row.latency,
        streaming=Streaming.EDIT if asked.row.streams else Streaming.NONE,
        now=now,
        one_shot=asked.model,
        least_tokens=own,
        tokens=max(own, asked.tokens or 0),
        difficulty=difficulty,
        policy=asked.policy,
        roll=asked.roll,
    )
    decision = decide(query, catalog, health)
    return {
        "channel": {"id": asked.row.id, "kind": asked.row.kind, "streams": asked.row.streams},
        "latency_class": str(asked.row.latency),
        "target": decision.budget.target,
        "first_token": decision.budget.first_token,
        "tokens": query.tokens,
        "difficulty": str(difficulty),
        "complexity": _weighed(weighed),
        "wanted": decision.wanted,
        "aliases": list(STRATEGIES[asked.row.latency].aliases(difficulty)),
        "policy": str(asked.policy),
        "reason": str(decision.reason),
        "ladder": [rung.model.ref for rung in decision.rungs],
        "candidates": _candidates(decision),
        "hedge": _hedge(decision, health, now),
        "excluded": [[each.ref, str(each.why)] for each in decision.excluded],
        "decision": record_of(decision, table_name()),
    }


def _weighed(found: Complexity) -> Mapping[str, Any]:
    return {
        "score": found.score,
        "gain": found.gain,
        "evidence": found.evidence,
        "causes": [[each.name, each.weight] for each in found.causes],
    }


def _candidates(decision: Decision) -> list[dict[str, Any]]:
    places = {rung.key: place for place, rung in enumerate(decision.rungs, 1)}
    by_ref: dict[str, int] = {}
    for (provider, model, _), place in places.items():
        by_ref.setdefault(f"{provider}/{model}", place)
    return [
        {
            "model": each.ref,
            "place": by_ref.get(each.ref),
            "group": str(each.group),
            "window": each.window,
            "breaker": str(each.breaker),
            "in_time": round(each.score.in_time, 4),
            "hoped": round(each.score.hoped, 4),
            "answers": round(each.score.weight, 2),
            "ttft": each.score.ttft,
            "tokens_per_s": each.score.speed,
            "whole": each.score.whole,
        }
        for each in (decision.case.candidates if decision.case is not None else ())
    ]


def _hedge(decision: Decision, health: Health, now: float) -> Mapping[str, Any] | None:
    planned = plan(decision, decision.rungs[0], health, now) if decision.rungs else None
    return None if planned is None else {"model": planned.rung.model.ref, "after": round(planned.after, 3)}


def lines(said: Mapping[str, Any]) -> Sequence[str]:
    """The same for people."""
    row = said["channel"]
    shown = "shown as it grows" if row["streams"] else "shown whole"
    ladder = said["ladder"]
    first = ladder[0] if ladder else "nobody"
    found = [
        f"{first}: {words.reason(Reason(said['reason']), said['wanted'])}",
        f"1. constraints: a prompt of about {said['tokens']} tokens",
        f"2. chosen: {said['wanted'] or 'nothing'}; 3. pinned: nothing, as this is no conversation",
        f"4. class: {said['latency_class']} ({row['id']} {row['kind']}), target {said['target']:g} s, {shown}",
        f"5. question: {_question(said)}",
        "6. candidates, as they would be asked:",
    ]
    seen: set[str] = set()
    for each in sorted(said["candidates"], key=lambda each: each["place"] or 999):
        if each["model"] not in seen:
            seen.add(each["model"])
            found.append(f"   {_candidate(each)}")
    if beside := said["hedge"]:
        found.append(f"7. asked too after {beside['after']:.2f} s of silence: {beside['model']}")
    found += [f"passed over: {ref} ({why})" for ref, why in said["excluded"]]
    if said["policy"] == Policy.STATIC:
        found.append("policy: static, so figures and difficulty do not count")
    return found


def _question(said: Mapping[str, Any]) -> str:
    weighed = said["complexity"]
    if weighed["gain"] is None:
        return "nothing is known of it, so the default model answers"
    causes = ", ".join(f"{name} {weight:+.3f}" for name, weight in weighed["causes"])
    means = ", ".join(said["aliases"]) or "the default model"
    return (
        f"{said['difficulty']} (a strong model gains {weighed['gain']:.3f}: {causes}); that asks for {means}"
    )


def _candidate(each: Mapping[str, Any]) -> str:
    parts = [f"{each['place'] or '-'} {each['model']} ({each['group']})"]
    known = f", of {each['answers']:.0f} answers" if each["answers"] >= 2 else ", a guess"
    parts.append(f"{each['in_time']:.0%} in time{known}")
    if each["ttft"] is not None:
        parts.append(f"first token {each['ttft'] * 1000:.0f} ms")
    if each["tokens_per_s"] is not None:
        parts.append(f"{each['tokens_per_s']:.0f} tokens/s")
    if each["whole"] is not None:
        parts.append(f"whole answer {each['whole']:.1f} s")
    if each["breaker"] != Breaker.CLOSED:
        parts.append(words.breaker(Breaker(each["breaker"])))
    return ", ".join(parts)
