"""The calls that write to a chat. Each rule carries its source."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .rich import read_rich
from .state import DRAFT_LIFE, Bot, Chat, Draft, Message, find_chat, writable_chat
from .text import stored
from .wire import ApiError, Args, bad

Handler = Callable[[Bot, Args], Any]

# Bot API docs, sendChatAction (2026-11).
ACTIONS = frozenset(
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker"
    " find_location record_video_note upload_video_note".split()
)
# Bot API docs, deleteMessage: a message can only be deleted if it was sent less than 48 hours ago.
DELETE_WINDOW = 48 * 3600
# Bot API docs, InlineKeyboardButton.
MAX_CALLBACK_DATA = 64


def _flood(bot: Bot, chat: Chat, kind: str) -> None:
    wait = bot.flood.refuse(time.monotonic(), chat.id, is_group=chat.is_group, kind=kind)
    if wait is not None:
        raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)


def _thread(chat: Chat, args: Args) -> int | None:
    thread = args.whole("message_thread_id") or None
    if thread is None:
        return None
    # Source of the texts: tdlib/telegram-bot-api and reports of forum bots (TOPIC_CLOSED).
    if chat.is_group and thread not in chat.threads:
        raise bad("message thread not found")
    if thread in chat.closed_threads:
        raise bad("TOPIC_CLOSED")
    return thread


def _reply_to(chat: Chat, args: Args) -> int | None:
    found = args.nested("reply_parameters")
    if found is None:
        target, optional = args.whole("reply_to_message_id"), args.flag("allow_sending_without_reply")
    elif isinstance(found, dict):
        target, optional = int(found.get("message_id") or 0), bool(found.get("allow_sending_without_reply"))
    else:
        raise bad("can't parse reply parameters: object expected")
    if not target:
        return None
    if target in chat.messages:
        return target
    if optional:
        return None
    raise bad("message to be replied not found")


def _formatted(args: Args, *, too_long: str) -> tuple[str, list[dict[str, Any]]]:
    if args.text("parse_mode"):
        raise bad("can't parse entities: this server reads `entities`, not parse_mode")
    return stored(args.text("text"), args.nested("entities"), too_long=too_long)


def send_message(bot: Bot, args: Args) -> dict[str, Any]:
    """Bot API docs, sendMessage: text of 1-4096 characters after entities parsing."""
    if not args.text("text"):
        raise bad("message text is empty")
    chat = writable_chat(bot, args.values.get("chat_id"))
    text, entities = _formatted(args, too_long="message is too long")
    return _post(bot, chat, args, text, entities, None)


def send_rich_message(bot: Bot, args: Args) -> dict[str, Any]:
    """Bot API docs, sendRichMessage (10.1): any chat; the answer's Message holds `rich_message` and no `text`."""
    if not bot.has_rich:
        raise ApiError(404, "Not Found")
    chat = writable_chat(bot, args.values.get("chat_id"))
    rich, text = read_rich(args.nested("rich_message"))
    return _post(bot, chat, args, text, [], rich)


def _markup(args: Args) -> Any:
    """Bot API docs, InlineKeyboardButton: callback_data is 1-64 bytes; a keyboard without buttons is none."""
    markup = args.nested("reply_markup")
    if not isinstance(markup, dict) or not markup.get("inline_keyboard"):
        return None
    for row in markup["inline_keyboard"]:
        for button in row:
            if not 1 <= len(str(button.get("callback_data", "")).encode()) <= MAX_CALLBACK_DATA:
                raise bad("BUTTON_DATA_INVALID")
            if not button.get("text"):
                raise bad(
                    "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
                )
    return markup


def _post(
    bot: Bot, chat: Chat, args: Args, text: str, entities: list[dict[str, Any]], rich: dict[str, Any] | None
) -> dict[str, Any]:
    thread, reply_to, markup = _thread(chat, args), _reply_to(chat, args), _markup(args)
    _flood(bot, chat, "send")
    now = time.monotonic()
    if chat.garble:
        text, entities, chat.garble = text[: chat.garble], [], 0
        rich = None if rich is None else {"blocks": [{"type": "paragraph", "text": text}]}
    message = Message(bot.new_id(chat), bot.user, text, entities, int(time.time()), reply_to, thread)
    message.markup, message.rich = markup, rich
    message.history.append((now, text))
    chat.messages[message.id] = message
    # Bot API docs, sendMessageDraft: the sent message takes the place of the preview.
    chat.drafts.pop(thread or 0, None)
    return bot.message_json(chat, message)


