"""`firstword auth test`: asks a provider with each of its keys whether it takes it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.cli.context import FAULT, OK, CommandError, Context
from bot.cli.loop import run_async
from bot.cli.parser import Verbs
from bot.cli.telling import tell_daemon

if TYPE_CHECKING:
    from bot.settings import Settings
    from providers.base import Credential

DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class Tested:
    """One key. `error`: the kind, "" where the provider took it. `is_proof`: an answer that no other key gives."""

    provider: str
    key: str
    said: str
    error: str = ""
    is_proof: bool = False


def add(below: Verbs) -> None:
    """Add the verb."""
    parser = below.add("test", "ask providers whether they take the keys that are known", _test)
    parser.add_argument("name", nargs="?", metavar="NAME", help="one stored key; none: all of them")
    parser.add_argument("--provider", metavar="PROVIDER", help="only the keys of this one")
    parser.add_argument(
        "--model", metavar="ID", help="send one tiny request to this model; none: ask for the list of models"
    )


def _test(arguments: argparse.Namespace, context: Context) -> int:
    settings = context.settings()
    chosen = _chosen(settings, arguments.name, arguments.provider)
    if not chosen:
        what = f"no key {arguments.name!r} is known" if arguments.name else "no key is known"
        raise CommandError(f"{what}; store one: firstword auth add NAME --provider PROVIDER")
    from bot.cli.quiet import quiet

    with quiet(settings):
        results = run_async(_ask_all(settings, chosen, arguments.model))
    proved = [(each.provider, each.key) for each in results if each.is_proof]
    told = bool(proved) and tell_daemon(context, proved)
    rows = [{"provider": r.provider, "key": r.key, "ok": not r.error, "said": r.said} for r in results]
    context.say(
        {"keys": rows, "told": told},
        [f"{'ok  ' if not r.error else 'FAIL'} {r.key}: {r.said}" for r in results],
    )
    return FAULT if any(each.error for each in results) else OK


def _chosen(settings: Settings, name: str | None, provider: str | None) -> list[tuple[str, Credential]]:
    from providers import presets

    names = dict.fromkeys([*(row.provider for row in settings.auth.profiles.values())])
    names |= dict.fromkeys(row.name for row in settings.providers)
    names |= dict.fromkeys(presets.KEY_ORDER)
    return [
        (each, credential)
        for each in names
        if provider in (None, each)
        for credential in settings.keys(each).credentials
        if name is None or name in (credential.id, credential.id.partition(":")[2])
    ]


async def _ask_all(
    settings: Settings, chosen: list[tuple[str, Credential]], model: str | None
) -> list[Tested]:
    import asyncio

    from providers.http import Pools

    opened: dict[str, Any] = {}
    async with Pools(environ=settings.environ) as pools:
        for name, _ in chosen:
            if name not in opened:
                row = settings.provider(name)
                opened[name] = row.spec.open(name, row.settings, pools)
        results = await asyncio.gather(*(_ask(opened[name], name, key, model) for name, key in chosen))
        for provider in opened.values():
            await provider.aclose()
    return list(results)


async def _ask(provider: Any, name: str, key: Credential, model: str | None) -> Tested:
    import asyncio

    from bot.remedies import remedy
    from providers.errors import ProviderError

    try:
        async with asyncio.timeout(DEADLINE):
            said = await (_request(provider, name, key, model) if model else _list(provider, name, key))
    except ProviderError as error:
        said = f" ({error.detail})" if error.detail else ""
        text = f"{error.kind}{said}; {remedy(error.kind, name, error.retry_after, model=model or '')}"
        return Tested(name, key.id, text, str(error.kind))
    except TimeoutError:
        return Tested(name, key.id, f"nothing within {DEADLINE:.0f} s", "timeout")
    return Tested(name, key.id, said, is_proof=model is not None or not _lists_to_all(name))


def _lists_to_all(name: str) -> bool:
    from providers import presets

    preset = presets.find(name)
    return preset is not None and preset.lists_to_all


async def _list(provider: Any, name: str, key: Credential) -> str:
    count = len(await provider.list_models(key))
    if _lists_to_all(name):
        return f"{count} models; this list is open to everybody, so only --model ID proves the key"
    return f"taken, {count} models"


async def _request(provider: Any, name: str, key: Credential, model: str) -> str:
    from providers import models
    from providers.base import (
        CompletionRequest,
        GenerationOptions,
        ModelSettings,
        PromptMessage,
        Role,
        complete,
    )

    spec = models.describe(name, ModelSettings(model))
    request = CompletionRequest((PromptMessage(Role.USER, "Reply with: ready"),), GenerationOptions())
    await complete(provider, spec, request, key)
    return f"taken, {spec.ref} answered"
