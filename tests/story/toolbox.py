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
            _own("clock__now", "The time", has_side_effects=False, needs_consent=False),
            _own("door__wait", "Waits", needs_consent=False),
            _own("notes__log", "Logs a line", needs_consent=False),
            _own("notes__write", "Writes a note"),
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


def _own(
    name: str, description: str, *, has_side_effects: bool = True, needs_consent: bool = True
) -> OfferedTool:
    """A tool that sends nothing out, and whose words are as good as the owner's."""
    return OfferedTool(
        Tool(name, description, _ANY),
        name.partition("__")[0],
        has_side_effects=has_side_effects,
        needs_consent=needs_consent,
        is_local=True,
        has_foreign_results=False,
        has_foreign_words=False,
    )


def calling(*calls: tuple[str, str], text: str = "") -> tuple[Step, ...]:
    """An answer that makes calls: (name, arguments as JSON)."""
    words: list[Step] = [TextDelta(text)] if text else []
    made: list[Step] = [
        ToolCallDelta(at, id=f"c{at}", name=name, arguments=arguments)
        for at, (name, arguments) in enumerate(calls)
    ]
    return (Started(), *words, *made, Finished(FinishReason.TOOL_CALLS))
