"""A catalogue that is being put together: providers, their models, their keys, what stands in for what is retired."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import structlog

from bot.errors import BotError
from bot.listings import Listing
from bot.settings import ModelEntry, ProviderSettings, Settings
from providers import models, presets
from providers.base import (
    Connect,
    Credential,
    Describes,
    Effort,
    GenerationOptions,
    ModelSettings,
    ModelSpec,
    Price,
    Provider,
)
from providers.errors import ProviderError
from routing.catalog import Choice
from routing.policy import NO_CREDENTIAL

log = structlog.get_logger()


@dataclass(slots=True)
class Draft:
    """What is known so far. Without `connect` no provider is opened: nothing is imported, nobody is asked.

    `listings`: what the providers listed last. `may_ask`: a provider of which nothing is known may be asked now.
    `retired`: "provider/id" in lower case -> what answers for it.
    """

    settings: Settings
    connect: Connect | None = None
    listings: Mapping[str, Listing] = field(default_factory=dict)
    may_ask: bool = False
    providers: dict[str, Provider] = field(default_factory=dict)
    models: dict[str, ModelSpec] = field(default_factory=dict)
    keys: dict[tuple[str, str], Credential] = field(default_factory=dict)
    credentials: dict[str, tuple[str, ...]] = field(default_factory=dict)
    retired: dict[str, Choice] = field(default_factory=dict)
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    aliases: dict[str, list[Choice]] = field(default_factory=dict)

    async def open(self, name: str, base_url: str | None = None) -> None:
        """Take a provider in, once: opened where that is wanted, with its known models and its keys."""
        if name in self.credentials:
            return
        row = self.settings.provider(name)
        if base_url is not None:
            row = replace(row, settings=row.settings.model_copy(update={"base_url": base_url}))
        if self.connect is not None and name not in self.providers:
            try:
                self.providers[name] = row.spec.open(name, row.settings, self.connect)
            except ValueError as error:
                raise BotError(str(error)) from error
        found = self.settings.keys(name).credentials
        self.credentials[name] = tuple(each.id for each in found) or (NO_CREDENTIAL,)
        self.keys.update({(name, each.id): each for each in found})
        self._retire(row)
        for spec in await self._known(row):
            self.models.setdefault(spec.ref, self._as_served(spec))

    async def model(self, ref: str) -> ModelSpec:
        """The model of a ref, known or not; its provider is taken in."""
        return (await self.choice(ref)).model

    async def choice(self, ref: str, options: GenerationOptions | None = None) -> Choice:
        """A model and how to ask it; what answers for a retired one thinks as hard as that did."""
        options = options or GenerationOptions()
        name, _, model_id = ref.partition("/")
        await self.open(name)
        if instead := self.retired.get(ref.lower()):
            effort = instead.options.effort if options.effort is None else options.effort
            return Choice(instead.model, replace(options, effort=effort))
        if ref not in self.models:
            spec = models.describe(name, ModelSettings(model_id), today=self.today)
            self.models[ref] = self._as_served(spec)
        return Choice(self.models[ref], options)

    def _as_served(self, spec: ModelSpec) -> ModelSpec:
        provider = self.providers.get(spec.provider)
        if provider is not None and isinstance(provider, Describes):
            return provider.describe(spec)
        return spec

    def of(self, name: str) -> Sequence[ModelSpec]:
        """The models of a provider that are known by now."""
        return [spec for spec in self.models.values() if spec.provider == name]

    def first_key(self, name: str) -> Credential:
        """The credential that is tried first."""
        first = self.credentials[name][0]
        return self.keys.get((name, first)) or Credential(first)

    async def prefer(self, preset: presets.Preset) -> None:
        """Add a preset's preferences behind those that stand already; what is not offered is passed over."""
        listed = self._listed(preset.name)
        for alias in preset.aliases:
            # A list in which none of them stands is one of other names, and says nothing.
            found = models.preferred(preset, alias, self.today, listed or None) or models.preferred(
                preset, alias, self.today
            )
            for each in found:
                choice = await self.choice(
                    f"{preset.name}/{each.model}", GenerationOptions(effort=each.effort)
                )
                self.aliases.setdefault(alias, []).append(choice)

    def _listing(self, name: str) -> Listing | None:
        return listing_of(self.settings.provider(name), self.listings)

    def _listed(self, name: str) -> Collection[str]:
        listing = self._listing(name)
        return listing.ids if listing is not None else ()

    def _retire(self, row: ProviderSettings) -> None:
        """Note what answers for each retired model, where the provider stands at its vendor's own address."""
        preset = presets.find(row.name)
        if preset is None or not is_vendors(row, preset):
            return
        listed = self._listed(row.name)
        for (provider, model_id), facts in models.catalogue().items():
            if provider != row.name or not facts.is_retired(self.today):
                continue
            instead = models.stand_in(provider, model_id, self.today, listed)
            if instead is not None:
                spec = models.describe(provider, ModelSettings(instead.model), today=self.today)
                options = GenerationOptions(effort=instead.effort)
                self.retired[f"{provider}/{model_id}".lower()] = Choice(spec, options)

    async def _known(self, row: ProviderSettings) -> Sequence[ModelSpec]:
        """Configured models, the catalogue's, and what the server listed last; else what it lists now."""
        name = row.name
        entry = self.settings.models.providers.get(name)
        configured = [self._configured(name, each) for each in entry.models] if entry is not None else []
        listing = self._listing(name)
        listed = [models.describe(name, each) for each in listing.models] if listing is not None else []
        ids = self._listed(name) or None
        found = [*configured, *models.known(name, self.today, ids), *listed, *self.of(name)]
        if found:
            return [self._living(spec) for spec in found]
        provider = self.providers.get(name)
        if provider is None and row.spec.is_stand_in:
            provider = row.spec.open(name, row.settings, _no_network)
        if provider is None or not (self.may_ask or row.spec.is_stand_in):
            return ()
        try:
            return await provider.list_models(self.first_key(name))
        except ProviderError as error:
            log.warning("models not listed", provider=name, error=str(error.kind), reason=error.detail)
            return ()

    def _configured(self, name: str, row: ModelEntry) -> ModelSpec:
        """A configured model. Its window may be smaller than what the server serves, not larger."""
        spec, told = described(name, row), self._told(name, row.id)
        if told is None:
            return spec
        return replace(spec, context_window=min(row.context_window or told, told))

    def _told(self, name: str, model_id: str) -> int | None:
        """The window of which the server itself spoke; what a list has from the catalogue is none."""
        listing = self._listing(name)
        found = next((each for each in listing.models if each.id == model_id), None) if listing else None
        facts = models.catalogue().get((name, model_id))
        if found is None or (facts is not None and facts.context == found.context_window):
            return None
        return found.context_window

    def found(self, spec: ModelSpec) -> ModelSpec:
        """A model that was found on this machine, with the window that its server told later."""
        told = self._told(spec.provider, spec.model)
        return spec if told is None else replace(spec, context_window=told)

    def _living(self, spec: ModelSpec) -> ModelSpec:
        instead = self.retired.get(spec.ref.lower())
        return instead.model if instead is not None else spec


