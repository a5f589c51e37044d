"""Which models there are: what the config names, else a key in the environment, else a local server, else demo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.draft import Draft, options_of
from bot.errors import BotError
from bot.listings import Listing, listings_path, read_listings
from bot.media.speech import Speech
from bot.settings import Agent, Settings
from providers import models, presets
from providers.base import Connect, Credential, GenerationOptions, ModelSettings, Provider, Transcribes
from providers.detect import LocalServer, ServerState, detect_local
from providers.http import Pools
from routing.catalog import Catalog, Choice

ALIASES = ("fast", "reason", "deep")


@dataclass(slots=True)
class Models:
    """Everything that can be asked now. `origin`: why the first model is the first; `advice`: how to change it.

    `is_stand_in`: nothing better was found, so people should be told how to connect a model. `listings`: what
    the providers listed last. `speech`: who writes down what people say.
    """

    providers: dict[str, Provider]
    keys: dict[tuple[str, str], Credential]
    origin: str
    advice: str
    default: Catalog
    agents: Mapping[str, Catalog] = field(default_factory=dict)
    is_stand_in: bool = False
    listings: dict[str, Listing] = field(default_factory=dict)
    speech: Speech | None = None
    settings: Settings | None = field(default=None, repr=False)
    connect: Connect | None = field(default=None, repr=False)
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def catalog(self, agent: str | None = None) -> Catalog:
        """What an agent may ask; None: the default agent."""
        return self.default if agent is None else self.agents.get(agent, self.default)

    def credential(self, provider: str, credential_id: str) -> Credential:
        """The credential behind an id; one without a secret where the provider needs none."""
        return self.keys.get((provider, credential_id)) or Credential(credential_id)

    async def renew(self, settings: Settings) -> tuple[tuple[str, str], ...]:
        """Take in changed settings, keys and lists while answers run; providers that are open stay as they are.

        Gives (provider, credential id) of every key that was changed or taken away. Raises BotError, and then
        everything is as before.
        """
        async with self._renewing:
            draft = Draft(settings, self.connect, self.listings, may_ask=True, providers=self.providers)
            fresh = await _find(draft)
            changed = tuple(key for key, old in self.keys.items() if fresh.keys.get(key) != old)
            self.settings, self.keys = settings, fresh.keys
            self.default, self.agents = fresh.default, fresh.agents
            self.origin, self.advice, self.is_stand_in = fresh.origin, fresh.advice, fresh.is_stand_in
            self.speech = fresh.speech
        return changed


@asynccontextmanager
async def open_models(settings: Settings) -> AsyncIterator[Models]:
    """Open every provider that is configured or found. Raises BotError when what is configured cannot be used."""
    async with Pools(environ=settings.environ) as pools:
        is_open = settings.agents.defaults.model.primary is None
        draft = Draft(settings, pools, read_listings(listings_path(settings.home)), may_ask=is_open)
        found = await _find(draft)
        try:
            yield found
        finally:
            for provider in draft.providers.values():
                await provider.aclose()


async def look_at_models(settings: Settings, *, local: bool = False) -> Models:
    """What `open_models` would find, without opening a provider: nothing is imported and nobody asked.

    `local`: servers on this machine are looked for all the same. Raises BotError.
    """
    draft = Draft(settings, None, read_listings(listings_path(settings.home)))
    return await _find(draft, looks=local)


async def _find(draft: Draft, *, looks: bool | None = None) -> Models:
    agent = draft.settings.agents.defaults
    for row in draft.settings.providers:
        await draft.open(row.name)
    keyed = [name for name in presets.KEY_ORDER if draft.settings.keys(name).credentials]
    for name in keyed:
        await draft.open(name)
        preset = presets.find(name)
        if preset is not None:
            await draft.prefer(preset)
    detects = draft.settings.models.detect_local if looks is None else looks
    primary, origin, advice = await _primary(draft, agent, keyed, detects=detects)
    default = await _catalog(draft, agent, primary, keyed)
    named = {}
    for name in draft.settings.agents.list:
        own = draft.settings.agent(name)
        first = primary if own.model.primary is None else await _named(draft, own, own.model.primary)
        named[name] = await _catalog(draft, own, first, keyed)
    spec = draft.settings.provider_specs.get(primary.model.provider)
    is_stand_in = spec is not None and spec.is_stand_in
    return Models(
        providers=draft.providers,
        keys=draft.keys,
        origin=origin,
        advice=advice,
        default=default,
        agents=named,
        is_stand_in=is_stand_in,
        listings=dict(draft.listings),
        speech=await _speech(draft),
        settings=draft.settings,
        connect=draft.connect,
    )


async def _speech(draft: Draft) -> Speech | None:
    """Who writes down speech. Raises BotError where the provider that is named does not."""
    ref = draft.settings.media.transcription.model
    if ref is None:
        return None
    name, _, model_id = ref.partition("/")
    await draft.open(name)
    provider = draft.providers.get(name)
    if provider is None:  # only looked at
        return None
    if not isinstance(provider, Transcribes):
        raise BotError(
            f'media.transcription.model: "{name}" does not write down speech; allowed: one that does'
        )
    spec = models.describe(name, ModelSettings(model_id), today=draft.today)
    keys = tuple(draft.keys.get((name, each)) or Credential(each) for each in draft.credentials[name])
    return Speech(spec, provider, keys)


async def _catalog(draft: Draft, agent: Agent, primary: Choice, keyed: Sequence[str]) -> Catalog:
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
        options={ref: options_of(use.params) for ref, use in agent.models.items()},
        retired=draft.retired,
    )


async def _primary(
    draft: Draft, agent: Agent, keyed: Sequence[str], *, detects: bool
) -> tuple[Choice, str, str]:
    switch = "Change it with /model, or `firstword config set agents.defaults.model.primary PROVIDER/MODEL`."
    if agent.model.primary is not None:
        return await _named(draft, agent, agent.model.primary), "as configured", switch
    configured = [row.name for row in draft.settings.providers if row.name not in keyed]
    for name in configured:
        if found := draft.of(name):
            return Choice(found[0]), f"the first model of models.providers.{name}", switch
    if keyed and draft.aliases.get("fast"):
        where = draft.credentials[keyed[0]][0].partition(":")[2].removeprefix("env:")
        return draft.aliases["fast"][0], f"found a key for {keyed[0]} ({where})", switch
    servers = await detect_local(draft.settings.environ) if detects else ()
    for server in servers:
        if server.state is ServerState.READY and server.models:
            return await _local(draft, server), f"found {server.preset} on this machine", switch
    return await _stand_in(draft), "a stand-in, as no model is configured", _how_to_connect()


async def _stand_in(draft: Draft) -> Choice:
    """What answers while there is no model; it needs no network, so it may be opened at any time."""
    name = next(name for name, spec in draft.settings.provider_specs.items() if spec.is_stand_in)
    await draft.open(name)
    return Choice(draft.of(name)[0])


def _how_to_connect() -> str:
    """What somebody without a model may do first."""
    hosted = [preset for name in presets.KEY_ORDER[:2] if (preset := presets.find(name)) is not None]
    keys = " or ".join(preset.variables[0] for preset in hosted)
    local = next(preset.title for preset in presets.PRESETS if preset.is_local)
    return f"For a real model set {keys}, or start {local}, then restart."


async def _local(draft: Draft, server: LocalServer) -> Choice:
    found = [draft.found(spec) for spec in server.models]
    draft.models.update({spec.ref: spec for spec in found})
    await draft.open(server.preset, base_url=server.base_url)
    first = found[0]
    for alias in ALIASES:
        draft.aliases.setdefault(alias, [Choice(first)])
    return Choice(first)


async def _named(draft: Draft, agent: Agent, name: str) -> Choice:
    """A ref or an alias of the config, as a choice."""
    if "/" in name:
        use = agent.models.get(name)
        return await draft.choice(name, options_of(use.params) if use is not None else GenerationOptions())
    if name in agent.aliases:
        row = agent.aliases[name][0]
        return await draft.choice(row.model, options_of(row.params))
    for ref, use in agent.models.items():
        if use.alias is not None and use.alias.lower() == name.lower():
            return await draft.choice(ref, options_of(use.params))
    if name in draft.aliases:
        return draft.aliases[name][0]
    known = ", ".join(sorted({*agent.aliases, *draft.aliases})) or "none"
    raise BotError(f'agents.defaults.model: "{name}" is no alias and no provider/model; aliases: {known}')


async def _fallbacks(draft: Draft, agent: Agent, primary: Choice, keyed: Sequence[str]) -> tuple[Choice, ...]:
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


async def _configured_aliases(draft: Draft, agent: Agent) -> dict[str, tuple[Choice, ...]]:
    aliases: dict[str, tuple[Choice, ...]] = {}
    for ref, use in agent.models.items():
        choice = await draft.choice(ref, options_of(use.params))
        if use.alias is not None:
            aliases[use.alias] = (choice,)
    # `aliases` stands over `models[ref].alias`.
    for alias, rows in agent.aliases.items():
        aliases[alias] = tuple([await draft.choice(row.model, options_of(row.params)) for row in rows])
    return aliases
