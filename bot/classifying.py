"""Judging messages by their meaning, with whatever makes vectors here: the settings' routes as a classifier."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from bot import metrics
from bot.prompt import count_tokens
from bot.settings.classifying import SemanticSection
from bot.sources import Models
from bot.till import Till
from providers.base import Embeds, ModelSettings, Usage
from providers.errors import ErrorKind, ProviderError
from providers.models import describe
from routing.classifiers import LATE, ask
from routing.own_words import own_words
from routing.semantic import Route, Semantic

log = structlog.get_logger()

PREPARE_DEADLINE = 120.0
"""Seconds for the vectors of all samples; a local model is loaded for them."""

AGAIN = 300.0
"""Seconds between tries to have them made."""


class Classifying:
    """The classifier that the settings describe; without one nothing is said of any message."""

    def __init__(self, section: SemanticSection, models: Models, till: Till) -> None:
        self._models = models
        self._till = till
        self._ref = section.model or ""
        self._deadline = section.deadline
        routes = [Route(label, samples) for label, samples in section.routes.items()]
        self._semantic = Semantic(self._embed, routes, section.threshold)
        self.is_wanted = bool(self._ref and routes)

    async def prepare(self) -> None:
        """Have the samples' vectors made, again and again until it succeeds. For a task of its own."""
        while True:
            try:
                async with asyncio.timeout(PREPARE_DEADLINE):
                    await self._semantic.prepare()
            except (ProviderError, TimeoutError) as error:
                log.warning("messages not judged by meaning", model=self._ref, reason=str(error))
            else:
                log.info("messages judged by meaning", model=self._ref)
                return
            await asyncio.sleep(AGAIN)

    async def judge(self, text: str) -> str | None:
        """A label, None, or `late`; see routing.classifiers. Never raises but for cancellation."""
        if not self._semantic.is_ready:
            return None
        try:
            said = await ask(self._semantic, own_words(text).text, self._deadline)
        except ProviderError as error:
            log.info("message not judged by meaning", model=self._ref, error=str(error.kind))
            metrics.judged("failed")
            return None
        metrics.judged(LATE if said == LATE else "none" if said is None else "named")
        return said

    async def _embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Vectors from the first key that gives them. Raises ProviderError."""
        name, _, model = self._ref.partition("/")
        provider = self._models.providers.get(name)
        if provider is None or not isinstance(provider, Embeds):
            raise ProviderError(ErrorKind.BAD_REQUEST, f"{name} makes no vectors")
        catalog = self._models.catalog()
        spec = catalog.models.get(self._ref) or describe(name, ModelSettings(model))
        failure: ProviderError | None = None
        tokens = sum(count_tokens(text) for text in texts)
        async with self._till.open_hold(spec, tokens) as hold:
            for key in catalog.credentials.get(name) or ("",):
                try:
                    rows = await provider.embed(spec, texts, self._models.credential(name, key))
                except ProviderError as error:
                    failure = error
                else:
                    hold.settle(Usage(tokens))
                    return rows
        raise failure or ProviderError(ErrorKind.AUTH, "there is no key")
