"""Whom a message mentions, and whom it makes a noise for. Pure.

Source: Discord docs, Resources/Message, "Allowed Mentions Object" (2026-11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .errors import Form

_CODE = re.compile(r"```.*?```|``.*?``|`[^`\n]*`", re.DOTALL)
_USER = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_EVERYONE = re.compile(r"@(?:everyone|here)\b")
KINDS = ("users", "roles", "everyone")


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Ids of users and roles in order, and whether everyone."""

    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    everyone: bool = False


def written(content: str) -> Mentioned:
    """What stands in the text outside code."""
    text = _CODE.sub(" ", content)
    return Mentioned(
        tuple(dict.fromkeys(_USER.findall(text))),
        tuple(dict.fromkeys(_ROLE.findall(text))),
        bool(_EVERYONE.search(text)),
    )


def check(allowed: Any, form: Form) -> None:
    """The documented rules of the object itself."""
    if allowed is None:
        return
    if not isinstance(allowed, dict):
        form.add("allowed_mentions", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
        return
    parse = allowed.get("parse") or []
    for number, kind in enumerate(parse):
        form.choice(f"allowed_mentions.parse.{number}", kind, KINDS)
    for kind in ("users", "roles"):
        named = allowed.get(kind) or []
        form.check(f"allowed_mentions.{kind}", named, 100)
        if kind in parse and named:
            form.add(
                "allowed_mentions",
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.',
            )


def allowed_of(found: Mentioned, allowed: Any, replied_to: str | None = None) -> Mentioned:
    """What is left of `found`; without an object everything pings, the author of a replied message too."""
    if allowed is None:
        users = found.users if replied_to is None else tuple(dict.fromkeys((*found.users, replied_to)))
        return Mentioned(users, found.roles, found.everyone)
    parse = set(allowed.get("parse") or ())
    named_users, named_roles = set(allowed.get("users") or ()), set(allowed.get("roles") or ())
    users = tuple(user for user in found.users if "users" in parse or user in named_users)
    roles = tuple(role for role in found.roles if "roles" in parse or role in named_roles)
    if replied_to is not None and allowed.get("replied_user", False):
        users = tuple(dict.fromkeys((*users, replied_to)))
    return Mentioned(users, roles, found.everyone and "everyone" in parse)
