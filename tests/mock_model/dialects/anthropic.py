"""Anthropic's Messages API: POST /v1/messages, answered with named events.

Shapes: Anthropic docs, "Messages" and "Streaming messages", and the types of anthropic 2.11, 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.mock_model.behaviour import Behaviour, words
from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects import anthropic_rules
from tests.mock_model.dialects.base import Problem, Refusal, bearer, tokens_of
from tests.mock_model.wire import Ask, Lines, dumps, pieces, thought, total, written

ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "The request is not valid."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "There is a problem with your billing."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "Not found"),
    408: ("timeout_error", "The request took too long to arrive."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    422: ("invalid_request_error", "The request cannot be processed."),
    429: ("rate_limit_error", "This request would exceed your account's rate limit."),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "The request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
"""Docs, "Errors", 2026-11."""

PROBLEMS: Mapping[Problem, Refusal] = {
    Problem.NO_QUOTA: Refusal(
        400, {"message": "Your credit balance is too low to access the Anthropic API."}
    ),
    Problem.TOO_LONG: Refusal(400, {"message": "prompt is too long: 210000 tokens > 200000 maximum"}),
    Problem.NO_MODEL: Refusal(404, {"message": "model: claude-gone"}),
    Problem.WRONG_KEY: Refusal(401),
    Problem.FILTERED: Refusal(400, {"message": "Output blocked by content filtering policy"}),
    Problem.OVERLOADED: Refusal(529),
}

STOP_REASONS: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "context": "model_context_window_exceeded",
}
_FIVE_MINUTES, _HOUR = "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"


class Anthropic:
    """Strict about its rules: see anthropic_rules."""

    def key(self, http: Http) -> tuple[str, str]:
        value = http.headers.get("x-api-key", "")
        return ("x-api-key", value) if value else bearer(http)

    def user_text(self, body: Any) -> str:
        messages = body.get("messages") if isinstance(body, dict) else None
        for message in reversed(messages if isinstance(messages, list) else []):
            if isinstance(message, dict) and message.get("role") == "user":
                text = text_of(message.get("content"))
                if text:  # a message of tool results says nothing
                    return text
        return ""

    def refuse(self, http: Http, body: Any, config: Config) -> Refusal | None:
        if not http.headers.get("anthropic-version"):
            return Refusal(400, {"message": "anthropic-version: header is required"})
        wrong = anthropic_rules.broken(body) if config.strict else None
        if wrong is not None:
            return Refusal(400, {"message": wrong})
        if config.strict_models and body["model"] not in config.models:
            return Refusal(404, {"message": f"model: {body['model']}"})
        return None

    def ask(self, http: Http, body: Mapping[str, Any], number: int, marker: str) -> Ask:
        return Ask(
            number=number,
            model=str(body.get("model", "")),
            marker=marker,
            stream=bool(body.get("stream")),
            include_usage=True,
            prompt_tokens=tokens_of(http.raw),
            body=body,
        )

    def lines(self, behaviour: Behaviour, ask: Ask) -> Lines:
        return AnthropicLines(behaviour, ask)

    def whole(self, behaviour: Behaviour, ask: Ask) -> bytes:
        content: list[dict[str, Any]] = []
        deltas = [] if _warms(ask) else list(words(behaviour, ask.marker))
        if behaviour.reasoning and not _warms(ask):
            block = {"type": "thinking", "thinking": _shown(behaviour, ask)}
            content.append(block | {"signature": _signature(behaviour)})
        if deltas:
            content.append({"type": "text", "text": "".join(deltas)})
        for call in behaviour.tool_calls if not _warms(ask) else ():
            given = json.loads(call.arguments)
            content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": given})
        stop = "max_tokens" if _warms(ask) else stop_reason(behaviour)
        message = _message(ask, content) | {
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage(behaviour, ask) | {"output_tokens": written(behaviour, len(deltas))},
        }
        return dumps(message).encode()

    def error(self, status: int, given: Mapping[str, Any]) -> bytes:
        return error_body(status, given)

    def problem(self, problem: Problem) -> Refusal:
        return PROBLEMS[problem]


def text_of(content: Any) -> str:
    """The text of a message's content."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(str(b.get("text", "")) for b in blocks if isinstance(b, dict) and b.get("type") == "text")


def error_body(status: int, given: Mapping[str, Any]) -> bytes:
    """The error envelope."""
    kind, message = ERRORS.get(status, ("api_error", f"Status {status}"))
    error = {"type": kind, "message": message} | dict(given)
    return dumps({"type": "error", "error": error, "request_id": "req_mock"}).encode()


def stop_reason(behaviour: Behaviour) -> str:
    """The stop_reason that the answer ends with."""
    said = behaviour.finish or ("tool_calls" if behaviour.tool_calls else "stop")
    return STOP_REASONS.get(said, said)


