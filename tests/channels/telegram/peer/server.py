"""The HTTP side: /bot<token>/<method>, /file/bot<token>/<path>, /control/..., and the faults on the way."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import web

from .account import METHODS
from .control import Control
from .flood import Limits
from .polling import Outgoing
from .state import Bot, Call, Fault
from .text import BadText
from .wire import ApiError, Args, read_args, refusal, reply

# A token of another form is answered with 404, one of the right form that nobody owns with 401
# (python-telegram-bot 22.8, request/_baserequest.py, says the same of the real server).
_TOKEN = re.compile(r"\d{3,}:[A-Za-z0-9_-]{30,}\Z")


class Server:
    """All bots of one process."""

    def __init__(self, tokens: list[str], limits: Limits, *, lean: bool, webhook_retry: float) -> None:
        self.bots = {token: Bot(token, limits, lean=lean) for token in tokens}
        self.outgoing = {
            token: Outgoing(bot, webhook_retry=webhook_retry) for token, bot in self.bots.items()
        }
        self.control = Control(self.bots, self.outgoing, self._hang_up)
        self._lines: dict[str, set[asyncio.Transport]] = {token: set() for token in tokens}

    def _hang_up(self, token: str) -> int:
        """Cut every connection over which this bot has called, whatever is on its way; returns how many there were."""
        lines = list(self._lines[token])
        for line in lines:
            line.abort()
        self._lines[token].clear()
        return len(lines)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request of anybody."""
        path = request.path
        try:
            if path.startswith("/bot"):
                token, _, method = path[4:].partition("/")
                return await self._call(request, unquote(token), method)
            if path.startswith("/control/"):
                return await self.control.handle(request, path[len("/control/") :])
            if path.startswith("/file/bot"):
                token, _, name = path[len("/file/bot") :].partition("/")
                return self._file(unquote(token), name)
        except (ApiError, BadText) as error:
            return refusal(error)
        return refusal(ApiError(404, "Not Found"))

    def _bot(self, token: str) -> Bot:
        bot = self.bots.get(token)
        if bot is None or bot.revoked:
            raise ApiError(*((401, "Unauthorized") if _TOKEN.match(token) else (404, "Not Found")))
        return bot

    def _file(self, token: str, name: str) -> web.Response:
        bot = self._bot(token)
        for path, data, _ in bot.files.values():
            # tdlib/telegram-bot-api README: with --local files are given out by their path, not over HTTP.
            if path == name and not path.startswith("/"):
                return web.Response(body=data, content_type="application/octet-stream")
        raise ApiError(404, "Not Found")

    async def _call(self, request: web.BaseRequest, token: str, method: str) -> web.StreamResponse:
        bot, at = self._bot(token), time.monotonic()
        if request.transport is not None:
            lines = self._lines[token]
            if len(lines) > 100:
                lines -= {line for line in lines if line.is_closing()}
            lines.add(request.transport)
        args = await read_args(request)
        method = method.lower()  # Bot API docs: "All methods in the Bot API are case-insensitive"
        call = _record(bot, method, args, at, request.content_type)
        fault = _pick_fault(bot, method, call.chat)
        try:
            if fault is None:
                response: web.StreamResponse = await self._run(bot, method, args, call)
            else:
                response = await self._run_faulty(bot, method, args, call, fault.what, request)
        except (ApiError, BadText) as error:
            response = refusal(error)
            call.error = error.description if isinstance(error, ApiError) else str(error)
            bot.errors[f"{method}:{response.status}"] = bot.errors.get(f"{method}:{response.status}", 0) + 1
        call.done, call.status = time.monotonic(), call.status or response.status
        if bot.watchers:
            bot.changed()
        return response

    async def _run(self, bot: Bot, method: str, args: Args, call: Call) -> web.Response:
        handler = METHODS.get(method)
        if handler is not None:
            result = handler(bot, args)
            if type(result) is dict and "message_id" in result:
                call.result = result["message_id"]
            return reply(result)
        outgoing = self.outgoing[bot.token]
        if method == "getupdates":
            return await outgoing.get_updates(args)
        if method == "setwebhook":
            return outgoing.set_webhook(args)
        if method == "deletewebhook":
            return outgoing.delete_webhook(args)
        if method == "getwebhookinfo":
            return outgoing.webhook_info()
        raise ApiError(404, "Not Found: method not found")

    async def _run_faulty(
        self, bot: Bot, method: str, args: Args, call: Call, what: dict[str, Any], request: web.BaseRequest
    ) -> web.StreamResponse:
        """See Control.faults for what each field does."""
        if "delay" in what:
            await asyncio.sleep(float(what["delay"]))
        if what.get("hang"):
            call.status = -2
            bot.changed()
            await asyncio.Event().wait()
        if what.get("drop") == "before":
            return _drop(request, call)
        if "error" in what:
            code, description, *rest = what["error"]
            raise ApiError(code, description, **(rest[0] if rest else {}))
        if "status" in what:
            return web.Response(status=int(what["status"]), text=what.get("body", "<html>Bad Gateway</html>"))
        response = await self._run(bot, method, args, call)
        bot.changed()
        if "delay_after" in what:
            await asyncio.sleep(float(what["delay_after"]))
        if what.get("drop") == "after":
            return _drop(request, call)
        if what.get("malformed"):
            body = response.body
            assert isinstance(body, bytes)
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        return response


def _drop(request: web.BaseRequest, call: Call) -> web.Response:
    """Cut the connection: the caller cannot tell whether the call was carried out."""
    call.status = -1
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _record(bot: Bot, method: str, args: Args, at: float, content_type: str) -> Call:
    chat = args.whole("chat_id") or None if "chat_id" in args.values else None
    seq = bot.counts.get("calls", 0) + 1
    call = Call(seq, at, method, chat, None if bot.lean else args.values, content_type)
    bot.counts["calls"] = seq
    bot.counts[method] = bot.counts.get(method, 0) + 1
    bot.calls.append(call)
    return call


def _pick_fault(bot: Bot, method: str, chat: int | None) -> Fault | None:
    for fault in bot.faults:
        if fault.method in (method, "*") and fault.chat in (None, chat) and fault.times > 0:
            fault.times -= 1
            if not fault.times:
                bot.faults.remove(fault)
            return fault
    return None


async def serve(server: Server, host: str, port: int) -> tuple[web.ServerRunner, int]:
    """Listen; returns the runner and the port that it got."""
    runner = web.ServerRunner(web.Server(server.handle, access_log=None, handler_cancellation=True))
    await runner.setup()
    site = web.TCPSite(runner, host, port, shutdown_timeout=0.5, backlog=4096)
    await site.start()
    return runner, int(runner.addresses[0][1])


def ready_line(port: int, token: str, pid: int) -> str:
    """What the process prints when it listens."""
    return orjson.dumps({"port": port, "token": token, "pid": pid}).decode()
