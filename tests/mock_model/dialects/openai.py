"""OpenAI's chat completions: what most servers, local ones too, speak.

Shapes: OpenAI API reference, "Create chat completion" and "Streaming", 2026-11.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from tests.mock_model.behaviour import Behaviour, words
from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects import openai_rules
from tests.mock_model.dialects.base import Problem, Refusal, bearer, tokens_of
from tests.mock_model.servers import Kind
from tests.mock_model.wire import Ask, Lines, dumps, pieces, thought, total, written

ERRORS: Mapping[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "The request is not valid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: ("insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    403: ("invalid_request_error", "permission_denied", "The key may not use this model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    408: ("invalid_request_error", None, "The request took too long to arrive."),
    413: ("invalid_request_error", "request_too_large", "The request is too large."),
    422: ("invalid_request_error", None, "The request cannot be processed."),
    429: ("rate_limit_error", "rate_limit_exceeded", "Rate limit reached."),
    500: ("server_error", None, "The server had an error while processing your request."),
    502: ("server_error", None, "Bad gateway."),
    503: ("server_error", "overloaded", "The engine is currently overloaded."),
    504: ("server_error", None, "Gateway timeout."),
    529: ("overloaded_error", "overloaded_error", "Overloaded"),
}

PROBLEMS: Mapping[Problem, Refusal] = {
    Problem.NO_QUOTA: Refusal(429, {"code": "insufficient_quota", "type": "insufficient_quota"}),
    Problem.TOO_LONG: Refusal(
        400,
        {
            "code": "context_length_exceeded",
            "message": "This model's maximum context length is 8192 tokens.",
            "param": "messages",
        },
    ),
    Problem.NO_MODEL: Refusal(404),
    Problem.WRONG_KEY: Refusal(401),
    Problem.FILTERED: Refusal(400, {"code": "content_filter", "message": "The prompt was filtered."}),
    Problem.OVERLOADED: Refusal(503),
}


class OpenAI:
    """The dialect as OpenAI and most of those who speak it behave."""

    def key(self, http: Http) -> tuple[str, str]:
        return bearer(http)

    def user_text(self, body: Any) -> str:
        return last_user_text(body)

    def refuse(self, http: Http, body: Any, config: Config) -> Refusal | None:
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return Refusal(400, {"message": "'messages' must be a list", "param": "messages"})
        if config.strict_models and str(body.get("model", "")) not in config.models:
            return Refusal(404)
        if config.kind is not Kind.OPENAI or not config.strict or not _may_break_rules(http.raw):
            return None
        wrong = openai_rules.broken(body)
        return Refusal(400, {"param": wrong[0], "message": wrong[1]}) if wrong else None

    def ask(self, http: Http, body: Mapping[str, Any], number: int, marker: str) -> Ask:
        options = body.get("stream_options") or {}
        return Ask(
            number=number,
            model=str(body.get("model", "")),
            marker=marker,
            stream=bool(body.get("stream")),
            include_usage=bool(options.get("include_usage")),
            prompt_tokens=tokens_of(http.raw),
            body=body,
        )

    def lines(self, behaviour: Behaviour, ask: Ask) -> Lines:
        return OpenAILines(behaviour, ask)

    def whole(self, behaviour: Behaviour, ask: Ask) -> bytes:
        return json.dumps(whole(behaviour, ask), ensure_ascii=False).encode()

    def error(self, status: int, given: Mapping[str, Any]) -> bytes:
        return error_body(status, given)

    def problem(self, problem: Problem) -> Refusal:
        return PROBLEMS[problem]


def _may_break_rules(raw: bytes) -> bool:
    """Looking for two words is free; reading every message of ten thousand prompts is not."""
    return b'"tool' in raw or b'"response_format' in raw


def error_body(status: int, given: Mapping[str, Any]) -> bytes:
    """The error object as OpenAI shapes it."""
    kind, code, message = ERRORS.get(status, ("server_error", None, f"Status {status}"))
    error = {"message": message, "type": kind, "param": None, "code": code} | dict(given)
    return json.dumps({"error": error}).encode()


def usage(behaviour: Behaviour, ask: Ask, sent: int) -> dict[str, Any]:
    """The usage object; prompt_tokens includes the cached ones, as OpenAI counts."""
    prompt, out = total(behaviour, ask), written(behaviour, sent)
    read: dict[str, Any] = {"cached_tokens": behaviour.cached_tokens}
    if behaviour.cache_write_tokens:
        read["cache_write_tokens"] = behaviour.cache_write_tokens
    details: dict[str, Any] = {"reasoning_tokens": thought(behaviour)}
    if ask.body.get("prediction"):
        details |= {
            "accepted_prediction_tokens": behaviour.accepted_tokens,
            "rejected_prediction_tokens": behaviour.rejected_tokens,
        }
    return {
        "prompt_tokens": prompt,
        "completion_tokens": out,
        "total_tokens": prompt + out,
        "prompt_tokens_details": read,
        "completion_tokens_details": details,
    }


def whole(behaviour: Behaviour, ask: Ask) -> dict[str, Any]:
    """An answer that is not streamed."""
    deltas = list(words(behaviour, ask.marker))
    message: dict[str, Any] = {"role": "assistant", "content": "".join(deltas)}
    if behaviour.reasoning:
        message[behaviour.reasoning_field] = behaviour.reasoning
    if behaviour.tool_calls:
        message["content"] = message["content"] or None
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in behaviour.tool_calls
        ]
    answer = head(ask, "chat.completion") | {
        "choices": [{"index": 0, "message": message, "finish_reason": finish(behaviour)}]
    }
    if behaviour.usage:
        answer["usage"] = usage(behaviour, ask, len(deltas))
    return answer


def finish(behaviour: Behaviour) -> str:
    """The finish_reason that the answer ends with."""
    return behaviour.finish or ("tool_calls" if behaviour.tool_calls else "stop")


def head(ask: Ask, kind: str) -> dict[str, Any]:
    """The fields that every chunk of an answer has."""
    return {
        "id": f"chatcmpl-{ask.number}",
        "object": kind,
        "created": int(time.time()),
        "model": ask.model,
        "system_fingerprint": "fp_mock",
    }


def last_user_text(body: Any) -> str:
    """The text of the last message with the role "user"."""
    messages = body.get("messages") if isinstance(body, dict) else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                return "".join(str(one.get("text", "")) for one in content if isinstance(one, dict))
            return str(content)
    return ""


class OpenAILines:
    """The `data:` lines of one answer; the JSON around a delta is made once."""

    def __init__(self, behaviour: Behaviour, ask: Ask) -> None:
        self._behaviour, self._ask = behaviour, ask
        self._newline = behaviour.newline.encode()
        self._head = dumps(head(ask, "chat.completion.chunk"))[:-1].encode()
        self._before = b"data: " + self._head + b',"choices":[{"index":0,"delta":{'
        self._after = b'},"finish_reason":null}]}' + self._newline * 2

    def begin(self) -> bytes:
        return self.delta(b'"role":"assistant","content":""')

    def reasoning(self, piece: str) -> bytes:
        return self.delta(f'"{self._behaviour.reasoning_field}":{dumps(piece)}'.encode())

    def text(self, piece: str) -> bytes:
        return self.delta(f'"content":{dumps(piece)}'.encode())

    def tool_calls(self) -> Iterator[bytes]:
        for index, call in enumerate(self._behaviour.tool_calls):
            function = {"name": call.name, "arguments": ""}
            first = {"index": index, "id": call.id, "type": "function", "function": function}
            yield self.delta(f'"tool_calls":[{dumps(first)}]'.encode())
            for piece in pieces(call.arguments):
                more = {"index": index, "function": {"arguments": piece}}
                yield self.delta(f'"tool_calls":[{dumps(more)}]'.encode())

    def ending(self, sent: int) -> bytes:
        choice = {"index": 0, "delta": {}, "finish_reason": finish(self._behaviour)}
        body = self.line(self._head + b',"choices":[' + dumps(choice).encode() + b"]}")
        if self._behaviour.usage and self._ask.include_usage:
            numbers = dumps(usage(self._behaviour, self._ask, sent)).encode()
            body += self.line(self._head + b',"choices":[],"usage":' + numbers + b"}")
        return body + self.done()

    def error(self) -> bytes:
        return self.line(error_body(self._behaviour.error_status, self._behaviour.error or {}))

    def malformed(self) -> bytes:
        return self.line(self._head + b',"choices":[{"delta":{"content":"bro')

    def done(self) -> bytes:
        """The end mark."""
        return self.line(b"[DONE]") if self._behaviour.done else b""

    def line(self, body: bytes) -> bytes:
        """One event."""
        return b"data: " + body + self._newline * 2

    def delta(self, content: bytes) -> bytes:
        """One chunk of the answer."""
        return self._before + content + self._after
