"""What Telegram does to the text of a message before it stores it. Pure.

Sources: Bot API docs "sendMessage", "MessageEntity" (2026-11) and the order of steps in TDLib's message text
clean-up, as its error texts show it (tdlib/td, td/telegram/MessageEntity.cpp).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Any

# Bot API docs, sendMessage: "1-4096 characters after entities parsing"; counted in UTF-16 units.
MAX_TEXT = 4096
# Bot API limits page of python-telegram-bot 22.8 (MessageLimit.MESSAGE_ENTITIES): further ones are ignored.
MAX_ENTITIES = 100

ENTITY_TYPES = frozenset(
    "mention hashtag cashtag bot_command url email phone_number bold italic underline strikethrough spoiler"
    " blockquote expandable_blockquote code pre text_link text_mention custom_emoji date_time".split()
)

# TDLib clean_input_string: control characters become a space, \r and these others are taken out.
_ODD = re.compile("[\x00-\x09\x0b-\x1f\u2028-\u202e\u0333\u033f\u030a]")
_TAKEN_OUT = re.compile("[\r\u2028-\u202e\u0333\u033f\u030a]")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_MARKS = re.compile("[\u200e\u200f](?=[\u200e\u200f])")


class BadText(Exception):
    """The text or its entities are refused; the message is what follows "Bad Request: "."""


def utf16(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text) + len(_ASTRAL.findall(text))


def _check(entity: Any) -> dict[str, Any]:
    if not isinstance(entity, dict):
        raise BadText("can't parse entities: expected an Object")
    kind, offset, length = entity.get("type"), entity.get("offset"), entity.get("length")
    if kind not in ENTITY_TYPES:
        raise BadText("can't parse entities: unsupported entity type specified")
    if not isinstance(offset, int) or not isinstance(length, int):
        raise BadText('can\'t parse entities: field "offset" must be of type Number')
    if not 0 <= offset <= 1_000_000:
        raise BadText(f"receive an entity with incorrect offset {offset}")
    if not 0 <= length <= 1_000_000:
        raise BadText(f"receive an entity with incorrect length {length}")
    if kind == "text_link" and not entity.get("url"):
        raise BadText("can't parse entities: can't find field \"url\"")
    if kind == "text_mention" and not isinstance(entity.get("user"), dict):
        raise BadText("can't parse entities: can't find field \"user\"")
    return dict(entity)


def _check_bounds(text: str, entities: list[dict[str, Any]]) -> None:
    length = utf16(text)
    middles = {m.start() + n + 1 for n, m in enumerate(_ASTRAL.finditer(text))}
    for entity in entities:
        begin, end = entity["offset"], entity["offset"] + entity["length"]
        if begin > length or (begin == length and entity["length"]):
            raise BadText(f"entity begins after the end of the text at UTF-16 offset {begin}")
        if end > length:
            raise BadText(
                f"entity beginning at UTF-16 offset {begin} ends after the end of the text at UTF-16 offset {end}"
            )
        if begin in middles:
            raise BadText(f"entity begins in a middle of a UTF-16 symbol at byte offset {begin}")
        if end in middles:
            raise BadText(
                f"entity beginning at UTF-16 offset {begin} ends in a middle of a UTF-16 symbol at byte offset {end}"
            )


def _units(text: str) -> list[str]:
    """The text as UTF-16 units, so that a slice by entity offsets is a slice of the list."""
    data = text.encode("utf-16-le", "surrogatepass")
    return [data[i : i + 2].decode("utf-16-le", "surrogatepass") for i in range(0, len(data), 2)]


def _clean(text: str, entities: list[dict[str, Any]]) -> str:
    """Take out what Telegram takes out and move the entities along."""
    if not _ODD.search(text) and not _MARKS.search(text):
        return text
    astral = [m.start() for m in _ASTRAL.finditer(text)]
    gone = [m.start() + bisect_left(astral, m.start()) for m in _TAKEN_OUT.finditer(text)]
    for entity in entities:
        begin, end = entity["offset"], entity["offset"] + entity["length"]
        entity["offset"] = begin - bisect_left(gone, begin)
        entity["length"] = end - bisect_left(gone, end) - entity["offset"]
    return _MARKS.sub("\u200c", _CONTROL.sub(" ", _TAKEN_OUT.sub("", text)))


def _trim(text: str, entities: list[dict[str, Any]]) -> str:
    """Cut white space at both ends; at the front only up to the first entity, as Telegram does."""
    text = text.rstrip(" \n")
    length = utf16(text)
    for entity in entities:
        entity["length"] = min(entity["offset"] + entity["length"], length) - entity["offset"]
    entities[:] = [entity for entity in entities if entity["length"] > 0]
    first = min((entity["offset"] for entity in entities), default=length)
    lead = 0
    while lead < min(first, len(text)) and text[lead] in " \n":
        lead += 1
    for entity in entities:
        entity["offset"] -= lead
    return text[lead:]


def stored(
    text: str, entities: Any, *, max_units: int = MAX_TEXT, too_long: str
) -> tuple[str, list[dict[str, Any]]]:
    """(text, entities) as Telegram would keep them. Raises BadText."""
    if entities is not None and not isinstance(entities, list):
        raise BadText("can't parse entities JSON object")
    found = sorted((_check(entity) for entity in entities or ()), key=lambda e: (e["offset"], -e["length"]))
    if found:
        _check_bounds(text, found)
    text = _trim(_clean(text, found), found)
    if not text.strip(" \n\xa0\u200b\u200c\u200d\u200e\u200f\ufeff\u2800\u3000"):
        raise BadText("text must be non-empty")
    if utf16(text) > max_units:
        raise BadText(too_long)
    if found:
        units = _units(text)
        found = [e for e in found if "".join(units[e["offset"] : e["offset"] + e["length"]]).strip(" \n")]
    return text, found[:MAX_ENTITIES]
