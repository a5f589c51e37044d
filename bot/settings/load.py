"""load_settings(): file, environment and `.env` in; one frozen `Settings`, or every problem at once, out."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from bot.credentials import read_credentials
from bot.home import Home
from bot.plugins import Plugins, discover
from bot.settings.alerts import AlertsSection
from bot.settings.checks import contradictions, unknown_providers, warnings_of
from bot.settings.limits import LimitsSection
from bot.settings.media import MediaSection
from bot.settings.mount import (
    AccountSettings,
    Mounting,
    ProviderSettings,
    Secrets,
    ToolServer,
    load_specs,
)
from bot.settings.problems import Problem, settings_error
from bot.settings.proofs import bad_proofs
from bot.settings.routing import RoutingSection
from bot.settings.shapes import Shape
from bot.settings.sources import Found, Source, read_dotenv, read_environment, read_file
from bot.settings.tree import (
    Agent,
    AgentsSection,
    AuthSection,
    CommandsSection,
    DiagnosticsSection,
    LoggingSection,
    ModelsSection,
    ServerSection,
    StoreSection,
    Tree,
    WebhooksSection,
)
from bot.settings.validation import problems_of, unknown_keys
from channels.guessing import fault_of
from providers import credentials, presets
from providers.base import ProviderSpec


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that was configured, checked. Its repr holds no secret.

    `accounts`: those that are to run, foreground ones included. `providers`: those that the configuration names.
    `tool_servers`: those of mcp.servers that are on.
    `environ`: the environment with `.env` beneath it. `profiles`: stored secrets. `warnings`: sentences for the
    owner about what works but should be changed. `lacking`: what is missing of accounts that were left out for it.
    """

    home: Home
    config_file: FilePath
    models: ModelsSection
    agents: AgentsSection
    server: ServerSection
    webhooks: WebhooksSection
    media: MediaSection
    routing: RoutingSection
    limits: LimitsSection
    alerts: AlertsSection
    auth: AuthSection
    commands: CommandsSection
    store: StoreSection
    diagnostics: DiagnosticsSection
    logging: LoggingSection
    accounts: tuple[AccountSettings, ...]
    providers: tuple[ProviderSettings, ...]
    _mounting: Mounting = field(repr=False)
    tool_servers: tuple[ToolServer, ...] = ()
    warnings: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    profiles: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)
    _params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def agent(self, name: str | None = None) -> Agent:
        """An agent with the defaults filled in; None and "defaults" are the defaults. Raises KeyError."""
        if name in (None, "defaults"):
            return self.agents.defaults
        own = self.agents.list[str(name)]
        unset = set(Agent.model_fields) - own.model_fields_set
        return own.model_copy(update={each: getattr(self.agents.defaults, each) for each in unset})

    @property
    def provider_specs(self) -> Mapping[str, ProviderSpec]:
        """What the installed providers say of themselves, by name."""
        return self._mounting.specs.providers

    def provider(self, name: str) -> ProviderSettings:
        """A provider, configured or known by name alone. Raises SettingsError when it cannot be made."""
        for each in self.providers:
            if each.name == name:
                return each
        mounting = Mounting(self._mounting.specs, self._mounting.secrets)
        params = self._params.get(name)
        made = mounting.provider(name, {"defaultParams": dict(params)} if params else {})
        if made is None:
            raise settings_error(str(self.config_file), mounting.problems)
        return made

    def keys(self, provider: str) -> credentials.Found:
        """A provider's credentials in the order in which they are tried.

        Profiles of auth.order, else of auth.profiles, first; then apiKey; then the usual variables.
        """
        entry = next((each for each in self.providers if each.name == provider), None)
        preset = presets.find(provider)
        named = self.auth.order.get(provider)
        if named is None:
            named = tuple(key for key, row in self.auth.profiles.items() if row.provider == provider)
        wanted: list[SecretStr | None] = [SecretStr(f"profile:{each}") for each in named]
        wanted.append(entry.api_key if entry is not None else None)
        variables = preset.variables if preset is not None else ()
        found: list[credentials.Found] = [
            credentials.find(provider, each, self.environ, (), self.profiles)
            for each in wanted
            if each is not None
        ]
        found.append(credentials.find(provider, None, self.environ, variables, self.profiles))
        seen: dict[str, Any] = {}
        for each in (credential for part in found for credential in part.credentials):
            seen.setdefault(each.secret.get_secret_value() if each.secret else "", each)
        return credentials.Found(
            tuple(seen.values()), tuple(finding for part in found for finding in part.findings)
        )

    def secrets(self) -> tuple[str, ...]:
        """Every secret that is known, for the redactor alone."""
        known = set(self._mounting.used_secrets)
        known |= {secret.get_secret_value() for secret in self.profiles.values()}
        if self.server.token is not None:
            known.add(self.server.token.get_secret_value())
        for name in self.key_names():
            known |= {each.secret.get_secret_value() for each in self.keys(name).credentials if each.secret}
        return tuple(sorted(known))

    def key_names(self) -> Iterable[str]:
        """Every provider that may have keys, whether it is set up or not."""
        return sorted({each.name for each in presets.PRESETS} | {each.name for each in self.providers})


