"""The command table as Telegram's menu. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import orjson

from channels.commands import CommandSpec

# Bot API docs, setMyCommands and BotCommand (2026-11).
MAX_COMMANDS = 100
MAX_DESCRIPTION = 256
_NAME = re.compile(r"[a-z0-9_]{1,32}\Z")


def menu(commands: Sequence[CommandSpec]) -> list[dict[str, str]]:
    """The entries that everybody sees, in the table's order: one a command, owners' commands left out."""
    found: dict[str, str] = {}
    for spec in commands:
        name = spec.channel_names.get("telegram", spec.name)
        text = " ".join(f"{spec.summary} {spec.usage}".split())
        if spec.is_for_everybody and _NAME.match(name) and text:
            found.setdefault(name, text[:MAX_DESCRIPTION])
    return [{"command": name, "description": text} for name, text in list(found.items())[:MAX_COMMANDS]]


def shorter(entries: list[dict[str, str]]) -> list[dict[str, str]]:
    """The menu with a fifth less; Telegram refuses long ones (BOT_COMMANDS_TOO_MUCH) below its own limit, too."""
    return entries[: len(entries) * 4 // 5]


def fingerprint(entries: list[dict[str, str]], bot_id: int) -> str:
    """The same for the same menu of the same bot."""
    return hashlib.sha256(orjson.dumps([bot_id, entries])).hexdigest()[:32]
