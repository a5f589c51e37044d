"""Rich HTML as the server reads it: the documented tags, the documented limits, and the blocks that it sends back. Pure.

Sources: Bot API docs, "Rich message formatting options", "Rich HTML style", "Rich message limits", RichBlock and
RichText (10.1 of June 2026, read 2026-11). The words of most refusals are not documented and are assumed;
RICH_MESSAGE_CONTENT_REQUIRED and "can't parse" are what bots report (opencrabs #651, 2026-07).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from .text import BadText

MAX_TEXT = 32_768
MAX_BLOCKS = 500
MAX_DEPTH = 16
MAX_COLUMNS = 20

_STYLES = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "code": "code", "mark": "marked",
    "sub": "subscript", "sup": "superscript", "tg-spoiler": "spoiler",
}  # fmt: skip
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = _HEADINGS | {"p", "pre", "footer", "ul", "ol", "li", "blockquote", "table", "tr", "td", "th"}
_EMPTY = frozenset({"br", "hr", "input"})
# Docs: "The API currently supports only the following named HTML entities".
_ENTITIES = frozenset("lt gt amp quot apos nbsp hellip mdash ndash lsquo rsquo ldquo rdquo".split())
_NAMED = re.compile(r"&([A-Za-z]+);")
_URL = re.compile(r"(?:https?://|mailto:|tel:|tg://|#)\S+\Z", re.IGNORECASE)


@dataclass(slots=True)
class _Node:
    tag: str
    attributes: dict[str, str | None]
    children: list[_Node | str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Builds the tree; every tag is known and closed by its own kind."""

    def __init__(self, *, is_draft: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.root = _Node("", {})
        self._stack = [self.root]
        self._known = frozenset(_STYLES) | _BLOCKS | _EMPTY | {"a"} | ({"tg-thinking"} if is_draft else set())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self._known:
            raise BadText(f'can\'t parse rich message: unsupported start tag "{tag}"')
        node = _Node(tag, dict(attrs))
        self._stack[-1].children.append(node)
        if tag in _EMPTY:
            return
        self._stack.append(node)
        if len(self._stack) - 1 > MAX_DEPTH:
            raise BadText("can't parse rich message: too many nested elements")

    def handle_endtag(self, tag: str) -> None:
        if tag in _EMPTY:
            return
        if len(self._stack) < 2 or self._stack[-1].tag != tag:
            raise BadText(f'can\'t parse rich message: unexpected end tag "{tag}"')
        self._stack.pop()

    def handle_data(self, data: str) -> None:
        self._stack[-1].children.append(data)

    def finish(self) -> _Node:
        self.close()
        if len(self._stack) > 1:
            raise BadText(f'can\'t parse rich message: tag "{self._stack[-1].tag}" is not closed')
        return self.root


class _Maker:
    """Makes the blocks and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self.pieces: list[str] = []

    def blocks(self, children: list[_Node | str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        run: list[_Node | str] = []
        for child in children:
            if isinstance(child, str) or child.tag not in _BLOCKS | {"hr"}:
                run.append(child)
                continue
            found += self._paragraph(run)
            run = []
            found.append(self._of(child))
        return found + self._paragraph(run)

    def _paragraph(self, run: list[_Node | str]) -> list[dict[str, Any]]:
        """Words that stand between blocks."""
        if all(isinstance(one, str) and not one.strip() for one in run):
            return []
        return [self._block("paragraph", text=self.text(run))]

    def _block(self, kind: str, **more: Any) -> dict[str, Any]:
        self.count += 1
        self.pieces.append("\n")
        return {"type": kind, **more}

    def _of(self, node: _Node) -> dict[str, Any]:
        tag, children = node.tag, node.children
        if tag in _HEADINGS:
            return self._block("heading", text=self.text(children), size=int(tag[1]))
        if tag in ("p", "footer"):
            return self._block("paragraph" if tag == "p" else "footer", text=self.text(children))
        if tag == "hr":
            return self._block("divider")
        if tag == "pre":
            return self._pre(children)
        if tag == "blockquote":
            return self._block("blockquote", blocks=self.blocks(children))
        if tag in ("ul", "ol"):
            return self._list(node)
        if tag == "table":
            return self._table(children)
        raise BadText(f'can\'t parse rich message: "{tag}" stands in the wrong place')

    def _pre(self, children: list[_Node | str]) -> dict[str, Any]:
        more = {}
        if len(children) == 1 and isinstance(children[0], _Node) and children[0].tag == "code":
            named = children[0].attributes.get("class") or ""
            more = {"language": named.removeprefix("language-")} if named else {}
            children = children[0].children
        return self._block("pre", text=self.text(children, keeps_lines=True), **more)

    def _list(self, node: _Node) -> dict[str, Any]:
        items: list[dict[str, Any]] = []
        next_number = int(node.attributes.get("start") or 1)
        for child in node.children:
            if isinstance(child, str) or child.tag != "li":
                raise BadText("can't parse rich message: a list holds items only")
            self.count += 1
            label = "•" if node.tag == "ul" else f"{next_number}."
            item: dict[str, Any] = {"label": label}
            self.pieces.append(f"\n{label} ")
            next_number += 1
            inner = list(child.children)
            if inner and isinstance(inner[0], _Node) and inner[0].tag == "input":
                item["has_checkbox"] = True
                if "checked" in inner[0].attributes:
                    item["is_checked"] = True
                del inner[0]
            items.append(item | {"blocks": self.blocks(inner)})
        return self._block("list", items=items)

    def _table(self, children: list[_Node | str]) -> dict[str, Any]:
        rows = []
        for row in children:
            if isinstance(row, str) or row.tag != "tr":
                raise BadText("can't parse rich message: a table holds rows only")
            self.count += 1
            if len(row.children) > MAX_COLUMNS:
                raise BadText("can't parse rich message: too many table columns")
            rows.append([self._cell(cell) for cell in row.children])
        return self._block("table", cells=rows, is_bordered=True)

    def _cell(self, cell: _Node | str) -> dict[str, Any]:
        if isinstance(cell, str) or cell.tag not in ("td", "th"):
            raise BadText("can't parse rich message: a row holds cells only")
        align = cell.attributes.get("align") or "left"
        if align not in ("left", "center", "right"):
            raise BadText("can't parse rich message: wrong alignment")
        found: dict[str, Any] = {"text": self.text(cell.children), "align": align, "valign": "top"}
        self.pieces.append(" ")
        return found | ({"is_header": True} if cell.tag == "th" else {})

    def text(self, children: list[_Node | str], *, keeps_lines: bool = False) -> Any:
        """A RichText: a string, or a row of strings and objects. White space is that of HTML."""
        parts: list[Any] = []
        for child in children:
            if isinstance(child, str):
                words = child if keeps_lines else re.sub(r"[ \n\t\r]+", " ", child)
                self.pieces.append(words)
                parts.append(words)
            elif child.tag == "br":
                self.pieces.append("\n")
                parts.append("\n")
            elif child.tag == "a":
                url = child.attributes.get("href") or ""
                if not _URL.match(url):
                    raise BadText("can't parse rich message: wrong link")
                parts.append({"type": "url", "url": url, "text": self.text(child.children)})
            elif child.tag in _STYLES:
                inner = self.text(child.children, keeps_lines=keeps_lines)
                parts.append({"type": _STYLES[child.tag], "text": inner})
            elif child.tag == "tg-thinking":
                parts.append(self.text(child.children))
            else:
                raise BadText(f'can\'t parse rich message: "{child.tag}" cannot stand inside a line')
        return parts[0] if len(parts) == 1 and isinstance(parts[0], str) else parts


def read_rich(given: Any, *, is_draft: bool = False) -> tuple[dict[str, Any], str]:
    """(RichMessage, its words) for an InputRichMessage. Raises BadText."""
    if not isinstance(given, dict):
        raise BadText("can't parse InputRichMessage: object expected")
    if sum(name in given for name in ("html", "markdown", "blocks")) != 1 or "html" not in given:
        # Docs: exactly one of them. This server reads `html` alone, which is what our adapter writes.
        raise BadText("RICH_MESSAGE_CONTENT_REQUIRED")
    source = given["html"]
    if not isinstance(source, str) or not source.strip():
        raise BadText("RICH_MESSAGE_CONTENT_REQUIRED")
    unknown = [name for name in _NAMED.findall(source) if name not in _ENTITIES]
    if unknown:
        raise BadText(f'can\'t parse rich message: unsupported entity "{unknown[0]}"')
    reader = _Reader(is_draft=is_draft)
    reader.feed(source)
    maker = _Maker()
    blocks = maker.blocks(reader.finish().children)
    text = "".join(maker.pieces).strip()
    if not text:
        raise BadText("RICH_MESSAGE_CONTENT_REQUIRED")
    if len(text) > MAX_TEXT + maker.count:  # the ends of blocks are ours
        raise BadText("RICH_MESSAGE_TOO_LONG")
    if maker.count > MAX_BLOCKS:
        raise BadText("RICH_MESSAGE_TOO_MANY_BLOCKS")
    return {"blocks": blocks}, text
