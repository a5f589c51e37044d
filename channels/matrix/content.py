"""The content of a room message: its text, its files, whom it names, what it answers. Pure.

Source: Matrix spec v1.16, Client-Server API, Instant Messaging, Rich replies, Threading, Intentional mentions.
Every field is checked for its type before it is used.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from channels.events import Attachment, AttachmentKind
from channels.matrix.text import clean_name, wash

Json = dict[str, Any]

_KINDS = {
    "m.image": AttachmentKind.IMAGE,
    "m.audio": AttachmentKind.AUDIO,
    "m.video": AttachmentKind.VIDEO,
    "m.file": AttachmentKind.FILE,
}
# m.voice is what MSC3245 becomes; Element still writes the unstable name (2026-11).
_VOICE = ("org.matrix.msc3245.voice", "org.matrix.msc3245.voice.v2", "m.voice")
_MIME = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}\Z")
_PILL = re.compile(r"""href\s*=\s*["'](?:https?://matrix\.to/#/|matrix:u/)([^"'?/]{1,600})""", re.IGNORECASE)
_AFTER_NAME = " :,\n\t\u00a0"
MAX_ID = 255  # bytes of an event id, spec, Appendices, Common identifier format
_MAX_REF = 4096
_MAX_SCAN = 100_000


@dataclass(frozen=True, slots=True)
class Relation:
    """How an event refers to another. `replaces`, `thread` and `answers` are event ids or None.

    `answers`: a reply that a person made, not the one that only keeps old clients in order in a thread.
    """

    replaces: str | None = None
    thread: str | None = None
    answers: str | None = None
    has_reply: bool = False


def relation_of(content: Json) -> Relation:
    """What m.relates_to says."""
    found = content.get("m.relates_to")
    if not isinstance(found, dict):
        return Relation()
    kind, target = found.get("rel_type"), _event_id(found.get("event_id"))
    reply = found.get("m.in_reply_to")
    parent = _event_id(reply.get("event_id")) if isinstance(reply, dict) else None
    if kind == "m.replace":
        return Relation(replaces=target)
    if kind == "m.thread" and target is not None:
        is_fallback = found.get("is_falling_back") is True
        return Relation(thread=target, answers=None if is_fallback else parent, has_reply=parent is not None)
    return Relation(answers=parent, has_reply=parent is not None)


def _event_id(value: Any) -> str | None:
    """None where it cannot be one: it becomes part of a conversation's key and of addresses.

    Inside an encrypted event no server has looked at it, so that it may hold anything.
    """
    return value if isinstance(value, str) and 1 <= len(value) <= MAX_ID and value.isprintable() else None


def text_of(content: Json, *, is_reply: bool = False) -> str:
    """The text that a person wrote: a message's body, a file's caption, "" for a file without one."""
    body, kind = content.get("body"), content.get("msgtype")
    if not isinstance(body, str):
        return ""
    if isinstance(kind, str) and kind in _KINDS:
        # Spec v1.10: where `filename` is given and differs, the body is a caption.
        name = content.get("filename")
        return wash(body) if isinstance(name, str) and name != body else ""
    if kind == "m.location" and isinstance(content.get("geo_uri"), str):
        return wash(f"{body} {content['geo_uri']}").strip()
    return wash(_without_fallback(body) if is_reply else body)


def _without_fallback(body: str) -> str:
    """Spec v1.12 and before, Rich replies: strip the lines that begin with "> " and the empty line after them."""
    if not body.startswith("> <") and not body.startswith("> * <"):
        return body
    lines = body.split("\n")
    place = next((number for number, line in enumerate(lines) if not line.startswith("> ")), len(lines))
    if place < len(lines) and not lines[place]:
        place += 1
    return "\n".join(lines[place:])


def attachments_of(content: Json) -> tuple[Attachment, ...]:
    """The file of the message, plain or encrypted; nothing where it has none that could be opened."""
    kind = _KINDS.get(content.get("msgtype", "")) if isinstance(content.get("msgtype"), str) else None
    if kind is None:
        return ()
    ref = _reference(content)
    if ref is None:
        return ()
    info = content.get("info")
    info = info if isinstance(info, dict) else {}
    mime, size = info.get("mimetype"), info.get("size")
    if kind is AttachmentKind.AUDIO and any(isinstance(content.get(mark), dict) for mark in _VOICE):
        kind = AttachmentKind.VOICE
    name = content.get("filename", content.get("body"))
    return (
        Attachment(
            kind,
            ref,
            mime if isinstance(mime, str) and _MIME.match(mime) else "application/octet-stream",
            size if type(size) is int and 0 <= size < 2**53 else None,
            clean_name(name) if isinstance(name, str) else "",
        ),
    )


def _reference(content: Json) -> str | None:
    """What `open_attachment` needs: the address, and for an encrypted file its key and hash."""
    url, file = content.get("url"), content.get("file")
    found: Json | None = None
    if isinstance(file, dict):
        key, hashes = file.get("key"), file.get("hashes")
        parts = (
            file.get("url"),
            key.get("k") if isinstance(key, dict) else None,
            file.get("iv"),
            hashes.get("sha256") if isinstance(hashes, dict) else None,
        )
        if all(isinstance(part, str) and part for part in parts):
            found = dict(zip(("url", "key", "iv", "sha256"), parts, strict=True))
    elif isinstance(url, str):
        found = {"url": url}
    if found is None or not found["url"].startswith("mxc://"):
        return None
    ref = json.dumps(found, separators=(",", ":"))
    return ref if len(ref) <= _MAX_REF else None


def names_us(content: Json, user_id: str) -> bool:
    """Whether the message mentions us: by m.mentions, or by a pill where its writer's client knows no m.mentions."""
    mentions = content.get("m.mentions")
    if isinstance(mentions, dict):
        named = mentions.get("user_ids")
        if isinstance(named, list) and user_id in named:
            return True
    html = content.get("formatted_body")
    if isinstance(html, str):
        return any(_user_in(link) == user_id for link in _PILL.findall(html[:_MAX_SCAN]))
    return False


def _user_in(link: str) -> str:
    name = unquote(link.replace("&amp;", "&"))
    return name if name.startswith("@") else f"@{name}"


def without_name(text: str, names: tuple[str, ...]) -> tuple[str, bool] | None:
    """The text without our name at its beginning, and whether that calls us by itself; None where it has no name.

    "Bot: hi", "@bot hi" and "bot !stop" call; "Bot or not, who cares" needs a mention beside it.
    """
    start = text.lstrip()
    for name in names:
        for said in (f"@{name}", name):
            if name and start[: len(said)].casefold() == said.casefold():
                rest = start[len(said) :]
                if not rest or rest[0] in _AFTER_NAME:
                    bare = rest.lstrip(_AFTER_NAME)
                    is_call = said.startswith("@") or not rest or rest[0] in ":," or bare[:1] in ("!", "/")
                    return bare, is_call
    return None


def holds_name(text: str, names: tuple[str, ...]) -> bool:
    """Whether one of the names stands in the text as a word of its own."""
    return any(
        re.search(rf"(?<![\w@]){re.escape(name)}(?!\w)", text[:_MAX_SCAN], re.IGNORECASE) is not None
        for name in names
        if name
    )
