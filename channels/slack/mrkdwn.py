"""Markdown in Slack's older markup, for the fields that take nothing else. Pure.

Slack docs, "Formatting message text" (2026-11): `*bold*`, `_italic_`, `~strike~`, backticks, `>` quotes, no headings,
no lists, no tables; `&`, `<`, `>` are entities unless they belong to a link.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from channels.slack.table import tables_as_code
from channels.slack.text import escape, unescape, wash

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# Slack reads `text` aloud where a message has blocks (docs, "Accessibility", 2026-11); chat.update was seen to refuse
# more than 4,000 characters of it (seratch/ChatGPT-in-Slack#102).
MAX_SUMMARY = 3_900
_MARKS = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|`{3,}[^\n]*$|~{3,}[^\n]*$)|\*\*|__|~~|`", re.MULTILINE)
# A label holds no bracket: from each of ten thousand "[" the search would run to the end of the line.
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\((?:[^()\n]|\([^()\n]*\))*\)")
_OPEN = {"strong_open": "*", "em_open": "_", "s_open": "~"}
_CLOSE = {"strong_close": "*", "em_close": "_", "s_close": "~"}
_NO_LINK = re.compile(r"[<>|\s]")


def summary(markdown: str) -> str:
    """The words of a message whose blocks show all of it: for notifications and for screen readers."""
    source = unescape(markdown[: 2 * MAX_SUMMARY]).replace("\u2060", "")
    lines = _MARKS.sub("", _LINK.sub(r"\1", source)).split("\n")
    plain = "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)
    made = escape(wash(plain))
    while len(made) > MAX_SUMMARY:
        plain = plain[: min(len(plain) - 1, len(plain) * MAX_SUMMARY // len(made))].rstrip()
        made = escape(wash(plain)) + "\u2026"
    return made or "\u2026"


def mrkdwn(markdown: str) -> str:
    """All of it. Tables stand in fixed width; nothing that was written is lost."""
    writer = _Writer()
    for token in _parser().parse(tables_as_code(wash(markdown))):
        writer.block(token)
    return "".join(writer.pieces).strip("\n")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough")


class _Writer:
    """Collects lines."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._quotes = 0
        self._lists: list[int | None] = []
        self._bullet = ""
        self._is_heading = False

    def block(self, token: Token) -> None:
        """Write one token of the block level."""
        kind = token.type
        if kind == "inline":
            text = _inline(token.children or [])
            self._line(self._bullet + (f"*{text.replace('*', '')}*" if self._is_heading else text))
        elif kind in ("heading_open", "heading_close"):
            self._gap()
            self._is_heading = kind == "heading_open"
        elif kind in ("fence", "code_block"):
            self._gap()
            self._line("```\n" + escape(token.content.rstrip("\n")) + "\n```")
        elif kind == "hr":
            self._gap()
            self._line("\u2014" * 3)
        elif kind == "blockquote_open":
            self._gap()
            self._quotes += 1
        elif kind == "blockquote_close":
            self._quotes -= 1
        elif kind == "paragraph_open":
            if not token.hidden and not self._bullet:
                self._gap()
        else:
            self._list(token)

    def _list(self, token: Token) -> None:
        kind = token.type
        if kind == "bullet_list_open":
            self._lists.append(None)
        elif kind == "ordered_list_open":
            self._lists.append(int(token.attrGet("start") or 1))
        elif kind in ("bullet_list_close", "ordered_list_close"):
            self._lists.pop()
        elif kind == "list_item_open":
            indent = "    " * (len(self._lists) - 1)
            number = self._lists[-1]
            self._bullet = f"{indent}\u2022 " if number is None else f"{indent}{number}. "
            if number is not None:
                self._lists[-1] = number + 1
        elif kind == "list_item_close":
            self._bullet = ""

    def _gap(self) -> None:
        if self.pieces and not "".join(self.pieces[-2:]).endswith("\n\n"):
            self.pieces.append("\n")

    def _line(self, text: str) -> None:
        quote = "> " * min(self._quotes, 1)
        if quote:
            text = "\n".join(quote + line for line in text.split("\n"))
        self.pieces.append(text + "\n")
        self._bullet = ""


def _inline(children: list[Token]) -> str:
    found: list[str] = []
    targets: list[tuple[str, int]] = []
    for token in children:
        kind = token.type
        if kind == "text":
            found.append(escape(token.content))
        elif kind in ("softbreak", "hardbreak"):
            found.append("\n")
        elif kind == "code_inline":
            found.append(f"`{escape(token.content)}`")
        elif kind == "image":
            found.append(f"{escape(token.content)} ({escape(str(token.attrGet('src') or ''))})")
        elif kind == "link_open":
            targets.append((str(token.attrGet("href") or ""), len(found)))
        elif kind == "link_close" and targets:
            target, start = targets.pop()
            label = "".join(found[start:])
            del found[start:]
            found.append(_link(label, target))
        else:
            found.append(_OPEN.get(kind) or _CLOSE.get(kind) or escape(token.content))
    return "".join(found)


def _link(label: str, target: str) -> str:
    is_link = target.startswith(("http://", "https://", "mailto:")) and not _NO_LINK.search(target)
    if not is_link:
        return f"{label} ({escape(target)})" if target else label
    label = label.replace("|", "\u00a6").replace("\n", " ")
    return f"<{target.replace('&', '&amp;')}|{label or escape(target)}>"
