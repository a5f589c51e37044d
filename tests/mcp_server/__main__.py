"""A server with the protocol's own library: `python -m tests.mcp_server [stdio | http | sse [PORT]]`.

Over HTTP it takes a free port unless one is given, and tells it in its first line on standard output. The variable NOTES names the file
that the tool `note_write` appends to, so that a test sees on the disk whether it was called.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import uvicorn
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp_types import ToolAnnotations

READ_ONLY = ToolAnnotations(read_only_hint=True)
TOKEN = "Bearer let-me-in-0123456789"

server = MCPServer("notes", log_level="CRITICAL")


@server.tool(annotations=READ_ONLY)
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def note_write(text: str) -> str:
    """Keep a note."""
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(text + "\n")
    return "kept"


@server.tool(annotations=READ_ONLY)
def fail() -> str:
    """Fail."""
    raise ValueError("the cupboard is bare")


@server.tool(annotations=READ_ONLY)
def huge(letters: int) -> str:
    """Give many letters."""
    return "ä" * letters


@server.tool(annotations=READ_ONLY)
def image() -> Image:
    """Draw."""
    return Image(data=b"\x89PNG" + bytes(96), format="png")


@server.tool(annotations=READ_ONLY)
def crash() -> str:
    """End in the middle."""
    os._exit(3)


@server.tool(annotations=READ_ONLY)
async def grow(ctx: Context) -> str:
    """Learn another tool."""
    server.add_tool(lambda: "new", name="learned", description="A new one.")
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()
    return "grown"


class Guard:
    """Lets in who brings the token."""

    def __init__(self, app: object) -> None:
        self._app = app

    async def __call__(self, scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        """Answer with 401, or hand on."""
        if scope["type"] == "http" and (b"authorization", TOKEN.encode()) not in scope["headers"]:
            await send({"type": "http.response.start", "status": 401, "headers": []})  # type: ignore[operator]
            await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]
            return
        await self._app(scope, receive, send)  # type: ignore[operator]


def serve(app: object) -> None:
    """Serve on this machine."""
    listening = socket.create_server(("127.0.0.1", int(*sys.argv[2:])))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(Guard(app), log_level="critical", timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(config).serve([listening]))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["http", *_]:
            serve(server.streamable_http_app())
        case ["sse", *_]:
            serve(server.sse_app())
        case _:
            server.run("stdio")
