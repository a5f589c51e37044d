"""What Discord says of the application and of its gateway. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Discord docs, Application Flags (2026-11): switched on, and verified for it, or not yet verified.
_CONTENT = 1 << 18 | 1 << 19

INTENTS_SENTENCE = (
    "the intent Message Content is off: switch it on at"
    " https://discord.com/developers/applications/{id}/bot under Privileged Gateway Intents,"
    " or set messageContent to false"
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where sessions begin and how many more may. `reset_after`: seconds until there are `total` again."""

    url: str
    shards: int = 1
    total: int = 1000
    remaining: int = 1000
    reset_after: float = 0.0
    concurrency: int = 1


def has_message_content(application: Any) -> bool:
    """Whether the privileged intent is switched on; an application without flags counts as one that has it."""
    flags = application.get("flags") if isinstance(application, dict) else None
    return type(flags) is not int or bool(flags & _CONTENT)


def read_gateway(answer: Any, url: str | None) -> Gateway | None:
    """The answer of GET /gateway/bot; `url` stands in for its address where one is set. None for no answer."""
    if not isinstance(answer, dict):
        return None
    given = url or answer.get("url")
    if not isinstance(given, str) or not given.startswith(("ws://", "wss://")):
        return None
    limit = answer.get("session_start_limit")
    limit = limit if isinstance(limit, dict) else {}
    return Gateway(
        given,
        shards=min(_whole(answer.get("shards"), 1), 1000),
        total=_whole(limit.get("total"), 1000),
        remaining=_whole(limit.get("remaining"), 1000, least=0),
        reset_after=_whole(limit.get("reset_after"), 0, least=0) / 1000.0,
        concurrency=_whole(limit.get("max_concurrency"), 1),
    )


def _whole(value: Any, default: int, *, least: int = 1) -> int:
    return value if type(value) is int and value >= least else default
