"""From a request's JSON to what is asked; every fault names its field. Pure.

Source: OpenAI API reference, "Create chat completion" and "Create embeddings", 2026-11. Fields that are not named here
change nothing of an answer's meaning and are passed over (user, metadata, store, service_tier, verbosity ...).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from channels.api.fields import (
    flag,
    items,
    number_or_none,
    shallow,
    text,
    text_or_none,
    whole_or_none,
)
from channels.api.messages import messages_of
from channels.api.problems import NOT_JSON, BadRequest, unsupported, wrong
from channels.api.tools import choice_of, tools_of
from channels.programs import Asked, Form, Picture, Said, Wishes

MAX_INPUTS = 2048
"""Texts of one request for vectors. OpenAI API reference, 2026-11."""

MAX_STOPS = 16
KEPT_TEXT = 20_000
"""Characters of the last question that go into the daemon's books."""

_EFFORTS = {
    "none": "off",
    "minimal": "off",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
}

# Fields that would change what an answer is, the values at which they do not, and why they are refused.
_REFUSED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "n": ((1,), "one answer a request is given here"),
    "logprobs": ((False,), "probabilities are not told here"),
    "top_logprobs": ((0,), "probabilities are not told here"),
    "logit_bias": (({},), "it is not supported here"),
    "audio": ((), "answers are text here"),
    "modalities": ((["text"],), 'answers are text here; allowed: ["text"]'),
    "functions": (([],), "it was replaced by tools"),
    "function_call": (("none",), "it was replaced by tool_choice"),
    "web_search_options": ((), "nothing is searched here"),
}
_SAMPLING = {"top_p": (0.0, 1.0), "frequency_penalty": (-2.0, 2.0), "presence_penalty": (-2.0, 2.0)}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for an answer. `text`: what was said last, for the daemon's books."""

    asked: Asked
    text: str
    is_stream: bool = False
    shows_usage: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """The pictures that have to be fetched first."""
        found = (each.data.decode() for said in self.asked.said for each in said.pictures if not each.mime)
        return tuple(dict.fromkeys(found))

    def with_pictures(self, fetched: Mapping[str, Picture]) -> ChatRequest:
        """The same with the pictures at these addresses."""
        said = tuple(_with_pictures(each, fetched) for each in self.asked.said)
        return replace(self, asked=replace(self.asked, said=said))


@dataclass(frozen=True, slots=True)
class VectorRequest:
    """A request for vectors."""

    model: str
    texts: tuple[str, ...]
    is_base64: bool = False


def json_of(body: bytes) -> Mapping[str, Any]:
    """The body's object. Raises BadRequest."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(replace(NOT_JSON, message=f"The body is not JSON: {error}.")) from None
    if not isinstance(value, dict):
        raise BadRequest(replace(NOT_JSON, message="The body is not a JSON object."))
    return value


def chat_of(
    body: Mapping[str, Any], names: Mapping[str, str], *, uses_our_tools: bool = False
) -> ChatRequest:
    """The request for an answer. `names`: what programs' names of models mean here. Raises BadRequest."""
    for name, (harmless, why) in _REFUSED.items():
        value = body.get(name)
        if value is not None and not any(value == each and type(value) is type(each) for each in harmless):
            raise unsupported(name, why)
    model = text(body, "model", limit=300)
    said = messages_of(body)
    tools = tools_of(body)
    wishes = _wishes(body, choice_of(body, tools))
    asked = Asked(
        said=said,
        model=names.get(model, model),
        tools=tools,
        wishes=wishes,
        lineage=_lineage(body, said),
        uses_our_tools=uses_our_tools,
    )
    last = next((each.text for each in reversed(said) if each.role == "user"), "")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise wrong("stream_options", "it has to be an object")
    return ChatRequest(
        asked,
        last[:KEPT_TEXT],
        is_stream=flag(body, "stream") or False,
        shows_usage=flag(options or {}, "include_usage", "stream_options") or False,
    )


