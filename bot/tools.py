"""What models may call: the contract between a turn and whatever offers tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bot.access import Trust
from providers.base import Tool

MAX_STEPS = 8
"""Times that a model may be asked within one turn."""

CALL_DEADLINE = 10.0
"""Seconds that one call may take."""

MAX_RESULT = 16_384
"""Bytes of a result that a model is given."""


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool that may be called now.

    `source`: who offers it (an MCP server's name in the settings). `has_side_effects`: calling it changes something.
    `needs_consent`: the person who asked has to allow each call of it. `is_local`: what it is given goes nowhere but
    this machine. `has_foreign_results`, `has_foreign_words`: what it returns, and its description, are somebody else's
    words, which bot.taint tells from those of the people who talk.
    """

    tool: Tool
    source: str
    has_side_effects: bool = True
    needs_consent: bool = True
    is_local: bool = False
    has_foreign_results: bool = True
    has_foreign_words: bool = True


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave, as text for a model. `is_error`: it failed; `text` says why."""

    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ToolSource:
    """How one source is doing. `problem` "": it answers."""

    name: str
    tools: int
    problem: str = ""


class ToolBox(Protocol):
    """Everything that offers tools."""

    def offered(self, agent: str | None, trust: Trust) -> Sequence[OfferedTool]:
        """What a model may call for somebody of this trust who talks to this agent (None: the default one).

        Always in the same order, so that prompts keep their prefix. Looks at what is known; waits for nothing.
        """

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool by its name. Never raises but for cancellation; within CALL_DEADLINE and MAX_RESULT."""

    def sources(self) -> Sequence[ToolSource]:
        """Every source of the settings, reachable or not."""


class NoTools:
    """A box with nothing in it."""

    def offered(self, agent: str | None, trust: Trust) -> Sequence[OfferedTool]:
        """See ToolBox."""
        return ()

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """See ToolBox."""
        return ToolResult(f"there is no tool “{name}”", is_error=True)

    def sources(self) -> Sequence[ToolSource]:
        """See ToolBox."""
        return ()
