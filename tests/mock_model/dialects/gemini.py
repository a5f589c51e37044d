"""Gemini's own API: POST /v1beta/models/{model}:streamGenerateContent?alt=sse and :generateContent.

Shapes: Gemini API reference, "Generating content", "Caching", "Thinking", 2026-11. Streams have no end mark: the last
chunk is the one with a finishReason. Thoughts come only where thinkingConfig.includeThoughts asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.mock_model.behaviour import Behaviour, words
from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects import gemini_rules
from tests.mock_model.dialects.base import Problem, Refusal, tokens_of
from tests.mock_model.wire import Ask, Lines, dumps, thought, total, written

ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    408: ("DEADLINE_EXCEEDED", "The request took too long to arrive."),
    413: ("INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
    422: ("INVALID_ARGUMENT", "The request cannot be processed."),
    429: ("RESOURCE_EXHAUSTED", "You exceeded the requests per minute."),
    500: ("INTERNAL", "An internal error has occurred."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}
"""Docs, "Troubleshooting guide", 2026-11."""

_BAD_KEY = {
    "message": "API key not valid. Please pass a valid API key.",
    "details": [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
    ],
}
_DAILY = {
    "message": "You exceeded your current quota, please check your plan and billing details.",
    "details": [
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}],
        }
    ],
}
PROBLEMS: Mapping[Problem, Refusal] = {
    Problem.NO_QUOTA: Refusal(429, _DAILY),
    Problem.TOO_LONG: Refusal(
        400,
        {
            "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
        },
    ),
    Problem.NO_MODEL: Refusal(
        404,
        {
            "message": "models/gone is not found for API version v1beta, or is not supported for generateContent."
        },
    ),
    Problem.WRONG_KEY: Refusal(400, _BAD_KEY),
    Problem.FILTERED: Refusal(400, {"message": "The prompt was blocked: PROHIBITED_CONTENT"}),
    Problem.OVERLOADED: Refusal(503),
}

FINISH_REASONS: Mapping[str, str] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "context": "MAX_TOKENS",
}


class Gemini:
    """Strict about its rules: see gemini_rules."""

    def key(self, http: Http) -> tuple[str, str]:
        value = http.headers.get("x-goog-api-key", "")
        if value:
            return "x-goog-api-key", value
        given = http.query.get("key", "")
        return ("query", given) if given else ("", "")

    def user_text(self, body: Any) -> str:
        contents = body.get("contents") if isinstance(body, dict) else None
        for content in reversed(contents if isinstance(contents, list) else []):
            if isinstance(content, dict) and content.get("role", "user") == "user":
                parts = [part for part in content.get("parts") or [] if isinstance(part, dict)]
                if text := "".join(str(part.get("text", "")) for part in parts):
                    return text
        return ""

    def refuse(self, http: Http, body: Any, config: Config) -> Refusal | None:
        model = model_of(http.path)
        wrong = gemini_rules.broken(model, body) if config.strict else None
        if wrong is not None:
            return Refusal(400, {"message": wrong})
        if config.strict_models and model not in config.models:
            text = f"models/{model} is not found for API version v1beta, or is not supported for generateContent."
            return Refusal(404, {"message": text})
        return None

    def ask(self, http: Http, body: Mapping[str, Any], number: int, marker: str) -> Ask:
        streams = http.path.endswith(":streamGenerateContent")
        return Ask(
            number=number,
            model=model_of(http.path),
            marker=marker,
            stream=streams and http.query.get("alt") == "sse",
            include_usage=True,
            prompt_tokens=tokens_of(http.raw),
            body={**body, " list": streams},  # a stream without alt=sse is one JSON array
        )

    def lines(self, behaviour: Behaviour, ask: Ask) -> Lines:
        return GeminiLines(behaviour, ask)

    def whole(self, behaviour: Behaviour, ask: Ask) -> bytes:
        deltas = list(words(behaviour, ask.marker))
        lines = GeminiLines(behaviour, ask)
        parts: list[dict[str, Any]] = []
        if behaviour.reasoning and lines.shows_thoughts:
            parts.append({"text": behaviour.reasoning, "thought": True})
        if deltas:
            parts.append({"text": "".join(deltas)})
        parts.extend(lines.calls())
        if behaviour.blocked is not None:
            answer = lines.blocked()
        else:
            answer = lines.chunk(parts, len(deltas), finish_reason(behaviour))
        return dumps([answer] if ask.body.get(" list") else answer).encode()

    def error(self, status: int, given: Mapping[str, Any]) -> bytes:
        return error_body(status, given)

    def problem(self, problem: Problem) -> Refusal:
        return PROBLEMS[problem]


def model_of(path: str) -> str:
    """The model that a path names."""
    return path.rpartition("/")[2].partition(":")[0]


def error_body(status: int, given: Mapping[str, Any]) -> bytes:
    """The error object of Google's APIs. A wrong key is a 400 there, so 401 is played as they do."""
    name, message = ERRORS.get(status, ("UNKNOWN", f"Status {status}"))
    return dumps({"error": {"code": status, "message": message, "status": name} | dict(given)}).encode()


