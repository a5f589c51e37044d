"""Answers as a terminal shows them: append-only, code in colour, and no control sequence of a model's own. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.events import AnswerNote

RESET = "\x1b[0m"
CODE = "\x1b[36m"
DIM = "\x1b[2m"
# Everything that could move the cursor, ring, or rewrite what stands there: C0 but tab and newline, DEL, C1,
# and the bidirectional controls that make a line read otherwise than it is.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SGR = re.compile(r"\x1b\[[0-9;]*m")
_MAY_BE_FENCE = re.compile(r" {0,3}(?:`{0,2}|~{0,2})\Z")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")


def plain(text: str) -> str:
    """`text` without anything that a terminal would obey."""
    return _CONTROL.sub("", text)


def visible_length(text: str) -> int:
    """How many characters of `text` are to be seen."""
    return len(_SGR.sub("", text))


def note_line(note: AnswerNote) -> str:
    """The small line under an answer."""
    parts = [note.model, note.reason]
    if note.first_visible is not None:
        parts.append(f"first word {note.first_visible * 1000:.0f} ms")
    if note.tokens_per_s is not None:
        parts.append(f"{note.tokens_per_s:.0f} tokens/s")
    if note.cost_usd is not None:
        parts.append(f"${note.cost_usd:.2g}")
    return plain(" · ".join(part for part in parts if part))


@dataclass(slots=True)
class Styler:
    """Colours code in a text that comes in pieces. What `feed` gives is final; at most six characters wait.

    Every line carries its own colour codes, so that it can be printed by itself.
    """

    _line: str = ""  # the beginning of a line that may still become a fence
    _is_start: bool = True
    _in_fence: bool = False
    _in_fence_line: bool = False
    _in_span: bool = False

    def feed(self, text: str) -> str:
        """The next piece, coloured."""
        return "".join(self._line_piece(piece) for piece in plain(text).splitlines(keepends=True))

    def end(self) -> str:
        """What waited, when no more comes."""
        rest, self._line = self._line, ""
        coloured = self._coloured(rest) if rest else ""
        return coloured + (RESET if self._in_span or self._in_fence or self._in_fence_line else "")

    def _line_piece(self, piece: str) -> str:
        if self._is_start:
            piece = self._line + piece
            if not piece.endswith("\n") and _MAY_BE_FENCE.match(piece):
                self._line = piece
                return ""
            self._line = ""
            self._is_start = False
            if _FENCE.match(piece):
                self._in_fence_line = True
                self._in_fence = not self._in_fence
                return self._fence_line(DIM + piece)
            opening = CODE if self._in_fence else ""
            return opening + self._coloured(piece)
        return self._fence_line(piece) if self._in_fence_line else self._coloured(piece)

    def _fence_line(self, piece: str) -> str:
        if not piece.endswith("\n"):
            return piece
        self._in_fence_line = False
        self._is_start = True
        return f"{piece[:-1]}{RESET}\n"

    def _coloured(self, piece: str) -> str:
        body, end = (piece[:-1], "\n") if piece.endswith("\n") else (piece, "")
        if not self._in_fence:
            body = self._spans(body)
        if end:
            is_coloured = self._in_fence or self._in_span
            self._in_span = False
            self._is_start = True
            return body + (RESET if is_coloured else "") + end
        return body

    def _spans(self, text: str) -> str:
        parts = text.split("`")
        out = [parts[0]]
        for part in parts[1:]:
            out.append(f"`{RESET}" if self._in_span else f"{CODE}`")
            out.append(part)
            self._in_span = not self._in_span
        return "".join(out)
