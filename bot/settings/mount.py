"""Accounts and providers: their adapters' own models, mounted into the tree and filled from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from bot.access import Activation, Direct
from bot.plugins import PluginError, Plugins
from bot.settings.alerts import ErrorsSection
from bot.settings.mcp import McpServer
from bot.settings.problems import Path, Problem, join_path, looks_secret, nearest, shown
from bot.settings.shapes import ANYTHING, Kind, Shape, as_model_keys, config_key, model_shape
from bot.settings.tree import AccountEntry, Tree
from bot.settings.validation import problems_of
from channels.base import ChannelSpec
from channels.guessing import fault_of
from providers import presets
from providers.base import ProviderSpec

MAIN = "main"
"""The account that the usual variables fill."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PROFILE = "profile:"


@dataclass(slots=True)
class Specs:
    """What the installed adapters say of themselves. `broken`: those that cannot be used, and why."""

    channels: dict[str, ChannelSpec] = field(default_factory=dict)
    providers: dict[str, ProviderSpec] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def shape(self, raw: Mapping[str, Any]) -> Shape:
        """The whole configuration with every adapter's settings in place.

        `raw`: the values themselves, in which a provider may name the dialect whose settings it takes.
        """
        root = model_shape(Tree)
        channels, models = root.fields["channels"], root.fields["models"]
        named = {name: _with_account(channels.held, spec.settings) for name, spec in self.channels.items()}
        written = raw.get("channels")
        unknown = set(written if isinstance(written, dict) else ()) - set(self.channels)
        named |= {name: _unread(channels.held) for name in unknown}
        channels = replace(channels, named=named)
        providers = models.fields["providers"]
        spoken = {**self._spoken(raw), **self.providers}
        known = {name: _with_fields(providers.held, spec.settings) for name, spec in spoken.items()}
        general = provider_spec("", None, self)
        item = _with_fields(providers.held, general.settings) if general is not None else providers.held
        providers = replace(providers, item=item, named=known)
        models = replace(models, fields={**models.fields, "providers": providers})
        return replace(root, fields={**root.fields, "channels": channels, "models": models})

    def _spoken(self, raw: Mapping[str, Any]) -> dict[str, ProviderSpec]:
        """The providers that name their dialect."""
        section = raw.get("models")
        rows = section.get("providers") if isinstance(section, dict) else None
        named = {
            name: provider_spec(name, row["api"], self)
            for name, row in (rows.items() if isinstance(rows, dict) else ())
            if isinstance(row, dict) and isinstance(row.get("api"), str)
        }
        return {name: spec for name, spec in named.items() if spec is not None}


def load_specs(plugins: Plugins, raw: Mapping[str, Any]) -> Specs:
    """Import the specs of every channel and every provider. None is fatal; of what is switched off nothing is said."""
    specs = Specs()
    off = _switched_off(raw)
    for name in plugins.channels:
        try:
            specs.channels[name] = plugins.channel(name)
        except PluginError as error:
            if name not in off:
                specs.broken[f"channels.{name}"] = str(error)
    for name in plugins.providers:
        try:
            specs.providers[name] = plugins.provider(name)
        except PluginError as error:
            specs.broken[f"models.providers.{name}"] = str(error)
    return specs


def _switched_off(raw: Mapping[str, Any]) -> set[str]:
    """The channels that are."""
    entries = raw.get("channels")
    rows = entries.items() if isinstance(entries, dict) else ()
    return {name for name, entry in rows if isinstance(entry, dict) and entry.get("enabled") is False}


