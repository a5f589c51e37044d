"""`firstword config`: read, change and check the configuration file."""

from __future__ import annotations

import argparse
import json

from bot.cli.context import OK, WARNING, Context
from bot.cli.parser import Verbs
from bot.errors import SettingsError

_RESTART = "a running daemon takes it up at its next start"
_AT_ONCE = "a running daemon takes up keys of its own doors at once, others at its next start"


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("config", "read, change and check the configuration")
    below = verbs.under(parser)
    get = below.add("get", "print the value in force: file, environment or default; secrets masked", _get)
    get.add_argument(
        "path", nargs="?", default="", metavar="PATH", help="such as agents.defaults.model; none: all"
    )
    put = below.add("set", "change one value; the file is checked first and backed up", _set)
    put.add_argument(
        "path", metavar="PATH", help="such as 'agents.defaults.models[\"provider/model\"].alias'"
    )
    put.add_argument("value", metavar="VALUE", help="JSON, or bare text")
    unset = below.add("unset", "take one value out of the file", _unset)
    unset.add_argument("path", metavar="PATH")
    below.add("validate", "check the whole configuration", _validate)
    below.add("schema", "print its JSON Schema", _schema)
    below.add("file", "print where the file is", _file)


def _get(arguments: argparse.Namespace, context: Context) -> int:
    value = context.config().get(arguments.path)
    shown = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    context.say({"path": arguments.path, "value": value}, [shown])
    return OK


def _set(arguments: argparse.Namespace, context: Context) -> int:
    value = context.config().set(arguments.path, arguments.value)
    context.say(
        {"path": arguments.path, "file": str(context.config_file)},
        [f"{arguments.path} is set in {context.config_file}; {_when(arguments.path, context)}"],
    )
    try:
        warnings = context.settings(is_looking=False).warnings
    except SettingsError as error:
        for path, text in error.problems:
            context.warn(f"still {path}: {text}" if path else text)
        return WARNING
    if isinstance(value, str) and any(arguments.path in text for text in warnings):
        context.warn("the secret now stands in the file itself; better: firstword auth add NAME")
    return OK


def _unset(arguments: argparse.Namespace, context: Context) -> int:
    was_set = context.config().unset(arguments.path)
    when = _when(arguments.path, context)
    text = f"{arguments.path} is taken out; {when}" if was_set else f"{arguments.path} was not set"
    context.say({"path": arguments.path, "changed": was_set}, [text])
    return OK


def _when(path: str, context: Context) -> str:
    """When a daemon that runs knows of a change (bot.rekeying)."""
    from bot.settings.paths import parse_path

    place = context.config().shape().at(parse_path(path))
    return _AT_ONCE if place is not None and place.is_secret else _RESTART


def _validate(_: argparse.Namespace, context: Context) -> int:
    settings = context.settings(is_looking=False)
    is_there = context.config_file.exists()
    what = "is valid" if is_there else "does not exist; the defaults are valid"
    context.say(
        {"file": str(context.config_file), "exists": is_there, "warnings": settings.warnings},
        [f"{context.config_file} {what}"],
    )
    for warning in settings.warnings:
        context.warn(warning)
    return WARNING if settings.warnings else OK


def _schema(_: argparse.Namespace, context: Context) -> int:
    print(json.dumps(context.config().schema(), indent=2, ensure_ascii=False), file=context.out)
    return OK


def _file(_: argparse.Namespace, context: Context) -> int:
    context.say(
        {"file": str(context.config_file), "exists": context.config_file.exists()}, [str(context.config_file)]
    )
    return OK
