"""The tool calls of one answer: put together from their pieces, judged one by one. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from bot import words
from bot.taint import CLEAN, Taint
from bot.tools import OfferedTool, ToolResult
from providers.base import ToolCall, ToolCallDelta

MAX_CALLS = 16
"""Calls that one answer may make; the others are told so."""

MAX_KEPT = 2 * MAX_CALLS
"""Calls of one answer that are taken notice of; a model that writes thousands is not sent them again and again."""

MAX_HELD = 5
"""Calls that a person is asked about at once: more could not be looked at one by one."""

MAX_SHOWN = 1_000
"""Characters of a call that a person is asked about after the model has read what is not theirs: all are shown."""

MAX_NAME = 64
"""Characters of a tool's name that vendors take."""

MAX_ARGUMENTS = 65_536
"""Characters of one call's arguments."""

MAX_RESULTS = 65_536
"""Bytes of results that a model is given within one turn."""

_TOO_LONG = "its arguments are longer than {limit:,} characters; it was not called"
_TOO_MANY = "more than {limit} calls at once; it was not called. Call again what is still needed."
_TOO_MANY_HELD = (
    "more than {limit} calls at once that a person has to allow; it was not called. Call it again."
)
_TOO_LONG_TO_SHOW = (
    "its arguments are longer than the {limit:,} characters that a person is shown, who has to allow it; "
    "it was not called. Do it in smaller pieces."
)
_NOBODY_TO_ASK = "a person has to allow this call and nobody can be asked here; it was not called"
_UNKNOWN = "there is no tool “{name}” here; it was not called. There is: {known}."
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")
_NOT_JSON = "its arguments are not a JSON object ({reason}); it was not called"


class Collected:
    """The calls of one answer while they come. Bounded: `limit` characters of arguments each, `most` calls."""

    __slots__ = ("_arguments", "_heads", "_limit", "_most", "_too_long")

    def __init__(self, limit: int = MAX_ARGUMENTS, most: int = MAX_KEPT) -> None:
        self._limit = limit
        self._most = most
        self._heads: dict[int, list[str]] = {}
        self._arguments: dict[int, list[str]] = {}
        self._too_long: dict[int, int] = {}

    def add(self, piece: ToolCallDelta) -> None:
        """One more piece."""
        if piece.index not in self._heads and len(self._heads) >= self._most:
            return
        head = self._heads.setdefault(piece.index, ["", ""])
        head[0] = head[0] or piece.id
        head[1] = head[1] or piece.name
        size = self._too_long.get(piece.index, 0) + len(piece.arguments)
        self._too_long[piece.index] = size
        if size <= self._limit:
            self._arguments.setdefault(piece.index, []).append(piece.arguments)

    def clear(self) -> None:
        """The answer begins anew."""
        self._heads.clear()
        self._arguments.clear()
        self._too_long.clear()

    def calls(self, taken: Collection[str], prefix: str) -> tuple[ToolCall, ...]:
        """All of them, in their order. An id that is missing, or `taken` by an earlier call, is made with `prefix`.

        A name is written so that it can be sent back: vendors answer 400 to every conversation in which a model made
        one up like "multi_tool_use.parallel" (GitHub microsoft/semantic-kernel 4447, mcp-use/mcp-use 90; 2026-11).
        """
        found: list[ToolCall] = []
        ids = set(taken)
        for at, index in enumerate(sorted(self._heads)):
            call_id, name = self._heads[index]
            name = _FOREIGN.sub("_", name)[:MAX_NAME] or "unnamed"
            if not call_id or call_id in ids:
                call_id = f"{prefix}_{at}"
            ids.add(call_id)
            found.append(ToolCall(call_id, name, "".join(self._arguments.get(index, ()))))
        return tuple(found)

    def oversized(self) -> frozenset[int]:
        """Positions of the calls whose arguments were too long to keep."""
        return frozenset(
            at for at, index in enumerate(sorted(self._heads)) if self._too_long[index] > self._limit
        )


