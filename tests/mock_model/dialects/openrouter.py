"""OpenRouter: OpenAI's chat completions, comments while it looks for a provider, errors inside a 200 stream.

Shapes: OpenRouter docs, "Errors", "Streaming", "Prompt caching", 2026-11.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.mock_model.behaviour import Behaviour
from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects.base import Problem, Refusal
from tests.mock_model.dialects.openai import OpenAI, OpenAILines
from tests.mock_model.wire import Ask, Lines, dumps

MESSAGES: Mapping[int, str] = {
    400: "Invalid request",
    401: "No auth credentials found",
    402: "Insufficient credits. Add more using https://openrouter.ai/credits",
    403: "This API key may not be used for the model",
    404: "No endpoints found for the model.",
    408: "Request timed out",
    413: "Request entity too large",
    429: "Rate limit exceeded",
    502: "Provider returned error",
    503: "No available model provider meets your routing requirements",
}

_FLAGGED = {
    "message": "Your chosen model requires moderation and your input was flagged",
    "metadata": {"reasons": ["violence"], "flagged_input": "...", "provider_name": "OpenAI"},
}
PROBLEMS: Mapping[Problem, Refusal] = {
    Problem.NO_QUOTA: Refusal(402),
    Problem.TOO_LONG: Refusal(
        400,
        {"message": "This endpoint's maximum context length is 8192 tokens. Please reduce the length."},
    ),
    Problem.NO_MODEL: Refusal(404),
    Problem.WRONG_KEY: Refusal(401),
    Problem.FILTERED: Refusal(403, _FLAGGED),
    Problem.OVERLOADED: Refusal(503),
}

MAX_SESSION_CHARS = 256
MAX_MARKS = 4


class OpenRouter(OpenAI):
    """Pins a session, takes cache marks on content blocks."""

    def refuse(self, http: Http, body: Any, config: Config) -> Refusal | None:
        usual = super().refuse(http, body, config)
        if usual is not None or not config.strict:
            return usual
        session = body.get("session_id") or http.headers.get("x-session-id") or ""
        if not isinstance(session, str) or len(session) > MAX_SESSION_CHARS:
            return Refusal(400, {"message": f"session_id: at most {MAX_SESSION_CHARS} characters"})
        if (place := forged(body)) is not None:
            return Refusal(400, {"message": f"messages.{place}: Invalid `signature` in `thinking` block"})
        if marks(body) > MAX_MARKS:
            message = f"A maximum of {MAX_MARKS} blocks with cache_control may be provided."
            return Refusal(400, {"message": message})
        return None

    def lines(self, behaviour: Behaviour, ask: Ask) -> Lines:
        return OpenRouterLines(behaviour, ask)

    def error(self, status: int, given: Mapping[str, Any]) -> bytes:
        return dumps({"error": error_fields(status, given)}).encode()

    def problem(self, problem: Problem) -> Refusal:
        return PROBLEMS[problem]


def marks(body: Mapping[str, Any]) -> int:
    """Content blocks with a cache_control, and the one at the top level."""
    blocks = [
        block
        for message in body.get("messages") or []
        for block in (message.get("content") if isinstance(message.get("content"), list) else [])
    ]
    return sum("cache_control" in block for block in blocks) + ("cache_control" in body)


def signature(thoughts: str) -> str:
    """What a model signs its thoughts with."""
    return f"sig-{hashlib.sha256(thoughts.encode()).hexdigest()[:12]}"


def forged(body: Mapping[str, Any]) -> int | None:
    """The first message whose thoughts came back changed. Docs, "Reasoning tokens": they may not be modified."""
    for place, message in enumerate(body.get("messages") or []):
        for detail in message.get("reasoning_details") or []:
            if detail.get("type") == "reasoning.text" and detail.get("signature") != signature(
                detail["text"]
            ):
                return place
    return None


def error_fields(status: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """The error object: its code is the status."""
    return {"code": status, "message": MESSAGES.get(status, f"Status {status}"), "metadata": {}} | dict(given)


class OpenRouterLines(OpenAILines):
    """Usage comes without being asked for; an error comes as a chunk with the finish reason "error".

    Thoughts come in words and, beside them, as blocks that are to come back; the signature is their last piece.
    """

    _is_signed = False

    def reasoning(self, piece: str) -> bytes:
        words = f'"reasoning":{dumps(piece)},'.encode()
        return self.delta(words + self._detail({"text": piece}))

    def text(self, piece: str) -> bytes:
        return self._sign() + super().text(piece)

    def tool_calls(self) -> Iterator[bytes]:
        yield self._sign()
        yield from super().tool_calls()

    def _sign(self) -> bytes:
        if self._is_signed or not self._behaviour.reasoning:
            return b""
        self._is_signed = True
        return self.delta(self._detail({"text": "", "signature": signature(self._behaviour.reasoning)}))

    def _detail(self, more: Mapping[str, Any]) -> bytes:
        shape = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
        return b'"reasoning_details":' + dumps([shape | dict(more)]).encode()

    def begin(self) -> bytes:
        return b": OPENROUTER PROCESSING" + self._newline * 2 + super().begin()

    def error(self) -> bytes:
        fields = dumps(error_fields(self._behaviour.error_status, self._behaviour.error or {})).encode()
        choice = b'[{"index":0,"delta":{"content":""},"finish_reason":"error"}]'
        return self.line(self._head + b',"error":' + fields + b',"choices":' + choice + b"}")
