"""Answers in OpenAI's words: completions, chunks, lists. Pure. Source: OpenAI API reference, 2026-11."""

from __future__ import annotations

import base64
import json
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from channels.base import ModelChoice, Vectors
from channels.programs import Call, Conclusion, Finish, RouteTaken, Spent

DONE = b"data: [DONE]\n\n"
WAITING = b": waiting\n\n"
"""A comment of the event stream: it keeps the connection open and clients pass it over."""

_FINISH = {
    Finish.STOP: "stop",
    Finish.LENGTH: "length",
    Finish.CALLS: "tool_calls",
    Finish.FILTERED: "content_filter",
}
_HEADER_SAFE = "/:._-+=, "
_MAX_HEADER = 1000


def encode(value: Any) -> bytes:
    """`value` as JSON. A model's odd characters never fail it: halves of characters are escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def event(value: Any) -> bytes:
    """One event of a stream."""
    return b"data: " + encode(value) + b"\n\n"


def headers(route: RouteTaken | None) -> dict[str, str]:
    """The way an answer took, as far as it is known."""
    if route is None:
        return {}
    found = {
        "x-firstword-reason": route.reason,
        "x-firstword-latency": route.latency,
        "x-firstword-attempts": str(route.attempts),
    }
    if route.model:
        found["x-firstword-model"] = route.model
    if route.failed:
        found["x-firstword-failed"] = ", ".join(f"{model}={kind}" for model, kind in route.failed)
    return {name: quote(value, safe=_HEADER_SAFE)[:_MAX_HEADER] for name, value in found.items()}


def usage(conclusion: Conclusion) -> dict[str, Any]:
    """Tokens, and what only this server tells: the way, the time, the price."""
    spent, route = conclusion.spent or Spent(), conclusion.route
    told: dict[str, Any] = {"ttft": conclusion.ttft, "cost_usd": spent.cost_usd}
    if route is not None:
        told |= {
            "model": route.model,
            "reason": route.reason,
            "latency": route.latency,
            "attempts": route.attempts,
            "failed": [{"model": model, "error": kind} for model, kind in route.failed],
        }
    return {
        "prompt_tokens": spent.input_tokens,
        "completion_tokens": spent.output_tokens,
        "total_tokens": spent.input_tokens + spent.output_tokens,
        "prompt_tokens_details": {"cached_tokens": spent.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": spent.reasoning_tokens},
        "firstword": told,
    }


def completion(answer_id: str, created: int, text: str, conclusion: Conclusion) -> dict[str, Any]:
    """A whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
    if conclusion.calls:
        message["tool_calls"] = [_call(call) for call in conclusion.calls]
    elif not text:
        message["content"] = ""
    return {
        "id": answer_id,
        "object": "chat.completion",
        "created": created,
        "model": conclusion.route.model if conclusion.route is not None else "",
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[conclusion.finish]}
        ],
        "usage": usage(conclusion),
    }


@dataclass(frozen=True, slots=True)
class Chunks:
    """The events of one streamed answer. `shows_usage`: the program asked for it at the end."""

    answer_id: str
    created: int
    shows_usage: bool = False

    def first(self, model: str) -> bytes:
        """Who speaks; before any text."""
        return self._chunk(model, {"role": "assistant", "content": "", "refusal": None})

    def text(self, model: str, delta: str) -> bytes:
        """More of the answer."""
        return self._chunk(model, {"content": delta})

    def last(self, model: str, conclusion: Conclusion) -> bytes:
        """Calls, the end and, where it was asked for, the usage."""
        found = b""
        if conclusion.calls:
            calls = [{"index": at, **_call(call)} for at, call in enumerate(conclusion.calls)]
            found += self._chunk(model, {"tool_calls": calls})
        found += self._chunk(model, {}, _FINISH[conclusion.finish])
        if self.shows_usage:
            found += event(self._head(model) | {"choices": [], "usage": usage(conclusion)})
        return found + DONE

    def _head(self, model: str) -> dict[str, Any]:
        return {
            "id": self.answer_id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": model,
        }

    def _chunk(self, model: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = self._head(model) | {"choices": [choice]}
        return event(chunk | {"usage": None} if self.shows_usage else chunk)


def _call(call: Call) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def model_row(choice: ModelChoice, created: int) -> dict[str, Any]:
    """One model, alias or "auto"."""
    owner, slash, _ = choice.ref.partition("/")
    return {
        "id": choice.ref,
        "object": "model",
        "created": created,
        "owned_by": owner if slash else "firstword",
    }


def model_list(choices: Sequence[ModelChoice], created: int) -> dict[str, Any]:
    """What may stand in `model`."""
    return {"object": "list", "data": [model_row(each, created) for each in choices]}


def embeddings(vectors: Vectors, *, is_base64: bool) -> dict[str, Any]:
    """Vectors as numbers, or as their 4-byte floats in base64."""
    rows = [
        {"object": "embedding", "index": at, "embedding": _packed(row) if is_base64 else list(row)}
        for at, row in enumerate(vectors.rows)
    ]
    tokens = {"prompt_tokens": vectors.tokens, "total_tokens": vectors.tokens}
    return {"object": "list", "data": rows, "model": vectors.model, "usage": tokens}


def _packed(row: Sequence[float]) -> str:
    floats = array("f", row)
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")
