"""Vectors for whoever asks over a channel: from a name to a model that makes them, key after key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.prompt import count_tokens
from bot.sources import Models
from bot.till import Till
from channels.base import Vectors
from channels.errors import ChannelError, RateLimited, Refused, TooLong, Unavailable
from providers.base import Embeds, ModelSettings, ModelSpec, Usage
from providers.errors import ErrorKind, ProviderError
from providers.models import describe
from routing.catalog import AUTO, Catalog
from routing.errors import UnknownModel

DEADLINE = 60.0
"""Seconds for all texts of a request; a provider gives each of its batches 10."""

DEFAULT_WAIT = 5.0
"""Seconds to wait where a provider that limits does not say how long."""

UNKNOWN = "unknown_model"
REFUSED = "refused"

_NEXT_KEY = frozenset({ErrorKind.RATE_LIMIT, ErrorKind.QUOTA, ErrorKind.AUTH, ErrorKind.PERMISSION})


async def embed(models: Models, till: Till, agent: str | None, name: str, texts: Sequence[str]) -> Vectors:
    """See channels.base.Host.embed. `agent`: whose models and keys, None for the default agent's."""
    catalog = models.catalog(agent)
    spec = _find(models, catalog, name)
    provider = models.providers[spec.provider]
    if not isinstance(provider, Embeds):
        raise Refused(UNKNOWN, f"“{spec.ref}” makes no vectors")
    failure: ProviderError | None = None
    tokens = sum(count_tokens(text) for text in texts)
    try:
        async with asyncio.timeout(DEADLINE), till.open_hold(spec, tokens) as hold:
            for key in catalog.credentials.get(spec.provider) or ("",):
                try:
                    rows = await provider.embed(spec, texts, models.credential(spec.provider, key))
                except ProviderError as error:
                    failure = error
                    if error.kind not in _NEXT_KEY:
                        break
                else:
                    hold.settle(Usage(tokens))
                    return Vectors(spec.ref, rows, tokens)
    except ProviderError as error:  # there is no money for it
        raise _told(error) from None
    except TimeoutError:
        raise Unavailable(f"no vectors within {DEADLINE:.0f} s") from None
    raise _told(failure) if failure is not None else Unavailable("there is no key")


def _find(models: Models, catalog: Catalog, name: str) -> ModelSpec:
    """The model behind a name. Models of vectors stand in no list of what can be talked to, so a ref may be new."""
    provider, _, model = name.partition("/")
    if model and provider in models.providers:
        return catalog.models.get(name) or describe(provider, ModelSettings(model))
    if name.strip().lower() == AUTO:
        raise Refused(
            UNKNOWN, "Vectors of two models do not compare: ask for one by its name, PROVIDER/MODEL."
        )
    try:
        return catalog.resolve(name)[0].model
    except UnknownModel as error:
        nearest = f" Did you mean {', '.join(error.nearest)}?" if error.nearest else ""
        raise Refused(UNKNOWN, f"No model is called “{name}”.{nearest} Name it as PROVIDER/MODEL.") from None


def _told(error: ProviderError) -> ChannelError:
    match error.kind:
        case ErrorKind.RATE_LIMIT | ErrorKind.QUOTA | ErrorKind.BUDGET:
            return RateLimited(error.retry_after or DEFAULT_WAIT, detail=str(error.kind))
        case ErrorKind.CONTEXT_LENGTH | ErrorKind.TOO_LARGE:
            return TooLong("a text is longer than the model takes")
        case ErrorKind.MODEL_GONE:
            return Refused(UNKNOWN, "its provider does not know this model")
        case ErrorKind.BAD_REQUEST:
            return Refused(REFUSED, error.detail or "the model does not take these texts")
        case _:
            return Unavailable(str(error.kind))
