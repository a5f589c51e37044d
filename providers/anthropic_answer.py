"""Reads an answer of Anthropic's Messages API: its events in, stream events out. Pure.

Source: package anthropic 2.11, types/raw_message_stream_event.py, and Anthropic docs, streaming messages, 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from providers.anthropic_memo import THOUGHTS, memo_of
from providers.base import (
    Finished,
    FinishReason,
    Memo,
    ReasoningDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageSoFar,
)
from providers.errors import ErrorKind, ProviderError
from providers.failures import error_from_object
from providers.sse import Parser, ServerEvent

MAX_MEMO_CHARS = 1024 * 1024
"""Thoughts beyond this are not kept to be handed back."""

_HOUR = "ephemeral_1h_input_tokens"

_REASONS: Mapping[str, FinishReason] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
    "model_context_window_exceeded": FinishReason.CONTEXT,
    "pause_turn": FinishReason.LENGTH,  # a server's own tool ran long; the answer is not whole
}


class EventReader:
    """A body's bytes in, its events as objects out. `failure`: why there are no more of them."""

    def __init__(self) -> None:
        self.failure: ProviderError | None = None
        self._parser = Parser()
        self._head: bytes | None = b""

    def feed(self, chunk: bytes) -> list[Mapping[str, Any]]:
        """The events that this chunk completes."""
        try:
            if self._head is not None:
                chunk = self._sniff(chunk)
            return self._read(self._parser.feed(chunk))
        except ProviderError as error:
            self.failure = error
            return []

    def close(self) -> list[Mapping[str, Any]]:
        """What stands behind the last empty line: a whole event, or one that was cut."""
        found = self._read(self._parser.close()) if self.failure is None else []
        if self.failure is not None and self.failure.kind is ErrorKind.MALFORMED:
            self.failure = ProviderError(ErrorKind.INCOMPLETE, "the answer ended inside an event")
        return found

    def _sniff(self, chunk: bytes) -> bytes:
        """A page or an object instead of events: a proxy's error, or a server that does not stream."""
        head = (self._head or b"") + chunk
        first = head.lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
        if not first:
            self._head = head[-64:]
            return b""
        self._head = None
        if first in b"<{[":
            what = "a page (HTML or XML)" if first == b"<" else "an object"
            raise ProviderError(ErrorKind.MALFORMED, f"{what} instead of a stream of events")
        return head

    def _read(self, events: list[ServerEvent]) -> list[Mapping[str, Any]]:
        """What comes before a damaged event is handed out."""
        found: list[Mapping[str, Any]] = []
        for event in events:
            if event.data:
                try:
                    found.append(_decode(event.data))
                except ProviderError as error:
                    self.failure = error
                    break
        return found


@dataclass(slots=True)
class _Block:
    """A block of the answer as far as it has come.

    `length`: characters so far. `thoughts`: its text, of thoughts only. `call`: the place of a tool call among the
    calls.
    """

    kind: str
    length: int = 0
    thoughts: list[str] = field(default_factory=list)
    call: int = -1
    id: str = ""
    signature: str = ""
    data: str = ""
    is_answer: bool = False

    def kept(self) -> dict[str, Any]:
        """As it goes into a memo."""
        match self.kind:
            case "thinking":
                return {"type": self.kind, "thinking": "".join(self.thoughts), "signature": self.signature}
            case "redacted_thinking":
                return {"type": self.kind, "data": self.data}
            case "tool_use":
                return {"type": self.kind, "id": self.id}
            case _:
                return {"type": "text", "length": self.length}


