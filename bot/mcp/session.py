"""One connection to a server: opened, asked for its tools, called. All that is known of the library's client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any, TypeAlias

import httpx2
import mcp_types as wire
from mcp import Client, MCPError
from mcp.client.subscriptions import SubscriptionLost
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.mcp.child import Child
from bot.mcp.web import TooLarge, open_web
from bot.settings.mcp import McpServer

MAX_PAGES = 20
MAX_SAID = 300

Rows: TypeAlias = list[dict[str, Any]]

for _name in ("mcp", "client", "httpx2", "httpcore2"):
    # They print whole messages, and requests with their URLs (mcp 2.3, 2026-11); we say what happened ourselves.
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class Raw(BaseModel):
    """A result as it came; the library has checked it against the protocol by then."""

    model_config = ConfigDict(extra="allow")


class Session:
    """One connection to a server. `ended` is set when the program behind it has gone, `changed` when its tools have.

    `remark` is told what the server says aside. Methods raise what `why` explains.
    """

    def __init__(self, server: McpServer, remark: Callable[[str], None]) -> None:
        self.changed = asyncio.Event()
        self._remark = remark
        self._child = _child(server, remark)
        self.ended = self._child.ended if self._child is not None else asyncio.Event()
        streams = self._child.open() if self._child is not None else _web(server)
        info = wire.Implementation(name="firstword", version=version("firstword"))
        self._client = Client(streams, message_handler=self._hear, client_info=info, cache=None)

    def open(self) -> AbstractAsyncContextManager[object]:
        """Connect and shake hands; end the connection, and the program, when the context is left."""
        return self._client

    @property
    def code(self) -> int | None:
        """The exit code of a program that ended by itself; None otherwise."""
        return self._child.code if self._child is not None else None

    async def _hear(self, message: object) -> None:
        if isinstance(message, wire.ToolListChangedNotification):
            self.changed.set()
        elif isinstance(message, wire.LoggingMessageNotification):
            self._remark(str(message.params.data))

    async def tools(self) -> Rows:
        """All tools as the protocol writes them."""
        if self._client.server_capabilities.tools is None:
            return []
        rows: Rows = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            rows += [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in page.tools]
            cursor = page.next_cursor
            if not cursor:
                break
        return rows

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result as the protocol writes it."""
        # Not the library's call_tool: that checks results against the server's own schema, in the loop.
        params = wire.CallToolRequestParams(name=name, arguments=dict(arguments))
        result = await self._client.session.send_request(wire.CallToolRequest(params=params), Raw)
        return result.model_extra or {}

    async def watch(self) -> None:
        """Where the protocol's version wants it so, ask to be told when tools change. Ends when that ends."""
        if self._client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return
        try:
            async with self._client.listen(tools_list_changed=True) as events:
                async for _ in events:
                    self.changed.set()
        except (MCPError, SubscriptionLost):
            return  # it cannot, or no longer does; it is asked again now and then anyhow


def _child(server: McpServer, remark: Callable[[str], None]) -> Child | None:
    if server.command is None:
        return None
    env = {name: value.get_secret_value() for name, value in server.env.items()}
    return Child(server.command, server.args, env, server.cwd, remark)


def _web(server: McpServer) -> AbstractAsyncContextManager[Any]:
    headers = {name: value.get_secret_value() for name, value in server.headers.items()}
    return open_web(server.url or "", headers, server.transport)


def is_lost(error: Exception) -> bool:
    """Whether a call's failure means that the connection has gone."""
    if isinstance(error, MCPError):
        return error.code == wire.CONNECTION_CLOSED or error.message == "Session terminated"
    return not isinstance(error, ValidationError | TimeoutError)


def why(error: BaseException) -> str:
    """A failure as the end of the sentence "The server ...", with no secret and nothing long in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError) and error.code != wire.CONNECTION_CLOSED:
        return f"answered with an error: {error.message[:MAX_SAID]}"
    if isinstance(error, FileNotFoundError | NotADirectoryError | PermissionError) and error.filename:
        reason = "may not be used" if isinstance(error, PermissionError) else "does not exist"
        return f"cannot be started: {error.filename} {reason}"
    if isinstance(error, httpx2.HTTPStatusError):
        return f"answered with status {error.response.status_code}"
    words = next((words for kinds, words in _WORDS if isinstance(error, kinds)), "failed")
    return f"{words} ({type(error).__name__})" if words in _NAMED else words


_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((MCPError,), "ended the connection"),
    ((ValidationError,), "answered with something that is not of the protocol"),
    ((TimeoutError, httpx2.TimeoutException), "did not answer in time"),
    ((TooLarge,), "answered with more than is taken"),
    ((httpx2.HTTPError,), "cannot be reached"),
    ((OSError,), "cannot be started"),
)
_NAMED = ("failed", "cannot be reached", "cannot be started")
