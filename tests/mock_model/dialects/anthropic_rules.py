"""What the Messages API refuses with 400, each rule with its source (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

MAX_MARKS = 4
"""Docs, "Prompt caching": up to 4 cache breakpoints."""

MAX_IMAGES = 100
"""Docs, "Vision": up to 100 images a request to the API."""

MIN_BUDGET = 1024
"""anthropic 2.11, types/thinking_config_enabled_param.py."""

# anthropic 2.11, types/message_create_params.py; anything else is refused as an extra input.
FIELDS = frozenset(
    """max_tokens messages model cache_control container diagnostics inference_geo metadata output_config
    service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k top_p""".split()
)
EFFORTS = ("low", "medium", "high", "xhigh", "max")
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:-(\d{1,2}))?(?:-|$)")

Body = Mapping[str, Any]


def version(model: str) -> tuple[int, int]:
    """(5, 5) of claude-haiku-5-5, (4, 5) of claude-sonnet-4-5-20250929; (0, 0) of a name that tells none."""
    found = _VERSION.match(model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def broken(body: Any) -> str | None:
    """The message of the first rule that the request breaks, or None."""
    if not isinstance(body, dict):
        return "The request body is not valid JSON"
    return next((wrong for rule in _RULES if (wrong := rule(body)) is not None), None)


def marks(body: Body) -> list[Mapping[str, Any]]:
    """Every cache_control of a request in the order in which it counts: tools, system, messages, top level."""
    blocks = [*_dicts(body.get("tools")), *_dicts(body.get("system"))]
    for message in _dicts(body.get("messages")):
        for block in _dicts(message.get("content")):
            blocks.append(block)
            blocks.extend(_dicts(block.get("content")))
    found = [block["cache_control"] for block in blocks if block.get("cache_control")]
    return found + ([body["cache_control"]] if body.get("cache_control") else [])


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _fields(body: Body) -> str | None:
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            return f"{name}: Field required"
    extra = next((name for name in body if name not in FIELDS), None)
    if extra is not None:
        return f"{extra}: Extra inputs are not permitted"
    if not isinstance(body["model"], str):
        return "model: Input should be a valid string"
    if type(body["max_tokens"]) is not int or body["max_tokens"] < 0:
        return "max_tokens: Input should be greater than or equal to 0"
    return None


def _warming(body: Body) -> str | None:
    """`max_tokens: 0` generates nothing, so what only makes sense for an answer is refused.

    Assumption: the docs of 2026-11 name it under "Pre-warming the cache"; the exact list was not to be had.
    """
    if body["max_tokens"] == 0 and (body.get("thinking") or {}).get("type") == "enabled":
        return "max_tokens: must be greater than `thinking.budget_tokens`"
    return None


def _messages(body: Body) -> str | None:
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    for at, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role == "system":
            return (
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter'
            )
        if role not in ("user", "assistant"):
            return f"messages.{at}.role: Input should be 'user' or 'assistant'"
        if not message.get("content") and not (role == "assistant" and at == len(messages) - 1):
            return f"messages.{at}: all messages must have non-empty content except for the optional final assistant message"
    return None


def _texts(body: Body) -> str | None:
    for where, block in _blocks(body):
        if block.get("type") == "text":
            text = block.get("text")
            if not isinstance(text, str):
                return f"{where}.text: Field required"
            if not text and block.get("cache_control"):
                return f"{where}: cache_control cannot be set for empty text blocks"
            if not text.strip():
                return "messages: text content blocks must contain non-whitespace text"
        elif block.get("type") in ("thinking", "redacted_thinking") and block.get("cache_control"):
            return f"{where}.cache_control: Extra inputs are not permitted"
    return None


def _blocks(body: Body) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, block in enumerate(_dicts(body.get("system"))):
        yield f"system.{number}", block
    for at, message in enumerate(body["messages"]):
        for number, block in enumerate(_dicts(message.get("content"))):
            yield f"messages.{at}.content.{number}", block


def _images(body: Body) -> str | None:
    images = [(where, block) for where, block in _blocks(body) if block.get("type") == "image"]
    if len(images) > MAX_IMAGES:
        return f"messages: at most {MAX_IMAGES} images may be provided"
    for where, block in images:
        source = block.get("source") or {}
        if source.get("type") == "base64" and source.get("media_type") not in IMAGE_TYPES:
            return f"{where}.source.base64.media_type: Input should be {', '.join(IMAGE_TYPES)}"
    return None


def _cache(body: Body) -> str | None:
    found = marks(body)
    if len(found) > MAX_MARKS:
        return f"A maximum of {MAX_MARKS} blocks with cache_control may be provided. Found {len(found)}."
    if any(mark.get("type") != "ephemeral" or mark.get("ttl", "5m") not in ("5m", "1h") for mark in found):
        return "cache_control: Input should be ephemeral with a ttl of '5m' or '1h'"
    lives = [mark.get("ttl", "5m") for mark in found]
    if lives != sorted(lives):  # "1h" sorts before "5m": longer ones must come first
        return "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
    return None


def _prefill(body: Body) -> str | None:
    last = body["messages"][-1]
    if last["role"] != "assistant":
        return None
    if version(body["model"]) >= (4, 6):  # docs, "What's new in Claude 4.6", breaking changes
        return "This model does not support assistant message prefill. The conversation must end with a user message."
    content = last.get("content")
    text = content if isinstance(content, str) else "".join(b.get("text", "") for b in _dicts(content)[-1:])
    if text != text.rstrip():
        return "messages: final assistant content cannot end with trailing whitespace"
    return None


def _tool_pairs(body: Body) -> str | None:
    """Docs, "Handle tool calls": results stand first in the message right after the calls, all of them.

    The form of ids: GitHub langchain-ai/langchain 37756; one id for one call of the whole conversation: its 400.
    """
    open_calls: list[str] = []
    known: set[str] = set()
    for at, message in enumerate(body["messages"]):
        blocks = _dicts(message.get("content"))
        results = [str(b.get("tool_use_id")) for b in blocks if b.get("type") == "tool_result"]
        stray = next((one for one in results if one not in open_calls), None)
        if stray is not None:
            return (
                f"messages.{at}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {stray}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        missing = [one for one in open_calls if one not in results]
        if missing:
            return (
                f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}."
            )
        if any(b.get("type") != "tool_result" for b in blocks[: len(results)]):
            return f"messages.{at}: `tool_result` blocks must come first in the content"
        calls = [str(b.get("id")) for b in blocks if b.get("type") == "tool_use"]
        if len(calls) != len(set(calls)) or known & set(calls):
            return f"messages.{at}: `tool_use` ids must be unique"
        if any(not re.fullmatch(r"[a-zA-Z0-9_-]+", one) for one in calls):
            return f"messages.{at}.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        known.update(calls)
        open_calls = calls
    return "messages: the last `tool_use` blocks have no `tool_result`" if open_calls else None


def _tools(body: Body) -> str | None:
    names: list[str] = []
    for at, tool in enumerate(_dicts(body.get("tools"))):
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", str(tool.get("name", ""))):
            return f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if (tool.get("input_schema") or {}).get("type") != "object":
            return f"tools.{at}.custom.input_schema.type: Input should be 'object'"
        names.append(tool["name"])
        combined = [word for word in ("oneOf", "allOf", "anyOf") if word in tool["input_schema"]]
        if combined:  # GitHub anthropics/claude-code 40075; the API's own words
            return f"tools.{at}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
    if len(names) != len(set(names)):
        return "tools: Tool names must be unique."
    choice = body.get("tool_choice")
    if choice is None:
        return None
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        return "tool_choice: Input tag should be 'auto', 'any', 'tool' or 'none'"
    if not names:
        return "tool_choice: may only be specified while providing tools"
    if choice["type"] == "tool" and choice.get("name") not in names:
        return f"Tool '{choice.get('name')}' not found in provided tools"
    thinks = (body.get("thinking") or {}).get("type") == "enabled"
    if thinks and choice["type"] in ("any", "tool"):  # docs, "Extended thinking" with tool use
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


def _thinking(body: Body) -> str | None:
    thinking, model = body.get("thinking") or {}, version(body["model"])
    kind = thinking.get("type")
    if kind == "enabled":
        if model >= (4, 7):  # GitHub NousResearch/hermes-agent 11137; the API's own words
            return (
                '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
                '"output_config.effort" to control thinking behavior.'
            )
        budget = thinking.get("budget_tokens", 0)
        if budget < MIN_BUDGET:
            return f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MIN_BUDGET}"
        if budget >= body["max_tokens"]:
            return "`max_tokens` must be greater than `thinking.budget_tokens`."
        if body.get("temperature", 1) != 1:
            return "`temperature` may only be set to 1 when thinking is enabled."
    elif kind == "adaptive" and (0, 0) < model < (4, 6):  # docs, "Adaptive thinking", supported models
        return "adaptive thinking is not supported on this model"
    elif kind not in (None, "adaptive", "disabled", "between_tools"):
        return "thinking: Input tag should be 'adaptive', 'disabled', 'enabled' or 'between_tools'"
    effort = (body.get("output_config") or {}).get("effort")
    if effort is not None and effort not in EFFORTS:
        return f"output_config.effort: Input should be {', '.join(EFFORTS)}"
    return None


def _unthought(body: Body) -> str | None:
    """An answer that has begun must have begun with thoughts: GitHub deepset-ai/haystack-core-integrations 2146."""
    if (body.get("thinking") or {}).get("type") != "enabled":
        return None
    found: tuple[int, str] | None = None
    for at, message in reversed(list(enumerate(body["messages"]))):
        kinds = [str(block.get("type")) for block in _dicts(message.get("content"))] or ["text"]
        if message["role"] == "assistant":
            found = at, kinds[0]
        elif kinds[0] != "tool_result":
            break
    if found is None or found[1] in ("thinking", "redacted_thinking"):
        return None
    return (
        f"messages.{found[0]}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found[1]}`. "
        "When `thinking` is enabled, a final `assistant` message must start with a thinking block."
    )


def _sampling(body: Body) -> str | None:
    if version(body["model"]) >= (
        4,
        7,
    ):  # GitHub Mixpeal/anthropic-sdk 11, github/app 2574; the API's own words
        for name in ("temperature", "top_p", "top_k"):
            if name in body:
                return f"`{name}` is deprecated for this model."
    if not 0 <= body.get("temperature", 1) <= 1:
        return "temperature: range: 0..1"
    return None


_RULES: Sequence[Callable[[Body], str | None]] = (
    _fields,
    _warming,
    _messages,
    _texts,
    _images,
    _cache,
    _prefill,
    _tool_pairs,
    _tools,
    _thinking,
    _unthought,
    _sampling,
)
