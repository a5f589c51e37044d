"""From a conversation to a request: stable parts first, the oldest left out when a window is small. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from bot.store.base import HistoryRow, Outcome
from providers.base import CompletionRequest, Image, PromptMessage, Role
from routing.policy import OUTPUT_RESERVE, Rung

EXACT_ABOVE = 10_000
"""Below this many characters a token is taken to be four characters (the source documents' lazy count)."""

MESSAGE_OVERHEAD = 4
"""Tokens that a dialect adds to each message (OpenAI cookbook, 2023-06; others are close)."""

MAX_SPEAKER = 40
_MARKS = {
    Outcome.STOPPED: " [stopped here]",
    Outcome.CUT: " [broke off here]",
}


def count_tokens(text: str) -> int:
    """An estimate that errs on the high side: 4 characters a token for ASCII, 1 for the rest of the letters."""
    if text.isascii():
        return len(text) // 4 + 1
    wide = sum(1 for char in text if ord(char) > 0x2E7F)
    return (len(text) - wide) // 3 + wide + 1


def speaker_name(name: str) -> str:
    """A display name that cannot break a line, hide, or pose as markup: letters, digits, marks and spaces."""
    kept = "".join(char if unicodedata.category(char)[0] in "LMN" or char in " -_.'" else "" for char in name)
    return " ".join(kept.split())[:MAX_SPEAKER] or "someone"


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a prompt with its estimated tokens."""

    message: PromptMessage
    tokens: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """A model-neutral prompt: `system` never changes within a session, `history` only grows at its end."""

    system: tuple[Line, ...]
    history: tuple[Line, ...]
    question: tuple[Line, ...]
    conversation: str

    @property
    def least_tokens(self) -> int:
        """What cannot be left out."""
        return sum(line.tokens for line in (*self.system, *self.question))

    def fit(self, rung: Rung, so_far: str) -> CompletionRequest:
        """The request for one rung, its oldest history left out where the window demands it.

        `so_far`: an answer to continue. History is dropped by whole exchanges, so that what stays begins
        with a question and the prefix stays stable as long as it fits.
        """
        reserve = rung.options.max_output or rung.model.max_output or OUTPUT_RESERVE
        reserve = min(reserve, rung.model.context_window // 2)
        room = rung.model.context_window - reserve - self.least_tokens
        history = self._fitting(room)
        messages = [line.message for line in (*self.system, *history, *self.question)]
        # The question is history next time, word for word; its pictures are not sent again.
        stable = len(messages) - sum(1 for line in self.question if line.message.images)
        if so_far:
            messages.append(PromptMessage(Role.ASSISTANT, so_far))
        return CompletionRequest(tuple(messages), rung.options, self.conversation, stable)

    def _fitting(self, room: int) -> tuple[Line, ...]:
        total = sum(line.tokens for line in self.history)
        start = 0
        while total > room and start < len(self.history):
            total -= self.history[start].tokens
            start += 1
            while start < len(self.history) and self.history[start].message.role is not Role.USER:
                total -= self.history[start].tokens
                start += 1
        return self.history[start:]


def assemble(
    system: str,
    history: Sequence[HistoryRow],
    questions: Sequence[tuple[str, str]],
    *,
    conversation: str,
    is_shared: bool,
    images: tuple[Image, ...] = (),
) -> Prompt:
    """The prompt for the newest question. `questions`: (speaker, text), several when messages were merged.

    `is_shared`: more than one person talks here, so each line carries its speaker's cleaned name. Failed
    exchanges are left out; a stopped or broken answer is marked, so that the model knows it did not end.
    """
    lines = [_line(Role.SYSTEM, system)] if system else []
    past = [line for row in history if (line := _history_line(row, is_shared=is_shared)) is not None]
    asked = "\n".join(_said(speaker, text, is_shared=is_shared) for speaker, text in questions)
    return Prompt(tuple(lines), tuple(past), (_line(Role.USER, asked, images),), conversation)


def _line(role: Role, text: str, images: tuple[Image, ...] = ()) -> Line:
    return Line(PromptMessage(role, text, images), count_tokens(text) + MESSAGE_OVERHEAD + 1000 * len(images))


def _said(speaker: str, text: str, *, is_shared: bool) -> str:
    return f"{speaker_name(speaker)}: {text}" if is_shared else text


def _history_line(row: HistoryRow, *, is_shared: bool) -> Line | None:
    if row.role == Role.USER:
        return _line(Role.USER, _said(row.speaker, row.text, is_shared=is_shared))
    if row.outcome is Outcome.FAILED or not row.text:
        return None
    return _line(Role.ASSISTANT, row.text + _MARKS.get(row.outcome, ""))
