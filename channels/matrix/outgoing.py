"""What is put on the wire for a message, an edit, a reply: the content of events, and how large they get. Pure.

Source: Matrix spec v1.16, Instant Messaging, Event replacements, Threading, Rich replies, Size limits.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from channels.errors import Refused, TooLong
from channels.matrix.render import render
from channels.matrix.text import cut, is_visible, wash

Json = dict[str, Any]

HTML = "org.matrix.custom.html"
# MSC4357 (a proposal, 2026-11): present while the text still grows, left out of the last edit.
LIVE = "org.matrix.msc4357.live"
# Spec, Size limits: an event has at most 65,536 bytes. What the server adds (ids of earlier events, hashes,
# signatures) takes some of it; encryption makes four bytes of three.
PLAIN_BYTES = 60_000
ENCRYPTED_BYTES = 44_000
_SHORT_FALLBACK = 300


def transaction(send_key: str) -> str:
    """The transaction id of a send: the same for every try, so that the homeserver shows it once."""
    return f"fw-{hashlib.sha256(send_key.encode(errors='surrogatepass')).hexdigest()[:40]}"


def message(
    markdown: str,
    *,
    msgtype: str,
    thread: str | None = None,
    reply_to: str | None = None,
    is_live: bool = False,
    is_encrypted: bool = False,
) -> Json:
    """A new message. Raises TooLong, and Refused when a person would see nothing of it."""
    content = _body(markdown, msgtype)
    if is_live:
        content[LIVE] = {}
    if relation := _relation(thread, reply_to):
        content["m.relates_to"] = relation
    _check(content, is_encrypted=is_encrypted)
    return content


def edit(
    markdown: str, message_id: str, *, msgtype: str, is_live: bool = False, is_encrypted: bool = False
) -> Json:
    """The message reads another text. The fallback for clients without edits is cut where the event gets too large."""
    new = _body(markdown, msgtype)
    content: Json = {**new, "body": f"* {new['body']}"}
    if "formatted_body" in new:
        content["formatted_body"] = f"* {new['formatted_body']}"
    content["m.new_content"] = new
    content["m.relates_to"] = {"rel_type": "m.replace", "event_id": message_id}
    if is_live:
        content[LIVE] = new[LIVE] = {}
    if _size(content) > _room(is_encrypted=is_encrypted):
        content["body"] = cut(content["body"], _SHORT_FALLBACK)
        content.pop("format", None)
        content.pop("formatted_body", None)
    _check(content, is_encrypted=is_encrypted)
    return content


def digest(content: Json) -> bytes:
    """Tells contents apart."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


def _body(markdown: str, msgtype: str) -> Json:
    body = wash(markdown)
    if not is_visible(body):
        raise Refused("empty_text", "the message would show nothing")
    # An empty m.mentions: whatever an answer says, it calls nobody, not even "@room" (spec, Intentional mentions).
    content: Json = {"msgtype": msgtype, "body": body, "m.mentions": {}}
    html = render(body)
    if html:
        content["format"], content["formatted_body"] = HTML, html
    return content


def _relation(thread: str | None, reply_to: str | None) -> Json:
    if thread is not None:
        # Clients without threads show it as a reply to the last one that is named here.
        return {
            "rel_type": "m.thread",
            "event_id": thread,
            "is_falling_back": True,
            "m.in_reply_to": {"event_id": reply_to or thread},
        }
    return {"m.in_reply_to": {"event_id": reply_to}} if reply_to is not None else {}


def _room(*, is_encrypted: bool) -> int:
    return ENCRYPTED_BYTES if is_encrypted else PLAIN_BYTES


def _size(content: Json) -> int:
    return len(orjson.dumps(content))


def _check(content: Json, *, is_encrypted: bool) -> None:
    size, room = _size(content), _room(is_encrypted=is_encrypted)
    if size > room:
        raise TooLong(f"an event of {size} bytes where {room} are possible")
