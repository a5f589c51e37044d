"""What a message says: its words, files, and the things that are neither. Pure; wrong types count as absent."""

from __future__ import annotations

import re
from typing import Any

from channels.discord.snowflake import is_snowflake
from channels.discord.text import clean_name
from channels.events import Attachment, AttachmentKind
from channels.markup import clean

Json = dict[str, Any]

# Discord docs, Message resource, Message Flags and Attachment Flags (2026-11).
VOICE_MESSAGE = 1 << 13
_MIME = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+\Z")
_USER = re.compile(r"<@!?(\d{1,20})>")
_EMOJI = re.compile(r"<a?(:\w{1,32}:)\d{1,20}>")
_KINDS = {"image": AttachmentKind.IMAGE, "audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}
_MAX_FILES = 10
_SEPARATOR = "|"


def text_of(message: Json, own: frozenset[str]) -> str:
    """The words, without the bot's own name at their start; people are named, custom emoji by their word.

    `own`: what stands for the bot in a mention ("@4711", "@&12"). What has no words is put into some: a forwarded
    message, a sticker, a poll.
    """
    content = message.get("content")
    words = _named(content if isinstance(content, str) else "", message, own)
    more = [*_forwarded(message), *_stickers(message), *_poll(message.get("poll"))]
    return clean("\n".join(part for part in (words, *more) if part))


def _named(text: str, message: Json, own: frozenset[str]) -> str:
    start = re.match(r"\s*<(@[!&]?\d{1,20})>[ \t]*[,:;]?\s*", text)
    if start is not None and start[1].replace("!", "") in own:
        text = text[start.end() :] or ("" if _has_more(message) else text)
    if "<" not in text:
        return text
    names = {}
    mentions = message.get("mentions")
    for user in mentions if isinstance(mentions, list) else ():
        if isinstance(user, dict) and is_snowflake(user.get("id")):
            member = user.get("member")
            names[user["id"]] = name_of(user, member if isinstance(member, dict) else {})
    text = _USER.sub(lambda user: f"@{names[user[1]]}" if names.get(user[1]) else user[0], text)
    return _EMOJI.sub(r"\1", text)


def _has_more(message: Json) -> bool:
    return any(message.get(key) for key in ("attachments", "message_snapshots", "sticker_items", "poll"))


def name_of(user: Json, member: Json) -> str:
    """How people see somebody: the server's nickname, else the display name, else the user name."""
    for name in (member.get("nick"), user.get("global_name"), user.get("username")):
        if isinstance(name, str) and (cleaned := clean_name(name)):
            return cleaned
    return ""


def is_forward(message: Json) -> bool:
    """Whether the words of another message are in it (docs, Message Snapshot Object)."""
    return bool(message.get("message_snapshots"))


def _forwarded(message: Json) -> list[str]:
    snapshots = message.get("message_snapshots")
    found = []
    for one in snapshots if isinstance(snapshots, list) else ():
        inner = one.get("message") if isinstance(one, dict) else None
        content = inner.get("content") if isinstance(inner, dict) else None
        if isinstance(content, str) and content:
            found.append(_EMOJI.sub(r"\1", content))
    return found[:_MAX_FILES]


def _stickers(message: Json) -> list[str]:
    stickers = message.get("sticker_items")
    names = [
        one.get("name") for one in (stickers if isinstance(stickers, list) else ()) if isinstance(one, dict)
    ]
    return [f":{name}:" for name in names if isinstance(name, str) and name][:_MAX_FILES]


def _poll(poll: Any) -> list[str]:
    if not isinstance(poll, dict):
        return []
    answers = poll.get("answers")
    lines = [_poll_text(poll.get("question"))]
    for one in answers if isinstance(answers, list) else ():
        text = _poll_text(one.get("poll_media")) if isinstance(one, dict) else ""
        lines.append(f"- {text}" if text else "")
    return [line for line in lines if line][:26]


def _poll_text(media: Any) -> str:
    text = media.get("text") if isinstance(media, dict) else None
    return text if isinstance(text, str) else ""


def attachments_of(message: Json) -> tuple[Attachment, ...]:
    """The files of a message and of what it forwards."""
    number, channel = message.get("id"), message.get("channel_id")
    if not is_snowflake(number) or not is_snowflake(channel):
        return ()
    found = _files(message, f"{channel}/{number}")
    snapshots = message.get("message_snapshots")
    for one in snapshots if isinstance(snapshots, list) else ():
        inner = one.get("message") if isinstance(one, dict) else None
        if isinstance(inner, dict):
            found += _files(inner, f"{channel}/{number}")
    return tuple(found[:_MAX_FILES])


def _files(message: Json, place: str) -> list[Attachment]:
    files, flags = message.get("attachments"), message.get("flags")
    is_voice = type(flags) is int and bool(flags & VOICE_MESSAGE)
    found = []
    for one in files if isinstance(files, list) else ():
        if (
            not isinstance(one, dict)
            or not is_snowflake(one.get("id"))
            or not isinstance(one.get("url"), str)
        ):
            continue
        given, name, size = one.get("content_type"), one.get("filename"), one.get("size")
        mime = given.split(";")[0].strip().lower() if isinstance(given, str) else ""
        mime = mime if _MIME.match(mime) else "application/octet-stream"
        kind = _KINDS.get(mime.split("/")[0], AttachmentKind.FILE)
        if is_voice and kind is AttachmentKind.AUDIO:
            kind = AttachmentKind.VOICE
        title = clean_name(name.replace("/", "_").replace("\\", "_"), 120) if isinstance(name, str) else ""
        ref = _SEPARATOR.join((f"{place}/{one['id']}", one["url"]))
        found.append(Attachment(kind, ref, mime, size if type(size) is int and size >= 0 else None, title))
    return found


def read_ref(ref: str) -> tuple[str, str, str, str] | None:
    """(channel, message, attachment, address) of a reference that `attachments_of` made; None for any other."""
    place, _, url = ref.partition(_SEPARATOR)
    parts = place.split("/")
    if len(parts) != 3 or not all(is_snowflake(part) for part in parts) or not url:
        return None
    return parts[0], parts[1], parts[2], url


def url_in(message: Any, attachment: str) -> str | None:
    """The address of a file in a message that was fetched again, as addresses are signed for a day."""
    if not isinstance(message, dict):
        return None
    snapshots = message.get("message_snapshots")
    inner = [
        one.get("message")
        for one in (snapshots if isinstance(snapshots, list) else ())
        if isinstance(one, dict)
    ]
    for holder in (message, *inner):
        files = holder.get("attachments") if isinstance(holder, dict) else None
        for one in files if isinstance(files, list) else ():
            if isinstance(one, dict) and one.get("id") == attachment and isinstance(one.get("url"), str):
                return str(one["url"])
    return None