def load_settings(
    home: Home,
    config_file: FilePath,
    environ: Mapping[str, str],
    *,
    folder: FilePath | None = None,
    overrides: Mapping[str, Any] | None = None,
    plugins: Plugins | None = None,
    is_looking: bool = False,
) -> Settings:
    """The settings of a home. Raises SettingsError, which lists every problem and holds no secret.

    Strongest first: `overrides` (what the command line said), `environ`, HOME/.env, `folder`/.env (the working
    folder, when one is given), the file. Reads those files and nothing else. `is_looking`: no channel is started
    with them, so an account whose token is not to be seen here is left out, with a warning.
    """
    values = read_file(config_file)
    merged = merge_environment(home, environ, folder)
    return build_settings(
        home,
        config_file,
        values,
        merged,
        overrides=overrides or {},
        plugins=plugins or discover(),
        is_looking=is_looking,
    )


def merge_environment(
    home: Home, environ: Mapping[str, str], folder: FilePath | None = None
) -> Mapping[str, str]:
    """The environment with HOME/.env and then `folder`/.env beneath it. Raises SettingsError."""
    below = read_dotenv(folder / ".env") if folder is not None else {}
    return {**below, **read_dotenv(home.dotenv), **environ}


def build_settings(
    home: Home,
    config_file: FilePath,
    values: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    overrides: Mapping[str, Any],
    plugins: Plugins,
    is_looking: bool = False,
) -> Settings:
    """As `load_settings`, with the file's object and the environment given. Raises SettingsError."""
    specs = load_specs(plugins, values)
    shape = specs.shape(values)
    variables = read_environment(environ, shape, values)
    stored = read_credentials(home.credentials)
    secrets = Secrets(environ, {name: row.secret for name, row in stored.items()})
    mounting = Mounting(specs, secrets, is_looking=is_looking)
    mounting.problems += [*unknown_keys(values, shape), *variables.problems]
    tree, raw = _tree(mounting, shape, values, variables, overrides)
    token = _part(raw, "server").get("token")
    mounting.server_token = token if isinstance(token, str) else None
    mounting.channels(_part(raw, "channels"), plugins.channels)
    providers = _providers(mounting, raw)
    tool_servers = mounting.tool_servers(_part(_part(raw, "mcp"), "servers"))
    if tree is not None:
        mounting.problems += contradictions(tree, mounting)
    rest = tree or _rest(raw)
    mounting.problems += unknown_providers(rest, specs) if rest is not None else ()
    secret = _server_token(tree, mounting)
    if mounting.problems or tree is None:
        raise settings_error(str(config_file), _once(mounting.problems))
    settings = Settings(
        home=home,
        config_file=config_file,
        models=tree.models,
        agents=tree.agents,
        server=tree.server.model_copy(update={"token": secret}),
        webhooks=tree.webhooks,
        media=tree.media,
        routing=tree.routing,
        limits=tree.limits,
        alerts=tree.alerts,
        auth=tree.auth,
        commands=tree.commands,
        store=tree.store,
        diagnostics=tree.diagnostics,
        logging=tree.logging,
        accounts=tuple(mounting.found),
        providers=providers,
        tool_servers=tool_servers,
        warnings=tuple(warnings_of(values, shape, specs, secrets, tree)),
        lacking=tuple(map(str, _once(mounting.lacking))),
        environ=environ,
        profiles={name: SecretStr(row.secret) for name, row in stored.items()},
        _mounting=mounting,
        _params={name: row.default_params for name, row in tree.providers.items()},
    )
    if bad := list(bad_proofs(settings)):
        raise settings_error(str(config_file), bad)
    return settings


