"""The messages of a program's conversation. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from channels.api.fields import items, path_of, text, text_or_none
from channels.api.problems import unsupported, wrong
from channels.programs import Call, Picture, Said

MAX_PICTURES = 100

_SIGNS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


def picture_of(data: bytes) -> Picture | None:
    """A picture by its first bytes, whatever it was called; None for what is none."""
    for sign, mime in _SIGNS:
        if data.startswith(sign):
            return Picture(mime, data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Picture("image/webp", data)
    return None


def messages_of(body: Mapping[str, Any]) -> tuple[Said, ...]:
    """What was said, in order. A picture that has to be fetched has no `mime`, its data is the address.

    Raises BadRequest.
    """
    rows = items(body, "messages")
    if not rows:
        raise wrong("messages", "there are none")
    said: list[Said] = []
    open_calls: dict[str, str] = {}
    for at, row in enumerate(rows):
        path = f"messages[{at}]"
        one = _said(row, path)
        if one.role == "tool":
            if open_calls.pop(one.call_id, None) is None:
                raise wrong(
                    f"{path}.tool_call_id", "no call of this id waits for a result in the message before"
                )
        elif open_calls:
            missing = ", ".join(open_calls)
            raise wrong(path, f"results of these calls have to come first: {missing}")
        open_calls |= _opened(one, path)
        said.append(one)
    if open_calls:
        raise wrong("messages", f"results of these calls are missing: {', '.join(open_calls)}")
    if said[-1].role == "assistant":
        raise unsupported(
            f"messages[{len(said) - 1}].role", "the last message has to be another's than the model's"
        )
    if sum(len(each.pictures) for each in said) > MAX_PICTURES:
        raise wrong("messages", f"at most {MAX_PICTURES} pictures")
    return tuple(said)


def _opened(one: Said, path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for at, call in enumerate(one.calls):
        if call.id in found:
            raise wrong(f"{path}.tool_calls[{at}].id", "another call has this id")
        found[call.id] = call.name
    return found


def _said(row: Mapping[str, Any], path: str) -> Said:
    role = text(row, "role", path)
    match role:
        case "system" | "developer":
            return Said("system", _words(row, path))
        case "user":
            words, pictures = _user(row, path)
            return Said("user", words, pictures)
        case "assistant":
            calls = _calls(row, path)
            has_words = row.get("content") is not None or not calls
            said = _words(row, path) if has_words else ""
            return Said("assistant", said, calls=calls)
        case "tool":
            return Said("tool", _words(row, path), call_id=text(row, "tool_call_id", path))
        case _:
            raise wrong(f"{path}.role", "allowed: system, developer, user, assistant, tool")


def _words(row: Mapping[str, Any], path: str) -> str:
    """Content that can be nothing but text."""
    content = row.get("content")
    if isinstance(content, str):
        return content
    if content is None:
        if isinstance(refusal := row.get("refusal"), str):
            return refusal
        raise wrong(f"{path}.content", "it is missing")
    parts = items(row, "content", path)
    return "\n".join(_text_part(part, f"{path}.content[{at}]") for at, part in enumerate(parts))


def _text_part(part: Mapping[str, Any], path: str) -> str:
    kind = text(part, "type", path)
    if kind not in {"text", "refusal"}:
        raise unsupported(f"{path}.type", "only text can stand here")
    return text(part, kind, path, may_be_empty=True)


def _user(row: Mapping[str, Any], path: str) -> tuple[str, tuple[Picture, ...]]:
    if not isinstance(row.get("content"), list):
        return _words(row, path), ()
    words: list[str] = []
    pictures: list[Picture] = []
    for at, part in enumerate(items(row, "content", path)):
        below = f"{path}.content[{at}]"
        match text(part, "type", below):
            case "text":
                words.append(text(part, "text", below, may_be_empty=True))
            case "image_url":
                pictures.append(_picture(part, below))
            case other:
                raise unsupported(f"{below}.type", f"“{other[:40]}” is not taken; allowed: text, image_url")
    return "\n".join(words), tuple(pictures)


def _picture(part: Mapping[str, Any], path: str) -> Picture:
    row = part.get("image_url")
    if not isinstance(row, dict):
        raise wrong(f"{path}.image_url", "it has to be an object")
    url, where = text(row, "url", f"{path}.image_url"), f"{path}.image_url.url"
    if url[:5].lower() != "data:":
        if not url.lower().startswith(("http://", "https://")) or not url.isascii():
            raise wrong(where, "it has to be a data: or an http address")
        return Picture("", url.encode())
    head, _, data = url.partition(",")
    if not head.lower().endswith(";base64"):
        raise wrong(where, "a data: address has to be in base64")
    try:
        found = picture_of(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise wrong(where, "it is not base64") from None
    if found is None:
        raise wrong(where, "it is no PNG, JPEG, GIF or WebP")
    return found


def _calls(row: Mapping[str, Any], path: str) -> tuple[Call, ...]:
    if row.get("tool_calls") is None:
        if row.get("function_call") is not None:
            raise unsupported(f"{path}.function_call", "it was replaced by tool_calls")
        return ()
    found: list[Call] = []
    for at, each in enumerate(_rows(row, path)):
        below = path_of(f"tool_calls[{at}]", path)
        if text_or_none(each, "type", below) not in (None, "function"):
            raise unsupported(f"{below}.type", 'allowed: "function"')
        function = each.get("function")
        if not isinstance(function, dict):
            raise wrong(f"{below}.function", "it has to be an object")
        name = text(function, "name", f"{below}.function")
        arguments = text(function, "arguments", f"{below}.function", may_be_empty=True)
        found.append(Call(text(each, "id", below), name, arguments))
    return tuple(found)


def _rows(row: Mapping[str, Any], path: str) -> Sequence[Mapping[str, Any]]:
    return items(row, "tool_calls", path)
