"""Reads an answer of OpenAI's chat completions: a body's bytes in, stream events out. Pure.

Source: OpenAI API reference, chat completions and streaming, 2026-11; where servers differ, the place says which.
"""

from __future__ import annotations

import hashlib
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
    ToolCallDelta,
    Usage,
    UsageSoFar,
)
from providers.errors import ErrorKind, ProviderError
from providers.failures import error_from_object
from providers.openai_memo import FIELD, Keeper
from providers.sse import Parser, ServerEvent
from providers.thinking import ThinkSplitter

MAX_WHOLE_BYTES = 8 * 1024 * 1024
"""An answer that comes as one JSON object may be this long."""

_FINISH: Mapping[str, FinishReason] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.CONTEXT,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "tool_use": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    "safety": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.CONTENT_FILTER,
}


class AnswerReader:
    """A body's bytes in, stream events out. Feed it every chunk, then `close` it; it raises nothing.

    Takes an event stream or one JSON object, whichever the bytes turn out to be. `failure` says what is wrong:
    an error object by its code and type, MALFORMED for bytes that are neither, INCOMPLETE when the body is over
    and no finish reason came. A damaged character inside a text that is otherwise whole becomes U+FFFD: one wrong
    glyph is less than a lost answer. `ref`: the model that is asked, where thoughts may be wanted back.
    """

    def __init__(self, request_id: str = "", scrub: Callable[[str], str] = str, ref: str = "") -> None:
        self.is_ending = False
        """The finish reason is there; what may still come is usage and the end mark."""
        self.is_over = False
        """Finished has been handed out."""
        self.failure: ProviderError | None = None
        """Why there will be no Finished; the events before it have been handed out."""
        self._request_id = request_id
        self._scrub = scrub
        self._parser = Parser()
        self._think = ThinkSplitter()
        self._head: bytes | None = b""
        self._whole: bytearray | None = None
        self._out: list[StreamEvent] = []
        self._words: list[str] = []
        self._is_started = False
        self._answer_id = ""
        self._usage: Usage | None = None
        self._queued: float | None = None
        self._finish = ""
        self._tools: dict[int, str] = {}
        self._keeper = Keeper(ref) if ref else None
        self._mends = False
        self._half = ""

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """The events that this chunk completes."""
        if not self.is_over and self.failure is None:
            try:
                self._take(chunk)
            except ProviderError as error:
                self.failure = error
        return self._taken()

    def close(self) -> list[StreamEvent]:
        """The events that the end of the body completes: Finished, unless it was there already."""
        if not self.is_over and self.failure is None:
            try:
                self._take_end()
            except ProviderError as error:
                self.failure = error
        return self._taken()

    def stop_waiting(self) -> list[StreamEvent]:
        """Finish with what is there: the finish reason came, the end of the body does not."""
        if self.is_ending and not self.is_over:
            self._end()
        return self._taken()

    def _take(self, chunk: bytes) -> None:
        if self._head is not None:
            chunk = self._sniff(chunk)
        if self._whole is None:
            for event in self._parser.feed(chunk):
                if not self.is_over:
                    self._event(event)
            return
        self._whole += chunk
        if len(self._whole) > MAX_WHOLE_BYTES:
            raise ProviderError(ErrorKind.MALFORMED, f"an answer longer than {MAX_WHOLE_BYTES} bytes")

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

    def _taken(self) -> list[StreamEvent]:
        self._say()
        out, self._out = self._out, []
        if self._keeper is not None and not self.is_over:
            self._keeper.note(out)
        return out

    def _say(self, *events: StreamEvent) -> None:
        """Hand out the words that came before these, then these."""
        if self._words:
            self._out += self._think.feed("".join(self._words))
            self._words.clear()
        self._out += events

    def _sniff(self, chunk: bytes) -> bytes:
        """Tell by the first character what the body is; white space alone tells nothing yet."""
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

    def _event(self, event: ServerEvent) -> None:
        data = event.data
        if data == b"[DONE]":
            if self.is_ending:
                self._end()
            return
        if not data:
            return
        value = self._decode(data)
        if event.name in {"error", ""} and not value.get("error"):
            value = {"error": value}
        self._chunk(value)

    def _decode(self, data: bytes) -> dict[str, Any]:
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            value = self._decode_damaged(data)
        if not isinstance(value, dict):
            raise ProviderError(ErrorKind.MALFORMED, f"a {type(value).__name__} instead of an object")
        return value

    def _decode_damaged(self, data: bytes) -> Any:
        """Once more, forgiving broken characters: halves of UTF-8 sequences and of surrogate pairs."""
        try:
            value = json.loads(data.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise ProviderError(ErrorKind.MALFORMED, f"no JSON in the answer ({len(data)} bytes)") from error
        self._mends = True
        return value

    def _chunk(self, value: Mapping[str, Any]) -> None:
        if value.get("error"):
            raise error_from_object(value, self._scrub)
        try:
            choices = value.get("choices")
            if choices is not None and not self._is_started:
                self._start(value)
            if choices:
                self._choice(choices[0])
            if (usage := value.get("usage")) is not None:
                self._count(usage, value.get("time_info") or _timings(value))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ProviderError(ErrorKind.MALFORMED, "an object that is no part of an answer") from error
        if self.is_ending and self._usage is not None:
            self._end()

    def _start(self, value: Mapping[str, Any]) -> None:
        self._is_started = True
        self._answer_id = str(value.get("id") or self._request_id)
        request_id = self._request_id or self._answer_id
        self._say(Started(request_id[:200], str(value.get("model") or "")[:200]))

    def _choice(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta") or choice.get("message")
        if delta:
            self._delta(delta)
        if finish := choice.get("finish_reason"):
            if finish == "error":  # OpenRouter, where the model broke off
                if choice.get("error"):
                    raise error_from_object(choice, self._scrub)
                raise ProviderError(ErrorKind.SERVER, "the model broke off", status=200)
            self._finish = str(finish)[:100]
            self.is_ending = True

    def _delta(self, delta: Mapping[str, Any]) -> None:
        content = delta.get("content")
        if content and type(content) is str:
            self._text(content)
            if len(delta) == 1:  # nearly all of an answer
                return
        elif content:
            self._text(_joined(content, "text"))
            if thoughts := _joined(content, "thinking"):
                self._say(ReasoningDelta(thoughts))
        # `reasoning`: Cerebras, OpenRouter, vLLM; `reasoning_content`: llama.cpp, LM Studio, DeepSeek
        if reasoning := delta.get("reasoning") or delta.get("reasoning_content"):
            self._say(ReasoningDelta(_text_of(reasoning)))
        if details := delta.get(FIELD):
            self._keep(details, is_new=not reasoning)
        if refusal := delta.get("refusal"):
            self._text(_text_of(refusal))
        for position, call in enumerate(delta.get("tool_calls") or ()):
            self._tool_call(call, position)
        if call := delta.get("function_call"):  # the form before tool_calls
            self._tool_call({"index": 0, "function": call}, 0)

    def _keep(self, details: Any, *, is_new: bool) -> None:
        """Thoughts in the form in which they are to come back; mostly they stand in words beside it."""
        thoughts = self._keeper.add(details) if self._keeper is not None else ""
        if is_new and thoughts:
            self._say(ReasoningDelta(thoughts))

    def _text(self, text: str) -> None:
        if self._mends or self._half:
            text = self._mended(text)
        if text:
            self._words.append(text)

    def _mended(self, text: str) -> str:
        """Join surrogate halves that two chunks carry; a half that stays alone becomes U+FFFD."""
        text = self._half + text
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._half, text = text[-1], text[:-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _tool_call(self, call: Mapping[str, Any], position: int) -> None:
        call_id = str(call.get("id") or "")
        index = call.get("index")
        if not isinstance(index, int):
            index = position
        if call_id and self._tools.get(index, call_id) != call_id:
            index = len(
                self._tools
            )  # another call under an index that is taken: Gemini's compatible endpoint
        is_new = index not in self._tools
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = orjson.dumps(arguments).decode()
        name = str(function.get("name") or "") if is_new else ""
        if is_new:
            self._tools[index] = call_id
            call_id = call_id or self._made_id(index)
        if is_new or arguments:
            self._say(ToolCallDelta(index, call_id if is_new else "", name, arguments))

    def _made_id(self, index: int) -> str:
        """An id where the server gives none (older Ollama, Gemini's endpoint): a result has to name its call."""
        return f"call_{hashlib.blake2b(self._answer_id.encode('utf-8', 'replace'), digest_size=6).hexdigest()}_{index}"

    def _count(self, usage: Mapping[str, Any], times: Mapping[str, Any] | None) -> None:
        counted = read_usage(usage, times)
        if counted != self._usage:
            self._usage = counted
            if not self.is_ending:
                self._say(UsageSoFar(counted))

    def _end(self) -> None:
        if self._half:
            self._words.append("\ufffd")
        self._say()
        self._out += self._think.close()
        if self._keeper is not None:
            self._keeper.note(self._out)
            if memo := self._keeper.memo():
                self._out.append(Memo(memo))
        reason = _FINISH.get(self._finish.lower(), FinishReason.STOP)
        if reason is FinishReason.STOP and self._tools:
            reason = FinishReason.TOOL_CALLS  # Ollama and others say "stop" after a call
        self._out.append(Finished(reason, self._usage, self._finish))
        self.is_over = True

    def _whole_answer(self, body: bytes) -> None:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ProviderError(ErrorKind.INCOMPLETE, f"half an object ({len(body)} bytes)") from error
        if isinstance(value, list):  # Gemini wraps its errors so
            value = value[0] if value else {}
        if not isinstance(value, dict) or not (value.get("choices") or value.get("error")):
            raise ProviderError(ErrorKind.MALFORMED, "an object that is no answer")
        self._chunk(value)

    def _last_lines(self) -> None:
        """What stands behind the last line end: a whole event, or one that was cut."""
        for event in self._parser.close():
            try:
                self._event(event)
            except ProviderError as error:
                if error.kind is not ErrorKind.MALFORMED or not event.name:
                    raise
                if not self.is_ending:
                    raise ProviderError(ErrorKind.INCOMPLETE, "the answer ended inside an event") from error


def read_usage(usage: Mapping[str, Any], times: Mapping[str, Any] | None = None) -> Usage:
    """OpenAI's usage object; `times`: Cerebras' time_info, or llama.cpp's in its words. What is not said counts 0."""
    prompt = usage.get("prompt_tokens_details") or {}
    output = usage.get("completion_tokens_details") or {}
    times = times or {}
    return Usage(
        input_tokens=_count_of(usage.get("prompt_tokens")),
        output_tokens=_count_of(usage.get("completion_tokens")),
        cached_tokens=_count_of(
            prompt.get("cached_tokens")
            or usage.get("prompt_cache_hit_tokens")  # DeepSeek
            or times.get("cached_tokens")
        ),
        reasoning_tokens=_count_of(output.get("reasoning_tokens")),
        cache_write_tokens=_count_of(prompt.get("cache_write_tokens")),
        # both stand inside completion_tokens (OpenAI API reference, 2026-11; assumed of Cerebras, which names them so)
        predicted_tokens=_count_of(output.get("accepted_prediction_tokens")),
        rejected_tokens=_count_of(output.get("rejected_prediction_tokens")),
        queued=_seconds(times.get("queue_time")),
        prompt_time=_seconds(times.get("prompt_time")),
    )


def _timings(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What llama.cpp says beside the usage (tools/server/README.md, 2026-11); its usage leaves the cache out."""
    timings = value.get("timings")
    if not isinstance(timings, dict):
        return None
    spent = timings.get("prompt_ms")
    seconds = spent / 1000 if isinstance(spent, (int, float)) else None
    return {"prompt_time": seconds, "cached_tokens": timings.get("cache_n")}


def _count_of(value: object) -> int:
    return max(0, int(value)) if isinstance(value, (int, float)) else 0


def _seconds(value: object) -> float | None:
    return max(0.0, float(value)) if isinstance(value, (int, float)) else None


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _joined(parts: object, kind: str) -> str:
    """The texts of one kind among content parts (Mistral and some local servers send a list)."""
    if not isinstance(parts, list):
        raise TypeError("content is neither text nor a list")
    texts: list[str] = []
    for part in parts:
        if part.get("type") == kind:
            inner = part.get(kind)
            texts.append(inner if isinstance(inner, str) else _joined(inner, "text"))
    return "".join(texts)
