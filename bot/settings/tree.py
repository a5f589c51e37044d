"""The configuration as a typed tree: every core key, what it takes and what it means.

Keys in the file are camelCase, attributes snake_case. An account's and a provider's further keys belong to the
adapter, whose own model is mounted at that place (bot.settings.mount).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.access import Activation, Direct
from bot.settings.alerts import AlertsSection, ErrorsSection
from bot.settings.fields import Count, Flag, Ids, Name, Port, Ref, Section, Text, Url, Usd
from bot.settings.limits import LimitsSection
from bot.settings.mcp import McpSection
from bot.settings.media import MediaSection
from bot.settings.routing import RoutingSection
from bot.settings.shapes import Allowed, Named

DEFAULT_PORT = 8420
DEFAULT_WEBHOOK_PORT = 8421


class Mount(Section):
    """A part whose further keys an adapter describes."""

    model_config = ConfigDict(extra="allow")


def _model_text(value: Any) -> Any:
    """`"model": "provider/id"` is short for its primary."""
    return {"primary": value} if isinstance(value, str) else value


def _choices(value: Any) -> Any:
    """An alias may name one model, a list of refs, or rows with parameters."""
    rows = value if isinstance(value, list) else [value]
    return [{"model": row} if isinstance(row, str) else row for row in rows]


Params = Annotated[dict[str, Any], Allowed("an object of request parameters")]


class Cost(Section):
    """US dollars per million tokens."""

    input: Usd = Field(default=0.0, description="Price of prompt tokens, US dollars per million.")
    output: Usd = Field(default=0.0, description="Price of answer tokens, US dollars per million.")
    cache_read: Usd | None = Field(default=None, description="Price of cached prompt tokens; none: as input.")
    cache_write: Usd | None = Field(
        default=None, description="Price of writing the prefix cache; none: as input."
    )


class ModelEntry(Section):
    """One model of a provider."""

    id: Name = Field(description="The id that the provider knows; the ref is provider/id.")
    name: Text = Field(default="", description="What people read; empty: the id.")
    reasoning: Flag = Field(default=False, description="Whether the model can think before it answers.")
    input: tuple[Literal["text", "image"], ...] = Field(
        default=("text",), description="What a prompt may hold."
    )
    context_window: Count | None = Field(default=None, description="Tokens of prompt and answer together.")
    max_tokens: Count | None = Field(default=None, description="Most tokens of one answer.")
    cost: Cost | None = Field(default=None, description="Its price; none, or nothing but zeros: unknown.")


class ProviderEntry(Mount):
    """One provider. Further keys belong to the adapter that speaks to it."""

    base_url: Url | None = Field(
        default=None, description="Where its API stands; none: the provider's usual address."
    )
    api: Name | None = Field(
        default=None, description="The dialect, for a provider that has no adapter of its own."
    )
    api_key: SecretStr | None = Field(default=None, description="Its key.")
    models: tuple[ModelEntry, ...] = Field(
        default=(), description="Models beside those that it lists itself."
    )
    default_params: Params = Field(
        default_factory=dict, description="Put into every request body of this provider."
    )


class ModelsSection(Section):
    """Where models come from."""

    providers: Annotated[dict[str, ProviderEntry], Named("NAME")] = Field(
        default_factory=dict, description="Providers by name."
    )
    detect_local: Flag = Field(
        default=True,
        description="Look for model servers on this machine's loopback ports when nothing is configured.",
    )


class Warming(StrEnum):
    """Whose prompt cache is filled before a question comes."""

    OFF = "off"
    LOCAL = "local"
    ALL = "all"


class DefaultModel(Section):
    """What answers when nobody chose."""

    primary: Ref | None = Field(
        default=None, description="Asked first; none: the best that is found (see README)."
    )
    fallbacks: tuple[Ref, ...] = Field(
        default=(), description="Asked in this order when the ones before fail."
    )


class ModelUse(Section):
    """How one model is used."""

    alias: Name | None = Field(default=None, description="A short name for /model.")
    params: Params = Field(
        default_factory=dict, description='Put into its requests; cacheControlTtl: "5m" or "1h".'
    )


class AliasChoice(Section):
    """One model behind an alias."""

    model: Ref = Field(description="The model.")
    params: Params = Field(default_factory=dict, description="Put into its requests under this alias.")


class Agent(Section):
    """Which models answer, and as whom."""

    model: Annotated[DefaultModel, BeforeValidator(_model_text)] = Field(
        default=DefaultModel(), description='The models; a text is short for {"primary": text}.'
    )
    models: Annotated[dict[Ref, ModelUse], Named("REF")] = Field(
        default_factory=dict, description="Alias and parameters of single models."
    )
    aliases: Annotated[
        dict[Name, Annotated[tuple[AliasChoice, ...], BeforeValidator(_choices), Field(min_length=1)]],
        Named("NAME"),
    ] = Field(
        default_factory=dict,
        description="Short names for /model; of several models the first that is listed and healthy answers.",
    )
    draft_then_deep: Flag = Field(
        default=False,
        description="Whether a short take of `fast` stands there at once until the answer of `deep` takes its place, "
        "where messages can be edited; both are paid for.",
    )
    warm_prompts: Warming = Field(
        default=Warming.LOCAL,
        description="Whose prompt cache is filled while somebody types in a direct chat: off, local (models on this "
        "machine), all (a hosted one bills it as a prompt).",
    )
    system_prompt: Text | None = Field(
        default=None, description="What the model is told first; none: a short default."
    )


class AgentsSection(Section):
    """Who answers."""

    defaults: Agent = Field(default=Agent(), description="What every agent does unless it says otherwise.")
    list: Annotated[dict[str, Agent], Named("NAME")] = Field(
        default_factory=dict, description="Named agents; an account picks one with `agent`."
    )


class AccountEntry(Mount):
    """One account of a channel. Further keys belong to the channel's adapter."""

    enabled: Flag = Field(default=True, description="Whether this account runs.")
    allow: Ids = Field(default=(), description='Ids of people who may talk to it; "*" lets everybody in.')
    owner: Ids = Field(
        default=(), description="Ids of its owners: allowed, and the only ones for owner's commands."
    )
    admins: Ids = Field(
        default=(), description="Ids of people who may also let others in, with /pair and /allowlist."
    )
    dm: Direct = Field(
        default=Direct.PAIRING,
        description="Who may write to it directly: pairing (those who are named; strangers are told a code by which "
        "they can be let in), allowlist (those who are named), open (everybody), disabled (owners alone).",
    )
    groups: Ids = Field(default=(), description='Ids of groups in which it answers; "*" means every group.')
    activation: Activation = Field(
        default=Activation.MENTION,
        description="What it answers in a group: mention (mentions, replies, commands), always (every message); "
        "/activation chooses for one group.",
    )
    stop_loops: Flag = Field(
        default=True,
        description="Whether somebody who answers each answer at once, as a bot does, meets ten minutes of silence.",
    )
    agent: Name | None = Field(
        default=None, description="The agent of agents.list that answers; none: the defaults."
    )
    errors: ErrorsSection = Field(
        default=ErrorsSection(), description="What people see of an answer that failed."
    )


