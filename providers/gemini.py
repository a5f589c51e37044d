"""Google's Gemini API in its own dialect: thoughts, signatures, caches and windows of a million tokens.

`SPEC` is what the entry point names. Importing this loads no HTTP client; the first `open` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.alias_generators import to_camel

from providers.base import Connect, ProviderSpec
from providers.gemini_request import RESERVED
from providers.http import origin_of

if TYPE_CHECKING:
    from providers.gemini_client import Gemini

ADDRESS = "https://generativelanguage.googleapis.com"

_ENDINGS = ("/openai", "/v1beta", "/v1")


class GeminiSettings(BaseModel):
    """`models.providers.NAME` of a provider whose `api` is google-generative-ai."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, protected_namespaces=()
    )

    base_url: str | None = Field(
        default=None, description="Another address than Google's, without /v1beta; e.g. a proxy of your own"
    )
    api: Literal["google-generative-ai"] | None = Field(default=None, description="The dialect")
    api_key: SecretStr | None = Field(default=None, description="${VAR}, profile:NAME, or the key itself")
    default_params: dict[str, Any] = Field(
        default_factory=dict, description="Put into every request: generationConfig's fields, safetySettings"
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with every request")
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
        root = (self.base_url or ADDRESS).rstrip("/")
        for ending in _ENDINGS:  # "/v1beta/openai" was this provider's address in another dialect
            root = root.removesuffix(ending)
        return root

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            origin_of(value)
        return value

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
