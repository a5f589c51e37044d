"""Anthropic's Messages API: Claude, and every proxy that speaks it.

`SPEC` is what the entry point names. Importing this loads neither SDK nor HTTP client.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from providers import presets
from providers.anthropic_marks import Caching
from providers.anthropic_request import RESERVED, Style
from providers.base import Connect, ProviderSpec
from providers.rows import HttpSettings, address_of, checked_headers

if TYPE_CHECKING:
    from providers.anthropic_client import Anthropic
    from providers.anthropic_wire import Wire


class Transport(StrEnum):
    """How requests are sent."""

    SDK = "sdk"
    HTTP = "http"


class AnthropicSettings(HttpSettings):
    """`models.providers.NAME`. The name "anthropic" needs no `baseUrl`; any other does."""

    reserved: ClassVar[frozenset[str]] = RESERVED
    key_headers: ClassVar[frozenset[str]] = frozenset({"x-api-key", "authorization"})

    base_url: str | None = Field(
        default=None, description="Address without /v1, e.g. https://api.anthropic.com"
    )
    api: Literal["anthropic-messages"] | None = Field(default=None, description="The dialect")
    default_params: dict[str, Any] = Field(
        default_factory=dict,
        description='Put into every request\'s body as they are; cacheControlTtl: "5m" or "1h"',
    )
    betas: tuple[str, ...] = Field(
        default=(), description="Names for the header anthropic-beta; none is needed for what stands here"
    )
    caching: Caching = Field(
        default=Caching.STABLE,
        description="stable: mark what comes again; automatic: and let the server mark the end; off",
    )
    thoughts: Literal["summarized", "omitted"] | None = Field(
        default="summarized",
        description="How thoughts come while the model thinks; null leaves it to the model",
    )
    transport: Transport = Field(
        default=Transport.HTTP, description="http: our own; sdk: the same through Anthropic's package"
    )

    @field_validator("betas")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        checked_headers({"anthropic-beta": ",".join(value)})
        return value


def _open(name: str, settings: AnthropicSettings, connect: Connect) -> Anthropic:
    from providers.anthropic_client import Anthropic

    preset = presets.find(name) if name == SPEC.name else None
    base_url = address_of(name, settings, preset, f"the name {SPEC.name!r}")
    headers = dict(settings.headers)
    if settings.betas:
        headers["anthropic-beta"] = ",".join(settings.betas)
    style = Style(settings.default_params, settings.caching, settings.thoughts)
    wire = _wire(settings.transport, base_url.removesuffix("/v1"), headers, connect)
    return Anthropic(name, style, wire, settings.limits.plain())


def _wire(transport: Transport, base_url: str, headers: Mapping[str, str], connect: Connect) -> Wire:
    if transport is Transport.SDK:
        from providers.anthropic_sdk import SdkWire

        return SdkWire(base_url, headers, connect)
    from providers.anthropic_http import HttpWire

    return HttpWire(base_url, headers, connect)


SPEC = ProviderSpec(
    name="anthropic",
    title="Anthropic",
    settings=AnthropicSettings,
    open=_open,
    apis=("anthropic-messages",),
)
