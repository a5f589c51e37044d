"""Asking a model in this process."""

from __future__ import annotations

from providers.base import (
    CompletionRequest,
    Finished,
    GenerationOptions,
    PromptMessage,
    Role,
    Usage,
)
from providers.mlx_client import Mlx
from tests.providers.ask import Heard, ask
from tests.providers.mlx.conftest import NOBODY, spec

RULES = PromptMessage(Role.SYSTEM, "answer a question about the lazy dog and the quick brown fox. " * 12)


def user(text: str) -> PromptMessage:
    """What a person says."""
    return PromptMessage(Role.USER, text)


def asked(*messages: PromptMessage, tokens: int = 12, stable: int = 0, **params: object) -> CompletionRequest:
    """A request for a short answer, always the likeliest words."""
    return CompletionRequest(messages, GenerationOptions(max_output=tokens, params=params), stable=stable)


async def answer(provider: Mlx, request: CompletionRequest, model: str = "random") -> Heard:
    """The whole answer, which is one."""
    heard = await ask(provider, request, spec(model, prefill=True), NOBODY)
    assert heard.error is None, heard.error
    assert heard.finished is not None
    return heard


def usage(heard: Heard) -> Usage:
    """What was counted."""
    last = heard.events[-1]
    assert isinstance(last, Finished)
    assert last.usage is not None
    return last.usage
