"""The HTTP side: /api/v10, the gateway's sockets, the CDN, /control, and the faults on the way."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import time
from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import BodyPartReader, web

from .control import Control
from .errors import ApiError, known, not_found, unauthorized
from .gateway import Gateway
from .limits import Verdict
from .messages import File
from .payloads import sign
from .request import Request, Route
from .rest import Router
from .state import Account, Call, Fault, World

# discord.py 2.7.1, http.py json_or_text: JSON is read only when the header is exactly this.
JSON = "application/json"
API = "/api/v10"
_INVALID = (401, 403, 429)


class Server:
    """One fake Discord with its bots."""

    def __init__(self, tokens: list[str], *, lean: bool = False) -> None:
        self._tokens = tokens
        self._lean = lean
        self._router = Router()
        self.gateway = Gateway()
        self.base_url = ""
        self.world = World(tokens, lean=lean)
        self.control = Control(self)

    def reset(self) -> None:
        """A new world; the sockets of the old one are cut and what hangs is let go."""
        self.world.end()
        for link in list(self.gateway.sockets):
            link.drop()
        self.world = World(self._tokens, lean=self._lean)
        self.world.base_url = self.base_url

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request of anybody."""
        path = request.rel_url.raw_path
        if path.startswith(API + "/"):
            return await self._call(request, path[len(API) :])
        if path in ("/gateway", "/gateway/", "/resume", "/resume/", "/"):
            return await self.gateway.handle(request, self.world)
        if path.startswith("/control/"):
            return await self.control.handle(request, path[len("/control/") :])
        if path.startswith("/attachments/"):
            return self._file(request)
        return _refusal(not_found(), {})

    def _file(self, request: web.BaseRequest) -> web.Response:
        """The CDN: a signed URL until it expires."""
        world, path = self.world, request.path
        parts = path.split("/")
        place, one = world.files.get(parts[3] if len(parts) == 5 else "", (None, None))
        expires = int(request.query.get("ex", "0") or "0", 16)
        signed = request.query.get("hm") == sign(path, expires)
        if place is None or one is None or not signed or expires < world.clock.wall():
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=one.data, content_type=one.mime)

    async def _call(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        world, at = self.world, time.monotonic()
        headers: dict[str, str] = {"Via": "1.1 google"} if world.settings.via else {}
        call = None
        try:
            if world.limiter.is_banned(world.clock.now()):
                return web.Response(status=429, text="error code: 1015", content_type="text/plain")
            route, args = self._router.find(request.method, path)
            args = {name: unquote(value) if name != "emoji" else value for name, value in args.items()}
            account = _account(world, request) if route.needs_token else None
            body, files = await _body(request)
            call = _record(world, request, route, args, account, body, files, at)
            _limit(world, request, route, args, account, headers)
            asked = Request(world, account, args, dict(request.query), body, files)
            response = await self._carry_out(request, route, asked, call, headers)
        except ApiError as error:
            response = _refuse(world, error, headers, call)
        if call is not None:
            call.status = call.status or response.status
            call.took = time.monotonic() - at
        world.changed()
        return response

    async def _carry_out(
        self, request: web.BaseRequest, route: Route, asked: Request, call: Call, headers: dict[str, str]
    ) -> web.Response:
        fault = _pick(asked.world, route, asked, call)
        if fault is None:
            return _run(route, asked, call, headers)
        what = fault.what
        world = asked.world
        await _wait(world, float(what.get("delay", 0)))
        if what.get("hold"):
            await world.released.wait()
        if what.get("hang"):
            call.status = -2
            world.changed()
            await world.ended.wait()
        if what.get("drop") == "before":
            return _cut(request, call)
        if "rate_limit" in what:
            raise _limited(what["rate_limit"], headers)
        if "error" in what:
            status, code, message, *more = what["error"]
            raise ApiError(status, code, message, **(more[0] if more else {}))
        if "status" in what:
            text = what.get("body", "<html><body>Bad Gateway</body></html>")
            return web.Response(status=int(what["status"]), text=text, content_type="text/html")
        response = _run(route, asked, call, headers)
        world.changed()
        await _wait(world, float(what.get("delay_after", 0)))
        if what.get("drop") == "after":
            return _cut(request, call)
        if what.get("malformed"):
            data = response.body if isinstance(response.body, bytes) else b"{}"
            return web.Response(body=data[: len(data) // 2], headers={**headers, "Content-Type": JSON})
        return response


def _account(world: World, request: web.BaseRequest) -> Account:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    account = world.accounts.get(token) if kind == "Bot" else None
    if account is None or account.is_revoked:
        raise unauthorized()
    return account


async def _body(request: web.BaseRequest) -> tuple[Any, list[File]]:
    """JSON, or multipart with payload_json and files[n] (Discord docs, Uploading Files)."""
    if not request.can_read_body:
        return None, []
    if request.content_type == "multipart/form-data":
        return await _multipart(request)
    raw = await request.read()
    if not raw:
        return None, []
    if request.content_type != JSON:
        raise ApiError(
            400,
            50035,
            "Invalid Form Body",
            errors={
                "_errors": [
                    {
                        "code": "CONTENT_TYPE_INVALID",
                        "message": "Expected \"Content-Type\" header to be one of {'application/json'}.",
                    }
                ]
            },
        )
    try:
        return orjson.loads(raw), []
    except orjson.JSONDecodeError:
        raise known(50109) from None


async def _multipart(request: web.BaseRequest) -> tuple[Any, list[File]]:
    body: Any = {}
    files: list[File] = []
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise known(50109)
        data = bytes(await part.read(decode=True))
        if part.name == "payload_json":
            try:
                body = orjson.loads(data)
            except orjson.JSONDecodeError:
                raise known(50109) from None
        elif part.filename:
            mime = part.headers.get("Content-Type", "application/octet-stream")
            files.append((part.filename, mime, data))
    return body, files


def _record(
    world: World,
    request: web.BaseRequest,
    route: Route,
    args: dict[str, str],
    account: Account | None,
    body: Any,
    files: list[File],
    at: float,
) -> Call:
    previous = world.calls[-1].at if world.calls else None
    world.call_count += 1
    world.route_counts[route.name] = world.route_counts.get(route.name, 0) + 1
    shown = {name: value for name, value in args.items() if name != "token"}
    bot = account.id if account is not None else _owner(world, args)
    hidden = ("authorization", "cookie")
    headers = (
        {} if world.lean else {k.lower(): v for k, v in request.headers.items() if k.lower() not in hidden}
    )
    call = Call(
        seq=world.call_count,
        at=at,
        since_previous=None if previous is None else at - previous,
        bot=bot,
        name=route.name,
        method=request.method,
        route=route.path,
        args=shown,
        query=dict(request.query),
        body=None if world.lean else body,
        headers=headers,
        files=[name for name, _, _ in files],
    )
    world.calls.append(call)
    world.changed()
    return call


def _owner(world: World, args: dict[str, str]) -> str | None:
    asked = world.interactions.get(args.get("interaction", ""))
    return asked.account.id if asked is not None else args.get("application")


def _limit(
    world: World,
    request: web.BaseRequest,
    route: Route,
    args: dict[str, str],
    account: Account | None,
    headers: dict[str, str],
) -> None:
    """Count the call. Raises ApiError 429; fills the headers of every answer."""
    now = world.clock.now()
    who = account.id if account is not None else "webhook"
    if account is not None:
        wait = world.limiter.hit_global(now, who)
        if wait is not None:
            raise _limited({"retry_after": wait, "global": True}, headers)
    if not route.bucket:
        return
    verdict = world.limiter.hit(now, who, route.bucket, "+".join(args.get(name, "") for name in route.major))
    headers |= _figures(world, verdict)
    if verdict.wait is not None:
        raise _limited({"retry_after": verdict.wait}, headers)


def _figures(world: World, verdict: Verdict) -> dict[str, str]:
    """Discord docs, Rate Limits, Header Format; seconds with milliseconds, rounded up."""
    left = math.ceil(verdict.reset_after * 1000) / 1000
    return {
        "X-RateLimit-Limit": str(verdict.limit),
        "X-RateLimit-Remaining": str(verdict.remaining),
        "X-RateLimit-Reset": f"{world.clock.wall() + left:.3f}",
        "X-RateLimit-Reset-After": f"{left:.3f}",
        "X-RateLimit-Bucket": verdict.bucket,
    }


def _limited(what: dict[str, Any], headers: dict[str, str]) -> ApiError:
    """429: `retry_after`, `global`, `scope` (user, global, shared), `via` False takes the header away."""
    wait = math.ceil(float(what["retry_after"]) * 1000) / 1000
    is_global = bool(what.get("global", False))
    scope = what.get("scope", "global" if is_global else "user")
    headers["X-RateLimit-Scope"] = scope
    headers["Retry-After"] = str(math.ceil(wait))
    if is_global:
        headers["X-RateLimit-Global"] = "true"
    if not what.get("via", True):
        headers.pop("Via", None)
    words = "The resource is being rate limited." if scope == "shared" else "You are being rate limited."
    return ApiError(429, int(what.get("code", 0)), words, retry_after=wait, **{"global": is_global})


def _refuse(world: World, error: ApiError, headers: dict[str, str], call: Call | None) -> web.Response:
    if error.status in _INVALID and headers.get("X-RateLimit-Scope") != "shared":
        world.limiter.count_invalid(world.clock.now())
    if call is not None:
        call.code = error.code
    return _refusal(error, headers)


def _refusal(error: ApiError, headers: dict[str, str]) -> web.Response:
    body = orjson.dumps(error.body())
    return web.Response(status=error.status, body=body, headers={**headers, "Content-Type": JSON})


def _run(route: Route, asked: Request, call: Call, headers: dict[str, str]) -> web.Response:
    try:
        status, found = route.handler(asked)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A body of a shape that no check foresaw; the real server would name the field.
        told = [{"code": "UNREADABLE", "message": f"{type(error).__name__}: {error}"}]
        raise ApiError(400, 50035, "Invalid Form Body", errors={"_errors": told}) from error
    if isinstance(found, dict):
        call.result = found.get("id")
    if status == 204:
        return web.Response(status=204, headers=headers)
    return web.Response(status=status, body=orjson.dumps(found), headers={**headers, "Content-Type": JSON})


def _pick(world: World, route: Route, asked: Request, call: Call) -> Fault | None:
    for fault in world.faults:
        fits = fault.route in (route.name, "*") and fault.bot in (None, call.bot)
        if fits and fault.channel in (None, asked.args.get("channel")) and fault.times > 0:
            fault.times -= 1
            if not fault.times:
                world.faults.remove(fault)
            return fault
    return None


async def _wait(world: World, seconds: float) -> None:
    if seconds > 0:
        try:
            await asyncio.wait_for(world.ended.wait(), seconds)
        except TimeoutError:
            return


def _cut(request: web.BaseRequest, call: Call) -> web.Response:
    """Reset the connection: the caller cannot tell whether the call was carried out."""
    call.status = -1
    transport = request.transport
    if transport is not None:
        line = transport.get_extra_info("socket")
        if line is not None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


async def serve(server: Server, host: str, port: int) -> tuple[web.ServerRunner, int]:
    """Listen; returns the runner and the port that it got."""
    runner = web.ServerRunner(web.Server(server.handle, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, host, port, shutdown_timeout=0.5, backlog=4096)
    await site.start()
    found = int(runner.addresses[0][1])
    server.base_url = server.world.base_url = f"http://{host}:{found}"
    return runner, found