def _no_network(origin: str, stack: str = "") -> Any:  # noqa: ARG001 - the shape of Connect
    raise BotError(f"{origin} is not asked here")


def address_of(row: ProviderSettings) -> str:
    """Where the configuration says that a provider stands, "" for its usual address."""
    return str(getattr(row.settings, "base_url", None) or "")


def listing_of(row: ProviderSettings, listings: Mapping[str, Listing]) -> Listing | None:
    """What a provider listed last, where it still stands at the same address."""
    listing = listings.get(row.name)
    return listing if listing is not None and listing.where == address_of(row) else None


def is_vendors(row: ProviderSettings, preset: presets.Preset) -> bool:
    """The provider is reached at its vendor's own address, so that what is known of the vendor holds there."""
    own = address_of(row)
    return not own or _host(own) == _host(preset.base_url)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()


def described(provider: str, row: ModelEntry) -> ModelSpec:
    """A configured model. A price of nothing but zeros is an unknown one."""
    price = None
    if row.cost is not None and any(row.cost.model_dump().values()):
        price = Price(row.cost.input, row.cost.output, row.cost.cache_read, row.cost.cache_write)
    settings = ModelSettings(row.id, row.name, row.context_window, row.max_tokens, price)
    reasoning = row.reasoning if "reasoning" in row.model_fields_set else None
    images = "image" in row.input if "input" in row.model_fields_set else None
    return models.describe(provider, settings, reasoning=reasoning, images=images)


def options_of(params: Mapping[str, object]) -> GenerationOptions:
    """Request parameters of the config in the contract's words; what has none goes into the body as it is."""
    rest = dict(params)
    effort = rest.pop("reasoningEffort", rest.pop("effort", None))
    temperature = rest.pop("temperature", None)
    max_output = rest.pop("maxTokens", None)
    options = GenerationOptions(params=rest)
    if isinstance(effort, str) and effort in set(Effort):
        options = replace(options, effort=Effort(effort))
    if isinstance(temperature, int | float):
        options = replace(options, temperature=float(temperature))
    if isinstance(max_output, int):
        options = replace(options, max_output=max_output)
    return options
