"""`firstword auth`: keys by name, kept apart from the configuration, in a file of the home or the system's keyring."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.cli import auth_test
from bot.cli.context import OK, USAGE, WARNING, CommandError, Context
from bot.cli.parser import Parser, Verbs
from bot.cli.telling import ask_daemon, tell_daemon, when

if TYPE_CHECKING:
    from bot.credentials import Stored
    from bot.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_ON_THE_LINE = ("--key", "--token", "--secret", "--api-key", "--value")


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("auth", "keys of providers and tokens of channels")
    below = verbs.under(parser)
    add_list(below)
    add_add(below)
    gone = below.add("remove", "forget a stored secret", _remove)
    gone.add_argument("name", metavar="NAME")
    order = verbs.under(below.add("order", "which key of a provider is tried first"))
    order.add("get", "show the order", _order_get).add_argument("provider", metavar="PROVIDER")
    put = order.add("set", "try these first, in this order", _order_set)
    put.add_argument("provider", metavar="PROVIDER")
    put.add_argument("names", nargs="+", metavar="NAME")
    order.add("clear", "back to the order in which they were added", _order_clear).add_argument(
        "provider", metavar="PROVIDER"
    )
    auth_test.add(below)


def add_list(below: Verbs) -> None:
    """The verb that lists keys."""
    below.add("list", "show which keys are known, where they come from and how they are taken", _list)


def add_add(below: Verbs, name: str = "add") -> None:
    """The verb that stores a secret under a name."""
    new = below.add(name, "store a secret (read from the terminal or standard input) under a name", _add)
    new.add_argument("name", metavar="NAME", help="referred to as profile:NAME")
    new.add_argument("--provider", metavar="PROVIDER", help="whose key it is; none: a channel's token")
    new.add_argument(
        "--mode", choices=("api_key", "token"), default="api_key", help="what kind of secret it is"
    )
    new.add_argument("--keyring", action="store_true", help="keep it in the system's keyring, not in a file")
    refuse_secrets(new)


def add_paste(below: Verbs, name: str) -> None:
    """The verb that stores a provider's key under the provider's own name."""
    paste = below.add(name, "store a provider's key, read from the terminal or standard input", _paste)
    paste.add_argument("--provider", required=True, metavar="PROVIDER")
    paste.add_argument(
        "--keyring", action="store_true", help="keep it in the system's keyring, not in a file"
    )
    refuse_secrets(paste)


def refuse_secrets(parser: Parser) -> None:
    """Arguments that are there to be refused: a key on the command line shows in the list of processes."""
    parser.add_argument("refused", nargs="*", help=argparse.SUPPRESS)
    for option in _ON_THE_LINE:
        parser.add_argument(option, dest="refused_option", nargs="?", const="", help=argparse.SUPPRESS)


def _check_refused(arguments: argparse.Namespace) -> None:
    if arguments.refused or arguments.refused_option is not None:
        text = (
            "a secret is never given as an argument, where other users and the shell's history see it (if this was "
            "one, replace it); run the command without it and paste it, or pipe it in"
        )
        raise CommandError(text, kind="usage", code=USAGE)


def _list(_: argparse.Namespace, context: Context) -> int:
    settings = context.settings()
    rows: list[dict[str, Any]] = []
    states = _states(context)
    names = dict.fromkeys(row.provider for row in settings.auth.profiles.values())
    names |= dict.fromkeys(row.name for row in settings.providers)
    for name in (*names, *(each for each in _known_providers() if each not in names)):
        found = settings.keys(name)
        if name in names or found.credentials:
            keys = [each.id for each in found.credentials]
            row: dict[str, Any] = {
                "provider": name,
                "keys": keys,
                "problems": [f"{each.trouble}: {each.where}" for each in found.findings],
            }
            if held := {key: states[name, key] for key in keys if (name, key) in states}:
                row["states"] = held
            rows.append(row)
    stored = {name: {"provider": _provider_of(name, settings)} for name in settings.profiles}
    lines = [f"{row['provider']}: {', '.join(_shown(row)) or 'no key'}" for row in rows]
    lines += [f"stored: {name}" for name in stored]
    if not lines:
        lines = ["no keys; set one of the usual variables, or: firstword auth add NAME --provider PROVIDER"]
    context.say({"providers": rows, "stored": stored}, lines)
    is_odd = any(not row["keys"] for row in rows if row["problems"])
    return WARNING if is_odd or any("refused" in state for state in states.values()) else OK


def _shown(row: Mapping[str, Any]) -> list[str]:
    states = row.get("states", {})
    return [f"{key} ({states[key]})" if key in states else key for key in row["keys"]]


def _states(context: Context) -> dict[tuple[str, str], str]:
    """How the running daemon sees each key; empty where none runs."""
    states: dict[tuple[str, str], str] = {}
    for provider, rows in (ask_daemon(context, "credentials") or {}).items():
        for row in rows:
            if row["refused"]:
                states[provider, row["id"]] = f"refused: {row['refused']}"
            elif row["resting"]:
                states[provider, row["id"]] = f"resting: {', '.join(sorted(set(row['resting'].values())))}"
    return states


def _provider_of(name: str, settings: Any) -> str:
    row = settings.auth.profiles.get(name)
    return row.provider if row is not None else ""


def _known_providers() -> list[str]:
    from providers import presets

    return [preset.name for preset in presets.PRESETS]


def _add(arguments: argparse.Namespace, context: Context) -> int:
    _check_refused(arguments)
    name, provider = arguments.name, arguments.provider
    check_name(context, name, provider or "")
    secret = read_secret(name)
    store_key(context, name, provider or "", arguments.mode, secret, in_keyring=arguments.keyring)
    told = tell_daemon(context)
    used = f'write "profile:{name}" where it is needed'
    if provider:
        used = f"{provider} uses it {when(told=told)}"
    context.say({"name": name, "provider": provider, "told": told}, [f"{name} is stored; {used}"])
    return OK


def _paste(arguments: argparse.Namespace, context: Context) -> int:
    _check_refused(arguments)
    provider = arguments.provider
    check_name(context, provider, provider)
    secret = read_secret(provider)
    store_key(context, provider, provider, "api_key", secret, in_keyring=arguments.keyring)
    told = tell_daemon(context)
    said = f"the key of {provider} is stored; it is used {when(told=told)}"
    context.say({"provider": provider, "told": told}, [said])
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


def check_name(context: Context, name: str, provider: str) -> None:
    """That a secret may be kept under this name for this provider; said before anybody pastes one."""
    if not _NAME.fullmatch(name):
        text = f"{name!r} is not allowed; allowed: letters, digits and . _ : - (64 at most)"
        raise CommandError(text, kind="usage", code=USAGE)
    if provider:
        _check_provider(context, provider)


def store_key(
    context: Context, name: str, provider: str, mode: str, secret: str, *, in_keyring: bool = False
) -> None:
    """Keep a secret under a name and, for a provider's key, name it in the configuration. Raises BotError."""
    from bot.credentials import Stored

    check_name(context, name, provider)
    # First the secret, then its name: a crash in between leaves nothing that points nowhere.
    _change_stored(context, {name: Stored(secret, provider, in_keyring=in_keyring)})
    if provider:
        context.config().replace(lambda values: _name_profile(values, name, provider, mode))


