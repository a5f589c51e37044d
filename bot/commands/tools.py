"""/tools /mcp: what models may call for the person who asks, and how the servers behind it are doing."""

from __future__ import annotations

from bot.access import trust_of
from bot.commands.registry import Call, Command
from bot.taint import offered_to
from bot.tools import OfferedTool
from channels.commands import CommandSpec, Role

_PAGE = 20
_SHORT = 100


async def tools(call: Call) -> str:
    """The tools that may be called here, and which of them are asked about first."""
    turn = call.turn
    trust = trust_of(turn.role)
    offered = offered_to(call.desk.tools.offered(turn.account.agent, trust), trust)
    if not offered:
        return _none(call)
    pages = (len(offered) + _PAGE - 1) // _PAGE
    page = max(1, min(int(call.argument) if call.argument.isdecimal() else 1, pages))
    lines = [_line(each) for each in offered[(page - 1) * _PAGE : page * _PAGE]]
    if any(each.needs_consent for each in offered):
        lines.append("“asks first”: nothing happens before you press Allow.")
    if pages > 1:
        lines.append(f"Page {page} of {pages}; /tools {page % pages + 1} shows more.")
    return "\n".join(lines)


def _line(offered: OfferedTool) -> str:
    first = " ".join(offered.tool.description.split())
    short = first if len(first) <= _SHORT else first[: _SHORT - 1] + "…"
    asks = ", asks first" if offered.needs_consent else ""
    return f"- `{offered.tool.name}`{asks}: {short}"


def _none(call: Call) -> str:
    if not call.turn.is_owner:
        return "There are no tools for you here."
    if not call.desk.tools.sources():
        return "There are no tools. An MCP server brings some: mcp.servers in the configuration."
    return "There are no tools for you here just now; /mcp tells how their servers are doing."


async def mcp(call: Call) -> str:
    """Every server of tools and what is wrong with it."""
    sources = call.desk.tools.sources()
    if not sources:
        return "No MCP server is configured (mcp.servers)."
    return "\n".join(
        f"- **{each.name}** {each.problem}."
        if each.problem
        else f"- **{each.name}** is connected, {each.tools} {'tool' if each.tools == 1 else 'tools'}."
        for each in sources
    )


COMMANDS = (
    Command(CommandSpec("tools", "Tools that may be used for you here", "[page]"), tools),
    Command(CommandSpec("mcp", "How the servers of tools are doing", role=Role.OWNER), mcp),
)
