"""Markdown -> (text, entities). Pure; nothing that a person wrote in Markdown is lost on the way.

Entities, not parse_mode: they need no escaping, so no text can break them. What the parser would drop is written
out: raw HTML, link targets that Telegram takes for no link, cells beyond a table's header, link definitions.
"""

from __future__ import annotations

import re
from typing import Any

from channels.telegram.markdown import LANGUAGE, Span, events, is_break, is_link, keep_definitions
from channels.telegram.table import columns, paragraphs, source_cells
from channels.telegram.text import uncalled, wash
from channels.telegram.writer import Entity, Scope, Writer

# Anything that Markdown would read as more than words; without it the text is taken as it stands.
_SPECIAL = re.compile(
    r"[*_`~\[<|\\&]|^[ \t]*(?:[#>+=-]|\d+[.)])|^(?: {4}| *\t)|\n[ \t]*\n[ \t]*\n| {2}\n", re.MULTILINE
)
_RULE = "\N{EM DASH}" * 3
_STYLES = {"Emphasis": "italic", "Strong": "bold", "Strikethrough": "strikethrough"}


def render(markdown: str, *, calls_nobody: bool = False) -> tuple[str, list[Entity]]:
    """The text that Telegram shows, and its entities with offsets in UTF-16 units.

    The text may be empty where the Markdown shows nothing. `calls_nobody`: who is named by "@" is not notified. Never
    raises.
    """
    markdown = wash(markdown)
    if not _SPECIAL.search(markdown):
        return _plain(markdown, calls_nobody=calls_nobody), []
    walker = _Walker(keep_definitions(markdown), calls_nobody=calls_nobody)
    walker.walk()
    text, entities = walker.writer.result()
    return (text, entities) if text.strip() else (_plain(markdown, calls_nobody=calls_nobody), [])


def _plain(markdown: str, *, calls_nobody: bool) -> str:
    text = markdown.replace("\t", " ").strip(" \n")
    return uncalled(text) if calls_nobody else text


