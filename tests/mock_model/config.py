"""What the server is: changed through `/control/config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.mock_model.servers import CONTEXT_TOKENS, Kind, State


@dataclass(frozen=True, slots=True)
class Config:
    """One server. Dialects that differ by path (Anthropic, Gemini) are served by every kind."""

    kind: Kind = Kind.OPENAI
    """Whose chat completions and GETs are played."""
    state: State = State.READY
    models: tuple[str, ...] = ("m",)
    keys: tuple[str, ...] | None = None
    """Accepted keys, in whatever header the dialect has them; `None`: any or none."""
    strict_models: bool = False
    """Refuse a model that is not listed."""
    strict: bool = True
    """False: a dialect's own rules of what is valid are not enforced."""
    keep_bodies: bool = True
    """False: the record carries markers and times only (10,000 streams)."""
    service_tiers: tuple[str, ...] = ()
    """Cerebras: the values of service_tier that this account may send; it is a private preview."""
    queue_seconds: float = 0.0
    """Cerebras: how long the queue is now; a smaller queue_threshold is refused."""
    context_tokens: int = CONTEXT_TOKENS
    """The window that local servers tell of their models."""
    embedding_batch: int = 2048
    """Most texts in one request for embeddings (OpenAI API reference, 2026-11)."""
    embedding_size: int = 8
    cache: bool = False
    """Count cached tokens as the vendor's prompt cache would (caching.py) instead of as the script says."""
    cache_min: int = 1024
    """Gemini: tokens below which no explicit cache is made (docs, "Context caching": 1,024 for 2.5 Flash)."""
    heard: str = "hello from a voice note"
    """What a transcription says, whatever was sent."""
    batch_polls: int = 1
    """How often a batch is still in progress before it is completed."""

    def changed(self, data: Mapping[str, Any]) -> Config:
        """With the fields of a control request; TypeError or ValueError for a wrong one."""
        given = dict(data)
        for name in ("models", "keys", "service_tiers"):
            if given.get(name) is not None:
                given[name] = tuple(given[name])
        if "kind" in given:
            given["kind"] = Kind(given["kind"])
        if "state" in given:
            given["state"] = State(given["state"])
        return replace(self, **given)
