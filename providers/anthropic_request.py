"""The body of a request of Anthropic's Messages API. Pure.

Source: package anthropic 2.11, types/message_create_params.py, and Anthropic docs, 2026-11. Fields that do not
change from turn to turn stand first and `messages` last, so that a body's beginning is the next one's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from providers.anthropic_marks import MAX_MARKS, Block, Caching, Turn, mark, place
from providers.anthropic_memo import THOUGHTS, recalled
from providers.base import CompletionRequest, Effort, ModelSpec, PromptMessage, Role, Tool, ToolCall
from providers.failures import Body
from providers.profile import ReasoningStyle

DEFAULT_OUTPUT = 16_384
"""Tokens of an answer where nobody says more; the API demands a number."""

THOUGHT_TOKENS: Mapping[Effort, int] = {Effort.LOW: 2048, Effort.MEDIUM: 8192, Effort.HIGH: 24_576}
"""What thinking may take beside the answer: both count towards max_tokens."""

MIN_BUDGET = 1024
"""anthropic 2.11, types/thinking_config_enabled_param.py."""

RESERVED = frozenset({"model", "messages", "stream", "system", "tools", "tool_choice", "thinking"})
"""What a request always says itself; no parameter may set it."""

OURS = frozenset({"cacheControlTtl"})
"""Parameters that speak to this adapter."""

_FOREIGN = frozenset({"seed", "frequency_penalty", "presence_penalty", "response_format"})
"""Parameters of OpenAI's that have no like here; programs send them to whatever model answers."""

NO_TEXT = "(no text)"
BEGINNING = "(The beginning of this conversation is left out.)"
"""The API wants a person to speak first, and no text of white space alone."""

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_LEVELS = (Effort.LOW, Effort.MEDIUM, Effort.HIGH)

# How the API says that a model does not know a parameter. Issues of GitHub anthropics/anthropic-sdk-python and of
# clients; 2026-11.
_UNKNOWN = (
    *("not supported", "does not support", "unsupported", "deprecated", "not available", "not permitted"),
    *("extra inputs", "unrecognized", "unknown", "not allowed", "unexpected"),
)
_NAMES: Mapping[str, tuple[str, ...]] = {
    "thinking.display": ("display",),
    "thinking": ("thinking",),
    "output_config.effort": ("effort",),
    "cache_control": ("cache_control",),
}
"""Parts that can be left out, and the words that name them."""


@dataclass(frozen=True, slots=True)
class Style:
    """What the settings say about every request. `display`: whether thoughts come as a summary or not at all."""

    defaults: Mapping[str, Any]
    caching: Caching = Caching.STABLE
    display: str | None = "summarized"


