"""What a message says: its text, files, and the things that are neither. Pure; wrong types count as absent."""

from __future__ import annotations

import re
from typing import Any

from channels.events import Attachment, AttachmentKind
from channels.telegram.shown import plain
from channels.telegram.text import clean_name

Json = dict[str, Any]

# Fields that hold one file each, what it is for, and its type where Telegram names none (Bot API docs, Message).
_FILES = (
    ("voice", AttachmentKind.VOICE, "audio/ogg"),
    ("audio", AttachmentKind.AUDIO, "audio/mpeg"),
    ("video", AttachmentKind.VIDEO, "video/mp4"),
    ("video_note", AttachmentKind.VIDEO, "video/mp4"),
    ("animation", AttachmentKind.VIDEO, "video/mp4"),
    ("document", AttachmentKind.FILE, "application/octet-stream"),
)
_MAX_ID = 512
_NAME_GOES_ON = re.compile(r"[A-Za-z0-9_]")
_MIME = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+\Z")


def is_id(value: Any) -> bool:
    """A name that Telegram gave to something: letters, digits and marks of ASCII, so that it can be stored anywhere."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID and value.isascii() and value.isprintable()


def text_of(message: Json) -> tuple[str, list[Any]]:
    """The text or caption with its entities; a few words for what has neither (a sticker, a place, a contact)."""
    for text_name, entities_name in (("text", "entities"), ("caption", "caption_entities")):
        text = message.get(text_name)
        if isinstance(text, str) and text:
            entities = message.get(entities_name)
            return text, entities if isinstance(entities, list) else []
    return plain(message) or _in_words(message), []


def _in_words(message: Json) -> str:
    sticker = message.get("sticker")
    if isinstance(sticker, dict):
        emoji = sticker.get("emoji")
        return emoji if isinstance(emoji, str) else ""
    venue, place = message.get("venue"), message.get("location")
    if isinstance(venue, dict):
        named = [venue.get("title"), venue.get("address")]
        place = venue.get("location")
    else:
        named = []
    if isinstance(place, dict):
        named += [f"{place.get('latitude')}, {place.get('longitude')}"]
        return "\n".join(str(part) for part in named if part)
    contact = message.get("contact")
    if isinstance(contact, dict):
        parts = (contact.get("first_name"), contact.get("last_name"), contact.get("phone_number"))
        return " ".join(part for part in parts if isinstance(part, str))
    dice = message.get("dice")
    if isinstance(dice, dict):
        return f"{dice.get('emoji')} {dice.get('value')}"
    return _lines(message.get("poll"), "question", "options") or _lines(
        message.get("checklist"), "title", "tasks"
    )


def _lines(found: Any, title: str, parts: str) -> str:
    """A poll or a checklist: its title, and its parts below."""
    if not isinstance(found, dict) or not isinstance(found.get(title), str):
        return ""
    ones = found.get(parts)
    lines = [
        f"- {one['text']}"
        for one in (ones if isinstance(ones, list) else ())
        if isinstance(one, dict) and isinstance(one.get("text"), str)
    ]
    return "\n".join([found[title], *lines])


def text_without_mention(text: str, username: str) -> str:
    """The text without the bot's own name at its start ("@firstword_bot, what is ..." -> "what is ...")."""
    name = f"@{username}"
    if not username or text[: len(name)].lower() != name or _NAME_GOES_ON.match(text, len(name)):
        return text
    return text[len(name) :].lstrip(" ,:;\n") or text


def attachments_of(message: Json) -> tuple[Attachment, ...]:
    """The files of a message; of a photo only its largest size."""
    found = []
    sizes = message.get("photo")
    if isinstance(sizes, list):
        usable = [one for one in sizes if isinstance(one, dict) and is_id(one.get("file_id"))]
        if usable:
            best = max(usable, key=_area)
            found.append(Attachment(AttachmentKind.IMAGE, best["file_id"], "image/jpeg", _size(best)))
    for name, kind, mime in _FILES:
        one = message.get(name)
        if not isinstance(one, dict) or not is_id(one.get("file_id")):
            continue
        if name == "document" and "animation" in message:
            continue  # Bot API docs: an animation is repeated as a document for old clients
        found.append(_file(one, kind, mime))
    return tuple(found)


def _file(one: Json, kind: AttachmentKind, mime: str) -> Attachment:
    given, title = one.get("mime_type"), one.get("file_name")
    if isinstance(given, str) and _MIME.match(given.lower()):
        mime = given.lower()
    if kind is AttachmentKind.FILE and mime.startswith("image/"):
        kind = AttachmentKind.IMAGE
    name = clean_name(title.replace("/", "_").replace("\\", "_"), 120) if isinstance(title, str) else ""
    return Attachment(kind, one["file_id"], mime, _size(one), name)


def _size(one: Json) -> int | None:
    size = one.get("file_size")
    return size if type(size) is int and size >= 0 else None


def _area(one: Json) -> int:
    width, height = one.get("width"), one.get("height")
    return width * height if type(width) is int and type(height) is int else 0
