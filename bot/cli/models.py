"""`firstword models`: what can be asked, what answers, whether it does."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from bot.cli import auth, models_bench, models_edit
from bot.cli.context import FAULT, OK, USAGE, WARNING, CommandError, Context
from bot.cli.loop import run_async, run_still
from bot.cli.message import failure, model_override
from bot.cli.models_status import show_status
from bot.cli.parser import Verbs
from bot.cli.telling import tell_daemon, when

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.sources import Models

_PROBE = "Reply with the single word: ready"


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("models", "list, choose, test and measure models")
    below = verbs.under(parser)
    listed = below.add("list", "show the models that can be asked, and the aliases", _list)
    listed.add_argument("--all", action="store_true", help="with prices, retired ones and every provider")
    listed.add_argument("--provider", metavar="PROVIDER", help="only this one's")
    listed.add_argument("--refresh", action="store_true", help="ask the providers for their lists first")
    listed.add_argument("--local", action="store_true", help="look for servers on this machine too")
    show_status(below)
    put = below.add("set", "make a model the one that answers", _set)
    put.add_argument("ref", metavar="REF", help="provider/model, or an alias")
    test = below.add("test", "send one tiny request and show how fast it is, or what to do", _test)
    test.add_argument("ref", nargs="?", metavar="REF", help="provider/model, or an alias")
    test.add_argument("--provider", metavar="PROVIDER")
    test.add_argument("--model", metavar="MODEL", help="the model's id at that provider")
    below.add("scan", "look for model servers on this machine", _scan)
    models_edit.add(below)
    models_bench.add(below)
    keys = verbs.under(below.add("auth", "keys of providers"))
    auth.add_list(keys)
    auth.add_add(keys)
    auth.add_paste(keys, "paste-token")
    auth.add_paste(keys, "paste-api-key")


def _list(arguments: argparse.Namespace, context: Context) -> int:
    from bot.prices import price_words
    from bot.sources import look_at_models

    settings = context.settings()
    failed = _refresh(context, settings) if arguments.refresh else {}
    models = (run_async if arguments.local else run_still)(look_at_models(settings, local=arguments.local))
    catalog = models.catalog()
    aliases = {alias: [each.model.ref for each in choices] for alias, choices in catalog.aliases.items()}
    by_ref: dict[str, list[str]] = {}
    for alias, refs in aliases.items():
        by_ref.setdefault(refs[0], []).append(alias)
    specs = dict(catalog.models)
    if arguments.all:
        specs = {**_whole_catalogue(), **specs}
    rows = [
        {
            "ref": ref,
            "title": spec.title,
            "context": spec.context_window,
            "maxOutput": spec.max_output,
            "price": price_words(spec.price),
            "aliases": by_ref.get(ref, []),
            "primary": ref == catalog.primary.model.ref,
            "retired": _retired(ref),
        }
        for ref, spec in sorted(specs.items())
        if arguments.provider in (None, spec.provider)
    ]
    if not rows and arguments.provider is not None:
        more = "" if arguments.all else " --all"
        raise CommandError(f"no model of {arguments.provider!r} is known; see: firstword models list{more}")
    lines = [_line(row, is_long=arguments.all) for row in rows]
    context.say(
        {"models": rows, "aliases": aliases, "failed": failed},
        [*lines, f"* answers: {models.origin}. {models.advice}"],
    )
    for name, reason in failed.items():
        context.warn(f"{name} gave no list: {reason}")
    return WARNING if failed else OK


def _line(row: dict[str, Any], *, is_long: bool) -> str:
    line = f"{'*' if row['primary'] else ' '} {row['ref']}  {row['context']:,} tokens"
    if row["aliases"]:
        line += f"  ({', '.join(row['aliases'])})"
    if is_long:
        line += f"  {row['price']}"
    if row["retired"] is None:
        return line
    is_over = date.fromisoformat(row["retired"]) <= datetime.now(UTC).date()
    return line + (f"  retired {row['retired']}" if is_over else f"  retires {row['retired']}")


def _whole_catalogue() -> dict[str, Any]:
    from providers.base import ModelSettings
    from providers.models import catalogue, describe

    return {
        f"{provider}/{model}": describe(provider, ModelSettings(model))
        for (provider, model), facts in catalogue().items()
        if model == facts.id
    }


def _retired(ref: str) -> str | None:
    from providers.models import catalogue

    provider, _, model = ref.partition("/")
    facts = catalogue().get((provider, model))
    return str(facts.retired_on) if facts is not None and facts.retired_on is not None else None


def _refresh(context: Context, settings: Settings) -> dict[str, str]:
    """Ask every provider for its list; gives who failed."""
    from bot.cli.quiet import quiet
    from bot.refresh import refresh_lists
    from bot.sources import open_models

    async def work() -> dict[str, str]:
        async with open_models(settings) as models:
            return dict(await refresh_lists(models, settings, time.time(), all_of_them=True))

    settings.home.prepare()
    with quiet(settings):
        failed = run_async(work())
    tell_daemon(context)
    return failed


def _set(arguments: argparse.Namespace, context: Context) -> int:
    from bot.listings import listings_path, read_listings
    from bot.model_notes import notes_on

    ref = arguments.ref
    settings = context.settings(model_override(ref))
    if "/" not in ref:
        run_async(_checked(settings))  # raises, naming the aliases, when this is none
    context.config().set("agents.defaults.model.primary", ref)
    notes = notes_on(settings, [ref], read_listings(listings_path(settings.home))) if "/" in ref else []
    for note in notes:
        context.warn(note)
    told = tell_daemon(context)
    context.say({"primary": ref, "notes": notes, "told": told}, [f"{ref} answers {when(told=told)}"])
    return OK


async def _checked(settings: Settings) -> Models:
    from bot.sources import look_at_models

    return await look_at_models(settings, local=settings.models.detect_local)


def _test(arguments: argparse.Namespace, context: Context) -> int:
    ref = _tested(arguments)
    override: dict[str, Any] = {"primary": ref, "fallbacks": []} if ref else {"fallbacks": []}
    settings = context.settings({"agents": {"defaults": {"model": override}}})

    from bot.cli.asking import ask
    from bot.cli.quiet import quiet
    from bot.model_notes import notes_on

    for note in notes_on(settings, [ref] if ref and "/" in ref else [], {}):
        context.warn(note)
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


def _scan(_: argparse.Namespace, context: Context) -> int:
    from providers import presets
    from providers.detect import detect_local

    servers = run_async(detect_local(context.settings().environ))
    rows = [
        {
            "server": server.preset,
            "url": server.base_url,
            "state": str(server.state),
            "models": [spec.ref for spec in server.models],
        }
        for server in servers
    ]
    lines = []
    for server, row in zip(servers, rows, strict=True):
        lines.append(f"{server.preset}: {server.state} at {server.base_url}")
        lines += [f"  {ref}" for ref in row["models"]]
        preset = presets.find(server.preset)
        if not server.models and preset is not None:
            lines.append(f"  {preset.connect}")
    context.say({"servers": rows}, lines)
    return OK if any(server.models for server in servers) else FAULT
