"""A home folder with a configuration, and settings loaded from it, without a look at this process's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from bot.errors import SettingsError
from bot.home import Home
from bot.plugins import CHANNEL_GROUP, PROVIDER_GROUP, Listed, Plugins
from bot.settings import Settings, load_settings
from channels.base import ChannelSpec
from providers.base import ProviderSpec

HERE = "tests.bot.settings.places"


class Hook(BaseModel):
    """A part within an account's settings."""

    model_config = ConfigDict(extra="forbid")
    public_url: str


class RadioSettings(BaseModel):
    """A stranger's settings: plain snake_case fields, no aliases."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    token: SecretStr
    base_url: str = "https://radio.example"
    retries: int = Field(default=3, ge=0, le=9)
    hook: Hook | None = None

    @model_validator(mode="after")
    def _hears_something(self) -> Self:
        if self.hook is not None and not self.retries:
            raise ValueError("retries is 0: a hook needs at least one")
        return self


class SpeakerSettings(BaseModel):
    """Settings of a provider that has an adapter of its own."""

    voice: str = "plain"


class DialectSettings(BaseModel):
    """Settings of an adapter that serves many providers."""

    model_config = ConfigDict(
        extra="forbid",
        alias_generator=lambda name: "".join([name.split("_")[0], *map(str.title, name.split("_")[1:])]),
    )
    base_url: str | None = None
    models: tuple[Any, ...] = ()
    default_params: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)


def _never(*_: Any) -> Any:
    raise AssertionError("settings open nothing")


RADIO = ChannelSpec(
    "radio", "Radio", RadioSettings, _never, environment={"RADIO_TOKEN": "token", "RADIO_RETRIES": "retries"}
)
PORCH = ChannelSpec(
    "porch", "Porch", type("PorchSettings", (BaseModel,), {}), _never, is_local=True, is_default=True
)
SPEAKER = ProviderSpec("speaker", "Speaker", SpeakerSettings, _never)
DIALECT = ProviderSpec("dialect", "Dialect", DialectSettings, _never, apis=("openai-completions",))
WRONG = "no spec at all"


def plugins(*, broken: bool = False) -> Plugins:
    """One channel that needs a token, one that needs nothing, two providers; and, if asked, broken ones."""
    channels = {"radio": "RADIO", "porch": "PORCH"} | ({"ruin": "RUIN", "wrong": "WRONG"} if broken else {})
    providers = {"speaker": "SPEAKER", "dialect": "DIALECT"}
    return Plugins(
        channels={
            name: Listed(CHANNEL_GROUP, name, f"{HERE}:{value}", "stranger")
            for name, value in channels.items()
        },
        providers={
            name: Listed(PROVIDER_GROUP, name, f"{HERE}:{value}", "stranger")
            for name, value in providers.items()
        },
    )


def point(group: str, name: str, value: str) -> EntryPoint:
    """An entry point as importlib.metadata gives it."""
    return EntryPoint(name, value, group)


class Place:
    """A temporary home."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.root.mkdir(mode=0o700)
        self.environ: dict[str, str] = {}

    def write(self, config: Any) -> Path:
        """Write the configuration file: an object, or text as it is."""
        text = config if isinstance(config, str) else json.dumps(config)
        self.home.config.write_text(text)
        return self.home.config

    def store(self, **secrets: str) -> None:
        """Put secrets into credentials.json."""
        rows = {name: {"secret": secret, "provider": ""} for name, secret in secrets.items()}
        self.home.credentials.write_text(json.dumps({"profiles": rows}))

    def load(self, config: Any = None, environ: Mapping[str, str] | None = None, **options: Any) -> Settings:
        """Load the settings of this home with the strangers' plug-ins."""
        if config is not None:
            self.write(config)
        return load_settings(
            self.home, self.home.config, environ or self.environ, **{"plugins": plugins(), **options}
        )

    def problems(self, config: Any, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Path -> text of everything that is wrong with a configuration."""
        try:
            self.load(config, environ)
        except SettingsError as error:
            return dict(error.problems) or {"": str(error)}
        return {}
