"""The people of a workspace: what they write, edit, delete, press, open, and whom they throw out.

Payloads: Slack docs, "Events API reference", "Slash commands", "block_actions payload" (2026-11).
"""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any

from . import shapes, text
from .chat import remove
from .events import emit, emit_changed
from .responses import new_url, respond_at_once
from .state import Channel, Message, Workspace
from .wire import ApiError, invalid_arguments

if TYPE_CHECKING:
    from .app import App

PERSON = "U0PERSON01"


def say(app: App, body: dict[str, Any]) -> dict[str, Any]:
    """A person writes: `channel`, `text` as typed (mentions as <@U..>), `user`, `thread`, `files`, `broadcast`.

    `is_raw`: the text goes out unescaped. `bot`: {"bot_id", "username"}: another bot says it. `subtype`, `extra`:
    put into the event. `copies`: how often the same event goes out. `silent`: no event (it happened while nobody
    listened). Returns channel, ts, and the event ids.
    """
    workspace = app.workspace
    user = str(body.get("user", PERSON))
    channel = workspace.channel(body["channel"], user)
    bot = body.get("bot")
    said = str(body.get("text", ""))
    message = Message(
        workspace.new_ts(),
        user if bot is None else str(bot.get("user", "")),
        text=said if body.get("is_raw") else text.escape(said),
        subtype=str(body.get("subtype", "")),
        thread_ts=body.get("thread"),
        broadcast=bool(body.get("broadcast")),
        sent_at=workspace.now(),
        extra={"client_msg_id": f"{workspace.new_id('client-')}", **body.get("extra", {})},
    )
    if bot is not None:
        message.subtype = message.subtype or "bot_message"
        message.extra = {**bot, **body.get("extra", {})}
    if body.get("files"):
        message.files = [add_file(workspace, user, one) for one in body["files"]]
        message.subtype = message.subtype or "file_share"
    if message.broadcast:
        message.subtype = message.subtype or "thread_broadcast"
    channel.messages[message.ts] = message
    workspace.settle(channel, message)
    found: dict[str, Any] = {"channel": channel.id, "ts": message.ts, "event_ids": []}
    if not body.get("silent"):
        found["event_ids"] = _tell(app, channel, message, int(body.get("copies", 1)))
    return found


def _tell(app: App, channel: Channel, message: Message, copies: int) -> list[str]:
    """The message event, and app_mention in addition where the bot is named outside a direct message."""
    if not channel.is_member:
        return []
    event = shapes.message_event(app.workspace, channel, message)
    sent = [emit(app, event, copies=copies)]
    if channel.kind != "im" and f"<@{app.workspace.identity.bot_user}>" in message.text:
        left_out = ("channel_type", "subtype", "parent_user_id")
        mention = {name: value for name, value in event.items() if name not in left_out}
        sent.append(emit(app, {**mention, "type": "app_mention"}, copies=copies))
    return [delivery.event_id for delivery in sent if delivery is not None]


def add_file(workspace: Workspace, user: str, given: dict[str, Any]) -> dict[str, Any]:
    """A file: `name`, `mime`, `base64`; `size` may lie, `subtype` is "slack_audio" for a voice note."""
    data = base64.b64decode(given.get("base64", ""))
    file_id = given.get("id") or workspace.new_id("F0PEER")
    name = str(given.get("name", "file.txt"))
    url = f"{workspace.base_url}/files/{file_id}/{name}"
    found = {
        "id": file_id,
        "created": int(workspace.now()),
        "name": name,
        "title": name,
        "mimetype": given.get("mime", "text/plain"),
        "filetype": name.rpartition(".")[2],
        "user": user,
        "size": int(given.get("size", len(data))),
        "mode": "hosted",
        "is_external": False,
        "url_private": url,
        "url_private_download": url,
        **given.get("extra", {}),
    }
    if given.get("subtype"):
        found["subtype"] = given["subtype"]
    workspace.files[file_id] = (found, data)
    return found


def edit(app: App, body: dict[str, Any]) -> dict[str, Any]:
    """A person edits their message: `channel`, `ts`, `text`."""
    channel, message = _message(app, body)
    before = shapes.message_json(app.workspace, channel, message)
    message.text = text.escape(str(body["text"]))
    message.edited = {"user": message.user, "ts": app.workspace.new_ts()}
    app.workspace.settle(channel, message)
    delivery = emit_changed(app, channel, message, before)
    return {"event_id": delivery.event_id if delivery is not None else ""}


def unfurl(app: App, body: dict[str, Any]) -> bool:
    """Slack adds a link's preview to a message: `channel`, `ts`. Told as message_changed though nobody edited."""
    channel, message = _message(app, body)
    before = shapes.message_json(app.workspace, channel, message)
    preview = {"id": 1, "title": "A page", "from_url": "https://example.org/", "fallback": "A page"}
    message.extra = {**message.extra, "attachments": [preview]}
    emit_changed(app, channel, message, before)
    return True


