"""A recorded request for an answer, read back into no dialect at all (pure)."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from tests.mock_model.wire import dumps

# Fields that say how much to reason, in whatever dialect.
_REASONING = "reasoning_effort reasoning disable_reasoning reasoning_format thinking".split()


def view(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """system, texts, tools, results, images, schema, reasoning, prediction, marks, prefix and key_in."""
    body, path = recorded["body"], recorded["path"]
    if path.endswith("/v1/messages"):
        seen = _anthropic(body)
    elif "/v1beta/" in path:
        seen = _gemini(body)
    else:
        seen = _openai(body)
    return seen | {"key_in": recorded["key_in"]}


def _openai(body: Mapping[str, Any]) -> dict[str, Any]:
    messages = [message | {"content": blocks_of(message.get("content"))} for message in body["messages"]]
    parts = [part for message in messages for part in message["content"]]
    schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    urls = [part["image_url"]["url"] for part in parts if part.get("type") == "image_url"]
    tools = body.get("tools") or []
    predicted = (body.get("prediction") or {}).get("content", "")
    return {
        "system": "".join(_said(m) for m in messages if m["role"] == "system"),
        "texts": tuple(_said(m) for m in messages if m["role"] in ("user", "assistant")),
        "tools": tuple(tool["function"]["name"] for tool in tools),
        "results": tuple(_said(m) for m in messages if m["role"] == "tool"),
        "images": tuple(base64.b64decode(url.partition(",")[2]) for url in urls),
        "schema": schema,
        "reasoning": _reasoning({name: body[name] for name in _REASONING if name in body}, messages),
        "prediction": predicted if isinstance(predicted, str) else _text(blocks_of(predicted)),
        "marks": _marks(body),
        "prefix": _prefix(tools, messages),
    }


def _anthropic(body: Mapping[str, Any]) -> dict[str, Any]:
    system = blocks_of(body.get("system"))
    messages = [message | {"content": blocks_of(message["content"])} for message in body["messages"]]
    parts = [part for message in messages for part in message["content"]]
    output = body.get("output_config") or {}
    given = {name: body[name] for name in _REASONING if name in body}
    if "effort" in output:
        given["effort"] = output["effort"]
    results = [blocks_of(part.get("content")) for part in parts if part["type"] == "tool_result"]
    images = [part["source"]["data"] for part in parts if part["type"] == "image"]
    tools = body.get("tools") or []
    return {
        "system": _text(system),
        "texts": tuple(text for message in messages if (text := _said(message))),
        "tools": tuple(tool["name"] for tool in tools),
        "results": tuple(_text(result) for result in results),
        "images": tuple(base64.b64decode(data) for data in images),
        "schema": (output.get("format") or {}).get("schema"),
        "reasoning": dumps(given),
        "marks": _marks(body),
        "prefix": _prefix([tools, system], messages),
    }


def _gemini(body: Mapping[str, Any]) -> dict[str, Any]:
    config = body.get("generationConfig") or {}
    contents = body["contents"]
    parts = [part for content in contents for part in content["parts"]]
    declared = [one for tool in body.get("tools") or [] for one in tool.get("functionDeclarations") or []]
    results = [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]
    texts = [_text(content["parts"]) for content in contents]
    return {
        "system": _text((body.get("systemInstruction") or {}).get("parts") or []),
        "texts": tuple(text for text in texts if text),
        "tools": tuple(one["name"] for one in declared),
        "results": tuple(dumps(result) for result in results),
        "images": tuple(
            base64.b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part
        ),
        "schema": config.get("responseJsonSchema") or config.get("responseSchema"),
        "reasoning": dumps(config.get("thinkingConfig") or {}),
        "prefix": _prefix([body.get("tools"), body.get("systemInstruction")], contents),
    }


def blocks_of(content: Any) -> list[dict[str, Any]]:
    """A message's content as blocks; a text alone is one block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content or [])


def _text(blocks: list[dict[str, Any]]) -> str:
    return "".join(str(block.get("text", "")) for block in blocks if not block.get("thought"))


def _said(message: Mapping[str, Any]) -> str:
    return _text(message["content"])


def _reasoning(given: Mapping[str, Any], messages: list[Any]) -> str:
    """The switches, and the suffix that some models take instead."""
    people = [_said(message) for message in messages if message["role"] == "user"]
    suffix = {"suffix": True} if people and people[-1].rstrip().endswith(("/no_think", "/think")) else {}
    return dumps({**given, **suffix})


def _marks(value: Any) -> int:
    return sum("cache_control" in one for one in _objects(value))


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _prefix(first: Any, messages: Any) -> str:
    """Everything in front, then the messages without the bracket that ends them."""
    return dumps(unmarked(first)) + dumps(unmarked(messages))[:-1]


def unmarked(value: Any) -> Any:
    """The same without cache marks."""
    if isinstance(value, Mapping):
        return {name: unmarked(one) for name, one in value.items() if name != "cache_control"}
    return [unmarked(one) for one in value] if isinstance(value, list) else value
