"""Reads an answer of Gemini's `streamGenerateContent`: a body's bytes in, stream events out. Pure.

Source: Gemini API reference (GenerateContentResponse, UsageMetadata, FinishReason) and guides on thinking and on
thought signatures, 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson

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
from providers.gemini_failures import sharpen
from providers.sse import Parser, ServerEvent

MAX_WHOLE_BYTES = 8 * 1024 * 1024
"""An answer that comes as one JSON document may be this long."""

MAX_CALLS = 128
"""Tool calls of one answer; more is no answer of a sane model."""

_FINISH: Mapping[str, FinishReason] = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "LANGUAGE": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "MODEL_ARMOR": FinishReason.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "IMAGE_RECITATION": FinishReason.CONTENT_FILTER,
}
"""Reasons that end an answer. One that is new counts as STOP."""

_BROKEN: Mapping[str, ErrorKind] = {
    "MALFORMED_FUNCTION_CALL": ErrorKind.MALFORMED,
    "MALFORMED_RESPONSE": ErrorKind.MALFORMED,
    "UNEXPECTED_TOOL_CALL": ErrorKind.MALFORMED,
    "TOO_MANY_TOOL_CALLS": ErrorKind.MALFORMED,
    "OTHER": ErrorKind.SERVER,
    "MISSING_THOUGHT_SIGNATURE": ErrorKind.BAD_REQUEST,
}
"""Reasons that say the model broke off; what it said until then is no whole answer."""


class AnswerReader:
    """A body's bytes in, stream events out. Feed it every chunk, then `close` it; it raises nothing.

    `failure` says what is wrong: an error object by its code and details, MALFORMED for what is no answer,
    INCOMPLETE when the body is over and no finish reason came. A damaged character inside an event that is
    otherwise whole becomes U+FFFD. `model`: goes into the memo, for signatures are one model's.
    `call_ids`: what the ids of calls begin with when the server gives them none.
    """

    def __init__(
        self, model: str, call_ids: str, request_id: str = "", scrub: Callable[[str], str] = str
    ) -> None:
        self.is_ending = False
        """The finish reason is there; what may still come is usage."""
        self.is_over = False
        """Finished has been handed out."""
        self.failure: ProviderError | None = None
        """Why there will be no Finished; the events before it have been handed out."""
        self._model = model
        self._call_ids = call_ids
        self._request_id = request_id
        self._scrub = scrub
        self._parser = Parser()
        self._head: bytes | None = b""
        self._whole: bytearray | None = None
        self._out: list[StreamEvent] = []
        self._is_started = False
        self._usage: Usage | None = None
        self._finish = ""
        self._calls = 0
        self._parts: list[tuple[str, int, str]] = []

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """The events that this chunk completes."""
        return self._guarded(lambda: self._take(chunk))

    def close(self) -> list[StreamEvent]:
        """The events that the end of the body completes: Finished, unless it was there already."""
        return self._guarded(self._take_end)

    def stop_waiting(self) -> list[StreamEvent]:
        """Finish with what is there: the finish reason came, the end of the body does not."""
        if self.is_ending and not self.is_over:
            self._end()
        return self._taken()

    def _guarded(self, take: Callable[[], None]) -> list[StreamEvent]:
        if not self.is_over and self.failure is None:
            try:
                take()
            except ProviderError as error:
                self.failure = error
        return self._taken()

    def _taken(self) -> list[StreamEvent]:
        out, self._out = self._out, []
        return out

    def _take(self, chunk: bytes) -> None:
        if self._head is not None:
            chunk = self._sniff(chunk)
        if self._whole is None:
            for event in self._parser.feed(chunk):
                self._event(event)
            return
        self._whole += chunk
        if len(self._whole) > MAX_WHOLE_BYTES:
            raise ProviderError(ErrorKind.MALFORMED, f"an answer longer than {MAX_WHOLE_BYTES} bytes")

    def _sniff(self, chunk: bytes) -> bytes:
        """Tell by the first character what the body is: where `alt=sse` gets lost on the way, it is a JSON list."""
        head = (self._head or b"") + chunk
        first = head.lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
        if not first:
            self._head = head[-64:]
            return b""
        self._head = None
        if first in b"{[":
            self._whole = bytearray()
        elif first == b"<":
            raise ProviderError(ErrorKind.MALFORMED, "a page (HTML or XML) instead of an answer")
        return head

    def _take_end(self) -> None:
        if self._whole is not None:
            self._whole_answer(bytes(self._whole))
        else:
            self._last_lines()
        if self.is_over:
            return
        if not self.is_ending:
            raise ProviderError(ErrorKind.INCOMPLETE, "the answer ended without a finish reason")
        self._end()

    def _whole_answer(self, body: bytes) -> None:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ProviderError(ErrorKind.INCOMPLETE, f"half an answer ({len(body)} bytes)") from error
        for each in value if isinstance(value, list) else [value]:
            self._chunk(each)

    def _last_lines(self) -> None:
        """What stands behind the last line end: a whole event, or one that was cut."""
        for event in self._parser.close():
            try:
                self._event(event)
            except ProviderError as error:
                if error.kind is not ErrorKind.MALFORMED or not event.name or self.is_ending:
                    raise
                raise ProviderError(ErrorKind.INCOMPLETE, "the answer ended inside an event") from error

    def _event(self, event: ServerEvent) -> None:
        if not event.data or event.data == b"[DONE]" or self.is_over:
            return
        try:
            value = orjson.loads(event.data)
        except orjson.JSONDecodeError:
            value = _damaged(event.data)
        if event.name in {"error", ""} and isinstance(value, dict) and not value.get("error"):
            value = {"error": value}
        self._chunk(value)

    def _chunk(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise ProviderError(ErrorKind.MALFORMED, f"a {type(value).__name__} instead of an object")
        if value.get("error"):
            raise sharpen(error_from_object(value, self._scrub), value)
        try:
            self._start(value)
            if (usage := value.get("usageMetadata")) is not None:
                self._count(usage)
            if candidates := value.get("candidates"):
                self._candidate(candidates[0])
            blocked = (value.get("promptFeedback") or {}).get("blockReason")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ProviderError(ErrorKind.MALFORMED, "an object that is no part of an answer") from error
        if blocked and not self.is_ending:
            self._finish = str(blocked)[:100]
            self._end(FinishReason.CONTENT_FILTER)
        elif self.is_ending and self._usage is not None:
            self._end()

    def _start(self, value: Mapping[str, Any]) -> None:
        if self._is_started:
            return
        if not value.keys() & {"candidates", "promptFeedback", "usageMetadata"}:
            raise ProviderError(ErrorKind.MALFORMED, "an object that is no answer")
        self._is_started = True
        request_id = str(value.get("responseId") or self._request_id)[:200]
        self._call_ids = str(value.get("responseId") or self._call_ids)[:200]
        self._out.append(Started(request_id, str(value.get("modelVersion") or "")[:200]))

    def _candidate(self, candidate: Mapping[str, Any]) -> None:
        for part in (candidate.get("content") or {}).get("parts") or ():
            self._part(part)
        finish = str(candidate.get("finishReason") or "")[:100]
        if finish in {"", "FINISH_REASON_UNSPECIFIED"}:
            return
        if (kind := _BROKEN.get(finish)) is not None:
            raise ProviderError(kind, f"the model broke off: {finish}", status=200)
        self._finish = finish
        self.is_ending = True

    def _part(self, part: Mapping[str, Any]) -> None:
        """Text, a thought or a call; pictures and executed code are not for a chat."""
        signature = str(part.get("thoughtSignature") or "")
        call = part.get("functionCall")
        text = part.get("text") or ""
        if call is not None:
            self._call(call, signature)
        elif part.get("thought"):
            if text:
                self._out.append(ReasoningDelta(text))
            self._note("t", 0, signature)  # assumed: a signature is taken back beside an empty text as well
        else:
            if text:
                self._out.append(TextDelta(text))
            self._note("t", len(text), signature)

    def _call(self, call: Mapping[str, Any], signature: str) -> None:
        index = self._calls
        if index >= MAX_CALLS:
            raise ProviderError(ErrorKind.MALFORMED, f"more than {MAX_CALLS} tool calls")
        self._calls += 1
        arguments = orjson.dumps(call.get("args") or {}).decode()
        call_id = str(call.get("id") or f"{self._call_ids}-{index}")
        self._out.append(ToolCallDelta(index, call_id, str(call["name"]), arguments))
        self._parts.append(("c", index, signature))

    def _note(self, kind: str, length: int, signature: str) -> None:
        """Remember the part for the memo; neighbours without a signature become one."""
        if not length and not signature:
            return
        last = self._parts[-1] if self._parts else None
        if last is not None and last[0] == kind and not last[2] and not signature:
            self._parts[-1] = (kind, last[1] + length, "")
        else:
            self._parts.append((kind, length, signature))

    def _count(self, usage: Mapping[str, Any]) -> None:
        counted = read_usage(usage, self._usage)
        if counted != self._usage:
            self._usage = counted
            if not self.is_ending:
                self._out.append(UsageSoFar(counted))

    def _end(self, reason: FinishReason | None = None) -> None:
        if any(signature for _, _, signature in self._parts):
            memo = {"gemini": self._model, "parts": self._parts}
            self._out.append(Memo(orjson.dumps(memo).decode()))
        reason = reason or _FINISH.get(self._finish, FinishReason.STOP)
        if reason is FinishReason.STOP and self._calls:
            reason = FinishReason.TOOL_CALLS
        self._out.append(Finished(reason, self._usage, self._finish))
        self.is_over = True


def read_usage(usage: Mapping[str, Any], before: Usage | None = None) -> Usage:
    """`usageMetadata` as a Usage; the last one counts, but no count goes down. What is not said counts 0.

    Gemini counts thoughts beside the answer and bills them as output; the prompt's count includes cached tokens.
    """
    least = before or Usage()
    thoughts = _count_of(usage.get("thoughtsTokenCount"))
    prompt = _count_of(usage.get("promptTokenCount")) + _count_of(usage.get("toolUsePromptTokenCount"))
    prompt = max(prompt, least.input_tokens)
    return Usage(
        input_tokens=prompt,
        output_tokens=max(_count_of(usage.get("candidatesTokenCount")) + thoughts, least.output_tokens),
        cached_tokens=min(max(_count_of(usage.get("cachedContentTokenCount")), least.cached_tokens), prompt),
        reasoning_tokens=max(thoughts, least.reasoning_tokens),
    )


def _count_of(value: object) -> int:
    return max(0, int(value)) if isinstance(value, (int, float)) else 0


def _damaged(data: bytes) -> Any:
    """Once more, forgiving broken characters: halves of UTF-8 sequences and of surrogate pairs."""
    try:
        return _mended(json.loads(data.decode("utf-8", "replace")))
    except (ValueError, RecursionError) as error:
        raise ProviderError(ErrorKind.MALFORMED, f"no JSON in the answer ({len(data)} bytes)") from error


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {key: _mended(each) for key, each in value.items()}
    return [_mended(each) for each in value] if isinstance(value, list) else value
