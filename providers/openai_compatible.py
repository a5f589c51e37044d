"""Any server that speaks OpenAI's chat completions: OpenAI itself, most vendors, every local server.

`SPEC` is what the entry point names. Importing this loads no HTTP client; the first `open` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.alias_generators import to_camel

from providers import presets
from providers.base import Connect, ModelSettings, ModelSpec, Price, ProviderSpec
from providers.http import is_loopback, origin_of
from providers.models import describe
from providers.openai_request import RESERVED

if TYPE_CHECKING:
    from providers.openai_client import OpenAICompatible

PositiveInt = Annotated[int, Field(gt=0)]
Dollars = Annotated[float, Field(ge=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, protected_namespaces=()
    )


class CostSettings(_Settings):
    """US dollars per million tokens."""

    input: Dollars = Field(default=0.0, description="US dollars per million input tokens")
    output: Dollars = Field(default=0.0, description="US dollars per million output tokens")
    cache_read: Dollars | None = Field(
        default=None, description="US dollars per million tokens read from the cache"
    )
    cache_write: Dollars | None = Field(
        None, description="US dollars per million tokens written to the cache"
    )


class ModelRow(_Settings):
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


class OpenAICompatibleSettings(_Settings):
    """`models.providers.NAME`. A preset's name needs no `baseUrl`; any other name does."""

    base_url: str | None = Field(
        default=None, description="Address up to and with /v1, e.g. http://127.0.0.1:8000/v1"
    )
    api: Literal["openai-completions"] | None = Field(default=None, description="The dialect")
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
        local = is_loopback(self.base_url) if self.base_url else None
        return tuple(
            describe(
                name,
                row.plain(),
                reasoning=row.reasoning if "reasoning" in row.model_fields_set else None,
                images="image" in row.input if "input" in row.model_fields_set else None,
                is_local=local,
            )
            for row in self.models
        )

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        origin_of(value)
        return value.rstrip("/")

    @field_validator("default_params")
    @classmethod
    def _leaves_the_request_alone(cls, value: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(RESERVED & value.keys()):
            raise ValueError(f"may not set {', '.join(taken)}: every request says that itself")
        return value

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not (name.isascii() and name.isprintable() and text.isascii() and text.isprintable()):
                raise ValueError(f"{name!r}: only printable ASCII may stand in a header")
            if name.lower() in {"host", "content-length", "transfer-encoding", "connection"}:
                raise ValueError(f"{name!r} is set by the HTTP client and may not be given")
        return value


def _open(name: str, settings: OpenAICompatibleSettings, connect: Connect) -> OpenAICompatible:
    from providers.openai_client import OpenAICompatible

    preset = presets.find(name)
    base_url = settings.base_url or (preset.base_url if preset else None)
    if base_url is None:
        known = ", ".join(preset.name for preset in presets.PRESETS)
        raise ValueError(
            f"models.providers.{name}.baseUrl is missing; it may be left out only for a known name ({known})"
        )
    return OpenAICompatible(name, base_url, settings, preset, connect)


SPEC = ProviderSpec(
    name="openai_compatible",
    title="OpenAI-compatible server",
    settings=OpenAICompatibleSettings,
    open=_open,
)
