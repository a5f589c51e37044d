"""Any server that speaks OpenAI's chat completions: OpenAI itself, most vendors, every local server.

`SPEC` is what the entry point names. Importing this loads no HTTP client; the first `open` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr, field_validator

from providers import presets
from providers.base import Connect, ModelSpec, ProviderSpec
from providers.openai_request import RESERVED
from providers.rows import (
    DialectSettings,
    ModelRow,
    checked_address,
    checked_headers,
    checked_params,
    described,
)

if TYPE_CHECKING:
    from providers.openai_client import OpenAICompatible


class OpenAICompatibleSettings(DialectSettings):
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
        return described(name, self.models, self.base_url)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return checked_address(value)

    @field_validator("default_params")
    @classmethod
    def _leaves_the_request_alone(cls, value: dict[str, Any]) -> dict[str, Any]:
        return checked_params(value, RESERVED)

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str]) -> dict[str, str]:
        return checked_headers(value)


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
    is_default=True,
)
