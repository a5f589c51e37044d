"""The body of a request in OpenAI's chat completions. Pure. Source: OpenAI API reference, 2026-11."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from providers.base import CompletionRequest, Effort, ModelSpec, Role
from providers.failures import Body
from providers.openai_prompt import choice_of, messages_of, tools_of, unmarked
from providers.profile import ReasoningStyle

MAX_CONVERSATION_CHARS = 64
"""OpenAI's limit of `prompt_cache_key`; a longer id is hashed. API reference, 2026-11."""

RESERVED = frozenset({"model", "messages", "stream"})
"""What a request always says itself; no parameter may set it."""

OURS = frozenset({"cacheControlTtl"})
"""Parameters that speak to an adapter of ours and are no field of this dialect."""

MARKS = "cache_control"
"""Stands for the marks inside the messages, where a server says that it does not know them."""

_NEED_TOOLS = ("tool_choice", "parallel_tool_calls")
"""Refused where there are no tools. OpenAI API reference, 2026-11."""

_CALLERS = frozenset({"tools", "response_format"})
"""Parameters that hold what the caller wrote, faults included."""

_LIMITS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The two names of the output limit: OpenAI's newer models reject the older one and say so."""

# How servers say that they do not know a parameter: OpenAI, Cerebras, vLLM, Gemini, llama.cpp; 2026-11.
_UNKNOWN = (
    "unsupported",
    "not supported",
    "does not support",
    "unknown",
    "unrecognized",
    "unexpected",
    "extra_forbidden",
    "extra inputs",
    "additional properties",
    "not permitted",
    "not allowed",
    "not available",
    "cannot find field",
)

# How local servers say that they were started without tools: vLLM (GitHub vllm-project/vllm 9986), llama.cpp (500;
# defilantech/LLMKube 126, ggml-org/llama.cpp 10920); 2026-11.
_TOOLLESS = ("--enable-auto-tool-choice", "tools param requires", "unsupported param: tools")

# OpenAI: "Invalid schema for response_format ..."; Cerebras: "... not supported in JSON schema".
_WRONG_SCHEMA = ("invalid schema", "in json schema")


def request_body(
    model: ModelSpec, request: CompletionRequest, defaults: Mapping[str, Any], conversation_field: str
) -> dict[str, Any]:
    """The request as a JSON object. `defaults` give way to the request's own parameters."""
    profile, options = model.profile, request.options
    body: dict[str, Any] = {key: value for key, value in defaults.items() if key not in OURS}
    if options.temperature is not None and profile.sampling:
        body["temperature"] = options.temperature
    if options.max_output is not None:
        body[profile.max_output_field] = options.max_output
    if request.conversation and conversation_field:
        body[conversation_field] = _short(request.conversation)
    if profile.sends_usage_option:
        body["stream_options"] = {"include_usage": True}
    if options.effort is not None:
        body |= _effort(model, options.effort)
    body |= _extras(model, request)
    ttl = "1h" if {**defaults, **options.params}.get("cacheControlTtl") == "1h" else "5m"
    body |= {key: value for key, value in options.params.items() if key not in OURS}
    messages = messages_of(model, request, ttl)
    if profile.reasoning is ReasoningStyle.NO_THINK and options.effort is Effort.OFF:
        _say_no_think(messages)
    return body | {"model": model.model, "messages": messages, "stream": True}


def encode(body: Mapping[str, Any]) -> bytes:
    """The body's bytes. Halves of characters, which JSON cannot carry, become U+FFFD."""
    try:
        # orjson's result keeps a buffer of at least 4 KB (3.13, 2026-11), and the client keeps the body as long
        # as the answer runs: a copy is as large as what it holds.
        return bytes(memoryview(orjson.dumps(body)))
    except TypeError:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _effort(model: ModelSpec, effort: Effort) -> dict[str, Any]:
    match model.profile.reasoning:
        case ReasoningStyle.EFFORT:
            off = effort is Effort.OFF
            return {"reasoning_effort": model.profile.effort_off if off else effort.value}
        case ReasoningStyle.DISABLE:
            return {"disable_reasoning": effort is Effort.OFF}
        case _:  # no switch, a suffix, or that of another dialect
            return {}