def request_body(
    model: ModelSpec, request: CompletionRequest, style: Style, without: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The request as a JSON object. `without`: what the model is known not to take."""
    params = {**style.defaults, **request.options.params}
    ttl = "1h" if params.get("cacheControlTtl") == "1h" else "5m"
    choice = _tool_choice(model, request)
    given = _given(params)
    system, turns = _prompt(model, request)
    body = _head(model, request, style, given, choice, may_think=_may_think(turns))
    tools = _tools(model, request)
    if style.caching is not Caching.OFF and "cache_control" not in without:
        limit = min(model.profile.cache_marks or MAX_MARKS, MAX_MARKS)
        if style.caching is Caching.AUTOMATIC:
            body["cache_control"] = mark(ttl)
            limit -= 1
        stable = [block for source, block in system if source < request.stable]
        minimum = model.profile.cache_min
        place(tools, stable, turns, stable=request.stable, minimum=minimum, limit=limit, ttl=ttl)
    if tools:
        body["tools"] = tools
        if choice is not None:
            body["tool_choice"] = choice
    if system:
        body["system"] = [block for _, block in system]
    body["messages"] = [{"role": turn.role, "content": turn.blocks} for turn in turns]
    return _leave_out(body, without)


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters in this dialect's words; what only OpenAI's has is left out rather than refused."""
    given = {key: value for key, value in params.items() if key not in OURS | _FOREIGN}
    if (stops := given.pop("stop", None)) is not None:
        given.setdefault("stop_sequences", [stops] if isinstance(stops, str) else list(stops))
    return given


def warming_body(
    model: ModelSpec, request: CompletionRequest, style: Style, without: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """A request that fills the cache with the stable messages and generates nothing.

    Source: anthropic 2.11, types/message_create_params.py, max_tokens: 0. What the cache is keyed by stays; a
    budget of thoughts would have to be smaller than max_tokens.
    """
    kept = request.messages[: request.stable]
    if (
        not kept or kept[-1].role is not Role.USER
    ):  # somebody has to ask; behind the last mark it costs nothing
        kept = (*kept, PromptMessage(Role.USER, "."))
    asked = CompletionRequest(
        kept,
        request.options,
        stable=request.stable,
        tools=request.tools,
        tool_choice=request.tool_choice,
        parallel_tools=request.parallel_tools,
    )
    body = request_body(model, asked, style, without)
    if body.get("thinking", {}).get("type") == "enabled":
        del body["thinking"]
    return body | {"max_tokens": 0, "stream": False}


def _head(
    model: ModelSpec,
    request: CompletionRequest,
    style: Style,
    given: dict[str, Any],
    choice: Mapping[str, Any] | None,
    *,
    may_think: bool,
) -> dict[str, Any]:
    """Everything but the prompt, the tools and the marks."""
    is_forced = choice is not None and choice["type"] in {"any", "tool"}
    thinking, config, room = _thinking(model, request, style, is_forced=is_forced, may_think=may_think)
    limit = _limit(model, request, given.pop("max_tokens", None), room)
    if thinking and thinking["type"] == "enabled":
        thinking["budget_tokens"] = min(room, limit - 1)
        if thinking["budget_tokens"] < MIN_BUDGET:
            thinking = None
    if request.options.temperature is not None and model.profile.sampling and not _is_on(thinking):
        given.setdefault("temperature", request.options.temperature)
    head: dict[str, Any] = {"model": model.model, "max_tokens": limit, "stream": True, **given}
    if thinking:
        head["thinking"] = thinking
    if config := {**given.get("output_config", {}), **config}:
        head["output_config"] = config
    return head


def schema_tool(model: ModelSpec, request: CompletionRequest) -> str:
    """The name of the tool whose arguments are the answer; "" where the answer comes as text."""
    return request.schema.name if request.schema is not None and _is_emulated(model, request) else ""


def rejected(status: int, said: Body, body: Mapping[str, Any]) -> frozenset[str]:
    """The optional parts of `body` that an error names as unknown to the model; empty for every other error."""
    words = said.words
    if status not in {400, 422} or not any(sign in words for sign in _UNKNOWN):
        return frozenset()
    found = {
        name
        for name, signs in _NAMES.items()
        if _has(body, name) and any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", words) for one in signs)
    }
    if "thinking.display" in found:
        found.discard("thinking")  # "thinking.display" names both
    optional = body.keys() - RESERVED - {"max_tokens", "output_config", "cache_control"}
    found |= {key for key in optional if re.search(rf"(?<![\w.]){re.escape(key.lower())}(?!\w)", words)}
    return frozenset(found)


def encode(body: Mapping[str, Any]) -> bytes:
    """The body's bytes. Halves of characters, which JSON cannot carry, become U+FFFD."""
    try:
        return bytes(memoryview(orjson.dumps(body)))
    except TypeError:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _is_emulated(model: ModelSpec, request: CompletionRequest) -> bool:
    """The model takes no schema itself: it is made to call a tool with the schema's arguments."""
    return request.schema is not None and not model.profile.schema and not request.tools


def _is_on(thinking: Mapping[str, Any] | None) -> bool:
    return thinking is not None and thinking["type"] != "disabled"


def _thinking(
    model: ModelSpec, request: CompletionRequest, style: Style, *, is_forced: bool, may_think: bool
) -> tuple[dict[str, Any] | None, dict[str, Any], int]:
    """The fields thinking and output_config, and the tokens that thoughts may take beside the answer."""
    profile, effort = model.profile, request.options.effort
    config: dict[str, Any] = {}
    if request.schema is not None and not _is_emulated(model, request):
        config["format"] = {"type": "json_schema", "schema": dict(request.schema.schema)}
    if effort is None or profile.reasoning is ReasoningStyle.NONE:
        thinks = profile.reasoning is ReasoningStyle.ADAPTIVE and profile.effort_off != "none"
        return None, config, THOUGHT_TOKENS[Effort.MEDIUM] if thinks else 0
    shown = {} if style.display is None else {"display": style.display}
    is_off = effort is Effort.OFF
    if profile.reasoning is ReasoningStyle.BUDGET:
        # thoughts and a demanded call exclude each other: Anthropic docs, extended thinking, 2026-11
        if is_off or is_forced or not may_think:
            return None, config, 0
        return {"type": "enabled", **shown}, config, THOUGHT_TOKENS[effort]
    if is_off and profile.effort_off == "none":
        return {"type": "disabled"}, config, 0
    config["effort"] = profile.effort_off if is_off else _level(effort, profile.efforts)
    room = THOUGHT_TOKENS[Effort.LOW if is_off else effort]
    if profile.reasoning is not ReasoningStyle.ADAPTIVE or is_forced:
        return None, config, room
    return {"type": "adaptive", **shown}, config, room


def _may_think(turns: Sequence[Turn]) -> bool:
    """Whether a budget of thoughts may be asked for: an answer that has begun must have begun with thoughts.

    Else the API answers 400, "Expected `thinking` or `redacted_thinking`, but found `tool_use`": to calls whose
    thoughts were another model's or were not kept, and to an answer that is to be continued. GitHub
    deepset-ai/haystack-core-integrations 2146, pydantic/pydantic-ai 2075; 2026-11.
    """
    first: Block | None = None
    for turn in reversed(turns):
        if turn.role == "assistant":
            first = turn.blocks[0]
        elif turn.blocks[0]["type"] != "tool_result":
            break
    return first is None or first["type"] in THOUGHTS


def _level(effort: Effort, known: Sequence[str]) -> str:
    """The model's level for an effort: the same, else the next lower one, else its lowest."""
    if not known or effort.value in known:
        return effort.value
    below = [level.value for level in _LEVELS[: _LEVELS.index(effort)] if level.value in known]
    return below[-1] if below else known[0]


def _limit(model: ModelSpec, request: CompletionRequest, given: object, room: int) -> int:
    asked = request.options.max_output or (given if isinstance(given, int) and given > 0 else DEFAULT_OUTPUT)
    return min(asked + room, model.max_output) if model.max_output else asked + room


def _tool_choice(model: ModelSpec, request: CompletionRequest) -> dict[str, Any] | None:
    if request.schema is not None and _is_emulated(model, request):
        return {"type": "tool", "name": request.schema.name, "disable_parallel_tool_use": True}
    if not request.tools:
        return None
    single = {"disable_parallel_tool_use": True} if request.parallel_tools is False else {}
    match request.tool_choice:
        case None:
            return {"type": "auto", **single} if single else None
        case "none":
            return {"type": "none"}
        case "required" if model.profile.forced_tools:
            return {"type": "any", **single}
        case "auto" | "required":
            return {"type": "auto", **single}
        case name if model.profile.forced_tools:
            return {"type": "tool", "name": name, **single}
        case _:
            return {"type": "auto", **single}


def _tools(model: ModelSpec, request: CompletionRequest) -> list[Block]:
    tools = list(request.tools)
    if request.schema is not None and _is_emulated(model, request):
        tools.append(Tool(request.schema.name, "The answer, in this form.", request.schema.schema))
    return [
        {
            "name": tool.name,
            **({"description": tool.description} if tool.description else {}),
            "input_schema": {"type": "object", **tool.parameters},
        }
        for tool in tools
    ]


def _prompt(model: ModelSpec, request: CompletionRequest) -> tuple[list[tuple[int, Block]], list[Turn]]:
    """The system prompt's blocks with their places, and the turns.

    Only what stands before the first word of anybody is system prompt; what comes later is said where it stands,
    because a change at the beginning would void the cache.
    """
    system: list[tuple[int, Block]] = []
    turns: list[Turn] = []
    is_tool = False
    used: set[str] = set()
    ids: dict[str, str] = {}
    for place_, message in enumerate(request.messages):
        if message.role is Role.SYSTEM and not turns:
            if message.text.strip():
                system.append((place_, _text(message.text)))
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        if not turns and role == "assistant":
            turns.append(Turn("user", [_text(BEGINNING)], [place_]))
        if not (is_tool and message.role is Role.TOOL):  # results of one message's calls stand in one message
            turns.append(Turn(role))
        if message.role is not Role.TOOL:
            ids = {call.id: _id(call.id, used, place_) for call in message.calls}
            used.update(ids.values())
        turns[-1].add(place_, _blocks(model, message, ids, is_last=place_ == len(request.messages) - 1))
        is_tool = message.role is Role.TOOL
    return system, turns


def _blocks(
    model: ModelSpec, message: PromptMessage, ids: Mapping[str, str], *, is_last: bool
) -> list[Block]:
    """`ids`: what the calls of the message, or of the one before, are called here."""
    match message.role:
        case Role.TOOL:
            return [_result(message, ids.get(message.call_id, message.call_id))]
        case Role.ASSISTANT:
            return _said(model, message, ids, is_last=is_last)
        case _:
            parts = [_image(image.mime, image.data) for image in message.images]  # best before their question
            text = [_text(message.text)] if message.text.strip() else []
            return parts + text or [_text(NO_TEXT)]


def _said(model: ModelSpec, message: PromptMessage, ids: Mapping[str, str], *, is_last: bool) -> list[Block]:
    calls = [_call(call, ids[call.id]) for call in message.calls]
    if message.memo and not is_last:
        made = {call.id: block for call, block in zip(message.calls, calls, strict=True)}
        kept = recalled(message.memo, model.model, message.text, made)
        if kept:
            return kept
    text = message.text.rstrip() if is_last else message.text  # 400: "cannot end with trailing whitespace"
    blocks = [_text(text)] if text.strip() else []
    return blocks + calls or [_text(NO_TEXT)]


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _image(mime: str, data: bytes) -> Block:
    source = {"type": "base64", "media_type": mime, "data": base64.b64encode(data).decode()}
    return {"type": "image", "source": source}


def _result(message: PromptMessage, call_id: str) -> Block:
    content = [_text(message.text)] if message.text.strip() else []
    content += [_image(image.mime, image.data) for image in message.images]
    return {
        "type": "tool_result",
        "tool_use_id": call_id,
        "content": content or [_text(NO_TEXT)],
    }


def _call(call: ToolCall, call_id: str) -> Block:
    """Arguments that are no object go back as the model wrote them, under a name of their own."""
    try:
        given = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        given = {"invalid": call.arguments}
    return {"type": "tool_use", "id": call_id, "name": call.name, "input": given}


def _id(given: str, used: Collection[str], place_: int) -> str:
    """The id; another one where a vendor wrote it in its own way, or counts from the beginning in each answer.

    400 to these: "String should match pattern" (GitHub langchain-ai/langchain 37756, 2026-11), "must be unique".
    """
    if _ID.fullmatch(given) and given not in used:
        return given
    own = given if given not in used else f"{given} {place_}"
    made = f"call_{hashlib.blake2b(own.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
    return made if made not in used else _id(f"{given} {place_}", used, place_)


def _has(body: Mapping[str, Any], path: str) -> bool:
    if path == "cache_control":
        return b'"cache_control"' in encode(body)
    head, _, tail = path.partition(".")
    return head in body and (not tail or tail in body[head])


def _leave_out(body: dict[str, Any], without: frozenset[str]) -> dict[str, Any]:
    for path in without:
        head, _, tail = path.partition(".")
        if not tail:
            body.pop(head, None)
        elif head in body:
            body[head] = {key: value for key, value in body[head].items() if key != tail}
            if not body[head]:
                del body[head]
    return body
