"""Markdown -> the HTML that Matrix clients show. Pure; nothing that was written is lost on the way.

Only what the specification recommends (spec v1.16, m.room.message msgtypes): tags out of `TAGS`, `href` on links with
the schemes of `_SCHEMES`, `class="language-..."` on code, `start` on numbered lists. Raw HTML stands as text, an image
becomes a link, a target that is no link stands beside its words, a definition of a link stands as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_block.table import escapedSplit

from channels.matrix.text import wash

if TYPE_CHECKING:
    from markdown_it.token import Token

TAGS = frozenset(
    "del h1 h2 h3 h4 h5 h6 blockquote p a ul ol sup sub li b i u strong em s code hr br div table thead tbody tr th td"
    " caption pre span img details summary".split()
)
_SCHEMES = ("https://", "http://", "ftp://", "mailto:", "magnet:")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,32}\Z")
# Anything that Markdown would read as more than words on one line.
_SPECIAL = re.compile(r"[*_`~\[\]<>|\\&#\n]|^\s*(?:[+=-]|\d+[.)])|^(?: {4}|\t)|\"")
_TASK = re.compile(r"\[([ xX])\] ")
# What may stand before a row of a table inside a quote or a list.
_PREFIX = re.compile(r"^[\s>]*(?:(?:[-+*]|\d+[.)])\s+)?")
# Deeper than this the parser drops what it finds.
_MAX_NESTING = 40


def _parser() -> MarkdownIt:
    found = MarkdownIt("commonmark", {"html": False, "maxNesting": _MAX_NESTING}).enable(
        ["table", "strikethrough"]
    )
    # CommonMark takes link definitions out of the text, also those that no link uses.
    return found.disable(["reference", "html_block", "html_inline"])


_PARSER = _parser()


def render(markdown: str) -> str:
    """The HTML, "" where the Markdown is nothing but words on one line (then the plain body says it all)."""
    markdown = wash(markdown).strip("\n")
    if not _SPECIAL.search(markdown):
        return ""
    tokens = _PARSER.parse(markdown)
    if any(token.level >= _MAX_NESTING - 2 for token in tokens):
        return f"<p>{escapeHtml(markdown).replace(chr(10), '<br>')}</p>"
    return _Writer(markdown.split("\n")).blocks(tokens)


class _Writer:
    """Writes the tokens of one text."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._columns = 0
        self._row = 0

    def blocks(self, tokens: Sequence[Token]) -> str:
        """All of them."""
        out: list[str] = []
        for place, token in enumerate(tokens):
            kind = token.type
            if kind == "inline":
                first = place >= 2 and tokens[place - 2].type == "list_item_open"
                out.append(self._inline(token.children or [], is_item=first))
            elif kind in ("fence", "code_block"):
                out.append(_code(token))
            elif kind == "hr":
                out.append("<hr>")
            elif kind.endswith("_open"):
                out.append(self._open(token))
            elif kind.endswith("_close"):
                out.append(self._close(token))
        return "".join(out)

    def _open(self, token: Token) -> str:
        if token.type == "paragraph_open" and token.hidden:
            return ""
        if token.type == "ordered_list_open":
            start = token.attrs.get("start")
            return f'<ol start="{int(start)}">' if start is not None else "<ol>"
        if token.type == "tr_open":
            self._columns, self._row = 0, token.map[0] if token.map else 0
        elif token.type in ("th_open", "td_open"):
            self._columns += 1
        return f"<{token.tag}>"

    def _close(self, token: Token) -> str:
        if token.type == "paragraph_close" and token.hidden:
            return ""
        extra = self._extra_cells() if token.type == "tr_close" else ""
        return f"{extra}</{token.tag}>"

    def _extra_cells(self) -> str:
        """Cells beyond the header's, which the rules of tables drop."""
        line = _PREFIX.sub("", self._lines[self._row], count=1)
        cells = escapedSplit(line.strip())
        if cells and not cells[0].strip():
            cells = cells[1:]
        if cells and not cells[-1].strip():
            cells = cells[:-1]
        return "".join(f"<td>{escapeHtml(cell.strip())}</td>" for cell in cells[self._columns :])

    def _inline(self, tokens: Sequence[Token], *, is_item: bool = False) -> str:
        out: list[str] = []
        links: list[tuple[str, str, int]] = []
        for place, token in enumerate(tokens):
            kind = token.type
            if kind in ("text", "text_special"):
                text = token.content
                if is_item and place == 0 and (task := _TASK.match(text)):
                    text = ("\N{BALLOT BOX} " if task[1] == " " else "\N{BALLOT BOX WITH CHECK} ") + text[4:]
                out.append(escapeHtml(text))
            elif kind == "code_inline":
                out.append(f"<code>{escapeHtml(token.content)}</code>")
            elif kind in {"softbreak", "hardbreak"}:
                out.append("<br>")
            elif kind == "link_open":
                links.append((str(token.attrs.get("href", "")), str(token.attrs.get("title", "")), len(out)))
            elif kind == "link_close":
                href, title, start = links.pop()
                label = "".join(out[start:])
                del out[start:]
                out.append(_link(href, title, label))
            elif kind == "image":
                label = escapeHtml(token.content)
                title = str(token.attrs.get("title", ""))
                out.append(_link(str(token.attrs.get("src", "")), title, label, is_nested=bool(links)))
            elif kind.startswith("s_"):
                out.append("<del>" if kind == "s_open" else "</del>")
            elif token.tag in TAGS:
                out.append(f"<{token.tag}>" if token.nesting > 0 else f"</{token.tag}>")
            else:
                out.append(escapeHtml(token.content))
        return "".join(out)


def _code(token: Token) -> str:
    info = token.info.strip() if token.type == "fence" else ""
    code = escapeHtml(token.content)
    if not info:
        return f"<pre><code>{code}</code></pre>"
    if _LANGUAGE.match(info):
        return f'<pre><code class="language-{info}">{code}</code></pre>'
    return f"<p>{escapeHtml(info)}</p><pre><code>{code}</code></pre>"


def _link(href: str, title: str, label: str, *, is_nested: bool = False) -> str:
    """A link with its words; what a client would not show of it stands beside them."""
    rest = f" ({escapeHtml(title)})" if title else ""
    if is_nested or not href.lower().startswith(_SCHEMES):
        target = escapeHtml(href)
        if not label or target in (label, ""):
            return f"{label or target}{rest}"
        return f"{label} ({target}){rest}"
    return f'<a href="{escapeHtml(href)}">{label or escapeHtml(href)}</a>{rest}'