def _check_provider(context: Context, provider: str) -> Settings:
    from bot.plugins import discover
    from bot.settings.problems import nearest

    settings = context.settings()
    known = {*_known_providers(), *discover().providers, *(row.name for row in settings.providers)}
    if provider not in known:
        close = nearest(provider, known)
        meant = f"; nearest: {close}" if close else ""
        text = f"there is no provider {provider!r}{meant}; known: {', '.join(sorted(known))}"
        raise CommandError(text, kind="usage", code=USAGE)
    return settings


def _name_profile(values: dict[str, Any], name: str, provider: str, mode: str) -> None:
    auth = values.setdefault("auth", {})
    auth.setdefault("profiles", {})[name] = {"provider": provider, "mode": mode}
    order = auth.get("order", {}).get(provider)
    if isinstance(order, list) and name not in order:
        order.append(name)


def _remove(arguments: argparse.Namespace, context: Context) -> int:
    from bot.settings.sources import read_file

    name = arguments.name
    if not _change_stored(context, {name: None}):
        raise CommandError(f"nothing is stored under {name!r}; see: firstword auth list")
    if name in ((read_file(context.config_file).get("auth") or {}).get("profiles") or {}):
        context.config().replace(lambda values: _unname_profile(values, name))
    told = tell_daemon(context)
    for where in _places(read_file(context.config_file), f"profile:{name}"):
        context.warn(f"{where} still names profile:{name}")
    context.say({"name": name, "told": told}, [f"{name} is forgotten"])
    return OK


