"""The body of a request to Cerebras: OpenAI's, with what Cerebras adds. Pure.

Source: cerebras-cloud-sdk 1.91, types/chat/completion_create_params.py; Cerebras docs, 2026-11.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers import openai_request
from providers.base import CompletionRequest, ModelSpec
from providers.cerebras_rules import broken, broken_format
from providers.errors import ErrorKind, ProviderError
from providers.openai_request import RESERVED, encode
from providers.profile import ReasoningStyle

__all__ = ["QUEUE_RANGE", "RESERVED", "Style", "encode", "headers_of", "packed", "request_body"]

CONVERSATION = "prompt_cache_key"
QUEUE_RANGE = (50, 20_000)
"""Milliseconds of `queue_threshold`. Cerebras docs, "Service tiers", 2026-11."""

_WAITING_TIERS = frozenset({"flex", "auto"})
_LEVEL = 1
"""Of gzip: the higher ones save a tenth more and take twice as long."""


@dataclass(frozen=True, slots=True)
class Style:
    """How requests are made. `params`: fields of every body. `thoughts`: `reasoning_format` of models that think.

    `queue_threshold`: milliseconds that a request of the tier flex or auto may wait in the queue.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    thoughts: str | None = None
    queue_threshold: int | None = None


def request_body(model: ModelSpec, request: CompletionRequest, style: Style) -> dict[str, Any]:
    """The request as a JSON object. ProviderError(BAD_REQUEST) names the place of what would be refused."""
    if wrong := broken(request):
        raise ProviderError(ErrorKind.BAD_REQUEST, f"Cerebras does not take {wrong}")
    body = openai_request.request_body(model, request, style.params, CONVERSATION)
    if request.schema is None and (wrong := broken_format(body.get("response_format"))):
        raise ProviderError(ErrorKind.BAD_REQUEST, f"Cerebras does not take {wrong}")
    if style.thoughts and model.profile.reasoning is not ReasoningStyle.NONE:
        body.setdefault("reasoning_format", style.thoughts)
    if "prediction" in body:
        # docs, "Predicted outputs": fewest tokens are rejected, and paid for nothing, at 0
        body.setdefault("temperature", 0)
    return body


def headers_of(body: Mapping[str, Any], style: Style) -> dict[str, str]:
    """The headers that go with a body: a limit of the queue stands only beside a tier that waits."""
    if style.queue_threshold is None or body.get("service_tier") not in _WAITING_TIERS:
        return {}
    return {"queue_threshold": str(style.queue_threshold)}


def packed(content: bytes) -> bytes:
    """The body in gzip's form."""
    return gzip.compress(content, _LEVEL, mtime=0)
