"""The words of a web page, without its markup, scripts and styles. Pure; reads no more than it needs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from bot.media.excerpt import Excerpt, decode, tidy

_SILENT = frozenset("script style template noscript svg math head iframe object select".split())
_BLOCKS = frozenset(
    "address article aside blockquote br dd div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tr ul".split()
)
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{2,30})", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_PIECE = 65536
_MARKUP_FACTOR = 20
"""Characters of markup that are read for one of text before a page is given up."""


def words_of(data: bytes, limit: int, charset: str) -> Excerpt:
    """The first `limit` characters of what a reader sees, its title first."""
    declared = _CHARSET.search(data[:4096])
    named = declared[1].decode("ascii").lower() if declared else ""
    if named.startswith("utf-16"):
        named = (
            ""  # a page that can be read so far is in something else (HTML standard, "prescan a byte stream")
        )
    source = decode(data, charset or named, limit=limit * _MARKUP_FACTOR)
    markup = source.text[: source.text.rfind(">") + 1] if source.is_cut else source.text
    page = _Page()
    at = 0
    while at < len(markup) and page.length <= limit * 2:
        page.feed(markup[at : at + _PIECE])
        at += _PIECE
    page.close()
    text = page.text()
    return Excerpt(text[:limit], is_cut=len(text) > limit or at < len(markup) or source.is_cut)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.length = 0
        self._parts: list[str] = []
        self._title: list[str] = []
        self._silent: list[str] = []
        self._is_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            if len(self._silent) < 100:
                self._silent.append(tag)
        elif tag == "title":
            self._is_title = True
        elif tag == "body":
            self._silent.clear()  # a head that nobody closed
        elif tag in _BLOCKS:
            self._add("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self._add(" | ")
        elif tag == "img" and (alt := dict(attrs).get("alt")):
            self._add(f"[{_SPACES.sub(' ', alt)[:200]}]")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._is_title = False
        elif tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in _BLOCKS:
            self._add("\n")

    def handle_data(self, data: str) -> None:
        if self._is_title:
            self._title.append(data[:300])
        elif not self._silent:
            self._add(_SPACES.sub(" ", data))

    def _add(self, text: str) -> None:
        if self._silent:
            return
        self._parts.append(text)
        self.length += len(text)

    def text(self) -> str:
        """Title and text, with no more white space than shows."""
        lines = (" ".join(line.split()) for line in "".join(self._parts).split("\n"))
        body = tidy("\n".join(lines))
        title = " ".join("".join(self._title).split())[:300]
        return f"{title}\n\n{body}" if title else body