class AnswerReader:
    """The events of one answer in, stream events out. Feed it every event, then `close` it.

    `model`: whose thoughts these are. `schema_tool`: the tool whose arguments are the answer's text. Raises
    ProviderError: an error event by its type, MALFORMED for what is no event of an answer, INCOMPLETE when the
    body is over and no stop reason came.
    """

    def __init__(
        self,
        model: str,
        request_id: str = "",
        scrub: Callable[[str], str] = str,
        schema_tool: str = "",
    ) -> None:
        self.is_ending = False
        """The stop reason is there; what may still come is the end mark."""
        self.is_over = False
        """Finished has been handed out."""
        self._model = model
        self._request_id = request_id
        self._scrub = scrub
        self._schema_tool = schema_tool
        self._is_started = False
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._counts: dict[str, int] = {}
        self._usage: Usage | None = None
        self._stop = ""

    def take(self, event: Mapping[str, Any]) -> list[StreamEvent]:
        """The stream events that this event makes."""
        if self.is_over:
            return []
        try:
            kind = event["type"]
            if kind == "content_block_delta" and self._is_started:
                return self._delta(self._blocks[event["index"]], event["delta"])
            return self._other(kind, event)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ProviderError(ErrorKind.MALFORMED, "an event that is no part of an answer") from error

    def close(self) -> list[StreamEvent]:
        """The body is over: Finished, unless it was there already."""
        if self.is_over:
            return []
        if not self.is_ending:
            raise ProviderError(ErrorKind.INCOMPLETE, "the answer ended without a stop reason")
        return self._end()

    def _other(self, kind: str, event: Mapping[str, Any]) -> list[StreamEvent]:
        match kind:
            case "message_start":
                return self._start(event["message"])
            case "content_block_start" if self._is_started:
                return self._begin(event["index"], event["content_block"])
            case "content_block_stop" if self._is_started:
                return self._close_block(self._blocks[event["index"]])
            case "message_delta" if self._is_started:
                return self._message_delta(event)
            case "message_stop" if self.is_ending:
                return self._end()
            case "error":
                raise error_from_object(event, self._scrub)
            case "content_block_start" | "content_block_delta" | "content_block_stop" | "message_delta":
                raise ProviderError(ErrorKind.MALFORMED, "an answer without its beginning")
            case _:  # ping, and what the API may add
                return []

    def _start(self, message: Mapping[str, Any]) -> list[StreamEvent]:
        if self._is_started:
            raise ProviderError(ErrorKind.MALFORMED, "an answer that begins twice")
        self._is_started = True
        request_id = self._request_id or str(message.get("id") or "")
        started = Started(request_id[:200], str(message.get("model") or "")[:200])
        return [started, *self._count(message.get("usage"))]

    def _begin(self, index: int, given: Mapping[str, Any]) -> list[StreamEvent]:
        kind = given["type"]
        block = self._blocks[index] = _Block(kind)
        match kind:
            case "text":
                return self._delta(block, {"type": "text_delta", "text": given.get("text") or ""})
            case "thinking":
                block.signature = given.get("signature") or ""
                return self._delta(block, {"type": "thinking_delta", "thinking": given.get("thinking") or ""})
            case "redacted_thinking":
                block.data = str(given["data"])
                return []
            case "tool_use":
                return self._begin_call(block, given)
            case _:  # a server's own tool, which we do not ask for
                return []

    def _begin_call(self, block: _Block, given: Mapping[str, Any]) -> list[StreamEvent]:
        if given["name"] == self._schema_tool:
            block.is_answer = True
            return []
        block.call, block.id = self._calls, str(given["id"])
        self._calls += 1
        begun = given.get("input")
        arguments = orjson.dumps(begun).decode() if begun else ""
        block.length = len(arguments)
        return [ToolCallDelta(block.call, block.id, str(given["name"]), arguments)]

    def _delta(self, block: _Block, delta: Mapping[str, Any]) -> list[StreamEvent]:
        match delta["type"]:
            case "text_delta":
                text = _whole(delta["text"])
                block.length += len(text)
                return [TextDelta(text)] if text else []
            case "thinking_delta":
                return self._thought(block, _whole(delta["thinking"]))
            case "input_json_delta":
                return self._arguments(block, _whole(delta["partial_json"]))
            case "signature_delta":
                block.signature = delta["signature"]
                return []
            case _:  # citations, and what the API may add
                return []

    def _thought(self, block: _Block, text: str) -> list[StreamEvent]:
        block.length += len(text)
        if block.length <= MAX_MEMO_CHARS:
            block.thoughts.append(text)
        else:
            block.thoughts.clear()
        return [ReasoningDelta(text)] if text else []

    def _arguments(self, block: _Block, text: str) -> list[StreamEvent]:
        if not text or (block.call < 0 and not block.is_answer):
            return []
        block.length += len(text)
        return [TextDelta(text) if block.is_answer else ToolCallDelta(block.call, arguments=text)]

    def _close_block(self, block: _Block) -> list[StreamEvent]:
        if block.kind == "tool_use" and not block.length:
            return self._arguments(block, "{}")
        return []

    def _message_delta(self, event: Mapping[str, Any]) -> list[StreamEvent]:
        stop = event["delta"].get("stop_reason")
        if stop:
            self._stop = str(stop)[:100]
            self.is_ending = True
        return self._count(event.get("usage"))

    def _count(self, usage: Mapping[str, Any] | None) -> list[StreamEvent]:
        """Counts are cumulative; an event may say some of them only."""
        if not usage:
            return []
        self._counts |= counts_of(usage)
        counted = usage_of(self._counts)
        if counted == self._usage:
            return []
        self._usage = counted
        return [] if self.is_ending else [UsageSoFar(counted)]

    def _end(self) -> list[StreamEvent]:
        self.is_over = True
        reason = _REASONS.get(self._stop, FinishReason.STOP)
        if reason is FinishReason.TOOL_CALLS and self._schema_tool and not self._calls:
            reason = FinishReason.STOP
        finished = Finished(reason, self._usage, self._stop)
        memo = self._memo()
        return [Memo(memo), finished] if memo else [finished]

    def _memo(self) -> str:
        kinds = {*THOUGHTS, "text", "tool_use"}
        blocks = [block for _, block in sorted(self._blocks.items()) if block.kind in kinds]
        if any(
            block.is_answer or (block.kind in THOUGHTS and block.length > MAX_MEMO_CHARS) for block in blocks
        ):
            return ""
        return memo_of(self._model, [block.kept() for block in blocks])


