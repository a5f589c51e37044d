"""The body of a request in Gemini's `generateContent`. Pure. Source: Gemini API reference, 2026-11.

What changes from turn to turn stands last, so that the bytes of one turn are the beginning of the next one's.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import orjson

from providers.base import CompletionRequest, Effort, Image, ModelSpec, PromptMessage, Role, Tool, ToolCall
from providers.failures import Body
from providers.openai_request import encode
from providers.profile import ReasoningStyle

__all__ = ["RESERVED", "Prompt", "encode", "prompt_of", "rejected", "request_body", "without"]

RESERVED = frozenset({"model", "contents", "systemInstruction", "system_instruction", "stream"})
"""What a request always says itself; no parameter may set it."""

OURS = frozenset({"cacheControlTtl"})
"""Parameters that speak to an adapter of ours and mean nothing in this dialect."""

# Fields beside generationConfig; every other parameter goes into it.
_BESIDE = frozenset(
    {"safetySettings", "tools", "toolConfig", "cachedContent", "labels", "serviceTier", "store"}
)

_NAMES = {
    "maxTokens": "maxOutputTokens",
    "maxCompletionTokens": "maxOutputTokens",
    "stop": "stopSequences",
    "n": "candidateCount",
}
"""OpenAI's names of parameters, for settings that were written for it."""

_BUDGETS = {Effort.LOW: 1024, Effort.MEDIUM: 8192, Effort.HIGH: 24576}
"""Tokens of thought: the table of Gemini's OpenAI compatibility, docs 2026-11."""

_LEAST_BUDGET = 128
"""2.5 Pro cannot be told not to think; docs, thinking, 2026-11."""

_ANY_SIGNATURE = "skip_thought_signature_validator"
"""Gemini 3 answers 400 to a call without a signature; this stands for calls that another model made.
Gemini docs, thought signatures, FAQ, 2026-11."""

_UNKNOWN = (
    "unknown name",
    "cannot find field",
    "not supported",
    "unsupported",
    "does not support",
    "not enabled",
    "not allowed",
    "not available",
)

# Words of errors that name no field, and the fields that they mean. Vertex and Gemini API errors, 2026-11.
_MEANT: Mapping[str, tuple[str, ...]] = {
    "thinking": ("generationConfig.thinkingConfig",),
    "response mime type": ("generationConfig.responseMimeType", "generationConfig.responseJsonSchema"),
    "json mode": ("generationConfig.responseMimeType", "generationConfig.responseJsonSchema"),
    "penalty": ("generationConfig.presencePenalty", "generationConfig.frequencyPenalty"),
}


_OLDER = {"generationConfig.responseJsonSchema": "generationConfig.responseSchema"}
"""Fields that a server knows by an older name."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in Gemini's shape. `covers[i]`: how many messages are said by `contents[: i + 1]` and the system's."""

    system: tuple[dict[str, Any], ...]
    contents: tuple[dict[str, Any], ...]
    covers: tuple[int, ...]

    def within(self, messages: int) -> int:
        """How many of the contents the first so many messages make; never all: something has to be asked."""
        whole = sum(1 for covered in self.covers if covered <= messages)
        return min(whole, len(self.contents) - 1)


