"""What the Gemini API refuses with 400, each rule with its source (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# API reference, "models.generateContent", request body, 2026-11. Snake case is taken as well (protobuf's JSON).
FIELDS = frozenset(
    "contents tools toolConfig safetySettings systemInstruction generationConfig cachedContent serviceTier store".split()
)
GENERATION_FIELDS = frozenset(
    """stopSequences responseMimeType responseSchema responseJsonSchema responseModalities candidateCount
    maxOutputTokens temperature topP topK seed presencePenalty frequencyPenalty responseLogprobs logprobs
    enableEnhancedCivicAnswers speechConfig thinkingConfig imageConfig mediaResolution""".split()
)
# Docs, "Thinking", table of budgets, 2026-11; 0 and -1 mean off and as much as it needs.
BUDGETS = (
    ("gemini-2.5-flash-lite", (512, 24_576)),
    ("gemini-2.5-flash", (1, 24_576)),
    ("gemini-2.5-pro", (128, 32_768)),
)
LEVELS = ("minimal", "low", "medium", "high", "xhigh")
MAX_INLINE_BYTES = 20 * 1024 * 1024

Body = Mapping[str, Any]


def version(model: str) -> tuple[int, int]:
    """(2, 5) of gemini-2.5-pro, (3, 8) of gemini-3.8-flash; (0, 0) of a name that tells none."""
    found = re.match(r"gemini-(\d+)(?:\.(\d+))?", model)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def broken(model: str, body: Any) -> str | None:
    """The message of the first rule that the request breaks, or None."""
    if not isinstance(body, dict):
        return "Invalid JSON payload received. Unexpected token."
    return next((wrong for rule in _RULES if (wrong := rule(model, body)) is not None), None)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _fields(model: str, body: Body) -> str | None:
    for name in body:
        if _camel(name) not in FIELDS:
            return f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
    for name in body.get("generationConfig") or {}:
        if _camel(name) not in GENERATION_FIELDS:
            return f"Invalid JSON payload received. Unknown name \"{name}\" at 'generation_config': Cannot find field."
    return None


def _contents(model: str, body: Body) -> str | None:
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    for at, content in enumerate(contents):
        if content.get("role", "user") not in ("user", "model", "function"):
            return "Please use a valid role: user, model."
        if not content.get("parts"):
            return f"* GenerateContentRequest.contents[{at}].parts: contents.parts must not be empty."
        for number, part in enumerate(content["parts"]):
            if not {"text", "inlineData", "fileData", "functionCall", "functionResponse"} & part.keys():
                place = f"GenerateContentRequest.contents[{at}].parts[{number}].data"
                return f"* {place}: required oneof field 'data' must have one initialized field"
    return None


def _tool_turns(model: str, body: Body) -> str | None:
    """Docs, "Function calling": the answers to all calls of a turn stand in the turn right after it."""
    open_calls = 0
    for content in body["contents"]:
        calls = [part for part in content["parts"] if "functionCall" in part]
        responses = [part for part in content["parts"] if "functionResponse" in part]
        if len(responses) != open_calls:
            return (
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        open_calls = len(calls)
    return None


def _signatures(model: str, body: Body) -> str | None:
    """Docs, "Thought signatures": Gemini 3 wants the first call of each step of the current turn signed."""
    if version(model) < (3, 0):
        return None
    contents = body["contents"]
    people = [
        at
        for at, content in enumerate(contents)
        if content.get("role", "user") == "user" and any("text" in part for part in content["parts"])
    ]
    for content in contents[people[-1] if people else 0 :]:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and not calls[0].get("thoughtSignature"):
            name = calls[0]["functionCall"].get("name")
            return f"Function call `{name}` is missing a thought_signature in functionCall parts."
    return None


def _thinking(model: str, body: Body) -> str | None:
    """Docs, "Thinking": a budget on 2.5, a level from 3 on; 2.5 Pro cannot be switched off."""
    thinking = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    budget, level = thinking.get("thinkingBudget"), thinking.get("thinkingLevel")
    if budget is not None and level is not None:
        return "You can only set only one of thinking budget and thinking level."
    if level is not None and (0, 0) < version(model) < (3, 0):
        return "Thinking level is not supported for this model."
    if level is not None and str(level).lower() not in LEVELS:
        return f"Invalid value at 'generation_config.thinking_config.thinking_level': \"{level}\""
    if budget == 0 and model.startswith("gemini-2.5-pro"):
        return "Budget 0 is invalid. This model only works in thinking mode."
    low, high = next((span for name, span in BUDGETS if model.startswith(name)), (0, 32_768))
    if budget is not None and budget not in {-1, 0} and not low <= budget <= high:
        return f"The thinking budget {budget} is invalid. Please choose a value between {low} and {high}."
    return None


def _tools(model: str, body: Body) -> str | None:
    names: list[str] = []
    for tool in body.get("tools") or []:
        for declared in tool.get("functionDeclarations") or []:
            name = str(declared.get("name", ""))
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}", name):
                return (
                    "* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name."
                )
            names.append(name)
    if len(names) != len(set(names)):
        return "Duplicate function declaration found"
    choice = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if choice.get("mode") == "ANY" and not names:
        return "Function calling config is set without function_declarations."
    return None


def _cached(model: str, body: Body) -> str | None:
    """API reference, "Caching": what the cache holds may not be sent again."""
    sent = {"systemInstruction", "tools", "toolConfig"} & {_camel(name) for name in body}
    if body.get("cachedContent") and sent:
        return (
            "CachedContent can not be used with GenerateContent request setting system_instruction, tools or "
            "tool_config."
        )
    return None


_RULES: Sequence[Callable[[str, Body], str | None]] = (
    _fields,
    _contents,
    _tool_turns,
    _signatures,
    _thinking,
    _tools,
    _cached,
)
