"""The HTTP side: /api/<method>, /link (Socket Mode), /files, /response, /control, and the faults on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from .app import App
from .control import Control
from .methods import APP_TOKEN_METHODS, BY_KIND, METHODS, SCOPES
from .responses import respond
from .state import Call, Fault, Identity
from .wire import ApiError, Args, answer, read_args, refusal

# How a download by url_private is called in the record and by faults.
DOWNLOAD = "url_private"
_LOGIN = "<!DOCTYPE html><html><head><title>Login | Slack</title></head><body>Sign in to Slack</body></html>"


class Server:
    """All workspaces of one process."""

    def __init__(self, workspaces: int, *, limited: bool, lean: bool) -> None:
        self.identities = [Identity.number(number) for number in range(1, workspaces + 1)]
        self._limited = limited
        self._lean = lean
        self.base_url = ""
        self.apps: dict[str, App] = {}
        self.control = Control(self)

    def begin(self, base_url: str) -> None:
        """Install the apps, now that the address is known."""
        self.base_url = base_url
        self.apps = {identity.team: self._fresh(identity) for identity in self.identities}

    def _fresh(self, identity: Identity) -> App:
        return App(identity, self.base_url, limited=self._limited, lean=self._lean)

    async def reset(self, team: str) -> None:
        """A fresh workspace under the same tokens; its connections are cut."""
        old = self.apps[team]
        self.apps[team] = self._fresh(old.workspace.identity)
        await old.dispatcher.close()

    async def close(self) -> None:
        for app in self.apps.values():
            await app.dispatcher.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request of anybody."""
        path = request.path
        try:
            if path.startswith("/api/"):
                return await self._call(request, path.removeprefix("/api/"))
            if path.startswith("/control/"):
                return await self.control.handle(request, path.removeprefix("/control/"))
            if path.startswith("/link"):
                return await self._link(request)
            if path.startswith("/files/"):
                return await self._download(request)
            if path.startswith("/response/"):
                _, _, team, number = path.split("/", 3)
                return await respond(self.apps[team], number, request)
        except ApiError as error:
            return refusal(error)
        return web.Response(status=404, text=_LOGIN, content_type="text/html")

    def _app(self, token: str) -> tuple[App, str]:
        """The app of a token, and which of its tokens it is. Raises ApiError for a token that nobody has."""
        if not token:
            raise ApiError("not_authed")
        for app in self.apps.values():
            identity = app.workspace.identity
            if token in (identity.bot_token, identity.app_token):
                return app, "bot" if token == identity.bot_token else "app"
        raise ApiError("invalid_auth")

    async def _link(self, request: web.BaseRequest) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        for app in self.apps.values():
            if app.line.knows(ticket):
                return await app.line.serve(request, ticket)
        raise ApiError("unknown_ticket", status=403)

    async def _download(self, request: web.BaseRequest) -> web.StreamResponse:
        """url_private: the bytes for a bearer of the token, the way to the login page for all others."""
        away = web.Response(status=302, headers={"Location": f"{self.base_url}/login"})
        file_id = request.path.split("/")[2]
        try:
            app, kind = self._app(_bearer(request))
        except ApiError:
            return away

        def give() -> web.Response:
            found = app.workspace.files.get(file_id)
            is_good = kind == "bot" and not app.workspace.trouble.get("bot")
            if found is None or not is_good or "files:read" not in app.workspace.settings.scopes:
                return away
            return web.Response(body=found[1], content_type=found[0]["mimetype"])

        return await self._answer(app, _record(app, DOWNLOAD, Args({"file": file_id}), kind), give, request)

    async def _call(self, request: web.BaseRequest, method: str) -> web.StreamResponse:
        args = await read_args(request)
        token = _bearer(request) or args.text("token")
        args.values.pop("token", None)
        app, kind = self._app(token)
        call = _record(app, method, args, kind)
        return await self._answer(app, call, lambda: _run(app, method, args, call), request)

    async def _answer(
        self, app: App, call: Call, run: Callable[[], web.Response], request: web.BaseRequest
    ) -> web.StreamResponse:
        """Carry a call out, or let it meet the fault that waits for it, and note what became of it."""
        fault = _pick_fault(app, call.method, call.channel)
        try:
            response = run() if fault is None else await _meet(app, call, fault.what, run, request)
        except ApiError as error:
            response = refusal(error)
            call.error = error.error
            call.retry_after = int(error.headers.get("Retry-After", 0))
            name = f"{call.method}:{error.error}"
            app.workspace.errors[name] = app.workspace.errors.get(name, 0) + 1
        call.done, call.status = time.monotonic(), call.status or response.status
        app.workspace.changed()
        return response


