"""What a message says: its text, what was forwarded with it, its files. Pure; wrong types count as absent."""

from __future__ import annotations

import re
from typing import Any

from channels.events import Attachment, AttachmentKind
from channels.slack.text import clean_name

Json = dict[str, Any]

_MIME = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+\Z")
_MAX_FILES = 20
_MAX_REF = 1500
# A file that Slack does not show us: only its id is known, and files.info has to be asked (docs, "File object").
BY_ID = "id:"


def text_of(message: Json) -> str:
    """The raw text, with that of forwarded messages below it."""
    text = message.get("text")
    parts = [text] if isinstance(text, str) and text else []
    parts += ["\n".join(f"&gt; {line}" for line in shared.splitlines()) for shared in _shared(message)]
    return "\n\n".join(parts)


def is_forward(message: Json) -> bool:
    """Whether the words of another message are in it."""
    return bool(_shared(message))


def _shared(message: Json) -> list[str]:
    attachments = message.get("attachments")
    found = []
    for one in attachments if isinstance(attachments, list) else ():
        if isinstance(one, dict) and (one.get("is_share") is True or one.get("is_msg_unfurl") is True):
            shared = one.get("text") or one.get("fallback")
            if isinstance(shared, str) and shared:
                found.append(shared)
    return found


def attachments_of(message: Json) -> tuple[Attachment, ...]:
    """The files of a message that can be opened."""
    files = message.get("files")
    found = []
    for one in files[:_MAX_FILES] if isinstance(files, list) else ():
        attachment = _file(one) if isinstance(one, dict) else None
        if attachment is not None:
            found.append(attachment)
    return tuple(found)


def _file(one: Json) -> Attachment | None:
    if one.get("mode") in ("tombstone", "hidden_by_limit"):
        return None
    url, number = one.get("url_private_download") or one.get("url_private"), one.get("id")
    given = one.get("mimetype")
    mime = "application/octet-stream"
    if isinstance(given, str) and _MIME.match(given.lower()):
        mime = given.lower()
    if isinstance(url, str) and 0 < len(url) <= _MAX_REF:
        ref = reference(url, mime)
    elif isinstance(number, str) and 0 < len(number) <= 64:
        ref = BY_ID + number
    else:
        return None
    title = one.get("name") or one.get("title")
    name = clean_name(title.replace("/", "_").replace("\\", "_"), 120) if isinstance(title, str) else ""
    size = one.get("size")
    return Attachment(_kind(one, mime), ref, mime, size if type(size) is int and size >= 0 else None, name)


def _kind(one: Json, mime: str) -> AttachmentKind:
    if one.get("subtype") == "slack_audio":
        return AttachmentKind.VOICE
    family = mime.partition("/")[0]
    kinds = {"image": AttachmentKind.IMAGE, "audio": AttachmentKind.AUDIO, "video": AttachmentKind.VIDEO}
    return kinds.get(family, AttachmentKind.FILE)


def reference(url: str, mime: str) -> str:
    """What an attachment is opened by: its address and the type that it was said to have."""
    return f"{mime} {url}"


def dereference(ref: str) -> tuple[str, str] | None:
    """Address and type of a reference; None for one that is an id or nothing of ours."""
    mime, _, url = ref.partition(" ")
    return (url, mime) if url and _MIME.match(mime) else None


def url_of(file: Any) -> tuple[str, str] | None:
    """Address and type of a file object of files.info."""
    if not isinstance(file, dict):
        return None
    attachment = _file(file)
    return None if attachment is None else dereference(attachment.ref)
