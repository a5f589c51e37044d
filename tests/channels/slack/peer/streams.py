"""chat.startStream, appendStream, stopStream: start, then appends, then stop; about five minutes in all.

Sources (2026-11): Slack docs, the methods' pages (errors missing_recipient_team_id, missing_recipient_user_id,
message_not_in_streaming_state, message_not_owned_by_app, stopped_by_user, invalid_chunks, no_text; 12,000 characters
of markdown_text a call; blocks of stopStream stand below the text, at most 50); slackapi/python-slack-sdk#1859 and
#1880: about five minutes after the start append and stop both answer message_not_in_streaming_state, the message
stays and can be updated.
Assumptions: a thread whose head is gone answers thread_not_found; a recipient of another team team_not_found; each
append is echoed as message_changed; the text of a whole stream ends at 40,000 characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import checks, text
from .chat import show, with_ids
from .events import emit_changed, emit_message
from .shapes import message_json
from .state import Channel, Message, find_channel, find_message
from .wire import ApiError, Args

if TYPE_CHECKING:
    from .app import App


def start(app: App, args: Args) -> dict[str, Any]:
    """Answers channel and ts."""
    workspace = app.workspace
    channel = find_channel(workspace, args.required("channel"), write=True)
    parent = channel.messages.get(args.required("thread_ts"))
    if parent is None:
        raise ApiError("thread_not_found")
    if channel.kind != "im":
        if not args.text("recipient_team_id"):
            raise ApiError("missing_recipient_team_id")
        if not args.text("recipient_user_id"):
            raise ApiError("missing_recipient_user_id")
    if args.text("recipient_team_id", workspace.identity.team) != workspace.identity.team:
        raise ApiError("team_not_found")
    if args.text("recipient_user_id") and args.text("recipient_user_id") not in workspace.people:
        raise ApiError("user_not_found")
    if args.text("task_display_mode", "timeline") not in ("timeline", "plan"):
        raise ApiError("invalid_arguments")
    said, blocks, tasks = checks.read_chunks(args)
    message = Message(
        workspace.new_ts(),
        workspace.identity.bot_user,
        text=text.to_mrkdwn(said),
        bot_id=workspace.identity.bot,
        thread_ts=parent.thread_ts or parent.ts,
        markdown=said,
        blocks=blocks,
        tasks=tasks,
        state="in_progress",
        started=workspace.now(),
        touched=workspace.now(),
        sent_at=workspace.now(),
    )
    show(workspace, channel, message)
    emit_message(app, channel, message)
    return {"channel": channel.id, "ts": message.ts}


def append(app: App, args: Args) -> dict[str, Any]:
    """Answers channel and ts."""
    channel, message = _streaming(app, args)
    said, blocks, tasks = _more(args, message)
    if not said and not blocks and not tasks:
        raise ApiError("no_text")
    _grow(app, channel, message, said, blocks, tasks)
    return {"channel": channel.id, "ts": message.ts}


def stop(app: App, args: Args) -> dict[str, Any]:
    """Answers channel, ts and the message."""
    workspace = app.workspace
    channel, message = _streaming(app, args)
    said, chunk_blocks, tasks = _more(args, message)
    blocks = checks.read_blocks(args) or []
    metadata = checks.read_metadata(args)
    message.state = "completed"
    message.metadata = metadata or message.metadata
    _grow(app, channel, message, said, [*chunk_blocks, *blocks], tasks)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "message": message_json(workspace, channel, message, metadata=True),
    }


def _streaming(app: App, args: Args) -> tuple[Channel, Message]:
    workspace = app.workspace
    channel = find_channel(workspace, args.required("channel"), write=True)
    message = find_message(workspace, channel, args.required("ts"))
    if message.bot_id != workspace.identity.bot:
        raise ApiError("message_not_owned_by_app")
    if message.state == "stopped":
        raise ApiError("stopped_by_user")
    if message.state != "in_progress":
        raise ApiError("message_not_in_streaming_state")
    return channel, message


def _more(args: Args, message: Message) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    said, blocks, tasks = checks.read_chunks(args)
    if len(message.markdown or "") + len(said) > checks.MAX_TEXT:
        raise ApiError("msg_too_long")
    return said, blocks, tasks


def _grow(
    app: App,
    channel: Channel,
    message: Message,
    said: str,
    blocks: list[dict[str, Any]],
    tasks: list[dict[str, Any]],
) -> None:
    workspace = app.workspace
    before = message_json(workspace, channel, message)
    if said:
        message.markdown = (message.markdown or "") + said
        message.text = text.to_mrkdwn(message.markdown)
    message.blocks = [*message.blocks, *with_ids(workspace, blocks)]
    known = {task.get("id"): task for task in message.tasks}
    message.tasks = list({**known, **{task.get("id"): task for task in tasks}}.values())
    message.touched = workspace.now()
    workspace.settle(channel, message)
    emit_changed(app, channel, message, before)
