"""The doctor's look at model providers: each is asked for its models, through its own contract."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bot.checkup import Row, State
from bot.settings import ProviderSettings, Settings

PROVIDER_DEADLINE = 8.0


async def provider_rows(settings: Settings) -> list[Row]:
    """Every provider that is configured, named by a model, or has a key: reachable, key valid, models there.

    Asks all of them side by side, each for at most PROVIDER_DEADLINE seconds.
    """
    from providers import presets
    from providers.http import Pools

    agent = settings.agents.defaults
    refs = [ref for ref in (agent.model.primary, *agent.model.fallbacks, *agent.models) if ref and "/" in ref]
    names = dict.fromkeys(
        [*(row.name for row in settings.providers), *(ref.partition("/")[0] for ref in refs)]
    )
    names |= dict.fromkeys(name for name in presets.KEY_ORDER if settings.keys(name).credentials)
    rows: list[Row] = []
    if not names:
        todo = "set a provider's key in the environment, or: firstword auth add NAME --provider PROVIDER"
        what = "no provider is configured; a local server or the stand-in answers"
        rows.append(Row("model", State.WARN, what, todo))
    async with Pools(environ=settings.environ) as pools:
        asked = [_provider(settings, settings.provider(name), pools, refs) for name in names]
        for found in await asyncio.gather(*asked):
            rows += found
    return rows


async def _provider(settings: Settings, row: ProviderSettings, pools: Any, refs: list[str]) -> list[Row]:
    from bot.remedies import remedy
    from providers.base import Credential
    from providers.errors import ErrorKind, ProviderError

    found = settings.keys(row.name)
    rows = [
        Row(
            "key",
            State.WARN,
            f"{row.name}: {each.where}: {each.trouble.replace('_', ' ')}",
            _key_todo(row.name),
        )
        for each in found.findings
        if each.trouble != "literal"
    ]
    try:
        provider = row.spec.open(row.name, row.settings, pools)
    except (ValueError, ImportError) as error:
        return [*rows, Row("provider", State.FAIL, f"{row.name}: {error}")]
    listed: set[str] | None = None
    for credential in found.credentials or (Credential(f"{row.name}:none"),):
        try:
            async with asyncio.timeout(PROVIDER_DEADLINE):
                listed = {spec.ref for spec in await provider.list_models(credential)}
            rows.append(
                Row("provider", State.OK, f"{row.name} answers ({credential.id}), {len(listed)} models")
            )
        except ProviderError as error:
            todo = remedy(error.kind, row.name, error.retry_after, has_key=credential.secret is not None)
            rows.append(Row("provider", State.FAIL, f"{row.name} ({credential.id}): {error}", todo))
        except TimeoutError:
            what = f"{row.name} did not answer within {PROVIDER_DEADLINE:.0f} s"
            rows.append(Row("provider", State.FAIL, what, remedy(ErrorKind.FIRST_TOKEN, row.name)))
    await provider.aclose()
    return [*rows, *(each for ref in refs if ref.startswith(f"{row.name}/") for each in _model(ref, listed))]


def _key_todo(provider: str) -> str:
    return f"store it: firstword models auth paste-token --provider {provider}"


def _model(ref: str, listed: set[str] | None) -> Iterator[Row]:
    from providers.models import catalogue

    provider, _, model = ref.partition("/")
    facts = catalogue().get((provider, model))
    if listed and ref in listed:
        yield Row("model", State.OK, f"{ref} is there")
        return
    retired = facts.retired_on if facts is not None else None
    after = (
        f"use {provider}/{facts.successor}"
        if facts is not None and facts.successor
        else "firstword models list"
    )
    if retired is not None:
        is_gone = retired <= datetime.now(UTC).date()
        what = f"{ref} {'was' if is_gone else 'will be'} retired on {retired}"
        yield Row("model", State.FAIL if is_gone else State.WARN, what, after)
    elif listed:
        yield Row(
            "model",
            State.WARN,
            f"{ref} is not among the models that {provider} lists",
            "firstword models list",
        )
