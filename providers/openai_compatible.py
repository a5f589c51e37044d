"""Any server that speaks OpenAI's chat completions: OpenAI itself, most vendors, every local server.

`SPEC` is what the entry point names. Importing this loads no HTTP client; the first `open` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from providers import presets
from providers.base import Connect, ProviderSpec
from providers.openai_request import RESERVED
from providers.rows import HttpSettings, address_of

if TYPE_CHECKING:
    from providers.openai_client import OpenAICompatible


class OpenAICompatibleSettings(HttpSettings):
    """`models.providers.NAME`. A preset's name needs no `baseUrl`; any other name does."""

    reserved: ClassVar[frozenset[str]] = RESERVED

    base_url: str | None = Field(
        default=None, description="Address up to and with /v1, e.g. http://127.0.0.1:8000/v1"
    )
    api: Literal["openai-completions"] | None = Field(default=None, description="The dialect")


def _open(name: str, settings: OpenAICompatibleSettings, connect: Connect) -> OpenAICompatible:
    from providers.openai_client import OpenAICompatible

    preset = presets.find(name)
    known = f"a known name ({', '.join(each.name for each in presets.PRESETS)})"
    base_url = address_of(name, settings, preset, known)
    return OpenAICompatible(name, base_url, settings, preset, connect, limits=settings.limits.plain())


SPEC = ProviderSpec(
    name="openai_compatible",
    title="OpenAI-compatible server",
    settings=OpenAICompatibleSettings,
    open=_open,
    is_default=True,
)