def vectors_of(body: Mapping[str, Any], names: Mapping[str, str]) -> VectorRequest:
    """The request for vectors. Raises BadRequest."""
    model = text(body, "model", limit=300)
    given = body.get("input")
    rows = [given] if isinstance(given, str) else given
    if not isinstance(rows, list) or not rows:
        raise wrong("input", "it has to be a text or a list of texts, and not empty")
    if len(rows) > MAX_INPUTS:
        raise wrong("input", f"at most {MAX_INPUTS} texts at once")
    for at, each in enumerate(rows):
        if not isinstance(each, str):
            raise wrong(f"input[{at}]", "it has to be a text; tokens are not taken")
        if not each:
            raise wrong(f"input[{at}]", "it is empty")
    form = text_or_none(body, "encoding_format") or "float"
    if form not in {"float", "base64"}:
        raise wrong("encoding_format", 'allowed: "float", "base64"')
    if body.get("dimensions") is not None:
        raise unsupported("dimensions", "vectors have the length that their model gives them")
    return VectorRequest(names.get(model, model), tuple(rows), is_base64=form == "base64")


def _wishes(body: Mapping[str, Any], tool_choice: str | None) -> Wishes:
    params: dict[str, Any] = {}
    for name, (least, most) in _SAMPLING.items():
        value = number_or_none(body, name, least, most)
        if value is not None and not (value == 0 and name != "top_p"):
            params[name] = value
    seed = whole_or_none(body, "seed", -(2**63), 2**63 - 1)
    if seed is not None:
        params["seed"] = seed
    if stops := _stops(body):
        params["stop"] = stops
    newer = whole_or_none(body, "max_completion_tokens", 1, 10_000_000)
    older = whole_or_none(body, "max_tokens", 1, 10_000_000)
    effort = text_or_none(body, "reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        raise wrong("reasoning_effort", f"allowed: {', '.join(_EFFORTS)}")
    return Wishes(
        temperature=number_or_none(body, "temperature", 0.0, 2.0),
        max_output=newer if newer is not None else older,
        effort=None if effort is None else _EFFORTS[effort],
        tool_choice=tool_choice,
        parallel_calls=flag(body, "parallel_tool_calls"),
        form=_form(body),
        prediction=_prediction(body),
        params=params,
    )


def _stops(body: Mapping[str, Any]) -> list[str]:
    given = body.get("stop")
    if given is None:
        return []
    rows = [given] if isinstance(given, str) else given
    if not isinstance(rows, list) or len(rows) > MAX_STOPS:
        raise wrong("stop", f"it has to be a text or a list of at most {MAX_STOPS}")
    for at, each in enumerate(rows):
        if not isinstance(each, str) or not each:
            raise wrong(f"stop[{at}]", "it has to be a text, and not empty")
    return rows


def _form(body: Mapping[str, Any]) -> Form | None:
    given = body.get("response_format")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise wrong("response_format", "it has to be an object")
    match given.get("type"):
        case "text":
            return None
        case "json_object":
            return Form("answer", {"type": "object"}, is_strict=False)
        case "json_schema":
            path = "response_format.json_schema"
            row = given.get("json_schema")
            if not isinstance(row, dict):
                raise wrong(path, "it has to be an object")
            schema = row.get("schema")
            if not isinstance(schema, dict):
                raise wrong(f"{path}.schema", "it has to be an object")
            shallow(schema, f"{path}.schema")
            name = text(row, "name", path, limit=64)
            return Form(name, schema, is_strict=flag(row, "strict", path) or False)
        case _:
            raise wrong("response_format.type", "allowed: text, json_object, json_schema")


def _prediction(body: Mapping[str, Any]) -> str:
    given = body.get("prediction")
    if given is None:
        return ""
    if not isinstance(given, dict) or given.get("type") != "content":
        raise wrong("prediction", 'it has to be {"type": "content", "content": ...}')
    content = given.get("content")
    if isinstance(content, str):
        return content
    parts = items(given, "content", "prediction")
    return "".join(
        text(part, "text", f"prediction.content[{at}]", may_be_empty=True) for at, part in enumerate(parts)
    )


def _lineage(body: Mapping[str, Any], said: tuple[Said, ...]) -> str:
    """The program's own key, else one made of how the prompt begins."""
    key = text_or_none(body, "prompt_cache_key")
    if key:
        return key[:64]
    digest = hashlib.blake2b(digest_size=12)
    for each in said:
        digest.update(f"{each.role}\n{each.text}\n".encode())
        if each.role == "user":
            break
    return f"program-{digest.hexdigest()}"


def _with_pictures(said: Said, fetched: Mapping[str, Picture]) -> Said:
    if all(each.mime for each in said.pictures):
        return said
    pictures = tuple(each if each.mime else fetched[each.data.decode()] for each in said.pictures)
    return replace(said, pictures=pictures)
