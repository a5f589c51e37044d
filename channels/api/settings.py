"""What a person may set for the endpoint for programs."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.alias_generators import to_camel

from channels.capabilities import LatencyClass
from channels.guessing import LEAST, fault_of

_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


class ApiSettings(BaseModel):
    """The settings of one account of the channel `api`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    token: SecretStr = Field(
        description="What programs show as their API key. Whoever has it asks as the owner does. "
        f"At least {LEAST} characters.",
    )
    path: str = Field(
        default="/v1",
        description="Where it is served on the private listener; two accounts need two paths.",
        max_length=100,
    )
    latency: LatencyClass = Field(
        default=LatencyClass.ASYNC,
        description="How soon a program expects the first word where it does not say so itself "
        "(x-firstword-latency).",
    )
    models: dict[str, str] = Field(
        default_factory=dict,
        description='What the names mean that programs use ({"gpt-4o": "auto"}): an alias, auto or provider/model.',
        max_length=200,
    )
    max_requests: int = Field(
        default=64, ge=1, le=10_000, description="Requests that are answered side by side; more get 429."
    )
    max_body_bytes: int = Field(
        default=20_000_000, ge=1_000, le=200_000_000, description="The longest request, pictures included."
    )
    fetch_images: bool = Field(
        default=True, description="Whether pictures are fetched that a request names by an http address."
    )
    our_tools: bool = Field(
        default=False,
        description="Whether the daemon's own tools may be called for a request that brings none.",
    )

    @field_validator("token")
    @classmethod
    def _token_is_not_guessable(cls, value: SecretStr) -> SecretStr:
        fault = fault_of(value.get_secret_value())
        if fault is not None:
            raise ValueError(fault)
        return value

    @field_validator("path")
    @classmethod
    def _path_is_one(cls, value: str) -> str:
        if not _PATH.fullmatch(value):
            raise ValueError(f'{value!r} is no path; allowed is "/v1", "/team/v1" and the like')
        return value