class _Witness(PydanticBaseSettingsSource):
    """The weakest source: holds nothing and sees what the others add up to."""

    seen: Mapping[str, Any] = {}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        self.seen = self.current_state
        return {}


def _tree(
    mounting: Mounting,
    shape: Shape,
    values: Mapping[str, Any],
    variables: Found,
    overrides: Mapping[str, Any],
) -> tuple[Tree | None, Mapping[str, Any]]:
    witness = _Witness(Tree)
    sources = (Source(Tree, overrides), Source(Tree, variables.values), Source(Tree, values), witness)
    try:
        return Tree(sources=sources), witness.seen  # type: ignore[call-arg]
    except ValidationError as error:
        mounting.problems += problems_of(error, shape, origins=variables.origins)
        return None, witness.seen


def _providers(mounting: Mounting, raw: Mapping[str, Any]) -> tuple[ProviderSettings, ...]:
    params = _part(raw, "providers")
    made: list[ProviderSettings] = []
    for name, row in _part(_part(raw, "models"), "providers").items():
        if not isinstance(row, dict):
            continue  # the tree reports it
        below = _part(_part(params, name), "defaultParams")
        whole = {**row, "defaultParams": {**below, **_part(row, "defaultParams")}} if below else row
        provider = mounting.provider(name, whole)
        if provider is not None:
            made.append(provider)
    return tuple(made)


def _server_token(tree: Tree | None, mounting: Mounting) -> SecretStr | None:
    if tree is None or tree.server.token is None:
        return None
    try:
        text = mounting.secrets.resolve(tree.server.token.get_secret_value(), is_secret=True)
    except LookupError as error:
        mounting.problems.append(Problem("server.token", str(error.args[0]), is_missing=True))
        return None
    if fault := fault_of(text):
        mounting.problems.append(Problem("server.token", f"this value is not allowed; allowed: {fault}"))
    return SecretStr(text)


def _rest(raw: Mapping[str, Any]) -> Tree | None:
    """What is left of a wrong configuration without its wrong values, so that the rest is looked at too."""
    values: Any = copy.deepcopy(dict(raw))
    for _ in range(4):
        try:
            return Tree(sources=(Source(Tree, values),))  # type: ignore[call-arg]
        except ValidationError as error:
            for row in error.errors(include_url=False):
                _cut(values, row["loc"])
    return None


def _cut(values: Any, loc: Sequence[str | int]) -> None:
    for part in loc[:-1]:
        below = values.get(part) if isinstance(values, dict) else None
        if not isinstance(below, dict):
            break
        values = below
    else:
        part = loc[-1]
    if isinstance(values, dict):
        values.pop(part, None)


def _part(raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _once(problems: list[Problem]) -> list[Problem]:
    kept: dict[str, Problem] = {}
    for problem in problems:
        kept.setdefault(problem.path, problem)
    return list(kept.values())
