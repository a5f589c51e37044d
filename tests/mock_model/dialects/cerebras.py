"""Cerebras: OpenAI's chat completions with time_info, usage in the last chunk, and rules of its own.

Shapes: cerebras-cloud-sdk 1.91, types/chat/chat_completion.py; Cerebras docs, "Error codes", "Service tiers", 2026-11.
The exact words of the refusals are believed; status and code are what a client goes by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.mock_model.behaviour import Behaviour
from tests.mock_model.config import Config
from tests.mock_model.connection import Http
from tests.mock_model.dialects import cerebras_rules
from tests.mock_model.dialects.base import Problem, Refusal
from tests.mock_model.dialects.openai import OpenAI, OpenAILines, finish, usage, whole
from tests.mock_model.wire import Ask, Lines, dumps

ERRORS: Mapping[int, tuple[str, str, str, str]] = {
    400: ("invalid_request_error", "wrong_api_format", "body", "The request is not valid."),
    401: ("invalid_request_error", "wrong_api_key", "api_key", "Wrong API Key"),
    402: ("payment_required_error", "payment_required", "quota", "Payment required to continue."),
    403: ("permission_denied_error", "permission_denied", "", "The key may not use this."),
    404: ("not_found_error", "model_not_found", "model", "Model does not exist or you do not have access to it."),
    408: ("request_timeout_error", "request_timeout", "", "The request took too long to arrive."),
    413: ("invalid_request_error", "request_too_large", "", "The request is too large."),
    422: ("invalid_request_error", "wrong_api_format", "body", "The request cannot be processed."),
    429: (
        "too_many_requests_error",
        "request_quota_exceeded",
        "quota",
        "Requests per minute limit exceeded - too many requests sent.",
    ),
    500: ("server_error", "internal_error", "", "Encountered a server error, please try again."),
    503: ("server_error", "service_unavailable", "", "The service is temporarily overloaded."),
}  # fmt: skip

PROBLEMS: Mapping[Problem, Refusal] = {
    Problem.NO_QUOTA: Refusal(402),
    Problem.TOO_LONG: Refusal(
        400,
        {
            "code": "context_length_exceeded",
            "param": "messages",
            "message": "Please reduce the length of the messages or completion. Current length is 70000 while limit is 65536",
        },
    ),
    Problem.NO_MODEL: Refusal(404),
    Problem.WRONG_KEY: Refusal(401),
    Problem.FILTERED: Refusal(400, {"code": "content_filter", "message": "The prompt was filtered."}),
    Problem.OVERLOADED: Refusal(503),
}


class Cerebras(OpenAI):
    """Strict about its rules: see cerebras_rules."""

    def refuse(self, http: Http, body: Any, config: Config) -> Refusal | None:
        usual = super().refuse(http, body, config)
        if usual is not None or not config.strict:
            return usual
        return cerebras_rules.broken(body) or cerebras_rules.queue(http.headers, body, config)

    def lines(self, behaviour: Behaviour, ask: Ask) -> Lines:
        return CerebrasLines(behaviour, ask)

    def whole(self, behaviour: Behaviour, ask: Ask) -> bytes:
        if not thinks(ask):
            behaviour = quiet(behaviour)
        return dumps(whole(behaviour, ask) | {"time_info": time_info(behaviour)}).encode()

    def error(self, status: int, given: Mapping[str, Any]) -> bytes:
        return dumps(error_fields(status, given)).encode()

    def problem(self, problem: Problem) -> Refusal:
        return PROBLEMS[problem]


def error_fields(status: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of an error: flat, without an `error` around it."""
    kind, code, param, message = ERRORS.get(status, ("server_error", "", "", f"Status {status}"))
    return {"message": message, "type": kind, "param": param, "code": code} | dict(given)


def thinks(ask: Ask) -> bool:
    """Whether the request leaves reasoning on and visible."""
    body = ask.body
    is_off = bool(body.get("disable_reasoning")) or body.get("reasoning_effort") == "none"
    return not is_off and body.get("reasoning_format") != "hidden"


def quiet(behaviour: Behaviour) -> Behaviour:
    """The same answer without thoughts."""
    return replace(behaviour, reasoning="")


def time_info(behaviour: Behaviour) -> dict[str, float]:
    """Seconds of each phase."""
    queue, prompt, completion = behaviour.queue_time, behaviour.prompt_time, 0.01
    return {
        "queue_time": queue,
        "prompt_time": prompt,
        "completion_time": completion,
        "total_time": queue + prompt + completion,
        "created": 1_795_000_000.0,
    }


class CerebrasLines(OpenAILines):
    """Tool calls come whole; the last chunk has the finish reason, usage and time_info together."""

    def __init__(self, behaviour: Behaviour, ask: Ask) -> None:
        super().__init__(behaviour, ask)
        self._thinks = thinks(ask)
        self._is_raw = ask.body.get("reasoning_format") == "raw"
        self._in_thought = False

    def reasoning(self, piece: str) -> bytes:
        if not self._thinks:
            return b""
        if not self._is_raw:
            return super().reasoning(piece)
        opening = "" if self._in_thought else "<think>"
        self._in_thought = True
        return super().text(opening + piece)

    def text(self, piece: str) -> bytes:
        if self._in_thought:
            self._in_thought = False
            piece = "</think>" + piece
        return super().text(piece)

    def tool_calls(self) -> Iterator[bytes]:
        for index, call in enumerate(self._behaviour.tool_calls):
            function = {"name": call.name, "arguments": call.arguments}
            whole_call = {"index": index, "id": call.id, "type": "function", "function": function}
            yield self.delta(f'"tool_calls":[{dumps(whole_call)}]'.encode())

    def ending(self, sent: int) -> bytes:
        choice = {"index": 0, "delta": {}, "finish_reason": finish(self._behaviour)}
        body = self._head + b',"choices":[' + dumps(choice).encode() + b"]"
        if self._behaviour.usage:
            counted = usage(self._behaviour, self._ask, sent)
            body += b',"usage":' + dumps(counted).encode()
            body += b',"time_info":' + dumps(time_info(self._behaviour)).encode()
        return self.line(body + b"}") + self.done()

    def error(self) -> bytes:
        status = self._behaviour.error_status
        fields = error_fields(status, self._behaviour.error or {})
        return self.line(dumps({"error": fields, "status_code": status}).encode())