class _Walker:
    """Walks the parser's events once."""

    def __init__(self, markdown: str, *, calls_nobody: bool) -> None:
        self.writer = Writer()
        self._calls_nobody = calls_nobody
        self._markdown = markdown
        self._source: bytes | None = None
        self._lists: list[int | None] = []
        self._marker = ""
        self._is_fresh = False  # an item has begun and nothing of it stands yet
        self._scopes: list[Scope] = []
        self._links: list[tuple[Scope, str, str]] = []
        self._code: list[str] | None = None
        self._info = ""
        self._cell: list[str] | None = None
        self._row: list[str] = []
        self._rows: list[list[str]] = []
        self._aligns: tuple[str, ...] = ()
        self._quotes: list[Scope] = []

    def walk(self) -> None:
        """Write everything."""
        for event, span in events(self._markdown):
            if isinstance(event, str):
                self._plain_event(event)
            elif "Text" in event:
                self._text(event["Text"])
            elif "Start" in event:
                self._start(event["Start"])
            elif "End" in event:
                self._end(event["End"], span)
            elif "Code" in event:
                self._inline_code(event["Code"])
            elif "InlineHtml" in event:
                self._html(event["InlineHtml"])
            elif "Html" in event:
                self._text(event["Html"])
            elif "TaskListMarker" in event:
                self._marker = f"{self._marker.rstrip('•◦ ')}{'☑' if event['TaskListMarker'] else '☐'} "

    # -- words

    def _write(self, text: str) -> None:
        if self._calls_nobody:
            text = uncalled(text)
        if self._cell is not None:
            self._cell.append(text.replace("\n", " ").replace("\t", " "))
            return
        self._flush_marker()
        self.writer.write(text.replace("\t", " "))

    def _flush_marker(self) -> None:
        if self._marker:
            self.writer.write(self._marker)
            self._marker = ""
        self._is_fresh = False

    def _text(self, text: str) -> None:
        if self._code is not None:
            self._code.append(text)
        else:
            self._write(text)

    def _plain_event(self, event: str) -> None:
        if event in ("SoftBreak", "HardBreak"):
            self._text("\n")
        elif event == "Rule":
            self._block()
            self._write(_RULE)

    def _inline_code(self, code: str) -> None:
        if self._cell is not None or self.writer.is_open("text_link"):
            self._write(code)  # one entity holds the place already, and it carries an address
            return
        self._flush_marker()
        self.writer.fixed(code.replace("\t", "    "), "code")

    def _html(self, html: str) -> None:
        if is_break(html):
            self._write("\n")
        else:
            self._text(html)

    # -- blocks

    def _block(self, lines: int = 2) -> None:
        """Put the next block apart from what stands before; the first block of an item follows its marker."""
        if self._is_fresh:
            self._flush_marker()
            return
        self.writer.line_break(min(lines, 2))

    def _start(self, tag: Any) -> None:
        if isinstance(tag, str):
            self._start_plain(tag)
            return
        [(name, data)] = tag.items()
        if name == "Heading":
            self._block()
            self._scopes.append(self.writer.open("bold"))
        elif name == "CodeBlock":
            self._block()
            self._code, self._info = [], data["Fenced"].strip() if isinstance(data, dict) else ""
        elif name == "BlockQuote":
            self._block()
            self._quotes.append(self.writer.open("blockquote"))
        elif name in ("Link", "Image"):
            if self._cell is None:
                self._flush_marker()
            else:
                self._cell.append("\0")
            self._links.append((self.writer.open("text_link"), data["dest_url"], data["title"]))
        elif name == "List":
            if self._lists:
                self._block(1)
            else:
                self._block()
            self._lists.append(data)
        elif name == "Table":
            self._aligns, self._rows = tuple(data), []

    def _start_plain(self, tag: str) -> None:
        if tag in _STYLES:
            if self._cell is None:
                self._flush_marker()
            self._scopes.append(self.writer.open(_STYLES[tag]))
        elif tag in ("Paragraph", "HtmlBlock"):
            self._block()
        elif tag == "Item":
            self._item()
        elif tag in ("TableHead", "TableRow"):
            self._row = []
        elif tag == "TableCell":
            self._cell = []

    def _item(self) -> None:
        self._flush_marker()
        self.writer.line_break(1)
        depth, number = len(self._lists) - 1, self._lists[-1]
        if number is None:
            bullet = "• " if depth == 0 else "◦ "
        else:
            bullet = f"{number}. "
            self._lists[-1] = number + 1
        self._marker, self._is_fresh = "  " * depth + bullet, True

    def _end(self, tag: Any, span: Span | None) -> None:
        name = tag if isinstance(tag, str) else next(iter(tag))
        if name in _STYLES or name == "Heading":
            self.writer.close(self._scopes.pop())
        elif name in ("Link", "Image"):
            self._end_link()
        elif name == "CodeBlock":
            self._end_code()
        elif name == "BlockQuote":
            self._end_quote()
        elif name == "Item":
            self._flush_marker()
        elif name == "List":
            self._lists.pop()
        elif name == "TableCell":
            self._row.append("".join(self._cell or ()).replace("\0", "").strip())
            self._cell = None
        elif name in ("TableHead", "TableRow"):
            self._end_row(span)
        elif name == "Table":
            self._end_table()

    def _end_quote(self) -> None:
        scope = self._quotes.pop()
        self._flush_marker()
        if scope.is_silent:
            self.writer.drop(scope)
        else:
            self.writer.close(scope)

    def _end_link(self) -> None:
        scope, url, title = self._links.pop()
        if self._cell is not None:
            self.writer.drop(scope)
            held = "".join(self._cell).rpartition("\0")
            text = held[2]
            self._cell = [held[0], text]
        else:
            may_link = is_link(url) and not scope.is_silent
            text = "".join(self.writer.pieces[scope.mark :])
            if may_link and text.strip() and text != url:
                self.writer.close(scope, url=url)
                url = ""
            else:
                self.writer.drop(scope)
        rest = [part for part in (url, title) if part and part not in (text, f"mailto:{text}")]
        if rest:
            self._write((" (" if text.strip() else "") + " ".join(rest) + (")" if text.strip() else ""))

    def _end_code(self) -> None:
        code, info = "".join(self._code or ()).rstrip("\n").expandtabs(4), self._info
        self._code, self._info = None, ""
        language = info if LANGUAGE.match(info) else ""
        if info and not (language and code.strip()):
            self._write(info)
            self.writer.line_break(1)
        if code.strip():
            self._flush_marker()
            self.writer.fixed(code, "pre", **({"language": language} if language else {}))
        self._is_fresh = False

    # -- tables

    def _end_row(self, span: Span | None) -> None:
        if span is not None and self._rows:
            if self._source is None:
                self._source = self._markdown.encode()
            source = self._source[span[0] : span[1]].decode("utf-8", "replace")
            self._row += source_cells(source)[len(self._row) :]
        self._rows.append(self._row)

    def _end_table(self) -> None:
        rows, self._rows = self._rows, []
        self._block()
        text = columns(rows, self._aligns)
        if text is None:
            self._write(paragraphs(rows))
        elif text.strip():
            self._flush_marker()
            self.writer.fixed(text, "pre")
