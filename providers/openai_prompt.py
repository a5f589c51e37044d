"""The messages of a request in OpenAI's chat completions, its tools, and what is marked for a cache. Pure.

Source: OpenAI API reference, "Create chat completion"; OpenRouter docs, prompt caching; 2026-11.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from providers.anthropic_marks import BYTES_PER_TOKEN, MAX_MARKS, Turn, place
from providers.base import CompletionRequest, ModelSpec, PromptMessage, Role, Tool, ToolCall
from providers.openai_memo import FIELD, recalled
from providers.profile import CacheStyle

MAX_CALL_ID_CHARS = 40
"""OpenAI's limit of a call's id; API reference, 2026-11. Other vendors make longer ones."""

MARKED_VENDOR = "anthropic/"
"""Ids that routers write so: nothing of them is cached unless it is marked. OpenRouter docs, prompt caching."""

Message = dict[str, Any]


def messages_of(model: ModelSpec, request: CompletionRequest, ttl: str = "5m") -> list[Message]:
    """The messages as JSON objects; those of a model that wants its cache marked carry the marks.

    Such a model's texts are always content parts: a text that became one only where a mark stands would change
    the bytes of the next turn's beginning.
    """
    limit = marks_of(model)
    messages = [_message(one, model.ref, is_split=limit > 0) for one in request.messages]
    if messages and FIELD in messages[-1]:  # an answer that is to be continued: its thoughts are not over
        del messages[-1][FIELD]
    if limit:
        _mark(model, request, messages, limit, ttl)
    return messages


def marks_of(model: ModelSpec) -> int:
    """How many marks a request may carry; 0 for a model whose cache needs none."""
    profile = model.profile
    if profile.cache is CacheStyle.MARKS:
        return min(profile.cache_marks or MAX_MARKS, MAX_MARKS)
    return MAX_MARKS if model.model.startswith(MARKED_VENDOR) else 0


def unmarked(messages: Sequence[Message]) -> list[Message]:
    """The messages without marks."""

    def bare(content: object) -> object:
        if not isinstance(content, list):
            return content
        return [{key: value for key, value in part.items() if key != "cache_control"} for part in content]

    return [{**message, "content": bare(message.get("content"))} for message in messages]


def tools_of(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The tools in their order: a changed order would miss the cache.

    OpenAI refuses an object that does not say `properties`: GitHub langchain-ai/langchain-mcp-adapters 137, 2026-11.
    """
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                **({"description": tool.description} if tool.description else {}),
                "parameters": {"type": "object", "properties": {}, **tool.parameters},
            },
        }
        for tool in tools
    ]


def choice_of(model: ModelSpec, choice: str | None) -> str | dict[str, Any] | None:
    """`tool_choice`; a model that takes no demand chooses by itself."""
    match choice:
        case None | "auto" | "none":
            return choice
        case _ if not model.profile.forced_tools:
            return "auto"
        case "required":
            return choice
        case name:
            return {"type": "function", "function": {"name": name}}


def _message(message: PromptMessage, ref: str, *, is_split: bool) -> Message:
    if message.role is Role.TOOL:
        return {"role": "tool", "tool_call_id": _call_id(message.call_id), "content": message.text}
    said: Message = {"role": message.role.value, "content": _content(message, is_split=is_split)}
    if message.calls:
        said["tool_calls"] = [_call(call) for call in message.calls]
        if not message.text:
            said["content"] = None
    if message.memo and (details := recalled(message, ref)):
        said[FIELD] = details
    return said


def _content(message: PromptMessage, *, is_split: bool) -> str | list[dict[str, Any]]:
    if not message.images and not (is_split and message.text):
        return message.text
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
    for image in message.images:
        data = base64.b64encode(image.data).decode()
        parts.append({"type": "image_url", "image_url": {"url": f"data:{image.mime};base64,{data}"}})
    return parts


def _call(call: ToolCall) -> dict[str, Any]:
    """The call as it was made. Arguments that are no object would be refused (vLLM, Ollama, llama.cpp parse them)."""
    arguments = call.arguments
    try:
        is_object = isinstance(orjson.loads(arguments or "{}"), dict)
    except orjson.JSONDecodeError:
        is_object = False
    if not is_object:
        text = arguments.encode("utf-8", "replace").decode()
        arguments = orjson.dumps({"invalid": text}).decode()
    function = {"name": call.name, "arguments": arguments or "{}"}
    return {"id": _call_id(call.id), "type": "function", "function": function}


def _call_id(given: str) -> str:
    """The id, shortened the same way for the call and for its result."""
    if len(given) <= MAX_CALL_ID_CHARS:
        return given
    return f"call_{hashlib.blake2b(given.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def _mark(
    model: ModelSpec, request: CompletionRequest, messages: Sequence[Message], limit: int, ttl: str
) -> None:
    """Mark text parts alone: OpenRouter takes no mark elsewhere. The tools stand before them in the same cache."""
    system: list[dict[str, Any]] = []
    turns: list[Turn] = []
    for source, (asked, message) in enumerate(zip(request.messages, messages, strict=True)):
        content = message["content"]
        parts = [part for part in content if part["type"] == "text"] if isinstance(content, list) else []
        if asked.role is Role.SYSTEM and not turns:
            system += parts if source < request.stable else []
        else:
            turns.append(Turn(asked.role.value))
            turns[-1].add(source, parts)
    tools = sum(len(orjson.dumps(tool, default=str)) for tool in tools_of(request.tools)) // BYTES_PER_TOKEN
    minimum = model.profile.cache_min
    if minimum:
        minimum = max(1, minimum - tools)
    place([], system, turns, stable=request.stable, minimum=minimum, limit=limit, ttl=ttl)
