"""Google's Gemini API in its own dialect: thoughts, signatures, caches and windows of a million tokens.

`SPEC` is what the entry point names. Importing this loads no HTTP client; the first `open` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from providers.base import Connect, ProviderSpec
from providers.gemini_request import RESERVED
from providers.rows import HttpSettings

if TYPE_CHECKING:
    from providers.gemini_client import Gemini

ADDRESS = "https://generativelanguage.googleapis.com"

_ENDINGS = ("/openai", "/v1beta", "/v1")


class GeminiSettings(HttpSettings):
    """`models.providers.NAME` of a provider whose `api` is google-generative-ai."""

    reserved: ClassVar[frozenset[str]] = RESERVED
    key_headers: ClassVar[frozenset[str]] = frozenset({"x-goog-api-key", "authorization"})

    base_url: str | None = Field(
        default=None, description="Another address than Google's, without /v1beta; e.g. a proxy of your own"
    )
    api: Literal["google-generative-ai"] | None = Field(default=None, description="The dialect")
    default_params: dict[str, Any] = Field(
        default_factory=dict, description="Put into every request: generationConfig's fields, safetySettings"
    )
    cache_min_tokens: Annotated[int, Field(ge=0)] = Field(
        default=32_768,
        description="Tokens from which on a beginning that comes again gets a cache of its own; 0: never",
    )
    cache_ttl: Annotated[float, Field(ge=60, le=86_400)] = Field(
        default=600.0, description="Seconds that such a cache lives; storage is billed by the hour"
    )
    embedding_dimensions: Annotated[int, Field(ge=128, le=3072)] | None = Field(
        default=None, description="Length of the vectors of embedding models; none: the model's own"
    )

    @property
    def root(self) -> str:
        """The address that /v1beta follows."""
        root = self.base_url or ADDRESS
        for ending in _ENDINGS:  # "/v1beta/openai" was this provider's address in another dialect
            root = root.removesuffix(ending)
        return root


def _open(name: str, settings: GeminiSettings, connect: Connect) -> Gemini:
    from providers.gemini_client import Gemini

    return Gemini(name, settings, connect)


SPEC = ProviderSpec(
    name="gemini",
    title="Google Gemini",
    settings=GeminiSettings,
    open=_open,
    apis=("google-generative-ai",),
)