def take_away(app: App, body: dict[str, Any]) -> bool:
    """Somebody deletes a message, theirs or the bot's: `channel`, `ts`."""
    remove(app, *_message(app, body))
    return True


def react(app: App, body: dict[str, Any]) -> bool:
    """A person puts a reaction on a message, or (`off`) takes it off: `channel`, `ts`, `name`, `user`."""
    channel, message = _message(app, body)
    user, name = str(body.get("user", PERSON)), str(body["name"])
    is_off = bool(body.get("off"))
    users = message.reactions.setdefault(name, [])
    if is_off and user in users:
        users.remove(user)
    elif not is_off:
        users.append(app.workspace.person(user))
    if not users:
        del message.reactions[name]
    event = {
        "type": "reaction_removed" if is_off else "reaction_added",
        "user": user,
        "reaction": name,
        "item_user": message.user,
        "item": {"type": "message", "channel": channel.id, "ts": message.ts},
        "event_ts": app.workspace.new_ts(),
    }
    emit(app, event, copies=int(body.get("copies", 1)))
    return True


def press(app: App, body: dict[str, Any]) -> dict[str, Any]:
    """A person presses a button under a message: `channel`, `ts`, `action_id`, `user`; `force`: one that is gone."""
    channel, message = _message(app, body)
    user = app.workspace.person(str(body.get("user", PERSON)))
    found = next((b for b in text.buttons(message.blocks) if b["action_id"] == body["action_id"]), None)
    if found is None and not body.get("force"):
        raise ApiError("no_such_button")
    button = found or {
        "action_id": body["action_id"],
        "label": "",
        "value": body.get("value"),
        "block_id": "b",
    }
    identity = app.workspace.identity
    ts = app.workspace.new_ts()
    action = {
        "type": "button",
        "action_id": button["action_id"],
        "block_id": button["block_id"],
        "text": {"type": "plain_text", "text": button["label"], "emoji": True},
        "action_ts": ts,
    }
    if button["value"] is not None:
        action["value"] = button["value"]
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": {"id": user, "username": app.workspace.people[user], "team_id": identity.team},
        "api_app_id": identity.app,
        "token": "verification-token-of-the-fake-slack",
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": bool(message.to),
            **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
        },
        "trigger_id": app.workspace.new_id("trigger."),
        "team": {"id": identity.team, "domain": "fake"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": "directmessage" if channel.kind == "im" else channel.name},
        "message": shapes.message_json(app.workspace, channel, message),
        "state": {"values": {}},
        "response_url": new_url(app, channel.id, user, message.ts),
        "actions": [action],
    }
    delivery = app.dispatcher.send("interactive", payload)
    return {"delivery": delivery.seq, "response_url": payload["response_url"]}


def command(app: App, body: dict[str, Any]) -> dict[str, Any]:
    """A person types a slash command: `channel`, `command`, `text`, `user`. Nobody sees it but the app."""
    workspace = app.workspace
    user = str(body.get("user", PERSON))
    channel = workspace.channel(body["channel"], user)
    url = new_url(app, channel.id, user)
    payload = {
        "token": "verification-token-of-the-fake-slack",
        "team_id": workspace.identity.team,
        "team_domain": "fake",
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.kind == "im" else channel.name,
        "user_id": user,
        "user_name": workspace.people[user],
        "command": body["command"],
        "text": text.escape(str(body.get("text", ""))),
        "api_app_id": workspace.identity.app,
        "is_enterprise_install": "false",
        "response_url": url,
        "trigger_id": workspace.new_id("trigger."),
    }
    delivery = app.dispatcher.send("slash_commands", payload)
    delivery.respond = partial(respond_at_once, app, user, channel)
    return {"delivery": delivery.seq, "response_url": url}


def open_assistant(app: App, body: dict[str, Any]) -> dict[str, Any]:
    """A person opens the assistant: a new thread in the direct message; `changed`: they look at another channel."""
    workspace = app.workspace
    user = workspace.person(str(body.get("user", PERSON)))
    channel = workspace.channel(body["channel"], user) if "channel" in body else workspace.im_of(user)
    thread_ts = body.get("thread")
    if thread_ts is None:
        root = Message(
            workspace.new_ts(),
            workspace.identity.bot_user,
            text="New Assistant Thread",
            bot_id=workspace.identity.bot,
            subtype="assistant_app_thread",
            sent_at=workspace.now(),
        )
        channel.messages[root.ts] = root
        workspace.settle(channel, root)
        thread_ts = root.ts
    event = {
        "type": "assistant_thread_context_changed" if body.get("changed") else "assistant_thread_started",
        "assistant_thread": {
            "user_id": user,
            "context": body.get("context", {}),
            "channel_id": channel.id,
            "thread_ts": thread_ts,
        },
        "event_ts": workspace.new_ts(),
    }
    emit(app, event)
    return {"channel": channel.id, "thread": thread_ts}


