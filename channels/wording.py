"""The text of one reply: what was written, cleaned, and what it reads when it is finished. Pure."""

from __future__ import annotations

from channels.markup import clean, close, is_blank, whole


class Wording:
    """Deltas are joined only when somebody asks for the text."""

    __slots__ = ("_chunks", "_is_raw", "_text", "final")

    def __init__(self, *, is_raw: bool = False) -> None:
        self.final: str | None = None
        self._is_raw = is_raw
        self._chunks: list[str] = []
        self._text = ""

    def write(self, delta: str) -> None:
        """It goes on."""
        self._chunks.append(delta)

    def replace(self, text: str) -> None:
        """It is now this."""
        self._chunks = [text] if text else []
        self._text = ""

    def finish(self, closing: str) -> None:
        """It is whole; `closing` goes under it, where it is not raw. Sets `final`, "" where there is nothing to see."""
        self.final = ""
        if self._is_raw:
            self.final = self.text
            return
        body = self.text.rstrip()
        note = clean(closing).strip()
        if note:
            body = note if is_blank(body) else f"{close(body)}\n\n{note}"
        self.final = "" if is_blank(body) else close(body)

    @property
    def text(self) -> str:
        """All that was written, cleaned; of raw text, halves of characters alone."""
        if self._chunks:
            raw = "".join(self._chunks)
            self._chunks.clear()
            if self.final is None and (
                "\ud800" <= raw[-1:] <= "\udbff" or (raw[-1:] == "\r" and not self._is_raw)
            ):
                self._chunks.append(raw[-1])  # its other half may be on its way
                raw = raw[:-1]
            self._text += whole(raw) if self._is_raw else clean(raw)
        return self._text

    @property
    def current(self) -> str:
        """The final text, else what there is of it."""
        return self.text if self.final is None else self.final
