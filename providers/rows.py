"""What the settings of every HTTP dialect share: a row for a model, prices, checks of addresses and headers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from providers.base import ModelSettings, ModelSpec, Price
from providers.http import is_loopback, origin_of
from providers.models import describe

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
    """An http(s) address without a slash at its end. ValueError for anything else."""
    if value is None:
        return None
    origin_of(value)
    return value.rstrip("/")


def checked_params(value: dict[str, object], taken: frozenset[str]) -> dict[str, object]:
    """Parameters that leave alone what every request says itself. ValueError names those that do not."""
    if wrong := sorted(taken & value.keys()):
        raise ValueError(f"may not set {', '.join(wrong)}: every request says that itself")
    return value


def checked_headers(value: dict[str, str]) -> dict[str, str]:
    """Headers that can be sent. ValueError names one that cannot, or that the client sets itself."""
    for name, text in value.items():
        if not (name.isascii() and name.isprintable() and text.isascii() and text.isprintable()):
            raise ValueError(f"{name!r}: only printable ASCII may stand in a header")
        if name.lower() in {"host", "content-length", "transfer-encoding", "connection"}:
            raise ValueError(f"{name!r} is set by the HTTP client and may not be given")
    return value