def usage(behaviour: Behaviour, ask: Ask) -> dict[str, Any]:
    """Tokens of the prompt: input_tokens is what was neither read from the cache nor written to it."""
    short, long = behaviour.cache_write_tokens, behaviour.cache_write_1h_tokens
    return {
        "input_tokens": total(behaviour, ask) - behaviour.cached_tokens - short - long,
        "cache_creation_input_tokens": short + long,
        "cache_read_input_tokens": behaviour.cached_tokens,
        "cache_creation": {_FIVE_MINUTES: short, _HOUR: long},
        "service_tier": "standard",
    }


def _warms(ask: Ask) -> bool:
    """`max_tokens: 0` fills the cache and generates nothing."""
    return ask.body.get("max_tokens") == 0


def _shown(behaviour: Behaviour, ask: Ask) -> str:
    display = (ask.body.get("thinking") or {}).get("display")
    return "" if display == "omitted" else behaviour.reasoning


def _signature(behaviour: Behaviour) -> str:
    return behaviour.signature if behaviour.signature is not None else "c2lnbmF0dXJlIG1hZGUgdXA="


def _message(ask: Ask, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_{ask.number}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": content,
    }


class AnthropicLines:
    """The events of one answer. A block is begun with its first piece and ended before the next one."""

    def __init__(self, behaviour: Behaviour, ask: Ask) -> None:
        self._behaviour, self._ask = behaviour, ask
        self._newline = behaviour.newline.encode()
        self._block = ""
        self._index = -1
        self._before = self._after = b""

    def begin(self) -> bytes:
        head = _message(self._ask, []) | {"stop_reason": None, "stop_sequence": None}
        head["usage"] = usage(self._behaviour, self._ask) | {"output_tokens": 1}
        return self._event("message_start", {"message": head}) + self._event("ping", {})

    def reasoning(self, piece: str) -> bytes:
        start = self._open("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if not _shown(self._behaviour, self._ask):
            return start
        return start + self._delta({"type": "thinking_delta", "thinking": piece})

    def text(self, piece: str) -> bytes:
        if self._block == "text":
            return self._before + dumps(piece).encode() + self._after
        start = self._open("text", {"type": "text", "text": ""})
        event = f'{{"type":"content_block_delta","index":{self._index},"delta":{{"type":"text_delta","text":'
        self._before = b"event: content_block_delta" + self._newline + b"data: " + event.encode()
        self._after = b"}}" + self._newline * 2
        return start + self.text(piece)

    def tool_calls(self) -> Iterator[bytes]:
        for call in self._behaviour.tool_calls:
            block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            yield self._open(f"tool {call.id}", block) + self._part("")
            for piece in pieces(call.arguments):
                yield self._part(piece)

    def ending(self, sent: int) -> bytes:
        ended = self._close()
        stop = stop_reason(self._behaviour)
        delta: dict[str, Any] = {"stop_reason": stop, "stop_sequence": None}
        if stop == "refusal":
            delta["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
        counted = written(self._behaviour, sent)
        used: dict[str, Any] = {"output_tokens": counted}
        if thoughts := thought(self._behaviour):
            used = {"output_tokens": counted + thoughts}
            used["output_tokens_details"] = {"thinking_tokens": thoughts}
        if self._behaviour.usage:
            ended += self._event("message_delta", {"delta": delta, "usage": used})
        else:
            ended += self._event("message_delta", {"delta": delta, "usage": {"output_tokens": 0}})
        return ended + self.done()

    def error(self) -> bytes:
        status = 529 if self._behaviour.error_status == 503 else self._behaviour.error_status
        body = error_body(status, self._behaviour.error or {})
        return self._raw("error", body)

    def malformed(self) -> bytes:
        return self._raw("content_block_delta", b'{"type":"content_block_delta","index":0,"delta":{"te')

    def done(self) -> bytes:
        """The end mark."""
        return self._event("message_stop", {}) if self._behaviour.done else b""

    def _open(self, name: str, block: Mapping[str, Any]) -> bytes:
        if self._block == name:
            return b""
        ended = self._close()
        self._index += 1
        self._block = name
        started = {"index": self._index, "content_block": block}
        return ended + self._event("content_block_start", started)

    def _close(self) -> bytes:
        if not self._block:
            return b""
        signed = b""
        if self._block == "thinking":
            signed = self._delta({"type": "signature_delta", "signature": _signature(self._behaviour)})
        self._block = ""
        return signed + self._event("content_block_stop", {"index": self._index})

    def _part(self, piece: str) -> bytes:
        return self._delta({"type": "input_json_delta", "partial_json": piece})

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return self._event("content_block_delta", {"index": self._index, "delta": delta})

    def _event(self, name: str, fields: Mapping[str, Any]) -> bytes:
        return self._raw(name, dumps({"type": name} | dict(fields)).encode())

    def _raw(self, name: str, data: bytes) -> bytes:
        return b"event: " + name.encode() + self._newline + b"data: " + data + self._newline * 2
