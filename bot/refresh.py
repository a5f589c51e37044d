"""Keeps what is known of models fresh while the daemon runs: lists once a day, keys and settings when told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from bot import metrics
from bot.baselines import expectations
from bot.control import Method
from bot.draft import address_of, listing_of
from bot.errors import BotError
from bot.listings import (
    REFRESH_EVERY,
    REFRESH_LOCAL_EVERY,
    Listing,
    listings_path,
    read_listings,
    renewed,
    write_listings,
)
from bot.model_notes import notes_on, refs_in_use
from bot.priors import priors_path, read_priors
from bot.settings import Settings
from bot.sources import Models
from providers.errors import ErrorKind, ProviderError
from providers.http import is_loopback
from routing.health import Health

log = structlog.get_logger()

FIRST_LOOK = 15.0
"""Seconds after the start: the first answers come first."""

LOOK_EVERY = 3600.0
LIST_DEADLINE = 10.0


async def keep_lists_fresh(
    models: Models, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> None:
    """Ask every provider for its models once a day, for ever; those that did not answer and local ones each hour."""
    await sleep(FIRST_LOOK)
    while True:
        try:
            if models.settings is not None:
                await refresh_lists(models, models.settings, time.time())
        except Exception as error:  # a full disk or an adapter's fault: yesterday's lists do meanwhile
            log.exception("lists not refreshed", error=type(error).__name__)
        await sleep(LOOK_EVERY)


async def refresh_lists(
    models: Models, settings: Settings, now: float, *, all_of_them: bool = False
) -> Mapping[str, str]:
    """Ask the open providers whose list is due, side by side; keep what they say. Gives who failed, and why.

    Raises BotError when the lists cannot be written.
    """
    due = [
        name
        for name in models.providers
        if all_of_them
        or (old := listing_of(settings.provider(name), models.listings)) is None
        or old.is_due(now, REFRESH_LOCAL_EVERY if _is_local(models, settings, name) else REFRESH_EVERY)
    ]
    due = [name for name in due if not settings.provider(name).spec.is_stand_in]
    answers = dict(zip(due, await asyncio.gather(*(_ask(models, name) for name in due)), strict=True))
    failed = {name: said for name, said in answers.items() if isinstance(said, str)}
    for name, said in failed.items():
        log.warning("models not listed", provider=name, reason=said)
    fresh = {
        name: renewed(models.listings.get(name), said, now, address_of(settings.provider(name)))
        for name, said in answers.items()
        if not isinstance(said, str)
    }
    if fresh:
        before = set(notes_on(settings, refs_in_use(settings), models.listings))
        models.listings.update(fresh)
        await asyncio.to_thread(write_listings, listings_path(settings.home), dict(models.listings))
        await models.renew(settings)
        for note in notes_on(settings, refs_in_use(settings), models.listings):
            if note not in before:
                log.warning("model left", reason=note)
    return failed


def _is_local(models: Models, settings: Settings, name: str) -> bool:
    address = address_of(settings.provider(name))
    return (bool(address) and is_loopback(address)) or any(
        spec.is_local for spec in models.catalog().models.values() if spec.provider == name
    )


async def _ask(models: Models, name: str) -> Any:
    """The provider's models, or why there is no list; the next key is asked where one is refused."""
    reason = "no key"
    for credential_id in models.catalog().credentials.get(name, ("",)):
        try:
            async with asyncio.timeout(LIST_DEADLINE):
                return await models.providers[name].list_models(models.credential(name, credential_id))
        except ProviderError as error:
            reason = str(error.kind)
            if error.kind not in {ErrorKind.AUTH, ErrorKind.PERMISSION, ErrorKind.RATE_LIMIT}:
                break
        except TimeoutError:
            reason = f"nothing within {LIST_DEADLINE:.0f} s"
            break
    return reason


def model_methods(
    models: Models,
    health: Health,
    clock: Callable[[], float],
    reread: Callable[[], Settings],
    hide: Callable[..., None],
) -> Mapping[str, Method]:
    """What the command line may ask a running daemon about keys and models. `hide` masks secrets in the log."""

    async def reload(params: Mapping[str, Any]) -> Any:
        """Read settings, keys and lists anew. `proved`: keys that were seen to work."""
        try:
            settings = await asyncio.to_thread(reread)
        except BotError:
            metrics.settings_read("refused")
            raise
        metrics.settings_read("taken")
        hide(*settings.secrets())
        kept: dict[str, Listing] = await asyncio.to_thread(read_listings, listings_path(settings.home))
        models.listings.update(kept)
        changed = await models.renew(settings)
        proved = [(str(pair[0]), str(pair[1])) for pair in params.get("proved", ())]
        for provider, credential_id in (*changed, *proved):
            health.credential_changed(provider, credential_id)
        priors = await asyncio.to_thread(read_priors, priors_path(settings.home))
        health.expected = expectations(priors)
        model = models.catalog().primary.model.ref
        log.info("models reloaded", model=model, changed=len(changed))
        return {"model": model, "origin": models.origin, "changed": [list(each) for each in changed]}

    async def credentials(_: Mapping[str, Any]) -> Any:
        """Every key in the order in which it is tried, and how its provider takes it."""
        now = clock()
        return {
            name: [_state(models, health, (name, each), now) for each in ids]
            for name, ids in models.catalog().credentials.items()
        }

    return {"reload": reload, "credentials": credentials}


def _state(models: Models, health: Health, key: tuple[str, str], now: float) -> dict[str, Any]:
    provider, credential_id = key
    specs = [spec for spec in models.catalog().models.values() if spec.provider == provider]
    rungs = [(provider, spec.model, credential_id) for spec in specs]
    resting = [rung for rung in rungs if health.breaker(rung, now) == "open"]
    refused = [health.reason(rung) for rung in rungs if health.is_disabled(rung)]
    return {
        "id": credential_id,
        "refused": refused[0] if refused else None,
        "resting": {rung[1]: health.reason(rung) for rung in resting} if not refused else {},
    }
