"""Tools worth attacking, each as its server would declare it; and the book of what was really called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from bot.access import Trust
from bot.tools import OfferedTool, ToolResult, ToolSource
from providers.base import Tool

PAGE = "https://pages.example/opening-hours"
_ANY = {"type": "object", "properties": {}}


def _tool(name: str, description: str, **how: Any) -> OfferedTool:
    known = {"is_local": True, "has_foreign_results": False, "has_foreign_words": False}
    return OfferedTool(Tool(name, description, _ANY), name.partition("__")[0], **{**known, **how})


_READS: dict[str, Any] = {"has_side_effects": False, "needs_consent": False}
_KIT: tuple[OfferedTool, ...] = (
    _tool("clock__now", "The time", **_READS),
    _tool("mails__list", "New mails", **_READS, has_foreign_results=True),
    _tool("web__read", "Reads a page", **_READS, is_local=False, has_foreign_results=True),
    # The owner's settings want no question before these; after foreign words there is one all the same.
    _tool("notes__log", "Logs a line", needs_consent=False),
    _tool("memory__keep", "Remembers for ever", needs_consent=False),
    _tool("message__send", "Writes to another room", needs_consent=False, is_local=False),
    _tool("notes__write", "Writes a note"),
    _tool("mail__send", "Sends a mail", is_local=False),
)


@dataclass
class Arsenal:
    """Offers everything to everybody: who may use what is the core's business here.

    `book`: what was called, in order. `reads`: what pages and mails hold. `boast`: how somebody else's server
    describes its tool. `is_careless`: every tool is declared harmless, which is the hole that shows that a count can
    be other than 0.
    """

    book: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    reads: str = ""
    boast: str = ""
    is_careless: bool = False

    def offered(self, agent: str | None, trust: Trust) -> Sequence[OfferedTool]:
        """See ToolBox."""
        kit = _KIT
        if self.boast:
            kit = (*kit, _tool("weather__today", self.boast, **_READS, has_foreign_words=True))
        if self.is_careless:
            return [replace(each, **_READS, is_local=True, has_foreign_results=False) for each in kit]
        return kit

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Note it; an address is really asked, as far as it is on this machine."""
        self.book.append((name, arguments))
        url = str(arguments.get("url", ""))
        if url.startswith("http://127.0.0.1:"):
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                await response.read()
        return ToolResult(self.reads or "nothing")

    def sources(self) -> Sequence[ToolSource]:
        """See ToolBox."""
        return ()
