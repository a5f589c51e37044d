"""The reading methods, reactions, the app's home, and the assistant's status, title and prompts.

Sources (2026-11): Slack docs, the methods' pages. History is newest first and leaves replies out; replies are
oldest first with the parent at the head; both page by cursor; `oldest` and `latest` are exclusive unless `inclusive`.
"""

from __future__ import annotations

import base64
import re
import time
from typing import TYPE_CHECKING, Any

from . import shapes
from .checks import check_blocks
from .state import Channel, Message, find_channel, find_message
from .wire import ApiError, Args, invalid_arguments

if TYPE_CHECKING:
    from .app import App

_TS = re.compile(r"\d{1,10}(\.\d{1,6})?\Z")
MAX_LOADING_MESSAGES = 10


def auth_test(app: App, args: Args) -> dict[str, Any]:
    identity = app.workspace.identity
    return {
        "url": f"{app.workspace.base_url}/",
        "team": f"Team {identity.team}",
        "user": "firstword",
        "team_id": identity.team,
        "user_id": identity.bot_user,
        "bot_id": identity.bot,
        "is_enterprise_install": False,
    }


def open_connection(app: App, args: Args) -> dict[str, Any]:
    return {"url": app.line.address(app.workspace.base_url)}


def history(app: App, args: Args) -> dict[str, Any]:
    channel = _readable(app, args)
    found = [
        m
        for m in channel.messages.values()
        if not m.to and (m.thread_ts is None or m.thread_ts == m.ts or m.broadcast)
    ]
    return {**_page(app, channel, args, list(reversed(found))), "pin_count": 0}


def replies(app: App, args: Args) -> dict[str, Any]:
    channel = _readable(app, args)
    parent = channel.messages.get(args.required("ts"))
    if parent is None or parent.to:
        raise ApiError("thread_not_found")
    root = channel.messages.get(parent.thread_ts or parent.ts, parent)
    return _page(app, channel, args, [root, *channel.thread(root.ts)], always=root)


def _readable(app: App, args: Args) -> Channel:
    channel = find_channel(app.workspace, args.required("channel"))
    if not channel.is_member:
        raise ApiError("not_in_channel")
    return channel


def _page(
    app: App, channel: Channel, args: Args, messages: list[Message], always: Message | None = None
) -> dict[str, Any]:
    """`always` (a thread's parent) is on every page's head, whatever the times ask for."""
    oldest, latest = args.text("oldest", "0") or "0", args.text("latest") or "9999999999"
    for name, value in (("oldest", oldest), ("latest", latest)):
        if not _TS.match(value):
            raise ApiError(f"invalid_ts_{name}")
    inclusive = args.flag("inclusive")
    found = [m for m in messages if m is not always and _within(m.ts, oldest, latest, inclusive=inclusive)]
    most = 15 if app.workspace.meter.non_marketplace else 999
    limit = min(args.whole("limit", min(most, 100)), most)
    if limit < 1:
        raise ApiError("invalid_limit")
    start = _offset(args.text("cursor"))
    page = found[start : start + limit]
    metadata = args.flag("include_all_metadata")
    shown = [always, *page] if always is not None else page
    more = len(found) > start + limit
    answer: dict[str, Any] = {
        "messages": [
            shapes.message_json(
                app.workspace, channel, app.workspace.expire(message), metadata=metadata, counts=True
            )
            for message in shown
        ],
        "has_more": more,
    }
    if more:
        answer["response_metadata"] = {"next_cursor": _cursor(start + limit)}
    return answer


def _within(ts: str, oldest: str, latest: str, *, inclusive: bool) -> bool:
    at, first, last = _ticks(ts), _ticks(oldest), _ticks(latest)
    return first <= at <= last if inclusive else first < at < last


def _ticks(ts: str) -> int:
    seconds, _, rest = ts.partition(".")
    return int(seconds) * 1_000_000 + int(rest.ljust(6, "0") or 0)


def _cursor(offset: int) -> str:
    return base64.b64encode(f"next:{offset}".encode()).decode()


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("next:"))
    except ValueError:
        raise ApiError("invalid_cursor") from None


def info(app: App, args: Args) -> dict[str, Any]:
    channel = find_channel(app.workspace, args.required("channel"))
    return {"channel": shapes.channel_json(app.workspace, channel)}


def open_conversation(app: App, args: Args) -> dict[str, Any]:
    """A direct message with the one person in `users`, or the conversation of `channel`."""
    if args.text("channel"):
        channel = find_channel(app.workspace, args.text("channel"))
    else:
        users = [user for user in args.text("users").split(",") if user]
        if not users:
            raise ApiError("users_list_not_supplied")
        if len(users) > 1:
            raise invalid_arguments("this server opens direct messages only")
        if users[0] not in app.workspace.people:
            raise ApiError("user_not_found")
        channel = app.workspace.im_of(users[0])
    full = args.flag("return_im")
    found = shapes.channel_json(app.workspace, channel) if full else {"id": channel.id}
    return {"channel": found, "no_op": True, "already_open": True}


