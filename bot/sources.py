"""Which models there are: what the config names, else a key in the environment, else a local server, else demo."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import structlog

from bot.errors import BotError
from bot.settings import Agent, ModelEntry, Settings
from providers import models, presets
from providers.base import Credential, Effort, GenerationOptions, ModelSettings, ModelSpec, Price, Provider
from providers.detect import LocalServer, ServerState, detect_local
from providers.errors import ProviderError
from providers.http import Pools
from routing.catalog import Catalog, Choice
from routing.policy import NO_CREDENTIAL

log = structlog.get_logger()

ALIASES = ("fast", "reason", "deep")


@dataclass(slots=True)
class Models:
    """Everything that can be asked now. `origin`: why the first model is the first; `advice`: how to change it.

    `is_stand_in`: nothing better was found, so people should be told how to connect a model.
    """

    providers: dict[str, Provider]
    keys: dict[tuple[str, str], Credential]
    origin: str
    advice: str
    default: Catalog
    agents: Mapping[str, Catalog] = field(default_factory=dict)
    is_stand_in: bool = False

    def catalog(self, agent: str | None = None) -> Catalog:
        """What an agent may ask; None: the default agent."""
        return self.default if agent is None else self.agents.get(agent, self.default)

    def credential(self, provider: str, credential_id: str) -> Credential:
        """The credential behind an id; one without a secret where the provider needs none."""
        return self.keys.get((provider, credential_id)) or Credential(credential_id)


@dataclass(slots=True)
class _Draft:
    """A catalogue that is being put together."""

    settings: Settings
    pools: Pools
    providers: dict[str, Provider] = field(default_factory=dict)
    models: dict[str, ModelSpec] = field(default_factory=dict)
    keys: dict[tuple[str, str], Credential] = field(default_factory=dict)
    credentials: dict[str, tuple[str, ...]] = field(default_factory=dict)
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    aliases: dict[str, list[Choice]] = field(default_factory=dict)

    async def open(self, name: str, base_url: str | None = None) -> Provider:
        """The provider of that name, opened once, with its known models and its keys."""
        if name in self.providers:
            return self.providers[name]
        row = self.settings.provider(name)
        settings = row.settings
        if base_url is not None:
            settings = settings.model_copy(update={"base_url": base_url})
        try:
            provider = row.spec.open(name, settings, self.pools)
        except ValueError as error:
            raise BotError(str(error)) from error
        self.providers[name] = provider
        found = self.settings.keys(name).credentials
        self.credentials[name] = tuple(each.id for each in found) or (NO_CREDENTIAL,)
        self.keys.update({(name, each.id): each for each in found})
        for spec in await self._known(name, provider):
            self.models.setdefault(spec.ref, spec)
        return provider

    async def _known(self, name: str, provider: Provider) -> Sequence[ModelSpec]:
        """Configured models, else the catalogue's, else what the server lists."""
        entry = self.settings.models.providers.get(name)
        configured = tuple(_described(name, row) for row in entry.models) if entry is not None else ()
        if known := (*configured, *models.known(name, self.today), *self.of(name)):
            return known
        try:
            return await provider.list_models(self.first_key(name))
        except ProviderError as error:
            log.warning("models not listed", provider=name, error=str(error.kind), reason=error.detail)
            return ()

    def first_key(self, name: str) -> Credential:
        """The credential that is tried first."""
        first = self.credentials[name][0]
        return self.keys.get((name, first)) or Credential(first)

    def of(self, name: str) -> Sequence[ModelSpec]:
        """The models of a provider that are known by now."""
        return [spec for spec in self.models.values() if spec.provider == name]

    async def model(self, ref: str) -> ModelSpec:
        """The model of a ref, known or not; its provider is opened."""
        name, _, model_id = ref.partition("/")
        await self.open(name)
        if ref not in self.models:
            self.models[ref] = models.describe(name, ModelSettings(model_id))
        return self.models[ref]

    async def prefer(self, preset: presets.Preset) -> None:
        """Add a preset's preferences behind those that stand already; retired models are passed over."""
        for alias in preset.aliases:
            for each in models.preferred(preset, alias, self.today):
                spec = await self.model(f"{preset.name}/{each.model}")
                choice = Choice(spec, GenerationOptions(effort=each.effort))
                self.aliases.setdefault(alias, []).append(choice)


def _described(provider: str, row: ModelEntry) -> ModelSpec:
    """A configured model. A price of nothing but zeros is an unknown one."""
    price = None
    if row.cost is not None and any(row.cost.model_dump().values()):
        price = Price(row.cost.input, row.cost.output, row.cost.cache_read, row.cost.cache_write)
    settings = ModelSettings(row.id, row.name, row.context_window, row.max_tokens, price)
    reasoning = row.reasoning if "reasoning" in row.model_fields_set else None
    images = "image" in row.input if "input" in row.model_fields_set else None
    return models.describe(provider, settings, reasoning=reasoning, images=images)


@asynccontextmanager
async def open_models(settings: Settings) -> AsyncIterator[Models]:
    """Open every provider that is configured or found. Raises BotError when what is configured cannot be used."""
    async with Pools(environ=settings.environ) as pools:
        draft = _Draft(settings, pools)
        found = await _find(draft)
        try:
            yield found
        finally:
            for provider in draft.providers.values():
                await provider.aclose()


