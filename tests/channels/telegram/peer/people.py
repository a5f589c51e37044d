"""What people do: say, edit, press, react, come and go. Each makes the update that Telegram would send."""

from __future__ import annotations

import time
from typing import Any

from .methods import MAX_CALLBACK_DATA
from .state import DRAFT_LIFE, Bot, Chat, Message
from .wire import bad


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
        "at": time.monotonic(),  # from here on it can be handed out
        "payload": payload if not bot.lean else None,
    }


def again(bot: Bot, body: dict[str, Any]) -> Any:
    """`message_id` in `chat` is offered a second time, in an update of its own."""
    chat = bot.chat(body["chat"])
    return bot.add_update("message", bot.message_json(chat, chat.messages[body["message_id"]]), chat.id)


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
    """A person changes their reactions to a message from `old` to `new` (emoji, or objects as they are).

    `actor`: an anonymous administrator's or channel's id in the person's place. Bot API docs, Update: the bot has to
    be an administrator of a group (`set_chat` with is_admin) and to have asked for them; reactions of bots are left out.
    """
    chat = bot.chat(body["chat"])
    if chat.is_group and not chat.is_admin:
        return 0

    def kinds(name: str) -> list[Any]:
        given = body.get(name, [])
        return [one if isinstance(one, dict) else {"type": "emoji", "emoji": one} for one in given]

    payload = {
        "chat": chat.json(),
        "message_id": body["message_id"],
        "date": int(time.time()),
        "old_reaction": kinds("old"),
        "new_reaction": kinds("new"),
    }
    if "actor" in body:
        payload["actor_chat"] = {
            "id": int(body["actor"]),
            "type": "channel",
            "title": f"Channel {body['actor']}",
        }
    else:
        payload["user"] = _sender(chat, body)
    return bot.add_update("message_reaction", payload, chat.id)


def stop_draft(bot: Bot, body: dict[str, Any]) -> Any:
    """The person presses the button under the preview (of `thread`); 0 where it carries none or there is none.

    Bot API docs, MessageGenerationStopped (10.3): chat, message_thread_id and draft_id.
    """
    chat, thread = bot.chat(body["chat"]), int(body.get("thread", 0))
    draft = chat.drafts.get(thread)
    if draft is None or not draft.can_stop or time.monotonic() - draft.at >= DRAFT_LIFE:
        raise bad("there is no preview with a button")
    draft.is_stopped = True
    payload: dict[str, Any] = {"chat": chat.json(), "draft_id": draft.id}
    if thread:
        payload["message_thread_id"] = thread
    return bot.add_update("stopped_message_generation", payload, chat.id)


def remove(bot: Bot, body: dict[str, Any]) -> Any:
    """Somebody deletes a message; bots are not told (Bot API docs, Update, knows no such kind)."""
    return bot.chat(body["chat"]).messages.pop(int(body["message_id"]), None) is not None


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