def list_conversations(app: App, args: Args) -> dict[str, Any]:
    kinds = {
        {"public_channel": "channel", "private_channel": "group"}.get(kind, kind)
        for kind in args.text("types", "public_channel").split(",")
    }
    hide = args.flag("exclude_archived")
    found = [
        channel
        for channel in app.workspace.channels.values()
        if channel.kind in kinds
        and (channel.is_member or channel.kind == "channel")
        and not (hide and channel.is_archived)
    ]
    limit, start = args.whole("limit", 100), _offset(args.text("cursor"))
    more = len(found) > start + limit
    return {
        "channels": [shapes.channel_json(app.workspace, channel) for channel in found[start : start + limit]],
        "response_metadata": {"next_cursor": _cursor(start + limit) if more else ""},
    }


def user_info(app: App, args: Args) -> dict[str, Any]:
    user = args.required("user")
    if user not in app.workspace.people and user != app.workspace.identity.bot_user:
        raise ApiError("user_not_found")
    return {"user": shapes.user_json(app.workspace, user)}


def bot_info(app: App, args: Args) -> dict[str, Any]:
    if args.text("bot") not in ("", app.workspace.identity.bot):
        raise ApiError("bot_not_found")
    return {"bot": shapes.bot_json(app.workspace)}


def react(app: App, args: Args) -> dict[str, Any]:
    message, name = _reacting(app, args)
    users = message.reactions.setdefault(name, [])
    if app.workspace.identity.bot_user in users:
        raise ApiError("already_reacted")
    users.append(app.workspace.identity.bot_user)
    return {}


def unreact(app: App, args: Args) -> dict[str, Any]:
    message, name = _reacting(app, args)
    users = message.reactions.get(name, [])
    if app.workspace.identity.bot_user not in users:
        raise ApiError("no_reaction")
    users.remove(app.workspace.identity.bot_user)
    if not users:
        del message.reactions[name]
    return {}


def _reacting(app: App, args: Args) -> tuple[Message, str]:
    channel = find_channel(app.workspace, args.required("channel"))
    if not channel.is_member:
        raise ApiError("not_in_channel")
    name = args.required("name")
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
        raise ApiError("invalid_name")
    return find_message(app.workspace, channel, args.required("timestamp")), name


def reactions(app: App, args: Args) -> dict[str, Any]:
    channel = find_channel(app.workspace, args.required("channel"))
    message = find_message(app.workspace, channel, args.required("timestamp"))
    return {
        "type": "message",
        "channel": channel.id,
        "message": shapes.message_json(app.workspace, channel, message),
    }


def file_info(app: App, args: Args) -> dict[str, Any]:
    found = app.workspace.files.get(args.required("file"))
    if found is None:
        raise ApiError("file_not_found")
    return {"file": found[0], "comments": []}


def publish_view(app: App, args: Args) -> dict[str, Any]:
    user = args.required("user_id")
    if user not in app.workspace.people:
        raise ApiError("user_not_found")
    view = args.nested("view", "invalid_arguments")
    if not isinstance(view, dict) or view.get("type") != "home":
        raise invalid_arguments("must be a home view [json-pointer:/view]")
    check_blocks(view.get("blocks", []), "/view/blocks")
    app.workspace.homes[user] = view
    return {"view": {"id": app.workspace.new_id("V0PEER"), "team_id": app.workspace.identity.team, **view}}


def set_status(app: App, args: Args) -> dict[str, Any]:
    """An empty status takes the line away."""
    channel, thread_ts = _thread(app, args)
    status = args.text("status")
    loading = args.nested("loading_messages", "invalid_arguments") or []
    if not isinstance(loading, list) or len(loading) > MAX_LOADING_MESSAGES:
        raise invalid_arguments("no more than 10 items allowed [json-pointer:/loading_messages]")
    if status:
        channel.statuses[thread_ts] = {"status": status, "at": app.workspace.now(), "loading": loading}
    else:
        channel.statuses.pop(thread_ts, None)
    channel.status_log.append((time.monotonic(), thread_ts, status))
    return {}


def set_title(app: App, args: Args) -> dict[str, Any]:
    channel, thread_ts = _thread(app, args)
    channel.titles[thread_ts] = args.required("title")
    return {}


def set_prompts(app: App, args: Args) -> dict[str, Any]:
    channel, thread_ts = _thread(app, args)
    prompts = args.nested("prompts", "invalid_arguments")
    if not isinstance(prompts, list) or len(prompts) > 4:
        raise invalid_arguments("no more than 4 items allowed [json-pointer:/prompts]")
    channel.prompts[thread_ts] = prompts
    return {}


def _thread(app: App, args: Args) -> tuple[Channel, str]:
    channel = find_channel(app.workspace, args.required("channel_id"))
    thread_ts = args.text("thread_ts")
    if thread_ts and thread_ts not in channel.messages:
        raise ApiError("invalid_thread_ts")
    if not thread_ts:
        raise invalid_arguments("missing required field: thread_ts")
    return channel, thread_ts
