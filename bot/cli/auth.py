"""`firstword auth`: keys by name, kept apart from the configuration in HOME/credentials.json."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.cli.context import OK, USAGE, WARNING, CommandError, Context
from bot.cli.parser import Verbs

if TYPE_CHECKING:
    from bot.credentials import Stored


_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("auth", "keys of providers and tokens of channels")
    below = verbs.under(parser)
    below.add("list", "show which keys are known and where they come from", _list)
    new = below.add("add", "store a secret (read from the terminal or standard input) under a name", _add)
    new.add_argument("name", metavar="NAME", help="referred to as profile:NAME")
    new.add_argument("--provider", metavar="PROVIDER", help="whose key it is; none: a channel's token")
    new.add_argument(
        "--mode", choices=("api_key", "token"), default="api_key", help="what kind of secret it is"
    )
    gone = below.add("remove", "forget a stored secret", _remove)
    gone.add_argument("name", metavar="NAME")


def _list(_: argparse.Namespace, context: Context) -> int:
    settings = context.settings()
    rows = []
    names = dict.fromkeys(row.provider for row in settings.auth.profiles.values())
    names |= dict.fromkeys(row.name for row in settings.providers)
    for name in (*names, *(each for each in _known_providers() if each not in names)):
        found = settings.keys(name)
        if name in names or found.credentials:
            rows.append(
                {
                    "provider": name,
                    "keys": [each.id for each in found.credentials],
                    "problems": [f"{each.trouble}: {each.where}" for each in found.findings],
                }
            )
    stored = {name: {"provider": _provider_of(name, settings)} for name in settings.profiles}
    lines = [f"{row['provider']}: {', '.join(row['keys']) or 'no key'}" for row in rows]
    lines += [f"stored: {name}" for name in stored]
    if not lines:
        lines = ["no keys; set one of the usual variables, or: firstword auth add NAME --provider PROVIDER"]
    context.say({"providers": rows, "stored": stored}, lines)
    return WARNING if any(not row["keys"] for row in rows if row["problems"]) else OK


def _provider_of(name: str, settings: Any) -> str:
    row = settings.auth.profiles.get(name)
    return row.provider if row is not None else ""


def _known_providers() -> list[str]:
    from providers import presets

    return [preset.name for preset in presets.PRESETS]


def _add(arguments: argparse.Namespace, context: Context) -> int:
    secret = read_secret(arguments.name)
    store_key(context, arguments.name, arguments.provider or "", arguments.mode, secret)
    used = f'write "profile:{arguments.name}" where it is needed'
    if arguments.provider:
        used = f"{arguments.provider} uses it from the next start on"
    context.say(
        {"name": arguments.name, "provider": arguments.provider}, [f"{arguments.name} is stored; {used}"]
    )
    return OK


def read_secret(name: str) -> str:
    """One secret, from the terminal without echo or from standard input. Raises CommandError."""
    import getpass

    is_typed = sys.stdin.isatty()
    secret = getpass.getpass(f"Secret for {name} (not shown): ") if is_typed else sys.stdin.readline()
    secret = secret.strip()
    if not secret or not secret.isprintable() or " " in secret:
        raise CommandError(
            "a secret is one line without spaces; paste it, or pipe it in", kind="usage", code=USAGE
        )
    return secret


def store_key(context: Context, name: str, provider: str, mode: str, secret: str) -> None:
    """Keep a secret under a name and, for a provider's key, name it in the configuration. Raises BotError."""
    from bot.credentials import Stored

    if not _NAME.fullmatch(name):
        text = f"{name!r} is not allowed; allowed: letters, digits and . _ : - (64 at most)"
        raise CommandError(text, kind="usage", code=USAGE)
    if provider:
        _check_provider(context, provider)
        context.config().replace(lambda values: _name_profile(values, name, provider, mode))
    _change_stored(context, {name: Stored(secret, provider)})


def _check_provider(context: Context, provider: str) -> None:
    from bot.plugins import discover
    from bot.settings.problems import nearest

    settings = context.settings()
    known = {*_known_providers(), *discover().providers, *(row.name for row in settings.providers)}
    if provider not in known:
        close = nearest(provider, known)
        meant = f"; nearest: {close}" if close else ""
        text = f"there is no provider {provider!r}{meant}; known: {', '.join(sorted(known))}"
        raise CommandError(text, kind="usage", code=USAGE)


def _name_profile(values: dict[str, Any], name: str, provider: str, mode: str) -> None:
    auth = values.setdefault("auth", {})
    auth.setdefault("profiles", {})[name] = {"provider": provider, "mode": mode}
    order = auth.get("order", {}).get(provider)
    if isinstance(order, list) and name not in order:
        order.append(name)


def _remove(arguments: argparse.Namespace, context: Context) -> int:
    was_there = _change_stored(context, {arguments.name: None})
    if not was_there:
        raise CommandError(f"nothing is stored under {arguments.name!r}; see: firstword auth list")
    context.say({"name": arguments.name}, [f"{arguments.name} is forgotten"])
    return OK


def _change_stored(context: Context, changes: Mapping[str, Stored | None]) -> bool:
    """Put or take out secrets; False when one to take out was not there."""
    from bot.credentials import read_credentials, write_credentials
    from bot.files import open_folder_lock

    with open_folder_lock(context.home.root):
        stored = dict(read_credentials(context.home.credentials))
        was_there = all(row is not None or name in stored for name, row in changes.items())
        for name, row in changes.items():
            if row is None:
                stored.pop(name, None)
            else:
                stored[name] = row
        write_credentials(context.home.credentials, stored)
    return was_there
