"""chat.postMessage, postEphemeral, update and delete.

Sources (2026-11): Slack docs, the methods' pages: markdown_text excludes text and blocks (markdown_text_conflict);
an update without `blocks` keeps the old ones, an empty array takes them away; metadata likewise; a message that is
still streaming cannot be edited (streaming_state_conflict); an archived channel is_inactive for edits.
The head of a thread that has replies leaves a tombstone when it is deleted, told as message_changed.
Assumptions: an update with markdown_text takes old blocks away; posting below a message that is gone answers
thread_not_found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import checks, text
from .events import emit_changed, emit_deleted, emit_message
from .shapes import message_json
from .state import Channel, Message, Workspace, find_channel, find_message
from .wire import ApiError, Args

if TYPE_CHECKING:
    from .app import App


# link_names and parse=full make a bare @here into a notification (docs, "Formatting message text").
_AT = re.compile(r"(?<!\S)@(here|channel|everyone)\b")


def post_message(app: App, args: Args) -> dict[str, Any]:
    """Answers channel, ts and the message."""
    workspace = app.workspace
    channel = _target(workspace, args.required("channel"))
    message = _new(workspace, channel, args)
    _write(workspace, message, args)
    message.metadata = checks.read_metadata(args) or None
    show(workspace, channel, message)
    emit_message(app, channel, message)
    return _told(workspace, channel, message)


def post_ephemeral(app: App, args: Args) -> dict[str, Any]:
    """Answers message_ts. Nobody else sees it, no event tells of it, and it cannot be edited."""
    workspace = app.workspace
    channel = _target(workspace, args.required("channel"))
    message = _new(workspace, channel, args)
    message.to = args.required("user")
    if message.to not in channel.members:
        raise ApiError("user_not_in_channel")
    _write(workspace, message, args)
    show(workspace, channel, message)
    return {"message_ts": message.ts}


def update(app: App, args: Args) -> dict[str, Any]:
    """Answers channel, ts, text and the message."""
    workspace = app.workspace
    channel = find_channel(workspace, args.required("channel"))
    if channel.is_archived:
        raise ApiError("is_inactive")
    message = find_message(workspace, channel, args.required("ts"))
    if message.bot_id != workspace.identity.bot:
        raise ApiError("cant_update_message")
    if message.state == "in_progress":
        raise ApiError("streaming_state_conflict")
    window = workspace.settings.edit_window
    if window and workspace.now() - message.sent_at > window:
        raise ApiError("edit_window_closed")
    if len(args.text("text")) > workspace.settings.update_text:
        raise ApiError("msg_too_long")
    metadata = checks.read_metadata(args)
    before = message_json(workspace, channel, message)
    _write(workspace, message, args)
    if metadata is not None:
        message.metadata = metadata or None
    if message.state:
        message.state = "completed"
    message.edited = {"user": workspace.identity.bot_user, "ts": workspace.new_ts()}
    workspace.settle(channel, message)
    emit_changed(app, channel, message, before)
    return {**_told(workspace, channel, message), "text": message.text}


def delete(app: App, args: Args) -> dict[str, Any]:
    """Answers channel and ts."""
    workspace = app.workspace
    channel = find_channel(workspace, args.required("channel"))
    message = find_message(workspace, channel, args.required("ts"))
    if message.bot_id != workspace.identity.bot:
        raise ApiError("cant_delete_message")
    remove(app, channel, message)
    return {"channel": channel.id, "ts": message.ts}


def remove(app: App, channel: Channel, message: Message) -> None:
    """Take a message away, whoever did it. The head of a thread with replies leaves a tombstone in its place."""
    channel.deleted.append(message)
    if not channel.thread(message.ts):
        del channel.messages[message.ts]
        emit_deleted(app, channel, message)
        return
    before = message_json(app.workspace, channel, message)
    stone = Message(
        message.ts,
        "USLACKBOT",
        text="This message was deleted.",
        subtype="tombstone",
        thread_ts=message.ts,
        sent_at=message.sent_at,
        extra={"hidden": True},
    )
    channel.messages[message.ts] = stone
    emit_changed(app, channel, stone, before)


def show(workspace: Workspace, channel: Channel, message: Message) -> None:
    """Put a message of the bot into the channel; its status line there goes (docs, assistant.threads.setStatus)."""
    channel.messages[message.ts] = message
    workspace.settle(channel, message)
    if message.thread_ts is not None and not message.to:
        channel.statuses.pop(message.thread_ts, None)


def _target(workspace: Workspace, name: str) -> Channel:
    """`channel` may be a person's id: the direct message with them (docs, chat.postMessage)."""
    if name[:1] in "UW" and name in workspace.people:
        return workspace.im_of(name)
    return find_channel(workspace, name, write=True)


def _new(workspace: Workspace, channel: Channel, args: Args) -> Message:
    thread_ts = args.text("thread_ts") or None
    if thread_ts is not None:
        parent = channel.messages.get(thread_ts)
        if parent is None:
            raise ApiError("thread_not_found")
        thread_ts = parent.thread_ts or parent.ts
    message = Message(
        workspace.new_ts(),
        workspace.identity.bot_user,
        bot_id=workspace.identity.bot,
        thread_ts=thread_ts,
        broadcast=args.flag("reply_broadcast"),
        sent_at=workspace.now(),
    )
    if args.text("username"):
        message.subtype = "bot_message"
        message.extra["username"] = args.text("username")
    return message


def _write(workspace: Workspace, message: Message, args: Args) -> None:
    """Set text, Markdown and blocks from the arguments; what they leave out stays as it was."""
    markdown = args.text("markdown_text")
    blocks = checks.read_blocks(args)
    if markdown:
        if args.text("text") or blocks:
            raise ApiError("markdown_text_conflict")
        checks.check_markdown(markdown)
        message.markdown, message.text, message.blocks = markdown, text.to_mrkdwn(markdown), []
        message.tasks = []
        return
    said = args.text("text")
    if len(said) > checks.MAX_TEXT:
        raise ApiError("msg_too_long")
    kept = text.keep(said) if "text" in args.values else message.text
    if not kept.strip() and not (message.blocks if blocks is None else blocks):
        raise ApiError("no_text")
    message.text = kept
    if args.flag("link_names") or args.text("parse") == "full":
        message.text = _AT.sub(r"<!\1>", message.text)
    if blocks is not None:
        message.blocks = with_ids(workspace, blocks)
    if said or blocks is not None:
        message.markdown, message.tasks = None, []


def with_ids(workspace: Workspace, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Slack names every block that has no block_id, and every element without an action_id."""
    found = []
    for block in blocks:
        named = {"block_id": workspace.new_id("b"), **block}
        if block.get("type") == "actions":
            named["elements"] = [
                {"action_id": workspace.new_id("a"), **element} for element in block["elements"]
            ]
        found.append(named)
    return found


def _told(workspace: Workspace, channel: Channel, message: Message) -> dict[str, Any]:
    return {
        "channel": channel.id,
        "ts": message.ts,
        "message": message_json(workspace, channel, message, metadata=True),
    }