async def _find(draft: _Draft) -> Models:
    agent = draft.settings.agents.defaults
    for row in draft.settings.providers:
        await draft.open(row.name)
    keyed = [name for name in presets.KEY_ORDER if draft.settings.keys(name).credentials]
    for name in keyed:
        await draft.open(name)
        preset = presets.find(name)
        if preset is not None:
            await draft.prefer(preset)
    primary, origin, advice = await _primary(draft, agent, keyed)
    default = await _catalog(draft, agent, primary, keyed)
    named = {}
    for name in draft.settings.agents.list:
        own = draft.settings.agent(name)
        first = primary if own.model.primary is None else await _named(draft, own, own.model.primary)
        named[name] = await _catalog(draft, own, first, keyed)
    spec = draft.settings.provider_specs.get(primary.model.provider)
    is_stand_in = spec is not None and spec.is_stand_in
    return Models(draft.providers, draft.keys, origin, advice, default, named, is_stand_in)


async def _catalog(draft: _Draft, agent: Agent, primary: Choice, keyed: Sequence[str]) -> Catalog:
    """What one agent may ask. All agents share the models; choices and names are their own."""
    fallbacks = await _fallbacks(draft, agent, primary, keyed)
    aliases = {alias: tuple(choices) for alias, choices in draft.aliases.items()}
    aliases |= await _configured_aliases(draft, agent)
    return Catalog(
        models=draft.models,
        primary=primary,
        fallbacks=fallbacks,
        aliases=aliases,
        credentials=draft.credentials,
        options={ref: _options(use.params) for ref, use in agent.models.items()},
    )


async def _primary(draft: _Draft, agent: Agent, keyed: Sequence[str]) -> tuple[Choice, str, str]:
    switch = "Change it with /model, or `firstword config set agents.defaults.model.primary PROVIDER/MODEL`."
    if agent.model.primary is not None:
        return await _named(draft, agent, agent.model.primary), "as configured", switch
    configured = [row.name for row in draft.settings.providers if row.name not in keyed]
    for name in configured:
        if found := draft.of(name):
            return Choice(found[0]), f"the first model of models.providers.{name}", switch
    if keyed and draft.aliases.get("fast"):
        preset = presets.find(keyed[0])
        variables = " or ".join(preset.variables) if preset is not None else "a key"
        return draft.aliases["fast"][0], f"found a key for {keyed[0]} ({variables})", switch
    servers = await detect_local(draft.settings.environ) if draft.settings.models.detect_local else ()
    for server in servers:
        if server.state is ServerState.READY and server.models:
            return await _local(draft, server), f"found {server.preset} on this machine", switch
    stand_in = next(name for name, spec in draft.settings.provider_specs.items() if spec.is_stand_in)
    await draft.open(stand_in)
    return Choice(draft.of(stand_in)[0]), "a stand-in, as no model is configured", _how_to_connect()


def _how_to_connect() -> str:
    """What somebody without a model may do first."""
    hosted = [preset for name in presets.KEY_ORDER[:2] if (preset := presets.find(name)) is not None]
    keys = " or ".join(preset.variables[0] for preset in hosted)
    local = next(preset.title for preset in presets.PRESETS if preset.is_local)
    return f"For a real model set {keys}, or start {local}, then restart."


async def _local(draft: _Draft, server: LocalServer) -> Choice:
    draft.models.update({spec.ref: spec for spec in server.models})
    await draft.open(server.preset, base_url=server.base_url)
    first = server.models[0]
    for alias in ALIASES:
        draft.aliases.setdefault(alias, [Choice(first)])
    return Choice(first)


async def _named(draft: _Draft, agent: Agent, name: str) -> Choice:
    """A ref or an alias of the config, as a choice."""
    if "/" in name:
        spec = await draft.model(name)
        use = agent.models.get(name)
        return Choice(spec, _options(use.params) if use is not None else GenerationOptions())
    if name in agent.aliases:
        row = agent.aliases[name][0]
        return Choice(await draft.model(row.model), _options(row.params))
    for ref, use in agent.models.items():
        if use.alias is not None and use.alias.lower() == name.lower():
            return Choice(await draft.model(ref), _options(use.params))
    if name in draft.aliases:
        return draft.aliases[name][0]
    known = ", ".join(sorted({*agent.aliases, *draft.aliases})) or "none"
    raise BotError(f'agents.defaults.model: "{name}" is no alias and no provider/model; aliases: {known}')


async def _fallbacks(
    draft: _Draft, agent: Agent, primary: Choice, keyed: Sequence[str]
) -> tuple[Choice, ...]:
    chosen = [await _named(draft, agent, ref) for ref in agent.model.fallbacks]
    if not chosen and agent.model.primary is None:
        # Nobody said what comes next: the fast model of every other provider that has a key.
        chosen = [
            choice
            for name in keyed
            if name != primary.model.provider
            for choice in _first_of(draft.aliases.get("fast", ()), name)
        ]
    return tuple(chosen)


def _first_of(choices: Iterable[Choice], provider: str) -> list[Choice]:
    return [choice for choice in choices if choice.model.provider == provider][:1]


async def _configured_aliases(draft: _Draft, agent: Agent) -> dict[str, tuple[Choice, ...]]:
    aliases: dict[str, tuple[Choice, ...]] = {}
    for ref, use in agent.models.items():
        spec = await draft.model(ref)
        if use.alias is not None:
            aliases[use.alias] = (Choice(spec, _options(use.params)),)
    # `aliases` stands over `models[ref].alias`.
    for alias, rows in agent.aliases.items():
        aliases[alias] = tuple([Choice(await draft.model(row.model), _options(row.params)) for row in rows])
    return aliases


def _options(params: Mapping[str, object]) -> GenerationOptions:
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
