"""What is read of a message's HTML: its text as a client lays it out, and what a client would not show. Pure."""

from __future__ import annotations

from html.parser import HTMLParser

# Client-Server API v1.16, m.room.message, "permitted HTML tags" (2026-11); a client may drop every other.
ALLOWED = {
    "a": {"target", "href"},
    "img": {"width", "height", "alt", "title", "src"},
    "ol": {"start"},
    "code": {"class"},
    "div": {"data-mx-maths"},
    "span": {"data-mx-bg-color", "data-mx-color", "data-mx-spoiler", "data-mx-maths"},
} | {
    name: set[str]()
    for name in (
        "del h1 h2 h3 h4 h5 h6 blockquote p ul sup sub li b i u strong em s hr br table thead tbody tr th td "
        "caption pre details summary"
    ).split()
}
SCHEMES = ("https:", "http:", "ftp:", "mailto:", "magnet:")
_VOID = {"br", "hr", "img"}
_BLOCKS = set("blockquote div h1 h2 h3 h4 h5 h6 p pre ul ol table tr caption details summary hr".split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self._numbers: list[int | None] = []
        self._reply = 0
        self._is_after_bullet = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "mx-reply":
            self._reply += 1
            return
        self._check(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)
        if tag in {"ul", "ol"}:
            start = dict(attrs).get("start") or "1"
            self._numbers.append(int(start) if tag == "ol" else None)
        if (tag in _BLOCKS and not (tag == "p" and self._is_after_bullet)) or tag == "li":
            self._line()
        if tag == "br":
            self.out.append("\n")
        elif tag == "hr":
            self.out.append("---\n")
        elif tag == "img":
            self._add(dict(attrs).get("alt") or "")
        elif tag == "li":
            self._bullet()
        elif tag in {"td", "th"} and self.out and not self.out[-1].endswith("\n"):
            self.out.append(" | ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "mx-reply":
            self._reply -= 1
            return
        if tag in _VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")
        if tag in {"ul", "ol"} and self._numbers:
            self._numbers.pop()
        if tag in _BLOCKS or tag == "li":
            self._line()

    def handle_data(self, data: str) -> None:
        self._add(data)

    def close(self) -> None:
        super().close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]

    def _add(self, data: str) -> None:
        if self._reply:
            return
        if "pre" not in self._open:
            lead, tail = data[:1].isspace(), data[-1:].isspace()
            data = " ".join(data.split())
            begins = not self.out or self.out[-1].endswith(("\n", " "))
            data = ("" if begins or not lead else " ") + data + (" " if tail and data else "")
        if data:
            self.out.append(data)
            self._is_after_bullet = False

    def _line(self) -> None:
        if self.out and not self.out[-1].endswith("\n"):
            self.out.append("\n")

    def _bullet(self) -> None:
        indent = "  " * (len(self._numbers) - 1)
        number = self._numbers[-1] if self._numbers else None
        self.out.append(f"{indent}- " if number is None else f"{indent}{number}. ")
        if number is not None:
            self._numbers[-1] = number + 1
        self._is_after_bullet = True

    def _check(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED:
            self.faults.append(f"<{tag}> is not shown")
            return
        for name, value in attrs:
            if name not in ALLOWED[tag]:
                self.faults.append(f"{name} of <{tag}> is not shown")
            elif name == "href" and not (value or "").lower().startswith(SCHEMES):
                self.faults.append(f"a link to {value} is not shown")
            elif name == "src" and not (value or "").startswith("mxc://"):
                self.faults.append(f"an image from {value} is not shown")
            elif tag == "code" and not (value or "").startswith("language-"):
                self.faults.append(f"the class {value} is not shown")


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def plain(html: str) -> str:
    """The text that a person reads: lines, bullets, table cells; the quoted part of a reply is left out."""
    lines = [line.rstrip() for line in "".join(_read(html).out).split("\n")]
    return "\n".join(lines).strip("\n")


def faults(html: str) -> list[str]:
    """What a client that follows the specification would not show of it, and tags that do not match."""
    return _read(html).faults
