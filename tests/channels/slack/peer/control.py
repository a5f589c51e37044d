"""/control/: a test plays the people, looks at what they see, and makes trouble. JSON in, JSON out.

Every body may name a workspace by "team"; without it the first one is meant. Times are time.monotonic().
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from . import people
from .deliveries import Socket
from .state import Fault
from .views import channel_json, condition
from .wire import ApiError, answer

if TYPE_CHECKING:
    from .app import App
    from .server import Server

Verb = Callable[["App", dict[str, Any]], Any]


class Control:
    """The verbs below /control/."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def handle(self, request: web.BaseRequest, verb: str) -> web.Response:
        """Run one verb."""
        raw = await request.read()
        body: dict[str, Any] = orjson.loads(raw) if raw else {}
        apps = self._server.apps
        team = body.pop("team", next(iter(apps)))
        if verb == "reset":
            for name in [team] if body.get("only") else list(apps):
                await self._server.reset(name)
            return answer({"result": True})
        app = apps[team]
        if verb not in _SLOW and verb not in _VERBS:
            known = ", ".join(sorted([*_VERBS, *_SLOW, "reset"]))
            raise ApiError("no_such_verb", status=404, description=f"there are {known}")
        try:
            result = await _SLOW[verb](app, body) if verb in _SLOW else _VERBS[verb](app, body)
        except (KeyError, TypeError, ValueError) as error:
            raise ApiError("bad_order", status=400, description=repr(error)) from error
        app.workspace.changed()
        return answer({"result": result})


def _state(app: App, body: dict[str, Any]) -> Any:
    workspace, dispatcher = app.workspace, app.dispatcher
    return {
        "identity": workspace.identity.json(),
        "counts": workspace.counts,
        "errors": workspace.errors,
        "sockets": [
            {"number": s.number, "frames": s.frames, "pings": s.pings, "deaf": s.deaf}
            for s in dispatcher.sockets
        ],
        "opened": dispatcher.opened,
        "strange_frames": dispatcher.strange,
        "channels": list(workspace.channels),
        "pings": workspace.pings,
        "homes": workspace.homes,
        "responses": workspace.responses,
        "now": time.monotonic(),
        "clock": workspace.now(),
    }


def _calls(app: App, body: dict[str, Any]) -> Any:
    """Recorded calls after number `since`, of one `method` (a dot at its end: all that begin so) and `channel`."""
    method, channel, since = str(body.get("method", "")), body.get("channel"), int(body.get("since", 0))
    # From the newest back: whoever follows a long record reads its end only.
    recent = list(takewhile(lambda call: call.seq > since, reversed(app.workspace.calls)))
    found = [
        call.json()
        for call in reversed(recent)
        if (not method or call.method == method or (method.endswith(".") and call.method.startswith(method)))
        and channel in (None, call.channel)
    ]
    return found[: int(body.get("limit", 100_000))]


def _deliveries(app: App, body: dict[str, Any]) -> Any:
    """What was handed to the app: after number `since`, of one `kind`, of one `event` type."""
    kind, event, since = body.get("kind"), body.get("event"), int(body.get("since", 0))
    return [
        delivery.json()
        for delivery in app.workspace.deliveries[since:]
        if kind in (None, delivery.kind) and event in (None, delivery.payload.get("event", {}).get("type"))
    ]


def _channel(app: App, body: dict[str, Any]) -> Any:
    """Several at once with `channels`: a list of ids."""
    if "channels" in body:
        return [channel_json(app, app.workspace.channel(name)) for name in body["channels"]]
    return channel_json(app, app.workspace.channel(body["channel"]))


def _set_channel(app: App, body: dict[str, Any]) -> Any:
    """Make or change a channel: kind, name, user (of an im), is_member, is_archived, members."""
    channel = app.workspace.channel(body["channel"], str(body.get("user", "")))
    for name in ("kind", "name", "user", "is_member", "is_archived"):
        if name in body:
            setattr(channel, name, body[name])
    for user in body.get("members", []):
        channel.members.add(app.workspace.person(user))
    return channel_json(app, channel)


def _person(app: App, body: dict[str, Any]) -> Any:
    """A person with a `name`."""
    return app.workspace.person(body["user"], str(body.get("name", "")))


def _settings(app: App, body: dict[str, Any]) -> Any:
    """Set fields of state.Settings."""
    for name, value in body.items():
        if not hasattr(app.workspace.settings, name):
            raise ApiError("no_such_setting", description=name)
        setattr(app.workspace.settings, name, value)
    return True


def _limits(app: App, body: dict[str, Any]) -> Any:
    """`enabled`, `non_marketplace`; with `method` also `per_minute`, `burst`."""
    meter = app.workspace.meter
    meter.enabled = bool(body.get("enabled", meter.enabled))
    meter.non_marketplace = bool(body.get("non_marketplace", meter.non_marketplace))
    if "method" in body:
        figures = {name: float(body[name]) for name in ("per_minute", "burst") if name in body}
        meter.change(str(body["method"]), **figures)
    return True


