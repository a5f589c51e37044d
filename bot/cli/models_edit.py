"""`firstword models aliases` and `firstword models fallbacks`: short names, and who answers when the first fails."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from bot.cli.context import OK, USAGE, CommandError, Context
from bot.cli.loop import run_still
from bot.cli.parser import Verbs
from bot.cli.telling import tell_daemon, when


def add(below: Verbs) -> None:
    """Add both verbs."""
    aliases = below.under(below.add("aliases", "short names for /model"))
    aliases.add("list", "show every alias and what stands behind it", _aliases_list)
    new = aliases.add("add", "give a model a short name", _aliases_add)
    new.add_argument("alias", metavar="NAME")
    new.add_argument(
        "refs", nargs="+", metavar="REF", help="provider/model; of several the first healthy one"
    )
    aliases.add("remove", "take a short name away", _aliases_remove).add_argument("alias", metavar="NAME")
    fallbacks = below.under(below.add("fallbacks", "who answers when the first model fails"))
    fallbacks.add("list", "show them in order", _fallbacks_list)
    last = fallbacks.add("add", "put a model last", _fallbacks_add)
    last.add_argument("ref", metavar="REF", help="provider/model, or an alias")
    last.add_argument("--first", action="store_true", help="put it first instead")
    fallbacks.add("remove", "take a model out", _fallbacks_remove).add_argument("ref", metavar="REF")
    fallbacks.add("clear", "take all of them out", _fallbacks_clear)


def _aliases_list(_: argparse.Namespace, context: Context) -> int:
    from bot.sources import look_at_models

    catalog = run_still(look_at_models(context.settings())).catalog()
    aliases = {alias: [each.model.ref for each in choices] for alias, choices in catalog.aliases.items()}
    lines = [f"{alias}: {', then '.join(refs)}" for alias, refs in aliases.items()]
    context.say(
        {"aliases": aliases}, lines or ["no aliases; firstword models aliases add NAME PROVIDER/MODEL"]
    )
    return OK


def _aliases_add(arguments: argparse.Namespace, context: Context) -> int:
    name, refs = arguments.alias, list(arguments.refs)
    if not name.strip() or "/" in name or any(char.isspace() for char in name):
        raise CommandError(f"{name!r} is no alias; allowed: one word without /", kind="usage", code=USAGE)
    if strange := [ref for ref in refs if "/" not in ref]:
        raise CommandError(f"{strange[0]!r} is no provider/model", kind="usage", code=USAGE)

    def change(values: dict[str, Any]) -> None:
        _agent(values).setdefault("aliases", {})[name] = [{"model": ref} for ref in refs]

    return _change(
        context, change, {"alias": name, "models": refs}, f"{name} stands for {', then '.join(refs)}"
    )


def _aliases_remove(arguments: argparse.Namespace, context: Context) -> int:
    name = arguments.alias
    taken: list[str] = []

    def change(values: dict[str, Any]) -> None:
        agent = _agent(values)
        if agent.get("aliases", {}).pop(name, None) is not None:
            taken.append(name)
        for row in agent.get("models", {}).values():
            if isinstance(row, dict) and row.get("alias") == name:
                del row["alias"]
                taken.append(name)
        if not taken:
            raise CommandError(f"the configuration has no alias {name!r}; see: firstword models aliases list")
        if not agent.get("aliases", True):
            del agent["aliases"]

    return _change(context, change, {"alias": name}, f"{name} is taken away")


def _fallbacks_list(_: argparse.Namespace, context: Context) -> int:
    from bot.sources import look_at_models

    catalog = run_still(look_at_models(context.settings())).catalog()
    refs = [each.model.ref for each in catalog.fallbacks]
    is_set = bool(context.settings().agents.defaults.model.fallbacks)
    context.say(
        {"fallbacks": refs, "set": is_set},
        [f"{place}. {ref}" for place, ref in enumerate(refs, 1)] or ["none"],
    )
    return OK


def _fallbacks_add(arguments: argparse.Namespace, context: Context) -> int:
    ref = arguments.ref

    def change(values: dict[str, Any]) -> None:
        rest = [each for each in _fallbacks(values) if each != ref]
        _model(values)["fallbacks"] = [ref, *rest] if arguments.first else [*rest, ref]

    return _change(context, change, {"fallback": ref}, f"{ref} answers when the ones before it fail")


def _fallbacks_remove(arguments: argparse.Namespace, context: Context) -> int:
    ref = arguments.ref

    def change(values: dict[str, Any]) -> None:
        before = _fallbacks(values)
        if ref not in before:
            raise CommandError(f"{ref!r} is no fallback; they are: {', '.join(before) or 'none'}")
        _model(values)["fallbacks"] = [each for each in before if each != ref]

    return _change(context, change, {"fallback": ref}, f"{ref} is no fallback any more")


def _fallbacks_clear(_: argparse.Namespace, context: Context) -> int:
    def change(values: dict[str, Any]) -> None:
        _model(values).pop("fallbacks", None)

    return _change(context, change, {"fallbacks": []}, "no fallbacks are set")


def _agent(values: dict[str, Any]) -> dict[str, Any]:
    defaults: dict[str, Any] = values.setdefault("agents", {}).setdefault("defaults", {})
    return defaults


def _model(values: dict[str, Any]) -> dict[str, Any]:
    agent = _agent(values)
    if isinstance(agent.get("model"), str):  # short for its primary
        agent["model"] = {"primary": agent["model"]}
    model: dict[str, Any] = agent.setdefault("model", {})
    return model


def _fallbacks(values: dict[str, Any]) -> list[str]:
    return list(_model(values).get("fallbacks", []))


def _change(
    context: Context, change: Callable[[dict[str, Any]], None], data: dict[str, Any], said: str
) -> int:
    context.config().replace(change)
    told = tell_daemon(context)
    context.say({**data, "told": told}, [f"{said}, {when(told=told)}"])
    return OK