@dataclass(frozen=True, slots=True)
class Secrets:
    """What references in the configuration lead to."""

    environ: Mapping[str, str]
    profiles: Mapping[str, str]

    def resolve(self, text: str, *, is_secret: bool) -> str:
        """`text` with ${VARIABLE} replaced, and in a secret profile:NAME followed. Raises LookupError."""
        if is_secret and text.startswith(_PROFILE):
            name = text.removeprefix(_PROFILE)
            if name not in self.profiles:
                raise LookupError(f"no secret is stored under {name!r}; store it: firstword auth add {name}")
            return self.profiles[name]

        def value(match: re.Match[str]) -> str:
            found = self.environ.get(match[1], "")
            if not found:
                raise LookupError(f"the variable {match[1]} is not set; set it in the environment or in .env")
            return found

        return _REFERENCE.sub(value, text)

    def named_in(self, text: str) -> set[str]:
        """The values of variables in it that sound like secrets, wherever they are put: in an address, say."""
        return {self.environ.get(name, "") for name in _REFERENCE.findall(text) if looks_secret(name)} - {""}

    @staticmethod
    def is_reference(text: str) -> bool:
        """Whether the text names a secret rather than being one."""
        return text.startswith(_PROFILE) or _REFERENCE.search(text) is not None


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """One account that is to run: its channel's spec, the adapter's settings, and who may talk to it."""

    channel: str
    name: str
    spec: ChannelSpec
    settings: Any
    allow: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    dm: Direct = Direct.PAIRING
    activation: Activation = Activation.MENTION
    stop_loops: bool = True
    agent: str | None = None
    errors: ErrorsSection = field(default_factory=ErrorsSection)

    @property
    def path(self) -> str:
        """Where it stands in the configuration."""
        return join_path(("channels", self.channel, "accounts", self.name))


