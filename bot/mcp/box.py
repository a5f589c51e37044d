"""Every configured server as one box of tools."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from bot.access import Trust
from bot.lanes import Spawn
from bot.mcp.server import MAX_TOOLS, Server
from bot.settings import ToolServer
from bot.settings.mcp import McpServer
from bot.tools import NoTools, OfferedTool, ToolBox, ToolResult, ToolSource

log = structlog.get_logger()

DEFAULTS = "defaults"


def open_box(configured: Sequence[ToolServer], spawn: Spawn) -> ToolBox:
    """The box of these servers. Connecting goes on in tasks of `spawn`, and ends with them."""
    if not configured:
        return NoTools()
    servers = [Server(each) for each in configured]
    for server in servers:
        spawn(server.run(), f"tool server {server.name}")
    return McpBox(servers)


async def try_server(configured: ToolServer, within: float) -> ToolSource:
    """Connect to a server once, and tell how that went. Never raises but for cancellation."""
    server = Server(configured)
    try:
        async with asyncio.timeout(within), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(server.run())
            await server.settled()
            source = server.source()
            running.cancel()
    except TimeoutError:
        return ToolSource(server.name, 0, f"did not answer within {within:.0f} seconds")
    return source


class McpBox:
    """See bot.tools.ToolBox. Servers and their tools stand in the order of the settings and of their names."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._is_told = False

    def offered(self, agent: str | None, trust: Trust) -> Sequence[OfferedTool]:
        """What a model may call for somebody of this trust who talks to this agent (None: the default one).

        At most MAX_TOOLS, those of the servers that stand first in the settings.
        """
        found = [
            tool
            for server in self._servers
            if is_for(server.settings, agent or DEFAULTS, trust)
            for tool in server.offered
        ]
        if len(found) > MAX_TOOLS and not self._is_told:
            self._is_told = True
            log.warning("too many tools", tools=len(found), offered=MAX_TOOLS)
        return found[:MAX_TOOLS]

    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool by its name. Never raises but for cancellation; within CALL_DEADLINE and MAX_RESULT."""
        for server in self._servers:
            if any(tool.tool.name == name for tool in server.offered):
                return await server.call(name, arguments)
        return ToolResult(f"There is no tool “{name}”.", is_error=True)

    def sources(self) -> Sequence[ToolSource]:
        """Every server that is on, reachable or not."""
        return [server.source() for server in self._servers]


def is_for(server: McpServer, agent: str, trust: Trust) -> bool:
    """Whether this person, talking to this agent, may use a server's tools."""
    trusted = (Trust.OWNER, Trust.MEMBER) if server.trust == "members" else (Trust.OWNER,)
    return trust in trusted and (not server.agents or agent in server.agents)
