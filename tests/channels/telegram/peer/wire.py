"""How a call looks on the wire: four ways of passing parameters, one envelope.

Source: Bot API docs "Making requests" (2026-11): URL query, application/x-www-form-urlencoded, application/json,
multipart/form-data; nested objects are JSON strings in all but application/json.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import BodyPartReader, web

from .text import BadText


class ApiError(Exception):
    """Becomes {"ok": false, "error_code": ..., "description": ..., "parameters": ...}."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad(description: str, **parameters: Any) -> ApiError:
    """400 with Telegram's prefix."""
    return ApiError(400, f"Bad Request: {description}", **parameters)


class Args:
    """The parameters of one call, read the way the server reads them: strings and JSON strings alike."""

    __slots__ = ("files", "values")

    def __init__(self, values: dict[str, Any], files: dict[str, bytes] | None = None) -> None:
        self.values = values
        self.files = files or {}

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name, default)
        return value if isinstance(value, str) else orjson.dumps(value).decode()

    def whole(self, name: str, default: int = 0) -> int:
        value = self.values.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, int):
            return int(value)
        try:
            return int(str(value))
        except ValueError:
            return default

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        return value is True or (isinstance(value, str) and value.lower() in ("true", "yes", "1"))

    def nested(self, name: str) -> Any:
        """An object or array; None when absent. Raises ApiError when it is no JSON."""
        value = self.values.get(name)
        if isinstance(value, str):
            if not value:
                return None
            try:
                return orjson.loads(value)
            except orjson.JSONDecodeError:
                raise bad(f"can't parse {name} JSON object") from None
        return value


async def read_args(request: web.BaseRequest) -> Args:
    """The parameters from the query and the body."""
    values: dict[str, Any] = dict(request.query) if request.query_string else {}
    if not request.can_read_body:
        return Args(values)
    kind = request.content_type
    if kind == "multipart/form-data":
        return await _read_multipart(request, values)
    body = await request.read()
    if kind == "application/json":
        try:
            found = orjson.loads(body) if body else {}
        except orjson.JSONDecodeError:
            raise bad("can't parse JSON object") from None
        if not isinstance(found, dict):
            raise bad("object expected as parameters")
        values.update(found)
    else:
        values.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return Args(values)


async def _read_multipart(request: web.BaseRequest, values: dict[str, Any]) -> Args:
    files: dict[str, bytes] = {}
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise bad("can't parse multipart body")
        data = bytes(await part.read(decode=True))
        if part.filename:
            files[part.name] = data
        else:
            values[part.name] = data.decode("utf-8", "replace")
    return Args(values, files)


_JSON = {"Content-Type": "application/json"}


def reply(result: Any) -> web.Response:
    """The envelope of a success."""
    return web.Response(body=b'{"ok":true,"result":' + orjson.dumps(result) + b"}", headers=_JSON)


def reply_raw(fragments: list[bytes]) -> web.Response:
    """A success whose result is an array of ready JSON fragments."""
    return web.Response(body=b'{"ok":true,"result":[' + b",".join(fragments) + b"]}", headers=_JSON)


def refusal(error: ApiError | BadText) -> web.Response:
    """The envelope of a failure; the HTTP status equals error_code."""
    if isinstance(error, BadText):
        error = bad(str(error))
    body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return web.Response(status=error.code, body=orjson.dumps(body), headers=_JSON)