class ChannelEntry(Section):
    """One channel."""

    enabled: Flag | None = Field(
        default=None, description="false: off. Unset: on when it has an account or its usual variable is set."
    )
    accounts: Annotated[dict[str, AccountEntry], Named("ACCOUNT")] = Field(
        default_factory=dict, description="Accounts by name."
    )


class ServerSection(Section):
    """The private listener: page, API, health and metrics."""

    host: Name = Field(
        default="127.0.0.1", description="Address to listen on; beyond loopback a token is a must."
    )
    port: Port = Field(default=DEFAULT_PORT, description="Port; 0 takes any free one.")
    token: SecretStr | None = Field(
        default=None,
        description="What visitors from other machines must know; local channels take it for their own.",
    )


class WebhooksSection(Section):
    """The public listener: verified webhooks only, open only when a channel asks for it."""

    host: Name = Field(default="127.0.0.1", description="Address to listen on.")
    port: Port = Field(default=DEFAULT_WEBHOOK_PORT, description="Port; 0 takes any free one.")


class AuthProfile(Section):
    """A named key; the secret itself lies in credentials.json."""

    provider: Name = Field(description="Whose key it is.")
    mode: Literal["api_key", "token"] = Field(default="api_key", description="What kind of secret it is.")


class AuthSection(Section):
    """Named keys and the order in which they are tried."""

    profiles: Annotated[dict[str, AuthProfile], Named("PROFILE")] = Field(
        default_factory=dict, description="Keys by name; `firstword auth add` stores the secret."
    )
    order: Annotated[dict[str, tuple[Name, ...]], Named("PROVIDER")] = Field(
        default_factory=dict, description="For a provider: its profiles, first tried first."
    )
    fallback_on_auth_error: Flag = Field(
        default=True, description="Whether another provider answers when every key of one is refused."
    )


