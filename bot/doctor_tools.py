"""The doctor's look at servers of tools: each is connected to once and asked what it offers."""

from __future__ import annotations

import asyncio

from bot.checkup import Row, State
from bot.settings import Settings, ToolServer

DEADLINE = 20.0
"""Seconds that one server gets; all are asked side by side."""

_NAME = "tools"


async def tool_rows(settings: Settings) -> list[Row]:
    """Every server that is on. Programs are started for it, and ended again. Never raises."""
    from bot.redact import Redactor

    redactor = Redactor(settings.secrets())
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_server(each)) for each in settings.tool_servers]
    return [
        Row(row.name, row.state, redactor.text(row.what), row.todo)
        for row in (each.result() for each in asked)
    ]


async def _server(configured: ToolServer) -> Row:
    from bot.mcp import try_server

    found = await try_server(configured, DEADLINE)
    path = f"mcp.servers.{configured.name}"
    if found.problem:
        field = "command, args and env" if configured.settings.command is not None else "url and headers"
        return Row(_NAME, State.FAIL, f"{found.name} {found.problem}", f"look at {field} of {path}")
    if not found.tools:
        return Row(_NAME, State.WARN, f"{found.name} answers and offers nothing", f"look at {path}.tools")
    return Row(_NAME, State.OK, f"{found.name} answers, {found.tools} tools")