def finish_reason(behaviour: Behaviour) -> str:
    """The finishReason that the answer ends with."""
    said = behaviour.finish or "stop"
    return FINISH_REASONS.get(said, said)


class GeminiLines:
    """The chunks of one answer; each has the usage counted up to it."""

    def __init__(self, behaviour: Behaviour, ask: Ask) -> None:
        self._behaviour, self._ask = behaviour, ask
        self._newline = behaviour.newline.encode()
        self._sent = 0
        thinking = (ask.body.get("generationConfig") or {}).get("thinkingConfig") or {}
        self.shows_thoughts = bool(thinking.get("includeThoughts"))
        self._signature = behaviour.signature if behaviour.signature is not None else "c2lnbmF0dXJl"
        self._is_signed = behaviour.signature is not None or bool(behaviour.reasoning)

    def begin(self) -> bytes:
        return self.line(self.blocked()) if self._behaviour.blocked is not None else b""

    def reasoning(self, piece: str) -> bytes:
        if not self.shows_thoughts:
            return b""
        return self.line(self.chunk([{"text": piece, "thought": True}], 0))

    def text(self, piece: str) -> bytes:
        if self._behaviour.blocked is not None:
            return b""
        self._sent += 1
        return self.line(self.chunk([{"text": piece}], self._sent))

    def tool_calls(self) -> Iterator[bytes]:
        for part in self.calls():
            yield self.line(self.chunk([part], self._sent))

    def ending(self, sent: int) -> bytes:
        if self._behaviour.blocked is not None:
            return b""
        last: dict[str, Any] = {"text": ""}
        if self._is_signed and not self._behaviour.tool_calls:
            last["thoughtSignature"] = self._signature
        return self.line(self.chunk([last], sent, finish_reason(self._behaviour)))

    def error(self) -> bytes:
        return self._data(error_body(self._behaviour.error_status, self._behaviour.error or {}))

    def malformed(self) -> bytes:
        return self._data(b'{"candidates":[{"content":{"parts":[{"text":"bro')

    def blocked(self) -> dict[str, Any]:
        """The only chunk where the prompt itself is refused."""
        feedback = {"promptFeedback": {"blockReason": self._behaviour.blocked}}
        return feedback | self._tail(0)

    def calls(self) -> list[dict[str, Any]]:
        """The parts of the tool calls; the first one is signed."""
        parts: list[dict[str, Any]] = []
        for call in self._behaviour.tool_calls:
            given = {"name": call.name, "args": json.loads(call.arguments)}
            if call.id:
                given["id"] = call.id
            parts.append({"functionCall": given})
        if parts:
            parts[0]["thoughtSignature"] = self._signature
        return parts

    def chunk(self, parts: list[dict[str, Any]], sent: int, finish: str = "") -> dict[str, Any]:
        """One piece of the answer."""
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate]} | self._tail(sent, is_last=bool(finish))

    def line(self, chunk: Mapping[str, Any]) -> bytes:
        """One event."""
        return self._data(dumps(chunk).encode())

    def _data(self, data: bytes) -> bytes:
        return b"data: " + data + self._newline * 2

    def _tail(self, sent: int, *, is_last: bool = False) -> dict[str, Any]:
        tail: dict[str, Any] = {"modelVersion": self._ask.model, "responseId": f"resp-{self._ask.number}"}
        if self._behaviour.usage:
            tail["usageMetadata"] = self._usage(written(self._behaviour, sent) if is_last else sent)
        return tail

    def _usage(self, out: int) -> dict[str, Any]:
        prompt, thoughts = total(self._behaviour, self._ask), thought(self._behaviour)
        counted: dict[str, Any] = {
            "promptTokenCount": prompt,
            "totalTokenCount": prompt + out + thoughts,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
        }
        if out:
            counted["candidatesTokenCount"] = out
        if thoughts:
            counted["thoughtsTokenCount"] = thoughts
        if self._behaviour.cached_tokens:
            counted["cachedContentTokenCount"] = self._behaviour.cached_tokens
        return counted