def edit_message_text(bot: Bot, args: Args) -> dict[str, Any]:
    """Bot API docs, editMessageText: own messages only; the result is the edited Message.

    `text` or, since 10.1, `rich_message`; an older server does not see the latter. Without `reply_markup` the message
    has no buttons afterwards.
    """
    is_rich = bot.has_rich and "rich_message" in args.values
    if is_rich and args.text("text"):
        raise bad("text and rich_message can't be used together")
    if not is_rich and not args.text("text"):
        raise bad("message text is empty")
    chat = writable_chat(bot, args.values.get("chat_id"))
    message = chat.messages.get(args.whole("message_id"))
    if message is None:
        raise bad("message to edit not found")
    if message.sender["id"] != bot.id:
        raise bad("message can't be edited")
    rich: dict[str, Any] | None = None
    entities: list[dict[str, Any]] = []
    if is_rich:
        rich, text = read_rich(args.nested("rich_message"))
    else:
        text, entities = _formatted(args, too_long="MESSAGE_TOO_LONG")
    markup = _markup(args)
    _flood(bot, chat, "edit")
    before = (message.text, message.entities, message.markup, message.rich)
    if (text, entities, markup, rich) == before:
        raise bad(
            "message is not modified: specified new message content and reply markup are exactly the same"
            " as a current content and reply markup of the message"
        )
    message.text, message.entities, message.markup, message.rich = text, entities, markup, rich
    message.edit_date = int(time.time())
    if bot.lean:
        message.history[1:] = [(time.monotonic(), text)]
    else:
        message.history.append((time.monotonic(), text))
    return bot.message_json(chat, message)


def delete_message(bot: Bot, args: Args) -> bool:
    """Bot API docs, deleteMessage."""
    chat = writable_chat(bot, args.values.get("chat_id"))
    message = chat.messages.get(args.whole("message_id"))
    if message is None:
        raise bad("message to delete not found")
    if time.time() - message.date > DELETE_WINDOW or (chat.is_group and message.sender["id"] != bot.id):
        raise bad("message can't be deleted")
    del chat.messages[message.id]
    return True


def send_chat_action(bot: Bot, args: Args) -> bool:
    """Bot API docs, sendChatAction: shown for 5 seconds or less."""
    chat = writable_chat(bot, args.values.get("chat_id"))
    if args.text("action") not in ACTIONS:
        raise bad("wrong parameter action in request")
    _thread(chat, args)
    _flood(bot, chat, "action")
    chat.actions.append((time.monotonic(), args.text("action")))
    return True


def send_message_draft(bot: Bot, args: Args) -> bool:
    """Bot API docs, sendMessageDraft (2026-11): private chats, draft_id not zero, 0-4096 characters, 30 s."""
    chat = writable_chat(bot, args.values.get("chat_id"))
    if chat.is_group:
        # As bots report it for groups and channels.
        raise bad("TEXTDRAFT_PEER_INVALID")
    draft_id = args.whole("draft_id")
    if not draft_id:
        raise bad("draft_id must be non-zero")
    text = ""
    entities: list[dict[str, Any]] = []
    if args.text("text"):
        text, entities = _formatted(args, too_long="MESSAGE_TOO_LONG")
    return _paint(bot, chat, args, Draft(draft_id, text, entities, 0.0))


def send_rich_message_draft(bot: Bot, args: Args) -> bool:
    """Bot API docs, sendRichMessageDraft (10.1): as sendMessageDraft, with a rich message."""
    if not bot.has_rich:
        raise ApiError(404, "Not Found")
    chat = writable_chat(bot, args.values.get("chat_id"))
    if chat.is_group:
        raise bad("TEXTDRAFT_PEER_INVALID")
    if not args.whole("draft_id"):
        raise bad("draft_id must be non-zero")
    _, text = read_rich(args.nested("rich_message"), is_draft=True)
    return _paint(bot, chat, args, Draft(args.whole("draft_id"), text, [], 0.0, is_rich=True))


def _paint(bot: Bot, chat: Chat, args: Args, draft: Draft) -> bool:
    _flood(bot, chat, "draft")
    draft.at = now = time.monotonic()
    # Bot API docs, sendMessageDraft (10.3): can_stop shows a button to stop further drafts.
    draft.can_stop = args.flag("can_stop")
    thread = args.whole("message_thread_id")
    shown = chat.drafts.get(thread)
    if shown is not None and shown.id == draft.id and shown.is_stopped:
        return True  # no further drafts; that they are passed over without a word is assumed
    chat.drafts[thread] = draft
    if not bot.lean or not chat.draft_log:
        chat.draft_log.append((now, draft.id, draft.text))
    return True


def set_message_reaction(bot: Bot, args: Args) -> bool:
    """Bot API docs, setMessageReaction."""
    chat = writable_chat(bot, args.values.get("chat_id"))
    message_id = args.whole("message_id")
    if message_id not in chat.messages:
        raise bad("message to react not found")
    chat.reactions.append((message_id, args.nested("reaction")))
    return True


def get_chat(bot: Bot, args: Args) -> dict[str, Any]:
    """Bot API docs, getChat."""
    found = find_chat(bot, args.values.get("chat_id")).json()
    return {**found, "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _NO_GIFTS}


_NO_GIFTS = {
    "unlimited_gifts": False,
    "limited_gifts": False,
    "unique_gifts": False,
    "premium_subscription": False,
    "gifts_from_channels": False,
}


def live_drafts(chat: Chat) -> dict[int, Draft]:
    """The previews that have not expired."""
    now = time.monotonic()
    return {thread: draft for thread, draft in chat.drafts.items() if now - draft.at < DRAFT_LIFE}


CHAT_METHODS: dict[str, Handler] = {
    "sendmessage": send_message,
    "editmessagetext": edit_message_text,
    "sendrichmessage": send_rich_message,
    "sendrichmessagedraft": send_rich_message_draft,
    "deletemessage": delete_message,
    "sendchataction": send_chat_action,
    "sendmessagedraft": send_message_draft,
    "setmessagereaction": set_message_reaction,
    "getchat": get_chat,
}
