"""Markdown -> a rich message: real headings, tables and nested lists, up to 32,768 characters in one message. Pure.

Written as Rich HTML and not handed over as Markdown, for three reasons (Bot API docs, "Rich message formatting
options", 10.1, and reports of bots, 2026-11): the server's Markdown drops tags that it does not know ("<name>"),
joins single lines, and fetches what stands in `![](...)`, so that a model could send a request with data in it. In
HTML everything that a person wrote is escaped, and nothing is fetched: images become links.

Assumed, as the documentation shows no example: lists, code and quotes may stand inside list items and quotes. A
message that is refused for its form goes out with entities.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from channels.telegram.markdown import LANGUAGE, Span, events, is_break, is_link, keep_definitions
from channels.telegram.table import source_cells
from channels.telegram.text import is_visible, uncalled, wash

# Bot API docs, "Rich message limits" (10.1, June 2026).
MAX_RICH = 32_768
MAX_BLOCKS = 500
MAX_DEPTH = 16
MAX_TABLE_COLUMNS = 20

_HEADING = re.compile(r"^[ >]{0,6}(?:#{1,6}[ \t]+\S|(?:=+|-+)[ \t]*$)", re.MULTILINE)
# Written so that nothing matches in two ways: a row of empty cells would take exponential time.
_TABLE = re.compile(r"^[ \t>]*(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*(?:[:-]+[ \t]*)?)*$", re.MULTILINE)
_STRONG = frozenset({"L", "R", "AL"})
_STYLES = {"Emphasis": "i", "Strong": "b", "Strikethrough": "s"}
_ALIGNS = {"Left": "left", "Center": "center", "Right": "right"}


@dataclass(frozen=True, slots=True)
class Rich:
    """`html` for the wire, `text` as a person reads it. `is_structured`: it holds a heading or a table."""

    html: str
    text: str
    is_structured: bool

    @property
    def wire(self) -> dict[str, Any]:
        """The InputRichMessage. Which way it runs is not found out by the server; the first letter says it."""
        first = next((way for char in self.text if (way := unicodedata.bidirectional(char)) in _STRONG), "L")
        return {"html": self.html} if first == "L" else {"html": self.html, "is_rtl": True}


def may_be_structured(markdown: str) -> bool:
    """A quick look: without this there is certainly no heading and no table."""
    return bool(_HEADING.search(markdown)) or ("|" in markdown and bool(_TABLE.search(markdown)))


def render_rich(markdown: str, *, calls_nobody: bool = False) -> Rich | None:
    """The message; None when it shows nothing or is beyond a limit of rich messages. Never raises.

    `calls_nobody`: who is named by "@" is not notified.
    """
    source = keep_definitions(wash(markdown))
    walker = _Walker(source, calls_nobody=calls_nobody)
    walker.walk()
    text = "".join(walker.plain).strip()
    if not is_visible(text) or len(text) > MAX_RICH:
        return None
    if walker.blocks > MAX_BLOCKS or walker.deepest > MAX_DEPTH or walker.columns > MAX_TABLE_COLUMNS:
        return None
    return Rich("".join(walker.out), text, walker.is_structured)


def _escape(text: str) -> str:
    return html.escape(text, quote=False)


@dataclass(slots=True)
class _Link:
    """A link or image that is open; `out` and `plain` are how long the pieces were before it."""

    url: str
    title: str
    out: int
    plain: int
    is_inner: bool


class _Walker:
    """Walks the parser's events once. Block elements that are open stand in `_open`."""

    def __init__(self, source: str, *, calls_nobody: bool) -> None:
        self._calls_nobody = calls_nobody
        self.out: list[str] = []
        self.plain: list[str] = []
        self.blocks = self.deepest = self.columns = 0
        self.is_structured = False
        self._source = source
        self._bytes: bytes | None = None
        self._open: list[str] = []
        self._numbers: list[int | None] = []
        self._links: list[_Link] = []
        self._has_line = (
            False  # words stand in the open item or quote that another paragraph has to be put apart from
        )
        self._code: list[str] | None = None
        self._info = ""
        self._aligns: tuple[str, ...] = ()
        self._cells = 0
        self._cell_tag = "th"
        self._marker = ""

    def walk(self) -> None:
        """Write everything."""
        for event, span in events(self._source):
            if isinstance(event, str):
                self._break() if event != "Rule" else self._rule()
            elif "Text" in event:
                self._text(event["Text"])
            elif "Start" in event:
                self._start(event["Start"])
            elif "End" in event:
                self._end(event["End"], span)
            elif "Code" in event:
                self._inline_code(event["Code"])
            elif "InlineHtml" in event:
                self._break() if is_break(event["InlineHtml"]) else self._text(event["InlineHtml"])
            elif "Html" in event:
                self._lines(event["Html"])
            elif "TaskListMarker" in event:
                self._task(is_done=bool(event["TaskListMarker"]))

    # -- words

    def _text(self, text: str) -> None:
        if self._code is not None:
            self._code.append(text)
            return
        text = text.replace("\t", " ").replace("\n", " ")
        if self._calls_nobody:
            text = uncalled(text)
        self.out.append(_escape(text))
        self.plain.append(text)

    def _lines(self, text: str) -> None:
        """Raw HTML keeps its lines."""
        for number, line in enumerate(text.rstrip("\n").split("\n")):
            if number or (self.out and not self.out[-1].endswith(">")):
                self._break()
            self._text(line)

    def _break(self) -> None:
        if self._code is not None:
            self._code.append("\n")
        elif self._is_in("tr"):
            self._text(" ")  # docs: table cells can contain only inline formatting
        else:
            self.out.append("<br>")
            self.plain.append("\n")

    def _inline_code(self, code: str) -> None:
        self.out.append(f"<code>{_escape(code)}</code>")
        self.plain.append(code)

    def _task(self, *, is_done: bool) -> None:
        self.out.append(f'<input type="checkbox"{" checked" if is_done else ""}>')
        self.plain.append("☑ " if is_done else "☐ ")

    # -- blocks

    def _is_in(self, tag: str) -> bool:
        return tag in self._open

    def _push(self, tag: str, opening: str = "", *, is_block: bool = True) -> None:
        self._open.append(tag)
        self.blocks += is_block
        self.deepest = max(self.deepest, len(self._open))
        self.out.append(opening or f"<{tag}>")

    def _pop(self) -> None:
        self.out.append(f"</{self._open.pop()}>")

    def _new_line(self, lines: int = 2) -> None:
        """In the plain text alone."""
        if self.plain and not self.plain[-1].endswith("\n" * lines):
            self.plain.append("\n" * lines)

    def _rule(self) -> None:
        self.blocks += 1
        self.out.append("<hr/>")
        self._new_line()
        self._has_line = False

    def _start(self, tag: Any) -> None:
        name: str
        data: Any = None
        if isinstance(tag, str):
            name = tag
        else:
            name, data = next(iter(tag.items()))
        if name in _STYLES:
            self._push(_STYLES[name], is_block=False)
        elif name in ("Link", "Image"):
            url, title = data["dest_url"], data["title"]
            self._links.append(_Link(url, title, len(self.out), len(self.plain), bool(self._links)))
        elif name in ("Paragraph", "HtmlBlock"):
            self._paragraph()
        elif name == "Item":
            self._item()
        elif name in ("TableHead", "TableRow"):
            self._push("tr")
            self._new_line(1)
            self._cells, self._cell_tag = 0, "th" if name == "TableHead" else "td"
        elif name == "TableCell":
            self._push(self._cell_tag, self._cell_opening(), is_block=False)
        else:
            self._start_block(name, data)

    def _start_block(self, name: str, data: Any) -> None:
        self._new_line(1 if name == "List" and self._numbers else 2)
        self._has_line = False
        if name == "Heading":
            self._push(f"h{data['level'][1]}")
            self.is_structured = True
        elif name == "CodeBlock":
            self._code, self._info = [], data["Fenced"].strip() if isinstance(data, dict) else ""
        elif name == "BlockQuote":
            self._push("blockquote")
        elif name == "List":
            self._numbers.append(data)
            start = f'<ol start="{data}">' if data not in (None, 1) else ""
            self._push("ul" if data is None else "ol", start)
        elif name == "Table":
            self._push("table", "<table bordered>")
            self._aligns, self.is_structured = tuple(data), True

    def _paragraph(self) -> None:
        """On its own; or in an item or quote, where the documentation shows bare words with line breaks."""
        if not (self.plain and self.plain[-1] == self._marker):
            self._new_line()
        if not (self._is_in("li") or self._is_in("blockquote")):
            self._push("p")
        elif self._has_line:
            self.out.append("<br><br>")
        self._has_line = True

    def _item(self) -> None:
        self._new_line(1)
        self.blocks += 1  # the paragraph that it holds
        self._push("li")
        number = self._numbers[-1]
        self._marker = "• " if number is None else f"{number}. "
        self.plain.append(self._marker)
        if number is not None:
            self._numbers[-1] = number + 1
        self._has_line = False

    def _end(self, tag: Any, span: Span | None) -> None:
        name = tag if isinstance(tag, str) else next(iter(tag))
        if name in ("Link", "Image"):
            self._end_link()
        elif name == "CodeBlock":
            self._end_code()
        elif name in ("Paragraph", "HtmlBlock"):
            if self._open and self._open[-1] == "p":
                self._pop()
        elif name in ("TableHead", "TableRow"):
            self._end_row(span, is_head=name == "TableHead")
        elif name == "TableCell":
            self._pop()
            self._cells += 1
            self.plain.append(" ")
        elif name in _STYLES or name in ("Heading", "BlockQuote", "Item", "List", "Table"):
            if name == "List":
                self._numbers.pop()
            self._has_line = False
            self._pop()

    def _end_link(self) -> None:
        link = self._links.pop()
        shown = "".join(self.plain[link.plain :])
        url = link.url
        if is_link(url) and not link.is_inner:
            if not shown.strip():
                self._text(url)
            self.out.insert(link.out, f'<a href="{html.escape(url)}">')
            self.out.append("</a>")
            url = ""
        rest = [part for part in (url, link.title) if part and part not in (shown, f"mailto:{shown}")]
        if rest:
            words = " ".join(rest)
            self._text(f" ({words})" if shown.strip() else words)

    def _end_code(self) -> None:
        code, info = "".join(self._code or ()).rstrip("\n").expandtabs(4), self._info
        self._code, self._info = None, ""
        language = info if LANGUAGE.match(info) else ""
        if info and not (language and code.strip()):
            self._paragraph()
            self._text(info)
            if self._open and self._open[-1] == "p":
                self._pop()
            self._new_line(1)
        if code.strip():
            self.blocks += 1
            inner = f'<code class="language-{language}">{_escape(code)}</code>' if language else _escape(code)
            self.out.append(f"<pre>{inner}</pre>")
            self.plain.append(code)
        self._has_line = False

    # -- tables

    def _cell_opening(self) -> str:
        align = _ALIGNS.get(self._aligns[self._cells]) if self._cells < len(self._aligns) else None
        tag = self._cell_tag
        return f'<{tag} align="{align}">' if align else f"<{tag}>"

    def _end_row(self, span: Span | None, *, is_head: bool) -> None:
        if span is not None and not is_head:
            if self._bytes is None:
                self._bytes = self._source.encode()
            row = source_cells(self._bytes[span[0] : span[1]].decode("utf-8", "replace"))
            for written in row[self._cells :]:
                cell = uncalled(written) if self._calls_nobody else written
                self.out.append(f"<td>{_escape(cell)}</td>")
                self.plain.append(f"{cell} ")
                self._cells += 1
        self.columns = max(self.columns, self._cells)
        self._pop()
