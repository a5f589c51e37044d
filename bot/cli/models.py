"""`firstword models`: what can be asked, what answers, whether it does."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.cli.auth import read_secret, store_key
from bot.cli.context import OK, USAGE, WARNING, CommandError, Context
from bot.cli.loop import run_async
from bot.cli.message import failure, model_override
from bot.cli.parser import Verbs

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.sources import Models

_PROBE = "Reply with the single word: ready"


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("models", "models: list, choose and test them")
    below = verbs.under(parser)
    below.add("list", "show every model that can be asked, and the aliases", _list)
    below.add("status", "show what answers, what stands behind it, and which providers have a key", _status)
    put = below.add("set", "make a model the one that answers", _set)
    put.add_argument("ref", metavar="REF", help="provider/model, or an alias")
    test = below.add("test", "send one tiny request and show how fast it is, or what to do", _test)
    test.add_argument("ref", nargs="?", metavar="REF", help="provider/model, or an alias")
    test.add_argument("--provider", metavar="PROVIDER")
    test.add_argument("--model", metavar="MODEL", help="the model's id at that provider")
    keys = verbs.under(below.add("auth", "keys of providers"))
    paste = keys.add(
        "paste-token", "store a provider's key, read from the terminal or standard input", _paste
    )
    paste.add_argument("--provider", required=True, metavar="PROVIDER")


async def _found(settings: Settings) -> Models:
    from bot.sources import open_models

    async with open_models(settings) as models:
        return models


def _open(context: Context) -> tuple[Settings, Models]:
    from bot.cli.quiet import quiet

    settings = context.settings()
    with quiet(settings):
        return settings, run_async(_found(settings))


def _list(_: argparse.Namespace, context: Context) -> int:
    models = _open(context)[1]
    catalog = models.catalog()
    aliases = {alias: [each.model.ref for each in choices] for alias, choices in catalog.aliases.items()}
    by_ref: dict[str, list[str]] = {}
    for alias, refs in aliases.items():
        by_ref.setdefault(refs[0], []).append(alias)
    rows = [
        {
            "ref": ref,
            "title": spec.title,
            "context": spec.context_window,
            "aliases": by_ref.get(ref, []),
            "primary": ref == catalog.primary.model.ref,
        }
        for ref, spec in sorted(catalog.models.items())
    ]
    lines = [
        f"{'*' if row['primary'] else ' '} {row['ref']}  {row['context']:,} tokens"
        + (f"  ({', '.join(by_ref[str(row['ref'])])})" if row["aliases"] else "")
        for row in rows
    ]
    context.say(
        {"models": rows, "aliases": aliases}, [*lines, f"* answers: {models.origin}. {models.advice}"]
    )
    return OK


def _status(_: argparse.Namespace, context: Context) -> int:
    settings, models = _open(context)
    catalog = models.catalog()
    primary, fallbacks = catalog.primary.model.ref, [each.model.ref for each in catalog.fallbacks]
    names = dict.fromkeys(ref.partition("/")[0] for ref in (primary, *fallbacks))
    names |= dict.fromkeys(row.name for row in settings.providers)
    auth = {name: _auth(settings, name) for name in names}
    notes = retired_notes([primary, *fallbacks])
    lines = [
        f"Primary: {primary} ({models.origin})",
        f"Fallbacks: {', '.join(fallbacks) or 'none'}",
        *(f"{_title(name)} auth: {state}" for name, state in auth.items()),
        *(f"Alias {alias}: {choices[0].model.ref}" for alias, choices in catalog.aliases.items()),
    ]
    data = {
        "primary": primary,
        "fallbacks": fallbacks,
        "origin": models.origin,
        "auth": auth,
        "retired": notes,
    }
    context.say(data, lines)
    for note in notes:
        context.warn(note)
    return WARNING if notes or "missing" in auth.values() else OK


def _auth(settings: Settings, name: str) -> str:
    from providers import presets

    if settings.keys(name).credentials:
        return "configured"
    preset = presets.find(name)
    return "missing" if preset is not None and preset.variables else "not needed"


def _title(name: str) -> str:
    from providers import presets

    preset = presets.find(name)
    return preset.title if preset is not None else name


def retired_notes(refs: list[str]) -> list[str]:
    """A sentence for each model that its vendor has taken away or soon will."""
    from providers.models import catalogue

    today = datetime.now(UTC).date()
    notes = []
    for ref in dict.fromkeys(refs):
        provider, _, model = ref.partition("/")
        facts = catalogue().get((provider, model))
        if facts is None or facts.retired_on is None:
            continue
        when = "was retired" if facts.is_retired(today) else "will be retired"
        after = (
            f"; use {provider}/{facts.successor}"
            if facts.successor
            else "; choose another: firstword models list"
        )
        notes.append(f"{ref} {when} on {facts.retired_on}{after}")
    return notes


def _set(arguments: argparse.Namespace, context: Context) -> int:
    ref = arguments.ref
    settings = context.settings(model_override(ref))
    if "/" not in ref:
        from bot.cli.quiet import quiet

        with quiet(settings):
            run_async(_found(settings))  # raises, naming the aliases, when this is none
    context.config().set("agents.defaults.model.primary", ref)
    for note in retired_notes([ref]):
        context.warn(note)
    context.say({"primary": ref}, [f"{ref} answers from the next start on"])
    return OK


def _test(arguments: argparse.Namespace, context: Context) -> int:
    ref = _tested(arguments)
    override: dict[str, Any] = {"primary": ref, "fallbacks": []} if ref else {"fallbacks": []}
    settings = context.settings({"agents": {"defaults": {"model": override}}})

    from bot.cli.asking import ask
    from bot.cli.quiet import quiet

    with quiet(settings):
        asked = run_async(ask(settings, _PROBE, lambda _: None))
    if asked.is_cut:
        raise failure(asked)
    context.say({"text": asked.text, **asked.figures()}, [f"{asked.model} answers: {asked.summary()}"])
    return OK


def _tested(arguments: argparse.Namespace) -> str | None:
    if arguments.provider and arguments.model:
        return f"{arguments.provider}/{arguments.model}"
    if arguments.provider or arguments.model:
        text = "--provider and --model go together; or write: firstword models test PROVIDER/MODEL"
        raise CommandError(text, kind="usage", code=USAGE)
    return str(arguments.ref) if arguments.ref else None


def _paste(arguments: argparse.Namespace, context: Context) -> int:
    provider = arguments.provider
    secret = read_secret(provider)
    store_key(context, provider, provider, "api_key", secret)
    context.say(
        {"provider": provider}, [f"the key of {provider} is stored; it is used from the next start on"]
    )
    return OK
