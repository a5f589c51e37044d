"""What the settings of every HTTP dialect share: a row for a model, prices, checks of addresses and headers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.alias_generators import to_camel

from providers.addresses import refusal
from providers.allowance import Limits
from providers.base import ModelSettings, ModelSpec, Price
from providers.http import is_loopback, origin_of
from providers.models import describe
from providers.presets import Preset

PositiveInt = Annotated[int, Field(gt=0)]
Dollars = Annotated[float, Field(ge=0)]


class DialectSettings(BaseModel):
    """The base of `models.providers.NAME`: camelCase keys, nothing unknown, frozen."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, protected_namespaces=()
    )


class CostSettings(DialectSettings):
    """US dollars per million tokens."""

    input: Dollars = Field(default=0.0, description="US dollars per million input tokens")
    output: Dollars = Field(default=0.0, description="US dollars per million output tokens")
    cache_read: Dollars | None = Field(
        default=None, description="US dollars per million tokens read from the cache"
    )
    cache_write: Dollars | None = Field(
        None, description="US dollars per million tokens written to the cache"
    )


class ModelRow(DialectSettings):
    """One model of a provider."""

    id: str = Field(min_length=1, description="What the provider calls the model; may hold slashes")
    name: str = Field(default="", description="What people see")
    reasoning: bool = Field(
        default=False, description="The model thinks before it answers and takes an effort"
    )
    input: tuple[Literal["text", "image"], ...] = Field(
        default=("text",), description="What the model takes in"
    )
    context_window: PositiveInt | None = Field(
        default=None, description="Tokens of prompt and answer together"
    )
    max_tokens: PositiveInt | None = Field(default=None, description="Tokens of the longest answer")
    cost: CostSettings | None = Field(default=None, description="Prices, for spend")

    def plain(self) -> ModelSettings:
        """The row in the contract's words. A cost of nothing but zeros is an unknown price."""
        price = None
        if self.cost is not None and any(self.cost.model_dump().values()):
            price = Price(self.cost.input, self.cost.output, self.cost.cache_read, self.cost.cache_write)
        return ModelSettings(self.id, self.name, self.context_window, self.max_tokens, price)


class LimitSettings(DialectSettings):
    """What one key of a provider may use; a request beyond it goes to the next model without being sent."""

    max_concurrent: PositiveInt | None = Field(default=None, description="Requests at once")
    requests_per_minute: PositiveInt | None = Field(default=None, description="Requests in any 60 seconds")
    tokens_per_minute: PositiveInt | None = Field(
        default=None, description="Tokens of prompts in any 60 seconds, estimated"
    )
    tokens_per_day: PositiveInt | None = Field(
        default=None, description="Tokens of prompts in any 24 hours, estimated; counted anew after a start"
    )

    def plain(self) -> Limits:
        """In the gate's words."""
        return Limits(
            self.max_concurrent, self.requests_per_minute, self.tokens_per_minute, self.tokens_per_day
        )


class ServerSettings(DialectSettings):
    """What is told of a server that is asked over HTTP, checked. A dialect says which words are its own.

    `reserved`: fields of a body that every request says itself. `key_headers`: headers that carry the key, in
    lower case, and so may not be given.
    """

    reserved: ClassVar[frozenset[str]] = frozenset()
    key_headers: ClassVar[frozenset[str]] = frozenset()

    base_url: str | None = Field(default=None, description="Address of the API")
    api_key: SecretStr | None = Field(default=None, description="${VAR}, profile:NAME, or the key itself")
    models: tuple[ModelRow, ...] = Field(
        default=(), description="Models beside those that the catalogue knows"
    )
    default_params: dict[str, Any] = Field(
        default_factory=dict, description="Put into every request's body as they are"
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with every request")

    def specs(self, name: str) -> tuple[ModelSpec, ...]:
        """The models that the settings name, described with what the catalogue knows of them."""
        return described(name, self.models, self.base_url)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return checked_address(value)

    @field_validator("default_params")
    @classmethod
    def _leaves_the_request_alone(cls, value: dict[str, Any]) -> dict[str, Any]:
        return checked_params(value, cls.reserved)

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        return checked_headers(value, cls.key_headers)


class HttpSettings(ServerSettings):
    """What every dialect over HTTP is told."""

    limits: LimitSettings = Field(
        default=LimitSettings(), description="What one key may use; nothing: what the provider gives"
    )


def address_of(name: str, settings: HttpSettings, preset: Preset | None, known: str) -> str:
    """Where a configured provider stands; ValueError where neither settings nor preset say it.

    `known`: for which names the address may be left out.
    """
    base_url = settings.base_url or (preset.base_url if preset else None)
    if base_url is None:
        raise ValueError(f"models.providers.{name}.baseUrl is missing; it may be left out only for {known}")
    return base_url


def described(name: str, rows: Iterable[ModelRow], base_url: str | None) -> tuple[ModelSpec, ...]:
    """The models that the settings of a provider name, with what the catalogue knows of them."""
    local = is_loopback(base_url) if base_url else None
    return tuple(
        describe(
            name,
            row.plain(),
            reasoning=row.reasoning if "reasoning" in row.model_fields_set else None,
            images="image" in row.input if "input" in row.model_fields_set else None,
            is_local=local,
        )
        for row in rows
    )


def checked_address(value: str | None) -> str | None:
    """An http(s) address without a slash at its end. ValueError for anything else; it does not repeat a secret."""
    if value is None:
        return None
    if wrong := refusal(value):
        raise ValueError(wrong)
    origin_of(value)
    return value.rstrip("/")


def checked_params(value: dict[str, object], taken: frozenset[str]) -> dict[str, object]:
    """Parameters that leave alone what every request says itself. ValueError names those that do not."""
    if wrong := sorted(taken & value.keys()):
        raise ValueError(f"may not set {', '.join(wrong)}: every request says that itself")
    return value


def checked_headers(value: dict[str, str], keys: Collection[str] = ()) -> dict[str, str]:
    """Headers that can be sent. ValueError names one that cannot, that the client sets itself, or that is a key's."""
    for name, text in value.items():
        if not (name.isascii() and name.isprintable() and text.isascii() and text.isprintable()):
            raise ValueError(f"{name!r}: only printable ASCII may stand in a header")
        if name.lower() in {"host", "content-length", "transfer-encoding", "connection"}:
            raise ValueError(f"{name!r} is set by the HTTP client and may not be given")
        if name.lower() in keys:
            raise ValueError(f"{name!r}: a key stands in apiKey or in the credentials, not in a header")
    return value
