"""response_url: five answers within thirty minutes, without a token.

Source: Slack docs, "Handling user interaction > Message responses" (2026-11). The names of the errors are the ones
that bots see: used_url, expired_url.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from . import checks, text
from .chat import remove, show
from .events import emit_changed, emit_message
from .shapes import message_json
from .state import Channel, Message
from .wire import ApiError, Args

if TYPE_CHECKING:
    from .app import App

MAX_USES = 5
LIFE = 1800.0


def new_url(app: App, channel: str, user: str, ts: str = "") -> str:
    """An address for answers to a command or (with the message's `ts`) to a press."""
    number = app.workspace.new_id("R")
    app.workspace.responses[number] = {
        "channel": channel,
        "user": user,
        "ts": ts,
        "uses": 0,
        "at": app.workspace.now(),
        "bodies": [],
    }
    return f"{app.workspace.base_url}/response/{app.workspace.identity.team}/{number}"


async def respond(app: App, number: str, request: web.BaseRequest) -> web.Response:
    """One POST to a response_url."""
    found = app.workspace.responses.get(number)
    if found is None:
        raise ApiError("invalid_url", status=404)
    if app.workspace.now() - found["at"] > LIFE:
        raise ApiError("expired_url", status=404)
    if found["uses"] >= MAX_USES:
        raise ApiError("used_url", status=404)
    body = orjson.loads(await request.read())
    found["uses"] += 1
    found["bodies"].append(body)
    apply(app, found, body)
    app.workspace.changed()
    return web.Response(text="ok")


def respond_at_once(app: App, user: str, channel: Channel, body: dict[str, Any]) -> None:
    """What the acknowledgement of a command carries is shown as a response is."""
    if body.get("text") or body.get("blocks"):
        apply(app, {"channel": channel.id, "user": user, "ts": ""}, body)


def apply(app: App, found: dict[str, Any], body: dict[str, Any]) -> None:
    """Show what a response asks for: a new message (to one person unless in_channel), or another original."""
    workspace = app.workspace
    channel = workspace.channels[found["channel"]]
    original = channel.messages.get(found["ts"])
    if body.get("delete_original") and original is not None:
        remove(app, channel, original)
        return
    blocks = checks.read_blocks(Args(body))
    said = text.keep(str(body.get("text") or ""))
    if not said and not blocks:
        raise ApiError("no_text", status=400)
    if body.get("replace_original") and original is not None:
        before = message_json(workspace, channel, original)
        original.text, original.markdown = said, None
        original.blocks = blocks or []
        workspace.settle(channel, original)
        emit_changed(app, channel, original, before)
        return
    message = Message(
        workspace.new_ts(),
        workspace.identity.bot_user,
        text=said,
        bot_id=workspace.identity.bot,
        blocks=blocks or [],
        thread_ts=body.get("thread_ts"),
        to="" if body.get("response_type") == "in_channel" else found["user"],
        sent_at=workspace.now(),
    )
    show(workspace, channel, message)
    emit_message(app, channel, message)
