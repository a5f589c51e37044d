"""Markdown as a row of events, for both ways of writing it: entities and rich messages. Pure.

The parser is pyromark (CommonMark with tables, strikethrough and task lists).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyromark

_OPTIONS = (
    pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH | pyromark.Options.ENABLE_TASKLISTS
)
# TDLib drops a link entity silently when it takes the target for no URL.
# tg://user?id=... is no link: the server makes a mention of it, which notifies (Bot API docs, MessageEntity, 2026-11).
_LINK = re.compile(r"(?:https?://[^\s/?#@]+\.[^\s/?#@.]|tg://(?!user\b))\S*\Z", re.IGNORECASE)
_MAX_LINK = 2000
_BREAK_TAG = re.compile(r"<br\s*/?>\s*\Z", re.IGNORECASE)
LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,32}\Z")
_DEFINITION_PASSES = 20

Span = tuple[int, int]


def events(markdown: str) -> Iterator[tuple[Any, Span | None]]:
    """The parser's events. Where there may be tables, each with its place in the UTF-8 source."""
    if "|" in markdown:  # only tables need to look back at their source
        for event, span in pyromark.events_with_range(markdown, options=_OPTIONS):
            yield event, (span["start"], span["end"])
    else:
        for event in pyromark.events(markdown, options=_OPTIONS):
            yield event, None


def keep_definitions(markdown: str) -> str:
    """Escape link definitions: CommonMark takes them out of the text, also those that no link uses."""
    if "]:" not in markdown:
        return markdown
    source = markdown.encode()
    for _ in range(_DEFINITION_PASSES):
        found = pyromark.reference_definitions(source.decode(), options=_OPTIONS)
        if not found:
            return source.decode()
        for start in sorted((one["span"]["start"] for one in found.values()), reverse=True):
            source = source[:start] + b"\\" + source[start:]
    return source.decode().replace("]:", "]\\:")


def is_link(url: str) -> bool:
    """Whether Telegram makes a link of it."""
    return bool(_LINK.match(url)) and len(url) <= _MAX_LINK


def is_break(html: str) -> bool:
    """A tag that ends a line."""
    return bool(_BREAK_TAG.match(html))