def request_body(
    model: ModelSpec, request: CompletionRequest, prompt: Prompt, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The request as a JSON object. `defaults` give way to the request's own parameters."""
    beside, config = _parted(defaults)
    config |= _config(model, request)
    more, most = _parted(request.options.params)
    beside |= more
    config |= most
    body: dict[str, Any] = {}
    if prompt.system:
        body["systemInstruction"] = {"parts": list(prompt.system)}
    tools = [*beside.pop("tools", ())]
    if request.tools:
        tools.append({"functionDeclarations": [_declared(tool) for tool in request.tools]})
    if tools:
        body["tools"] = tools
    if request.tools and request.tool_choice is not None:
        body["toolConfig"] = _choice(request.tool_choice)
    body |= beside
    if config:
        body["generationConfig"] = config
    return body | {"contents": list(prompt.contents)}


def prompt_of(model: ModelSpec, messages: Sequence[PromptMessage]) -> Prompt:
    """The messages in Gemini's two roles. What comes first from the system is its instruction.

    A system message further down is said as the user's: moving it up would change the beginning of the prompt.
    """
    first = next((i for i, one in enumerate(messages) if one.role is not Role.SYSTEM), len(messages))
    if first == len(messages):
        first = 0  # nothing but instructions: they are the question
    system = tuple({"text": one.text} for one in messages[:first] if one.text)
    contents: list[dict[str, Any]] = []
    covers: list[int] = []
    open_calls: dict[str, str] = {}
    answers = False
    for count, message in enumerate(messages[first:], first + 1):
        if message.role is not Role.TOOL:
            open_calls = _answered(message, messages[count:]) if message.calls else {}
        parts = _parts(model, message, open_calls)
        if not parts:
            continue
        if message.role is Role.TOOL and answers:  # the results of one step stand together
            contents[-1]["parts"] += parts
            covers[-1] = count
            continue
        answers = message.role is Role.TOOL
        role = "model" if message.role is Role.ASSISTANT else "user"
        contents.append({"role": role, "parts": parts})
        covers.append(count)
    return Prompt(system, tuple(contents), tuple(covers))


def _answered(message: PromptMessage, following: Sequence[PromptMessage]) -> dict[str, str]:
    """The message's calls by id, each with its name, where every one of them has its result right behind it.

    A request with another number of results than calls is rejected, so calls without results are left out.
    """
    results = {one.call_id for one in takewhile(lambda one: one.role is Role.TOOL, following)}
    calls = {call.id: call.name for call in message.calls}
    return calls if len(calls) == len(message.calls) and calls.keys() <= results else {}


def _parts(model: ModelSpec, message: PromptMessage, open_calls: dict[str, str]) -> list[dict[str, Any]]:
    """What the message says. A result takes its call out of `open_calls`; without one it is plain text."""
    pictures = [_picture(image) for image in message.images]
    if message.role is Role.ASSISTANT:
        return pictures + _said(model, message if open_calls else replace(message, calls=()))
    if message.role is Role.TOOL and (name := open_calls.pop(message.call_id, "")):
        result = {"name": name, "id": message.call_id, "response": {"output": message.text}}
        return [{"functionResponse": result}, *pictures]
    return [*pictures, {"text": message.text}] if message.text else pictures


def _picture(image: Image) -> dict[str, Any]:
    return {"inlineData": {"mimeType": image.mime, "data": base64.b64encode(image.data).decode()}}


def _said(model: ModelSpec, message: PromptMessage) -> list[dict[str, Any]]:
    """An answer in the parts that it came in, each with its signature; in plain parts where nothing is known."""
    layout = _layout(model, message)
    if layout is None:
        texts: list[dict[str, Any]] = [{"text": message.text}] if message.text else []
        calls = [_call(call) for call in message.calls]
        if calls and _wants_signatures(model):
            calls[0]["thoughtSignature"] = _ANY_SIGNATURE
        return texts + calls
    parts: list[dict[str, Any]] = []
    start = 0
    for kind, number, signature in layout:
        if kind == "c":
            part = _call(message.calls[number])
        else:
            part = {"text": message.text[start : start + number]}
            start += number
        if signature:
            part["thoughtSignature"] = signature
        parts.append(part)
    return parts


def _layout(model: ModelSpec, message: PromptMessage) -> list[tuple[str, int, str]] | None:
    """What the memo says of the parts; None where it is not this model's or does not fit the message any more."""
    try:
        memo = orjson.loads(message.memo) if message.memo.startswith('{"gemini":') else {}
        if memo.get("gemini") != model.model:
            return None
        layout = [(str(kind), int(number), str(signature)) for kind, number, signature in memo["parts"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    calls = [number for kind, number, _ in layout if kind == "c"]
    if calls != list(range(len(message.calls))):
        return None
    if sum(number for kind, number, _ in layout if kind == "t") == len(message.text):
        return layout
    whole = [("t", len(message.text), "")] if message.text else []
    return [*whole, *(each for each in layout if each[0] == "c")]  # the text was changed since


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        arguments = {"arguments": call.arguments}
    return {"functionCall": {"name": call.name, "id": call.id, "args": arguments}}


def _declared(tool: Tool) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": tool.name, "description": tool.description}
    if tool.parameters.get("properties"):  # an object without properties is rejected
        declared["parametersJsonSchema"] = dict(tool.parameters)
    return declared


def _choice(choice: str) -> dict[str, Any]:
    modes = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
    config: dict[str, Any] = {"mode": modes.get(choice, "ANY")}
    if choice not in modes:
        config["allowedFunctionNames"] = [choice]
    return {"functionCallingConfig": config}


def _config(model: ModelSpec, request: CompletionRequest) -> dict[str, Any]:
    options = request.options
    config: dict[str, Any] = {}
    if options.temperature is not None:
        config["temperature"] = options.temperature
    if options.max_output is not None:
        config["maxOutputTokens"] = options.max_output
    if thinking := _thinking(model, options.effort):
        config["thinkingConfig"] = thinking
    if request.schema is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = dict(request.schema.schema)
    return config


def thinking_style(model: ModelSpec) -> ReasoningStyle:
    """The switch that the model takes here: 2.5 a budget of tokens, 3 and later a level.

    A row that was written for the OpenAI-compatible endpoint says only that there is a switch.
    """
    style = model.profile.reasoning
    if style is not ReasoningStyle.EFFORT:
        return style
    old = re.search(r"gemini-2\.", model.model) is not None
    return ReasoningStyle.BUDGET if old else ReasoningStyle.LEVEL


def _wants_signatures(model: ModelSpec) -> bool:
    """Gemini 3 and later reject calls without; an id that tells no generation is taken for a new one."""
    return re.search(r"gemini-[12]\.", model.model) is None


def _thinking(model: ModelSpec, effort: Effort | None) -> dict[str, Any]:
    style = thinking_style(model)
    if style not in {ReasoningStyle.BUDGET, ReasoningStyle.LEVEL}:
        return {}
    if effort is None:
        return {"includeThoughts": True}
    may_stop = model.profile.effort_off == "none"
    if style is ReasoningStyle.BUDGET:
        if effort is Effort.OFF:
            return {"thinkingBudget": 0 if may_stop else model.profile.budget_min or _LEAST_BUDGET}
        return {"thinkingBudget": _budget(model, effort), "includeThoughts": True}
    if effort is Effort.OFF:  # no model of this style stops thinking; the least level differs
        return {"thinkingLevel": "MINIMAL" if may_stop else model.profile.effort_off.upper()}
    return {"thinkingLevel": effort.value.upper(), "includeThoughts": True}


def _budget(model: ModelSpec, effort: Effort) -> int:
    """Tokens of thought, inside what the model takes: it answers 400 to more, and to fewer."""
    most = model.profile.budget_max
    wanted = max(_BUDGETS[effort], model.profile.budget_min)
    return wanted if most is None else min(wanted, most)


def _parted(params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters by the place where they belong: beside generationConfig, or in it."""
    beside: dict[str, Any] = {}
    config: dict[str, Any] = {}
    for given, value in params.items():
        if given in OURS or given in RESERVED:
            continue
        key = re.sub(r"_([a-z])", lambda found: found[1].upper(), given)
        key = _NAMES.get(key, key)
        if key == "generationConfig" and isinstance(value, Mapping):
            config |= value
        elif key == "stopSequences" and isinstance(value, str):
            config[key] = [value]
        elif key in _BESIDE:
            beside[key] = value
        else:
            config[key] = value
    return beside, config


def rejected(status: int, said: Body, body: Mapping[str, Any]) -> dict[str, str | None]:
    """The optional fields of `body` that an error names as unknown, each with the name to use instead or None.

    A field is a path ("generationConfig.topK"). Empty for every other error.
    """
    words = said.words
    if status != 400 or not any(sign in words for sign in _UNKNOWN):
        return {}
    paths = [key for key in body if key in _BESIDE - {"tools", "toolConfig"}]
    paths += [f"generationConfig.{key}" for key in body.get("generationConfig", ())]
    named = [path for path in paths if _names(words, path.rpartition(".")[2])]
    if not named:
        meant = (path for sign, meant in _MEANT.items() if sign in words for path in meant)
        named = [path for path in meant if path in paths]
    is_unknown = "unknown name" in words or "cannot find field" in words
    return {path: _OLDER.get(path) if is_unknown else None for path in named}


def _names(words: str, field: str) -> bool:
    snake = re.sub(r"([A-Z])", r"_\1", field).lower()
    either = f"{re.escape(field.lower())}|{re.escape(snake)}"
    return re.search(rf"(?<![\w.])(?:{either})(?!\w)", words) is not None


def without(body: Mapping[str, Any], learned: Mapping[str, str | None]) -> dict[str, Any]:
    """The body without what the model is known not to take, or under the name that it takes."""
    if not learned:
        return dict(body)
    config = _renamed(body.get("generationConfig", {}).items(), learned, "generationConfig.")
    out = _renamed(body.items(), learned, "")
    if "generationConfig" in out:
        out["generationConfig"] = config
    return out


def _renamed(
    items: Iterable[tuple[str, Any]], learned: Mapping[str, str | None], head: str
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in items:
        path = learned.get(head + key, head + key)
        if (
            path is not None and (path := learned.get(path, path)) is not None
        ):  # the older name may be unknown too
            out[path.removeprefix(head)] = value
    return out