def open_home(app: App, body: dict[str, Any]) -> bool:
    """A person opens the app's home; `tab` is home or messages."""
    workspace = app.workspace
    user = workspace.person(str(body.get("user", PERSON)))
    event = {
        "type": "app_home_opened",
        "user": user,
        "channel": workspace.im_of(user).id,
        "tab": body.get("tab", "home"),
        "event_ts": workspace.new_ts(),
    }
    emit(app, event)
    return True


def invite(app: App, body: dict[str, Any]) -> bool:
    """Somebody invites `user` (the bot, if nobody is named) to a `channel`.

    Told as member_joined_channel, and as a message of the subtype channel_join that names the newcomer.
    """
    workspace = app.workspace
    user = str(body.get("user") or workspace.identity.bot_user)
    inviter = workspace.person(str(body.get("inviter", PERSON)))
    channel = workspace.channel(body["channel"], inviter)
    if channel.kind == "im":
        raise invalid_arguments("nobody is invited to a direct message")
    if user == workspace.identity.bot_user:
        channel.is_member = True
    else:
        channel.members.add(workspace.person(user))
    event = {
        "type": "member_joined_channel",
        "user": user,
        "channel": channel.id,
        "channel_type": channel.id[:1],
        "team": workspace.identity.team,
        "inviter": inviter,
        "event_ts": workspace.new_ts(),
    }
    emit(app, event)
    joined = Message(
        workspace.new_ts(),
        user,
        text=f"<@{user}> has joined the channel",
        subtype="channel_join",
        sent_at=workspace.now(),
        extra={"inviter": inviter},
    )
    channel.messages[joined.ts] = joined
    workspace.settle(channel, joined)
    emit(app, shapes.message_event(workspace, channel, joined))
    return True


def kick(app: App, body: dict[str, Any]) -> bool:
    """Somebody removes the bot from a `channel`: channel_left or group_left, and member_left_channel."""
    workspace = app.workspace
    channel = workspace.channel(body["channel"])
    actor = workspace.person(str(body.get("user", PERSON)))
    channel.is_member = False
    if body.get("silent"):
        return True
    ts = workspace.new_ts()
    left = {
        "type": "channel_left" if channel.kind == "channel" else "group_left",
        "channel": channel.id,
        "actor_id": actor,
        "event_ts": ts,
    }
    member = {
        "type": "member_left_channel",
        "user": workspace.identity.bot_user,
        "channel": channel.id,
        "channel_type": channel.id[:1],
        "team": workspace.identity.team,
        "event_ts": ts,
    }
    emit(app, left)
    emit(app, member)
    return True


def archive(app: App, body: dict[str, Any]) -> bool:
    """Somebody archives a `channel` (or, with `off`, brings it back)."""
    channel = app.workspace.channel(body["channel"])
    channel.is_archived = not body.get("off", False)
    ts = app.workspace.new_ts()
    kind = "channel" if channel.kind == "channel" else "group"
    event = {
        "type": f"{kind}_{'archive' if channel.is_archived else 'unarchive'}",
        "channel": channel.id,
        "user": str(body.get("user", PERSON)),
        "event_ts": ts,
    }
    emit(app, event)
    return True


def revoke(app: App, body: dict[str, Any]) -> bool:
    """The token is not good any more: `trouble` token_revoked, account_inactive, invalid_auth; "" mends it.

    `which`: bot (the default) or app. `event`: tokens_revoked or app_uninstalled goes out first.
    """
    workspace = app.workspace
    if body.get("event") == "tokens_revoked":
        tokens = {"oauth": [], "bot": [workspace.identity.bot_user]}
        emit(app, {"type": "tokens_revoked", "tokens": tokens, "event_ts": workspace.new_ts()})
    elif body.get("event"):
        emit(app, {"type": body["event"], "event_ts": workspace.new_ts()})
    workspace.trouble[str(body.get("which", "bot"))] = str(body.get("trouble", "token_revoked"))
    return True


def any_event(app: App, body: dict[str, Any]) -> str:
    """Any event: `event` as it is to be wrapped, `event_id` if it is to be a certain one, `copies`."""
    delivery = emit(
        app, body["event"], event_id=str(body.get("event_id", "")), copies=int(body.get("copies", 1))
    )
    return delivery.event_id if delivery is not None else ""


def any_delivery(app: App, body: dict[str, Any]) -> int:
    """Any delivery: `kind` (events_api, slash_commands, interactive) and its whole `payload`."""
    return app.dispatcher.send(body["kind"], body["payload"], str(body.get("event_id", ""))).seq


def _message(app: App, body: dict[str, Any]) -> tuple[Channel, Message]:
    channel = app.workspace.channel(body["channel"])
    message = channel.messages.get(body["ts"])
    if message is None:
        raise ApiError("message_not_found")
    return channel, message