class CacheTrace(Section):
    """A file with one line for each request, to see what a provider's prefix cache took."""

    enabled: Flag = Field(default=False, description="Accepted for other gateways' files; not written yet.")
    file_path: Text | None = Field(default=None, description="Where; none: cache-trace.jsonl among the logs.")
    include_prompt: Flag = Field(default=False, description="Write the prompts too. They are people's words.")


class CommandsSection(Section):
    """Slash commands."""

    roles: Annotated[dict[str, Literal["guest", "member", "admin", "owner"]], Named("NAME")] = Field(
        default_factory=dict,
        description="For a command: the least role that may give it, where that is more than it needs by itself.",
    )


class DiagnosticsSection(Section):
    """Help for finding out."""

    cache_trace: CacheTrace = Field(default=CacheTrace(), description="The prefix-cache trace.")


class StoreSection(Section):
    """What is kept, and for how long."""

    retention: Count = Field(
        default=400,
        description="Days that conversations are kept; the choices made in one go when nothing said in it is left.",
    )


Level = Literal["debug", "info", "warning", "error"]


class LoggingSection(Section):
    """What is logged, and how."""

    level: Level = Field(default="info", description="The least that is logged.")
    libraries: Level = Field(default="warning", description="The least that is logged of what libraries say.")
    format: Literal["auto", "json", "pretty"] = Field(
        default="auto", description="On standard error: auto is pretty on a terminal, JSON elsewhere."
    )


class ProviderParams(Section):
    """The short form for parameters alone."""

    default_params: Params = Field(
        default_factory=dict, description="As models.providers.NAME.defaultParams."
    )


class Tree(BaseSettings):
    """The whole configuration. Built from `Inputs` alone: it never looks at the process's environment."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        hide_input_in_errors=True,
        populate_by_name=False,
    )

    models: ModelsSection = Field(default=ModelsSection(), description="Where models come from.")
    agents: AgentsSection = Field(default=AgentsSection(), description="Who answers.")
    channels: Annotated[dict[str, ChannelEntry], Named("NAME")] = Field(
        default_factory=dict, description="Channels by name."
    )
    mcp: McpSection = Field(default=McpSection(), description="Where tools come from.")
    server: ServerSection = Field(default=ServerSection(), description="The private listener.")
    webhooks: WebhooksSection = Field(default=WebhooksSection(), description="The public listener.")
    media: MediaSection = Field(
        default=MediaSection(), description="What is done with files that people send."
    )
    routing: RoutingSection = Field(default=RoutingSection(), description="How models are chosen.")
    limits: LimitsSection = Field(default=LimitsSection(), description="How much people may say.")
    alerts: AlertsSection = Field(default=AlertsSection(), description="What the owner is told of troubles.")
    auth: AuthSection = Field(default=AuthSection(), description="Named keys.")
    commands: CommandsSection = Field(default=CommandsSection(), description="Slash commands.")
    store: StoreSection = Field(default=StoreSection(), description="What is kept, and for how long.")
    diagnostics: DiagnosticsSection = Field(default=DiagnosticsSection(), description="Help for finding out.")
    logging: LoggingSection = Field(default=LoggingSection(), description="What is logged.")
    providers: Annotated[dict[str, ProviderParams], Named("NAME")] = Field(
        default_factory=dict, description="Request parameters by provider."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources that the caller made, strongest first."""
        made: tuple[PydanticBaseSettingsSource, ...] = init_settings.init_kwargs["sources"]  # type: ignore[attr-defined]
        return made
