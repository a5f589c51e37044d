"""From a file's bytes to words that stand in a question: decoded, cut, fenced, named. Pure."""

from __future__ import annotations

import codecs
import contextlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from bot.media.filetypes import wide
from channels.markup import clean

MAX_NAME = 80

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_WIDE_MARKS = ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"))
_BACKTICKS = re.compile("`{3,}")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")
_MOST_REPLACED = 0.02
"""The share of characters that may be no UTF-8 in what is taken for UTF-8 all the same: damaged, not foreign."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The words of a file. `is_cut`: the file goes on. `about`: what else is to say of it ("3 of 12 pages")."""

    text: str
    is_cut: bool = False
    about: str = ""


def decode(data: bytes, charset: str = "", *, limit: int) -> Excerpt:
    """The first `limit` characters of a text. No more bytes than these need are looked at.

    A mark at the beginning tells the charset, else `charset`, else the bytes themselves: UTF-8 where they are,
    UTF-16 where every other byte is zero, else Windows-1252, in which every byte is something.
    """
    for mark, name in (*_WIDE_MARKS, *_MARKS):
        if data.startswith(mark):
            return _decoded(data[len(mark) :], name, limit)
    if charset and _is_charset(charset):
        with contextlib.suppress(ValueError):  # some charsets know bytes that they do not replace
            return _decoded(data, charset, limit)
    if found := wide(data[:8192]):
        return _decoded(data, found, limit)
    taken = _decoded(data, "utf-8", limit)
    if taken.text.count("\ufffd") > len(taken.text) * _MOST_REPLACED:
        return _decoded(data, "cp1252", limit)
    return taken


def _decoded(data: bytes, charset: str, limit: int) -> Excerpt:
    head = data[: (limit + 1) * 4]
    decoder = codecs.getincrementaldecoder(charset)("replace")
    text = decoder.decode(head, final=len(head) == len(data))
    return Excerpt(clean(text[:limit]), is_cut=len(text) > limit or len(head) < len(data))


def _is_charset(name: str) -> bool:
    """Whether it is a text encoding that Python knows; "hex" and "zlib" are none."""
    try:
        return codecs.lookup(name)._is_text_encoding  # noqa: SLF001 - there is no other way to ask
    except (LookupError, ValueError):
        return False


def tidy(text: str) -> str:
    """Without white space at its edges and without long stretches of empty lines."""
    return _BLANK_LINES.sub("\n\n", text).strip("\n").rstrip()


def file_name(name: str) -> str:
    """A file's name that cannot break a line, hide, or pose as markup; its ending stays. "" for none."""
    name = " ".join(name.split())
    kept = "".join(
        char if unicodedata.category(char)[0] in "LMN" or char in " -_.'()+,&" else "_" for char in name
    )
    if len(kept) <= MAX_NAME:
        return kept
    stem, dot, ending = kept.rpartition(".")
    if not dot or len(ending) > 8:
        return kept[:MAX_NAME]
    return f"{stem[: MAX_NAME - len(ending) - 2]}….{ending}"


def fenced(text: str) -> str:
    """The text between fences that nothing in it can close."""
    longest = max((len(found) for found in _BACKTICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"


def shortened(text: str, tokens: int, count: Callable[[str], int]) -> str:
    """The longest beginning, to some percent, that is no more than so many tokens."""
    while text and (found := count(text)) > tokens:
        text = text[: min(len(text) - 1, int(len(text) * max(tokens, 0) / found * 0.98))]
    return text
