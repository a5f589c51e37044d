"""Application commands: what may be registered, and the daily count of new ones.

Source: Discord docs, "Application Commands" (2026-11): naming, option order, 25 options and choices, 100 commands,
8000 characters for a command, 200 creates a day for each guild.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from .errors import ApiError, Form, known
from .state import Account, World

CHAT_INPUT, USER, MESSAGE = 1, 2, 3
MAX_COMMANDS = {CHAT_INPUT: 100, USER: 15, MESSAGE: 15}
MAX_SIZE = 8000
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, NUMBER = 1, 2, 3, 4, 5, 10
WITH_CHOICES = (STRING, INTEGER, NUMBER)
_EXTRA_SCRIPTS = re.compile(r"[\u0900-\u097f\u0e00-\u0e7f]")


def _is_name(name: Any) -> bool:
    r"""^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$, and no capital where a small letter exists."""
    if not isinstance(name, str) or not 1 <= len(name) <= 32 or name != name.lower():
        return False
    return all(
        sign in "-_'" or unicodedata.category(sign)[0] in "LN" or _EXTRA_SCRIPTS.match(sign) for sign in name
    )


def _check_name(form: Form, path: str, name: Any) -> None:
    if not isinstance(name, str):
        form.required(path)
    elif not 1 <= len(name) <= 32:
        form.check(path, name, 32, 1)
    elif not _is_name(name):
        form.add(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def check(command: Any, form: Form, at: str) -> None:
    """One command as it is sent; `at` is its path in the body."""
    if not isinstance(command, dict):
        form.add(at.rstrip("."), "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
        return
    kind = command.get("type", CHAT_INPUT)
    form.choice(f"{at}type", kind, (CHAT_INPUT, USER, MESSAGE, 4))
    if kind == CHAT_INPUT:
        _check_name(form, f"{at}name", command.get("name"))
        _check_description(form, at, command)
        _check_options(form, f"{at}options", command.get("options") or [], depth=0)
        if _size(command) > MAX_SIZE:
            told = f"Command exceeds maximum size ({MAX_SIZE})"
            form.add(at.rstrip(".") or "options", "APPLICATION_COMMAND_TOO_LARGE", told)
    else:
        form.check(f"{at}name", command.get("name") or "", 32, 1)


def _check_description(form: Form, at: str, one: dict[str, Any]) -> None:
    if not isinstance(one.get("description"), str):
        form.required(f"{at}description")
    else:
        form.check(f"{at}description", one["description"], 100, 1)


def _check_options(form: Form, path: str, options: list[Any], *, depth: int) -> None:
    form.check(path, options, 25)
    names: set[str] = set()
    has_optional = False
    for number, one in enumerate(options):
        at = f"{path}.{number}."
        _check_name(form, f"{at}name", one.get("name"))
        _check_description(form, at, one)
        form.choice(f"{at}type", one.get("type"), tuple(range(1, 12)))
        if one.get("name") in names:
            form.add(
                f"{at}name", "APPLICATION_COMMAND_OPTIONS_NAME_NOT_UNIQUE", "Option names must be unique"
            )
        names.add(str(one.get("name")))
        if one.get("required") and has_optional:
            told = "Required options must be placed before non-required options"
            form.add(f"{at}required", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", told)
        has_optional = has_optional or not one.get("required")
        if one.get("type") in (SUBCOMMAND, GROUP):
            _check_nested(form, at, one, depth)
        else:
            _check_value(form, at, one)
    kinds = {one.get("type") in (SUBCOMMAND, GROUP) for one in options}
    if len(kinds) > 1:
        told = "Sub-command and sub-command group option types are mutually exclusive to all other types"
        form.add(path, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", told)


def _check_nested(form: Form, at: str, one: dict[str, Any], depth: int) -> None:
    too_deep = depth >= (1 if one["type"] == GROUP else 2)
    if too_deep:
        form.add(f"{at}type", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Invalid nesting of sub-commands")
    _check_options(form, f"{at}options", one.get("options") or [], depth=depth + 1)


def _check_value(form: Form, at: str, one: dict[str, Any]) -> None:
    choices = one.get("choices") or []
    form.check(f"{at}choices", choices, 25)
    if choices and one.get("type") not in WITH_CHOICES:
        form.add(
            f"{at}choices",
            "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID",
            "Choices are not allowed for this option type",
        )
    if one.get("autocomplete") and (choices or one.get("type") not in WITH_CHOICES):
        told = "Autocomplete may not be set to true if choices are present"
        form.add(f"{at}autocomplete", "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID", told)
    check_choices(form, f"{at}choices", choices, one.get("type"))


def check_choices(form: Form, path: str, choices: list[Any], kind: Any = None) -> None:
    """Name of 1-100 characters; a string value of up to 100."""
    form.check(path, choices, 25)
    for number, choice in enumerate(choices):
        form.check(f"{path}.{number}.name", choice.get("name") or "", 100, 1)
        value = choice.get("value")
        if value is None:
            form.required(f"{path}.{number}.value")
        elif isinstance(value, str):
            form.check(f"{path}.{number}.value", value, 100, 1)
        if kind == STRING and not isinstance(value, str):
            form.add(f"{path}.{number}.value", "BASE_TYPE_STRING", "Could not interpret as string.")


def _size(one: dict[str, Any]) -> int:
    """Name, description and value of the command, its options and choices."""
    total = sum(len(str(one.get(name) or "")) for name in ("name", "description", "value"))
    below = [*(one.get("options") or ()), *(one.get("choices") or ())]
    return total + sum(_size(entry) for entry in below)


def replace(world: World, account: Account, scope: str, body: Any) -> list[dict[str, Any]]:
    """PUT: these and no others; only names that are new count as creates."""
    if not isinstance(body, list):
        raise ApiError(400, 50035, "Invalid Form Body")
    form = Form()
    names: set[tuple[int, str]] = set()
    for number, command in enumerate(body):
        check(command, form, f"{number}.")
        key = _key(command)
        if key in names:
            form.add(
                f"{number}.name",
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            )
        names.add(key)
    form.end()
    for kind, most in MAX_COMMANDS.items():
        if sum(key[0] == kind for key in names) > most:
            raise known(30032)
    before = account.commands.get(scope, {})
    _count(world, account, scope, len(names - set(before)))
    account.commands[scope] = {
        _key(command): _stored(world, account, scope, command, before.get(_key(command))) for command in body
    }
    world.changed()
    return list(account.commands[scope].values())


def upsert(world: World, account: Account, scope: str, body: Any) -> tuple[dict[str, Any], bool]:
    """POST: one more, or the same name again; (command, whether it is new)."""
    form = Form()
    check(body, form, "")
    form.end()
    there = account.commands.setdefault(scope, {})
    key = _key(body)
    is_new = key not in there
    if is_new:
        if sum(other[0] == key[0] for other in there) >= MAX_COMMANDS.get(key[0], 100):
            raise known(30032)
        _count(world, account, scope, 1)
    there[key] = _stored(world, account, scope, body, there.get(key))
    world.changed()
    return there[key], is_new


def find(account: Account, scope: str, command_id: str) -> dict[str, Any]:
    """By id. Raises ApiError 10063."""
    for command in account.commands.get(scope, {}).values():
        if command["id"] == command_id:
            return command
    raise known(10063)


def delete(account: Account, scope: str, command_id: str) -> None:
    """Raises ApiError 10063."""
    del account.commands[scope][_key(find(account, scope, command_id))]


def _key(command: Any) -> tuple[int, str]:
    if not isinstance(command, dict):
        return (0, "")
    return int(command.get("type") or CHAT_INPUT), str(command.get("name"))


def _count(world: World, account: Account, scope: str, new: int) -> None:
    day = int(world.clock.wall() // 86_400)
    used = account.creates.get((scope, day), 0)
    if used + new > world.settings.daily_creates:
        left = 86_400 - world.clock.wall() % 86_400
        raise known(30034, retry_after=round(left, 3), **{"global": False})
    account.creates[scope, day] = used + new


def _stored(
    world: World, account: Account, scope: str, command: dict[str, Any], before: dict[str, Any] | None
) -> dict[str, Any]:
    found = {
        "id": world.ids.next() if before is None else before["id"],
        "application_id": account.id,
        "version": world.ids.next(),
        "default_member_permissions": None,
        "type": CHAT_INPUT,
        "description": "",
        "dm_permission": True,
        "nsfw": False,
        **{name: value for name, value in command.items() if name != "id"},
    }
    if scope != "global":
        found["guild_id"] = scope
    return found
