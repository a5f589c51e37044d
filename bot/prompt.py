"""From a conversation to a request: stable parts first, the oldest left out when a window is small. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from bot.exchange import reported, spoken
from bot.store.base import HistoryRow, Outcome
from bot.wishes import wished
from channels.programs import Wishes
from providers.base import CompletionRequest, Image, ModelSpec, PromptMessage, Role, Tool
from routing.policy import OUTPUT_RESERVE, Rung

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
    """A model-neutral prompt: `system` never changes within a session, `history` only grows at its end.

    `steps`: calls that the answer to the question has made so far, and their results. `tools`: what it may call;
    `must_answer`: it may call nothing more. `wishes`: how a program wants to be answered.
    """

    system: tuple[Line, ...]
    history: tuple[Line, ...]
    question: tuple[Line, ...]
    conversation: str
    steps: tuple[Line, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_tokens: int = 0
    must_answer: bool = False
    wishes: Wishes | None = None

    @property
    def least_tokens(self) -> int:
        """What cannot be left out; tools can, where a window is too small for them, but not those of a program."""
        return self._said + (self.tool_tokens if self.wishes is not None else 0)

    @property
    def tokens(self) -> int:
        """All of it, before anything is left out."""
        return self._said + self.tool_tokens + sum(line.tokens for line in self.history)

    @property
    def _said(self) -> int:
        return sum(line.tokens for line in (*self.system, *self.question, *self.steps))

    def with_tools(self, tools: Sequence[Tool]) -> Prompt:
        """The same with something to call."""
        tokens = sum(count_tokens(tool.name + tool.description + _schema(tool)) for tool in tools)
        return replace(self, tools=tuple(tools), tool_tokens=tokens)

    def after(self, steps: Sequence[PromptMessage], *, must_answer: bool = False) -> Prompt:
        """The same after calls were made."""
        lines = tuple(Line(each, tokens_of(each)) for each in steps)
        return replace(self, steps=lines, must_answer=must_answer)

    def fit(self, rung: Rung, so_far: str) -> CompletionRequest:
        """The request for one rung, its oldest history left out where the window demands it.

        `so_far`: an answer to continue. History is dropped by whole exchanges, so that what stays begins
        with a question and the prefix stays stable as long as it fits.
        """
        reserve = rung.options.max_output or rung.model.max_output or OUTPUT_RESERVE
        reserve = min(reserve, rung.model.context_window // 2)
        room = rung.model.context_window - reserve - self._said
        tools = self._offered(rung.model, room)
        history = self._fitting(room - (self.tool_tokens if tools else 0))
        messages = [line.message for line in (*self.system, *history, *self.question)]
        steps = [line.message for line in self.steps]
        if not tools:
            messages = spoken(messages)
        # The question is history next time, word for word; its pictures are not sent again.
        least = len(messages) + (len(steps) if tools else 0)
        messages += steps if tools else reported(steps)
        seen = next((at for at, each in enumerate(messages) if each.images), least)
        if so_far:
            messages.append(PromptMessage(Role.ASSISTANT, so_far))
        choice = "none" if tools and self.must_answer else None
        request = CompletionRequest(
            tuple(messages), rung.options, self.conversation, seen, tools=tools, tool_choice=choice
        )
        return request if self.wishes is None else wished(request, rung.model, self.wishes)

    def _offered(self, model: ModelSpec, room: int) -> tuple[Tool, ...]:
        """The tools where the model takes them: they fill half of its window at most, and the question fits beside.

        What was offered at the first step is offered at the others.
        """
        fits = self.tool_tokens * 2 <= model.context_window and (self.tool_tokens <= room or bool(self.steps))
        return self.tools if model.profile.tools and (fits or self.wishes is not None) else ()

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

    Without questions: what stands before the next one. `is_shared`: more than one person talks here, so each line
    carries its speaker's cleaned name. Failed exchanges are left out; a stopped or broken answer is marked, so that
    the model knows it did not end.
    """
    lines = [_line(Role.SYSTEM, system)] if system else []
    past = [line for row in history for line in _history_lines(row, is_shared=is_shared)]
    asked = "\n".join(_said(speaker, text, is_shared=is_shared) for speaker, text in questions)
    question = (_line(Role.USER, asked, images),) if questions else ()
    return Prompt(tuple(lines), tuple(past), question, conversation)


def _line(role: Role, text: str, images: tuple[Image, ...] = ()) -> Line:
    return Line(PromptMessage(role, text, images), count_tokens(text) + MESSAGE_OVERHEAD + 1000 * len(images))


def _said(speaker: str, text: str, *, is_shared: bool) -> str:
    return f"{speaker_name(speaker)}: {text}" if is_shared else text


def _history_lines(row: HistoryRow, *, is_shared: bool) -> list[Line]:
    if row.role == Role.USER:
        return [_line(Role.USER, _said(row.speaker, row.text, is_shared=is_shared))]
    mark = _MARKS.get(row.outcome, "")
    if row.exchange is not None and row.exchange.messages:
        *before, last = row.exchange.messages
        last = replace(last, text=last.text + mark) if mark else last
        return [Line(each, tokens_of(each)) for each in (*before, last)]
    if row.outcome is Outcome.FAILED or not row.text:
        return []
    return [_line(Role.ASSISTANT, row.text + mark)]


def tokens_of(message: PromptMessage) -> int:
    """An estimate for a message without its pictures."""
    called = sum(count_tokens(call.name + call.arguments) + MESSAGE_OVERHEAD for call in message.calls)
    return count_tokens(message.text) + called + MESSAGE_OVERHEAD


def _schema(tool: Tool) -> str:
    return orjson.dumps(tool.parameters, default=str).decode()