@dataclass(slots=True)
class Mounting:
    """Fills the adapters' settings and collects what is wrong. `found`: the accounts that are to run.

    `server_token`, as it was written, is the token of local channels that set none of their own.
    `is_looking`: an account that lacks a value is left out (`lacking`: what it lacks) rather than wrong.
    """

    specs: Specs
    secrets: Secrets
    server_token: str | None = None
    is_looking: bool = False
    lacking: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    used_secrets: set[str] = field(default_factory=set)
    found: list[AccountSettings] = field(default_factory=list)

    def channels(self, raw: Mapping[str, Any], installed: Mapping[str, Any]) -> None:
        """Every account of every channel that is on."""
        for name, entry in raw.items():
            is_off = isinstance(entry, dict) and entry.get("enabled") is False
            if name not in installed and not is_off:
                close = nearest(name, installed)
                meant = f'; nearest: "{close}"' if close else ""
                known = ", ".join(sorted(installed))
                text = f"no channel of this name is installed{meant}; installed: {known}"
                self.problems.append(Problem(join_path(("channels", name)), text))
            elif f"channels.{name}" in self.specs.broken and not is_off:
                self.problems.append(Problem(f"channels.{name}", self.specs.broken[f"channels.{name}"]))
        for name, spec in self.specs.channels.items():
            entry = raw.get(name, {})
            if isinstance(entry, dict) and entry.get("enabled") is not False:
                self._channel(spec, entry)

    def _channel(self, spec: ChannelSpec, entry: Mapping[str, Any]) -> None:
        accounts = entry.get("accounts") or {}
        if not isinstance(accounts, dict):
            return  # the tree reports it
        usual = {
            place: self.secrets.environ[variable]
            for variable, place in spec.environment.items()
            if self.secrets.environ.get(variable, "").strip()
        }
        accounts = {name: dict(row) for name, row in accounts.items() if isinstance(row, dict)}
        wants_main = usual or entry.get("enabled") is True or spec.is_default or spec.is_foreground
        if not accounts and wants_main:
            accounts = {MAIN: {}}
        origins: dict[Path, str] = {}
        if MAIN in accounts:
            for variable, place in spec.environment.items():
                info = spec.settings.model_fields.get(place)
                key = config_key(place, info) if info is not None else place
                if place in usual and key not in accounts[MAIN]:
                    accounts[MAIN][key] = usual[place]
                    origins["channels", spec.name, "accounts", MAIN, key] = variable
        for name, row in accounts.items():
            if self.server_token is not None and spec.is_local and "token" in spec.settings.model_fields:
                row.setdefault("token", self.server_token)
            if row.get("enabled") is not False:
                self._account(spec, name, row, origins)

    def _account(
        self, spec: ChannelSpec, name: str, row: Mapping[str, Any], origins: Mapping[Path, str]
    ) -> None:
        path: Path = ("channels", spec.name, "accounts", name)
        common_keys = {config_key(key, info) for key, info in AccountEntry.model_fields.items()}
        own = {key: value for key, value in row.items() if key not in common_keys}
        before = len(self.problems)
        settings = self.fill(spec.settings, own, path, variables=spec.environment, origins=origins)
        if settings is None or len(self.problems) > before:
            missing = [problem for problem in self.problems[before:] if problem.is_missing]
            if self.is_looking and missing:
                del self.problems[before:]
                self.lacking += missing
            return
        try:
            common = AccountEntry.model_validate({key: row[key] for key in row if key in common_keys})
        except ValidationError:
            return  # the tree reports it
        self.found.append(
            AccountSettings(
                channel=spec.name,
                name=name,
                spec=spec,
                settings=settings,
                allow=common.allow,
                owner=common.owner,
                groups=common.groups,
                admins=common.admins,
                dm=common.dm,
                activation=common.activation,
                stop_loops=common.stop_loops,
                agent=common.agent,
                errors=common.errors,
            )
        )

    def fill(
        self,
        model: type[BaseModel],
        raw: Mapping[str, Any],
        path: Path,
        variables: Mapping[str, str] | None = None,
        origins: Mapping[Path, str] | None = None,
    ) -> BaseModel | None:
        """An adapter's settings out of the keys under `path`; None, and problems, where they do not fit.

        `variables`: which fields a variable may set; `origins`: which values one has set.
        """
        shape = model_shape(model)
        known: dict[str, Any] = {}
        before = len(self.problems)
        for key, value in raw.items():
            earlier = len(self.problems)
            resolved = self._resolve(value, shape.child(key), (*path, key))
            # A reference that leads nowhere is said once; the other keys are looked at all the same.
            if key in shape.fields and len(self.problems) == earlier:
                known[key] = resolved
        try:
            settings = model.model_validate(as_model_keys(known, shape))
        except ValidationError as error:
            by_field = {place: variable for variable, place in (variables or {}).items()}
            hints = {
                config_key(place, model.model_fields[place]): f"set it, or the variable {variable}"
                for place, variable in by_field.items()
                if place in model.model_fields
            }
            self.problems += problems_of(error, shape, path, origins=origins, hints=hints)
            return None
        return settings if len(self.problems) == before else None

    def provider(self, name: str, raw: Mapping[str, Any]) -> ProviderSettings | None:
        """A provider's adapter and settings; None, and problems, where that is impossible."""
        path: Path = ("models", "providers", name)
        api, key = raw.get("api"), raw.get("apiKey")
        spec = provider_spec(name, api if isinstance(api, str) else None, self.specs)
        if spec is None:
            known = ", ".join(f'"{each}"' for each in known_apis(self.specs)) or "none is installed"
            text = f"{shown(api)} is not allowed; allowed: one of {known}"
            self.problems.append(Problem(join_path((*path, "api")), text))
            return None
        fields = model_shape(spec.settings).fields
        wants_address = name not in self.specs.providers and "baseUrl" in fields
        if wants_address and not raw.get("baseUrl") and presets.find(name) is None:
            known = ", ".join(sorted({*(each.name for each in presets.PRESETS), *self.specs.providers}))
            close = nearest(name, known.split(", "))
            meant = f'; nearest: "{close}"' if close else ""
            text = f"is missing; only these names have an address of their own: {known}{meant}"
            self.problems.append(Problem(join_path((*path, "baseUrl")), text, is_missing=True))
            return None
        # The key stays as it was written: whoever asks for credentials follows the reference then.
        own = {each: value for each, value in raw.items() if each in fields and each != "apiKey"}
        settings = self.fill(spec.settings, own, path)
        if settings is None:
            return None
        return ProviderSettings(name, spec, settings, SecretStr(key) if isinstance(key, str) else None)

    def tool_servers(self, raw: Mapping[str, Any]) -> tuple[ToolServer, ...]:
        """Every server of tools that is on, in the order of the file; problems where one does not fit."""
        found = []
        for name, row in raw.items():
            if not isinstance(row, dict) or row.get("enabled") is False:
                continue  # off, or the tree reports it
            settings = self.fill(McpServer, row, ("mcp", "servers", name))
            if isinstance(settings, McpServer):
                found.append(ToolServer(name, settings))
        return tuple(found)

    def _resolve(self, value: Any, shape: Shape | None, path: Path) -> Any:
        if isinstance(value, dict):
            return {
                key: self._resolve(item, shape.child(key) if shape else None, (*path, key))
                for key, item in value.items()
            }
        if isinstance(value, list):
            item_shape = shape.item if shape else None
            return [self._resolve(item, item_shape, (*path, place)) for place, item in enumerate(value)]
        if not isinstance(value, str) or shape is None or shape.kind is not Kind.TEXT:
            return value
        try:
            text = self.secrets.resolve(value, is_secret=shape.is_secret)
        except LookupError as error:
            self.problems.append(Problem(join_path(path), str(error.args[0]), is_missing=True))
            return value
        self.used_secrets |= self.secrets.named_in(value)
        if shape.is_secret and (not is_plain(path, value, shape) or _could_be_secret(text)):
            self.used_secrets.add(text)
        return text


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One provider: the adapter that speaks to it and that adapter's settings; `api_key` as it was written."""

    name: str
    spec: ProviderSpec
    settings: Any
    api_key: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class ToolServer:
    """One server of tools and its settings, references followed."""

    name: str
    settings: McpServer