def _faults(app: App, body: dict[str, Any]) -> Any:
    """Trouble for the next `times` calls of `method` ("*" for all), in one `channel` if given.

    A download of a file is called url_private.

    `what` holds one of these. error: a name, with `extra` fields; retry_after: 429; status and body: a raw answer;
    html: a page with status 200; delay and delay_after: seconds; lose: "before" or "after" it was carried out, the
    connection is reset; malformed: half of the JSON; hang: no answer.
    """
    fault = Fault(
        str(body["method"]), int(body.get("times", 1)), str(body.get("channel") or ""), body["what"]
    )
    app.workspace.faults.append(fault)
    return len(app.workspace.faults)


def _clear_faults(app: App, body: dict[str, Any]) -> Any:
    app.workspace.faults.clear()
    return True


def _advance(app: App, body: dict[str, Any]) -> Any:
    """Move the workspace's clock: streams age, budgets fill, status lines and response addresses end."""
    app.workspace.offset += float(body["seconds"])
    return app.workspace.now()


def _close_stream(app: App, body: dict[str, Any]) -> Any:
    """End a stream before its time: `channel`, `ts` (or every one); `by_user`: a person pressed Slack's own stop."""
    found = []
    for channel in app.workspace.channels.values():
        for message in channel.messages.values():
            is_meant = body.get("channel") in (None, channel.id) and body.get("ts") in (None, message.ts)
            if is_meant and message.state == "in_progress":
                message.state = "stopped" if body.get("by_user") else "errored"
                found.append(message.ts)
    return found


def _sockets(app: App, body: dict[str, Any]) -> list[Socket]:
    """One by its `socket` number, else all."""
    return [s for s in app.dispatcher.sockets if body.get("socket") in (None, s.number)]


def _drop(app: App, body: dict[str, Any]) -> Any:
    """Cut connections now, without a close frame."""
    found = _sockets(app, body)
    for socket in found:
        app.dispatcher.cut(socket)
    return len(found)


def _deafen(app: App, body: dict[str, Any]) -> Any:
    """No envelope reaches the app over these connections (`off`: again); `mute`: pings go unanswered too."""
    found = _sockets(app, body)
    for socket in found:
        socket.deaf = not body.get("off", False)
        socket.mute = bool(body.get("mute")) and socket.deaf
    return len(found)


async def _disconnect(app: App, body: dict[str, Any]) -> Any:
    """`disconnect` with `reason` (refresh_requested, warning, link_disabled); cut after `close_after` seconds."""
    found = _sockets(app, body)
    reason, after = str(body.get("reason", "refresh_requested")), body.get("close_after")
    for socket in found:
        if after is None:
            await app.dispatcher.dismiss(socket, reason, None)
        else:
            app.dispatcher.run(app.dispatcher.dismiss(socket, reason, float(after)))
    return len(found)


async def _frame(app: App, body: dict[str, Any]) -> Any:
    """Send `text` as it is over the connections, whatever it is."""
    found = _sockets(app, body)
    for socket in found:
        await socket.ws.send_str(body["text"])
    return len(found)


async def _verify_url(app: App, body: dict[str, Any]) -> Any:
    """url_verification of the request URL; returns status and what came back."""
    challenge = {"token": "verification-token", "challenge": "a-challenge", "type": "url_verification"}
    status, told, _ = await app.dispatcher.post(orjson.dumps(challenge), {"Content-Type": "application/json"})
    return {"status": status, "body": told}


async def _wait(app: App, body: dict[str, Any]) -> Any:
    """Hold until the condition is met or `timeout` seconds (default 10) have passed; then null."""
    holds = condition(app, body)
    found = holds()
    if found is not None:
        return found
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    app.workspace.watchers.append((holds, future))
    try:
        return await asyncio.wait_for(future, float(body.get("timeout", 10.0)))
    except TimeoutError:
        return None


_VERBS: dict[str, Verb] = {
    "state": _state,
    "calls": _calls,
    "deliveries": _deliveries,
    "channel": _channel,
    "set_channel": _set_channel,
    "person": _person,
    "settings": _settings,
    "limits": _limits,
    "faults": _faults,
    "clear_faults": _clear_faults,
    "advance": _advance,
    "close_stream": _close_stream,
    "drop": _drop,
    "deafen": _deafen,
    "say": lambda app, body: [people.say(app, item) for item in body["items"]],
    "edit": people.edit,
    "unfurl": people.unfurl,
    "delete": people.take_away,
    "react": people.react,
    "press": people.press,
    "command": people.command,
    "assistant": people.open_assistant,
    "home": people.open_home,
    "invite": people.invite,
    "kick": people.kick,
    "archive": people.archive,
    "revoke": people.revoke,
    "event": people.any_event,
    "deliver": people.any_delivery,
}
_SLOW: dict[str, Any] = {
    "disconnect": _disconnect,
    "frame": _frame,
    "verify_url": _verify_url,
    "wait": _wait,
}