@dataclass(frozen=True, slots=True)
class Allowed:
    """A call that may be made now."""

    call: ToolCall
    arguments: Mapping[str, Any]
    tool: OfferedTool


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of the calls of one answer: every call stands in exactly one of the three."""

    run: tuple[Allowed, ...] = ()
    held: tuple[ToolCall, ...] = ()
    refused: Mapping[str, ToolResult] = field(default_factory=dict)


def plan(
    calls: Sequence[ToolCall],
    offered: Sequence[OfferedTool],
    *,
    oversized: Collection[int] = (),
    has_consent: bool = False,
    taint: Taint = CLEAN,
    can_ask: bool = True,
) -> Plan:
    """Judge calls. `has_consent`: the person allowed these very calls. `can_ask`: somebody is there to allow them."""
    known = {each.tool.name: each for each in offered}
    run: list[Allowed] = []
    held: list[ToolCall] = []
    refused: dict[str, ToolResult] = {}
    for at, call in enumerate(calls):
        tool = known.get(call.name)
        if at >= MAX_CALLS:
            refused[call.id] = _refusal(_TOO_MANY.format(limit=MAX_CALLS))
        elif tool is None:
            names = ", ".join(sorted(known)) or "none"
            refused[call.id] = _refusal(_UNKNOWN.format(name=call.name, known=names))
        elif at in oversized:
            refused[call.id] = _refusal(_TOO_LONG.format(limit=MAX_ARGUMENTS))
        else:
            arguments, problem = _arguments(call)
            if problem:
                refused[call.id] = _refusal(_NOT_JSON.format(reason=problem))
            elif not has_consent and (tool.needs_consent or taint.asks_about(tool)):
                is_foreign = taint.asks_about(tool)
                obstacle = _obstacle(call, len(held), is_foreign=is_foreign, can_ask=can_ask)
                if obstacle:
                    refused[call.id] = _refusal(obstacle)
                else:
                    held.append(call)
            else:
                run.append(Allowed(call, arguments, tool))
    return Plan(tuple(run), tuple(held), refused)


def _obstacle(call: ToolCall, held: int, *, is_foreign: bool, can_ask: bool) -> str:
    """Why nobody is asked about a call; "" where somebody is. `is_foreign`: it may be somebody else's wish."""
    if not can_ask:
        return _NOBODY_TO_ASK
    if held >= MAX_HELD:
        return _TOO_MANY_HELD.format(limit=MAX_HELD)
    if is_foreign and len(words.shown_call(call.name, call.arguments)) > MAX_SHOWN:
        return _TOO_LONG_TO_SHOW.format(limit=MAX_SHOWN)
    return ""


def _refusal(text: str) -> ToolResult:
    return ToolResult(text, is_error=True)


def _arguments(call: ToolCall) -> tuple[Mapping[str, Any], str]:
    """The arguments, and what is wrong with them."""
    if not call.arguments.strip():
        return {}, ""
    try:
        value = orjson.loads(call.arguments)
    except orjson.JSONDecodeError as error:
        return {}, str(error)
    return (value, "") if isinstance(value, dict) else ({}, f"a {type(value).__name__}")


def key_of(turn_id: str, call: Allowed, repeat: int) -> str:
    """What a call is known by after a restart: the turn, what is called with what, and which time it is."""
    said = json.dumps(call.arguments, sort_keys=True, default=str)
    digest = hashlib.sha256(f"{call.tool.tool.name}\n{said}".encode(errors="replace")).hexdigest()[:24]
    return f"call {turn_id} {digest} {repeat}"


def within(text: str, left: int) -> str:
    """As much of a result as `left` bytes hold, with a note of what is missing."""
    data = text.encode(errors="replace")
    if len(data) <= left:
        return text
    kept = data[: max(0, left)].decode(errors="ignore")
    return f"{kept}\n[the rest, {len(data) - len(kept.encode()):,} bytes, is left out]"
