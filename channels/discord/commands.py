"""The command table as Discord's application commands, and an invocation as the text of a message. Pure.

Sources: Discord docs, Application Commands (2026-11): names 1-32 lower-case characters, descriptions 1-100, at most
100 commands, 25 options a command, 25 choices an option of up to 100 characters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from channels.base import ModelChoice
from channels.commands import CommandSpec

Json = dict[str, Any]

MAX_COMMANDS, MAX_OPTIONS, MAX_CHOICES = 100, 25, 25
MAX_DESCRIPTION, MAX_VALUE, MAX_NAME = 100, 100, 32
_STRING, _INTEGER = 3, 4
_CHAT_INPUT = 1
_GUILD_INSTALL = 0
_IN_GUILDS, _IN_DIRECT = 0, 1

_NAME = re.compile(r"[a-z0-9_-]{1,32}\Z")
_GROUP = re.compile(r"\[([^\[\]]+)\]|<([^<>]+)>")
_NOT_NAME = re.compile(r"[^a-z0-9_]+")
_NUMBERS = frozenset({"page", "n", "number", "count"})
_FLAG = re.compile(r"--?[a-z]")


@dataclass(frozen=True, slots=True)
class Option:
    """One argument. `choices`: all it takes.

    `suggests`: what it offers while somebody types ("models", "commands" or "choices"), "" for nothing.
    """

    name: str
    description: str
    is_required: bool = False
    is_number: bool = False
    choices: tuple[str, ...] = ()
    suggests: str = ""


def options_of(spec: CommandSpec) -> tuple[Option, ...]:
    """The arguments that `spec.usage` tells of: "[a|b|c]" is one of these, "[NAME]" free, "<text>" must be given."""
    found: list[Option] = []
    for group in _GROUP.finditer(spec.usage):
        option = _option(spec, (group[1] or group[2]).split("|"), is_required=group[2] is not None)
        names = {one.name for one in found}
        if option.name not in names and len(found) < MAX_OPTIONS:
            found.append(option)
    return tuple(sorted(found, key=lambda one: not one.is_required))


def _option(spec: CommandSpec, words: list[str], *, is_required: bool) -> Option:
    words = [str(word).strip() for word in words if word.strip()]
    choices = tuple(str(choice) for choice in spec.choices)
    description = " | ".join(words)[:MAX_DESCRIPTION] or spec.summary[:MAX_DESCRIPTION]
    if words and all(_FLAG.match(word) for word in words):
        return Option("flag", description, is_required, choices=tuple(words)[:MAX_CHOICES])
    free = [word for word in words if word.isupper()]
    if len(words) == 1 and words[0] not in choices:
        name = _NOT_NAME.sub("_", words[0].lower()).strip("_")[:MAX_NAME] or "value"
        suggests = {"model": "models", "command": "commands"}.get(name, "")
        return Option(name, description, is_required, is_number=name in _NUMBERS, suggests=suggests)
    if free:
        name = _NOT_NAME.sub("_", free[0].lower()).strip("_")[:MAX_NAME] or "value"
        return Option(name, description, is_required, suggests="models" if name == "name" else "choices")
    if len(words) > MAX_CHOICES:
        return Option("value", description, is_required, suggests="choices")
    return Option("value", description, is_required, choices=tuple(words))


def application_commands(commands: Sequence[CommandSpec]) -> list[Json]:
    """What is registered, in the table's order. Owners' commands are hidden from all but administrators."""
    found: dict[str, Json] = {}
    for spec in commands:
        name = spec.channel_names.get("discord", spec.name)
        if not _NAME.match(name) or not spec.summary.strip():
            continue
        body: Json = {
            "name": name,
            "type": _CHAT_INPUT,
            "description": " ".join(spec.summary.split())[:MAX_DESCRIPTION],
            "integration_types": [_GUILD_INSTALL],
            "contexts": [_IN_GUILDS, _IN_DIRECT],
        }
        if options := [_described(option) for option in options_of(spec)]:
            body["options"] = options
        if not spec.is_for_everybody:
            body["default_member_permissions"] = "0"
        found.setdefault(name, body)
    return list(found.values())[:MAX_COMMANDS]


def _described(option: Option) -> Json:
    found: Json = {
        "name": option.name,
        "type": _INTEGER if option.is_number else _STRING,
        "description": option.description or option.name,
    }
    if option.is_required:
        found["required"] = True
    if option.is_number:
        found["min_value"] = 1
    if option.choices:
        found["choices"] = [{"name": one[:MAX_VALUE], "value": one[:MAX_VALUE]} for one in option.choices]
    elif option.suggests:
        found["autocomplete"] = True
    return found


def fingerprint(entries: list[Json], application: str) -> str:
    """The same for the same commands of the same application."""
    return hashlib.sha256(orjson.dumps([application, entries])).hexdigest()[:32]


def spec_named(commands: Iterable[CommandSpec], name: str) -> CommandSpec | None:
    """The command that is registered under `name`."""
    for spec in commands:
        if spec.channel_names.get("discord", spec.name) == name:
            return spec
    return None


def suggestions(
    option: Option | None,
    spec: CommandSpec,
    typed: str,
    models: Sequence[ModelChoice],
    commands: Sequence[CommandSpec],
) -> list[Json]:
    """What to offer for an option while `typed` stands in it: first what begins so, then what holds it."""
    if option is None or not option.suggests:
        return []
    offered: dict[str, str] = {}
    if option.suggests == "commands":
        for one in commands:
            offered.setdefault(one.name, f"{one.name}: {one.summary}")
    else:
        if option.suggests == "models":
            for model in models:
                label = model.title if model.ref in model.title else f"{model.ref}: {model.title}"
                offered.setdefault(model.ref, f"{label} (now)" if model.is_current else label)
        for choice in spec.choices:
            offered.setdefault(str(choice), str(choice))
    wanted = typed.strip().lower()
    first = [ref for ref in offered if ref.lower().startswith(wanted)]
    others = [
        ref
        for ref in offered
        if ref not in first and (wanted in ref.lower() or wanted in offered[ref].lower())
    ]
    return [
        {"name": offered[ref][:MAX_VALUE], "value": ref}
        for ref in (*first, *others)
        if 0 < len(ref) <= MAX_VALUE
    ][:MAX_CHOICES]
