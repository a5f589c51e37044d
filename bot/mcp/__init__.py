"""Servers of the Model Context Protocol as tools: one connection each, kept up in the background.

The protocol's own library loads when the first server is connected, never before.
"""

from bot.mcp.box import McpBox, open_box, try_server

__all__ = ["McpBox", "open_box", "try_server"]
