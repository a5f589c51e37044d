"""What a person sees of a channel, and the conditions that a test waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import text
from .state import STATUS_LIFE, Channel, Message
from .wire import invalid_arguments

if TYPE_CHECKING:
    from .app import App


def message_view(app: App, message: Message) -> dict[str, Any]:
    """One message: `shown` is what a person reads, `text` what the API echoes."""
    app.workspace.expire(message)
    return {
        "ts": message.ts,
        "user": message.user,
        "from_bot": message.bot_id == app.workspace.identity.bot,
        "shown": message.shown,
        "text": message.text,
        "markdown": message.markdown,
        "blocks": message.blocks,
        "buttons": text.buttons(message.blocks),
        "thread": message.thread_ts,
        "state": message.state,
        "edited": message.edited is not None,
        "reactions": message.reactions,
        "to": message.to,
        "metadata": message.metadata,
        "files": message.files,
        "tasks": message.tasks,
        "subtype": message.subtype,
        "pings": message.pings,
        "history": message.history,
    }


def channel_json(app: App, channel: Channel) -> dict[str, Any]:
    """The channel: messages in order, deleted ones, the status line and title of each thread."""
    now = app.workspace.now()
    for thread in [t for t, status in channel.statuses.items() if now - status["at"] >= STATUS_LIFE]:
        del channel.statuses[thread]
    return {
        "id": channel.id,
        "kind": channel.kind,
        "name": channel.name,
        "is_member": channel.is_member,
        "is_archived": channel.is_archived,
        "messages": [message_view(app, message) for message in channel.messages.values()],
        "deleted": [message_view(app, message) for message in channel.deleted],
        "statuses": {thread: status["status"] for thread, status in channel.statuses.items()},
        "status_log": channel.status_log,
        "titles": channel.titles,
        "prompts": channel.prompts,
    }


def condition(app: App, body: dict[str, Any]) -> Callable[[], Any]:
    """What `wait` waits for; returns None until it holds."""
    for name, make in _CONDITIONS.items():
        if name in body:
            return make(app, body)
    raise invalid_arguments(f"wait for one of: {', '.join(_CONDITIONS)}")


def _until_called(app: App, body: dict[str, Any]) -> Callable[[], Any]:
    method, count, since = str(body["method"]), int(body.get("count", 1)), int(body.get("since", 0))
    channel, error = body.get("channel"), body.get("error")

    def enough() -> Any:
        if app.workspace.counts.get(method, 0) < count and not method.endswith("."):
            return None
        found = [
            call
            for call in app.workspace.calls
            if (call.method == method or (method.endswith(".") and call.method.startswith(method)))
            and call.seq > since
            and (call.status or body.get("arrived"))
            and channel in (None, call.channel)
            and error in (None, call.error)
        ]
        return [call.json() for call in found] if len(found) >= count else None

    return enough


def _until_sockets(app: App, body: dict[str, Any]) -> Callable[[], Any]:
    """So many connections are open, and (with `opened`) so many were opened in all."""
    count, opened = int(body["sockets"]), int(body.get("opened", 0))

    def enough() -> Any:
        found = app.dispatcher
        return found.opened if len(found.sockets) == count and found.opened >= opened else None

    return enough


def _until_delivered(app: App, body: dict[str, Any]) -> Callable[[], Any]:
    """`acked`: so many deliveries (of `kind`, of `event` type) were acknowledged; `event_id`: that one was."""
    count = int(body["acked"])

    def enough() -> Any:
        found = [
            delivery
            for delivery in app.workspace.deliveries
            if delivery.outcome == str(body.get("outcome", "acked"))
            and body.get("kind") in (None, delivery.kind)
            and body.get("event_id") in (None, delivery.event_id)
            and body.get("event") in (None, delivery.payload.get("event", {}).get("type"))
        ]
        return [delivery.json() for delivery in found] if len(found) >= count else None

    return enough


def _until_seen(app: App, body: dict[str, Any]) -> Callable[[], Any]:
    """The channel, once a message of the bot (`from_bot` false: of somebody else) fits.

    `contains` or `equals` what is shown; `count` messages; `state` of one; `thread`, `buttons` (action ids) of it;
    `status`: a status line stands in some thread ("" for none at all); `deleted`: so many are gone.
    """
    channel, own = app.workspace.channel(body["channel"]), body.get("from_bot", True)

    def fits(message: Message) -> bool:
        shown = message.shown
        return (
            (message.bot_id == app.workspace.identity.bot) is own
            and body.get("contains", "") in shown
            and body.get("equals", shown) == shown
            and body.get("state", message.state) == message.state
            and body.get("thread", message.thread_ts) == message.thread_ts
            and ("buttons" not in body or body["buttons"] == _action_ids(message))
        )

    def enough() -> Any:
        view = channel_json(app, channel)
        if "status" in body:
            lines = list(view["statuses"].values())
            return view if (body["status"] in lines or (not body["status"] and not lines)) else None
        if "deleted" in body:
            return view if len(channel.deleted) >= body["deleted"] else None
        found = [message for message in channel.messages.values() if fits(message)]
        return view if len(found) >= body.get("count", 1) else None

    return enough


def _action_ids(message: Message) -> list[str]:
    return [button["action_id"] for button in text.buttons(message.blocks)]


_CONDITIONS: dict[str, Callable[[App, dict[str, Any]], Callable[[], Any]]] = {
    "method": _until_called,
    "sockets": _until_sockets,
    "acked": _until_delivered,
    "channel": _until_seen,
}
