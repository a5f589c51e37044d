"""What people do: say, edit, press, react, come and go. Each makes the update that Telegram would send."""

from __future__ import annotations

import time
from typing import Any

from .state import Bot, Chat, Message

# Bot API docs, InlineKeyboardButton: callback_data is 1-64 bytes.
MAX_CALLBACK_DATA = 64


def person(user: Any) -> dict[str, Any]:
    """A User object from an id, or as given."""
    if isinstance(user, dict):
        return user
    return {"id": int(user), "is_bot": False, "first_name": f"Person {user}", "language_code": "en"}


def _sender(chat: Chat, item: dict[str, Any]) -> dict[str, Any]:
    return person(item.get("user", chat.id if chat.id > 0 else 4711))


def say(bot: Bot, body: dict[str, Any]) -> Any:
    """`items`: each with chat, and text or extra (photo, caption, ...), user, thread, reply_to, entities."""
    return [_say(bot, item) for item in body["items"]]


def _say(bot: Bot, item: dict[str, Any]) -> dict[str, Any]:
    chat = bot.chat(item["chat"])
    now = time.monotonic()
    message = Message(
        item.get("message_id") or bot.new_id(chat),
        _sender(chat, item),
        item.get("text", ""),
        item.get("entities", []),
        item.get("date", int(time.time())),
        item.get("reply_to"),
        item.get("thread"),
        extra=item.get("extra", {}),
    )
    if not bot.lean:
        message.history.append((now, message.text))
        chat.messages[message.id] = message
    if message.thread is not None:
        chat.threads.add(message.thread)
    payload = bot.message_json(chat, message)
    kind = "channel_post" if chat.type == "channel" else "message"
    update = bot.add_update(kind, payload, chat.id, update_id=item.get("update_id"))
    return {
        "update_id": update,
        "message_id": message.id,
        "at": now,
        "payload": payload if not bot.lean else None,
    }


def edit(bot: Bot, body: dict[str, Any]) -> Any:
    """A person edits `message_id` in `chat` to `text`."""
    chat = bot.chat(body["chat"])
    message = chat.messages[body["message_id"]]
    message.text, message.entities, message.edit_date = (
        body["text"],
        body.get("entities", []),
        int(time.time()),
    )
    message.history.append((time.monotonic(), message.text))
    return bot.add_update("edited_message", bot.message_json(chat, message), chat.id)


def press(bot: Bot, body: dict[str, Any]) -> Any:
    """A person presses the button with `data` under our message; returns the callback query's id."""
    chat = bot.chat(body["chat"])
    message = chat.messages.get(body["message_id"])
    bot.counts["presses"] = bot.counts.get("presses", 0) + 1
    press_id = str(bot.id * 1_000_000 + bot.counts["presses"])
    bot.presses[press_id] = time.monotonic()
    payload: dict[str, Any] = {
        "id": press_id,
        "from": _sender(chat, body),
        "chat_instance": str(chat.id * 7919),
        "data": body["data"][:MAX_CALLBACK_DATA],
        # Bot API docs, InaccessibleMessage: date is always 0.
        "message": {"chat": chat.json(), "message_id": body["message_id"], "date": 0}
        if message is None
        else bot.message_json(chat, message),
    }
    bot.add_update("callback_query", payload, chat.id)
    return press_id


def react(bot: Bot, body: dict[str, Any]) -> Any:
    """A person changes their reactions to a message from `old` to `new` (lists of emoji)."""
    chat = bot.chat(body["chat"])

    def kinds(name: str) -> list[dict[str, str]]:
        return [{"type": "emoji", "emoji": emoji} for emoji in body.get(name, [])]

    payload = {
        "chat": chat.json(),
        "message_id": body["message_id"],
        "user": _sender(chat, body),
        "date": int(time.time()),
        "old_reaction": kinds("old"),
        "new_reaction": kinds("new"),
    }
    return bot.add_update("message_reaction", payload, chat.id)


def member(bot: Bot, body: dict[str, Any]) -> Any:
    """Somebody changes the bot's own place in `chat` from `old` to `new` (member, left, kicked, administrator)."""
    chat = bot.chat(body["chat"])
    payload = {
        "chat": chat.json(),
        "from": _sender(chat, body),
        "date": int(time.time()),
        "old_chat_member": _member(bot, body.get("old", "left")),
        "new_chat_member": _member(bot, body["new"]),
    }
    chat.trouble = (
        "" if body["new"] in ("member", "administrator") else "kicked" if chat.is_group else "blocked"
    )
    return bot.add_update("my_chat_member", payload, chat.id)


def _member(bot: Bot, status: str) -> dict[str, Any]:
    found: dict[str, Any] = {"user": bot.user, "status": status}
    if status == "kicked":
        found["until_date"] = 0
    if status == "administrator":
        rights = (
            "can_be_edited is_anonymous can_manage_chat can_delete_messages can_manage_video_chats"
            " can_restrict_members can_promote_members can_change_info can_invite_users can_post_stories"
            " can_edit_stories can_delete_stories"
        )
        found.update(dict.fromkeys(rights.split(), False))
    return found
