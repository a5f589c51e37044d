"""The calls about the bot itself: who it is, its commands, presses and files."""

from __future__ import annotations

import re
from typing import Any

import orjson

from .methods import CHAT_METHODS, Handler
from .state import Bot
from .wire import Args, bad

# Bot API docs, getFile: bots can download files of up to 20 MB; a self-hosted server has no such limit.
MAX_DOWNLOAD = 20_000_000
# Bot API docs, setMyCommands and BotCommand (2026-11).
MAX_COMMANDS = 100
MAX_DESCRIPTION = 256
_COMMAND = re.compile(r"[a-z0-9_]{1,32}\Z")
# Bot API docs, answerCallbackQuery: text of 0-200 characters.
MAX_ANSWER = 200


def get_me(bot: Bot, args: Args) -> dict[str, Any]:
    """Bot API docs, getMe."""
    return bot.user


def _scope(args: Args) -> str:
    scope = args.nested("scope") or {"type": "default"}
    return orjson.dumps([scope, args.text("language_code")], option=orjson.OPT_SORT_KEYS).decode()


def set_my_commands(bot: Bot, args: Args) -> bool:
    """Bot API docs, setMyCommands: at most 100 commands, names of 1-32 of a-z, 0-9 and _."""
    commands = args.nested("commands")
    if not isinstance(commands, list):
        raise bad("can't parse commands JSON object")
    if len(commands) > MAX_COMMANDS:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not isinstance(command, dict) or not _COMMAND.match(str(command.get("command", ""))):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", ""))) <= MAX_DESCRIPTION:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    bot.commands[_scope(args)] = commands
    return True


def get_my_commands(bot: Bot, args: Args) -> list[Any]:
    """Bot API docs, getMyCommands."""
    found = bot.commands.get(_scope(args), [])
    return list(found)


def delete_my_commands(bot: Bot, args: Args) -> bool:
    """Bot API docs, deleteMyCommands."""
    bot.commands.pop(_scope(args), None)
    return True


def answer_callback_query(bot: Bot, args: Args) -> bool:
    """Bot API docs, answerCallbackQuery; the text of the refusal stands in tdlib/telegram-bot-api, Client.cpp."""
    press = args.text("callback_query_id")
    if not bot.press_is_known(press):
        raise bad("query is too old and response timeout expired or query ID is invalid")
    if len(args.text("text")) > MAX_ANSWER:
        raise bad("MESSAGE_TOO_LONG")
    bot.answers[press] = args.values
    return True


def get_file(bot: Bot, args: Args) -> dict[str, Any]:
    """Bot API docs, getFile: file_path is relative to /file/bot<token>/."""
    file_id = args.text("file_id")
    found = bot.files.get(file_id)
    if found is None:
        raise bad("wrong file_id or the file is temporarily unavailable")
    path, data, size = found
    if size > MAX_DOWNLOAD and bot.limits.enabled:
        raise bad("file is too big")
    return {
        "file_id": file_id,
        "file_unique_id": f"u{file_id}",
        "file_size": size or len(data),
        "file_path": path,
    }


METHODS: dict[str, Handler] = {
    **CHAT_METHODS,
    "getme": get_me,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
    "answercallbackquery": answer_callback_query,
    "getfile": get_file,
}