def _unname_profile(values: dict[str, Any], name: str) -> None:
    auth = values.get("auth", {})
    auth.get("profiles", {}).pop(name, None)
    for provider, names in list(auth.get("order", {}).items()):
        auth["order"][provider] = [each for each in names if each != name]
        if not auth["order"][provider]:
            del auth["order"][provider]


def _places(values: Any, text: str, path: tuple[str | int, ...] = ()) -> list[str]:
    from bot.settings.problems import join_path

    if isinstance(values, dict):
        return [hit for key, item in values.items() for hit in _places(item, text, (*path, key))]
    if isinstance(values, list):
        return [hit for place, item in enumerate(values) for hit in _places(item, text, (*path, place))]
    return [join_path(path)] if values == text else []


def _order_get(arguments: argparse.Namespace, context: Context) -> int:
    settings = _check_provider(context, arguments.provider)
    keys = [each.id for each in settings.keys(arguments.provider).credentials]
    is_set = arguments.provider in settings.auth.order
    data = {"provider": arguments.provider, "order": keys, "set": is_set}
    context.say(data, [f"{place}. {key}" for place, key in enumerate(keys, 1)] or ["no key"])
    return OK


def _order_set(arguments: argparse.Namespace, context: Context) -> int:
    provider, names = arguments.provider, list(dict.fromkeys(arguments.names))
    profiles = _check_provider(context, provider).auth.profiles
    own = [name for name, row in profiles.items() if row.provider == provider]
    if strange := [name for name in names if name not in own]:
        known = ", ".join(own) or "none"
        text = f"{strange[0]!r} is no stored key of {provider}; stored: {known}"
        raise CommandError(text, kind="usage", code=USAGE)
    # Keys that are not named are still tried, last.
    whole = [*names, *(name for name in own if name not in names)]

    def change(values: dict[str, Any]) -> None:
        values.setdefault("auth", {}).setdefault("order", {})[provider] = whole

    context.config().replace(change)
    told = tell_daemon(context)
    context.say(
        {"provider": provider, "order": whole, "told": told}, [f"{provider}: {', then '.join(whole)}"]
    )
    return OK


def _order_clear(arguments: argparse.Namespace, context: Context) -> int:
    provider = arguments.provider

    def change(values: dict[str, Any]) -> None:
        auth = values.get("auth", {})
        auth.get("order", {}).pop(provider, None)
        if not auth.get("order", True):
            del auth["order"]

    context.config().replace(change)
    told = tell_daemon(context)
    context.say({"provider": provider, "told": told}, [f"{provider}: keys are tried as they were added"])
    return OK


def _change_stored(context: Context, changes: Mapping[str, Stored | None]) -> bool:
    """Put or take out secrets; False when one to take out was not there."""
    from bot.credentials import change_credentials
    from bot.files import open_folder_lock

    with open_folder_lock(context.home.root):
        return change_credentials(context.home.credentials, changes)