def is_plain(path: Path, value: str, shape: Shape) -> bool:
    """Whether a place that may hold a secret holds an ordinary value ("LOG_LEVEL": "debug").

    So it is where people choose the key, the key does not sound like a secret, and no reference stands there.
    """
    name = str(path[-1])
    return shape.is_free and not looks_secret(name) and not Secrets.is_reference(value)


def _could_be_secret(text: str) -> bool:
    """Whether a value under a key that says nothing ("VALUE") is better not seen in a log; paths and sentences are."""
    return fault_of(text) is None and text[0] not in "/~." and not any(char.isspace() for char in text)


def provider_spec(name: str, api: str | None, specs: Specs) -> ProviderSpec | None:
    """The adapter for a provider: the one of its name; else one that speaks this `api`.

    Without `api` it is the default one, else the first that can be told where a server stands.
    """
    if name in specs.providers:
        return specs.providers[name]
    rows = [spec for _, spec in sorted(specs.providers.items())]
    if api is not None:
        return next((spec for spec in rows if api in _apis(spec)), None)
    # Whoever can be told an address serves servers that it does not know by name.
    able = [spec for spec in rows if _apis(spec) and "baseUrl" in model_shape(spec.settings).fields]
    return next((spec for spec in able if spec.is_default), able[0] if able else None)


def known_apis(specs: Specs) -> list[str]:
    """Every value of `api` that an installed adapter takes."""
    return sorted({api for spec in specs.providers.values() for api in _apis(spec)})


def _apis(spec: ProviderSpec) -> tuple[str, ...]:
    place = model_shape(spec.settings).fields.get("api")
    return spec.apis or tuple(str(choice) for choice in (place.choices if place is not None else ()))


def _with_account(entry: Shape, model: type[BaseModel]) -> Shape:
    accounts = entry.fields["accounts"]
    item = _with_fields(accounts.held, model)
    return replace(entry, fields={**entry.fields, "accounts": replace(accounts, item=item)})


def _unread(entry: Shape) -> Shape:
    """What stands under a channel that cannot be loaded or is not installed: nobody knows its keys."""
    accounts = replace(entry.fields["accounts"], item=ANYTHING)
    return replace(entry, fields={**entry.fields, "accounts": accounts})


def _with_fields(shape: Shape, model: type[BaseModel]) -> Shape:
    return replace(shape, fields={**model_shape(model).fields, **shape.fields})