def _run(app: App, method: str, args: Args, call: Call) -> web.Response:
    """The method itself, behind the token, the scope and the rate limit."""
    trouble = app.workspace.trouble.get(call.token)
    if trouble:
        raise ApiError(trouble)
    handler = METHODS.get(method)
    if handler is None:
        raise ApiError("unknown_method", req_method=method)
    if (call.token == "app") is not (method in APP_TOKEN_METHODS):
        raise ApiError("not_allowed_token_type")
    _check_scope(app, method, call.channel)
    wait = app.workspace.meter.refuse(method, call.channel, app.workspace.now())
    if wait is not None:
        raise ratelimited(wait)
    found = handler(app, args)
    call.ts = str(found.get("ts", found.get("message_ts", "")))
    return answer(found, {"x-oauth-scopes": ",".join(app.workspace.settings.scopes)})


async def _meet(
    app: App, call: Call, what: dict[str, Any], run: Callable[[], web.Response], request: web.BaseRequest
) -> web.Response:
    """See Control's `faults` for what each field does."""
    if "delay" in what:
        await asyncio.sleep(float(what["delay"]))
    if what.get("hang"):
        call.status = -2
        app.workspace.changed()
        await asyncio.Event().wait()
    if what.get("lose") == "before":
        return _cut(request, call)
    if "retry_after" in what:
        raise ratelimited(what["retry_after"])
    if "error" in what:
        raise ApiError(what["error"], **what.get("extra", {}))
    if "status" in what or what.get("html"):
        status, page = int(what.get("status", 200)), what.get("body", _LOGIN)
        return web.Response(status=status, text=page, content_type="text/html")
    response = run()
    if "delay_after" in what:
        app.workspace.changed()  # whoever waits for the call need not wait for its answer
        await asyncio.sleep(float(what["delay_after"]))
    if what.get("lose") == "after":
        return _cut(request, call)
    if what.get("malformed"):
        body = response.body
        assert isinstance(body, bytes)
        return web.Response(body=body[: len(body) // 2], content_type="application/json")
    return response


def ratelimited(seconds: float) -> ApiError:
    """429 as Slack answers it."""
    return ApiError("ratelimited", status=429, headers={"Retry-After": str(seconds)})


def _check_scope(app: App, method: str, channel_id: str) -> None:
    needed = SCOPES.get(method)
    if needed is None:
        return
    granted = app.workspace.settings.scopes
    channel = app.workspace.channels.get(channel_id)
    if channel is not None and len(needed) == 4:
        needed = tuple(scope for scope in needed if scope.startswith(f"{BY_KIND[channel.kind]}:"))
    if not any(scope in granted for scope in needed):
        raise ApiError("missing_scope", needed=",".join(needed), provided=",".join(granted))


def _bearer(request: web.BaseRequest) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind == "Bearer" else ""


def _cut(request: web.BaseRequest, call: Call) -> web.Response:
    """Cut the connection: the caller cannot tell whether the call was carried out."""
    call.status = -1
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _record(app: App, method: str, args: Args, token: str) -> Call:
    workspace = app.workspace
    seq = workspace.counts.get("calls", 0) + 1
    channel = args.text("channel") or args.text("channel_id")
    call = Call(seq, time.monotonic(), method, channel, None if workspace.lean else args.values, token)
    workspace.counts["calls"] = seq
    workspace.counts[method] = workspace.counts.get(method, 0) + 1
    workspace.calls.append(call)
    return call


def _pick_fault(app: App, method: str, channel: str) -> Fault | None:
    for fault in app.workspace.faults:
        if fault.method in (method, "*") and fault.channel in ("", channel) and fault.times > 0:
            fault.times -= 1
            if not fault.times:
                app.workspace.faults.remove(fault)
            return fault
    return None


async def serve(server: Server, host: str, port: int) -> tuple[web.ServerRunner, int]:
    """Listen; returns the runner and the port that it got."""
    listener = web.Server(server.handle, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(listener, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=4096)
    await site.start()
    taken = int(runner.addresses[0][1])
    server.begin(f"http://{host}:{taken}")
    return runner, taken


def ready_line(server: Server, port: int, pid: int) -> str:
    """What the process prints when it listens."""
    accounts = [identity.json() for identity in server.identities]
    return orjson.dumps({"port": port, "pid": pid, "accounts": accounts}).decode()
