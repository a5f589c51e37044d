"""The methods by name, the scopes that each needs, and which kind of token may call it.

Scopes: Slack docs, the methods' pages, "Scopes" (2026-11). Several in one entry: any of them will do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import chat, reads, streams
from .wire import Args

if TYPE_CHECKING:
    from .app import App

Method = Callable[["App", Args], dict[str, Any]]

METHODS: dict[str, Method] = {
    "apps.connections.open": reads.open_connection,
    "assistant.threads.setStatus": reads.set_status,
    "assistant.threads.setSuggestedPrompts": reads.set_prompts,
    "assistant.threads.setTitle": reads.set_title,
    "auth.test": reads.auth_test,
    "bots.info": reads.bot_info,
    "chat.appendStream": streams.append,
    "chat.delete": chat.delete,
    "chat.postEphemeral": chat.post_ephemeral,
    "chat.postMessage": chat.post_message,
    "chat.startStream": streams.start,
    "chat.stopStream": streams.stop,
    "chat.update": chat.update,
    "conversations.history": reads.history,
    "conversations.info": reads.info,
    "conversations.list": reads.list_conversations,
    "conversations.open": reads.open_conversation,
    "conversations.replies": reads.replies,
    "files.info": reads.file_info,
    "reactions.add": reads.react,
    "reactions.get": reads.reactions,
    "reactions.remove": reads.unreact,
    "users.info": reads.user_info,
    "views.publish": reads.publish_view,
}

_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
SCOPES: dict[str, tuple[str, ...]] = {
    "assistant.threads.setStatus": ("chat:write", "assistant:write"),
    "assistant.threads.setSuggestedPrompts": ("assistant:write", "chat:write"),
    "assistant.threads.setTitle": ("assistant:write", "chat:write"),
    "bots.info": ("users:read",),
    "chat.appendStream": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write",),
    "chat.stopStream": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": _HISTORY,
    "conversations.info": _READ,
    "conversations.list": _READ,
    "conversations.open": ("im:write", "mpim:write"),
    "conversations.replies": _HISTORY,
    "files.info": ("files:read",),
    "reactions.add": ("reactions:write",),
    "reactions.get": ("reactions:read",),
    "reactions.remove": ("reactions:write",),
    "users.info": ("users:read",),
}
APP_TOKEN_METHODS = frozenset({"apps.connections.open"})
# Where the kind of conversation decides which of the scopes is needed.
BY_KIND = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}
