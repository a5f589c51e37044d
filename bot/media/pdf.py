"""The words of a PDF, page by page. Pages that were scanned hold none."""

from __future__ import annotations

import io
import logging

from bot.media.excerpt import Excerpt, tidy
from bot.media.problems import Problem, Unreadable
from channels.markup import clean

MAX_PAGES = 200


def words_of(data: bytes, limit: int) -> Excerpt:
    """The first `limit` characters of at most MAX_PAGES pages. Raises Unreadable, and whatever pypdf raises."""
    import pypdf
    from pypdf.errors import DependencyError, FileNotDecryptedError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable(Problem.LOCKED)
        total = len(reader.pages)
        parts: list[str] = []
        length = read = 0
        while read < min(total, MAX_PAGES) and length <= limit:
            text = tidy(clean(reader.pages[read].extract_text()))
            read += 1
            parts.append(text)
            length += len(text) + 2
    except (DependencyError, FileNotDecryptedError):
        raise Unreadable(Problem.LOCKED) from None
    text = tidy("\n\n".join(part for part in parts if part))
    if not text:
        raise Unreadable(Problem.NO_TEXT)
    pages = "1 page" if total == 1 else f"{total} pages"
    is_cut = len(text) > limit or read < total
    return Excerpt(text[:limit], is_cut, f"the first {read} of {pages}" if is_cut and total > 1 else pages)
