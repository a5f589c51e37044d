"""Parts a model's thoughts from its answer where it writes both into one text. Pure."""

from __future__ import annotations

from providers.base import ReasoningDelta, TextDelta

OPEN, CLOSE = "<think>", "</think>"


class ThinkSplitter:
    """Text in, answer and thoughts out; a tag may be cut anywhere.

    A tag inside code (after an odd number of backticks) is the answer's own: someone asked about it. White
    space between the thoughts and the first word is dropped.
    """

    __slots__ = ("_backticks", "_held", "_is_thinking", "_said", "_thought")

    def __init__(self) -> None:
        self._held = ""
        self._is_thinking = False
        self._thought = False
        self._said = False
        self._backticks = 0

    def feed(self, text: str) -> list[TextDelta | ReasoningDelta]:
        """What may be handed on now; the beginning of a possible tag is held back."""
        if self._said and not (self._held or self._is_thinking or "<" in text or "`" in text):
            return [TextDelta(text)] if text else []
        text = self._held + text
        self._held = ""
        out: list[TextDelta | ReasoningDelta] = []
        while text:
            text = self._step(text, out)
        return out

    def close(self) -> list[TextDelta | ReasoningDelta]:
        """The answer is over: what was held back was no tag."""
        held, self._held = self._held, ""
        out: list[TextDelta | ReasoningDelta] = []
        self._emit(held, out)
        return out

    def _step(self, text: str, out: list[TextDelta | ReasoningDelta]) -> str:
        """Hand out the text up to the next tag; what remains to be looked at."""
        tag = CLOSE if self._is_thinking else OPEN
        at = text.find(tag)
        if at < 0:
            keep = _overlap(text, tag)
            cut = len(text) - keep
            if not self._said and text[:cut].isspace():
                cut = 0  # perhaps only the white space before the thoughts
            self._emit(text[:cut], out)
            self._held = text[cut:]
            return ""
        before, after = text[:at], text[at + len(tag) :]
        if not self._is_thinking and (self._backticks + before.count("`")) % 2:
            self._emit(before + tag, out)
            return after
        if self._is_thinking or self._said or not before.isspace():
            self._emit(before, out)
        self._is_thinking = not self._is_thinking
        self._thought = True
        return after

    def _emit(self, text: str, out: list[TextDelta | ReasoningDelta]) -> None:
        if self._is_thinking:
            if text:
                out.append(ReasoningDelta(text))
            return
        self._backticks += text.count("`")
        if self._thought and not self._said:
            text = text.lstrip()
        if text:
            self._said = True
            out.append(TextDelta(text))


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of the text may be the beginning of the tag."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0
