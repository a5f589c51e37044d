"""`firstword models status`: what answers, what stands behind it, and what is wrong with it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bot.cli.context import FAULT, OK, USAGE, WARNING, CommandError, Context
from bot.cli.loop import run_async
from bot.cli.parser import Verbs

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.sources import Models

_PROBE = "Reply with the single word: ready"


def show_status(below: Verbs) -> None:
    """Add the verb."""
    status = below.add(
        "status", "show what answers, what stands behind it, and which providers have a key", _status
    )
    status.add_argument(
        "--check", action="store_true", help="exit code 1 where a key is missing or a model gone"
    )
    status.add_argument("--probe", action="store_true", help="send each of these models one tiny request")
    status.add_argument("--probe-timeout", type=float, default=15.0, metavar="SECONDS", help="for each; 15")
    status.add_argument("--probe-concurrency", type=int, default=4, metavar="N", help="how many at once; 4")


def _status(arguments: argparse.Namespace, context: Context) -> int:
    from bot.model_notes import notes_on, refs_in_use
    from bot.remedies import remedy
    from bot.sources import look_at_models
    from providers.errors import ErrorKind

    if arguments.probe_timeout <= 0 or arguments.probe_concurrency <= 0:
        raise CommandError("--probe-timeout and --probe-concurrency are above 0", kind="usage", code=USAGE)
    settings = context.settings()
    models = run_async(look_at_models(settings, local=settings.models.detect_local))
    catalog = models.catalog()
    primary, fallbacks = catalog.primary.model.ref, [each.model.ref for each in catalog.fallbacks]
    names = dict.fromkeys(ref.partition("/")[0] for ref in (primary, *fallbacks))
    names |= dict.fromkeys(row.name for row in settings.providers)
    auth = {name: _auth(settings, name) for name in names}
    notes = notes_on(settings, dict.fromkeys([*refs_in_use(settings), primary, *fallbacks]), models.listings)
    probes = _probe(arguments, settings, [primary, *fallbacks]) if arguments.probe else []
    wanted = settings.agents.defaults.model.primary
    stands_for = f", for {wanted}" if wanted and "/" in wanted and wanted != primary else ""
    lines = [
        f"Primary: {primary} ({models.origin}{stands_for})",
        f"Fallbacks: {', '.join(fallbacks) or 'none'}",
        *(f"{_title(name)} auth: {state}" for name, state in auth.items()),
        *(f"Alias {alias}: {choices[0].model.ref}" for alias, choices in catalog.aliases.items()),
        *(f"{each['model']}: {each['said']}" for each in probes),
    ]
    data = {
        "primary": primary,
        "fallbacks": fallbacks,
        "origin": models.origin,
        "auth": auth,
        "retired": notes,
        "listed": _ages(models),
        "probes": probes,
    }
    context.say(data, lines)
    for name in [name for name, state in auth.items() if state == "missing"]:
        context.warn(remedy(ErrorKind.AUTH, name, has_key=False))
    for note in notes:
        context.warn(note)
    is_bad = "missing" in auth.values() or any(each["error"] for each in probes)
    if arguments.check and (is_bad or any("was retired" in each or "not among" in each for each in notes)):
        return FAULT
    return WARNING if notes or is_bad else OK


def _ages(models: Models) -> dict[str, Any]:
    return {
        name: {"at": listing.at, "models": len(listing.models)} for name, listing in models.listings.items()
    }


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


def _probe(arguments: argparse.Namespace, settings: Settings, refs: list[str]) -> list[dict[str, Any]]:
    """One tiny request to each; costs a few tokens."""
    import asyncio

    from bot.cli.asking import ask_one
    from bot.cli.quiet import quiet
    from bot.sources import open_models

    async def work() -> list[dict[str, Any]]:
        slots = asyncio.Semaphore(arguments.probe_concurrency)
        async with open_models(settings) as models:

            async def one(ref: str) -> dict[str, Any]:
                try:
                    async with slots, asyncio.timeout(arguments.probe_timeout):
                        asked = await ask_one(settings, models, ref, _PROBE)
                except TimeoutError:
                    return {
                        "model": ref,
                        "error": "timeout",
                        "said": f"nothing within {arguments.probe_timeout:g} s",
                    }
                last = asked.last_failure
                if asked.is_cut and last is not None:
                    said = f"{last[1]}{f' ({last[2]})' if last[2] else ''}; {asked.remedy}"
                    return {"model": ref, "error": str(last[1]), "said": said}
                return {"model": ref, "error": None, "said": asked.summary(), **asked.figures()}

            return list(await asyncio.gather(*(one(ref) for ref in dict.fromkeys(refs))))

    with quiet(settings):
        return run_async(work())
