"""A box of tools inside the test's own process, for stories of which the tools are not the point."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.access import Trust
from bot.tools import OfferedTool, ToolResult, ToolSource
from providers.base import Finished, FinishReason, Started, TextDelta, Tool, ToolCallDelta
from providers.fake import Step

_ANY = {"type": "object", "properties": {}}


@dataclass
class Box:
    """`clock__now` changes nothing, `notes__write` does and wants consent, `notes__log` does and wants none.

    `door__wait` returns when `opened` is set. `calls`: what was called, in order.
    """

    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    result: str = "12:00"
    together: asyncio.Barrier | None = None

    def offered(self, agent: str | None, trust: Trust) -> Sequence[OfferedTool]:
        """All of them, but nothing for somebody who was let in without a name."""
        if trust is Trust.ANYBODY:
            return ()
        return (
            OfferedTool(
                Tool("clock__now", "The time", _ANY), "clock", has_side_effects=False, needs_consent=False
            ),
            OfferedTool(
                Tool("door__wait", "Waits", _ANY), "door", has_side_effects=True, needs_consent=False
            ),
            OfferedTool(Tool("notes__log", "Logs a line", _ANY), "notes", needs_consent=False),
            OfferedTool(Tool("notes__write", "Writes a note", _ANY), "notes"),
        )

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Note the call and answer."""
        self.calls.append((name, arguments))
        self.begun.set()
        if name == "door__wait":
            await self.opened.wait()
        if self.together is not None:
            await self.together.wait()
        return ToolResult(self.result)

    def sources(self) -> Sequence[ToolSource]:
        """Three."""
        return (ToolSource("clock", 1), ToolSource("door", 1), ToolSource("notes", 2))


def calling(*calls: tuple[str, str], text: str = "") -> tuple[Step, ...]:
    """An answer that makes calls: (name, arguments as JSON)."""
    words: list[Step] = [TextDelta(text)] if text else []
    made: list[Step] = [
        ToolCallDelta(at, id=f"c{at}", name=name, arguments=arguments)
        for at, (name, arguments) in enumerate(calls)
    ]
    return (Started(), *words, *made, Finished(FinishReason.TOOL_CALLS))