def _extras(model: ModelSpec, request: CompletionRequest) -> dict[str, Any]:
    """Tools, the form of the answer and a predicted text, as far as the model takes them."""
    profile = model.profile
    said: dict[str, Any] = {}
    if request.tools and profile.tools:
        said["tools"] = tools_of(request.tools)
        if (choice := choice_of(model, request.tool_choice)) is not None:
            said["tool_choice"] = choice
        if request.parallel_tools is not None:
            said["parallel_tool_calls"] = request.parallel_tools
    if request.schema is not None and profile.schema:
        wanted = request.schema
        form = {"name": wanted.name, "schema": wanted.schema, "strict": wanted.is_strict}
        said["response_format"] = {"type": "json_schema", "json_schema": form}
    if request.prediction and profile.prediction and "tools" not in said:  # not both: OpenAI, Cerebras; docs
        said["prediction"] = {"type": "content", "content": request.prediction}
    return said


def _say_no_think(messages: list[dict[str, Any]]) -> None:
    """Behind every question: behind the last alone it would change the beginning of the next turn's prompt."""
    for message in messages:
        if message["role"] != Role.USER.value:
            continue
        if isinstance(message["content"], str):
            message["content"] += " /no_think"
        else:
            message["content"].append({"type": "text", "text": " /no_think"})


def _short(conversation: str) -> str:
    if len(conversation) <= MAX_CONVERSATION_CHARS:
        return conversation
    return hashlib.blake2b(conversation.encode("utf-8", "replace"), digest_size=24).hexdigest()


def rejected(status: int, said: Body, body: Mapping[str, Any]) -> dict[str, str | None]:
    """The optional parameters of `body` that an error names as unknown, each with the name to use instead or None.

    Empty for every other error: what the request must say itself is never left out.
    """
    words = said.words
    if status in {400, 422, 500} and "tools" in body and any(sign in words for sign in _TOOLLESS):
        return dict.fromkeys(("tools", *_NEED_TOOLS))
    if status not in {400, 422} or not any(sign in words for sign in _UNKNOWN):
        return {}
    if any(sign in words for sign in _WRONG_SCHEMA):  # the schema is wrong, not the wish for one
        return {}
    found: dict[str, str | None] = {}
    for key in body.keys() - RESERVED:
        if _names(said, key):
            other = _LIMITS.get(key)
            found[key] = other if other is not None and other in words else None
    if any(other is not None for other in found.values()):  # the message names old and new
        return {key: other for key, other in found.items() if other is not None}
    if MARKS in words and _is_marked(body):
        found[MARKS] = None
    if "prediction" in found:  # "not supported with tools", "with max_completion_tokens": it is the one to go
        return {"prediction": None}
    if "tools" in found:
        found |= dict.fromkeys(_NEED_TOOLS)
    return found


def renamed(body: Mapping[str, Any], learned: Mapping[str, str | None]) -> dict[str, Any]:
    """The body without what the model is known not to take, or under the name that it takes."""
    out: dict[str, Any] = {}
    for key, value in body.items():
        name = learned.get(key, key)
        if name is not None:
            out[name] = value
    if MARKS in learned:
        out["messages"] = unmarked(out["messages"])
    return out


def _names(said: Body, key: str) -> bool:
    """The error is about that parameter. A fault inside a tool or a form is not the model's, but the caller's."""
    if key in _CALLERS:
        return said.param == key or (
            not said.param.startswith(key)
            and re.search(rf"(?<![\w.]){re.escape(key)}(?!\w|\[|\.\w)", said.words) is not None
        )
    named = said.param.partition(".")[0]
    return key == named or re.search(rf"(?<![\w.]){re.escape(key.lower())}(?!\w)", said.words) is not None


def _is_marked(body: Mapping[str, Any]) -> bool:
    parts = [
        part
        for message in body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
    ]
    return any(MARKS in part for part in parts)