def counts_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """The counts that a usage object names; negative ones are 0."""
    found = {
        name: max(0, int(value))
        for name, value in usage.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    kept = usage.get("cache_creation")
    if kept and (hour := kept.get(_HOUR)) is not None:
        found[_HOUR] = max(0, int(hour))
    details = usage.get("output_tokens_details")
    if details:
        found["thinking_tokens"] = max(0, int(details.get("thinking_tokens") or 0))
    return found


def usage_of(counts: Mapping[str, int]) -> Usage:
    """Our usage. Anthropic's input_tokens leaves out what was read from the cache or written to it; ours does not."""
    read = counts.get("cache_read_input_tokens", 0)
    written = counts.get("cache_creation_input_tokens", 0)
    return Usage(
        input_tokens=counts.get("input_tokens", 0) + read + written,
        output_tokens=counts.get("output_tokens", 0),
        cached_tokens=read,
        reasoning_tokens=counts.get("thinking_tokens", 0),
        cache_write_tokens=written,
        cache_write_hour_tokens=min(counts[_HOUR], written) if _HOUR in counts else None,
    )


def _whole(text: str) -> str:
    """The text with U+FFFD for halves of characters: one wrong glyph is less than a lost answer."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _decode(data: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:  # once more, forgiving broken characters
            value = json.loads(data.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise ProviderError(ErrorKind.MALFORMED, f"no JSON in the answer ({len(data)} bytes)") from error
    if not isinstance(value, dict):
        raise ProviderError(ErrorKind.MALFORMED, f"a {type(value).__name__} instead of an object")
    return value
