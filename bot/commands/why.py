"""/why: one card that says how the last answer came about, in plain words. Pure but for reading the turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot import words
from bot.commands.registry import Call, Command
from bot.remedies import remedy
from bot.store.base import TurnRecord
from channels.commands import CommandSpec
from providers.errors import ErrorKind
from routing.policy import NO_CREDENTIAL, Reason
from routing.rollout import Policy
from routing.strategy import Difficulty

_MOST_CANDIDATES = 5
_LOOKED_AT = 10

_QUESTIONS = {
    Difficulty.SIMPLE: "a simple question",
    Difficulty.USUAL: "a usual question",
    Difficulty.HARD: "a hard question",
}


async def why(call: Call) -> str:
    """How the last answer here came about."""
    row = await last_asked(call)
    if row is None:
        return "Nothing has been answered here yet."
    return card(row, is_owner=call.turn.is_owner)


async def last_asked(call: Call) -> TurnRecord | None:
    """The last turn here in which a model was asked; answers of commands are none."""
    for row in await call.desk.store.turns(call.turn.key, _LOOKED_AT):
        if row.detail.get("attempts") and row.detail.get("reason"):
            return row
    return None


def card(row: TurnRecord, *, is_owner: bool) -> str:
    """The card of one turn. What mends a model is told to owners alone."""
    detail = row.detail
    lines = [
        f"**{row.model or 'nobody'}**: {words.reason(Reason(detail['reason']), detail.get('wanted'))}",
        _class(detail),
        times(detail),
    ]
    if parts := _parts(detail.get("stages") or {}):
        lines.append(f"Of that: {parts}.")
    lines.append("Ladder: " + ", then ".join(dict.fromkeys(detail["ladder"])))
    if candidates := _candidates(detail):
        lines.append(f"Looked at: {'; '.join(candidates)}")
    lines.extend(f"Passed over: {ref} ({reason})" for ref, reason in detail.get("excluded", ()))
    for each in detail["attempts"]:
        lines.append(_attempt(each))
        if is_owner and each.get("error"):
            lines.extend(_in_full(each))
    if detail.get("cascade"):
        lines.append("Answers judged: " + "; ".join(f"{ref} ({found})" for ref, found in detail["cascade"]))
    if detail.get("tools"):
        lines.append(f"Tools called: {', '.join(detail['tools'])}")
    if detail.get("feedback"):
        lines.append(f"You said: {', '.join(_told(detail['feedback']))}")
    lines.append(_price(detail))
    return "\n".join(lines)


def _class(detail: Mapping[str, Any]) -> str:
    parts = [f"Class {detail['latency_class']}, target {detail['target']:g} s"]
    case = (detail.get("decision") or {}).get("case") or {}
    if case.get("difficulty") in set(Difficulty):
        parts.append(_QUESTIONS[Difficulty(case["difficulty"])])
    if case.get("judged"):
        parts.append(f"a classifier said {words.quoted(case['judged'])}")
    if detail.get("prompt_tokens"):
        parts.append(f"a prompt of about {detail['prompt_tokens']} tokens")
    if case.get("policy") == Policy.STATIC:
        parts.append("models as listed (/rollout)")
    if other := detail.get("shadow"):
        parts.append(f"the other policy would have asked {other}")
    return "; ".join(parts)


def times(detail: Mapping[str, Any]) -> str:
    """What the last answer's first word took."""
    first, ttft = detail.get("first_visible"), detail.get("ttft")
    parts = []
    if first is not None:
        parts.append(f"first word {first * 1000:.0f} ms")
    if ttft is not None:
        parts.append(f"first token {ttft * 1000:.0f} ms")
    if first is not None and ttft is not None:
        parts.append(f"our own part {(first - ttft) * 1000:.0f} ms")
    return "Last answer: " + (", ".join(parts) or "no times measured") + "."


def _parts(stages: Mapping[str, Any]) -> str:
    named = (
        ("before", "before asking"),
        ("lost", "models that failed"),
        ("waited", "the model"),
        ("shown", "bringing it to the screen"),
    )
    return ", ".join(
        f"{said} {stages[name] * 1000:.0f} ms" for name, said in named if stages.get(name) is not None
    )


def _candidates(detail: Mapping[str, Any]) -> Sequence[str]:
    """What was known of the models that could be asked, each once."""
    case = (detail.get("decision") or {}).get("case") or {}
    passed = {ref for ref, _ in detail.get("excluded", ())}
    seen: dict[str, str] = {}
    for each in case.get("candidates", ()):
        figures = each["score"]
        parts = []
        if figures.get("weight"):
            parts.append(f"{figures['in_time']:.0%} in time")
        if figures.get("ttft") is not None:
            parts.append(f"first token {figures['ttft'] * 1000:.0f} ms")
        if each["ref"] not in passed:
            seen.setdefault(each["ref"], f"{each['ref']} {', '.join(parts) or 'nothing known yet'}")
    more = [f"and {len(seen) - _MOST_CANDIDATES} more"] if len(seen) > _MOST_CANDIDATES else []
    return [*list(seen.values())[:_MOST_CANDIDATES], *more]


def _attempt(each: Mapping[str, Any]) -> str:
    ttft = f", first token {each['ttft'] * 1000:.0f} ms" if each.get("ttft") is not None else ""
    speed = f", {each['tokens_per_s']:.0f} tokens/s" if each.get("tokens_per_s") else ""
    whole = "not wanted any more" if each.get("cancelled") else "whole answer"
    end = words.kind(ErrorKind(each["error"])) if each.get("error") else whole
    hedge = " (asked beside, as the first was silent)" if each.get("hedge") else ""
    return f"- {each['model']}{hedge}: {end}{ttft}{speed}, {each['took']:.2f} s"


def _in_full(each: Mapping[str, Any]) -> list[str]:
    """What the owner alone is told of a request that failed: what was seen, and what to do."""
    seen = each.get("detail")
    done = todo(each["error"], each["model"], each.get("credential") or NO_CREDENTIAL)
    return [*([f"  {words.quoted(seen)}"] if seen else []), f"  {done}"]


def todo(kind: str, ref: str, credential: str) -> str:
    """What mends a model."""
    provider, _, model = ref.partition("/")
    return remedy(ErrorKind(kind), provider, model=model, has_key=credential != NO_CREDENTIAL)


def _told(feedback: Mapping[str, Any]) -> Sequence[str]:
    said = [str(value) for value in feedback.values()]
    return [f"{each} x {said.count(each)}" if said.count(each) > 1 else each for each in dict.fromkeys(said)]


def _price(detail: Mapping[str, Any]) -> str:
    cost, usage = detail.get("cost_usd"), detail.get("usage") or {}
    said = "Cost: unknown" if cost is None else f"Cost: ${cost:.5f}"
    if not usage:
        return said
    cached = f" ({usage['cached_tokens']} from the cache)" if usage.get("cached_tokens") else ""
    return f"{said}; {usage.get('input_tokens')}{cached} + {usage.get('output_tokens')} tokens"


COMMAND = Command(CommandSpec("why", "How the last answer came about", aliases=("route",)), why)
