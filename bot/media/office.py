"""The words of Office files, which are zips of XML: Word, PowerPoint, OpenDocument text. Reads no more than it needs.

Sources: ECMA-376 (w:p, w:t, w:tab, w:br; a:p, a:t) and OpenDocument 1.3 (text:p, text:h, text:tab), as of 2026-11.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from xml.parsers import expat

from bot.media.excerpt import Excerpt, tidy
from bot.media.problems import Problem, Unreadable
from channels.markup import clean

MAX_UNPACKED = 32_000_000
"""Bytes of XML that are unpacked of one file, however small it came."""

_PIECE = 1 << 20  # expat reads an unfinished tag anew with every piece
_SLIDE = re.compile(r"ppt/slides/slide(\d{1,5})\.xml\Z")
_TEXTS = frozenset({"w:t", "a:t", "text:p", "text:h"})
_ENDS = {
    "w:p": "\n",
    "a:p": "\n",
    "text:p": "\n",
    "text:h": "\n",
    "w:tab": "\t",
    "text:tab": "\t",
    "w:br": "\n",
    "w:cr": "\n",
    "a:br": "\n",
    "text:line-break": "\n",
    "text:s": " ",
    "w:tc": " | ",
    "a:tc": " | ",
}
# Text that was deleted with changes tracked, and notes that stand elsewhere.
_SILENT = frozenset({"w:del", "w:instrText", "text:tracked-changes", "office:annotation"})


def words_of(data: bytes, limit: int) -> Excerpt:
    """The first `limit` characters. Raises Unreadable, and what zipfile and expat raise."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if any(entry.flag_bits & 1 for entry in archive.infolist()[:10_000]):
            raise Unreadable(Problem.LOCKED)
        text = _Words(limit)
        left = MAX_UNPACKED
        slides = 0
        for name in _parts(archive.namelist()):
            if name.startswith("ppt/"):
                slides += 1
                text.add(f"\n[slide {slides}]\n")
            left = _feed(archive, name, text, left)
            if text.is_full:
                break
    found = tidy(clean(text.whole()))
    if not re.sub(r"\[slide \d+\]", "", found).strip():
        raise Unreadable(Problem.NO_TEXT)
    return Excerpt(found[:limit], is_cut=text.is_full or len(found) > limit)


def _parts(names: list[str]) -> list[str]:
    known = set(names)
    for single in ("word/document.xml", "content.xml"):
        if single in known:
            return [single]
    slides = [(int(match[1]), name) for name in known if (match := _SLIDE.match(name))]
    return [name for _, name in sorted(slides)]


def _feed(archive: zipfile.ZipFile, name: str, text: _Words, left: int) -> int:
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.buffer_text = True
    text.attach(parser)
    for piece in _pieces(archive, name):
        left -= len(piece)
        if left < 0:
            raise Unreadable(Problem.TOO_MUCH)
        parser.Parse(piece)
        if text.is_full:
            return left
    parser.Parse(b"", True)  # noqa: FBT003 - expat takes it by place alone
    return left


def _pieces(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with archive.open(name) as part:
        while piece := part.read(_PIECE):
            yield piece


def _refuse(*_: object) -> None:
    """Office files have no document type; one that has wants its entities expanded."""
    raise Unreadable(Problem.DAMAGED)


class _Words:
    """Text as it comes out of the XML, until there is enough of it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._length = 0
        self._texts = 0
        self._silent = 0

    @property
    def is_full(self) -> bool:
        return self._length > self._limit * 2 + 1000

    def attach(self, parser: expat.XMLParserType) -> None:
        self._texts = self._silent = 0
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data

    def add(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def whole(self) -> str:
        return "".join(self._parts)

    def _start(self, tag: str, _: dict[str, str]) -> None:
        self._texts += tag in _TEXTS
        self._silent += tag in _SILENT

    def _end(self, tag: str) -> None:
        self._texts -= tag in _TEXTS
        self._silent -= tag in _SILENT
        if not self._silent and (mark := _ENDS.get(tag)):
            self.add(mark)

    def _data(self, data: str) -> None:
        if self._texts and not self._silent:
            self.add(data)
