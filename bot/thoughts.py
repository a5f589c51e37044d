"""A model's thoughts as people see them: a quoted block before the answer, or growing while it thinks. Pure."""

from __future__ import annotations

from providers.base import Effort

EFFORT = "think"
"""The conversation's choice of how hard to think."""

SHOWN = "reasoning"
"""The conversation's choice of what is shown of it."""

OFF, ON, STREAM = "off", "on", "stream"
MAX_CHARACTERS = 3_000
"""Of thoughts that are shown; the rest stays with the model."""

_CUT = " …"


def wanted_effort(chosen: str | None) -> Effort | None:
    """The effort that a conversation's choice names, None for each model's own."""
    return Effort(chosen) if chosen in set(Effort) else None


class Thoughts:
    """One answer's thoughts. `mode`: OFF, ON (whole, before the first word) or STREAM (as they come)."""

    __slots__ = ("_attempt", "_has_begun", "_held", "_is_over", "_kept", "_left", "_mode", "_said")

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._said: list[str] = []
        self._kept = ""
        self._attempt = 0
        self.clear()

    @property
    def answer(self) -> str | None:
        """What was said after the thoughts; None where thoughts are not shown."""
        return None if self._mode not in {ON, STREAM} else self._kept + "".join(self._said)

    def keep(self, after: str) -> None:
        """What was said stands, with `after` behind it, even where what follows begins anew."""
        self._kept += "".join(self._said) + after
        self._said.clear()

    def clear(self) -> None:
        """The answer begins anew, thoughts and all; what was kept stands."""
        self._said.clear()
        self._held = ""
        self._has_begun = False
        self._is_over = False
        self._left = MAX_CHARACTERS

    def pass_on(self, attempt: int) -> bool:
        """Another attempt speaks now: whether thoughts of the one before it stand on the screen, without an answer."""
        was_shown = self._has_begun and not self._is_over and self._mode == STREAM
        is_other, self._attempt = attempt != self._attempt, attempt
        if not is_other or self._is_over:
            return False
        self.clear()
        return was_shown

    def show(self, thought: str) -> str:
        """What to write now for another piece of thought, "" for nothing."""
        if self._mode not in {ON, STREAM} or self._is_over or not self._left:
            return ""
        if not self._has_begun:
            thought = thought.lstrip()
            if not thought:
                return ""
        piece = thought[: self._left]
        self._left -= len(piece)
        if not self._left:
            piece += _CUT
        lead = "" if self._has_begun else "> "
        self._has_begun = True
        quoted = lead + piece.replace("\n", "\n> ")
        if self._mode == STREAM:
            return quoted
        self._held += quoted
        return ""

    def before(self, text: str) -> str:
        """`text` of the answer, with what has to stand before it."""
        if self._mode in {ON, STREAM}:
            self._said.append(text)
        if self._is_over:
            return text
        self._is_over = True
        if not self._has_begun:
            return text
        held, self._held = self._held.rstrip("> \n"), ""
        return f"{held}\n\n{text.lstrip()}" if text.strip() else f"{held}\n\n"
