"""Cerebras: OpenAI's chat completions with a queue that tells its length, packed requests and stricter rules.

`SPEC` is what the entry point names. Importing this loads neither package nor HTTP client.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from providers import presets
from providers.base import Connect, ProviderSpec
from providers.cerebras_request import QUEUE_RANGE, RESERVED
from providers.rows import HttpSettings, address_of

if TYPE_CHECKING:
    from providers.cerebras_client import Cerebras
    from providers.cerebras_wire import Wire

COMPRESS_FROM = 14_000
"""Bytes of a body from which gzip pays: more than the ten segments of a connection's first flight (RFC 6928) costs a
round trip, 20 ms and more, where packing to half or less takes 0.2 to 0.8 ms (one busy core, 16 KB, 2026-11)."""

Milliseconds = Annotated[int, Field(ge=QUEUE_RANGE[0], le=QUEUE_RANGE[1])]


class Transport(StrEnum):
    """How requests are sent."""

    SDK = "sdk"
    HTTP = "http"


class CerebrasSettings(HttpSettings):
    """`models.providers.NAME`. The name "cerebras" needs no `baseUrl`; any other does."""

    reserved: ClassVar[frozenset[str]] = RESERVED
    key_headers: ClassVar[frozenset[str]] = frozenset({"authorization"})

    base_url: str | None = Field(
        default=None, description="Address up to and with /v1, e.g. https://api.cerebras.ai/v1"
    )
    # the documents give this provider OpenAI's value; its name decides
    api: Literal["openai-completions", "cerebras"] | None = Field(default=None, description="The dialect")
    default_params: dict[str, Any] = Field(
        default_factory=dict, description="Put into every request's body as they are; service_tier too"
    )
    transport: Transport = Field(
        default=Transport.HTTP, description="http: our own; sdk: through Cerebras' package"
    )
    compress_from: int | None = Field(
        default=COMPRESS_FROM, ge=0, description="Bytes of a request from which it is packed; null: never"
    )
    thoughts: Literal["parsed", "text_parsed", "raw", "hidden", "none"] | None = Field(
        default=None, description="reasoning_format of models that think; null leaves it to the model"
    )
    queue_threshold: Milliseconds | None = Field(
        default=None, description="Milliseconds in the queue before service_tier flex or auto is refused"
    )


def _open(name: str, settings: CerebrasSettings, connect: Connect) -> Cerebras:
    from providers.cerebras_client import Cerebras

    preset = presets.find(name) if name == SPEC.name else None
    base_url = address_of(name, settings, preset, f"the name {SPEC.name!r}")
    wire = _wire(settings.transport, base_url, settings.headers, connect)
    return Cerebras(name, base_url, settings, wire, connect)


def _wire(transport: Transport, base_url: str, headers: Mapping[str, str], connect: Connect) -> Wire:
    if transport is Transport.SDK:
        from providers.cerebras_sdk import SdkWire

        return SdkWire(base_url, headers, connect)
    from providers.cerebras_wire import HttpWire

    return HttpWire(base_url, headers, connect)


SPEC = ProviderSpec(
    name="cerebras",
    title="Cerebras",
    settings=CerebrasSettings,
    open=_open,
    apis=("cerebras",),
)
