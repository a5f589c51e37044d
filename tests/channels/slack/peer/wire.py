"""How a Web API call looks on the wire, and the shape of its answers.

Source: Slack docs "Using the Slack Web API" (2026-11): GET with a query, POST with a form or with JSON; nested values
of a form are JSON strings; every answer is JSON with `ok`; a refusal has HTTP status 200 and `error`, only a rate
limit has status 429.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

_JSON = {"Content-Type": "application/json; charset=utf-8"}


class ApiError(Exception):
    """Becomes {"ok": false, "error": ..., ...extra}."""

    def __init__(
        self, error: str, *, status: int = 200, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(error)
        self.error = error
        self.status = status
        self.headers = headers or {}
        self.extra = extra


def invalid_arguments(*messages: str) -> ApiError:
    """The refusal of a call whose arguments do not fit the method."""
    return ApiError(
        "invalid_arguments", response_metadata={"messages": [f"[ERROR] {message}" for message in messages]}
    )


class Args:
    """The arguments of one call, whatever way they came in."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name, default)
        if value is None:
            return default
        return value if isinstance(value, str) else orjson.dumps(value).decode()

    def required(self, name: str) -> str:
        """Raises ApiError when it is missing."""
        if not self.text(name):
            raise invalid_arguments(f"missing required field: {name}")
        return self.text(name)

    def whole(self, name: str, default: int) -> int:
        try:
            return int(self.values.get(name) or default)
        except (TypeError, ValueError):
            raise invalid_arguments(f"must be a valid integer [json-pointer:/{name}]") from None

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.values.get(name)
        if value is None or value == "":
            return default
        return value is True or str(value).lower() in ("1", "true")

    def nested(self, name: str, refusal: str) -> Any:
        """An object or array, None when absent. Raises ApiError `refusal` when the string is no JSON."""
        value = self.values.get(name)
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                return orjson.loads(value)
            except orjson.JSONDecodeError:
                raise ApiError(refusal) from None
        return value


async def read_args(request: web.BaseRequest) -> Args:
    """The arguments of the query and of the body."""
    values: dict[str, Any] = dict(request.query)
    if request.method != "POST" or not request.can_read_body:
        return Args(values)
    body = await request.read()
    if request.content_type == "application/json":
        try:
            found = orjson.loads(body) if body else {}
        except orjson.JSONDecodeError:
            raise ApiError("invalid_json") from None
        if not isinstance(found, dict):
            raise ApiError("json_not_object")
        values.update(found)
    elif request.content_type in ("application/x-www-form-urlencoded", "text/plain"):
        values.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    else:
        raise ApiError("invalid_post_type")
    return Args(values)


def answer(body: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    """A success."""
    return web.Response(body=orjson.dumps({"ok": True, **body}), headers={**_JSON, **(headers or {})})


def refusal(error: ApiError) -> web.Response:
    """A refusal."""
    return web.Response(
        status=error.status,
        body=orjson.dumps({"ok": False, "error": error.error, **error.extra}),
        headers={**_JSON, **error.headers},
    )
